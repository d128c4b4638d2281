//! What training needs besides the network: optimizer, loss and metrics.

use std::fmt;
use std::sync::Mutex;

use crate::data::ArrangedTargets;
use crate::error::Result;
use crate::losses::Loss;
use crate::metrics::{Metric, Metrics, Running};
use crate::network::Workspace;
use crate::numeric::Scalar;
use crate::optimizers::Optimizer;
use crate::tensor::Form;

/// Optimizer, loss and metrics of a model, as [`Model::compile`](crate::models::Model::compile) sets them.
pub struct Compiled<F: Scalar> {
    pub(crate) optimizer: Optimizer<F>,
    pub(crate) loss: Box<dyn Loss<F>>,
    pub(crate) metrics: Metrics<F>,
    /// Behind a mutex so that threads may share the model. Training has exclusive access and never locks it.
    pub(crate) room: Mutex<Room<F>>,
}

impl<F: Scalar> fmt::Debug for Compiled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled")
            .field("optimizer", &self.optimizer)
            .field("loss", &self.loss)
            .field("metrics", &self.metrics)
            .finish_non_exhaustive()
    }
}

impl<F: Scalar> Compiled<F> {
    /// Adds a metric, which is reported under its name.
    pub fn metric(&mut self, metric: impl Metric<F> + 'static) -> &mut Self {
        self.metrics.plain.push(metric.share());
        self
    }

    /// Adds a metric that multiplies rows by their weights: those of [`Targets`](crate::data::Targets), and in training those
    /// of [`Fit::class_weight`](crate::models::Fit::class_weight).
    ///
    /// If another metric has its name, it is reported under `weighted_` and the name, as in Keras.
    #[doc(alias = "weighted_metrics")]
    pub fn weighted_metric(&mut self, metric: impl Metric<F> + 'static) -> &mut Self {
        self.metrics.weighted.push(metric.share());
        self
    }

    /// Returns the metrics at the start of an epoch.
    pub(crate) fn start_metrics(&self, output: Form) -> Result<Running<F>> {
        let outputs = output.features()?;
        self.metrics.start(outputs, self.loss.target_width(outputs))
    }
}

/// Scratch of single training steps, kept from one to the next.
pub(crate) struct Room<F: Scalar> {
    pub(crate) workspaces: Vec<Workspace<F>>,
    pub(crate) targets: ArrangedTargets<F>,
    pub(crate) rows: Vec<usize>,
}

impl<F: Scalar> Default for Room<F> {
    fn default() -> Self {
        Room { workspaces: Vec::new(), targets: ArrangedTargets::default(), rows: Vec::new() }
    }
}
