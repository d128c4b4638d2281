//! Two recurrent layers over the same sequence, one from its start and one from its end (Schuster and Paliwal 1997):
//! y[t] = merge(f[t], b[t]).
//!
//! Backward: for a concatenation, dy is split by columns; for a sum df = db = dy, for the mean half of it, for the product
//! df = dy ∘ b and db = dy ∘ f. Then each layer runs back on its own, and dx is the sum of both.

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

/// Merge mode of [`Bidirectional`]: how the outputs f (forward) and b (backward) become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Merge {
    /// Concatenation along the features: f, then b.
    #[default]
    Concat,
    /// Sum f + b.
    Sum,
    /// Product f ∘ b.
    Mul,
    /// Mean (f + b) / 2.
    #[doc(alias = "ave")]
    Average,
}

/// Bidirectional wrapper: a recurrent layer that runs over a sequence in both directions.
///
/// ```text
/// f[t] from the time steps 1 … t        forward layer
/// b[t] from the time steps T … t        backward layer
/// y[t] = merge(f[t], b[t])
/// ```
///
/// The wrapped layer runs forward. A copy of it with the same options, or the
/// [`backward_layer`](Bidirectional::backward_layer), runs backward. Without `return_sequences`, y is merged from the last
/// output of each: f\[T\] and b\[1\].
///
/// ```
/// use bptt::prelude::*;
/// use ndarray::Array3;
///
/// // At each time step: the mean of the neighbours in the past and in the future.
/// let x = Array3::<f32>::from_shape_fn((64, 6, 1), |(n, t, _)| ((n * 6 + t) as f32 * 1.7).sin());
/// let y = Array3::from_shape_fn((64, 6, 1), |(n, t, _)| {
///     if (1..5).contains(&t) { (x[[n, t - 1, 0]] + x[[n, t + 1, 0]]) / 2.0 } else { 0.0 }
/// });
///
/// let layers = Sequential::new().add(Bidirectional::new(Lstm::new(4).return_sequences(true))).add(Dense::new(1));
/// let mut model = layers.build(Form::sequence(6, 1), 42)?;
/// model.compile(Adam::new(0.02), MeanSquaredError);
/// let history = model.fit(&x, &y, Fit::new().epochs(20))?;
/// let loss = history.get("loss");
/// assert!(loss[19] < loss[0]);
/// assert_eq!(model.weight("bidirectional/backward/kernel")?.shape(), [1, 16]);
/// # Ok::<(), bptt::Error>(())
/// ```
///
/// # Options
///
/// | Option | Default | Meaning |
/// | --- | --- | --- |
/// | `layer` | required | Recurrent layer to run in both directions |
/// | `merge_mode` | [`Merge::Concat`] | How the two outputs become one |
/// | `backward_layer` | the same layer | Another recurrent layer for the backward direction |
///
/// The directions are set by the wrapper: `go_backwards` of the layers is ignored. For Keras' `merge_mode=None`, use
/// [`Merge::Concat`] and split the features: the first columns are the forward output, the others the backward output.
///
/// # Shapes
///
/// | What | Shape |
/// | --- | --- |
/// | input | (B, T, D) |
/// | output | (B, H), with `return_sequences` of the layers (B, T, H) |
/// | weights | those of the layers under `forward/` and `backward/`, as in `bidirectional/forward/kernel` |
///
/// H is the sum of the units of the layers for [`Merge::Concat`]; otherwise both have H units.
///
/// # Masks
///
/// As in Keras, with `return_sequences` both layers put out zeros at masked time steps.
///
/// # Errors
///
/// Building a model returns an [`Error::Layer`] that names the layer. Its source is [`Error::InvalidOption`] if the outputs
/// of the layers cannot be merged, or an error of the layers. Carrying a state from one part of a sequence to the next is an
/// [`Error::WholeSequence`], because the backward layer needs the whole sequence.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bidirectional {
    forward: AnyLayer,
    backward: AnyLayer,
    merge_mode: Merge,
}

impl Bidirectional {
    /// Returns a wrapper that runs this layer in both directions.
    pub fn new<C: Cell<f32> + Cell<f64>>(layer: Rnn<C>) -> Self {
        Bidirectional {
            forward: AnyLayer::new(layer.clone().in_direction(false)),
            backward: AnyLayer::new(layer.in_direction(true)),
            merge_mode: Merge::default(),
        }
    }

    /// Sets another layer for the backward direction. Its `go_backwards` is ignored.
    pub fn backward_layer<C: Cell<f32> + Cell<f64>>(self, layer: Rnn<C>) -> Self {
        Bidirectional { backward: AnyLayer::new(layer.in_direction(true)), ..self }
    }

    /// Sets how the two outputs become one.
    pub fn merge_mode(self, merge_mode: Merge) -> Self {
        Bidirectional { merge_mode, ..self }
    }

    fn layers<F: Scalar>(&self) -> [&dyn DynLayer<F>; 2] {
        [self.forward.get(), self.backward.get()]
    }
}

/// Weights of [`Bidirectional`].
#[derive(Clone, Debug)]
pub struct BidirectionalWeights<F: Scalar> {
    /// Weights of the forward layer.
    pub forward: AnyWeights<F>,
    /// Weights of the backward layer.
    pub backward: AnyWeights<F>,
}
crate::params!(BidirectionalWeights { forward, backward });

/// Cache of [`Bidirectional`]: the caches of both layers, their outputs and the gradients of these.
#[derive(Debug, Default)]
pub struct BidirectionalCache<F: Scalar> {
    layers: [AnyCache; 2],
    outputs: [Tensor<F>; 2],
    doutputs: [Tensor<F>; 2],
    dx: Tensor<F>,
    /// States of both layers, or their gradients, during a pass.
    states: [State<F>; 2],
}

impl<F: Scalar> BidirectionalCache<F> {
    /// Returns the outputs of the last forward pass before the merge: forward layer, then backward layer.
    ///
    /// Outputs of all time steps are in the order of time.
    pub fn outputs(&self) -> &[Tensor<F>; 2] {
        &self.outputs
    }
}

/// Reverses the time steps of a sequence, in place.
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

    /// Splits the gradient of the merged output into those of the two outputs.
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

/// Returns how many parts the state of a layer has when it runs forward.
fn state_parts<F: Scalar>(layer: &dyn DynLayer<F>, all: usize) -> usize {
    match layer.carry() {
        Carry::State(widths) => widths.as_slice().len(),
        _ => all,
    }
}

/// Moves the parts of a state to the states of the two layers. Those of the forward layer come first.
fn take_apart<F: Scalar>(count: usize, whole: &mut State<F>, [forward, backward]: &mut [State<F>; 2]) {
    let mut parts = std::mem::take(&mut whole.parts);
    backward.parts = parts.split_off(count.min(parts.len()));
    forward.parts = parts;
}

/// Moves the parts of the two states back into one.
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

    /// A state holds the parts of the forward layer, then those of the backward layer, whose final state is at the first step.
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
        // Back into the order in which the backward layer runs.
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
