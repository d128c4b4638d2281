//! The driver: makes a layer of a cell. It owns what all cells share: the states of a sequence, dropout, and whether all
//! outputs or the last one go on.
//!
//! Dropout without recurrent dropout has one mask for all gates, which is applied to the inputs before the cell sees them;
//! with recurrent dropout every gate has its own, which only the step can apply. Both as in Keras.

use ndarray::{Array3, ArrayView2, ArrayView3, Axis, Zip};
use serde::{Deserialize, Serialize};

use super::cell::{Cell, CellMemory, Run, RunBack, StepMasks, fill_masks, steps_and_batch};
use super::state::{State, StateSeries, Widths};
use crate::error::Result;
use crate::initializer::Init;
use crate::layer::{Describe, Layer, MaskKind, Pass, check_count, check_rate};
use crate::params::Path;
use crate::scalar::Scalar;
use crate::tensor::{Form, Tensor, resize};
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
///
/// Masks are drawn for each sample and, by default, shared by all steps (Gal and Ghahramani 2016), as in Keras 3. With
/// `recurrent_dropout`, input and state have a mask for each gate.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "C: Describe")]
pub struct Rnn<C> {
    pub(crate) cell: C,
    return_sequences: bool,
    dropout: f64,
    recurrent_dropout: f64,
    dropout_per_step: bool,
}

