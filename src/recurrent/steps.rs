//! The loops over time that call a cell once a step: the reference path, nothing hoisted.
//!
//! They know the cell only as [`Steps`], so they are compiled once.

use ndarray::{Array3, ArrayView2, Axis};

use super::cell::{Cell, CellMemory, Run, RunBack, Step, StepBack};
use super::masks::{StepMasks, drop_for_gates, drop_output, first_columns, undrop};
use super::once;
use super::series::StateSeries;
use crate::layer::Pass;
use crate::numeric::Scalar;
use crate::tensor::{State, ViewsMut, Widths, mask, resize};

/// Inputs and states of one step as each gate sees them, and their gradients.
#[derive(Default)]
pub(crate) struct Scratch<F> {
    x: Array3<F>,
    h: Array3<F>,
    dx: Array3<F>,
    dh: Array3<F>,
    dprevious: State<F>,
    dnext: State<F>,
}

/// A cell with its weights, and a cache for each step.
pub(crate) trait Steps<F: Scalar> {
    /// Makes so many caches.
    fn make_caches(&mut self, count: usize);
    /// [`Cell::step`] with this cache.
    fn step(&mut self, cache: usize, at: &Step<'_, F>, next: ViewsMut<'_, F>);
    /// [`Cell::step_back`] with this cache.
    fn step_back(&mut self, cache: usize, at: &Step<'_, F>, back: StepBack<'_, F>);
}

struct StepsOf<'a, F: Scalar, C: Cell<F>> {
    cell: &'a C,
    weights: &'a C::Weights,
    caches: &'a mut Vec<C::Cache>,
    /// On the way back.
    gradients: Option<&'a mut C::Weights>,
}

impl<F: Scalar, C: Cell<F>> Steps<F> for StepsOf<'_, F, C> {
    fn make_caches(&mut self, count: usize) {
        if self.caches.len() < count {
            self.caches.resize_with(count, C::Cache::default);
        }
    }

    fn step(&mut self, cache: usize, at: &Step<'_, F>, next: ViewsMut<'_, F>) {
        self.cell.step(self.weights, at, next, &mut self.caches[cache]);
    }

    fn step_back(&mut self, cache: usize, at: &Step<'_, F>, back: StepBack<'_, F>) {
        if let Some(gradients) = &mut self.gradients {
            self.cell.step_back(self.weights, at, back, &mut self.caches[cache], gradients);
        }
    }
}

/// The reference loop, which [`Cell::run`] is by default: one [`Cell::step`] after the other. A cell with a run of its own
/// falls back on it where that cannot do what is asked.
pub fn step_by_step<F: Scalar, C: Cell<F>>(
    cell: &C,
    weights: &C::Weights,
    run: Run<'_, F>,
    memory: &mut CellMemory<F, C>,
) {
    let CellMemory { steps: caches, scratch, .. } = memory;
    once::step_by_step(&mut StepsOf { cell, weights, caches, gradients: None }, run, scratch);
}

/// The reference loop back, which [`Cell::run_back`] is by default: one [`Cell::step_back`] before the other.
pub fn step_by_step_back<F: Scalar, C: Cell<F>>(
    cell: &C,
    weights: &C::Weights,
    run: RunBack<'_, F>,
    memory: &mut CellMemory<F, C>,
    gradients: &mut C::Weights,
) {
    let CellMemory { steps: caches, scratch, .. } = memory;
    let gradients = Some(gradients);
    once::step_by_step_back(&mut StepsOf { cell, weights, caches, gradients }, cell.states(), run, scratch);
}

/// A run of one step from a state to the next.
pub(crate) fn run_one_step<F: Scalar, C: Cell<F>>(
    cell: &C,
    weights: &C::Weights,
    x: ArrayView2<'_, F>,
    state: &mut State<F>,
    memory: &mut CellMemory<F, C>,
) {
    let mut series = std::mem::take(&mut memory.series);
    once::one_step(&mut series, cell.states(), x, state, &mut |run| cell.run(weights, run, memory));
    memory.series = series;
}

/// [`run_one_step`] by `run`.
pub(super) fn one_step<F: Scalar>(
    series: &mut StateSeries<F>,
    widths: Widths,
    x: ArrayView2<'_, F>,
    state: &mut State<F>,
    run: &mut dyn FnMut(Run<'_, F>),
) {
    series.reset(1, x.nrows(), widths, false, Some(state));
    // Copied only if it is a view that does not lie in one piece.
    let x = x.as_standard_layout();
    let (x, masks) = (x.view().insert_axis(Axis(0)), StepMasks::default());
    let (states, pass) = (series.view_mut(), Pass::inference());
    run(Run { x, tokens: None, mask: None, states, outputs: None, masks, pass });
    series.copy_after(1, state);
}

/// [`step_by_step`] without the types of the cell.
pub(super) fn run_steps<F: Scalar>(cell: &mut dyn Steps<F>, mut run: Run<'_, F>, scratch: &mut Scratch<F>) {
    let steps = run.x.dim().0;
    let keeps_all = run.states.keeps_all();
    cell.make_caches(if keeps_all { steps } else { 1 });
    let Scratch { x, h, .. } = scratch;
    for t in 0..steps {
        let (previous, mut next) = run.states.around(t);
        let (input_masks, masks) = run.masks.at(t);
        drop_for_gates(run.x.index_axis(Axis(0), t), input_masks, x);
        let pass = run.pass.masked(None);
        let at = Step { x: x.view(), h: drop_output(previous, masks, h), masks, previous, t, pass };
        cell.step(if keeps_all { t } else { 0 }, &at, next.reborrow());
        if let Some(counts) = mask::step(&run.mask, t) {
            next.keep(previous, counts);
        }
        if let Some(outputs) = &mut run.outputs {
            outputs.index_axis_mut(Axis(0), t).assign(&next.view_mut(0));
        }
    }
}

/// [`step_by_step_back`] without the types of the cell.
pub(super) fn run_steps_back<F: Scalar>(
    cell: &mut dyn Steps<F>,
    widths: Widths,
    mut run: RunBack<'_, F>,
    scratch: &mut Scratch<F>,
) {
    let (steps, batch, inputs) = run.x.dim();
    let Scratch { x, h, dx, dh, dprevious, dnext } = scratch;
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
        dprevious.start(batch, widths);

        let pass = run.pass.masked(None);
        let at = Step { x: x.view(), h: drop_output(previous, masks, h), masks, previous, t, pass };
        // Nothing comes back through a step that a mask leaves out.
        let counts = mask::step(&run.mask, t);
        if let Some(counts) = counts {
            dnext.copy(run.dstates);
            dnext.views_mut().clear(counts);
        }
        let back = StepBack {
            next: run.states.before(t + 1),
            dnext: if counts.is_some() { dnext.views() } else { run.dstates.views() },
            dprevious: dprevious.views_mut(),
            dx: dx.view_mut(),
            dh: dh.view_mut(),
        };
        cell.step_back(t, &at, back);

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
