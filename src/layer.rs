//! The contract between a layer and whatever runs it.
//!
//! A layer is a plain description (`Lstm::new(8).dropout(0.3)`): options, no numbers. It builds weights for an input
//! [`Form`] and computes with weights that are passed in. What a pass changes belongs to the caller: the output, a cache
//! that is used again for the next batch, the gradients. So one model serves many threads, and a backward pass cannot
//! meet the wrong forward pass.
//!
//! What a pass is told besides its data is in [`Pass`]: training or not, and where random masks come from.

use std::fmt::{self, Debug};

use ndarray::ArrayView2;
use ndarray_rand::rand::Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::initializer::Init;
use crate::mask::Mask;
use crate::params::{Params, Path};
use crate::random::Key;
use crate::recurrent::{State, Widths};
use crate::scalar::Scalar;
use crate::tensor::{Form, Tensor};
use crate::weight_options::WeightOptions;

/// What layers, cells and gates have in common: plain data that can be saved under the name of its kind.
pub trait Describe: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind's name in saved files and summaries, unlike that of any other kind: `"Lstm"`, `"my_crate::Mgu"`.
    fn kind() -> &'static str;

    /// The kind with those of its parts, by which saved files name something that is made of others:
    /// `"Bidirectional(Lstm, Lstm)"`. By default it has no parts.
    fn full_kind() -> String {
        Self::kind().into()
    }
}

/// A layer: output from input, and gradients from the gradient of the output.
///
/// Shapes below are those of [`Tensor`]: time first. `forward` and `backward` are called only with inputs of the form
/// that [`output_form`](Layer::output_form) accepted, with token ids below [`vocabulary`](Layer::vocabulary), and with
/// weights that [`build`](Layer::build) made for it; a [`Model`](crate::Model) has seen to that, and answers what a user
/// passes in with an error. A caller of a layer itself has to see to it: the built-in ones panic on anything else. No
/// time steps and no samples are sizes like any other.
pub trait Layer<F: Scalar>: Describe {
    /// The weights: a struct with [`params!`](crate::params), or `()`.
    type Weights: Params<F> + Clone + Debug;
    /// What the backward pass needs and cannot read from input, output or weights. Grows once and is used again.
    type Cache: Default + Send + 'static;

    /// The form of the output for inputs of the form `input`.
    ///
    /// # Errors
    ///
    /// [`Error::Form`] if the layer does not take such inputs; [`Error::InvalidOption`] if one of its own options is
    /// out of range.
    fn output_form(&self, input: Form) -> Result<Form>;

    /// New weights for inputs of the form `input`, all in standard layout.
    ///
    /// # Errors
    ///
    /// Those of [`output_form`](Layer::output_form), and of the initialisers.
    fn build(&self, input: Form, init: &mut Init) -> Result<Self::Weights>;

    /// Writes the output for `x` into `y`, and what the backward pass will need into `cache`.
    fn forward(
        &self,
        weights: &Self::Weights,
        x: &Tensor<F>,
        y: &mut Tensor<F>,
        cache: &mut Self::Cache,
        pass: Pass<'_>,
    );

    /// From `dy`, the gradient of the output, adds the gradients of the weights to `gradients` and writes that of the
    /// input into `dx` if it is asked for. `cache` is that of the forward pass with the same `x`; it may be destroyed.
    #[allow(clippy::too_many_arguments, reason = "each is a tensor of the pass; a struct would only rename them")]
    fn backward(
        &self,
        weights: &Self::Weights,
        x: &Tensor<F>,
        y: &Tensor<F>,
        dy: &Tensor<F>,
        dx: Option<&mut Tensor<F>>,
        cache: &mut Self::Cache,
        gradients: &mut Self::Weights,
        pass: Pass<'_>,
    );

    /// The function that the layer applies last, which a loss may take over: see [`Pass::absorbed`].
    fn final_activation(&self) -> Activation {
        Activation::Linear
    }

    /// Whether the layer takes [`Tensor::Lookup`] in place of a sequence in this pass. If so, `dx` is the gradient of the
    /// table, as a sequence (1, V, D).
    fn takes_lookups(&self, _pass: Pass<'_>) -> bool {
        false
    }

