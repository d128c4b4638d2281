//! The driver: makes a layer of a cell. It owns what all cells share: the states of a sequence, the order of time, dropout,
//! and whether all outputs or the last one go on.
//!
//! Dropout without recurrent dropout has one mask for all gates, which is applied to the inputs before the cell sees them;
//! with recurrent dropout every gate has its own, which only the step can apply. Both as in Keras.

use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::cell::{Cell, CellMemory, Run, RunBack};
use super::inputs::{Inputs, Order, Seen};
use super::masks::DrawnMasks;
use super::state::{State, StateSeries, Widths};
use crate::error::Result;
use crate::initializer::Init;
use crate::layer::{Carry, Describe, Layer, MaskKind, Pass, check_count, check_rate};
use crate::params::Path;
use crate::scalar::Scalar;
use crate::tensor::{Form, Tensor, slice_mut};
use crate::weight_options::WeightOptions;

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
#[serde(deny_unknown_fields, bound = "C: Describe")]
pub struct Rnn<C> {
    pub(crate) cell: C,
    return_sequences: bool,
    dropout: f64,
    recurrent_dropout: f64,
    dropout_per_step: bool,
    #[serde(default)]
    go_backwards: bool,
    #[serde(default)]
    zero_output_for_mask: bool,
}

impl<C> Rnn<C> {
    /// The layer of this cell.
    pub fn from_cell(cell: C) -> Self {
        Rnn {
            cell,
            return_sequences: false,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            dropout_per_step: false,
            go_backwards: false,
            zero_output_for_mask: false,
        }
    }

    /// Whether every step's output is handed on, or only the last.
    pub fn return_sequences(self, return_sequences: bool) -> Self {
        Rnn { return_sequences, ..self }
    }

    /// The part of the inputs that is dropped in training.
    pub fn dropout(self, dropout: f64) -> Self {
        Rnn { dropout, ..self }
    }

    /// The part of the state that is dropped, in training, from what the recurrent kernel multiplies.
    pub fn recurrent_dropout(self, recurrent_dropout: f64) -> Self {
        Rnn { recurrent_dropout, ..self }
    }

    /// Whether the input's mask is drawn anew at each time step, as tf.keras 2 did.
    pub fn dropout_per_step(self, dropout_per_step: bool) -> Self {
        Rnn { dropout_per_step, ..self }
    }

    /// Whether the last step comes first. The outputs of all steps then start with that of the last one.
    pub fn go_backwards(self, go_backwards: bool) -> Self {
        Rnn { go_backwards, ..self }
    }

    /// Whether steps that the mask leaves out put out zero instead of the output before them.
    pub fn zero_output_for_mask(self, zero_output_for_mask: bool) -> Self {
        Rnn { zero_output_for_mask, ..self }
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
        Rnn { go_backwards: backwards, zero_output_for_mask: self.return_sequences, ..self }
    }

    /// Changes the cell's options.
    pub(crate) fn with_cell(self, change: impl FnOnce(C) -> C) -> Self {
        Rnn { cell: change(self.cell), ..self }
    }
}

/// What a recurrent layer keeps from a forward to its backward pass.
pub struct RnnCache<F: Scalar, C: Cell<F>> {
    states: StateSeries<F>,
    inputs: Inputs<F>,
    /// The gradient of the outputs without those that were set to zero.
    doutputs: Tensor<F>,
    step_masks: DrawnMasks<F>,
    dstates: State<F>,
    memory: CellMemory<F, C>,
}

impl<F: Scalar, C: Cell<F>> Default for RnnCache<F, C> {
    fn default() -> Self {
        RnnCache {
            states: StateSeries::default(),
            inputs: Inputs::default(),
            doutputs: Tensor::default(),
            step_masks: DrawnMasks::default(),
            dstates: State { parts: Vec::new() },
            memory: CellMemory::default(),
        }
    }
}

impl<F: Scalar, C: Cell<F>> std::fmt::Debug for RnnCache<F, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RnnCache").field("memory", &self.memory).finish_non_exhaustive()
    }
}

