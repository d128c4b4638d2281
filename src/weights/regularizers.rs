//! Regularizers: penalties on weights, which are added to the loss.
//!
//! | Item | Penalty |
//! | --- | --- |
//! | [`Regularizer::l1`] | l1 · Σ\|w\| |
//! | [`Regularizer::l2`] | l2 · Σw² |
//! | [`Regularizer::l1_l2`] | l1 · Σ\|w\| + l2 · Σw² |
//!
//! ```
//! use bptt::prelude::*;
//! use bptt::regularizers::Regularizer;
//! use ndarray::array;
//!
//! let layer = Dense::new(1).kernel_regularizer(Regularizer::l2(0.01));
//! let mut model = Sequential::new().add(layer).build(Form::vector(1), 42)?;
//! model.compile(Sgd::new(0.1), MeanSquaredError);
//! let history = model.fit(&array![[0.0_f32], [1.0]], &array![1.0_f32, 3.0], Fit::new().epochs(20))?;
//! let loss = history.get("loss");
//! assert!(loss[19] < loss[0]);
//! # Ok::<(), bptt::Error>(())
//! ```

use serde::{Deserialize, Serialize};

use super::Path;
use crate::error::{Error, Result};
use crate::numeric::Scalar;

/// Penalty l1 · Σ|w| + l2 · Σw² on a weight, which is added to the loss.
///
/// Its gradient, l1 · sign(w) + 2 · l2 · w with sign(0) = 0, is added to that of the weight before clipping. As in Keras,
/// the reported loss includes the penalty once for each batch, also in validation and evaluation, and frozen layers have
/// no penalty.
///
/// ```
/// use bptt::prelude::*;
/// use bptt::regularizers::Regularizer;
/// use ndarray::array;
/// let layer = Dense::new(1).kernel_regularizer(Regularizer::l1_l2(0.5, 0.1));
/// let mut model = Sequential::new().add(layer).build(Form::vector(2), 42)?;
/// model.set_weight("dense/kernel", &array![[2.0_f32], [-1.0]])?;
/// model.compile(Sgd::new(0.1), MeanSquaredError);
/// // The prediction 0 is right: what is left is 0.5 · (2 + 1) + 0.1 · (4 + 1).
/// assert_eq!(model.evaluate(&array![[0.0_f32, 0.0]], &array![0.0_f32])?.get("loss"), Some(2.0));
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[doc(alias = "L1")]
#[doc(alias = "L2")]
#[doc(alias = "L1L2")]
pub struct Regularizer {
    l1: f64,
    l2: f64,
}

impl Regularizer {
    /// Returns the penalty l1 · Σ|w|, which drives unimportant weights to zero. Keras' default is 0.01.
    pub const fn l1(l1: f64) -> Self {
        Regularizer { l1, l2: 0.0 }
    }

    /// Returns the penalty l2 · Σw², without a factor ½. Keras' default is 0.01.
    pub const fn l2(l2: f64) -> Self {
        Regularizer { l1: 0.0, l2 }
    }

    /// Returns the sum of both penalties.
    pub const fn l1_l2(l1: f64, l2: f64) -> Self {
        Regularizer { l1, l2 }
    }

    /// Returns an error for factors out of range, naming the weight at this path.
    pub(crate) fn check(self, weight: Path<'_>) -> Result<()> {
        for (option, factor) in [("l1", self.l1), ("l2", self.l2)] {
            if !(factor >= 0.0 && factor.is_finite()) {
                let allowed = "a finite number of at least 0";
                return Err(Error::InvalidOption { option, value: format!("{factor} for {weight}"), allowed });
            }
        }
        Ok(())
    }

    /// Returns the penalty on these weights.
    pub(crate) fn penalty<F: Scalar>(self, weights: &[F]) -> f64 {
        let l1 = if self.l1 > 0.0 { self.l1 * sum(weights, f64::abs) } else { 0.0 };
        let l2 = if self.l2 > 0.0 { self.l2 * sum(weights, |w| w * w) } else { 0.0 };
        l1 + l2
    }

    /// Adds the gradient of the penalty.
    pub(crate) fn add_gradient<F: Scalar>(self, weights: &[F], gradient: &mut [F]) {
        let (zero, l1, twice_l2) = (F::zero(), F::of(self.l1), F::of(2.0 * self.l2));
        for (gradient, &w) in gradient.iter_mut().zip(weights) {
            // Not `signum`, which is 1 for zero, where biases start.
            let slope = if w > zero { l1 } else { zero } - if w < zero { l1 } else { zero };
            *gradient += slope + twice_l2 * w;
        }
    }
}

/// Returns the sum of a term of each weight. Eight partial sums, because one would wait for each addition.
pub(crate) fn sum<F: Scalar>(weights: &[F], term: impl Fn(f64) -> f64) -> f64 {
    let mut sums = [0.0; 8];
    let (eights, rest) = weights.as_chunks::<8>();
    for weights in eights {
        sums.iter_mut().zip(weights).for_each(|(sum, w)| *sum += term(w.widen()));
    }
    sums.iter_mut().zip(rest).for_each(|(sum, w)| *sum += term(w.widen()));
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn penalties_and_their_gradients() {
        let weights: Vec<f64> = (0..19).map(|n| f64::from(n) - 9.0).collect();
        assert_eq!(Regularizer::l1(0.5).penalty(&weights), 45.0);
        assert_eq!(Regularizer::l2(0.5).penalty(&weights), 285.0);
        assert_eq!(Regularizer::l1_l2(1.0, 2.0).penalty(&weights), 90.0 + 1140.0);
        assert_eq!(Regularizer::l1_l2(1.0, 2.0).penalty::<f32>(&[]), 0.0);
        let mut gradient = vec![10.0; 19];
        Regularizer::l1_l2(0.5, 0.25).add_gradient(&weights, &mut gradient);
        assert_eq!(gradient[8..11], [10.0 - 0.5 - 0.5, 10.0, 10.0 + 0.5 + 0.5]);
    }

    #[test]
    fn factors_out_of_range_are_errors() {
        for (regularizer, message) in [
            (Regularizer::l1(-0.1), "l1 is -0.1 for kernel, but must be a finite number of at least 0"),
            (Regularizer::l2(f64::NAN), "l2 is NaN for kernel, but must be a finite number of at least 0"),
            (Regularizer::l1_l2(0.0, f64::INFINITY), "l2 is inf for kernel, but must be a finite number of at least 0"),
        ] {
            assert_eq!(regularizer.check(Path::root("kernel")).unwrap_err().to_string(), message);
        }
        assert!(Regularizer::l1_l2(0.0, 0.0).check(Path::root("kernel")).is_ok());
    }
}
