//! One batch of training: shards through the network on any thread, their gradients summed in order, clipped and applied.

use std::sync::{Mutex, PoisonError};

use super::window::Window;
use crate::activations::Activation;
use crate::data::{ArrangedTargets, Samples};
use crate::error::Result;
use crate::layer::Pass;
use crate::losses::Loss;
use crate::model::ModelState;
use crate::network::{Network, Part, Workspace};
use crate::numeric::Scalar;
use crate::optimizers::{Learner, Optimizer, VisitGradients, VisitWeights};
use crate::threads::Threads;

/// Samples in a shard of a large batch: enough for the products of a step.
pub(super) const SHARD: usize = 32;

/// Samples in each shard of a batch of so many, the last of which may have fewer. A batch too small for two whole shards is
/// halved, so that it feeds two threads; eight samples or fewer are not worth it.
pub(super) fn shard_of(batch: usize) -> usize {
    batch.div_ceil(2).clamp(8, SHARD)
}

/// What the loss leaves out of the network: its last activation, if it absorbs it.
pub(crate) fn left_out<F: Scalar>(network: &Network<F>, loss: &dyn Loss<F>) -> Option<Activation> {
    Some(network.final_activation()).filter(|&activation| loss.absorbs(activation))
}

/// A batch: some rows of the data.
#[derive(Clone)]
pub(crate) struct Work<'a, F> {
    pub(crate) samples: Samples<'a, F>,
    pub(crate) targets: &'a ArrangedTargets<F>,
    pub(crate) rows: &'a [usize],
    /// Some of the steps alone, if the model learns in windows.
    pub(crate) window: Option<&'a Window>,
    /// Where such a window starts from; else from what the window before it left.
    pub(crate) state: Option<&'a Mutex<&'a mut ModelState<F>>>,
}

/// Runs a batch, one workspace a shard; with a training pass computes each shard's gradients too. Returns the shards.
pub(crate) fn run_batch<'w, F: Scalar>(
    network: &Network<F>,
    loss: &dyn Loss<F>,
    threads: &Threads,
    workspaces: &'w mut Vec<Workspace<F>>,
    batch: Work<'_, F>,
    pass: Pass<'_>,
) -> &'w mut [Workspace<F>] {
    let left_out = left_out(network, loss);
    let shard_rows = shard_of(batch.rows.len());
    let shards = batch.rows.len().div_ceil(shard_rows);
    while workspaces.len() < shards {
        workspaces.push(network.workspace());
    }
    let workspaces = &mut workspaces[..shards];
    // Backward takes about twice as much as forward.
    let work = network.work(batch.samples.steps(), batch.rows.len()) * if pass.training { 3 } else { 1 };
    // The workers have nothing of their own, and a vector of nothing takes no memory.
    let mut workers = vec![(); threads.count(work)];
    threads.share(&mut workers, workspaces.iter_mut().enumerate(), |(), (shard, workspace)| {
        let first = shard * shard_rows;
        let rows = &batch.rows[first..batch.rows.len().min(first + shard_rows)];
        let steps = batch.window.map(|window| window.steps.clone());
        let part = batch.window.map(|window| Part { kept: window.kept, newest: window.newest });
        let state = batch.state.map(|state| || state.lock().unwrap_or_else(PoisonError::into_inner));
        match &state {
            Some(state) => state().load_into(first..first + rows.len(), workspace),
            None if batch.window.is_some_and(Window::is_first) => network.start(workspace, rows.len()),
            None => {}
        }
        batch.samples.load(rows.iter().copied(), steps.clone().unwrap_or(0..batch.samples.steps()), workspace);
        batch.targets.load(rows, steps, workspace);
        let pass = pass.from_sample(first);
        network.forward(workspace, left_out.is_some(), part, pass);
        if let Some(state) = &state {
            state().take_from(first..first + rows.len(), workspace);
        }
        if pass.training {
            network.backward(workspace, loss, left_out.is_some(), false, pass);
        } else {
            network.measure(workspace, loss, left_out.is_some(), false);
        }
        workspace.finish_outputs(left_out);
    });
    workspaces
}

/// How many rows of output count in these shards.
pub(crate) fn rows_of<F: Scalar>(shards: &[Workspace<F>]) -> usize {
    shards.iter().map(Workspace::rows).sum()
}

/// Sums the shards' gradients in order, divides by the rows that count, adds those of penalties, accumulates, clips,
/// changes the weights and constrains them.
pub(crate) fn apply_gradients<F: Scalar>(
    network: &mut Network<F>,
    optimizer: &mut Optimizer<F>,
    shards: &mut [Workspace<F>],
) -> Result<()> {
    // Where none counts, all gradients are zero, whatever they are divided by.
    let rows = rows_of(shards).max(1);
    let Some((sum, others)) = shards.split_first_mut() else { return Ok(()) };
    let mean = F::of(1.0 / rows as f64);
    match others.split_last_mut() {
        // The last sum and the division go once through memory together.
        Some((last, others)) => {
            others.iter().for_each(|shard| network.add_gradients(sum, shard, F::one()));
            network.add_gradients(sum, last, mean);
        }
        None => network.for_each_gradient(sum, |_, _, mut gradient| gradient.mapv_inplace(|g| g * mean)),
    }
    network.add_penalty_gradients(sum);
    optimizer.apply(&mut Trained { network, sum })?;
    network.constrain();
    Ok(())
}

/// A network with the gradients of a batch.
struct Trained<'a, F: Scalar> {
    network: &'a mut Network<F>,
    sum: &'a mut Workspace<F>,
}

impl<F: Scalar> Learner<F> for Trained<'_, F> {
    fn visit_gradients(&mut self, visit: VisitGradients<'_, F>) {
        self.network.for_each_gradient(self.sum, |tensor, path, mut gradient| {
            visit(tensor, path, gradient.as_slice_mut().expect("gradients are in standard layout"));
        });
    }

    fn visit_weights(&mut self, visit: VisitWeights<'_, F>) {
        self.network.update(self.sum, visit);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_batch_is_whole_shards_or_two_halves() {
        for (batch, shard) in [(1, 8), (8, 8), (15, 8), (17, 9), (32, 16), (63, 32), (64, 32), (1000, 32)] {
            assert_eq!(super::shard_of(batch), shard, "of {batch}");
        }
    }
}
