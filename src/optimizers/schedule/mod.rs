//! Learning-rate schedules: the rate as a function of the step.
//!
//! Formulas and defaults are those of Keras, except [`OneCycle`], which is PyTorch's `OneCycleLR`.

mod cosine;
mod decay;
mod one_cycle;
mod piecewise;

use std::fmt::Debug;

pub use cosine::{CosineDecay, CosineDecayRestarts};
pub use decay::{ExponentialDecay, InverseTimeDecay, PolynomialDecay};
pub use one_cycle::OneCycle;
pub use piecewise::PiecewiseConstantDecay;

use crate::error::Result;

/// Learning-rate schedule, which [`Optimizer::schedule`](crate::optimizers::Optimizer::schedule) takes instead of a rate.
///
/// A custom schedule:
///
/// ```
/// use bptt::optimizers::{Optimizer, Schedule, Sgd};
///
/// /// Falls with the root of the step.
/// #[derive(Debug)]
/// struct InverseRoot {
///     start: f64,
/// }
///
/// impl Schedule for InverseRoot {
///     fn rate(&self, step: u64) -> f64 {
///         self.start / ((step + 1) as f64).sqrt()
///     }
/// }
///
/// let optimizer: Optimizer<f32> = Optimizer::new(Sgd::new(0.1)).schedule(InverseRoot { start: 0.1 });
/// assert_eq!(optimizer.learning_rate(), 0.1);
/// ```
#[doc(alias = "LearningRateSchedule")]
pub trait Schedule: Debug + Send + Sync {
    /// Returns the rate of a step; steps count batches from 0.
    fn rate(&self, step: u64) -> f64;

    /// Returns an error for options out of range.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) that names the option.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// Returns ½·(1 + cos π·p), which falls from 1 to 0 while p goes from 0 to 1.
fn half_cosine(p: f64) -> f64 {
    0.5 * (1.0 + (std::f64::consts::PI * p).cos())
}
