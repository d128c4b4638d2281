//! Running a model on data without learning: the figures.

use super::SHARD;
use super::data::Samples;
use super::history::Logs;
use super::step::{Batch, run_batch};
use super::targets::ArrangedTargets;
use super::threads::Threads;
use crate::error::Result;
use crate::layer::Pass;
use crate::loss::mean;
use crate::scalar::Scalar;
use crate::sequential::{Compiled, Network, Workspace};

/// Samples that are in work at the same time: enough shards for many threads.
const BLOCK: usize = 32 * SHARD;

/// The loss and the metrics over all samples.
pub(crate) fn evaluate<F: Scalar>(
    network: &Network<F>,
    compiled: &Compiled<F>,
    threads: &Threads,
    workspaces: &mut Vec<Workspace<F>>,
    samples: &Samples<'_, F>,
    targets: &ArrangedTargets<F>,
) -> Result<Logs> {
    let mut metrics = compiled.start_metrics(network.output())?;
    let rows: Vec<usize> = (0..samples.len()).collect();
    let (mut sum, mut rows_seen) = (0.0, 0);
    for rows in rows.chunks(BLOCK) {
        let batch = Batch { samples, targets, rows, window: None, state: None };
        for shard in run_batch(network, &*compiled.loss, threads, workspaces, batch, Pass::inference()) {
            sum += shard.loss;
            rows_seen += shard.rows();
            metrics.update(shard.results());
        }
    }
    let mut logs = Logs::default();
    logs.set("loss", mean(sum, rows_seen) + network.penalty());
    metrics.write(&mut logs);
    Ok(logs)
}
