//! Losses of single elements, averaged over each row as in Keras.

use super::Loss;
use crate::scalar::Scalar;

/// The mean of `element(prediction, target)`, a loss and its slope, over a row.
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
/// ```
/// use bptt::{Loss, MeanSquaredError};
/// assert_eq!(MeanSquaredError.row(&[1.0_f64, 3.0], &[1.0, 1.0], false, None), 2.0);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "MSE")]
pub struct MeanSquaredError;

impl<F: Scalar> Loss<F> for MeanSquaredError {
    fn row(&self, prediction: &[F], target: &[F], _: bool, gradient: Option<&mut [F]>) -> f64 {
        mean_of_elements(prediction, target, gradient, |p, t| ((p - t) * (p - t), (p - t) + (p - t)))
    }
}
