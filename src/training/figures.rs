//! Figures of some batches: the mean loss with its penalties, and the metrics.

use crate::error::Result;
use crate::history::Logs;
use crate::losses::mean;
use crate::metrics::Running;
use crate::model::Compiled;
use crate::network::{Network, Workspace};
use crate::numeric::Scalar;

/// Running figures over the batches of an epoch or of an evaluation.
#[derive(Debug)]
pub(crate) struct Figures<F> {
    sum: f64,
    rows: usize,
    metrics: Running<F>,
}

impl<F: Scalar> Figures<F> {
    /// Returns the figures before the first batch.
    pub(super) fn new(network: &Network<F>, compiled: &Compiled<F>) -> Result<Self> {
        Ok(Figures { sum: 0.0, rows: 0, metrics: compiled.start_metrics(network.output())? })
    }

    /// Resets to no batch.
    pub(super) fn reset(&mut self) {
        (self.sum, self.rows) = (0.0, 0);
        self.metrics.reset();
    }

    /// Adds the results of a batch, and the penalties on the weights used for it.
    pub(super) fn add(&mut self, shards: &[Workspace<F>], penalty: f64) {
        for shard in shards {
            self.sum += shard.loss;
            self.metrics.update(shard.results());
        }
        let rows = super::step::rows_of(shards);
        self.rows += rows;
        self.sum += penalty * rows as f64;
    }

    /// Writes the figures by name: `loss`, then the metrics.
    pub(super) fn write(&self, logs: &mut Logs) {
        logs.set("loss", mean(self.sum, self.rows));
        self.metrics.write(logs);
    }

    /// Returns all numbers from which the figures are computed.
    pub(super) fn numbers(&self) -> Vec<f64> {
        [self.sum, self.rows as f64].iter().chain(&self.metrics.counters).copied().collect()
    }

    /// Number of these numbers.
    pub(super) fn len(&self) -> usize {
        2 + self.metrics.counters.len()
    }

    /// Restores the numbers of [`Figures::numbers`].
    pub(super) fn take_up(&mut self, numbers: &[f64]) {
        if let [sum, rows, counters @ ..] = numbers {
            (self.sum, self.rows) = (*sum, *rows as usize);
            self.metrics.counters.copy_from_slice(counters);
        }
    }
}
