//! Running a model on data without learning: the figures.

use std::ops::Range;

use super::SHARD;
use super::data::Samples;
use super::figures::Figures;
use super::history::Logs;
use super::step::{Work, run_batch};
use super::targets::ArrangedTargets;
use super::threads::Threads;
use crate::error::Result;
use crate::layer::Pass;
use crate::scalar::Scalar;
use crate::sequential::{Compiled, Network, Workspace};

/// Samples that are in work at the same time: enough shards for many threads.
const BLOCK: usize = 32 * SHARD;

/// The loss and the metrics over these rows of the samples.
pub(crate) fn evaluate<F: Scalar>(
    network: &Network<F>,
    compiled: &Compiled<F>,
    threads: &Threads,
    workspaces: &mut Vec<Workspace<F>>,
    samples: &Samples<'_, F>,
    targets: &ArrangedTargets<F>,
    rows: Range<usize>,
) -> Result<Logs> {
    let mut figures = Figures::new(network, compiled)?;
    let penalty = network.penalty();
    let rows: Vec<usize> = rows.collect();
    for rows in rows.chunks(BLOCK) {
        let work = Work { samples: samples.view(), targets, rows, window: None, state: None };
        let shards = run_batch(network, &*compiled.loss, threads, workspaces, work, Pass::inference());
        figures.add(shards, penalty);
    }
    let mut logs = Logs::default();
    figures.write(&mut logs);
    Ok(logs)
}
