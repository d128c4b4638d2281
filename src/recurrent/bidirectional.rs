//! Two recurrent layers over the same sequence, one from its start and one from its end (Schuster and Paliwal 1997):
//! y[t] = merge(f[t], b[t]).
//!
//! Backward: concatenated, dy splits by columns; for a sum df = db = dy, for the mean half of it, for the product df = dy ∘ b
//! and db = dy ∘ f. Each layer then runs back by itself, and dx is the sum of both.

use ndarray::{Zip, s};
use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::rnn::{Rnn, RnnCache};
use super::state::State;
use crate::error::{Error, Result};
use crate::initializer::Init;
use crate::layer::{Describe, Layer, Pass};
use crate::params::Path;
use crate::scalar::Scalar;
use crate::tensor::{Form, Tensor, reverse_steps};
use crate::weight_options::WeightOptions;

/// How [`Bidirectional`] makes one output of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
/// For Keras' `merge_mode=None`, both outputs by themselves, see [`forward_apart`](Bidirectional::forward_apart).
///
/// # Masks
///
/// As in Keras, both layers put out zero at the steps that a mask leaves out, if they put out all steps. It needs the whole
/// sequence, so a model with it cannot go on from a state.
///
/// ```
/// use bptt::{Bidirectional, Form, Gru, Lstm, Merge, Sequential};
/// let model = Sequential::new()
///     .add(Bidirectional::new(Lstm::new(8).return_sequences(true)))
///     .add(Bidirectional::new(Lstm::new(4)).backward_layer(Gru::new(4)).merge_mode(Merge::Sum))
///     .build(Form::sequence(None, 3), 1)?;
/// assert_eq!(model.weight("bidirectional/forward/kernel")?.shape(), [3, 32]);
/// assert_eq!(model.weight("bidirectional_1/backward/kernel")?.shape(), [16, 12]);
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "A: Describe, B: Describe")]
pub struct Bidirectional<A, B = A> {
    forward: Rnn<A>,
    backward: Rnn<B>,
    merge_mode: Merge,
}

impl<A: Clone> Bidirectional<A> {
    /// This layer in both directions.
    pub fn new(layer: Rnn<A>) -> Self {
        Bidirectional {
            forward: layer.clone().in_direction(false),
            backward: layer.in_direction(true),
            merge_mode: Merge::default(),
        }
    }
}

impl<A, B> Bidirectional<A, B> {
    /// The layer that runs backwards; its own `go_backwards` does not matter.
    pub fn backward_layer<C>(self, layer: Rnn<C>) -> Bidirectional<A, C> {
        Bidirectional { forward: self.forward, backward: layer.in_direction(true), merge_mode: self.merge_mode }
    }

    /// How the two outputs become one.
    pub fn merge_mode(self, merge_mode: Merge) -> Self {
        Bidirectional { merge_mode, ..self }
    }
}

/// The weights of [`Bidirectional`].
#[derive(Clone, Debug)]
pub struct BidirectionalWeights<A, B> {
    /// Those of the layer that runs forwards.
    pub forward: A,
    /// Those of the layer that runs backwards.
    pub backward: B,
}
crate::params!(BidirectionalWeights<A, B> { forward, backward });

/// The caches of both layers, their outputs and the gradients of these.
#[derive(Debug)]
pub struct BidirectionalCache<F: Scalar, A: Cell<F>, B: Cell<F>> {
    forward: RnnCache<F, A>,
    backward: RnnCache<F, B>,
    outputs: [Tensor<F>; 2],
    doutputs: [Tensor<F>; 2],
    dx: Tensor<F>,
}

