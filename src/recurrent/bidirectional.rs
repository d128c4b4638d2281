//! Two recurrent layers over the same sequence, one from its start and one from its end (Schuster and Paliwal 1997):
//! y[t] = merge(f[t], b[t]).
//!
//! Backward: concatenated, dy splits by columns; for a sum df = db = dy, for the mean half of it, for the product df = dy ∘ b
//! and db = dy ∘ f. Each layer then runs back by itself, and dx is the sum of both.

use ndarray::{Zip, s};
use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::rnn::Rnn;
use crate::error::{Error, Result};
use crate::layer::{
    AnyCache, AnyLayer, AnyWeights, Backward, Carry, Describe, DynLayer, Forward, Layer, Pass, Path, WeightOptions,
    erase_layer,
};
use crate::numeric::Scalar;
use crate::tensor::{Form, State, Tensor, reverse_steps};
use crate::weights::initializers::Init;

/// How [`Bidirectional`] makes one output of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Merge {
    /// One after the other: f, b.
    #[default]
    Concat,
    /// f + b.
    Sum,
    /// f ∘ b.
    Mul,
    /// (f + b) / 2.
    #[doc(alias = "ave")]
    Average,
}

/// A recurrent layer that runs over a sequence in both directions.
///
/// It is made of a recurrent layer of any cell, which runs forwards; the one that runs backwards has the same options, or is
/// given by [`backward_layer`](Bidirectional::backward_layer). Outputs of all steps are both in the order of time: y\[t\] is made
/// of what the one knows from steps up to t and the other from step t on.
///
/// # Shapes
///
/// Sequences (T, B, D) to (B, H), or with `return_sequences` of the layers to (T, B, H). H is the sum of the layers' units for
/// [`Merge::Concat`]; for all others the units are equal. Weights: `forward` and `backward`, each with those of its layer, such
/// as `bidirectional/forward/kernel`.
///
/// # Options
///
/// | name | default | purpose |
/// | --- | --- | --- |
/// | `merge_mode` | concatenate | how the two outputs become one: a [`Merge`] |
/// | `backward_layer` | the layer itself | the layer that runs backwards |
///
/// Keras' `merge_mode=None`, both outputs by themselves, are the columns of [`Merge::Concat`]: those of the layer that runs
/// forwards come first.
///
/// # Masks
///
/// As in Keras, both layers put out zero at the steps that a mask leaves out, if they put out all steps. It needs the whole
/// sequence, so a model with it cannot go on from a state.
///
/// ```
/// use bptt::layers::Merge;
/// use bptt::prelude::*;
/// let model = Sequential::new()
///     .add(Bidirectional::new(Lstm::new(8).return_sequences(true)))
///     .add(Bidirectional::new(Lstm::new(4)).backward_layer(Gru::new(4)).merge_mode(Merge::Sum))
///     .build(Form::sequence(None, 3), 1)?;
/// assert_eq!(model.weight("bidirectional/forward/kernel")?.shape(), [3, 32]);
/// assert_eq!(model.weight("bidirectional_1/backward/kernel")?.shape(), [16, 12]);
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bidirectional {
    forward: AnyLayer,
    backward: AnyLayer,
    merge_mode: Merge,
}

impl Bidirectional {
    /// This layer in both directions.
    pub fn new<C: Cell<f32> + Cell<f64>>(layer: Rnn<C>) -> Self {
        Bidirectional {
            forward: AnyLayer::new(layer.clone().in_direction(false)),
            backward: AnyLayer::new(layer.in_direction(true)),
            merge_mode: Merge::default(),
        }
    }

    /// The layer that runs backwards; its own `go_backwards` does not matter.
    pub fn backward_layer<C: Cell<f32> + Cell<f64>>(self, layer: Rnn<C>) -> Self {
        Bidirectional { backward: AnyLayer::new(layer.in_direction(true)), ..self }
    }

    /// How the two outputs become one.
    pub fn merge_mode(self, merge_mode: Merge) -> Self {
        Bidirectional { merge_mode, ..self }
    }

    fn layers<F: Scalar>(&self) -> [&dyn DynLayer<F>; 2] {
        [self.forward.get(), self.backward.get()]
    }
}

/// The weights of [`Bidirectional`].
#[derive(Clone, Debug)]
pub struct BidirectionalWeights<F: Scalar> {
    /// Those of the layer that runs forwards.
    pub forward: AnyWeights<F>,
    /// Those of the layer that runs backwards.
    pub backward: AnyWeights<F>,
}
crate::params!(BidirectionalWeights { forward, backward });

