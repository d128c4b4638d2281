//! The cell: one time step and its adjoint, for any recurrence; and the loops over time that drive it.
//!
//! The loops here are the reference path: one call a step, nothing hoisted. A cell that can do better overrides
//! [`Cell::run`] and [`Cell::run_back`], as [`Gated`](super::Gated) does; tests hold the two together.

use ndarray::{Array3, ArrayView2, ArrayView3, ArrayViewMut2, ArrayViewMut3, Axis};

use super::inputs::Seen;
use super::masks::{StepMasks, drop_for_gates, drop_output, first_columns, undrop};
use super::state::{Series, SeriesMut, State, StateSeries, Views, ViewsMut, Widths};
use crate::error::Result;
use crate::initializer::Init;
use crate::layer::{Describe, Pass};
use crate::mask;
use crate::params::{Params, Path};
use crate::scalar::Scalar;
use crate::tensor::resize;
use crate::weight_options::WeightOptions;

/// One time step of a recurrent layer, and its adjoint.
///
/// Law: state 0 is the output. A cell computes products with [`Step::h`], the output dropped out, and everything else
/// with [`Step::previous`]; only it knows which is which. Everything that [`Cell::step_back`] hands back is *added* to
/// what is there, so a term that a cell does not have needs no line.
///
/// The [chapter](crate::recurrent#a-cell-step-by-step) writes one step by step, and [`conformance`](mod@crate::conformance) tests it.
pub trait Cell<F: Scalar>: Describe {
    /// The weights: a struct with [`params!`](crate::params).
    type Weights: Params<F> + Clone + std::fmt::Debug;
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
    /// [`Layer::weight_options`](crate::Layer::weight_options).
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
        next: Views<'_, F>,
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
}

/// Where a step stands and what it reads.
#[derive(Debug)]
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
    /// [`MaskKind::Cell`](crate::MaskKind::Cell). The mask of a step, if there is one, is not among it, for the driver sees
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

/// The gradients of one step. All but `dnext` are to be added to.
#[derive(Debug)]
pub struct StepBack<'a, F> {
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

    /// The same for a cell inside this one, whose states after the step have the gradient `dnext`.
    pub fn inside<'b>(&'b mut self, dnext: Views<'b, F>) -> StepBack<'b, F> {
        StepBack { dnext, dprevious: self.dprevious.reborrow(), dx: self.dx.view_mut(), dh: self.dh.view_mut() }
    }
}

/// A sequence to run.
#[derive(Debug)]
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
    series: StateSeries<F>,
    scratch: Scratch<F>,
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

/// Inputs and states of one step as each gate sees them, and their gradients.
#[derive(Default)]
struct Scratch<F> {
    x: Array3<F>,
    h: Array3<F>,
    dx: Array3<F>,
    dh: Array3<F>,
    dprevious: State<F>,
    dnext: State<F>,
}

/// A run of one step from a state to the next.
pub(crate) fn run_one_step<F: Scalar, C: Cell<F>>(
    cell: &C,
    weights: &C::Weights,
    x: ArrayView2<'_, F>,
    state: &mut State<F>,
    memory: &mut CellMemory<F, C>,
) {
    let mut states = std::mem::take(&mut memory.series);
    states.reset(1, x.nrows(), cell.states(), false, Some(state));
    // Copied only if it is a view that does not lie in one piece.
    let x = x.as_standard_layout();
    let (x, masks) = (x.view().insert_axis(Axis(0)), StepMasks::default());
    let (states_to, pass) = (states.view_mut(), Pass::inference());
    let run = Run { x, tokens: None, mask: None, states: states_to, outputs: None, masks, pass };
    cell.run(weights, run, memory);
    states.copy_after(1, state);
    memory.series = states;
}

/// The reference loop, which [`Cell::run`] is by default: one [`Cell::step`] after the other. A cell with a run of its own
/// falls back on it where that cannot do what is asked.
pub fn step_by_step<F: Scalar, C: Cell<F>>(
    cell: &C,
    weights: &C::Weights,
    mut run: Run<'_, F>,
    memory: &mut CellMemory<F, C>,
) {
    let steps = run.x.dim().0;
    let keeps_all = run.states.keeps_all();
    let caches = if keeps_all { steps } else { 1 };
    if memory.steps.len() < caches {
        memory.steps.resize_with(caches, C::Cache::default);
    }
    let Scratch { x, h, .. } = &mut memory.scratch;
    for t in 0..steps {
        let (previous, mut next) = run.states.around(t);
        let (input_masks, masks) = run.masks.at(t);
        drop_for_gates(run.x.index_axis(Axis(0), t), input_masks, x);
        let pass = run.pass.masked(None);
        let at = Step { x: x.view(), h: drop_output(previous, masks, h), masks, previous, t, pass };
        let cache = &mut memory.steps[if keeps_all { t } else { 0 }];
        cell.step(weights, &at, next.reborrow(), cache);
        if let Some(counts) = mask::step(&run.mask, t) {
            next.keep(previous, counts);
        }
        if let Some(outputs) = &mut run.outputs {
            outputs.index_axis_mut(Axis(0), t).assign(&next.view_mut(0));
        }
    }
}

/// The reference loop back, which [`Cell::run_back`] is by default: one [`Cell::step_back`] before the other.
pub fn step_by_step_back<F: Scalar, C: Cell<F>>(
    cell: &C,
    weights: &C::Weights,
    mut run: RunBack<'_, F>,
    memory: &mut CellMemory<F, C>,
    gradients: &mut C::Weights,
) {
    let (steps, batch, inputs) = run.x.dim();
    let widths = cell.states();
    let Scratch { x, h, dx, dh, dprevious, dnext } = &mut memory.scratch;
    for t in (0..steps).rev() {
        if let Some(doutputs) = &run.doutputs {
            run.dstates.parts[0] += &doutputs.index_axis(Axis(0), t);
        }
        let previous = run.states.before(t);
        let (input_masks, masks) = run.masks.at(t);
        drop_for_gates(run.x.index_axis(Axis(0), t), input_masks, x);
        resize(dx, (x.dim().0, batch, inputs));
        dx.fill(F::zero());
        let units = widths.as_slice()[0];
        resize(dh, (masks.map_or(1, |masks| masks.dim().0), batch, units));
        dh.fill(F::zero());
        dprevious.reset(batch, widths);

        let pass = run.pass.masked(None);
        let at = Step { x: x.view(), h: drop_output(previous, masks, h), masks, previous, t, pass };
        // Nothing comes back through a step that a mask leaves out.
        let counts = mask::step(&run.mask, t);
        if let Some(counts) = counts {
            dnext.copy(run.dstates);
            dnext.views_mut().clear(counts);
        }
        let back = StepBack {
            dnext: if counts.is_some() { dnext.views() } else { run.dstates.views() },
            dprevious: dprevious.views_mut(),
            dx: dx.view_mut(),
            dh: dh.view_mut(),
        };
        cell.step_back(weights, &at, run.states.before(t + 1), back, &mut memory.steps[t], gradients);

        undrop(dh, first_columns(masks, units), dprevious.parts[0].view_mut());
        if let Some(run_dx) = &mut run.dx {
            let mut to = run_dx.index_axis_mut(Axis(0), t);
            to.fill(F::zero());
            undrop(dx, input_masks, to);
        }
        if let Some(counts) = counts {
            dprevious.views_mut().keep(run.dstates.views(), counts);
        }
        std::mem::swap(run.dstates, dprevious);
    }
}
