//! Means over rows: the metrics that need no more than a function of prediction and target.

use std::fmt;

use super::{Metric, expect_class, expect_each, ratio};
use crate::scalar::Scalar;

type Measure<F> = dyn Fn(&[F], &[F]) -> f64 + Send + Sync;
type Check = dyn Fn(usize, usize) -> Result<(), String> + Send + Sync;

/// The mean over rows of any function of prediction and target: a metric of your own in one line.
///
/// With weights it is Σ w·value / Σ w, and 0 where nothing was counted, as in Keras.
///
/// ```
/// use bptt::{MeanMetric, Metric};
/// let error = MeanMetric::<f32>::new("error", |p, t| f64::from((p[0] - t[0]).abs()));
/// let mut counters = vec![0.0; error.counters(1)];
/// error.update(&mut counters, &[1.0], &[0.0], 1.0);
/// error.update(&mut counters, &[2.0], &[0.0], 1.0);
/// assert_eq!(error.result(&counters), 1.5);
/// ```
pub struct MeanMetric<F> {
    name: String,
    measure: Box<Measure<F>>,
    check: Box<Check>,
}

impl<F> fmt::Debug for MeanMetric<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeanMetric").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<F: Scalar> MeanMetric<F> {
    /// The mean of `measure(prediction, target)` over rows.
    pub fn new(name: impl Into<String>, measure: impl Fn(&[F], &[F]) -> f64 + Send + Sync + 'static) -> Self {
        MeanMetric { name: name.into(), measure: Box::new(measure), check: Box::new(|_, _| Ok(())) }
    }

    /// The same under another name.
    pub fn named(self, name: impl Into<String>) -> Self {
        MeanMetric { name: name.into(), ..self }
    }

    fn checked(self, check: impl Fn(usize, usize) -> Result<(), String> + Send + Sync + 'static) -> Self {
        MeanMetric { check: Box::new(check), ..self }
    }

    /// `accuracy`: the part of outputs on the right side of ½. Exactly ½ counts as 0, as in Keras.
    #[doc(alias = "BinaryAccuracy")]
    pub fn binary_accuracy() -> Self {
        let half = F::of(0.5);
        MeanMetric::new("accuracy", move |predictions, targets| {
            let class = |p: F| if p > half { F::one() } else { F::zero() };
            let right = predictions.iter().zip(targets).filter(|&(&p, &t)| class(p) == t).count();
            right as f64 / predictions.len() as f64
        })
        .checked(expect_each)
    }

    /// `accuracy`: how often the largest output is that of the target's largest. The first wins a tie.
    #[doc(alias = "CategoricalAccuracy")]
    pub fn categorical_accuracy() -> Self {
        MeanMetric::new("accuracy", |predictions, targets| f64::from(largest(predictions) == largest(targets)))
            .checked(expect_each)
    }

    /// `accuracy` for targets that are class numbers.
    #[doc(alias = "SparseCategoricalAccuracy")]
    pub fn sparse_categorical_accuracy() -> Self {
        MeanMetric::new("accuracy", |predictions, targets| f64::from(F::of(largest(predictions) as f64) == targets[0]))
            .checked(|_, targets| expect_class(targets))
    }
}

impl<F: Scalar> Metric<F> for MeanMetric<F> {
    fn name(&self) -> &str {
        &self.name
    }

    /// The sum and the count.
    fn counters(&self, _: usize) -> usize {
        2
    }

    fn check(&self, outputs: usize, targets: usize) -> Result<(), String> {
        (self.check)(outputs, targets)
    }

    fn update(&self, counters: &mut [f64], prediction: &[F], target: &[F], weight: f64) {
        counters[0] += weight * (self.measure)(prediction, target);
        counters[1] += weight;
    }

    fn result(&self, counters: &[f64]) -> f64 {
        ratio(counters[0], counters[1])
    }
}

/// The place of the first largest value.
pub(crate) fn largest<F: Scalar>(row: &[F]) -> usize {
    let mut best = 0;
    for (place, &value) in row.iter().enumerate() {
        if value > row[best] {
            best = place;
        }
    }
    best
}
