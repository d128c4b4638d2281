//! From raw sequences to the arrays a model takes.
