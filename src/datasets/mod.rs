//! Data sets to learn from and to test with.
