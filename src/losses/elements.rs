//! Element-wise losses, averaged over each row as in Keras.

use std::cmp::Ordering;

use super::{EPSILON, Loss, boxed_loss};
use crate::error::Result;
use crate::numeric::Lane;
use crate::numeric::Scalar;
use crate::numeric::checks::check_positive;

/// Returns the mean over a row of `element(prediction, target)`, which returns a loss and its derivative.
pub(super) fn mean_of_elements<F: Scalar>(
    predictions: &[F],
    targets: &[F],
    gradient: Option<&mut [F]>,
    element: impl Fn(F, F) -> (F, F),
) -> f64 {
    let scale = F::of(1.0 / predictions.len() as f64);
    let elements = predictions.iter().zip(targets);
    match gradient {
        Some(gradient) => {
            let term = |((&p, &t), g): ((&F, &F), &mut F)| {
                let (loss, slope) = element(p, t);
                *g = slope * scale;
                (loss * scale).widen()
            };
            elements.zip(gradient).map(term).sum()
        }
        None => elements.map(|(&p, &t)| (element(p, t).0 * scale).widen()).sum(),
    }
}

/// Mean squared error, the mean of (p − t)² over each row.
///
/// Targets: finite numbers, with the width of the predictions.
///
/// ```
/// use bptt::losses::{Loss, MeanSquaredError};
/// assert_eq!(MeanSquaredError.row(&[1.0_f64, 3.0], &[1.0, 1.0], false, None), 2.0);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "MSE")]
pub struct MeanSquaredError;

impl<F: Scalar> Loss<F> for MeanSquaredError {
    boxed_loss!(F, MeanSquaredError);

    fn row(&self, prediction: &[F], target: &[F], _: bool, gradient: Option<&mut [F]>) -> f64 {
        mean_of_elements(prediction, target, gradient, |p, t| ((p - t) * (p - t), (p - t) + (p - t)))
    }
}

/// Returns the sign: 0 for 0, NaN for NaN.
fn sign<F: Scalar>(value: F) -> F {
    match value.partial_cmp(&F::zero()) {
        Some(Ordering::Less) => -F::one(),
        Some(Ordering::Greater) => F::one(),
        _ => value,
    }
}

/// Mean absolute error, the mean of |p − t| over each row. Its derivative at p = t is 0.
///
/// Targets: finite numbers, with the width of the predictions.
///
/// ```
/// use bptt::losses::{Loss, MeanAbsoluteError};
/// assert_eq!(MeanAbsoluteError.row(&[1.0_f64, 4.0], &[1.0, 1.0], false, None), 1.5);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "MAE")]
pub struct MeanAbsoluteError;

impl<F: Scalar> Loss<F> for MeanAbsoluteError {
    boxed_loss!(F, MeanAbsoluteError);

    fn row(&self, prediction: &[F], target: &[F], _: bool, gradient: Option<&mut [F]>) -> f64 {
        mean_of_elements(prediction, target, gradient, |p, t| (Lane::abs(p - t), sign(p - t)))
    }
}

/// Huber loss (Huber 1964): the mean over each row of e²/2 for errors e = p − t of at most δ, and of δ·|e| − δ²/2 for larger
/// ones. It is quadratic near the target and linear far from it.
///
/// Targets: finite numbers, with the width of the predictions.
///
/// ```
/// use bptt::losses::{Huber, Loss};
/// assert_eq!(Huber::new().row(&[1.5_f64, 4.0], &[1.0, 1.0], false, None), (0.125 + 2.5) / 2.0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Huber {
    delta: f64,
}

impl Default for Huber {
    fn default() -> Self {
        Huber { delta: 1.0 }
    }
}

impl Huber {
    /// Returns the loss with δ = 1.
    pub fn new() -> Self {
        Huber::default()
    }

    /// Sets δ, the error above which the loss is linear: a finite number above 0, 1 by default. Another is an
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) before training.
    pub fn delta(self, delta: f64) -> Self {
        Huber { delta }
    }
}

impl<F: Scalar> Loss<F> for Huber {
    boxed_loss!(F, Huber);

    fn check(&self) -> Result<()> {
        check_positive("delta", self.delta)
    }

    fn row(&self, prediction: &[F], target: &[F], _: bool, gradient: Option<&mut [F]>) -> f64 {
        let (delta, half) = (F::of(self.delta), F::of(0.5));
        mean_of_elements(prediction, target, gradient, |p, t| {
            let (error, size) = (p - t, Lane::abs(p - t));
            if size <= delta {
                (half * error * error, error)
            } else {
                (delta * size - half * delta * delta, delta * sign(error))
            }
        })
    }
}

/// Poisson loss, the mean of p − t·ln(p + 10⁻⁷) over each row: the negative log-likelihood of the count t for the rate p,
/// without the terms that do not depend on p.
///
/// Predictions must be positive, as after softplus or ReLU. Targets: counts or rates of at least 0, with the width of the
/// predictions.
///
/// ```
/// use bptt::losses::{Loss, Poisson};
/// let loss = Poisson.row(&[2.0_f64], &[3.0], false, None);
/// assert!((loss - (2.0 - 3.0 * 2.0_f64.ln())).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Poisson;

impl<F: Scalar> Loss<F> for Poisson {
    boxed_loss!(F, Poisson);

    fn check_target(&self, target: &[F], _: usize) -> std::result::Result<(), String> {
        match target.iter().find(|value| !(value.is_finite() && **value >= F::zero())) {
            Some(value) => Err(format!("is {value}; Poisson loss takes finite counts or rates of at least 0")),
            None => Ok(()),
        }
    }

    fn row(&self, prediction: &[F], target: &[F], _: bool, gradient: Option<&mut [F]>) -> f64 {
        mean_of_elements(prediction, target, gradient, |p, t| {
            let above = p + F::of(EPSILON);
            (p - t * above.ln(), F::one() - t / above)
        })
    }
}
