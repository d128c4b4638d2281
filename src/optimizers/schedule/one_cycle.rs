//! One-cycle schedule (Smith and Topin 2019, "Super-convergence"), as PyTorch's `OneCycleLR`.

use super::{Schedule, half_cosine};
use crate::error::Result;
use crate::numeric::checks::{check, check_positive, check_rate};

/// One-cycle schedule: rises along half a cosine from η/d to the highest rate η, falls along another to η/(d·e), and stays
/// there.
///
/// Of n steps, the rise ends at step s·n − 1 and the fall at step n − 1. The momentum does not change.
///
/// | option | default | range |
/// | --- | --- | --- |
/// | `max_learning_rate` η | | above 0 |
/// | `total_steps` n | | at least 2 |
/// | `pct_start` s | 0.3 | 0 ≤ s < 1 |
/// | `div_factor` d | 25 | above 0 |
/// | `final_div_factor` e | 10⁴ | above 0 |
///
/// ```
/// use bptt::optimizers::{OneCycle, Schedule};
/// let cycle = OneCycle::new(1.0, 102).pct_start(0.5).div_factor(10.0).final_div_factor(10.0);
/// assert!((cycle.rate(0) - 0.1).abs() < 1e-12);
/// assert_eq!(cycle.rate(50), 1.0);
/// assert!((cycle.rate(101) - 0.01).abs() < 1e-12);
/// assert_eq!(cycle.rate(1000), cycle.rate(101));
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "OneCycleLR")]
pub struct OneCycle {
    max_learning_rate: f64,
    total_steps: u64,
    pct_start: f64,
    div_factor: f64,
    final_div_factor: f64,
}

impl OneCycle {
    /// Returns a cycle up to this rate and down, over this number of steps, usually those of the whole training.
    pub fn new(max_learning_rate: f64, total_steps: u64) -> Self {
        OneCycle { max_learning_rate, total_steps, pct_start: 0.3, div_factor: 25.0, final_div_factor: 1e4 }
    }

    /// Sets the fraction of the steps in which the rate rises.
    pub fn pct_start(self, pct_start: f64) -> Self {
        OneCycle { pct_start, ..self }
    }

    /// Sets the ratio of the highest rate to the first.
    pub fn div_factor(self, div_factor: f64) -> Self {
        OneCycle { div_factor, ..self }
    }

    /// Sets the ratio of the first rate to the last.
    pub fn final_div_factor(self, final_div_factor: f64) -> Self {
        OneCycle { final_div_factor, ..self }
    }
}

impl Schedule for OneCycle {
    fn rate(&self, step: u64) -> f64 {
        let (step, steps) = (step as f64, self.total_steps as f64);
        let (top, last) = (self.pct_start * steps - 1.0, steps - 1.0);
        let initial = self.max_learning_rate / self.div_factor;
        let (p, from, to) = if step < top {
            (step / top, initial, self.max_learning_rate)
        } else {
            (((step - top) / (last - top)).min(1.0), self.max_learning_rate, initial / self.final_div_factor)
        };
        to + (from - to) * half_cosine(p)
    }

    fn check(&self) -> Result<()> {
        check_positive("max_learning_rate", self.max_learning_rate)?;
        check("total_steps", self.total_steps as f64, self.total_steps >= 2, "at least 2")?;
        check_rate("pct_start", self.pct_start)?;
        check_positive("div_factor", self.div_factor)?;
        check_positive("final_div_factor", self.final_div_factor)
    }
}
