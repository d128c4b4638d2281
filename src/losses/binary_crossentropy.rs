//! Binary cross-entropy.

use super::elements::mean_of_elements;
use super::{Loss, boxed_loss, check_smoothing, clip, from_logits_option};
use crate::activations::Activation;
use crate::error::Result;
use crate::numeric::Lane;
use crate::numeric::Scalar;

/// Binary cross-entropy, −t·ln p − (1 − t)·ln(1 − p), the mean over each row.
///
/// After a last sigmoid, or with `from_logits`, it is computed from the logit z as max(z, 0) − z·t + ln(1 + e^−|z|);
/// otherwise from probabilities, which are clipped to 10⁻⁷ from 0 and 1.
///
/// With `label_smoothing` s, labels move towards ½ first: t·(1 − s) + s/2.
///
/// Targets: 0 to 1, with the width of the predictions.
///
/// ```
/// use bptt::losses::{BinaryCrossentropy, Loss};
/// let loss = BinaryCrossentropy::new().row(&[0.5_f64], &[1.0], false, None);
/// assert!((loss - 2.0_f64.ln()).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, Default)]
#[doc(alias = "BCE")]
pub struct BinaryCrossentropy {
    from_logits: bool,
    label_smoothing: f64,
}

from_logits_option!(BinaryCrossentropy, "From probabilities, or from the logits of a last sigmoid.");

impl BinaryCrossentropy {
    /// Sets how far labels move towards ½: from 0 (the default, not at all) to 1. Another number is an
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) before training.
    pub fn label_smoothing(self, label_smoothing: f64) -> Self {
        BinaryCrossentropy { label_smoothing, ..self }
    }
}

impl<F: Scalar> Loss<F> for BinaryCrossentropy {
    boxed_loss!(F, BinaryCrossentropy);

    fn check(&self) -> Result<()> {
        check_smoothing(self.label_smoothing)
    }

    fn absorbs(&self, activation: Activation) -> bool {
        activation == Activation::Sigmoid && !self.from_logits
    }

    fn check_target(&self, target: &[F], _: usize) -> std::result::Result<(), String> {
        match target.iter().find(|value| !(F::zero()..=F::one()).contains(value)) {
            Some(value) => Err(format!("is {value}; binary cross-entropy takes labels from 0 to 1")),
            None => Ok(()),
        }
    }

    fn row(&self, prediction: &[F], target: &[F], absorbed: bool, gradient: Option<&mut [F]>) -> f64 {
        let (zero, one) = (F::zero(), F::one());
        let (keep, half) = (F::of(1.0 - self.label_smoothing), F::of(0.5 * self.label_smoothing));
        let smooth = |t: F| t * keep + half;
        if absorbed || self.from_logits {
            mean_of_elements(prediction, target, gradient, |z, t| {
                let t = smooth(t);
                (Lane::max(z, zero) - z * t + Lane::exp(-Lane::abs(z)).ln_1p(), z.sigmoid() - t)
            })
        } else {
            mean_of_elements(prediction, target, gradient, |p, t| {
                let ((p, inside), t) = (clip(p), smooth(t));
                let slope = if inside { (one - t) / (one - p) - t / p } else { zero };
                (-(t * p.ln()) - (one - t) * (one - p).ln(), slope)
            })
        }
    }
}
