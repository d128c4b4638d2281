//! `bptt` trains and runs recurrent neural networks on the CPU, on `ndarray`, with every backward pass written out.

pub mod datasets;
mod error;
pub mod preprocessing;

pub use error::{Error, Result};
