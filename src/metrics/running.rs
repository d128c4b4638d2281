//! The metrics of a model, and what runs over the batches of an epoch: their counters.

use std::sync::Arc;

use ndarray::ArrayView2;

use super::Metric;
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::tensor::each_row;
use crate::training::Logs;

/// The metrics that a model is compiled with.
#[derive(Debug)]
pub(crate) struct Metrics<F> {
    pub(crate) plain: Vec<Arc<dyn Metric<F>>>,
}

impl<F> Default for Metrics<F> {
    fn default() -> Self {
        Metrics { plain: Vec::new() }
    }
}

impl<F: Scalar> Metrics<F> {
    /// All of them at their start, for rows of so many outputs and targets. Where several have one name, the later ones get
    /// a number, as in Keras: `accuracy`, `accuracy_1`.
    pub(crate) fn start(&self, outputs: usize, targets: usize) -> Result<Running<F>> {
        let mut entries: Vec<Entry<F>> = Vec::new();
        for metric in &self.plain {
            let name = metric.name();
            let check = metric.check(outputs, targets);
            check.map_err(|problem| Error::Metric { metric: name.into(), problem })?;
            let taken = |name: &str| entries.iter().any(|entry| entry.name == name);
            let name = match taken(name) {
                false => name.to_string(),
                true => {
                    (1..).map(|number| format!("{name}_{number}")).find(|name| !taken(name)).expect("there is no last")
                }
            };
            entries.push(Entry { name, metric: Arc::clone(metric), counters: metric.counters(outputs) });
        }
        let counters = vec![0.0; entries.iter().map(|entry| entry.counters).sum()];
        Ok(Running { entries, counters })
    }
}

/// Metrics in the middle of an epoch.
#[derive(Debug)]
pub(crate) struct Running<F> {
    entries: Vec<Entry<F>>,
    /// Those of all metrics, one after the other.
    pub(crate) counters: Vec<f64>,
}

#[derive(Debug)]
struct Entry<F> {
    name: String,
    metric: Arc<dyn Metric<F>>,
    counters: usize,
}

impl<F: Scalar> Running<F> {
    /// Back to the start.
    pub(crate) fn reset(&mut self) {
        self.counters.fill(0.0);
    }

    /// Takes rows of predictions and their targets in.
    pub(crate) fn update(&mut self, predictions: ArrayView2<'_, F>, targets: ArrayView2<'_, F>) {
        let mut rest = self.counters.as_mut_slice();
        for entry in &self.entries {
            let (counters, others) = rest.split_at_mut(entry.counters);
            rest = others;
            for (prediction, target) in each_row(predictions).zip(each_row(targets)) {
                entry.metric.update(counters, prediction, target, 1.0);
            }
        }
    }

    /// Sets the figures so far.
    pub(crate) fn write(&self, logs: &mut Logs) {
        let mut rest = self.counters.as_slice();
        for entry in &self.entries {
            let (counters, others) = rest.split_at(entry.counters);
            rest = others;
            logs.set(&entry.name, entry.metric.result(counters));
        }
    }
}
