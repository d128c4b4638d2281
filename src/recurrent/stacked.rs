//! Two cells as one: within a step the second runs on the output of the first.
//!
//! ```text
//! a[t] = f(x[t], a[t−1])      b[t] = g(a[t], b[t−1])      output b[t]
//! ```
//!
//! The output of a cell is its state 0, so the states of the second come first. Over whole sequences each cell runs with its
//! own [`Cell::run`], one after the other, which is the same sum.

use std::sync::Arc;

use ndarray::{Array3, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

use super::cell::{Cell, CellMemory, Run, RunBack, Step, StepBack};
use super::erased::{AnyCell, DynCell};
use super::masks::{StepMasks, drop_output, first_columns, undrop};
use super::rnn::Rnn;
use crate::error::Result;
use crate::layer::{AnyCache, AnyWeights, Describe, DynLayer, Pass, Path, WeightOptions};
use crate::numeric::{Scalar, erased_here};
use crate::tensor::{State, ViewsMut, Widths, resize, slice, slice_mut};
use crate::weights::initializers::Init;

/// Two cells, one on top of the other, as a cell: Keras' `StackedRNNCells`. For more than two, nest them; all together have at
/// most [`MAX_STATES`](crate::tensor::MAX_STATES) states, such as two LSTM cells have.
///
/// Unlike two layers, one on top of the other, it has a single state: that of the second cell, then that of the first.
///
/// # Dropout
///
/// `dropout` of the layer drops its inputs, that is those of the first cell; `recurrent_dropout` drops the state of both, each
/// with masks of its own. What goes from one to the other within a step is not dropped.
///
/// # Weights
///
/// `first` and `second`, each with those of its cell, such as `stacked/first/kernel`.
///
/// ```
/// use bptt::prelude::*;
/// use bptt::recurrent::{Rnn, Stacked};
/// let cell = Stacked::new(Lstm::new(8).into_cell(), Gru::new(4).into_cell());
/// let model = Sequential::new().add(Rnn::from_cell(cell).dropout(0.2)).build(Form::sequence(None, 3), 1)?;
/// assert_eq!(model.weight("stacked/second/kernel")?.shape(), [8, 12]);
/// // The state of the GRU, then h and c of the LSTM.
/// let widths: Vec<usize> = model.state(1)?.layer("stacked").unwrap().parts.iter().map(|part| part.ncols()).collect();
/// assert_eq!(widths, [4, 8, 8]);
/// # Ok::<(), bptt::Error>(())
/// ```
#[doc(alias = "StackedRNNCells")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stacked {
    first: AnyCell,
    second: AnyCell,
}

impl Stacked {
    /// The cell that runs `second` on the output of `first`.
    pub fn new<A: Cell<f32> + Cell<f64>, B: Cell<f32> + Cell<f64>>(first: A, second: B) -> Self {
        Stacked { first: AnyCell::new(first), second: AnyCell::new(second) }
    }
}

/// The weights of [`Stacked`].
#[derive(Clone, Debug)]
pub struct StackedWeights<F: Scalar> {
    /// Those of the first cell.
    pub first: AnyWeights<F>,
    /// Those of the second.
    pub second: AnyWeights<F>,
}
crate::params!(StackedWeights { first, second });

/// What a step of [`Stacked`] keeps: what both cells keep, and room for what passes between them.
#[derive(Debug, Default)]
pub struct StackedStep<F: Scalar> {
    first: AnyCache,
    second: AnyCache,
    /// The first cell's output as each gate sees it, and its gradient.
    h: Array3<F>,
    dh: Array3<F>,
    /// The gradient of the first cell's output, (1, B, H).
    dbetween: Array3<F>,
}

/// The pass of the first cell, 0, or the second, 1: what one draws is not what the other draws.
fn pass_of<'b, 'a: 'b>(cell: usize, pass: Pass<'a>) -> Pass<'b> {
    pass.masked(None).for_cell(cell)
}

/// What [`Stacked`] keeps for a whole sequence: what both cells keep, and what passes between them.
#[derive(Debug, Default)]
pub struct StackedWorkspace<F: Scalar> {
    first: Part<F>,
    second: Part<F>,
    /// The first cell's outputs (T, B, H) and their gradient.
    between: Array3<F>,
    dbetween: Array3<F>,
}

#[derive(Debug, Default)]
struct Part<F: Scalar> {
    memory: AnyCache,
    /// Holds the state of this cell alone while it is changed.
    state: State<F>,
}

impl Describe for Stacked {
    fn kind() -> &'static str {
        "Stacked"
    }
}

impl<F: Scalar> Cell<F> for Stacked {
    type Weights = StackedWeights<F>;
    type Cache = StackedStep<F>;
    type Workspace = StackedWorkspace<F>;

    fn states(&self) -> Widths {
        let (first, second) = self.cells::<F>();
        second.states().and(first.states())
    }

