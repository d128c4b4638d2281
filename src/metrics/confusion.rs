//! Precision and recall.

use super::{Metric, expect_each, expect_threshold, named_option, ratio, shared_metric};
use crate::numeric::Scalar;

/// Counts the outputs above the threshold whose label is true, TP, and the outputs of one other kind.
fn count<F: Scalar>(counters: &mut [f64], row: (&[F], &[F]), weight: f64, threshold: f64, other: (bool, bool)) {
    let threshold = F::of(threshold);
    for (&p, &t) in row.0.iter().zip(row.1) {
        match (p > threshold, t != F::zero()) {
            (true, true) => counters[0] += weight,
            kind if kind == other => counters[1] += weight,
            _ => {}
        }
    }
}

macro_rules! confusion_metric {
    ($(#[$doc:meta])* $metric:ident, $name:literal, $other:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $metric {
            name: String,
            threshold: f64,
        }

        impl Default for $metric {
            fn default() -> Self {
                $metric { name: $name.into(), threshold: 0.5 }
            }
        }

        impl $metric {
            /// Returns the metric with the threshold ½.
            pub fn new() -> Self {
                $metric::default()
            }

            /// Sets the threshold above which an output counts as true, 0 to 1: ½ by default. Another number is an
            /// [`Error::Metric`](crate::Error::Metric) before training.
            #[doc(alias = "thresholds")]
            pub fn threshold(self, threshold: f64) -> Self {
                $metric { threshold, ..self }
            }
        }

        named_option!($metric);

        impl<F: Scalar> Metric<F> for $metric {
            shared_metric!(F, $metric);

            fn name(&self) -> &str {
                &self.name
            }

            fn counters(&self, _: usize) -> usize {
                2
            }

            fn check(&self, outputs: usize, targets: usize) -> Result<(), String> {
                expect_threshold(self.threshold)?;
                expect_each(outputs, targets)
            }

            fn update(&self, counters: &mut [f64], prediction: &[F], target: &[F], weight: f64) {
                count(counters, (prediction, target), weight, self.threshold, $other);
            }

            fn result(&self, counters: &[f64]) -> f64 {
                ratio(counters[0], counters[0] + counters[1])
            }
        }
    };
}

confusion_metric!(
    /// `precision`: share of true labels among the outputs above the threshold, TP / (TP + FP); 0 if there are none.
    ///
    /// All outputs of a row count. Each has its own label, which is true unless it is 0.
    ///
    /// ```
    /// use bptt::metrics::{Metric, Precision};
    /// let metric = Precision::new();
    /// let mut counters = [0.0; 2];
    /// for (p, t) in [(0.9_f32, 1.0), (0.8, 0.0), (0.7, 1.0), (0.2, 1.0)] {
    ///     metric.update(&mut counters, &[p], &[t], 1.0);
    /// }
    /// assert_eq!(Metric::<f32>::result(&metric, &counters), 2.0 / 3.0);
    /// ```
    Precision, "precision", (true, false)
);

confusion_metric!(
    /// `recall`: share of outputs above the threshold among those with true labels, TP / (TP + FN); 0 if there are
    /// none.
    ///
    /// All outputs of a row count. Each has its own label, which is true unless it is 0.
    ///
    /// ```
    /// use bptt::metrics::{Metric, Recall};
    /// let metric = Recall::new().threshold(0.1).named("recall_at_0.1");
    /// let mut counters = [0.0; 2];
    /// for (p, t) in [(0.9_f32, 1.0), (0.8, 0.0), (0.05, 1.0), (0.2, 1.0)] {
    ///     metric.update(&mut counters, &[p], &[t], 1.0);
    /// }
    /// assert_eq!(Metric::<f32>::result(&metric, &counters), 2.0 / 3.0);
    /// ```
    Recall, "recall", (false, true)
);
