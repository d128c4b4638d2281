//! Areas under curves over all thresholds.

use super::{Metric, expect_each, named_option, ratio, shared_metric};
use crate::numeric::Scalar;

/// `auc`: area under a curve through 200 thresholds, 0, 1/199, 2/199, … 1, Keras' default.
///
/// [`Auc::roc`] plots the true positive rate, TP / (TP + FN), over the false positive rate, FP / (FP + TN), and sums
/// trapezoids. [`Auc::pr`] plots precision, TP / (TP + FP), over recall. Between two thresholds TP and FP are
/// interpolated linearly, not the precision (Davis and Goadrich 2006, section 4), so the area between them is s·(ΔTP +
/// (TP − s·P)·ln(P'/P)) / (TP + FN) with P = TP + FP and s = ΔTP/ΔP.
///
/// All outputs of a row count. Each has its own label, which is true unless it is 0. Outputs are probabilities; values
/// outside 0 to 1 count as 0 or 1.
///
/// ```
/// use bptt::metrics::{Auc, Metric};
/// let metric = Auc::roc();
/// let mut counters = vec![0.0; Metric::<f32>::counters(&metric, 1)];
/// for (p, t) in [(0.9_f32, 1.0), (0.8, 0.0), (0.3, 1.0), (0.2, 0.0)] {
///     metric.update(&mut counters, &[p], &[t], 1.0);
/// }
/// // Of four pairs of a true and a false label, three are in order.
/// assert!((Metric::<f32>::result(&metric, &counters) - 0.75).abs() < 1e-12);
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "AUC")]
pub struct Auc {
    name: String,
    curve: Curve,
}

#[derive(Clone, Copy, Debug)]
enum Curve {
    Roc,
    Pr,
}

impl Auc {
    fn new(curve: Curve) -> Self {
        Auc { name: "auc".into(), curve }
    }

    /// Returns the area under the ROC curve: ½ for random outputs, 1 if all true labels rank before all false ones.
    pub fn roc() -> Self {
        Auc::new(Curve::Roc)
    }

    /// Returns the area under the precision-recall curve, for labels that are rarely true.
    pub fn pr() -> Self {
        Auc::new(Curve::Pr)
    }
}

named_option!(Auc);

/// Number of intervals between the thresholds. An output belongs to the interval whose lower threshold it exceeds; an
/// output of 0 belongs to the first.
const SPACES: usize = 199;

impl<F: Scalar> Metric<F> for Auc {
    shared_metric!(F, Auc);

    fn name(&self) -> &str {
        &self.name
    }

    /// Counts the true labels in each interval, then the false ones.
    fn counters(&self, _: usize) -> usize {
        2 * SPACES
    }

    fn check(&self, outputs: usize, targets: usize) -> Result<(), String> {
        expect_each(outputs, targets)
    }

    fn update(&self, counters: &mut [f64], prediction: &[F], target: &[F], weight: f64) {
        let (positive, negative) = counters.split_at_mut(SPACES);
        for (&p, &t) in prediction.iter().zip(target) {
            // Multiplied in the outputs' own precision, as in Keras; a cast to integers clamps below at 0.
            let space = ((p * F::of(SPACES as f64)).widen().ceil() - 1.0) as usize;
            let labels = if t != F::zero() { &mut *positive } else { &mut *negative };
            labels[space.min(SPACES - 1)] += weight;
        }
    }

    fn result(&self, counters: &[f64]) -> f64 {
        let (positive, negative) = counters.split_at(SPACES);
        let (positives, negatives): (f64, f64) = (positive.iter().sum(), negative.iter().sum());
        // Counts above the threshold, from the highest threshold on.
        let (mut tp, mut fp, mut area) = (0.0, 0.0, 0.0);
        for (dtp, dfp) in positive.iter().zip(negative).rev() {
            let (next_tp, next_fp) = (tp + dtp, fp + dfp);
            area += match self.curve {
                Curve::Roc => {
                    let width = ratio(next_fp, negatives) - ratio(fp, negatives);
                    width * (ratio(next_tp, positives) + ratio(tp, positives)) / 2.0
                }
                Curve::Pr => {
                    let (said, next_said) = (tp + fp, next_tp + next_fp);
                    let slope = ratio(*dtp, next_said - said);
                    let growth = if said > 0.0 && next_said > 0.0 { (next_said / said).ln() } else { 0.0 };
                    ratio(slope * (dtp + (tp - slope * said) * growth), positives)
                }
            };
            (tp, fp) = (next_tp, next_fp);
        }
        area
    }
}
