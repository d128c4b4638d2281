//! One batch of training: shards through the network on any thread, their gradients summed in order, clipped and applied.

use ndarray::ArrayViewD;

use super::SHARD;
use super::data::Samples;
use super::targets::ArrangedTargets;
use super::threads::Threads;
use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::lane::Lane;
use crate::layer::Pass;
use crate::loss::Loss;
use crate::optimizer::{Clip, Optimizer};
use crate::scalar::Scalar;
use crate::sequential::{Network, Workspace};

/// What the loss leaves out of the network: its last activation, if it absorbs it.
pub(crate) fn left_out<F: Scalar>(network: &Network<F>, loss: &dyn Loss<F>) -> Option<Activation> {
    Some(network.final_activation()).filter(|&activation| loss.absorbs(activation))
}

/// A batch: some rows of the data.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a, 's, F> {
    pub(crate) samples: &'a Samples<'s, F>,
    pub(crate) targets: &'a ArrangedTargets<F>,
    pub(crate) rows: &'a [usize],
}

/// What single steps of training change besides the model, kept from one to the next.
pub(crate) struct Room<F> {
    pub(crate) workspaces: Vec<Workspace<F>>,
    pub(crate) targets: ArrangedTargets<F>,
    pub(crate) rows: Vec<usize>,
}

impl<F: Scalar> Default for Room<F> {
    fn default() -> Self {
        Room { workspaces: Vec::new(), targets: ArrangedTargets::default(), rows: Vec::new() }
    }
}

/// Runs a batch, one workspace a shard; with a training pass computes each shard's gradients too. Returns the shards.
pub(crate) fn run_batch<'w, F: Scalar>(
    network: &Network<F>,
    loss: &dyn Loss<F>,
    threads: &Threads,
    workspaces: &'w mut Vec<Workspace<F>>,
    batch: Batch<'_, '_, F>,
    pass: Pass<'_>,
) -> &'w mut [Workspace<F>] {
    let left_out = left_out(network, loss);
    let shards = batch.rows.len().div_ceil(SHARD);
    while workspaces.len() < shards {
        workspaces.push(network.workspace());
    }
    let workspaces = &mut workspaces[..shards];
    // Backward takes about twice as much as forward.
    let work = network.work(batch.samples.steps(), batch.rows.len()) * if pass.training { 3 } else { 1 };
    // The workers have nothing of their own, and a vector of nothing takes no memory.
    let mut workers = vec![(); threads.count(work)];
    threads.share(&mut workers, workspaces.iter_mut().enumerate(), |(), (shard, workspace)| {
        let first = shard * SHARD;
        let rows = &batch.rows[first..batch.rows.len().min(first + SHARD)];
        batch.samples.load(rows.iter().copied(), workspace);
        batch.targets.load(rows, workspace);
        let pass = pass.from_sample(first);
        network.forward(workspace, left_out.is_some(), pass);
        if pass.training {
            network.backward(workspace, loss, left_out.is_some(), false, pass);
        } else {
            workspace.loss = loss.sum(workspace.output_rows(), workspace.targets.view(), left_out.is_some(), None);
        }
        workspace.finish_outputs(left_out);
    });
    workspaces
}

/// Sums the shards' gradients in order, divides by the rows, adds those of penalties, clips, changes the weights and
/// constrains them.
pub(crate) fn apply_gradients<F: Scalar>(
    network: &mut Network<F>,
    optimizer: &mut Optimizer<F>,
    shards: &mut [Workspace<F>],
    rows: usize,
) -> Result<()> {
    let Some((sum, others)) = shards.split_first_mut() else { return Ok(()) };
    let mean = F::of(1.0 / rows as f64);
    match others.split_last_mut() {
        // The last sum and the division go once through memory together.
        Some((last, others)) => {
            others.iter().for_each(|shard| network.add_gradients(sum, shard, F::one()));
            network.add_gradients(sum, last, mean);
        }
        None => network.for_each_gradient(sum, |_, mut gradient| gradient.mapv_inplace(|g| g * mean)),
    }
    network.add_penalty_gradients(sum);
    if let Some(clip) = optimizer.clipping() {
        clip_gradients(network, sum, clip)?;
    }
    optimizer.begin_step();
    network.update(sum, |tensor, weights, gradients| optimizer.update(tensor, weights, gradients));
    network.constrain();
    Ok(())
}

fn clip_gradients<F: Scalar>(network: &Network<F>, sum: &mut Workspace<F>, clip: Clip) -> Result<()> {
    let norm = |gradient: ArrayViewD<'_, F>| gradient.iter().map(|g| g.widen() * g.widen()).sum::<f64>().sqrt();
    let mut global = 0.0;
    let mut broken = None;
    network.for_each_gradient(sum, |path, gradient| {
        let norm = norm(gradient.view());
        if !norm.is_finite() && broken.is_none() {
            broken = Some(path.to_string());
        }
        global += norm * norm;
    });
    if let Some(tensor) = broken {
        return Err(Error::Gradient { tensor });
    }
    let global = global.sqrt();
    network.for_each_gradient(sum, |_, mut gradient| match clip {
        Clip::Value(limit) => {
            let limit = F::of(limit);
            gradient.mapv_inplace(|g| Lane::max(-limit, Lane::min(limit, g)));
        }
        Clip::Norm(_) | Clip::GlobalNorm(_) => {
            let scale = F::of(clip.scale(norm(gradient.view()), global));
            gradient.mapv_inplace(|g| g * scale);
        }
    });
    Ok(())
}
