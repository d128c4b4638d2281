//! Checks and measurements for layers and cells of your own.
//!
//! | Item | Meaning |
//! | --- | --- |
//! | [`gradcheck`] | Compares gradients with central differences |
//! | [`conformance`], [`conformance!`](crate::conformance!) | Tests of the laws of every recurrent layer |
//! | [`workload`], [`bench_cell!`](crate::bench_cell) | Benchmarks of a cell, as of the built-in ones |
//! | [`train_batch`], [`gradients`] | Training step and gradients with a pass of your own |
//!
//! ```
//! use bptt::layer::Pass;
//! use bptt::layers::Dense;
//! use bptt::random::Key;
//! use bptt::tensor::Form;
//! use bptt::testing::gradcheck;
//! let report = gradcheck::layer(&Dense::new(3), Form::vector(2), 4, Pass::training(Key::new(0)))?;
//! assert!(report.error() < gradcheck::TOLERANCE, "{report}");
//! # Ok::<(), bptt::Error>(())
//! ```

pub mod conformance;
pub mod gradcheck;
pub mod measure;
pub mod workload;

use crate::data::{Samples, Targets};
use crate::error::Result;
use crate::layer::Pass;
use crate::models::{Gradients, Model};
use crate::numeric::Scalar;
use crate::training;

/// Trains on one batch like [`Model::train_batch`], with a pass of your own, for example one with
/// [fixed masks](Pass::replaying) to compare a model with another implementation.
///
/// # Errors
///
/// Those of [`Model::train_batch`].
pub fn train_batch<'a, F: Scalar>(
    model: &mut Model<F>,
    samples: impl Into<Samples<'a, F>>,
    targets: impl Into<Targets<'a>>,
    pass: Pass<'_>,
) -> Result<f64> {
    training::train_batch(model, samples.into(), targets.into(), pass)
}

/// Computes gradients like [`Model::gradients`], with a pass of your own.
///
/// # Errors
///
/// Those of [`Model::gradients`].
pub fn gradients<'a, F: Scalar>(
    model: &Model<F>,
    samples: impl Into<Samples<'a, F>>,
    targets: impl Into<Targets<'a>>,
    pass: Pass<'_>,
) -> Result<Gradients<F>> {
    training::gradients(model, samples.into(), targets.into(), pass)
}
