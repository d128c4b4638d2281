//! One batch of training: shards through the network on any thread, gradients summed in order, clipped and applied.

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

/// Number of samples in a shard of a large batch: enough for efficient products.
pub(super) const SHARD: usize = 32;

/// Returns the number of samples in each shard of a batch; the last shard may have fewer. A batch too small for two whole
/// shards is halved to feed two threads, unless it has eight samples or fewer.
pub(super) fn shard_of(batch: usize) -> usize {
    batch.div_ceil(2).clamp(8, SHARD)
}

/// Returns the last activation of the network, if the loss absorbs it.
pub(crate) fn left_out<F: Scalar>(network: &Network<F>, loss: &dyn Loss<F>) -> Option<Activation> {
    Some(network.final_activation()).filter(|&activation| loss.absorbs(activation))
}

/// Batch: some rows of the data.
#[derive(Clone)]
pub(crate) struct Work<'a, F> {
    pub(crate) samples: Samples<'a, F>,
    pub(crate) targets: &'a ArrangedTargets<F>,
    pub(crate) rows: &'a [usize],
    /// Window of time steps, if the model learns in windows.
    pub(crate) window: Option<&'a Window>,
    /// State from which the window starts; without one, the state left by the window before.
    pub(crate) state: Option<&'a Mutex<&'a mut ModelState<F>>>,
}

/// Runs a batch, one workspace a shard, and returns the shards. A training pass also computes the gradients of each shard.
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
    // Backward takes about twice as long as forward.
    let work = network.work(batch.samples.steps(), batch.rows.len()) * if pass.training { 3 } else { 1 };
    // The workers have no state, and a vector of `()` takes no memory.
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

/// Number of output rows that count in these shards.
pub(crate) fn rows_of<F: Scalar>(shards: &[Workspace<F>]) -> usize {
    shards.iter().map(Workspace::rows).sum()
}

/// Sums the shards' gradients in order, divides by the number of rows that count, adds the gradients of penalties,
/// accumulates, clips, updates the weights and constrains them.
pub(crate) fn apply_gradients<F: Scalar>(
    network: &mut Network<F>,
    optimizer: &mut Optimizer<F>,
    shards: &mut [Workspace<F>],
) -> Result<()> {
    // Without such rows, all gradients are zero, whatever the divisor.
    let rows = rows_of(shards).max(1);
    let Some((sum, others)) = shards.split_first_mut() else { return Ok(()) };
    let mean = F::of(1.0 / rows as f64);
    match others.split_last_mut() {
        // The last sum and the division share one pass over memory.
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

/// Network with the gradients of a batch.
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
