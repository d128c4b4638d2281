//! The cell: one time step and its adjoint, for any recurrence.
//!
//! The loops over time that drive it are in `steps.rs`. A cell that can do better overrides [`Cell::run`] and
//! [`Cell::run_back`], as [`Gated`](super::Gated) does; tests hold the two together.

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
/// Law: state 0 is the output. A cell computes products with [`Step::h`], the output dropped out, and everything else
/// with [`Step::previous`]; only it knows which is which. Everything that [`Cell::step_back`] hands back is *added* to
/// what is there, so a term that a cell does not have needs no line.
///
/// The [chapter](crate::guide::own_cell#a-cell) writes one line by line, and [`conformance`](crate::testing::conformance) tests it.
pub trait Cell<F: Scalar>: Describe {
    /// The weights: a struct with [`params!`](crate::params).
    type Weights: Params<F> + Clone + Debug;
    /// What one step keeps for its adjoint; there is one for each step.
    type Cache: Default + Send + 'static;
    /// What an overridden [`Cell::run`] keeps for a whole sequence; `()` for a cell that has none.
    type Workspace: Default + Send + 'static;

    /// The width of each state, the output first.
    fn states(&self) -> Widths;

    /// How many independent masks dropout has for the input, and for the state, once there is recurrent dropout: Keras
    /// has one for each gate.
    fn masks(&self) -> usize {
        1
    }

    /// How many columns the dropout masks of the state have: those of the output, which come first, and for a cell that is
    /// made of others those of their outputs.
    fn dropped_width(&self) -> usize {
        self.states().as_slice()[0]
    }

    /// New weights for `inputs` features, all in standard layout.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) if an option is out of range.
    fn build(&self, inputs: usize, init: &mut Init) -> Result<Self::Weights>;

    /// The regularizer and the constraint of the weight at this path: see
    /// [`Layer::weight_options`](crate::layer::Layer::weight_options).
    fn weight_options(&self, _path: Path<'_>) -> WeightOptions {
        WeightOptions::default()
    }

    /// Writes the next states.
    fn step(&self, weights: &Self::Weights, at: &Step<'_, F>, next: ViewsMut<'_, F>, cache: &mut Self::Cache);

    /// Adds the gradients of inputs, states and weights, from the gradient of the next states.
    fn step_back(
        &self,
        weights: &Self::Weights,
        at: &Step<'_, F>,
        back: StepBack<'_, F>,
        cache: &mut Self::Cache,
        gradients: &mut Self::Weights,
    );

    /// Replaces the state by the next one, without training, for inputs x (B, D): by default a run of one step.
    fn advance(
        &self,
        weights: &Self::Weights,
        x: ArrayView2<'_, F>,
        state: &mut State<F>,
        memory: &mut CellMemory<F, Self>,
    ) {
        run_one_step(self, weights, x, state, memory);
    }

    /// Whether [`Cell::run`] and [`Cell::run_back`] take inputs as rows of a table: see [`Run::tokens`].
    fn takes_lookups(&self) -> bool {
        false
    }

    /// Runs a whole sequence: by default step by step.
    fn run(&self, weights: &Self::Weights, run: Run<'_, F>, memory: &mut CellMemory<F, Self>) {
        step_by_step(self, weights, run, memory);
    }

    /// Runs a whole sequence back: by default step by step.
    fn run_back(
        &self,
        weights: &Self::Weights,
        run: RunBack<'_, F>,
        memory: &mut CellMemory<F, Self>,
        gradients: &mut Self::Weights,
    ) {
        step_by_step_back(self, weights, run, memory, gradients);
    }

    /// The cell without its type. Built-in cells have theirs made in the crate, where it is compiled; so have their layers.
    #[doc(hidden)]
    fn erase(self) -> Arc<dyn DynCell<F>> {
        Arc::new(self)
    }

    /// The layer of this cell without its type.
    #[doc(hidden)]
    fn erase_layer(layer: Rnn<Self>) -> Arc<dyn DynLayer<F>> {
        Arc::new(layer)
    }
}

/// Where a step stands and what it reads.
#[derive(Debug)]
#[non_exhaustive]
pub struct Step<'a, F> {
    pub(crate) x: ArrayView3<'a, F>,
    pub(crate) h: Option<ArrayView3<'a, F>>,
    /// The masks of the state (gates, B, columns), of which `h` was dropped out with the first.
    pub(crate) masks: Option<ArrayView3<'a, F>>,
    /// The states before the step, as they are carried.
    pub previous: Views<'a, F>,
    /// The time step, from 0 in the order in which the layer goes through them.
    pub t: usize,
    /// Whether this is training, and where a cell that draws masks of its own gets them: see [`Pass::dropout_mask`] with
    /// [`MaskKind::Cell`](crate::layer::MaskKind::Cell). The mask of a step, if there is one, is not among it, for the driver sees
    /// to that.
    pub pass: Pass<'a>,
}

