//! Checks and measurements for layers and cells of your own.

pub mod conformance;
pub mod gradcheck;
#[doc(hidden)]
pub mod measure;
pub mod workload;
