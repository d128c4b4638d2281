//! Moving average of the weights (Polyak and Juditsky 1992), which is often better than the weights themselves.

use crate::error::Result;
use crate::numeric::Scalar;
use crate::numeric::checks::check;
use crate::numeric::checks::check_count;

/// Exponential moving average of the weights: a ← w after the first step, then a ← μ·a + (1 − μ)·w after each.
///
/// At the end of [`Model::fit`](crate::models::Model::fit) the averages replace the weights. After steps of
/// [`Model::train_batch`](crate::models::Model::train_batch), call
/// [`Model::use_averages`](crate::models::Model::use_averages). Callbacks see and save the weights before that.
///
/// | option | Keras' name | default | range |
/// | --- | --- | --- | --- |
/// | [`momentum`](Ema::momentum) μ | `ema_momentum` | 0.99 | 0 ≤ μ ≤ 1 |
/// | [`overwrite_frequency`](Ema::overwrite_frequency) | `ema_overwrite_frequency` | never | at least 1 |
///
/// ```
/// use bptt::optimizers::{Adam, Ema, Optimizer};
/// let optimizer: Optimizer<f32> = Optimizer::new(Adam::new(0.001)).ema(Ema::new().momentum(0.999));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ema {
    momentum: f64,
    overwrite_frequency: Option<usize>,
}

impl Default for Ema {
    fn default() -> Self {
        Ema { momentum: 0.99, overwrite_frequency: None }
    }
}

impl Ema {
    /// Returns the average with Keras' defaults.
    pub fn new() -> Self {
        Ema::default()
    }

    /// Sets μ, the decay of the average.
    #[doc(alias = "ema_momentum")]
    pub fn momentum(self, momentum: f64) -> Self {
        Ema { momentum, ..self }
    }

    /// Sets a number of steps after which the average replaces the weights, and training continues from it.
    #[doc(alias = "ema_overwrite_frequency")]
    pub fn overwrite_frequency(self, steps: usize) -> Self {
        Ema { overwrite_frequency: Some(steps), ..self }
    }

    pub(super) fn check(&self) -> Result<()> {
        check("momentum of Ema", self.momentum, (0.0..=1.0).contains(&self.momentum), "between 0 and 1")?;
        self.overwrite_frequency.map_or(Ok(()), |steps| check_count("overwrite_frequency", steps))
    }

    /// Updates the average of a tensor, which is empty before the first time; `iteration` counts from 1.
    pub(super) fn renew<F: Scalar>(&self, iteration: u64, weights: &mut [F], average: &mut Vec<F>) {
        // With accumulation the weights change at the end of the first iteration's batches, and a frozen layer may join
        // later.
        if iteration == 1 || average.is_empty() {
            average.resize(weights.len(), F::zero());
            average.copy_from_slice(weights);
        } else {
            let (momentum, rest) = (F::of(self.momentum), F::of(1.0 - self.momentum));
            average.iter_mut().zip(&*weights).for_each(|(a, &w)| *a = momentum * *a + rest * w);
        }
        if self.overwrite_frequency.is_some_and(|steps| iteration.is_multiple_of(steps as u64)) {
            weights.copy_from_slice(average);
        }
    }
}
