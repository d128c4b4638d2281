//! The inner loops: the only place that trades clarity for speed.
//!
//! `path` says what they run on, `gemm` multiplies matrices, `pointwise` runs a gates rule over a batch, for which `prefetch`
//! asks for memory. `measure` is their door for the benchmarks.

pub(crate) mod gemm;
pub mod measure;
pub(crate) mod path;
pub(crate) mod pointwise;
pub(crate) mod prefetch;
