//! Errors of predictions: means of losses, or functions of such means.

use super::{MeanMetric, expect_each};
use crate::losses::{
    CategoricalCrossentropy, Loss, MeanAbsoluteError, MeanSquaredError, SparseCategoricalCrossentropy,
};
use crate::numeric::Scalar;

/// Errors: lower is better.
///
/// Targets have the width of the predictions; for the perplexity they may be class numbers. Others are an
/// [`Error::Metric`](crate::Error::Metric) before training.
impl<F: Scalar> MeanMetric<F> {
    /// `mean_absolute_error`: mean of |p − t|.
    #[doc(alias = "MAE")]
    pub fn mean_absolute_error() -> Self {
        MeanMetric::new("mean_absolute_error", |p, t| MeanAbsoluteError.row(p, t, false, None)).checked(expect_each)
    }

    /// `mean_squared_error`: mean of (p − t)².
    #[doc(alias = "MSE")]
    pub fn mean_squared_error() -> Self {
        MeanMetric::new("mean_squared_error", |p, t| MeanSquaredError.row(p, t, false, None)).checked(expect_each)
    }

    /// `root_mean_squared_error`: square root of the mean over all rows of (p − t)².
    ///
    /// ```
    /// use bptt::metrics::{MeanMetric, Metric};
    /// let metric = MeanMetric::<f32>::root_mean_squared_error();
    /// let mut counters = [0.0; 2];
    /// metric.update(&mut counters, &[3.0], &[0.0], 1.0);
    /// metric.update(&mut counters, &[4.0], &[0.0], 1.0);
    /// assert_eq!(metric.result(&counters), 12.5_f64.sqrt());
    /// ```
    #[doc(alias = "RMSE")]
    pub fn root_mean_squared_error() -> Self {
        MeanMetric::mean_squared_error().named("root_mean_squared_error").finished(f64::sqrt)
    }

    /// `perplexity`: e to the power of the mean cross-entropy −ln p of the true class, for outputs that are
    /// probabilities. It is K for a uniform guess among K classes. Targets are class numbers or distributions, as the
    /// loss takes them.
    ///
    /// Keras has no such metric; the cross-entropy is computed as in Keras.
    ///
    /// ```
    /// use bptt::metrics::{MeanMetric, Metric};
    /// let metric = MeanMetric::<f64>::perplexity();
    /// let mut counters = [0.0; 2];
    /// metric.update(&mut counters, &[0.25; 4], &[3.0], 1.0);
    /// assert!((metric.result(&counters) - 4.0).abs() < 1e-12);
    /// ```
    pub fn perplexity() -> Self {
        let (distributions, numbers) = (CategoricalCrossentropy::new(), SparseCategoricalCrossentropy::new());
        let crossentropy = move |p: &[F], t: &[F]| {
            if p.len() == t.len() { distributions.row(p, t, false, None) } else { numbers.row(p, t, false, None) }
        };
        MeanMetric::new("perplexity", crossentropy)
            .finished(f64::exp)
            .checked(|outputs, targets| if targets == 1 { Ok(()) } else { expect_each(outputs, targets) })
    }
}
