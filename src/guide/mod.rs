//! For those who come from elsewhere: programs of other libraries, translated line by line.
//!
//! Each page has a whole program in both languages, and tables of what is called how. Its code is compiled and run with the
//! tests.

#[doc = include_str!("keras.md")]
pub mod keras {}

#[doc = include_str!("pytorch.md")]
pub mod pytorch {}
