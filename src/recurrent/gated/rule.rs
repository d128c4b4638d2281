//! Gate rule without its type: only its loops over the elements of a step are compiled for each rule.

use std::fmt::Debug;

use super::gates::Gates;
use super::pointwise::{Backward, Forward, StepBackward, StepForward};
use super::streaming::{Advance, Streamed};
use crate::error::Result;
use crate::numeric::{Kernel, Scalar};

/// [`Gates`] without its type.
pub trait Rule<F: Scalar>: Debug + Sync {
    /// Runs the rule over one step, on vectors or, as the reference, on plain numbers.
    fn forward(&self, step: StepForward<'_, F>, vectors: bool);
    /// Runs its derivative.
    fn backward(&self, step: StepBackward<'_, F>, vectors: bool);
    /// Runs a step of a few samples from their inputs.
    fn advance(&self, step: &mut Streamed<'_, F>);
    /// Returns [`Gates::initial_bias`].
    fn initial_bias(&self, block: usize) -> Option<f64>;
    /// Calls [`Gates::check`].
    fn check(&self) -> Result<()>;
}

impl<F: Scalar, G: Gates> Rule<F> for G {
    fn forward(&self, step: StepForward<'_, F>, vectors: bool) {
        let mut forward = Forward { gates: self, step };
        if vectors { forward.vectorize() } else { forward.run::<F>(()) }
    }

    fn backward(&self, step: StepBackward<'_, F>, vectors: bool) {
        let mut backward = Backward { gates: self, step };
        if vectors { backward.vectorize() } else { backward.run::<F>(()) }
    }

    fn advance(&self, step: &mut Streamed<'_, F>) {
        Advance { gates: self, step }.vectorize();
    }

    fn initial_bias(&self, block: usize) -> Option<f64> {
        Gates::initial_bias(self, block)
    }

    fn check(&self) -> Result<()> {
        Gates::check(self)
    }
}
