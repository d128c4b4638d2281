//! Cell: one time step of any recurrence, and its adjoint.
//!
//! The loops over time that drive it are in `steps.rs`. A cell with a faster path overrides [`Cell::run`] and
//! [`Cell::run_back`], as [`Gated`](super::Gated) does; tests compare it with the step-by-step loops.

use std::fmt::Debug;
use std::sync::Arc;

use ndarray::{ArrayView2, ArrayView3, ArrayViewMut2, ArrayViewMut3, Axis};

use super::erased::DynCell;
use super::inputs::Seen;
use super::masks::StepMasks;
use super::rnn::Rnn;
use super::series::{Series, SeriesMut, StateSeries};
use super::steps::{Scratch, run_one_step, step_by_step, step_by_step_back};
use crate::error::Result;
use crate::layer::{Describe, DynLayer, Params, Pass, Path, WeightOptions};
use crate::numeric::Scalar;
use crate::tensor::{State, Views, ViewsMut, Widths};
use crate::weights::initializers::Init;

/// One time step of a recurrent layer, and its adjoint.
///
/// State 0 is the output. A cell computes products with [`Step::h`], the output after dropout, and everything else with
/// [`Step::previous`]. [`Cell::step_back`] *adds* its gradients to the existing values, so a cell without some term leaves
/// that gradient alone.
///
/// The [chapter](crate::guide::own_cell#a-cell) writes a cell line by line; [`conformance`](crate::testing::conformance)
/// tests it.
pub trait Cell<F: Scalar>: Describe {
    /// Weights: a struct with [`params!`](crate::params).
    type Weights: Params<F> + Clone + Debug;
    /// Values that one step keeps for its adjoint; each time step has its own.
    type Cache: Default + Send + 'static;
    /// Values that an overridden [`Cell::run`] keeps for a whole sequence; `()` for a cell without one.
    type Workspace: Default + Send + 'static;

    /// Returns the width of each state, the output first.
    fn states(&self) -> Widths;

    /// Number of independent dropout masks for the input, and for the state, with recurrent dropout. Keras has one for each
    /// gate.
    fn masks(&self) -> usize {
        1
    }

    /// Number of columns of the dropout masks of the state: those of the output, or for a cell made of others, those of all
    /// their outputs.
    fn dropped_width(&self) -> usize {
        self.states().as_slice()[0]
    }

    /// Returns new weights for this number of input features, all in standard layout.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) if an option is out of range.
    fn build(&self, inputs: usize, init: &mut Init) -> Result<Self::Weights>;

    /// Returns the regularizer and the constraint of the weight at this path, see
    /// [`Layer::weight_options`](crate::layer::Layer::weight_options).
    fn weight_options(&self, _path: Path<'_>) -> WeightOptions {
        WeightOptions::default()
    }

    /// Computes one time step: writes the next states.
    fn step(&self, weights: &Self::Weights, at: &Step<'_, F>, next: ViewsMut<'_, F>, cache: &mut Self::Cache);

    /// Adds the gradients of inputs, states and weights, given the gradient of the next states.
    fn step_back(
        &self,
        weights: &Self::Weights,
        at: &Step<'_, F>,
        back: StepBack<'_, F>,
        cache: &mut Self::Cache,
        gradients: &mut Self::Weights,
    );

    /// Replaces the state by the next one, without training, for inputs x (B, D). By default a run of one step.
    fn advance(
        &self,
        weights: &Self::Weights,
        x: ArrayView2<'_, F>,
        state: &mut State<F>,
        memory: &mut CellMemory<F, Self>,
    ) {
        run_one_step(self, weights, x, state, memory);
    }

    /// Whether [`Cell::run`] and [`Cell::run_back`] accept inputs as rows of a table, see [`Run::tokens`].
    fn takes_lookups(&self) -> bool {
        false
    }

    /// Runs a whole sequence, by default step by step.
    fn run(&self, weights: &Self::Weights, run: Run<'_, F>, memory: &mut CellMemory<F, Self>) {
        step_by_step(self, weights, run, memory);
    }