impl<'a, F: Scalar> Step<'a, F> {
    /// The input (B, D) for gate block `gate`: dropped out, each gate with its own mask if there are such.
    pub fn x(&self, gate: usize) -> ArrayView2<'_, F> {
        self.x.index_axis(Axis(0), gate.min(self.x.dim().0 - 1))
    }

    /// The previous output (B, H) for the product of gate block `gate`: dropped out with recurrent dropout.
    pub fn h(&self, gate: usize) -> ArrayView2<'_, F> {
        match &self.h {
            Some(h) => h.index_axis(Axis(0), gate.min(h.dim().0 - 1)),
            None => self.previous.view(0),
        }
    }
}

/// What one step has made, and its gradients. Those of what it read are to be added to.
#[derive(Debug)]
#[non_exhaustive]
pub struct StepBack<'a, F> {
    /// The states after the step.
    pub next: Views<'a, F>,
    /// The gradient of the states after the step, all uses counted.
    pub dnext: Views<'a, F>,
    /// The gradient of the states before it, as they are carried.
    pub dprevious: ViewsMut<'a, F>,
    pub(crate) dx: ArrayViewMut3<'a, F>,
    pub(crate) dh: ArrayViewMut3<'a, F>,
}

impl<F: Scalar> StepBack<'_, F> {
    /// The gradient of [`Step::x`] of the same gate block.
    pub fn dx(&mut self, gate: usize) -> ArrayViewMut2<'_, F> {
        let gate = gate.min(self.dx.dim().0 - 1);
        self.dx.index_axis_mut(Axis(0), gate)
    }

    /// The gradient of [`Step::h`] of the same gate block.
    pub fn dh(&mut self, gate: usize) -> ArrayViewMut2<'_, F> {
        let gate = gate.min(self.dh.dim().0 - 1);
        self.dh.index_axis_mut(Axis(0), gate)
    }

    /// The same for a cell inside this one, which made the states `next`, whose gradient is `dnext`.
    pub fn inside<'b>(&'b mut self, next: Views<'b, F>, dnext: Views<'b, F>) -> StepBack<'b, F> {
        StepBack { next, dnext, dprevious: self.dprevious.reborrow(), dx: self.dx.view_mut(), dh: self.dh.view_mut() }
    }
}

/// A sequence to run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Run<'a, F> {
    /// The inputs (T, B, D), dropped out already unless `masks` holds masks for them; or a table of them, see `tokens`.
    pub x: ArrayView3<'a, F>,
    /// If given, the inputs are rows of a table: `x` is (1, V, D), and sample b gets row `tokens[t, b]` at step t. Only a
    /// cell that [takes lookups](Cell::takes_lookups) gets such inputs.
    pub tokens: Option<ArrayView2<'a, u32>>,
    /// Which steps count, (T, B): where one does not, the states stay what they were.
    pub mask: Option<ArrayView2<'a, bool>>,
    /// The states, of which the initial one is set.
    pub states: SeriesMut<'a, F>,
    /// Where to write the output of each step (T, B, H), if all are asked for.
    pub outputs: Option<ArrayViewMut3<'a, F>>,
    /// The masks that differ by gate or belong to the state. [`Cell::step`] is told of them as [`Step::x`] and [`Step::h`].
    pub masks: StepMasks<'a, F>,
    /// What each step is told: see [`Step::pass`].
    pub pass: Pass<'a>,
}

/// A sequence to run back.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunBack<'a, F> {
    /// The inputs of the run.
    pub x: ArrayView3<'a, F>,
    /// The tokens of the run.
    pub tokens: Option<ArrayView2<'a, u32>>,
    /// The mask of the run.
    pub mask: Option<ArrayView2<'a, bool>>,
    /// The states of the run.
    pub states: Series<'a, F>,
    /// The masks of the run.
    pub masks: StepMasks<'a, F>,
    /// What each step is told.
    pub pass: Pass<'a>,
    /// The gradient of each step's output (T, B, H), if all were asked for.
    pub doutputs: Option<ArrayView3<'a, F>>,
    /// The gradient of `x`, to be written.
    pub dx: Option<ArrayViewMut3<'a, F>>,
    /// The gradient of the final states; becomes that of the initial ones.
    pub dstates: &'a mut State<F>,
}

impl<F: Scalar> Run<'_, F> {
    /// The same for a shorter time: for a cell that does something after [`step_by_step`](super::step_by_step).
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

    /// How many steps T and samples B there are.
    pub fn steps(&self) -> (usize, usize) {
        Seen { x: self.x, tokens: self.tokens, mask: None }.steps()
    }
}

impl<F: Scalar> RunBack<'_, F> {
    /// How many steps T and samples B there are.
    pub fn steps(&self) -> (usize, usize) {
        Seen { x: self.x, tokens: self.tokens, mask: None }.steps()
    }
}

/// What a cell keeps from its forward to its backward pass, and the loops' own room.
pub struct CellMemory<F: Scalar, C: Cell<F>> {
    /// One cache for each step, or a single one when nothing is kept.
    pub steps: Vec<C::Cache>,
    /// The cell's own, for a whole sequence.
    pub workspace: C::Workspace,
    /// The states around a single step.
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