impl<F: Scalar, A: Cell<F>, B: Cell<F>> Default for BidirectionalCache<F, A, B> {
    fn default() -> Self {
        BidirectionalCache {
            forward: RnnCache::default(),
            backward: RnnCache::default(),
            outputs: Default::default(),
            doutputs: Default::default(),
            dx: Tensor::default(),
        }
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

impl<A: Describe, B: Describe> Bidirectional<A, B> {
    /// [`Layer::forward`] of both directions, whose outputs are not merged but given apart: that of the layer that runs
    /// forwards, then that of the other, in the order of time if there is one for each step. They start from the states in
    /// `initial` (zero if `None`) and leave the final ones in `last`, each as [`Rnn::forward_from`] does; the final state of
    /// the layer that runs backwards is that at the first step.
    ///
    /// # Panics
    ///
    /// As [`Rnn::forward_from`].
    #[allow(clippy::too_many_arguments, reason = "those of Layer::forward and the states")]
    pub fn forward_apart<F: Scalar>(
        &self,
        weights: &BidirectionalWeights<A::Weights, B::Weights>,
        x: &Tensor<F>,
        initial: [Option<&State<F>>; 2],
        [y_forward, y_backward]: [&mut Tensor<F>; 2],
        last: [Option<&mut State<F>>; 2],
        cache: &mut BidirectionalCache<F, A, B>,
        pass: Pass<'_>,
    ) where
        A: Cell<F>,
        B: Cell<F>,
    {
        let ([start_forward, start_backward], [end_forward, end_backward]) = (initial, last);
        let BidirectionalCache { forward, backward, .. } = cache;
        let (wf, wb) = (&weights.forward, &weights.backward);
        self.forward.forward_from(wf, x, start_forward, y_forward, end_forward, forward, pass);
        self.backward.forward_from(wb, x, start_backward, y_backward, end_backward, backward, pass.for_part(1));
        turn(y_backward);
    }

    /// [`Layer::backward`] after [`forward_apart`](Bidirectional::forward_apart): from the gradients of both outputs, and of
    /// the final states (zero if `None`). Writes those of the initial states into `dinitial`.
    ///
    /// # Panics
    ///
    /// As [`Rnn::backward_from`].
    #[allow(clippy::too_many_arguments, reason = "those of Layer::backward and the states")]
    pub fn backward_apart<F: Scalar>(
        &self,
        weights: &BidirectionalWeights<A::Weights, B::Weights>,
        x: &Tensor<F>,
        [dy_forward, dy_backward]: [&Tensor<F>; 2],
        dlast: [Option<&State<F>>; 2],
        dx: Option<&mut Tensor<F>>,
        dinitial: [Option<&mut State<F>>; 2],
        cache: &mut BidirectionalCache<F, A, B>,
        gradients: &mut BidirectionalWeights<A::Weights, B::Weights>,
        pass: Pass<'_>,
    ) where
        A: Cell<F>,
        B: Cell<F>,
    {
        cache.doutputs[0].copy(dy_forward);
        cache.doutputs[1].copy(dy_backward);
        self.run_back(weights, x, dlast, dx, dinitial, cache, gradients, pass);
    }

    /// [`Layer::forward`] from given states, with the final ones: see [`forward_apart`](Bidirectional::forward_apart).
    ///
    /// # Panics
    ///
    /// As [`Rnn::forward_from`].
    #[allow(clippy::too_many_arguments, reason = "those of Layer::forward and the states")]
    pub fn forward_from<F: Scalar>(
        &self,
        weights: &BidirectionalWeights<A::Weights, B::Weights>,
        x: &Tensor<F>,
        initial: [Option<&State<F>>; 2],
        y: &mut Tensor<F>,
        last: [Option<&mut State<F>>; 2],
        cache: &mut BidirectionalCache<F, A, B>,
        pass: Pass<'_>,
    ) where
        A: Cell<F>,
        B: Cell<F>,
    {
        let mut outputs = std::mem::take(&mut cache.outputs);
        self.forward_apart(weights, x, initial, outputs.each_mut(), last, cache, pass);
        self.merge_mode.forward(&outputs, y);
        cache.outputs = outputs;
    }

    /// [`Layer::backward`] with the gradients of the final and the initial states: see
    /// [`backward_apart`](Bidirectional::backward_apart).
    ///
    /// # Panics
    ///
    /// As [`Rnn::backward_from`].
    #[allow(clippy::too_many_arguments, reason = "those of Layer::backward and the states")]
    pub fn backward_from<F: Scalar>(
        &self,
        weights: &BidirectionalWeights<A::Weights, B::Weights>,
        x: &Tensor<F>,
        dy: &Tensor<F>,
        dlast: [Option<&State<F>>; 2],
        dx: Option<&mut Tensor<F>>,
        dinitial: [Option<&mut State<F>>; 2],
        cache: &mut BidirectionalCache<F, A, B>,
        gradients: &mut BidirectionalWeights<A::Weights, B::Weights>,
        pass: Pass<'_>,
    ) where
        A: Cell<F>,
        B: Cell<F>,
    {
        self.merge_mode.backward(&cache.outputs, dy, &mut cache.doutputs);
        self.run_back(weights, x, dlast, dx, dinitial, cache, gradients, pass);
    }

    /// Runs both back from the gradients of their outputs in the cache, which are in the order of time.
    #[allow(clippy::too_many_arguments, reason = "those of Layer::backward and the states")]
    fn run_back<F: Scalar>(
        &self,
        weights: &BidirectionalWeights<A::Weights, B::Weights>,
        x: &Tensor<F>,
        dlast: [Option<&State<F>>; 2],
        dx: Option<&mut Tensor<F>>,
        dinitial: [Option<&mut State<F>>; 2],
        cache: &mut BidirectionalCache<F, A, B>,
        gradients: &mut BidirectionalWeights<A::Weights, B::Weights>,
        pass: Pass<'_>,
    ) where
        A: Cell<F>,
        B: Cell<F>,
    {
        let ([dlast_forward, dlast_backward], [dstart_forward, dstart_backward]) = (dlast, dinitial);
        let BidirectionalCache { forward, backward, doutputs: [df, db], dx: more, .. } = cache;
        turn(db);
        let mut dx = dx.map(|dx| (dx, more));
        let (to_forward, to_backward) = dx.as_mut().map(|(dx, more)| (&mut **dx, &mut **more)).unzip();
        let (wf, gf) = (&weights.forward, &mut gradients.forward);
        self.forward.backward_from(wf, x, df, dlast_forward, to_forward, dstart_forward, forward, gf, pass);
        let (wb, gb, pass) = (&weights.backward, &mut gradients.backward, pass.for_part(1));
        self.backward.backward_from(wb, x, db, dlast_backward, to_backward, dstart_backward, backward, gb, pass);
        if let Some((dx, more)) = dx {
            dx.rows_mut().zip_mut_with(&more.rows(), |dx, &more| *dx += more);
        }
    }
}

impl<A: Describe, B: Describe> Describe for Bidirectional<A, B> {
    fn kind() -> &'static str {
        "Bidirectional"
    }

    fn full_kind() -> String {
        format!("Bidirectional({}, {})", A::full_kind(), B::full_kind())
    }
}

impl<F: Scalar, A: Cell<F>, B: Cell<F>> Layer<F> for Bidirectional<A, B> {
    type Weights = BidirectionalWeights<A::Weights, B::Weights>;
    type Cache = BidirectionalCache<F, A, B>;

