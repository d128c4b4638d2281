//! Losses: how far predictions are from targets, and the gradient of that.
//!
//! A loss works on rows: one for each sample, or for each step of each sample. It returns the sum over the rows and writes
//! the gradient of that sum; the trainer divides both by the number of rows once, after all shards are in. So the loss of a
//! batch does not depend on how it was cut.
//!
//! Cross-entropies take over a last sigmoid or softmax of the model ([`Loss::absorbs`]) and compute from what comes before
//! it: ln σ(z) needs no clipping there, and the gradient is σ(z) − t exactly.

use std::fmt::Debug;

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, Zip};

use crate::activation::Activation;
use crate::lane::Lane;
use crate::scalar::Scalar;

/// A loss over rows of predictions and targets.
pub trait Loss<F: Scalar>: Debug + Send + Sync {
    /// Whether the loss computes from the input of this last activation instead of its output.
    fn absorbs(&self, _activation: Activation) -> bool {
        false
    }

    /// How wide a row of targets is for rows of `outputs` predictions.
    fn target_width(&self, outputs: usize) -> usize {
        outputs
    }

    /// Looks at one row of targets before training starts.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as the end of the sentence "target … ".
    fn check_target(&self, target: ArrayView1<'_, F>, _outputs: usize) -> std::result::Result<(), String> {
        match target.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(format!("is {value}; it must be a finite number")),
            None => Ok(()),
        }
    }

    /// The loss summed over the rows, and the gradient of that sum.
    ///
    /// `absorbed` says that `predictions` come from before the last activation.
    fn sum(
        &self,
        predictions: ArrayView2<'_, F>,
        targets: ArrayView2<'_, F>,
        absorbed: bool,
        gradient: Option<ArrayViewMut2<'_, F>>,
    ) -> f64;
}

/// Sums a loss of single elements, averaged over each row as in Keras.
fn sum_elements<F: Scalar>(
    predictions: ArrayView2<'_, F>,
    targets: ArrayView2<'_, F>,
    gradient: Option<ArrayViewMut2<'_, F>>,
    element: impl Fn(F, F) -> (F, F),
) -> f64 {
    let scale = F::of(1.0 / predictions.ncols() as f64);
    let mut sum = 0.0;
    match gradient {
        Some(mut gradient) => Zip::from(&mut gradient).and(predictions).and(targets).for_each(|g, &p, &t| {
            let (loss, slope) = element(p, t);
            sum += (loss * scale).widen();
            *g = slope * scale;
        }),
        None => Zip::from(predictions).and(targets).for_each(|&p, &t| sum += (element(p, t).0 * scale).widen()),
    }
    sum
}

/// What Keras keeps probabilities away from 0 and 1 by.
const EPSILON: f64 = 1e-7;

/// Keeps a probability within [ε, 1 − ε]; outside, the gradient is zero, as in Keras.
fn clip<F: Scalar>(p: F) -> (F, bool) {
    let clipped = Lane::min(Lane::max(p, F::of(EPSILON)), F::of(1.0 - EPSILON));
    (clipped, clipped == p)
}

/// Makes a cross-entropy, and sets whether it computes from logits that the model itself puts out.
macro_rules! from_logits_option {
    ($loss:ident, $new:literal) => {
        impl $loss {
            #[doc = $new]
            pub fn new() -> Self {
                $loss::default()
            }

            /// Whether the model itself puts out logits.
            pub fn from_logits(self, from_logits: bool) -> Self {
                $loss { from_logits }
            }
        }
    };
}

/// Binary cross-entropy, −t·ln p − (1 − t)·ln(1 − p), the mean over each row.
///
/// After a last sigmoid, or with `from_logits`, computed from the logit z as max(z, 0) − z·t + ln(1 + e^−|z|); otherwise
/// from probabilities, which are kept 10⁻⁷ away from 0 and 1.
///
/// Targets: 0 to 1, of the predictions' width.
///
/// ```
/// use bptt::{BinaryCrossentropy, Loss};
/// use ndarray::array;
/// let sum = BinaryCrossentropy::new().sum(array![[0.5_f64], [0.5]].view(), array![[1.0], [0.0]].view(), false, None);
/// assert!((sum - 2.0 * 2.0_f64.ln()).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, Default)]
#[doc(alias = "BCE")]
pub struct BinaryCrossentropy {
    from_logits: bool,
}

