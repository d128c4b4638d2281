//! Metrics of a model, and their counters over the batches of an epoch.

use std::sync::Arc;

use super::Metric;
use crate::error::{Error, Result};
use crate::history::Logs;
use crate::losses::Rows;
use crate::numeric::Scalar;

/// Metrics with which a model is compiled.
#[derive(Debug)]
pub(crate) struct Metrics<F> {
    pub(crate) plain: Vec<Arc<dyn Metric<F>>>,
    /// Metrics that multiply rows by their weights.
    pub(crate) weighted: Vec<Arc<dyn Metric<F>>>,
}

impl<F> Default for Metrics<F> {
    fn default() -> Self {
        Metrics { plain: Vec::new(), weighted: Vec::new() }
    }
}

impl<F: Scalar> Metrics<F> {
    /// Starts all metrics, for rows of `outputs` and `targets` values. Equal names are numbered as in Keras:
    /// `accuracy`, `accuracy_1`, `weighted_accuracy`, `weighted_accuracy_1`.
    pub(crate) fn start(&self, outputs: usize, targets: usize) -> Result<Running<F>> {
        let mut entries: Vec<Entry<F>> = Vec::new();
        let plain = self.plain.iter().map(|metric| (metric, false));
        for (metric, weighted) in plain.chain(self.weighted.iter().map(|metric| (metric, true))) {
            let mut name = metric.name().to_string();
            metric.check(outputs, targets).map_err(|problem| Error::Metric { metric: name.clone(), problem })?;
            let taken = |name: &str| entries.iter().any(|entry| entry.name == name);
            if weighted && taken(&name) {
                name = format!("weighted_{name}");
            }
            if taken(&name) {
                let mut numbered = (1..).map(|number| format!("{name}_{number}"));
                name = numbered.find(|name| !taken(name)).expect("numbers do not end");
            }
            let counters = metric.counters(outputs);
            entries.push(Entry { name, metric: Arc::clone(metric), weighted, counters });
        }
        let counters = vec![0.0; entries.iter().map(|entry| entry.counters).sum()];
        Ok(Running { entries, counters })
    }
}

/// Metrics within an epoch.
#[derive(Debug)]
pub(crate) struct Running<F> {
    entries: Vec<Entry<F>>,
    /// Counters of all metrics, one after the other.
    pub(crate) counters: Vec<f64>,
}

#[derive(Debug)]
struct Entry<F> {
    name: String,
    metric: Arc<dyn Metric<F>>,
    weighted: bool,
    /// Number of counters.
    counters: usize,
}

impl<F: Scalar> Running<F> {
    /// Resets all counters.
    pub(crate) fn reset(&mut self) {
        self.counters.fill(0.0);
    }

    /// Adds the rows of a batch.
    pub(crate) fn update(&mut self, rows: Rows<'_, F>) {
        let mut rest = self.counters.as_mut_slice();
        for entry in &self.entries {
            let (counters, others) = rest.split_at_mut(entry.counters);
            rest = others;
            for (prediction, target, weight) in rows.iter() {
                let weight = weight.filter(|_| entry.weighted).map_or(1.0, F::widen);
                entry.metric.update(counters, prediction, target, weight);
            }
        }
    }

    /// Writes the figures so far to the logs.
    pub(crate) fn write(&self, logs: &mut Logs) {
        let mut rest = self.counters.as_slice();
        for entry in &self.entries {
            let (counters, others) = rest.split_at(entry.counters);
            rest = others;
            logs.set(&entry.name, entry.metric.result(counters));
        }
    }
}