/// The caches of both layers, their outputs and the gradients of these.
#[derive(Debug, Default)]
pub struct BidirectionalCache<F: Scalar> {
    layers: [AnyCache; 2],
    outputs: [Tensor<F>; 2],
    doutputs: [Tensor<F>; 2],
    dx: Tensor<F>,
    /// The states of both, or their gradients, while they run.
    states: [State<F>; 2],
}

impl<F: Scalar> BidirectionalCache<F> {
    /// The outputs of the last forward pass before they were merged: of the layer that runs forwards, then of the other, in the
    /// order of time if there is one for each step.
    pub fn outputs(&self) -> &[Tensor<F>; 2] {
        &self.outputs
    }
}

/// Puts the outputs of a layer that ran backwards into the order of time, or their gradient into that of the layer.
fn turn<F>(tensor: &mut Tensor<F>) {
    if let Tensor::Sequence(sequence) = tensor {
        reverse_steps(sequence);
    }
}

/// Merges element by element.
fn merge_with<F: Scalar>([f, b]: &[Tensor<F>; 2], y: &mut Tensor<F>, merge: impl Fn(F, F) -> F) {
    let (f_rows, b_rows) = (f.rows(), b.rows());
    y.like(f, f_rows.ncols());
    Zip::from(y.rows_mut()).and(&f_rows).and(&b_rows).for_each(|y, &f, &b| *y = merge(f, b));
}

impl Merge {
    fn forward<F: Scalar>(self, outputs: &[Tensor<F>; 2], y: &mut Tensor<F>) {
        match self {
            Merge::Concat => {
                let [f, b] = outputs.each_ref().map(|output| output.rows());
                y.like(&outputs[0], f.ncols() + b.ncols());
                let (mut left, mut right) = y.rows_mut().multi_slice_move((s![.., ..f.ncols()], s![.., f.ncols()..]));
                left.assign(&f);
                right.assign(&b);
            }
            Merge::Sum => merge_with(outputs, y, |f, b| f + b),
            Merge::Mul => merge_with(outputs, y, |f, b| f * b),
            Merge::Average => merge_with(outputs, y, |f, b| (f + b) * F::of(0.5)),
        }
    }

    /// From the gradient of the merged outputs those of the two.
    fn backward<F: Scalar>(self, [f, b]: &[Tensor<F>; 2], dy: &Tensor<F>, [df, db]: &mut [Tensor<F>; 2]) {
        let units = f.rows().ncols();
        df.like(f, units);
        db.like(b, b.rows().ncols());
        let (mut df, mut db, dy) = (df.rows_mut(), db.rows_mut(), dy.rows());
        match self {
            Merge::Concat => {
                df.assign(&dy.slice(s![.., ..units]));
                db.assign(&dy.slice(s![.., units..]));
            }
            Merge::Sum => {
                df.assign(&dy);
                db.assign(&dy);
            }
            Merge::Mul => {
                Zip::from(&mut df).and(&dy).and(b.rows()).for_each(|df, &dy, &b| *df = dy * b);
                Zip::from(&mut db).and(&dy).and(f.rows()).for_each(|db, &dy, &f| *db = dy * f);
            }
            Merge::Average => {
                Zip::from(&mut df).and(&dy).for_each(|df, &dy| *df = dy * F::of(0.5));
                db.assign(&df);
            }
        }
    }
}

/// How many states a layer carries when it runs forwards.
fn state_parts<F: Scalar>(layer: &dyn DynLayer<F>, all: usize) -> usize {
    match layer.carry() {
        Carry::State(widths) => widths.as_slice().len(),
        _ => all,
    }
}

/// Moves the parts of a state to those of the two layers: those of the layer that runs forwards come first.
fn take_apart<F: Scalar>(count: usize, whole: &mut State<F>, [forward, backward]: &mut [State<F>; 2]) {
    let mut parts = std::mem::take(&mut whole.parts);
    backward.parts = parts.split_off(count.min(parts.len()));
    forward.parts = parts;
}

/// Puts them together again.
fn put_together<F: Scalar>([forward, backward]: &mut [State<F>; 2], whole: &mut State<F>) {
    whole.parts = std::mem::take(&mut forward.parts);
    whole.parts.append(&mut backward.parts);
}

impl Describe for Bidirectional {
    fn kind() -> &'static str {
        "Bidirectional"
    }
}

