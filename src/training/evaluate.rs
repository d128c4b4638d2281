//! Running a model on data without learning: the figures.

use super::SHARD;
use super::data::Samples;
use super::history::Logs;
use super::step::{Batch, run_batch};
use super::targets::ArrangedTargets;
use super::threads::Threads;
use crate::error::Result;
use crate::layer::Pass;
use crate::loss::{Loss, mean};
use crate::metrics::Metric;
use crate::scalar::Scalar;
use crate::sequential::{Network, Workspace};

/// Samples that are in work at the same time: enough shards for many threads.
const BLOCK: usize = 32 * SHARD;

/// The loss and the metrics over all samples.
pub(crate) fn evaluate<F: Scalar>(
    network: &Network<F>,
    loss: &dyn Loss<F>,
    metrics: &[Box<dyn Metric<F>>],
    threads: &Threads,
    workspaces: &mut Vec<Workspace<F>>,
    samples: &Samples<'_, F>,
    targets: &ArrangedTargets<F>,
) -> Result<Logs> {
    let mut metrics: Vec<_> = metrics.iter().map(|metric| metric.fresh()).collect();
    let rows: Vec<usize> = (0..samples.len()).collect();
    let (mut sum, mut rows_seen) = (0.0, 0);
    for rows in rows.chunks(BLOCK) {
        let batch = Batch { samples, targets, rows, window: None, state: None };
        for shard in run_batch(network, loss, threads, workspaces, batch, Pass::inference()) {
            sum += shard.loss;
            rows_seen += shard.rows();
            let (predictions, targets) = shard.results();
            metrics.iter_mut().for_each(|metric| metric.update(predictions, targets));
        }
    }
    let mut logs = Logs::default();
    logs.set("loss", mean(sum, rows_seen) + network.penalty());
    for metric in &metrics {
        logs.set(metric.name(), metric.result());
    }
    Ok(logs)
}