/// Sets the rows of outputs to zero that a mask leaves out: of all steps, or of the last one.
fn clear_left_out<F: Scalar>(seen: Seen<'_, F>, outputs: &mut Tensor<F>) {
    let Some(mask) = seen.mask else { return };
    let last = mask.nrows().saturating_sub(1);
    let first = if matches!(outputs, Tensor::Sequence(_)) { 0 } else { last };
    let mut rows = outputs.rows_mut();
    for (counts, mut row) in mask.outer_iter().skip(first).flatten().zip(rows.outer_iter_mut()) {
        if !counts {
            row.fill(F::zero());
        }
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
    /// use bptt::{Form, Init, Key, Layer, Lstm, Pass, RnnCache, State, Tensor};
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
    /// let mut whole = Tensor::default();
    /// layer.forward(&weights, &Tensor::Sequence(x), &mut whole, &mut RnnCache::default(), Pass::inference());
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

    /// [`Layer::forward`] from a given state (zero if `None`); writes the final one into `last`, which has the size of
    /// the batch already.
    ///
    /// A sequence without steps leaves the state as it is: the last output is that of the initial state. A batch without
    /// samples gives outputs without rows.
    ///
    /// # Panics
    ///
    /// If `initial` or `last` has not one (B, width) matrix for each state of the cell.
    #[allow(clippy::too_many_arguments, reason = "those of Layer::forward and the two states")]
    pub fn forward_from<F: Scalar>(
        &self,
        weights: &C::Weights,
        x: &Tensor<F>,
        initial: Option<&State<F>>,
        y: &mut Tensor<F>,
        last: Option<&mut State<F>>,
        cache: &mut RnnCache<F, C>,
        pass: Pass<'_>,
    ) where
        C: Cell<F>,
    {
        let got = Seen::of(x, pass.mask);
        let (steps, batch) = got.steps();
        let widths = self.cell.states();
        let units = widths.as_slice()[0];
        for state in initial.into_iter().chain(last.as_deref()) {
            state.expect_size(batch, widths);
        }
        cache.states.reset(steps, batch, widths, pass.training, initial);
        cache.inputs.arrange(got, self.order(pass), pass);
        self.draw_masks(got, cache, pass);
        let seen = cache.inputs.seen(got);
        let run = Run {
            x: seen.x,
            tokens: seen.tokens,
            mask: seen.mask,
            states: cache.states.view_mut(),
            outputs: self.return_sequences.then(|| y.as_sequence(steps, batch, units).view_mut()),
            masks: cache.step_masks.view(),
            pass: pass.masked(None),
        };
        // Cells need not know of sequences in which there is nothing to do.
        if steps > 0 && batch > 0 {
            self.cell.run(weights, run, &mut cache.memory);
        }
        if !self.return_sequences {
            let y = y.as_vector(batch, units);
            if batch > 0 {
                y.assign(&cache.states.view().before(steps).view(0));
            }
        }
        if self.zero_output_for_mask {
            clear_left_out(seen, y);
        }
        if let Some(last) = last {
            cache.states.copy_after(steps, last);
        }
    }

    /// [`Layer::backward`] that also takes the gradient of the final state (zero if `None`) and writes that of the
    /// initial one into `dinitial`, which has the size of the batch already.
    ///
    /// # Panics
    ///
    /// If no forward pass of training was made with this cache, or if `dlast` or `dinitial` has not one (B, width) matrix
    /// for each state of the cell.
    #[allow(clippy::too_many_arguments, reason = "those of Layer::backward and the two states")]
    pub fn backward_from<F: Scalar>(
        &self,
        weights: &C::Weights,
        x: &Tensor<F>,
        dy: &Tensor<F>,
        dlast: Option<&State<F>>,
        dx: Option<&mut Tensor<F>>,
        dinitial: Option<&mut State<F>>,
        cache: &mut RnnCache<F, C>,
        gradients: &mut C::Weights,
        pass: Pass<'_>,
    ) where
        C: Cell<F>,
    {
        assert!(cache.states.view().keeps_all(), "a backward pass needs a forward pass of training before it");
        let got = Seen::of(x, pass.mask);
        let (steps, batch) = got.steps();
        for state in dlast.into_iter().chain(dinitial.as_deref()) {
            state.expect_size(batch, self.cell.states());
        }
        cache.dstates.reset(batch, self.cell.states());
        if let Some(dlast) = dlast {
            for (sum, part) in cache.dstates.parts.iter_mut().zip(&dlast.parts) {
                *sum += part;
            }
        }
        let seen = cache.inputs.seen(got);
        let dy = if self.zero_output_for_mask && seen.mask.is_some() {
            cache.doutputs.copy(dy);
            clear_left_out(seen, &mut cache.doutputs);
            &cache.doutputs
        } else {
            dy
        };
        let doutputs = match dy {
            Tensor::Sequence(dy) => Some(dy.view()),
            _ => {
                cache.dstates.parts[0] += &dy.rows();
                None
            }
        };
        let mut dx = dx.map(|dx| seen.size_gradient(dx));
        let run = RunBack {
            x: seen.x,
            tokens: seen.tokens,
            mask: seen.mask,
            states: cache.states.view(),
            masks: cache.step_masks.view(),
            pass: pass.masked(None),
            doutputs,
            dx: dx.as_mut().map(|dx| dx.view_mut()),
            dstates: &mut cache.dstates,
        };
        if steps > 0 && batch > 0 {
            self.cell.run_back(weights, run, &mut cache.memory, gradients);
        } else if let Some(dx) = &mut dx {
            // Nobody saw a row of a table.
            dx.fill(F::zero());
        }
        if let Some(dx) = dx {
            cache.inputs.give_back(x, dx);
        }
        if let Some(dinitial) = dinitial {
            for (to, part) in dinitial.parts.iter_mut().zip(&cache.dstates.parts) {
                to.assign(part);
            }
        }
    }

    /// How the cell sees its inputs. If all gates share the dropout mask, it is applied once, before the cell.
    fn order(&self, pass: Pass<'_>) -> Order {
        let drops = pass.training && self.dropout > 0.0 && self.recurrent_dropout == 0.0;
        Order { backwards: self.go_backwards, dropout: drops.then_some((self.dropout, self.dropout_per_step)) }
    }

    /// Draws the masks that only a step can apply.
    fn draw_masks<F: Scalar>(&self, got: Seen<'_, F>, cache: &mut RnnCache<F, C>, pass: Pass<'_>)
    where
        C: Cell<F>,
    {
        cache.step_masks.clear();
        if pass.training && self.recurrent_dropout > 0.0 {
            let ((steps, batch), features) = (got.steps(), got.x.dim().2);
            let gates = self.cell.masks();
            let width = self.cell.dropped_width();
            if self.dropout > 0.0 {
                let periods = if self.dropout_per_step { steps } else { 1 };
                cache.step_masks.draw(MaskKind::Input, self.dropout, (periods, gates, batch, features), pass);
            }
            cache.step_masks.draw(MaskKind::State, self.recurrent_dropout, (1, gates, batch, width), pass);
        }
    }
}

impl<C: Describe> Describe for Rnn<C> {
    fn kind() -> &'static str {
        C::kind()
    }

    fn full_kind() -> String {
        C::full_kind()
    }
}