    fn masks(&self) -> usize {
        let (first, second) = self.cells::<F>();
        first.masks().max(second.masks())
    }

    fn dropped_width(&self) -> usize {
        let (first, second) = self.cells::<F>();
        second.dropped_width() + first.dropped_width()
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        let (first, second) = self.cells::<F>();
        path.split_first(|part, rest| match part {
            "first" => first.weight_options(rest),
            _ => second.weight_options(rest),
        })
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<StackedWeights<F>> {
        let (first, second) = self.cells::<F>();
        first.states().check()?;
        second.states().check()?;
        let between = first.states().as_slice()[0];
        Ok(StackedWeights { first: first.build(inputs, init)?, second: second.build(between, init)? })
    }

    fn step(&self, w: &StackedWeights<F>, at: &Step<'_, F>, next: ViewsMut<'_, F>, cache: &mut StackedStep<F>) {
        let (first, second) = self.cells::<F>();
        let (next_second, mut next_first) = next.split_at(self.upper::<F>());
        let StackedStep { first: first_cache, second: second_cache, h, .. } = cache;
        let (at_second, at_first) = self.split(at, h);
        first.step(&w.first, &at_first, next_first.reborrow(), first_cache.get_or_make(|| first.cache()));
        let between = next_first.view_mut(0);
        let at_second = Step { x: between.view().insert_axis(Axis(0)), ..at_second };
        second.step(&w.second, &at_second, next_second, second_cache.get_or_make(|| second.cache()));
    }

    fn step_back(
        &self,
        w: &StackedWeights<F>,
        at: &Step<'_, F>,
        back: StepBack<'_, F>,
        cache: &mut StackedStep<F>,
        gradients: &mut StackedWeights<F>,
    ) {
        let (first, second) = self.cells::<F>();
        let upper = self.upper::<F>();
        let StackedStep { first: first_cache, second: second_cache, h, dh, dbetween } = cache;
        let (at_second, at_first) = self.split(at, h);
        let (next_second, next_first) = back.next.split_at(upper);
        let (dnext_second, dnext_first) = back.dnext.split_at(upper);
        let (dprevious_second, mut dprevious_first) = back.dprevious.split_at(upper);

        let between = next_first.view(0).insert_axis(Axis(0));
        resize(dbetween, between.raw_dim());
        slice_mut(dbetween).copy_from_slice(dnext_first.slice(0));
        let back_second = StepBack {
            next: next_second,
            dnext: dnext_second,
            dprevious: dprevious_second,
            dx: dbetween.view_mut(),
            dh: back.dh,
        };
        let at_second = Step { x: between, ..at_second };
        let second_cache = second_cache.get_or_make(|| second.cache());
        second.step_back(&w.second, &at_second, back_second, second_cache, &mut gradients.second);

        let units = between.dim().2;
        resize(dh, (at_first.h.map_or(1, |h| h.dim().0), between.dim().1, units));
        dh.fill(F::zero());
        let back_first = StepBack {
            next: next_first,
            dnext: dnext_first.with_first(slice(dbetween)),
            dprevious: dprevious_first.reborrow(),
            dx: back.dx,
            dh: dh.view_mut(),
        };
        let first_cache = first_cache.get_or_make(|| first.cache());
        first.step_back(&w.first, &at_first, back_first, first_cache, &mut gradients.first);
        undrop(dh, first_columns(at_first.masks, units), dprevious_first.view_mut(0));
    }

    fn takes_lookups(&self) -> bool {
        self.cells::<F>().0.takes_lookups()
    }

    fn advance(
        &self,
        w: &StackedWeights<F>,
        x: ArrayView2<'_, F>,
        state: &mut State<F>,
        memory: &mut CellMemory<F, Self>,
    ) {
        let (first, second) = self.cells::<F>();
        let StackedWorkspace { first: of_first, second: of_second, .. } = &mut memory.workspace;
        self.exchange(state, &mut of_first.state, &mut of_second.state);
        first.advance(&w.first, x, &mut of_first.state, of_first.memory.get_or_make(|| first.memory()));
        let between = of_first.state.parts[0].view();
        second.advance(&w.second, between, &mut of_second.state, of_second.memory.get_or_make(|| second.memory()));
        self.exchange(state, &mut of_first.state, &mut of_second.state);
    }

    fn run(&self, w: &StackedWeights<F>, run: Run<'_, F>, memory: &mut CellMemory<F, Self>) {
        let (first, second) = self.cells::<F>();
        let (steps, batch) = run.steps();
        let (second_masks, first_masks) = self.split_masks(run.masks);
        let (second_states, first_states) = run.states.split_at(self.upper::<F>());
        let StackedWorkspace { first: of_first, second: of_second, between, .. } = &mut memory.workspace;
        resize(between, (steps, batch, first.states().as_slice()[0]));
        let first_run = Run {
            x: run.x,
            tokens: run.tokens,
            mask: run.mask,
            states: first_states,
            outputs: Some(between.view_mut()),
            masks: first_masks,
            pass: pass_of(0, run.pass),
        };
        first.run(&w.first, first_run, of_first.memory.get_or_make(|| first.memory()));
        let second_run = Run {
            x: between.view(),
            tokens: None,
            mask: run.mask,
            states: second_states,
            outputs: run.outputs,
            masks: second_masks,
            pass: pass_of(1, run.pass),
        };
        second.run(&w.second, second_run, of_second.memory.get_or_make(|| second.memory()));
    }

    fn run_back(
        &self,
        w: &StackedWeights<F>,
        run: RunBack<'_, F>,
        memory: &mut CellMemory<F, Self>,
        gradients: &mut StackedWeights<F>,
    ) {
        let (first, second) = self.cells::<F>();
        let (second_masks, first_masks) = self.split_masks(run.masks);
        let (second_states, first_states) = run.states.split_at(self.upper::<F>());
        let StackedWorkspace { first: of_first, second: of_second, between, dbetween } = &mut memory.workspace;
        resize(dbetween, between.raw_dim());
        self.exchange(run.dstates, &mut of_first.state, &mut of_second.state);
        let second_run = RunBack {
            x: between.view(),
            tokens: None,
            mask: run.mask,
            states: second_states,
            masks: second_masks,
            pass: pass_of(1, run.pass),
            doutputs: run.doutputs,
            dx: Some(dbetween.view_mut()),
            dstates: &mut of_second.state,
        };
        let memory = of_second.memory.get_or_make(|| second.memory());
        second.run_back(&w.second, second_run, memory, &mut gradients.second);
        let first_run = RunBack {
            x: run.x,
            tokens: run.tokens,
            mask: run.mask,
            states: first_states,
            masks: first_masks,
            pass: pass_of(0, run.pass),
            doutputs: Some(dbetween.view()),
            dx: run.dx,
            dstates: &mut of_first.state,
        };
        let memory = of_first.memory.get_or_make(|| first.memory());
        first.run_back(&w.first, first_run, memory, &mut gradients.first);
        self.exchange(run.dstates, &mut of_first.state, &mut of_second.state);
    }

    fn erase(self) -> Arc<dyn DynCell<F>> {
        erased_here!(F, self, Stacked => Arc<dyn DynCell<F>>, Arc::new)
    }

    fn erase_layer(layer: Rnn<Self>) -> Arc<dyn DynLayer<F>> {
        erased_here!(F, layer, Rnn<Stacked> => Arc<dyn DynLayer<F>>, Arc::new)
    }
}

impl Stacked {
    fn cells<F: Scalar>(&self) -> (&dyn DynCell<F>, &dyn DynCell<F>) {
        (self.first.get(), self.second.get())
    }