from_logits_option!(BinaryCrossentropy, "From probabilities, or from the logits of a last sigmoid.");

impl<F: Scalar> Loss<F> for BinaryCrossentropy {
    fn absorbs(&self, activation: Activation) -> bool {
        activation == Activation::Sigmoid && !self.from_logits
    }

    fn check_target(&self, target: ArrayView1<'_, F>, _: usize) -> std::result::Result<(), String> {
        match target.iter().find(|value| !(F::zero()..=F::one()).contains(value)) {
            Some(value) => Err(format!("is {value}; binary cross-entropy takes labels from 0 to 1")),
            None => Ok(()),
        }
    }

    fn sum(
        &self,
        predictions: ArrayView2<'_, F>,
        targets: ArrayView2<'_, F>,
        absorbed: bool,
        gradient: Option<ArrayViewMut2<'_, F>>,
    ) -> f64 {
        let (zero, one) = (F::zero(), F::one());
        if absorbed || self.from_logits {
            sum_elements(predictions, targets, gradient, |z, t| {
                (Lane::max(z, zero) - z * t + Lane::exp(-Lane::abs(z)).ln_1p(), z.sigmoid() - t)
            })
        } else {
            sum_elements(predictions, targets, gradient, |p, t| {
                let (p, inside) = clip(p);
                let slope = if inside { (one - t) / (one - p) - t / p } else { zero };
                (-(t * p.ln()) - (one - t) * (one - p).ln(), slope)
            })
        }
    }
}

/// Mean squared error, the mean of (p − t)² over each row.
///
/// ```
/// use bptt::{Loss, MeanSquaredError};
/// use ndarray::array;
/// assert_eq!(MeanSquaredError.sum(array![[1.0_f64, 3.0]].view(), array![[1.0, 1.0]].view(), false, None), 2.0);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "MSE")]
pub struct MeanSquaredError;

impl<F: Scalar> Loss<F> for MeanSquaredError {
    fn sum(
        &self,
        predictions: ArrayView2<'_, F>,
        targets: ArrayView2<'_, F>,
        _: bool,
        gradient: Option<ArrayViewMut2<'_, F>>,
    ) -> f64 {
        sum_elements(predictions, targets, gradient, |p, t| ((p - t) * (p - t), (p - t) + (p - t)))
    }
}

/// Categorical cross-entropy, −Σ tₖ·ln pₖ over each row.
///
/// After a last softmax, or with `from_logits`, computed from the logits; otherwise from probabilities, each divided by the
/// sum of its row and kept 10⁻⁷ away from 0 and 1, as Keras does.
///
/// Targets: a distribution over the classes, of the predictions' width, such as a one-hot row.
///
/// ```
/// use bptt::{CategoricalCrossentropy, Loss};
/// use ndarray::array;
/// let loss = CategoricalCrossentropy::new();
/// let sum = loss.sum(array![[0.25_f64, 0.75]].view(), array![[1.0, 0.0]].view(), false, None);
/// assert!((sum - 4.0_f64.ln()).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, Default)]
pub struct CategoricalCrossentropy {
    from_logits: bool,
}

from_logits_option!(CategoricalCrossentropy, "From probabilities, or from the logits of a last softmax.");

impl<F: Scalar> Loss<F> for CategoricalCrossentropy {
    fn absorbs(&self, activation: Activation) -> bool {
        activation == Activation::Softmax && !self.from_logits
    }

    fn check_target(&self, target: ArrayView1<'_, F>, _: usize) -> std::result::Result<(), String> {
        match target.iter().find(|value| !(F::zero()..=F::one()).contains(value)) {
            Some(value) => Err(format!("holds {value}; categorical cross-entropy takes probabilities from 0 to 1")),
            None => Ok(()),
        }
    }

