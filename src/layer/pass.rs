//! What a pass is told besides its data: training or not, which steps count, where random masks come from.

use std::fmt::{self, Debug};

use ndarray::ArrayView2;
use ndarray_rand::rand::Rng;

use crate::numeric::Scalar;
use crate::random::Key;

/// What a pass needs to know besides its data.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    /// Training: dropout is on, and caches keep what a backward pass needs.
    pub training: bool,
    /// The loss computes from what comes before the last activation, so the last layer leaves it out.
    pub absorbed: bool,
    /// The next layer takes [`Tensor::Lookup`](crate::tensor::Tensor::Lookup), so a layer that looks up rows of a table may
    /// leave that to it.
    pub lookup: bool,
    /// Which steps of the layer's input count, (T, B): all if `None`.
    pub mask: Option<ArrayView2<'a, bool>>,
    key: Key,
    layer: usize,
    part: usize,
    first_sample: usize,
    /// If steps are taken as samples, how many samples a step has.
    batch: Option<usize>,
    dropout: Draws<'a>,
}

#[derive(Clone, Copy)]
enum Draws<'a> {
    Drawn,
    Replayed(&'a (dyn Fn(MaskSite) -> f64 + Sync)),
}

impl Debug for Pass<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").field("training", &self.training).field("layer", &self.layer).finish_non_exhaustive()
    }
}

/// Which use of dropout a mask belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MaskKind {
    /// On a layer's input.
    Input,
    /// On the state that a recurrent layer multiplies.
    State,
    /// What a cell drops by itself, as zoneout does: see [`Step::pass`](crate::recurrent::Step::pass).
    Cell,
}

/// Where one row of a dropout mask is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MaskSite {
    /// The layer's place in its model, from 0.
    pub layer: usize,
    /// Which part of the layer: see [`Pass::for_part`].
    pub part: usize,
    /// On input or state, or in the cell.
    pub kind: MaskKind,
    /// The gate block, from 0; 0 where all gates share a mask.
    pub gate: usize,
    /// The time step, from 0; 0 where all steps share a mask.
    pub step: usize,
    /// The sample's place in its batch, from 0.
    pub sample: usize,
    /// The feature, from 0.
    pub feature: usize,
}

/// What a number that is folded into the key of a pass counts, so that two purposes with the same number draw differently.
///
/// The numbers of one mask (kind, gate, step, sample) need none: they are always the last four.
#[derive(Clone, Copy)]
enum Purpose {
    Layer,
    Part,
    Cell,
}

impl Purpose {
    fn fold(self, key: Key, number: usize) -> Key {
        // Above any number that counts something. For layers it is 0, so that they draw what the number alone would.
        key.fold((self as u64) << 56 ^ number as u64)
    }
}

impl<'a> Pass<'a> {
    /// A pass that only runs the model: no dropout, nothing kept for a backward pass.
    pub fn inference() -> Self {
        Pass { training: false, ..Pass::training(Key::new(0)) }
    }

    /// A pass of training, whose dropout masks are drawn from `key`.
    pub fn training(key: Key) -> Self {
        Pass {
            training: true,
            absorbed: false,
            lookup: false,
            mask: None,
            key,
            layer: 0,
            part: 0,
            first_sample: 0,
            batch: None,
            dropout: Draws::Drawn,
        }
    }

    /// The same pass with dropout masks from a function: 0 to drop, 1 / (1 − rate) to keep. It is for tests that hold a layer
    /// against another implementation.
    pub fn replaying<'b>(self, masks: &'b (dyn Fn(MaskSite) -> f64 + Sync)) -> Pass<'b>
    where
        'a: 'b,
    {
        Pass { dropout: Draws::Replayed(masks), ..self }
    }

    /// The pass for one of several parts of the layer that draw masks: each part has masks of its own.
    pub fn for_part(self, part: usize) -> Self {
        Pass { part, key: Purpose::Part.fold(self.key, part), ..self }
    }

    /// The pass for the layer with this number.
    pub fn for_layer(self, layer: usize) -> Self {
        Pass { layer, key: Purpose::Layer.fold(self.key, layer), ..self }
    }

    /// The pass for the cell with this number among those that a cell is made of: each has masks of its own, also if it is
    /// made of cells itself, provided that the first one gets its number, 0, as well.
    pub fn for_cell(self, number: usize) -> Self {
        Pass { key: Purpose::Cell.fold(self.key, number), ..self }
    }

    /// The same for a shorter time, which the compiler does not do by itself for views of arrays.
    pub(crate) fn shorten<'b>(self) -> Pass<'b>
    where
        'a: 'b,
    {
        Pass { mask: self.mask.map(|mask| mask.reborrow()), ..self }
    }

    /// The pass for an input of which only these steps count: (T, B), in standard layout.
    pub fn masked<'b>(self, mask: Option<ArrayView2<'b, bool>>) -> Pass<'b>
    where
        'a: 'b,
    {
        Pass { mask, ..self }
    }

    /// The pass for a layer that gets the steps of sequences as samples (T·B), of a batch of this size. They have no mask; a row
    /// of a dropout mask is still that of its step and sample.
    pub fn steps_as_samples(self, batch: usize) -> Self {
        Pass { mask: None, batch: Some(batch), ..self }
    }

    /// The pass for a shard whose first row is this sample of the batch.
    pub fn from_sample(self, first_sample: usize) -> Self {
        Pass { first_sample, ..self }
    }

    /// Fills a row of a dropout mask for sample `sample` of the shard: 0 with probability `rate`, else 1 / (1 − rate).
    ///
    /// The row depends on seed, layer, part, cell, kind, gate, step and sample, and on nothing else.
    pub fn dropout_mask<F: Scalar>(
        &self,
        rate: f64,
        kind: MaskKind,
        gate: usize,
        step: usize,
        sample: usize,
        row: &mut [F],
    ) {
        let (step, sample) = self.batch.map_or((step, sample), |batch| (step + sample / batch, sample % batch));
        let sample = self.first_sample + sample;
        match self.dropout {
            Draws::Drawn => {
                let key = self.key.fold(kind as u64).fold(gate as u64).fold(step as u64).fold(sample as u64);
                let mut generator = key.generator();
                let kept = F::of(1.0 / (1.0 - rate));
                // A draw of 32 bits falls below this with probability `rate`.
                let threshold = (rate * 4_294_967_296.0) as u32;
                row.fill_with(|| if generator.random::<u32>() < threshold { F::zero() } else { kept });
            }
            Draws::Replayed(masks) => {
                for (feature, value) in row.iter_mut().enumerate() {
                    let Pass { layer, part, .. } = *self;
                    *value = F::of(masks(MaskSite { layer, part, kind, gate, step, sample, feature }));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_layers_parts_and_cells_fold_different_keys() {
        let pass = Pass::training(Key::new(1));
        let mut passes = vec![pass];
        // All paths of up to three steps, such as the second part of layer 1, or the first cell of the second.
        let mut longest = passes.clone();
        for _ in 0..3 {
            let further = longest.iter().flat_map(|pass| {
                (0..3).flat_map(|number| [pass.for_layer(number), pass.for_part(number), pass.for_cell(number)])
            });
            longest = further.collect();
            passes.extend(&longest);
        }
        let mut keys: Vec<String> = passes.iter().map(|pass| format!("{:?}", pass.key)).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 1 + 9 + 81 + 729);
    }

    #[test]
    fn layers_draw_what_their_number_alone_gives() {
        let key = Key::new(1);
        assert_eq!(Pass::training(key).for_layer(3).key, key.fold(3));
    }
}