    /// Runs a whole sequence backward, by default step by step.
    fn run_back(
        &self,
        weights: &Self::Weights,
        run: RunBack<'_, F>,
        memory: &mut CellMemory<F, Self>,
        gradients: &mut Self::Weights,
    ) {
        step_by_step_back(self, weights, run, memory, gradients);
    }

    /// Returns the cell without its type. Built-in cells compile theirs, and their layers, in this crate.
    #[doc(hidden)]
    fn erase(self) -> Arc<dyn DynCell<F>> {
        Arc::new(self)
    }

    /// Returns the layer of this cell without its type.
    #[doc(hidden)]
    fn erase_layer(layer: Rnn<Self>) -> Arc<dyn DynLayer<F>> {
        Arc::new(layer)
    }
}

/// Inputs, states and masks that one time step reads.
#[derive(Debug)]
#[non_exhaustive]
pub struct Step<'a, F> {
    pub(crate) x: ArrayView3<'a, F>,
    pub(crate) h: Option<ArrayView3<'a, F>>,
    /// Dropout masks of the state (gates, B, columns); `h` was dropped with the first.
    pub(crate) masks: Option<ArrayView3<'a, F>>,
    /// States before the step, without dropout.
    pub previous: Views<'a, F>,
    /// Time step, from 0 in the order in which the layer processes them.
    pub t: usize,
    /// Mode of the pass, and the source of masks for a cell that draws its own: [`Pass::dropout_mask`] with
    /// [`MaskKind::Cell`](crate::layer::MaskKind::Cell). It has no mask of time steps, because the driver applies that.
    pub pass: Pass<'a>,
}

impl<'a, F: Scalar> Step<'a, F> {
    /// Returns the input (B, D) of gate block `gate` after dropout.
    pub fn x(&self, gate: usize) -> ArrayView2<'_, F> {
        self.x.index_axis(Axis(0), gate.min(self.x.dim().0 - 1))
    }

    /// Returns the previous output (B, H) of gate block `gate`, after recurrent dropout, for its product.
    pub fn h(&self, gate: usize) -> ArrayView2<'_, F> {
        match &self.h {
            Some(h) => h.index_axis(Axis(0), gate.min(h.dim().0 - 1)),
            None => self.previous.view(0),
        }
    }
}

/// States that one step made, and gradients. The step adds to the gradients of what it read.
#[derive(Debug)]
#[non_exhaustive]
pub struct StepBack<'a, F> {
    /// States after the step.
    pub next: Views<'a, F>,
    /// Gradient of the states after the step, summed over all uses.
    pub dnext: Views<'a, F>,
    /// Gradient of the states before the step, without dropout.
    pub dprevious: ViewsMut<'a, F>,
    pub(crate) dx: ArrayViewMut3<'a, F>,
    pub(crate) dh: ArrayViewMut3<'a, F>,
}

impl<F: Scalar> StepBack<'_, F> {
    /// Returns the gradient of [`Step::x`] of the same gate block.
    pub fn dx(&mut self, gate: usize) -> ArrayViewMut2<'_, F> {
        let gate = gate.min(self.dx.dim().0 - 1);
        self.dx.index_axis_mut(Axis(0), gate)
    }

    /// Returns the gradient of [`Step::h`] of the same gate block.
    pub fn dh(&mut self, gate: usize) -> ArrayViewMut2<'_, F> {
        let gate = gate.min(self.dh.dim().0 - 1);
        self.dh.index_axis_mut(Axis(0), gate)
    }

    /// Reborrows this for an inner cell, which made the states `next` with the gradient `dnext`.
    pub fn inside<'b>(&'b mut self, next: Views<'b, F>, dnext: Views<'b, F>) -> StepBack<'b, F> {
        StepBack { next, dnext, dprevious: self.dprevious.reborrow(), dx: self.dx.view_mut(), dh: self.dh.view_mut() }
    }
}

