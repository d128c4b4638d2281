//! Accuracies.

use super::{MeanMetric, expect_class, expect_each};
use crate::numeric::Scalar;

/// Accuracies: the share of correct rows or outputs.
///
/// Targets have the width of the predictions, or for names with `sparse` are class numbers, one for each row. Others
/// are an [`Error::Metric`](crate::Error::Metric) before training.
impl<F: Scalar> MeanMetric<F> {
    /// `accuracy`: share of outputs on the correct side of ½. Exactly ½ counts as 0, as in Keras.
    #[doc(alias = "BinaryAccuracy")]
    pub fn binary_accuracy() -> Self {
        MeanMetric::binary_accuracy_at(0.5)
    }

    /// `accuracy` with another threshold than ½; 0 for a model that returns logits. NaN is an
    /// [`Error::Metric`](crate::Error::Metric) before training.
    #[doc(alias = "threshold")]
    pub fn binary_accuracy_at(threshold: f64) -> Self {
        let above = F::of(threshold);
        MeanMetric::new("accuracy", move |predictions, targets| {
            let class = |p: F| if p > above { F::one() } else { F::zero() };
            let right = predictions.iter().zip(targets).filter(|&(&p, &t)| class(p) == t).count();
            right as f64 / predictions.len() as f64
        })
        .checked(move |outputs, targets| {
            if threshold.is_nan() {
                return Err("has the threshold NaN; give it a number".into());
            }
            expect_each(outputs, targets)
        })
    }

    /// `accuracy`: share of rows whose largest output has the index of the largest target. Of equal values the first
    /// counts.
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

    /// `top_k_categorical_accuracy`: share of rows in which fewer than `k` outputs are larger than that of the true
    /// class. Keras' default is 5. A `k` of 0 or above the number of outputs is an
    /// [`Error::Metric`](crate::Error::Metric) before training.
    ///
    /// ```
    /// use bptt::metrics::{MeanMetric, Metric};
    /// let metric = MeanMetric::<f32>::top_k_categorical_accuracy(2);
    /// let mut counters = [0.0; 2];
    /// metric.update(&mut counters, &[0.5, 0.2, 0.3], &[0.0, 0.0, 1.0], 1.0);
    /// metric.update(&mut counters, &[0.5, 0.2, 0.3], &[0.0, 1.0, 0.0], 1.0);
    /// assert_eq!(metric.result(&counters), 0.5);
    /// ```
    #[doc(alias = "TopKCategoricalAccuracy")]
    pub fn top_k_categorical_accuracy(k: usize) -> Self {
        let right = move |predictions: &[F], targets: &[F]| f64::from(among_top(predictions, largest(targets), k));
        MeanMetric::new("top_k_categorical_accuracy", right).checked(move |outputs, targets| {
            expect_k(k, outputs)?;
            expect_each(outputs, targets)
        })
    }

    /// `sparse_top_k_categorical_accuracy`: [`MeanMetric::top_k_categorical_accuracy`] for targets that are class
    /// numbers.
    #[doc(alias = "SparseTopKCategoricalAccuracy")]
    pub fn sparse_top_k_categorical_accuracy(k: usize) -> Self {
        let right =
            move |predictions: &[F], targets: &[F]| f64::from(among_top(predictions, targets[0].widen() as usize, k));
        MeanMetric::new("sparse_top_k_categorical_accuracy", right).checked(move |outputs, targets| {
            expect_k(k, outputs)?;
            expect_class(targets)
        })
    }
}

fn expect_k(k: usize, outputs: usize) -> Result<(), String> {
    if (1..=outputs).contains(&k) {
        return Ok(());
    }
    Err(format!("looks at the top {k} of {outputs} outputs; k must be from 1 to {outputs}"))
}

/// Returns whether fewer than `k` values are larger than that of this class; false for a class out of range.
fn among_top<F: Scalar>(values: &[F], class: usize, k: usize) -> bool {
    values.get(class).is_some_and(|right| values.iter().filter(|value| *value > right).count() < k)
}

/// Returns the index of the first largest value.
pub(crate) fn largest<F: Scalar>(row: &[F]) -> usize {
    let mut best = 0;
    for (place, &value) in row.iter().enumerate() {
        if value > row[best] {
            best = place;
        }
    }
    best
}
