//! A layer of a cell. What it does is in `driver.rs`.

use std::sync::Arc;

use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::cell::{Cell, CellMemory};
use super::driver::{Driver, DriverCache, RnnOptions};
use super::once;
use crate::error::Result;
use crate::layer::{Backward, Carry, Describe, DynLayer, Forward, Layer, Pass, Path, WeightOptions};
use crate::numeric::Scalar;
use crate::numeric::checks::{check_count, check_rate};
use crate::tensor::{Form, State, Tensor, Widths};
use crate::weights::initializers::Init;

/// A recurrent layer over any [`Cell`].
///
/// # Shapes
///
/// Sequences (T, B, D) to the last output (B, H), or with `return_sequences` to all outputs (T, B, H). Weights are the
/// cell's.
///
/// # Options
///
/// | name | default | purpose | range |
/// | --- | --- | --- | --- |
/// | `return_sequences` | false | hand on the output of every step | |
/// | `dropout` | 0 | part of the inputs dropped in training | 0 ≤ rate < 1 |
/// | `recurrent_dropout` | 0 | part of the state dropped from the products | 0 ≤ rate < 1 |
/// | `dropout_per_step` | false | draw the input's mask anew at each step, as tf.keras 2 did | |
/// | `go_backwards` | false | start at the last step; outputs come in that order, as in Keras | |
/// | `zero_output_for_mask` | false | put out zero, not the last output, at steps that the mask leaves out | |
///
/// Masks are drawn for each sample and, by default, shared by all steps (Gal and Ghahramani 2016), as in Keras 3. With
/// `recurrent_dropout`, input and state have a mask for each gate.
///
/// # Masks
///
/// Where the mask of the input ([`Pass::mask`]) leaves a step out, the state stays what it was, and with it the output.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rnn<C> {
    cell: C,
    options: RnnOptions,
}

impl<C> Rnn<C> {
    /// The layer of this cell.
    pub fn from_cell(cell: C) -> Self {
        Rnn { cell, options: RnnOptions::default() }
    }

    fn with_options(mut self, change: impl FnOnce(&mut RnnOptions)) -> Self {
        change(&mut self.options);
        self
    }

    /// Whether every step's output is handed on, or only the last.
    pub fn return_sequences(self, return_sequences: bool) -> Self {
        self.with_options(|options| options.return_sequences = return_sequences)
    }

    /// The part of the inputs that is dropped in training.
    pub fn dropout(self, dropout: f64) -> Self {
        self.with_options(|options| options.dropout = dropout)
    }

    /// The part of the state that is dropped, in training, from what the recurrent kernel multiplies.
    pub fn recurrent_dropout(self, recurrent_dropout: f64) -> Self {
        self.with_options(|options| options.recurrent_dropout = recurrent_dropout)
    }

    /// Whether the input's mask is drawn anew at each time step, as tf.keras 2 did.
    pub fn dropout_per_step(self, dropout_per_step: bool) -> Self {
        self.with_options(|options| options.dropout_per_step = dropout_per_step)
    }

    /// Whether the last step comes first. The outputs of all steps then start with that of the last one.
    pub fn go_backwards(self, go_backwards: bool) -> Self {
        self.with_options(|options| options.go_backwards = go_backwards)
    }

    /// Whether steps that the mask leaves out put out zero instead of the output before them.
    pub fn zero_output_for_mask(self, zero_output_for_mask: bool) -> Self {
        self.with_options(|options| options.zero_output_for_mask = zero_output_for_mask)
    }

    /// The cell.
    pub fn cell(&self) -> &C {
        &self.cell
    }

    /// The cell alone, without the layer's own options.
    pub fn into_cell(self) -> C {
        self.cell
    }

    /// The layer as one direction of two: as in Keras, it puts out zero where a mask leaves a step out.
    pub(super) fn in_direction(self, backwards: bool) -> Self {
        let zero = self.options.return_sequences;
        self.go_backwards(backwards).zero_output_for_mask(zero)
    }

    /// Changes the cell's options.
    pub(crate) fn with_cell(self, change: impl FnOnce(C) -> C) -> Self {
        Rnn { cell: change(self.cell), options: self.options }
    }
}

/// What a recurrent layer keeps from a forward to its backward pass.
pub struct RnnCache<F: Scalar, C: Cell<F>> {
    driver: DriverCache<F>,
    memory: CellMemory<F, C>,
}

impl<F: Scalar, C: Cell<F>> Default for RnnCache<F, C> {
    fn default() -> Self {
        RnnCache { driver: DriverCache::default(), memory: CellMemory::default() }
    }
}

impl<F: Scalar, C: Cell<F>> std::fmt::Debug for RnnCache<F, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RnnCache").field("memory", &self.memory).finish_non_exhaustive()
    }
}

impl<C: Describe> Rnn<C> {
    /// The states of the layer: the output first.
    pub fn states<F: Scalar>(&self) -> Widths
    where
        C: Cell<F>,
    {
        self.cell.states()
    }

