//! What an optimizer keeps for one tensor, in flat buffers as long as the tensor, each made when first needed.

use super::Rule;
use crate::params::Path;
use crate::scalar::Scalar;

#[derive(Debug, Default)]
pub(crate) struct TensorState<F> {
    /// The rule's running values.
    slots: Vec<Vec<F>>,
    /// The moving average of the weights.
    average: Vec<F>,
    /// The sum of the gradients of the batches since the last update.
    accumulated: Vec<F>,
    /// Whether weight decay is for it, which its name tells.
    decays: Option<bool>,
}

impl<F: Scalar> TensorState<F> {
    pub(super) fn slots(&mut self, rule: &dyn Rule<F>, count: usize) -> &mut [Vec<F>] {
        if self.slots.is_empty() {
            self.slots = vec![vec![F::of(rule.slot_start()); count]; rule.slots()];
        }
        &mut self.slots
    }

    /// Whether it is that of a tensor with this many numbers.
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

    pub(super) fn decays(&mut self, path: Path<'_>, undecayed: &[String]) -> bool {
        *self.decays.get_or_insert_with(|| {
            let name = path.to_string();
            !undecayed.iter().any(|part| name.contains(part.as_str()))
        })
    }
}
