//! Mode of a pass: training or not, the mask of time steps, the source of dropout masks.

use std::fmt::{self, Debug};

use ndarray::ArrayView2;
use ndarray_rand::rand::Rng;

use crate::numeric::Scalar;
use crate::random::Key;

/// Mode of a pass, given to each layer besides the data.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    /// Whether this is training: dropout is on, and caches keep what a backward pass needs.
    pub training: bool,
    /// Whether the loss absorbs the last activation, so that the last layer leaves it out.
    pub absorbed: bool,
    /// Whether the next layer takes [`Tensor::Lookup`](crate::tensor::Tensor::Lookup), so that a layer need not look up the
    /// rows of its table.
    pub lookup: bool,
    /// Mask of the input's time steps (T, B); `None` if all count.
    pub mask: Option<ArrayView2<'a, bool>>,
    key: Key,
    layer: usize,
    part: usize,
    first_sample: usize,
    /// Number of samples of a time step, if steps are taken as samples.
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

/// Use of a dropout mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MaskKind {
    /// Input of a layer.
    Input,
    /// State that a recurrent layer multiplies.
    State,
    /// Values that a cell drops by itself, as zoneout does: see [`Step::pass`](crate::recurrent::Step::pass).
    Cell,
}

/// Place where one row of a dropout mask is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MaskSite {
    /// Number of the layer in its model, from 0.
    pub layer: usize,
    /// Part of the layer, see [`Pass::for_part`].
    pub part: usize,
    /// Use of the mask: for input or state, or in the cell.
    pub kind: MaskKind,
    /// Gate block, from 0; 0 if all gates share a mask.
    pub gate: usize,
    /// Time step, from 0; 0 if all steps share a mask.
    pub step: usize,
    /// Number of the sample in its batch, from 0.
    pub sample: usize,
    /// Feature, from 0.
    pub feature: usize,
}

/// Purpose of a number that is folded into the key of a pass, so that two purposes draw differently for the same number.
///
/// The numbers of one mask (kind, gate, step, sample) need none, because they are always the last four.
#[derive(Clone, Copy)]
enum Purpose {
    Layer,
    Part,
    Cell,
}

impl Purpose {
    fn fold(self, key: Key, number: usize) -> Key {
        // Above any number that counts something. It is 0 for layers, so their draws depend on the number alone.
        key.fold((self as u64) << 56 ^ number as u64)
    }
}

impl<'a> Pass<'a> {
    /// Returns a pass that only runs the model, without dropout and backward pass.
    pub fn inference() -> Self {
        Pass { training: false, ..Pass::training(Key::new(0)) }
    }

    /// Returns a pass of training, with dropout masks drawn from `key`.
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

    /// Takes dropout masks from a function: 0 to drop, 1 / (1 − rate) to keep. It is for tests that compare a layer with
    /// another implementation.
    pub fn replaying<'b>(self, masks: &'b (dyn Fn(MaskSite) -> f64 + Sync)) -> Pass<'b>
    where
        'a: 'b,
    {
        Pass { dropout: Draws::Replayed(masks), ..self }
    }

    /// Returns the pass for one of several parts of the layer, each with its own masks.
    pub fn for_part(self, part: usize) -> Self {
        Pass { part, key: Purpose::Part.fold(self.key, part), ..self }
    }

    /// Returns the pass for the layer with this number.
    pub fn for_layer(self, layer: usize) -> Self {
        Pass { layer, key: Purpose::Layer.fold(self.key, layer), ..self }
    }

    /// Returns the pass for the inner cell with this number, so that each has its own masks. Nesting works too, provided
    /// that the first cell also gets its number, 0.
    pub fn for_cell(self, number: usize) -> Self {
        Pass { key: Purpose::Cell.fold(self.key, number), ..self }
    }

    /// Shortens the lifetime, which the compiler does not do by itself for array views.
    pub(crate) fn shorten<'b>(self) -> Pass<'b>
    where
        'a: 'b,
    {
        Pass { mask: self.mask.map(|mask| mask.reborrow()), ..self }
    }

    /// Sets the mask of the input's time steps: (T, B), in standard layout.
    pub fn masked<'b>(self, mask: Option<ArrayView2<'b, bool>>) -> Pass<'b>
    where
        'a: 'b,
    {
        Pass { mask, ..self }
    }

    /// Returns the pass for a layer that gets the time steps of sequences as samples (T·B), of a batch of this size. They
    /// have no mask of time steps; a row of a dropout mask is still that of its step and sample.
    pub fn steps_as_samples(self, batch: usize) -> Self {
        Pass { mask: None, batch: Some(batch), ..self }
    }

    /// Returns the pass for a shard whose first row is this sample of the batch.
    pub fn from_sample(self, first_sample: usize) -> Self {
        Pass { first_sample, ..self }
    }

    /// Fills a row of a dropout mask for sample `sample` of the shard: 0 with probability `rate`, else 1 / (1 − rate).
    ///
    /// The row depends only on seed, layer, part, cell, kind, gate, step and sample.
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
                // A draw of 32 bits is below this with probability `rate`.
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
        // All paths of up to three levels, such as the second part of layer 1, or the first cell of the second.
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