/// Forward run over a sequence.
#[derive(Debug)]
#[non_exhaustive]
pub struct Run<'a, F> {
    /// Inputs (T, B, D), after dropout unless `masks` holds masks for them; or a table of inputs, see `tokens`.
    pub x: ArrayView3<'a, F>,
    /// Rows of a table, if the inputs are one: `x` is (1, V, D), and sample b gets row `tokens[t, b]` at step t. Only a cell
    /// that [takes lookups](Cell::takes_lookups) gets such inputs.
    pub tokens: Option<ArrayView2<'a, u32>>,
    /// Mask of the time steps (T, B): where it is false, the states stay unchanged.
    pub mask: Option<ArrayView2<'a, bool>>,
    /// States, of which the initial one is set.
    pub states: SeriesMut<'a, F>,
    /// Output of each step (T, B, H), to be written, if all are requested.
    pub outputs: Option<ArrayViewMut3<'a, F>>,
    /// Masks that differ by gate or belong to the state. [`Step::x`] and [`Step::h`] apply them for [`Cell::step`].
    pub masks: StepMasks<'a, F>,
    /// Pass given to each step, see [`Step::pass`].
    pub pass: Pass<'a>,
}

/// Backward run over a sequence.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunBack<'a, F> {
    /// Inputs of the forward run.
    pub x: ArrayView3<'a, F>,
    /// Tokens of the forward run.
    pub tokens: Option<ArrayView2<'a, u32>>,
    /// Mask of the forward run.
    pub mask: Option<ArrayView2<'a, bool>>,
    /// States of the forward run.
    pub states: Series<'a, F>,
    /// Dropout masks of the forward run.
    pub masks: StepMasks<'a, F>,
    /// Pass given to each step.
    pub pass: Pass<'a>,
    /// Gradient of each step's output (T, B, H), if all were requested.
    pub doutputs: Option<ArrayView3<'a, F>>,
    /// Gradient of `x`, to be written.
    pub dx: Option<ArrayViewMut3<'a, F>>,
    /// Gradient of the final states; replaced by that of the initial ones.
    pub dstates: &'a mut State<F>,
}

impl<F: Scalar> Run<'_, F> {
    /// Reborrows the run, for a cell that continues after [`step_by_step`](super::step_by_step).
    pub fn reborrow(&mut self) -> Run<'_, F> {
        Run {
            x: self.x.reborrow(),
            tokens: self.tokens.map(|tokens| tokens.reborrow()),
            mask: self.mask.map(|mask| mask.reborrow()),
            states: self.states.reborrow(),
            outputs: self.outputs.as_mut().map(|outputs| outputs.view_mut()),
            masks: self.masks,
            pass: self.pass.shorten(),
        }
    }

    /// Returns the number of steps T and of samples B.
    pub fn steps(&self) -> (usize, usize) {
        Seen { x: self.x, tokens: self.tokens, mask: None }.steps()
    }
}

impl<F: Scalar> RunBack<'_, F> {
    /// Returns the number of steps T and of samples B.
    pub fn steps(&self) -> (usize, usize) {
        Seen { x: self.x, tokens: self.tokens, mask: None }.steps()
    }
}

/// Values that a cell keeps from its forward to its backward pass, and the scratch memory of the loops.
pub struct CellMemory<F: Scalar, C: Cell<F>> {
    /// One cache for each step, or a single one without a backward pass.
    pub steps: Vec<C::Cache>,
    /// Workspace of the cell for a whole sequence.
    pub workspace: C::Workspace,
    /// States around a single step.
    pub(super) series: StateSeries<F>,
    pub(super) scratch: Scratch<F>,
}

impl<F: Scalar, C: Cell<F>> std::fmt::Debug for CellMemory<F, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CellMemory").field("steps", &self.steps.len()).finish_non_exhaustive()
    }
}

impl<F: Scalar, C: Cell<F>> Default for CellMemory<F, C> {
    fn default() -> Self {
        CellMemory {
            steps: Vec::new(),
            workspace: C::Workspace::default(),
            series: StateSeries::default(),
            scratch: Scratch::default(),
        }
    }
}