    /// One time step without training: takes x (B, D), usually of one sample, and replaces the state by the next one, whose
    /// first part is the output. Allocates nothing once `cache` was used with the same sizes.
    ///
    /// A loop over it is a run over the whole sequence:
    ///
    /// ```
    /// use bptt::initializers::Init;
    /// use bptt::layer::{Forward, Layer, Pass};
    /// use bptt::layers::Lstm;
    /// use bptt::random::Key;
    /// use bptt::recurrent::RnnCache;
    /// use bptt::tensor::{Form, State, Tensor};
    /// use ndarray::{Array3, Axis};
    ///
    /// let layer = Lstm::new(8);
    /// let weights = layer.build(Form::sequence(None, 3), &mut Init::new(Key::new(1)))?;
    /// let x = Array3::from_shape_fn((20, 1, 3), |(t, _, d)| ((3 * t + d) as f32).sin());
    ///
    /// let (mut state, mut cache) = (State::zeros(1, layer.states::<f32>()), RnnCache::default());
    /// for x in x.axis_iter(Axis(0)) {
    ///     layer.step(&weights, x, &mut state, &mut cache);
    /// }
    ///
    /// let (x, mut whole, mut cache) = (Tensor::Sequence(x), Tensor::default(), RnnCache::default());
    /// layer.forward(&weights, Forward::new(&x, &mut whole, &mut cache, Pass::inference()));
    /// for (streamed, whole) in state.parts[0].iter().zip(whole.rows()) {
    ///     assert!((streamed - whole).abs() < 1e-6);
    /// }
    /// # Ok::<(), bptt::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the state does not have B rows of the layer's [`states`](Rnn::states), or x another width than the weights were
    /// built for.
    pub fn step<F: Scalar>(
        &self,
        weights: &C::Weights,
        x: ArrayView2<'_, F>,
        state: &mut State<F>,
        cache: &mut RnnCache<F, C>,
    ) where
        C: Cell<F>,
    {
        state.expect_size(x.nrows(), self.cell.states());
        if !x.is_empty() {
            self.cell.advance(weights, x, state, &mut cache.memory);
        }
    }

    fn driver<F: Scalar>(&self) -> Driver<'_>
    where
        C: Cell<F>,
    {
        let Rnn { cell, options } = self;
        Driver { options, widths: cell.states(), gates: cell.masks(), dropped_width: cell.dropped_width() }
    }
}

impl<C: Describe> Describe for Rnn<C> {
    fn kind() -> &'static str {
        C::kind()
    }
}

impl<F: Scalar, C: Cell<F>> Layer<F> for Rnn<C> {
    type Weights = C::Weights;
    type Cache = RnnCache<F, C>;

    fn output_form(&self, input: Form) -> Result<Form> {
        check_rate("dropout", self.options.dropout)?;
        check_rate("recurrent_dropout", self.options.recurrent_dropout)?;
        let (steps, _) = input.expect_sequence()?;
        self.cell.states().check()?;
        let features = self.cell.states().as_slice()[0];
        check_count("units", features)?;
        let all = self.options.return_sequences;
        Ok(if all { Form::Sequence { steps, features } } else { Form::Vector { features } })
    }

    fn takes_lookups(&self, pass: Pass<'_>) -> bool {
        // Inputs are no rows of a table any more where each step sees them otherwise, or each gate.
        let RnnOptions { dropout, dropout_per_step, recurrent_dropout, .. } = self.options;
        let differ = dropout > 0.0 && (dropout_per_step || recurrent_dropout > 0.0);
        !(pass.training && differ) && self.cell.takes_lookups()
    }

    fn carry(&self) -> Carry {
        if self.options.go_backwards { Carry::Everything } else { Carry::State(self.cell.states()) }
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        self.cell.weight_options(path)
    }

    fn build(&self, input: Form, init: &mut Init) -> Result<C::Weights> {
        self.cell.build(input.expect_sequence()?.1, init)
    }

    /// A sequence without steps leaves the state as it is: the last output is that of the initial state. A batch without
    /// samples gives outputs without rows.
    fn forward(&self, weights: &C::Weights, forward: Forward<'_, F, Self::Cache>) {
        let Forward { x, y, cache, pass, state, kept } = forward;
        match (x, state) {
            // A step by itself has a way of its own, which is much shorter.
            (Tensor::Sequence(steps), Some(state)) if steps.dim().0 == 1 && !pass.training && pass.mask.is_none() => {
                self.step(weights, steps.index_axis(Axis(0), 0), state, cache);
                once::write_output(&self.options, state, y);
            }
            (x, state) => {
                let RnnCache { driver, memory } = cache;
                let forward = Forward { x, y, cache: driver, pass, state, kept };
                once::forward(self.driver(), forward, &mut |run| self.cell.run(weights, run, memory));
            }
        }
    }

    fn backward(&self, weights: &C::Weights, backward: Backward<'_, F, Self::Cache, C::Weights>) {
        let Backward { x, y, dy, dx, cache: RnnCache { driver, memory }, gradients, pass, dstate } = backward;
        let (pass, gradients_elsewhere) = (pass.shorten(), &mut ());
        let backward = Backward { x, y, dy, dx, cache: driver, gradients: gradients_elsewhere, pass, dstate };
        once::backward(self.driver(), backward, &mut |run| self.cell.run_back(weights, run, memory, gradients));
    }

    fn erase(self) -> Arc<dyn DynLayer<F>> {
        C::erase_layer(self)
    }
}