    /// How many states the second cell has: the first of all.
    fn upper<F: Scalar>(&self) -> usize {
        self.second.get::<F>().states().as_slice().len()
    }

    /// The masks of the second cell and of the first, to which those of the inputs belong.
    fn split_masks<'a, F: Scalar>(&self, all: StepMasks<'a, F>) -> (StepMasks<'a, F>, StepMasks<'a, F>) {
        (all.of_state(), all.after_column(self.second.get::<F>().dropped_width()))
    }

    /// The step of the second cell, but for its input, and that of the first, whose dropped output is written into `h`.
    fn split<'a, F: Scalar>(&self, at: &'a Step<'_, F>, h: &'a mut Array3<F>) -> (Step<'a, F>, Step<'a, F>) {
        let (second, first) = at.previous.split_at(self.upper::<F>());
        let (x, h_second, all) =
            (at.x.view(), at.h.as_ref().map(|h| h.view()), at.masks.as_ref().map(|masks| masks.view()));
        let columns = self.second.get::<F>().dropped_width();
        let masks = all.map(|masks| masks.slice_move(s![.., .., columns..]));
        let (h, pass) = (drop_output(first, masks, h), pass_of(0, at.pass));
        let first = Step { x, h, masks, previous: first, t: at.t, pass };
        (Step { x, h: h_second, masks: all, previous: second, t: at.t, pass: pass_of(1, at.pass) }, first)
    }

    /// Lets the parts of the whole state and those of each cell's own change places: to take it apart and put it together.
    fn exchange<F: Scalar>(&self, whole: &mut State<F>, first: &mut State<F>, second: &mut State<F>) {
        second.parts.resize_with(self.upper::<F>(), Default::default);
        first.parts.resize_with(whole.parts.len() - second.parts.len(), Default::default);
        let parts = second.parts.iter_mut().chain(&mut first.parts);
        whole.parts.iter_mut().zip(parts).for_each(|(whole, part)| std::mem::swap(whole, part));
    }
}
