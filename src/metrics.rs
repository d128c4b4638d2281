//! Metrics: what people want to know about predictions, beside the loss.
//!
//! A metric sees the model's final outputs (after a last sigmoid or softmax, whatever the loss does) in rows, batch after
//! batch, and keeps a running result. Those here are means over rows, as Keras computes them.

use std::fmt;
use std::sync::Arc;

use ndarray::{ArrayView1, ArrayView2};

use crate::scalar::Scalar;

/// A figure about predictions that runs over the batches of an epoch.
pub trait Metric<F: Scalar>: fmt::Debug + Send + Sync {
    /// Its name in logs and in [`History`](crate::History).
    fn name(&self) -> &str;
    /// Takes rows of predictions and their targets in.
    fn update(&mut self, predictions: ArrayView2<'_, F>, targets: ArrayView2<'_, F>);
    /// The figure over all rows since the start; 0 without rows, as in Keras.
    fn result(&self) -> f64;
    /// The same metric at its start.
    fn fresh(&self) -> Box<dyn Metric<F>>;
}

type Measure<F> = dyn Fn(ArrayView1<'_, F>, ArrayView1<'_, F>) -> f64 + Send + Sync;

/// The mean over rows of any function of prediction and target: a metric of your own in one line.
///
/// ```
/// use bptt::{MeanMetric, Metric};
/// use ndarray::array;
/// let mut error = MeanMetric::<f32>::new("error", |p, t| f64::from((p[0] - t[0]).abs()));
/// error.update(array![[1.0], [2.0]].view(), array![[0.0], [0.0]].view());
/// assert_eq!(error.result(), 1.5);
/// ```
pub struct MeanMetric<F> {
    name: String,
    measure: Arc<Measure<F>>,
    sum: f64,
    rows: usize,
}

impl<F> fmt::Debug for MeanMetric<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeanMetric").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<F: Scalar> MeanMetric<F> {
    /// The mean of `measure(prediction, target)` over rows.
    pub fn new(
        name: impl Into<String>,
        measure: impl Fn(ArrayView1<'_, F>, ArrayView1<'_, F>) -> f64 + Send + Sync + 'static,
    ) -> Self {
        MeanMetric { name: name.into(), measure: Arc::new(measure), sum: 0.0, rows: 0 }
    }

    /// `accuracy`: the part of outputs on the right side of ½. Exactly ½ counts as 0, as in Keras.
    #[doc(alias = "BinaryAccuracy")]
    pub fn binary_accuracy() -> Self {
        MeanMetric::new("accuracy", |predictions, targets| {
            let half = F::of(0.5);
            let class = |p: F| if p > half { F::one() } else { F::zero() };
            let right = predictions.iter().zip(targets).filter(|&(&p, &t)| class(p) == t).count();
            right as f64 / predictions.len() as f64
        })
    }

    /// `accuracy`: how often the largest output is that of the target's largest. The first wins a tie.
    #[doc(alias = "CategoricalAccuracy")]
    pub fn categorical_accuracy() -> Self {
        MeanMetric::new("accuracy", |predictions, targets| f64::from(largest(predictions) == largest(targets)))
    }

    /// `accuracy` for targets that are class numbers.
    #[doc(alias = "SparseCategoricalAccuracy")]
    pub fn sparse_categorical_accuracy() -> Self {
        MeanMetric::new("accuracy", |predictions, targets| f64::from(F::of(largest(predictions) as f64) == targets[0]))
    }
}

impl<F: Scalar> Metric<F> for MeanMetric<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn update(&mut self, predictions: ArrayView2<'_, F>, targets: ArrayView2<'_, F>) {
        for (prediction, target) in predictions.rows().into_iter().zip(targets.rows()) {
            self.sum += (self.measure)(prediction, target);
            self.rows += 1;
        }
    }

    fn result(&self) -> f64 {
        if self.rows == 0 { 0.0 } else { self.sum / self.rows as f64 }
    }

    fn fresh(&self) -> Box<dyn Metric<F>> {
        Box::new(MeanMetric { name: self.name.clone(), measure: Arc::clone(&self.measure), sum: 0.0, rows: 0 })
    }
}

/// The place of the first largest value.
fn largest<F: Scalar>(row: ArrayView1<'_, F>) -> usize {
    let mut best = 0;
    for (place, &value) in row.iter().enumerate() {
        if value > row[best] {
            best = place;
        }
    }
    best
}