impl<C> Rnn<C> {
    /// The layer of this cell.
    pub fn from_cell(cell: C) -> Self {
        Rnn { cell, return_sequences: false, dropout: 0.0, recurrent_dropout: 0.0, dropout_per_step: false }
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

    /// The cell.
    pub fn cell(&self) -> &C {
        &self.cell
    }

    /// Changes the cell's options.
    pub(crate) fn with_cell(self, change: impl FnOnce(C) -> C) -> Self {
        Rnn { cell: change(self.cell), ..self }
    }
}

/// What a recurrent layer keeps from a forward to its backward pass.
pub struct RnnCache<F: Scalar, C: Cell<F>> {
    states: StateSeries<F>,
    /// The mask of the inputs where all gates share it: (1 or T, B, D).
    input_mask: Array3<F>,
    /// The inputs times that mask (T, B, D).
    dropped: Array3<F>,
    step_masks: StepMasks<F>,
    dstates: State<F>,
    memory: CellMemory<F, C>,
}

impl<F: Scalar, C: Cell<F>> Default for RnnCache<F, C> {
    fn default() -> Self {
        RnnCache {
            states: StateSeries::default(),
            input_mask: Array3::default((0, 0, 0)),
            dropped: Array3::default((0, 0, 0)),
            step_masks: StepMasks::default(),
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

/// The inputs as a cell's run takes them: a sequence, or a table with the tokens that stand for its rows.
fn inputs_of<F: Scalar>(x: &Tensor<F>) -> (ArrayView3<'_, F>, Option<ArrayView2<'_, u32>>) {
    match x {
        Tensor::Lookup(lookup) => (lookup.table.view(), Some(lookup.tokens.view())),
        x => (x.sequence().view(), None),
    }
}

/// Multiplies each step by its mask, or all steps by the only one.
fn apply_mask<F: Scalar>(mask: &Array3<F>, sequence: &mut Array3<F>) {
    for (t, mut step) in sequence.outer_iter_mut().enumerate() {
        step *= &mask.index_axis(Axis(0), t.min(mask.dim().0 - 1));
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
        let (x, tokens) = inputs_of(x);
        let (steps, batch) = steps_and_batch(&x, &tokens);
        let widths = self.cell.states();
        let units = widths.as_slice()[0];
        for state in initial.into_iter().chain(last.as_deref()) {
            state.expect_size(batch, widths);
        }
        cache.states.reset(steps, batch, widths, pass.training, initial);
        self.draw_masks(x, cache, pass);
        let run = Run {
            x: if self.drops_inputs_before_cell(pass) { cache.dropped.view() } else { x },
            tokens,
            states: &mut cache.states,
            outputs: self.return_sequences.then(|| y.as_sequence(steps, batch, units).view_mut()),
            masks: &cache.step_masks,
        };
        // Cells need not know of sequences in which there is nothing to do.
        if steps > 0 && batch > 0 {
            self.cell.run(weights, run, &mut cache.memory);
        }
        if !self.return_sequences {
            let y = y.as_vector(batch, units);
            if batch > 0 {
                y.assign(&cache.states.before(steps).view(0));
            }
        }
        if let Some(last) = last {
            cache.states.copy_final(steps, last);
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
        assert!(cache.states.keeps_all(), "a backward pass needs a forward pass of training before it");
        let (x, tokens) = inputs_of(x);
        let (steps, batch) = steps_and_batch(&x, &tokens);
        for state in dlast.into_iter().chain(dinitial.as_deref()) {
            state.expect_size(batch, self.cell.states());
        }
        cache.dstates.reset(batch, self.cell.states());
        if let Some(dlast) = dlast {
            for (sum, part) in cache.dstates.parts.iter_mut().zip(&dlast.parts) {
                *sum += part;
            }
        }
        let doutputs = match dy {
            Tensor::Sequence(dy) => Some(dy.view()),
            _ => {
                cache.dstates.parts[0] += &dy.rows();
                None
            }
        };
        let mut dx = dx.map(|dx| dx.as_sequence(x.dim().0, x.dim().1, x.dim().2));
        let run = RunBack {
            x: if self.drops_inputs_before_cell(pass) { cache.dropped.view() } else { x },
            tokens,
            states: &cache.states,
            masks: &cache.step_masks,
            doutputs,
            dx: dx.as_mut().map(|dx| dx.view_mut()),
            dstates: &mut cache.dstates,
        };
        if steps > 0 && batch > 0 {
            self.cell.run_back(weights, run, &mut cache.memory, gradients);
        }
        if let Some(dx) = dx.filter(|_| self.drops_inputs_before_cell(pass)) {
            apply_mask(&cache.input_mask, dx);
        }
        if let Some(dinitial) = dinitial {
            for (to, part) in dinitial.parts.iter_mut().zip(&cache.dstates.parts) {
                to.assign(part);
            }
        }
    }

    /// All gates share the input's mask, so it is applied once, before the cell.
    fn drops_inputs_before_cell(&self, pass: Pass<'_>) -> bool {
        pass.training && self.dropout > 0.0 && self.recurrent_dropout == 0.0
    }

    fn draw_masks<F: Scalar>(&self, x: ArrayView3<'_, F>, cache: &mut RnnCache<F, C>, pass: Pass<'_>)
    where
        C: Cell<F>,
    {
        let (steps, batch, features) = x.dim();
        let periods = if self.dropout_per_step { steps } else { 1 };
        cache.step_masks.clear();
        if self.drops_inputs_before_cell(pass) {
            fill_masks(&mut cache.input_mask, MaskKind::Input, self.dropout, (periods, 1, batch, features), pass);
            resize(&mut cache.dropped, x.raw_dim());
            Zip::from(&mut cache.dropped).and(x).for_each(|dropped, &x| *dropped = x);
            apply_mask(&cache.input_mask, &mut cache.dropped);
        } else if pass.training && self.recurrent_dropout > 0.0 {
            let gates = self.cell.masks();
            let units = self.cell.states().as_slice()[0];
            if self.dropout > 0.0 {
                cache.step_masks.draw(MaskKind::Input, self.dropout, (periods, gates, batch, features), pass);
            }
            cache.step_masks.draw(MaskKind::State, self.recurrent_dropout, (1, gates, batch, units), pass);
        }
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
        check_rate("dropout", self.dropout)?;
        check_rate("recurrent_dropout", self.recurrent_dropout)?;
        let (steps, _) = input.expect_sequence()?;
        let features = self.cell.states().as_slice()[0];
        check_count("units", features)?;
        Ok(if self.return_sequences { Form::Sequence { steps, features } } else { Form::Vector { features } })
    }

    fn takes_lookups(&self, pass: Pass<'_>) -> bool {
        let drops = pass.training && (self.dropout > 0.0 || self.recurrent_dropout > 0.0);
        !drops && self.cell.takes_lookups()
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
