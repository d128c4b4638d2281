//! F1 score: precision and recall in one figure.

use super::{Metric, expect_each, expect_threshold, named_option, shared_metric};
use crate::numeric::Scalar;

/// Average of the scores of several outputs in [`F1Score`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Average {
    /// Mean of the scores of all outputs.
    #[default]
    Macro,
    /// Score of the summed counts of all outputs.
    Micro,
    /// Mean of the scores of all outputs, each weighted by its number of true labels.
    Weighted,
}

/// `f1_score`: 2·precision·recall / (precision + recall) of each output, averaged.
///
/// With several outputs, the largest ones of a row count as true, or those above a [threshold](F1Score::threshold) if
/// one is set. A single output counts as true above ½ unless another threshold is set. Targets are 0 and 1, with the
/// width of the predictions.
///
/// It follows Keras' `F1Score` (3.15), with the 10⁻⁷ added to each denominator, except in two defaults: without an
/// average Keras reports a score for each output, and without a threshold it always takes a single output as true,
/// because it is the largest of its row.
///
/// ```
/// use bptt::metrics::{F1Score, Metric};
/// let metric = F1Score::new();
/// let mut counters = [0.0; 3];
/// for (p, t) in [(0.9_f32, 1.0), (0.8, 0.0), (0.7, 1.0), (0.2, 1.0)] {
///     metric.update(&mut counters, &[p], &[t], 1.0);
/// }
/// // Precision and recall are both ⅔.
/// assert!((Metric::<f32>::result(&metric, &counters) - 2.0 / 3.0).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct F1Score {
    name: String,
    average: Average,
    threshold: Option<f64>,
}

impl Default for F1Score {
    fn default() -> Self {
        F1Score { name: "f1_score".into(), average: Average::default(), threshold: None }
    }
}

impl F1Score {
    /// Returns the metric with the mean of the scores of all outputs.
    pub fn new() -> Self {
        F1Score::default()
    }

    /// Sets the average over several outputs: [`Average::Macro`] by default.
    pub fn average(self, average: Average) -> Self {
        F1Score { average, ..self }
    }

    /// Sets the threshold above which an output counts as true, 0 to 1; another number is an
    /// [`Error::Metric`](crate::Error::Metric) before training.
    pub fn threshold(self, threshold: f64) -> Self {
        F1Score { threshold: Some(threshold), ..self }
    }
}

named_option!(F1Score);

/// Number that Keras adds to each denominator.
const EPSILON: f64 = 1e-7;

/// Returns the score for counts of true positives, false positives and false negatives.
fn score([tp, fp, fn_]: [f64; 3]) -> f64 {
    let (precision, recall) = (tp / (tp + fp + EPSILON), tp / (tp + fn_ + EPSILON));
    2.0 * (precision * recall / (precision + recall + EPSILON))
}

impl<F: Scalar> Metric<F> for F1Score {
    shared_metric!(F, F1Score);

    fn name(&self) -> &str {
        &self.name
    }

    /// Counts true positives, false positives and false negatives of each output.
    fn counters(&self, outputs: usize) -> usize {
        3 * outputs
    }

    fn check(&self, outputs: usize, targets: usize) -> Result<(), String> {
        self.threshold.map_or(Ok(()), expect_threshold)?;
        expect_each(outputs, targets)
    }

    fn update(&self, counters: &mut [f64], prediction: &[F], target: &[F], weight: f64) {
        let threshold = if let [_] = prediction { self.threshold.or(Some(0.5)) } else { self.threshold };
        let largest = prediction.iter().fold(prediction[0], |a, &b| if b > a { b } else { a });
        // A row of zeros has no largest output.
        let is_largest = |p: F| p >= largest && p.widen().abs() > 1e-9;
        for ((&p, &t), counts) in prediction.iter().zip(target).zip(counters.chunks_exact_mut(3)) {
            let said = threshold.map_or_else(|| is_largest(p), |threshold| p > F::of(threshold));
            let t = t.widen();
            let found = if said { [t, 1.0 - t, 0.0] } else { [0.0, 0.0, t] };
            counts.iter_mut().zip(found).for_each(|(count, found)| *count += weight * found);
        }
    }

    fn result(&self, counters: &[f64]) -> f64 {
        let outputs = || counters.as_chunks::<3>().0.iter().copied();
        let mean = |weight: &dyn Fn([f64; 3]) -> f64, total: f64| -> f64 {
            outputs().map(|counts| weight(counts) * score(counts)).sum::<f64>() / total
        };
        match self.average {
            Average::Macro => mean(&|_| 1.0, outputs().count() as f64),
            Average::Micro => score(outputs().fold([0.0; 3], |a, b| [a[0] + b[0], a[1] + b[1], a[2] + b[2]])),
            Average::Weighted => {
                let labels = |[tp, _, fn_]: [f64; 3]| tp + fn_;
                mean(&labels, outputs().map(labels).sum::<f64>() + EPSILON)
            }
        }
    }
}
