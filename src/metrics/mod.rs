//! Metrics: figures about predictions that are reported beside the loss.
//!
//! | Metric | Meaning |
//! | --- | --- |
//! | [`MeanMetric`] | Mean of a function of each row: accuracies, errors, perplexity, or a closure of your own |
//! | [`Precision`], [`Recall`] | Share of true positives among the predicted, and among the actual positives |
//! | [`F1Score`] | Harmonic mean of precision and recall, averaged over classes by an [`Average`] |
//! | [`Auc`] | Area under the ROC or the precision-recall curve |
//! | [`Metric`] | The trait, for metrics of your own |
//!
//! ```
//! use bptt::prelude::*;
//! use bptt::metrics::Auc;
//! use ndarray::array;
//!
//! let layers = Sequential::new().add(Dense::new(1).activation(Activation::Sigmoid));
//! let mut model = layers.build(Form::vector(1), 42)?;
//! model
//!     .compile(Sgd::new(0.1), BinaryCrossentropy::new())
//!     .metric(MeanMetric::binary_accuracy())
//!     .metric(Auc::roc());
//! let history = model.fit(&array![[-1.0_f32], [1.0]], &array![0, 1], Fit::new())?;
//! assert_eq!(history.names(), ["loss", "accuracy", "auc"]);
//! # Ok::<(), bptt::Error>(())
//! ```
//!
//! A metric sees the final outputs of the model row by row: a row for each sample, or for each time step that a mask
//! does not leave out. (In Keras, precision, recall, F1 and areas ignore masks.) A metric has no state: its counters
//! belong to the training or evaluation.

mod accuracy;
mod auc;
mod confusion;
mod errors;
mod f1;
mod mean;
mod running;

pub(crate) use accuracy::largest;
pub use auc::Auc;
pub use confusion::{Precision, Recall};
pub use f1::{Average, F1Score};
pub use mean::MeanMetric;
pub(crate) use running::{Metrics, Running};

use std::fmt::Debug;
use std::sync::Arc;

use crate::numeric::Scalar;

/// Metric that runs over the batches of an epoch.
///
/// ```
/// use bptt::metrics::Metric;
/// use bptt::numeric::Scalar;
///
/// /// The largest error of all.
/// #[derive(Debug)]
/// struct LargestError;
///
/// impl<F: Scalar> Metric<F> for LargestError {
///     fn name(&self) -> &str {
///         "largest_error"
///     }
///     fn counters(&self, _outputs: usize) -> usize {
///         1
///     }
///     fn update(&self, counters: &mut [f64], prediction: &[F], target: &[F], _weight: f64) {
///         for (&p, &t) in prediction.iter().zip(target) {
///             counters[0] = counters[0].max((p - t).widen().abs());
///         }
///     }
///     fn result(&self, counters: &[f64]) -> f64 {
///         counters[0]
///     }
/// }
/// ```
pub trait Metric<F: Scalar>: Debug + Send + Sync {
    /// Returns its name in logs and in [`History`](crate::models::History).
    fn name(&self) -> &str;

    /// Returns the number of counters for rows of `outputs` values. Counters start at 0.
    fn counters(&self, outputs: usize) -> usize;

    /// Checks its options and the widths of rows of outputs and targets.
    ///
    /// # Errors
    ///
    /// The problem, as the end of the sentence "the metric … ": `fit` and `evaluate` return it in an
    /// [`Error::Metric`](crate::Error::Metric).
    fn check(&self, _outputs: usize, _targets: usize) -> std::result::Result<(), String> {
        Ok(())
    }

    /// Updates the counters with one row: its prediction, its target of the width
    /// [`Loss::target_width`](crate::losses::Loss::target_width), and its weight, which is 1 unless the metric is a
    /// [weighted](crate::models::Compiled::weighted_metric) one.
    fn update(&self, counters: &mut [f64], prediction: &[F], target: &[F], weight: f64);

    /// Returns the figure over all rows in these counters.
    fn result(&self, counters: &[f64]) -> f64;

    /// Returns the metric behind a pointer. Built-in metrics override it so that it is compiled in this crate.
    #[doc(hidden)]
    fn share(self) -> Arc<dyn Metric<F>>
    where
        Self: Sized + 'static,
    {
        Arc::new(self)
    }
}

/// Implements [`Metric::share`] of a built-in metric.
macro_rules! shared_metric {
    ($number:ident, $metric:ty) => {
        fn share(self) -> std::sync::Arc<dyn $crate::metrics::Metric<$number>> {
            $crate::numeric::erased_here!(
                $number, self, $metric => std::sync::Arc<dyn $crate::metrics::Metric<$number>>, |metric| std::sync::Arc::new(metric)
            )
        }
    };
}
use shared_metric;

/// Returns `sum / count`, or 0 if the count is 0, as in Keras.
fn ratio(sum: f64, count: f64) -> f64 {
    if count == 0.0 { 0.0 } else { sum / count }
}

/// Implements `named` for a metric with a field for its name.
macro_rules! named_option {
    ($metric:ident) => {
        impl $metric {
            /// Renames the metric.
            pub fn named(self, name: impl Into<String>) -> Self {
                $metric { name: name.into(), ..self }
            }
        }
    };
}
use named_option;

/// Checks the threshold of a metric.
fn expect_threshold(threshold: f64) -> std::result::Result<(), String> {
    if (0.0..=1.0).contains(&threshold) {
        return Ok(());
    }
    Err(format!("has the threshold {threshold}; it must be a number from 0 to 1"))
}

/// Checks that each output has its own target.
fn expect_each(outputs: usize, targets: usize) -> std::result::Result<(), String> {
    if outputs == targets {
        return Ok(());
    }
    Err(format!(
        "compares each output with a target of its own, but for {outputs} outputs the loss takes rows of {targets}; use a \
         metric for class numbers"
    ))
}

/// Checks that targets are class numbers.
fn expect_class(targets: usize) -> std::result::Result<(), String> {
    if targets == 1 {
        return Ok(());
    }
    Err(format!("takes one class number for each row, but the loss takes rows of {targets}; use one without `sparse`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Mode;

    #[test]
    fn names_tell_which_way_is_better() {
        type Mean = MeanMetric<f32>;
        let (precision, recall, f1, auc) = (Precision::new(), Recall::new(), F1Score::new(), Auc::pr());
        let rising: [&dyn Metric<f32>; 7] = [
            &Mean::binary_accuracy(),
            &Mean::top_k_categorical_accuracy(3),
            &Mean::sparse_top_k_categorical_accuracy(3),
            &precision,
            &recall,
            &f1,
            &auc,
        ];
        let falling = [
            Mean::mean_absolute_error(),
            Mean::mean_squared_error(),
            Mean::root_mean_squared_error(),
            Mean::perplexity(),
        ];
        let mode = |metric: &dyn Metric<f32>| Mode::Auto.resolve(&format!("val_weighted_{}", metric.name())).unwrap();
        assert!(rising.iter().all(|metric| mode(*metric) == Mode::Max));
        assert!(falling.iter().all(|metric| mode(metric) == Mode::Min));
    }
}