impl<F: Scalar> Layer<F> for Bidirectional {
    type Weights = BidirectionalWeights<F>;
    type Cache = BidirectionalCache<F>;

    fn output_form(&self, input: Form) -> Result<Form> {
        let [forward, backward] = self.layers::<F>();
        let (forward, backward) = (forward.output_form(input)?, backward.output_form(input)?);
        let features = (forward.features()?, backward.features()?);
        if forward.with_features(features.1) != backward {
            return Err(Error::InvalidOption {
                option: "return_sequences",
                value: format!("{forward} forwards and {backward} backwards"),
                allowed: "the same for both layers",
            });
        }
        match self.merge_mode {
            Merge::Concat => Ok(forward.with_features(features.0 + features.1)),
            _ if features.0 == features.1 => Ok(forward),
            _ => Err(Error::InvalidOption {
                option: "merge_mode",
                value: format!("{:?} of {} and {} units", self.merge_mode, features.0, features.1),
                allowed: "Concat, or layers with equal units",
            }),
        }
    }

    fn takes_lookups(&self, pass: Pass<'_>) -> bool {
        self.layers::<F>().into_iter().all(|layer| layer.takes_lookups(pass))
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        let [forward, backward] = self.layers::<F>();
        path.split_first(|part, rest| match part {
            "forward" => forward.weight_options(rest),
            _ => backward.weight_options(rest),
        })
    }

    fn build(&self, input: Form, init: &mut Init) -> Result<BidirectionalWeights<F>> {
        let [forward, backward] = self.layers::<F>();
        Ok(BidirectionalWeights { forward: forward.build(input, init)?, backward: backward.build(input, init)? })
    }

    /// A state holds the parts of the layer that runs forwards, then those of the other; the final state of the latter is that
    /// at the first step.
    fn forward(&self, w: &BidirectionalWeights<F>, forward: Forward<'_, F, BidirectionalCache<F>>) {
        let Forward { x, y, cache, pass, mut state, .. } = forward;
        let BidirectionalCache { layers: caches, outputs, states, .. } = cache;
        let layers = self.layers::<F>();
        if let Some(state) = &mut state {
            take_apart(state_parts(layers[0], state.parts.len() / 2), state, states);
        }
        let passes = [pass, pass.for_part(1)];
        for (number, w) in [&w.forward, &w.backward].into_iter().enumerate() {
            let cache = caches[number].of(layers[number]);
            let mut forward = Forward::new(x, &mut outputs[number], cache, passes[number]);
            if state.is_some() {
                forward = forward.state(&mut states[number]);
            }
            layers[number].forward(w, forward);
        }
        turn(&mut outputs[1]);
        self.merge_mode.forward(outputs, y);
        if let Some(state) = state {
            put_together(states, state);
        }
    }

    fn backward(
        &self,
        w: &BidirectionalWeights<F>,
        backward: Backward<'_, F, BidirectionalCache<F>, BidirectionalWeights<F>>,
    ) {
        let Backward { x, dy, mut dx, cache, gradients, pass, mut dstate, .. } = backward;
        let BidirectionalCache { layers: caches, outputs, doutputs, dx: more, states } = cache;
        self.merge_mode.backward(outputs, dy, doutputs);
        // Into the order of the layer, as it was put out.
        turn(&mut doutputs[1]);
        turn(&mut outputs[1]);
        let layers = self.layers::<F>();
        if let Some(dstate) = &mut dstate {
            take_apart(state_parts(layers[0], dstate.parts.len() / 2), dstate, states);
        }
        let passes = [pass, pass.for_part(1)];
        let sums = [&mut gradients.forward, &mut gradients.backward];
        for (number, (w, sums)) in [&w.forward, &w.backward].into_iter().zip(sums).enumerate() {
            let cache = caches[number].of(layers[number]);
            let mut backward = Backward::new((x, &outputs[number]), &doutputs[number], cache, sums, passes[number]);
            if let Some(dx) = &mut dx {
                backward = backward.dx(if number == 0 { dx } else { &mut *more });
            }
            if dstate.is_some() {
                backward = backward.dstate(&mut states[number]);
            }
            layers[number].backward(w, backward);
        }
        if let Some(dx) = dx {
            dx.rows_mut().zip_mut_with(&more.rows(), |dx, &more| *dx += more);
        }
        if let Some(dstate) = dstate {
            put_together(states, dstate);
        }
    }

    erase_layer!(F, Bidirectional);
}