    /// Turns the mask of the input into that of the output. By default it is handed on, which is right for a layer that
    /// treats each step alike; for an output without steps it ends by itself.
    fn output_mask(&self, _x: &Tensor<F>, _mask: &mut Mask) {}

    /// What the layer must remember to go on from one part of a sequence to the next. By default it needs the whole sequence.
    fn carry(&self) -> Carry {
        Carry::Everything
    }

    /// [`Layer::forward`] that goes on from a state of the widths that [`Layer::carry`] names, and leaves in it the state
    /// after `kept` steps: all of them, unless in training, where it may be fewer. A layer without state has none to care for.
    #[allow(clippy::too_many_arguments, reason = "those of Layer::forward, the state and a number")]
    fn resume(
        &self,
        weights: &Self::Weights,
        x: &Tensor<F>,
        y: &mut Tensor<F>,
        _state: &mut State<F>,
        _kept: usize,
        cache: &mut Self::Cache,
        pass: Pass<'_>,
    ) {
        self.forward(weights, x, y, cache, pass);
    }

    /// The regularizer and the constraint of the weight at this path, as [`Params`] of [`Layer::Weights`] names it. A model
    /// asks once, when it is built.
    fn weight_options(&self, _path: Path<'_>) -> WeightOptions {
        WeightOptions::default()
    }

    /// How many token ids the layer knows, if it takes token ids: 0 to one less than this.
    fn vocabulary(&self) -> Option<usize> {
        None
    }
}

/// What a layer must remember of the steps that it has seen, to go on with the next ones: see [`Layer::resume`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carry {
    /// Nothing: it treats each step by itself.
    Nothing,
    /// A state with these widths, which a [`State`] of the batch holds.
    State(Widths),
    /// Everything: it looks at the whole sequence, as one that goes backwards does.
    Everything,
}

/// What a pass needs to know besides its data.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    /// Training: dropout is on, and caches keep what a backward pass needs.
    pub training: bool,
    /// The loss computes from what comes before the last activation, so the last layer leaves it out.
    pub absorbed: bool,
    /// The next layer takes [`Tensor::Lookup`], so a layer that looks up rows of a table may leave that to it.
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
pub enum MaskKind {
    /// On a layer's input.
    Input,
    /// On the state that a recurrent layer multiplies.
    State,
    /// What a cell drops by itself, as zoneout does: see [`Step::pass`](crate::Step::pass).
    Cell,
}

/// Where one row of a dropout mask is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// The same pass with dropout masks from a function: 0 to drop, 1 / (1 − rate) to keep. For tests that hold a layer
    /// against another implementation.
    #[doc(hidden)]
    pub fn replaying<'b>(self, masks: &'b (dyn Fn(MaskSite) -> f64 + Sync)) -> Pass<'b>
    where
        'a: 'b,
    {
        Pass { dropout: Draws::Replayed(masks), ..self }
    }

    /// The pass for one of several parts of the layer that draw masks: each part has masks of its own.
    pub fn for_part(self, part: usize) -> Self {
        Pass { part, key: self.key.fold(part as u64), ..self }
    }

    /// The pass for the layer with this number.
    pub fn for_layer(self, layer: usize) -> Self {
        Pass { layer, key: self.key.fold(layer as u64), ..self }
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
    /// The row depends on seed, layer, kind, gate, step and sample, and on nothing else.
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

/// A dropout rate must leave something over: 0 ≤ rate < 1.
pub(crate) fn check_rate(option: &'static str, rate: f64) -> Result<()> {
    // Written so that NaN fails as well.
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    Err(Error::InvalidOption { option, value: rate.to_string(), allowed: "at least 0 and below 1" })
}

/// A count of units, features or ids: at least 1, and small enough that a few times it is still a count.
pub(crate) fn check_count(option: &'static str, count: usize) -> Result<()> {
    if (1..=1 << 31).contains(&count) {
        return Ok(());
    }
    Err(Error::InvalidOption { option, value: count.to_string(), allowed: "at least 1 and at most 2³¹" })
}
