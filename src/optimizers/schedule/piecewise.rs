//! Piecewise constant rates.

use super::Schedule;
use crate::error::{Error, Result};
use crate::numeric::checks::check_positive;

/// Piecewise constant rates: the first rate up to the first boundary, the next up to the next one, the last after that. The
/// step of a boundary still has the rate before it.
///
/// Boundaries increase, rates are above 0, and there is one more rate than boundaries.
///
/// ```
/// use bptt::optimizers::{PiecewiseConstantDecay, Schedule};
/// let decay = PiecewiseConstantDecay::new([100, 200], [0.1, 0.01, 0.001]);
/// assert_eq!([decay.rate(0), decay.rate(100), decay.rate(101), decay.rate(500)], [0.1, 0.1, 0.01, 0.001]);
/// ```
#[derive(Clone, Debug)]
pub struct PiecewiseConstantDecay {
    boundaries: Vec<u64>,
    values: Vec<f64>,
}

impl PiecewiseConstantDecay {
    /// Returns these rates, changing after these steps.
    pub fn new(boundaries: impl Into<Vec<u64>>, values: impl Into<Vec<f64>>) -> Self {
        PiecewiseConstantDecay { boundaries: boundaries.into(), values: values.into() }
    }
}

impl Schedule for PiecewiseConstantDecay {
    fn rate(&self, step: u64) -> f64 {
        let piece = self.boundaries.partition_point(|&boundary| boundary < step);
        // `check` returns an error if there is no rate for a piece.
        self.values.get(piece).copied().unwrap_or(f64::NAN)
    }

    fn check(&self) -> Result<()> {
        if self.values.len() != self.boundaries.len() + 1 {
            let allowed = "one longer than boundaries";
            return Err(Error::InvalidOption { option: "values", value: format!("{:?}", self.values), allowed });
        }
        if !self.boundaries.is_sorted_by(|before, after| before < after) {
            let value = format!("{:?}", self.boundaries);
            return Err(Error::InvalidOption { option: "boundaries", value, allowed: "rising" });
        }
        self.values.iter().try_for_each(|&value| check_positive("each of values", value))
    }
}
