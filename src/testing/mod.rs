//! Checks and measurements for layers and cells of your own.

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

/// [`Model::train_batch`] with a pass of your own, such as one with [fixed masks](Pass::replaying): to hold a model against another
/// implementation of it.
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

/// [`Model::gradients`] with a pass of your own.
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
