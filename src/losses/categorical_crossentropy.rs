//! Categorical cross-entropy, for targets that are distributions or class numbers.

use super::{Loss, boxed_loss, check_smoothing, clip, from_logits_option};
use crate::activations::Activation;
use crate::error::Result;
use crate::numeric::Lane;
use crate::numeric::Scalar;

/// Categorical cross-entropy, −Σ tₖ·ln pₖ over each row.
///
/// After a last softmax, or with `from_logits`, it is computed from the logits; otherwise from probabilities, which are
/// divided by the sum of their row and clipped to 10⁻⁷ from 0 and 1, as in Keras.
///
/// With `label_smoothing` s, part of each target is first spread over all K classes: t·(1 − s) + s/K.
///
/// Targets: a distribution over the classes, with the width of the predictions, such as a one-hot row.
///
/// ```
/// use bptt::losses::{CategoricalCrossentropy, Loss};
/// let loss = CategoricalCrossentropy::new().row(&[0.25_f64, 0.75], &[1.0, 0.0], false, None);
/// assert!((loss - 4.0_f64.ln()).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, Default)]
pub struct CategoricalCrossentropy {
    from_logits: bool,
    label_smoothing: f64,
}

from_logits_option!(CategoricalCrossentropy, "From probabilities, or from the logits of a last softmax.");

impl CategoricalCrossentropy {
    /// Sets the part of the targets that is spread over all classes, 0 to 1: 0 by default. Another number is an
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) before training.
    pub fn label_smoothing(self, label_smoothing: f64) -> Self {
        CategoricalCrossentropy { label_smoothing, ..self }
    }
}

impl<F: Scalar> Loss<F> for CategoricalCrossentropy {
    boxed_loss!(F, CategoricalCrossentropy);

    fn check(&self) -> Result<()> {
        check_smoothing(self.label_smoothing)
    }

    fn absorbs(&self, activation: Activation) -> bool {
        activation == Activation::Softmax && !self.from_logits
    }

    fn check_target(&self, target: &[F], _: usize) -> std::result::Result<(), String> {
        match target.iter().find(|value| !(F::zero()..=F::one()).contains(value)) {
            Some(value) => Err(format!("holds {value}; categorical cross-entropy takes probabilities from 0 to 1")),
            None => Ok(()),
        }
    }

    fn row(&self, prediction: &[F], target: &[F], absorbed: bool, gradient: Option<&mut [F]>) -> f64 {
        let keep = F::of(1.0 - self.label_smoothing);
        let share = F::of(self.label_smoothing / target.len() as f64);
        of_classes(prediction, |class| target[class] * keep + share, absorbed || self.from_logits, gradient)
    }
}

/// Sparse categorical cross-entropy, −ln p of the true class: [`CategoricalCrossentropy`] for class numbers.
///
/// Targets: one whole number for each row, from 0 to one less than the width of the predictions.
///
/// ```
/// use bptt::losses::{Loss, SparseCategoricalCrossentropy};
/// let loss = SparseCategoricalCrossentropy::new().row(&[0.25_f64, 0.75], &[0.0], false, None);
/// assert!((loss - 4.0_f64.ln()).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SparseCategoricalCrossentropy {
    from_logits: bool,
}

from_logits_option!(SparseCategoricalCrossentropy, "From probabilities, or from the logits of a last softmax.");

impl<F: Scalar> Loss<F> for SparseCategoricalCrossentropy {
    boxed_loss!(F, SparseCategoricalCrossentropy);

    fn absorbs(&self, activation: Activation) -> bool {
        activation == Activation::Softmax && !self.from_logits
    }

    fn target_width(&self, _: usize) -> usize {
        1
    }

    fn check_target(&self, target: &[F], outputs: usize) -> std::result::Result<(), String> {
        let class = target[0].widen();
        if class >= 0.0 && class < outputs as f64 && class.fract() == 0.0 {
            return Ok(());
        }
        Err(format!("is {class}; it must be a class number from 0 to {}", outputs.saturating_sub(1)))
    }

    fn row(&self, prediction: &[F], target: &[F], absorbed: bool, gradient: Option<&mut [F]>) -> f64 {
        let right = target[0];
        let target = |class: usize| if right == F::of(class as f64) { F::one() } else { F::zero() };
        of_classes(prediction, target, absorbed || self.from_logits, gradient)
    }
}

/// Implements both categorical cross-entropies: `target(class)` is the target probability of the class.
fn of_classes<F: Scalar>(
    values: &[F],
    target: impl Fn(usize) -> F,
    logits: bool,
    mut gradient: Option<&mut [F]>,
) -> f64 {
    let targets = (0..values.len()).map(&target);
    let terms = values.iter().zip(targets.clone()).enumerate();
    let mut set = |class: usize, slope: F| {
        if let Some(gradient) = &mut gradient {
            gradient[class] = slope;
        }
    };
    let mut sum = 0.0;
    if logits {
        // −Σ tₖ·(zₖ − ln Σ e^z), with the largest logit subtracted in the exponentials.
        let largest = values.iter().fold(values[0], |a, &b| Lane::max(a, b));
        let total = values.iter().fold(F::zero(), |a, &z| a + Lane::exp(z - largest));
        let (log_total, total_target) = (total.ln(), targets.fold(F::zero(), |a, b| a + b));
        for (class, (&z, t)) in terms {
            sum -= (t * (z - largest - log_total)).widen();
            set(class, Lane::exp(z - largest) / total * total_target - t);
        }
    } else {
        let total = values.iter().fold(F::zero(), |a, &value| a + value);
        let slope = |value: F, t: F| {
            let (p, inside) = clip(value / total);
            (p, if inside { t / p } else { F::zero() })
        };
        let inner = terms.clone().fold(F::zero(), |a, (_, (&value, t))| a + slope(value, t).1 * value / total);
        for (class, (&value, t)) in terms {
            let (p, slope) = slope(value, t);
            sum -= (t * p.ln()).widen();
            set(class, (inner - slope) / total);
        }
    }
    sum
}
