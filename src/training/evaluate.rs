//! Running a model on data without learning: figures, or outputs.

use ndarray::{ArrayD, Axis};

use super::SHARD;
use super::data::{ArrangedTargets, Samples, batch_first};
use super::history::Logs;
use super::step::{Batch, run_batch};
use super::threads::Threads;
use crate::error::{Error, Result};
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
    let mut sum = 0.0;
    for rows in rows.chunks(BLOCK) {
        let batch = Batch { samples, targets, rows };
        for shard in run_batch(network, loss, threads, workspaces, batch, Pass::inference()) {
            sum += shard.loss;
            metrics.iter_mut().for_each(|metric| metric.update(shard.output_rows(), shard.targets.view()));
        }
    }
    let mut logs = Logs::default();
    logs.set("loss", mean(sum, samples.len() * targets.rows_per_sample())?);
    for metric in &metrics {
        logs.set(metric.name(), metric.result());
    }
    Ok(logs)
}

/// The outputs for all samples, batch first.
pub(crate) fn predict<F: Scalar>(
    network: &Network<F>,
    threads: &Threads,
    samples: &Samples<'_, F>,
) -> Result<ArrayD<F>> {
    samples.check(network)?;
    let rows: Vec<usize> = (0..samples.len()).collect();
    let mut workspaces: Vec<Workspace<F>> = Vec::new();
    let mut outputs = Vec::new();
    for rows in rows.chunks(BLOCK) {
        let shards = rows.len().div_ceil(SHARD);
        while workspaces.len() < shards {
            workspaces.push(network.workspace());
        }
        threads.for_each(&mut workspaces[..shards], |shard, workspace| {
            let first = shard * SHARD;
            samples.load(&rows[first..rows.len().min(first + SHARD)], workspace);
            network.forward(workspace, false, Pass::inference());
        });
        outputs
            .extend(workspaces[..shards].iter().filter_map(|workspace| workspace.activations.last()).map(batch_first));
    }
    let views: Vec<_> = outputs.iter().map(|output| output.view()).collect();
    ndarray::concatenate(Axis(0), &views)
        .map_err(|_| Error::Empty { what: "the data", mend: "pass at least one sample" })
}
