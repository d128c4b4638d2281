//! `bptt` trains and runs recurrent neural networks on the CPU, on `ndarray`, with every backward pass written out.

pub mod datasets;
mod error;
mod numpy_random;
pub mod preprocessing;

pub use error::{Error, Result};
