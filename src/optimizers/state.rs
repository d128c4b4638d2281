//! State of an optimizer for one tensor, in flat buffers as long as the tensor, each made on first use.

use std::collections::BTreeMap;

use super::Rule;
use crate::numeric::Scalar;
use crate::weights::Path;

/// Buffers of a tensor by name, as in a file: slices to write, vectors once read.
pub(crate) type Buffers<B> = BTreeMap<String, B>;

const SLOT: &str = "slot";
const AVERAGE: &str = "average";
const ACCUMULATED: &str = "accumulated";

/// All state of an optimizer that changes in training.
#[derive(Debug)]
pub(crate) struct OptimizerState<B> {
    pub(crate) batches: u64,
    /// Learning rate; `None` if a schedule determines it.
    pub(crate) learning_rate: Option<f64>,
    /// Buffers of each tensor of the model.
    pub(crate) tensors: Vec<Buffers<B>>,
}

#[derive(Debug, Default)]
pub(crate) struct TensorState<F> {
    /// Running values of the rule.
    slots: Vec<Vec<F>>,
    /// Moving average of the weights.
    average: Vec<F>,
    /// Sum of the gradients of the batches since the last update.
    accumulated: Vec<F>,
    /// Whether weight decay applies, which depends on the tensor's name.
    decays: Option<bool>,
}

impl<F: Scalar> TensorState<F> {
    pub(super) fn slots(&mut self, rule: &(impl Rule<F> + ?Sized), count: usize) -> &mut [Vec<F>] {
        if self.slots.is_empty() {
            self.slots = vec![vec![F::of(rule.slot_start()); count]; rule.slots()];
        }
        &mut self.slots
    }

    /// Whether it belongs to a tensor with this many numbers.
    pub(super) fn fits(&self, count: usize) -> bool {
        let buffers = self.slots.iter().chain([&self.average, &self.accumulated]);
        buffers.into_iter().all(|buffer| buffer.is_empty() || buffer.len() == count)
    }

    pub(super) fn average(&self) -> &[F] {
        &self.average
    }

    pub(super) fn average_mut(&mut self) -> &mut Vec<F> {
        &mut self.average
    }

    pub(super) fn accumulated(&mut self, count: usize) -> &mut [F] {
        self.accumulated.resize(count, F::zero());
        &mut self.accumulated
    }

    pub(super) fn forget_accumulated(&mut self) {
        self.accumulated.fill(F::zero());
    }

    /// Returns all buffers by name.
    pub(super) fn buffers(&self) -> Buffers<&[F]> {
        let slots = self.slots.iter().enumerate().map(|(number, slot)| (format!("{SLOT}{number}"), slot));
        let others = [(AVERAGE.to_string(), &self.average), (ACCUMULATED.to_string(), &self.accumulated)];
        let kept = slots.chain(others.into_iter().filter(|(_, buffer)| !buffer.is_empty()));
        kept.map(|(name, buffer)| (name, buffer.as_slice())).collect()
    }

    /// Restores the buffers of [`TensorState::buffers`]; `None` if the rule has another number of slots.
    pub(super) fn from_buffers(mut buffers: Buffers<Vec<F>>, slots: usize) -> Option<Self> {
        let average = buffers.remove(AVERAGE).unwrap_or_default();
        let accumulated = buffers.remove(ACCUMULATED).unwrap_or_default();
        let kept: Vec<Vec<F>> =
            (0..buffers.len()).map_while(|number| buffers.remove(&format!("{SLOT}{number}"))).collect();
        let fits = buffers.is_empty() && (kept.is_empty() || kept.len() == slots);
        fits.then_some(TensorState { slots: kept, average, accumulated, decays: None })
    }

    pub(super) fn decays(&mut self, path: Path<'_>, undecayed: &[String]) -> bool {
        *self.decays.get_or_insert_with(|| {
            let name = path.to_string();
            !undecayed.iter().any(|part| name.contains(part.as_str()))
        })
    }
}