    fn output_form(&self, input: Form) -> Result<Form> {
        let (forward, backward) = (self.forward.output_form(input)?, self.backward.output_form(input)?);
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
        Layer::<F>::takes_lookups(&self.forward, pass) && Layer::<F>::takes_lookups(&self.backward, pass)
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        path.split_first(|part, rest| match part {
            "forward" => self.forward.weight_options(rest),
            _ => self.backward.weight_options(rest),
        })
    }

    fn build(&self, input: Form, init: &mut Init) -> Result<Self::Weights> {
        Ok(BidirectionalWeights {
            forward: self.forward.build(input, init)?,
            backward: self.backward.build(input, init)?,
        })
    }

    fn forward(&self, w: &Self::Weights, x: &Tensor<F>, y: &mut Tensor<F>, cache: &mut Self::Cache, pass: Pass<'_>) {
        self.forward_from(w, x, [None, None], y, [None, None], cache, pass);
    }

    fn backward(
        &self,
        w: &Self::Weights,
        x: &Tensor<F>,
        _: &Tensor<F>,
        dy: &Tensor<F>,
        dx: Option<&mut Tensor<F>>,
        cache: &mut Self::Cache,
        gradients: &mut Self::Weights,
        pass: Pass<'_>,
    ) {
        self.backward_from(w, x, dy, [None, None], dx, [None, None], cache, gradients, pass);
    }
}
