//! The inner loops: the only place that trades clarity for speed.
//!
//! `gemm` is the one caller of a matrix product; `pointwise` runs a gates rule over a batch on vectors.

pub(crate) mod gemm;
pub(crate) mod pointwise;
