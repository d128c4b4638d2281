//! Evaluation: loss and metrics of a model on data.

use std::ops::Range;

use super::figures::Figures;
use super::once;
use super::step::{SHARD, Work, run_batch};
use crate::data::{ArrangedTargets, Samples, Targets};
use crate::error::{Error, Result};
use crate::history::Logs;
use crate::layer::Pass;
use crate::model::{Compiled, Model};
use crate::network::{Network, Workspace};
use crate::numeric::Scalar;
use crate::threads::Threads;

/// Number of samples processed together: enough shards for many threads.
const BLOCK: usize = 32 * SHARD;

/// Returns the loss and the metrics over these rows of the samples.
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

/// Implements [`Model::evaluate`].
pub(super) fn evaluate_model<F: Scalar>(
    model: &Model<F>,
    samples: Samples<'_, F>,
    targets: Targets<'_>,
) -> Result<Logs> {
    let compiled = model.compiled.as_ref().ok_or(Error::NotCompiled)?;
    samples.check(&model.network)?;
    let targets = ArrangedTargets::new(&targets, &samples, model.network.output(), &*compiled.loss)?;
    let rows = 0..samples.len();
    evaluate(&model.network, compiled, &model.threads, &mut Vec::new(), &samples, &targets, rows)
}

impl<F: Scalar> Model<F> {
    /// Returns the loss and the metrics over data, without dropout; the loss includes the penalties of regularizers.
    ///
    /// # Errors
    ///
    /// [`Error::NotCompiled`] before [`Model::compile`], and those of [`Model::fit`] for data that do not fit.
    pub fn evaluate<'a>(&self, samples: impl Into<Samples<'a, F>>, targets: impl Into<Targets<'a>>) -> Result<Logs> {
        once::evaluate(self, samples.into(), targets.into())
    }
}