    fn sum(
        &self,
        predictions: ArrayView2<'_, F>,
        targets: ArrayView2<'_, F>,
        absorbed: bool,
        gradient: Option<ArrayViewMut2<'_, F>>,
    ) -> f64 {
        let target = |row: usize, class: usize| targets[[row, class]];
        sum_classes(predictions, target, absorbed || self.from_logits, gradient)
    }
}

/// Sparse categorical cross-entropy, −ln p of the right class: [`CategoricalCrossentropy`] with class numbers for targets.
///
/// Targets: one whole number for each row, 0 to one less than the predictions' width.
///
/// ```
/// use bptt::{Loss, SparseCategoricalCrossentropy};
/// use ndarray::array;
/// let loss = SparseCategoricalCrossentropy::new();
/// let sum = loss.sum(array![[0.25_f64, 0.75]].view(), array![[0.0]].view(), false, None);
/// assert!((sum - 4.0_f64.ln()).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SparseCategoricalCrossentropy {
    from_logits: bool,
}

from_logits_option!(SparseCategoricalCrossentropy, "From probabilities, or from the logits of a last softmax.");

impl<F: Scalar> Loss<F> for SparseCategoricalCrossentropy {
    fn absorbs(&self, activation: Activation) -> bool {
        activation == Activation::Softmax && !self.from_logits
    }

    fn target_width(&self, _: usize) -> usize {
        1
    }

    fn check_target(&self, target: ArrayView1<'_, F>, outputs: usize) -> std::result::Result<(), String> {
        let class = target[0].widen();
        if class >= 0.0 && class < outputs as f64 && class.fract() == 0.0 {
            return Ok(());
        }
        Err(format!("is {class}; it must be a class number from 0 to {}", outputs.saturating_sub(1)))
    }

    fn sum(
        &self,
        predictions: ArrayView2<'_, F>,
        targets: ArrayView2<'_, F>,
        absorbed: bool,
        gradient: Option<ArrayViewMut2<'_, F>>,
    ) -> f64 {
        let target = |row: usize, class: usize| {
            if targets[[row, 0]] == F::of(class as f64) { F::one() } else { F::zero() }
        };
        sum_classes(predictions, target, absorbed || self.from_logits, gradient)
    }
}

/// Both categorical cross-entropies: `target(row, class)` is the probability of the class.
fn sum_classes<F: Scalar>(
    predictions: ArrayView2<'_, F>,
    target: impl Fn(usize, usize) -> F,
    logits: bool,
    mut gradient: Option<ArrayViewMut2<'_, F>>,
) -> f64 {
    let classes = predictions.ncols();
    let mut sum = 0.0;
    for (row, values) in predictions.rows().into_iter().enumerate() {
        let targets = (0..classes).map(|class| target(row, class));
        let total_target: F = targets.clone().fold(F::zero(), |a, b| a + b);
        let mut set = |class: usize, slope: F| {
            if let Some(gradient) = &mut gradient {
                gradient[[row, class]] = slope;
            }
        };
        if logits {
            // −Σ tₖ·(zₖ − ln Σ e^z), with the largest logit taken out of the exponentials.
            let largest = values.fold(values[0], |a, &b| Lane::max(a, b));
            let total: F = values.fold(F::zero(), |a, &z| a + Lane::exp(z - largest));
            for (class, (&z, t)) in values.iter().zip(targets).enumerate() {
                sum -= (t * (z - largest - total.ln())).widen();
                set(class, Lane::exp(z - largest) / total * total_target - t);
            }
        } else {
            let total = values.sum();
            let slope = |value: F, t: F| {
                let (p, inside) = clip(value / total);
                (p, if inside { t / p } else { F::zero() })
            };
            let inner = values.iter().zip(targets.clone()).fold(F::zero(), |a, (&v, t)| a + slope(v, t).1 * v / total);
            for (class, (&value, t)) in values.iter().zip(targets).enumerate() {
                let (p, slope) = slope(value, t);
                sum -= (t * p.ln()).widen();
                set(class, (inner - slope) / total);
            }
        }
    }
    sum
}

/// The mean of a loss over the rows that count; 0 if none does, as in Keras.
pub(crate) fn mean(sum: f64, rows: usize) -> f64 {
    sum / rows.max(1) as f64
}
