//! Recurrent layer over a cell; `driver.rs` runs it.

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

/// Recurrent layer over any [`Cell`].
///
/// # Shapes
///
/// Sequences (T, B, D) become the last output (B, H), or with `return_sequences` all outputs (T, B, H). The weights are
/// those of the cell.
///
/// # Options
///
/// | name | default | purpose | range |
/// | --- | --- | --- | --- |
/// | `return_sequences` | false | return the output of every time step instead of the last one | |
/// | `dropout` | 0 | fraction of the inputs to drop in training | 0 ≤ rate < 1 |
/// | `recurrent_dropout` | 0 | fraction of the hidden state to drop in training | 0 ≤ rate < 1 |
/// | `dropout_per_step` | false | draw a new input mask at each time step, as in tf.keras 2 | |
/// | `go_backwards` | false | process the last time step first; outputs have that order, as in Keras | |
/// | `zero_output_for_mask` | false | put out zeros instead of the previous output at masked time steps | |
///
/// Dropout masks are drawn for each sample and, by default, shared by all time steps (Gal and Ghahramani 2016), as in Keras
/// 3. With `recurrent_dropout`, each gate has its own masks for input and state.
///
/// # Masks
///
/// Where the mask of the input ([`Pass::mask`]) leaves out a time step, state and output stay unchanged.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rnn<C> {
    cell: C,
    options: RnnOptions,
}

impl<C> Rnn<C> {
    /// Returns a layer over this cell.
    pub fn from_cell(cell: C) -> Self {
        Rnn { cell, options: RnnOptions::default() }
    }

    fn with_options(mut self, change: impl FnOnce(&mut RnnOptions)) -> Self {
        change(&mut self.options);
        self
    }

    /// Sets whether to return the output of every time step instead of the last one.
    pub fn return_sequences(self, return_sequences: bool) -> Self {
        self.with_options(|options| options.return_sequences = return_sequences)
    }

    /// Sets the fraction of the inputs to drop in training.
    pub fn dropout(self, dropout: f64) -> Self {
        self.with_options(|options| options.dropout = dropout)
    }

    /// Sets the fraction of the hidden state to drop, in training, before the product with the recurrent kernel.
    pub fn recurrent_dropout(self, recurrent_dropout: f64) -> Self {
        self.with_options(|options| options.recurrent_dropout = recurrent_dropout)
    }

    /// Sets whether each time step draws its own mask for the inputs, as in tf.keras 2.
    pub fn dropout_per_step(self, dropout_per_step: bool) -> Self {
        self.with_options(|options| options.dropout_per_step = dropout_per_step)
    }

    /// Sets whether to process the last time step first. Outputs of all steps then start with that of the last step.
    pub fn go_backwards(self, go_backwards: bool) -> Self {
        self.with_options(|options| options.go_backwards = go_backwards)
    }

    /// Sets whether masked time steps put out zeros instead of the previous output.
    pub fn zero_output_for_mask(self, zero_output_for_mask: bool) -> Self {
        self.with_options(|options| options.zero_output_for_mask = zero_output_for_mask)
    }

    /// Returns the cell.
    pub fn cell(&self) -> &C {
        &self.cell
    }

    /// Returns the cell without the layer's own options.
    pub fn into_cell(self) -> C {
        self.cell
    }

    /// Returns the layer as one direction of a bidirectional one: as in Keras, it puts out zeros at masked time steps.
    pub(super) fn in_direction(self, backwards: bool) -> Self {
        let zero = self.options.return_sequences;
        self.go_backwards(backwards).zero_output_for_mask(zero)
    }

    /// Changes the options of the cell.
    pub(crate) fn with_cell(self, change: impl FnOnce(C) -> C) -> Self {
        Rnn { cell: change(self.cell), options: self.options }
    }
}

/// Values that a recurrent layer keeps from its forward to its backward pass.
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
    /// Returns the widths of the layer's states, the output first.
    pub fn states<F: Scalar>(&self) -> Widths
    where
        C: Cell<F>,
    {
        self.cell.states()
    }

    /// Runs one time step without training: takes x (B, D), usually of one sample, and replaces the state by the next one,
    /// whose first part is the output. It allocates nothing once `cache` was used with the same sizes.
    ///
    /// A loop over `step` equals a run over the whole sequence:
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
    /// If the state does not have B rows of the layer's [`states`](Rnn::states), or the width of x is not that for which the
    /// weights were built.
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
        // Inputs cannot stay rows of a table if each step or each gate has its own mask for them.
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

    /// A sequence without steps returns the output of the initial state and leaves the state unchanged. A batch without
    /// samples gives outputs without rows.
    fn forward(&self, weights: &C::Weights, forward: Forward<'_, F, Self::Cache>) {
        let Forward { x, y, cache, pass, state, kept } = forward;
        match (x, state) {
            // A single step has a shorter path.
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