impl<F: Scalar, C: Cell<F>> Layer<F> for Rnn<C> {
    type Weights = C::Weights;
    type Cache = RnnCache<F, C>;

    fn output_form(&self, input: Form) -> Result<Form> {
        check_rate("dropout", self.dropout)?;
        check_rate("recurrent_dropout", self.recurrent_dropout)?;
        let (steps, _) = input.expect_sequence()?;
        self.cell.states().check()?;
        let features = self.cell.states().as_slice()[0];
        check_count("units", features)?;
        Ok(if self.return_sequences { Form::Sequence { steps, features } } else { Form::Vector { features } })
    }

    fn takes_lookups(&self, pass: Pass<'_>) -> bool {
        // Inputs are no rows of a table any more where each step sees them otherwise, or each gate.
        let differ = self.dropout > 0.0 && (self.dropout_per_step || self.recurrent_dropout > 0.0);
        !(pass.training && differ) && self.cell.takes_lookups()
    }

    fn carry(&self) -> Carry {
        if self.go_backwards { Carry::Everything } else { Carry::State(self.cell.states()) }
    }

    fn resume(
        &self,
        w: &C::Weights,
        x: &Tensor<F>,
        y: &mut Tensor<F>,
        state: &mut State<F>,
        kept: usize,
        cache: &mut Self::Cache,
        pass: Pass<'_>,
    ) {
        match x {
            // A step by itself has a way of its own, which is much shorter.
            Tensor::Sequence(steps) if steps.dim().0 == 1 && !pass.training && pass.mask.is_none() => {
                self.step(w, steps.index_axis(Axis(0), 0), state, cache);
                let (batch, units) = state.parts[0].dim();
                let y = if self.return_sequences {
                    slice_mut(y.as_sequence(1, batch, units))
                } else {
                    slice_mut(y.as_vector(batch, units))
                };
                state.copy_output(y);
            }
            _ => {
                self.forward_from(w, x, Some(state), y, None, cache, pass);
                cache.states.copy_after(kept, state);
            }
        }
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        self.cell.weight_options(path)
    }

    fn build(&self, input: Form, init: &mut Init) -> Result<C::Weights> {
        self.cell.build(input.expect_sequence()?.1, init)
    }

    fn forward(&self, w: &C::Weights, x: &Tensor<F>, y: &mut Tensor<F>, cache: &mut Self::Cache, pass: Pass<'_>) {
        self.forward_from(w, x, None, y, None, cache, pass);
    }

    fn backward(
        &self,
        w: &C::Weights,
        x: &Tensor<F>,
        _: &Tensor<F>,
        dy: &Tensor<F>,
        dx: Option<&mut Tensor<F>>,
        cache: &mut Self::Cache,
        gradients: &mut C::Weights,
        pass: Pass<'_>,
    ) {
        self.backward_from(w, x, dy, None, dx, None, cache, gradients, pass);
    }
}
