//! Areas under curves over all thresholds.

use super::{Metric, expect_each, named_option, ratio, shared_metric};
use crate::numeric::Scalar;

/// `auc`: the area under a curve that goes through 200 thresholds, 0, 1/199, 2/199, … 1, as Keras' default.
///
/// [`Auc::roc`] draws the part of true labels that is found, TP / (TP + FN), over the part of false ones that is taken for
/// true, FP / (FP + TN), and sums trapezia. [`Auc::pr`] draws precision, TP / (TP + FP), over recall; between two thresholds
/// TP and FP are taken as linear, not the precision (Davis and Goadrich 2006, section 4), so that the area between them is
/// s·(ΔTP + (TP − s·P)·ln(P'/P)) / (TP + FN) with P = TP + FP and s = ΔTP/ΔP.
///
/// All outputs of a row count, each with a label of its own: true unless 0. Outputs are probabilities, 0 to 1; what lies
/// outside counts as 0 or 1.
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

    /// Under the receiver operating characteristic: ½ for guesses, 1 if all true labels come before all false ones.
    pub fn roc() -> Self {
        Auc::new(Curve::Roc)
    }

    /// Under the curve of precision over recall, for labels that are rarely true.
    pub fn pr() -> Self {
        Auc::new(Curve::Pr)
    }
}

named_option!(Auc);

/// The spaces between the thresholds. An output belongs to the one whose lower threshold it is above; 0 to the first.
const SPACES: usize = 199;

impl<F: Scalar> Metric<F> for Auc {
    shared_metric!(F, Auc);

    fn name(&self) -> &str {
        &self.name
    }

    /// The true labels in each space, then the false ones.
    fn counters(&self, _: usize) -> usize {
        2 * SPACES
    }

    fn check(&self, outputs: usize, targets: usize) -> Result<(), String> {
        expect_each(outputs, targets)
    }

    fn update(&self, counters: &mut [f64], prediction: &[F], target: &[F], weight: f64) {
        let (positive, negative) = counters.split_at_mut(SPACES);
        for (&p, &t) in prediction.iter().zip(target) {
            // Multiplied in the outputs' own precision, as Keras does; a cast to whole numbers keeps within 0 and above.
            let space = ((p * F::of(SPACES as f64)).widen().ceil() - 1.0) as usize;
            let labels = if t != F::zero() { &mut *positive } else { &mut *negative };
            labels[space.min(SPACES - 1)] += weight;
        }
    }

    fn result(&self, counters: &[f64]) -> f64 {
        let (positive, negative) = counters.split_at(SPACES);
        let (positives, negatives): (f64, f64) = (positive.iter().sum(), negative.iter().sum());
        // What is above the threshold, from the highest on.
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
