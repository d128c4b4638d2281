//! Inner loops of products: the only place that trades clarity for speed.
//!
//! `gemm` multiplies matrices, `prefetch` requests memory before it is needed.

pub(crate) mod gemm;
pub(crate) mod prefetch;
