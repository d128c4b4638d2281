//! Means over rows of a function of prediction and target.

use std::fmt;

use super::{Metric, ratio, shared_metric};
use crate::numeric::Scalar;

type Measure<F> = dyn Fn(&[F], &[F]) -> f64 + Send + Sync;
type Check = dyn Fn(usize, usize) -> Result<(), String> + Send + Sync;

/// Mean over rows of any function of prediction and target: a custom metric in one line.
///
/// With weights it is Σ w·value / Σ w, and 0 without rows, as in Keras.
///
/// ```
/// use bptt::metrics::{MeanMetric, Metric};
/// let error = MeanMetric::<f32>::new("error", |p, t| f64::from((p[0] - t[0]).abs()));
/// let mut counters = vec![0.0; error.counters(1)];
/// error.update(&mut counters, &[1.0], &[0.0], 1.0);
/// error.update(&mut counters, &[2.0], &[0.0], 1.0);
/// assert_eq!(error.result(&counters), 1.5);
/// ```
pub struct MeanMetric<F> {
    name: String,
    measure: Box<Measure<F>>,
    finish: fn(f64) -> f64,
    check: Box<Check>,
}

impl<F> fmt::Debug for MeanMetric<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeanMetric").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<F: Scalar> MeanMetric<F> {
    /// Returns the mean of `measure(prediction, target)` over rows.
    pub fn new(name: impl Into<String>, measure: impl Fn(&[F], &[F]) -> f64 + Send + Sync + 'static) -> Self {
        let (measure, check) = (Box::new(measure), Box::new(|_: usize, _: usize| Ok(())));
        MeanMetric { name: name.into(), measure, finish: |mean| mean, check }
    }

    /// Renames the metric.
    pub fn named(self, name: impl Into<String>) -> Self {
        MeanMetric { name: name.into(), ..self }
    }

    /// Applies a function to the mean.
    pub(super) fn finished(self, finish: fn(f64) -> f64) -> Self {
        MeanMetric { finish, ..self }
    }

    pub(super) fn checked(self, check: impl Fn(usize, usize) -> Result<(), String> + Send + Sync + 'static) -> Self {
        MeanMetric { check: Box::new(check), ..self }
    }
}

impl<F: Scalar> Metric<F> for MeanMetric<F> {
    shared_metric!(F, MeanMetric<F>);

    fn name(&self) -> &str {
        &self.name
    }

    /// Keeps the sum and the count.
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
        (self.finish)(ratio(counters[0], counters[1]))
    }
}
