//! Two cells as one: within a step the second runs on the output of the first.
//!
//! ```text
//! a[t] = f(x[t], a[t−1])      b[t] = g(a[t], b[t−1])      output b[t]
//! ```
//!
//! The output of a cell is its state 0, so the states of the second come first. Over whole sequences each cell runs with its
//! own [`Cell::run`], one after the other, which is the same sum.

use ndarray::{Array3, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

use super::cell::{Cell, CellMemory, Run, RunBack, Step, StepBack};
use super::masks::{StepMasks, drop_output, first_columns, undrop};
use super::state::{State, Views, ViewsMut, Widths};
use crate::error::Result;
use crate::initializer::Init;
use crate::layer::{Describe, Pass};
use crate::params::Path;
use crate::scalar::Scalar;
use crate::tensor::{resize, slice, slice_mut};
use crate::weight_options::WeightOptions;

/// Two cells, one on top of the other, as a cell: Keras' `StackedRNNCells`. For more than two, nest them; all together have at
/// most [`MAX_STATES`](super::MAX_STATES) states, such as two LSTM cells have.
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
/// use bptt::{Form, Gru, Lstm, Rnn, Sequential, Stacked};
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
#[serde(deny_unknown_fields, bound = "A: Describe, B: Describe")]
pub struct Stacked<A, B> {
    first: A,
    second: B,
}

impl<A, B> Stacked<A, B> {
    /// The cell that runs `second` on the output of `first`.
    pub fn new(first: A, second: B) -> Self {
        Stacked { first, second }
    }
}

/// The weights of [`Stacked`].
#[derive(Clone, Debug)]
pub struct StackedWeights<A, B> {
    /// Those of the first cell.
    pub first: A,
    /// Those of the second.
    pub second: B,
}
crate::params!(StackedWeights<A, B> { first, second });

/// What a step of [`Stacked`] keeps: what both cells keep, and room for what passes between them.
#[derive(Debug)]
pub struct StackedStep<F, A, B> {
    first: A,
    second: B,
    /// The first cell's output as each gate sees it, and its gradient.
    h: Array3<F>,
    dh: Array3<F>,
    /// The gradient of the first cell's output, (1, B, H).
    dbetween: Array3<F>,
}

impl<F, A: Default, B: Default> Default for StackedStep<F, A, B> {
    fn default() -> Self {
        let empty = || Array3::from_shape_vec((0, 0, 0), Vec::new()).expect("an empty array holds no numbers");
        StackedStep { first: A::default(), second: B::default(), h: empty(), dh: empty(), dbetween: empty() }
    }
}

/// The pass of the second cell: what it draws is not what the first one draws.
fn second_pass<'b, 'a: 'b>(pass: Pass<'a>) -> Pass<'b> {
    pass.masked(None).for_layer(1)
}

/// What [`Stacked`] keeps for a whole sequence: what both cells keep, and what passes between them.
#[derive(Debug)]
pub struct StackedWorkspace<F: Scalar, A: Cell<F>, B: Cell<F>> {
    first: Part<F, A>,
    second: Part<F, B>,
    /// The first cell's outputs (T, B, H) and their gradient.
    between: Array3<F>,
    dbetween: Array3<F>,
}

#[derive(Debug)]
struct Part<F: Scalar, C: Cell<F>> {
    memory: CellMemory<F, C>,
    /// Holds the state of this cell alone while it is changed.
    state: State<F>,
}

impl<F: Scalar, C: Cell<F>> Default for Part<F, C> {
    fn default() -> Self {
        Part { memory: CellMemory::default(), state: State::default() }
    }
}

impl<F: Scalar, A: Cell<F>, B: Cell<F>> Default for StackedWorkspace<F, A, B> {
    fn default() -> Self {
        StackedWorkspace {
            first: Part::default(),
            second: Part::default(),
            between: Array3::default((0, 0, 0)),
            dbetween: Array3::default((0, 0, 0)),
        }
    }
}

impl<A: Describe, B: Describe> Describe for Stacked<A, B> {
    fn kind() -> &'static str {
        "Stacked"
    }

    fn full_kind() -> String {
        format!("Stacked({}, {})", A::full_kind(), B::full_kind())
    }
}

impl<F: Scalar, A: Cell<F>, B: Cell<F>> Cell<F> for Stacked<A, B> {
    type Weights = StackedWeights<A::Weights, B::Weights>;
    type Cache = StackedStep<F, A::Cache, B::Cache>;
    type Workspace = StackedWorkspace<F, A, B>;

    fn states(&self) -> Widths {
        self.second.states().and(self.first.states())
    }

    fn masks(&self) -> usize {
        self.first.masks().max(self.second.masks())
    }

    fn dropped_width(&self) -> usize {
        self.second.dropped_width() + self.first.dropped_width()
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        path.split_first(|part, rest| match part {
            "first" => self.first.weight_options(rest),
            _ => self.second.weight_options(rest),
        })
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<Self::Weights> {
        let between = self.first.states().as_slice()[0];
        Ok(StackedWeights { first: self.first.build(inputs, init)?, second: self.second.build(between, init)? })
    }

    fn step(&self, w: &Self::Weights, at: &Step<'_, F>, next: ViewsMut<'_, F>, cache: &mut Self::Cache) {
        let (next_second, mut next_first) = next.split_at(self.upper::<F>());
        let (second, first) = self.split(at, &mut cache.h);
        self.first.step(&w.first, &first, next_first.reborrow(), &mut cache.first);
        let between = next_first.view_mut(0);
        let second = Step { x: between.view().insert_axis(Axis(0)), ..second };
        self.second.step(&w.second, &second, next_second, &mut cache.second);
    }

    fn step_back(
        &self,
        w: &Self::Weights,
        at: &Step<'_, F>,
        next: Views<'_, F>,
        back: StepBack<'_, F>,
        cache: &mut Self::Cache,
        gradients: &mut Self::Weights,
    ) {
        let upper = self.upper::<F>();
        let StackedStep { first: first_cache, second: second_cache, h, dh, dbetween } = cache;
        let (second, first) = self.split(at, h);
        let (next_second, next_first) = next.split_at(upper);
        let (dnext_second, dnext_first) = back.dnext.split_at(upper);
        let (dprevious_second, mut dprevious_first) = back.dprevious.split_at(upper);

        let between = next_first.view(0).insert_axis(Axis(0));
        resize(dbetween, between.raw_dim());
        slice_mut(dbetween).copy_from_slice(dnext_first.slice(0));
        let back_second =
            StepBack { dnext: dnext_second, dprevious: dprevious_second, dx: dbetween.view_mut(), dh: back.dh };
        let second = Step { x: between, ..second };
        self.second.step_back(&w.second, &second, next_second, back_second, second_cache, &mut gradients.second);

        let units = between.dim().2;
        resize(dh, (first.h.map_or(1, |h| h.dim().0), between.dim().1, units));
        dh.fill(F::zero());
        let back_first = StepBack {
            dnext: dnext_first.with_first(slice(dbetween)),
            dprevious: dprevious_first.reborrow(),
            dx: back.dx,
            dh: dh.view_mut(),
        };
        self.first.step_back(&w.first, &first, next_first, back_first, first_cache, &mut gradients.first);
        undrop(dh, first_columns(first.masks, units), dprevious_first.view_mut(0));
    }

    fn takes_lookups(&self) -> bool {
        self.first.takes_lookups()
    }

    fn advance(&self, w: &Self::Weights, x: ArrayView2<'_, F>, state: &mut State<F>, memory: &mut CellMemory<F, Self>) {
        let StackedWorkspace { first, second, .. } = &mut memory.workspace;
        self.exchange(state, &mut first.state, &mut second.state);
        self.first.advance(&w.first, x, &mut first.state, &mut first.memory);
        self.second.advance(&w.second, first.state.parts[0].view(), &mut second.state, &mut second.memory);
        self.exchange(state, &mut first.state, &mut second.state);
    }

    fn run(&self, w: &Self::Weights, run: Run<'_, F>, memory: &mut CellMemory<F, Self>) {
        let (steps, batch) = run.steps();
        let (second_masks, first_masks) = self.split_masks(run.masks);
        let (second_states, first_states) = run.states.split_at(self.upper::<F>());
        let StackedWorkspace { first, second, between, .. } = &mut memory.workspace;
        resize(between, (steps, batch, self.first.states().as_slice()[0]));
        let first_run = Run {
            x: run.x,
            tokens: run.tokens,
            mask: run.mask,
            states: first_states,
            outputs: Some(between.view_mut()),
            masks: first_masks,
            pass: run.pass.masked(None),
        };
        self.first.run(&w.first, first_run, &mut first.memory);
        let second_run = Run {
            x: between.view(),
            tokens: None,
            mask: run.mask,
            states: second_states,
            outputs: run.outputs,
            masks: second_masks,
            pass: second_pass(run.pass),
        };
        self.second.run(&w.second, second_run, &mut second.memory);
    }

    fn run_back(
        &self,
        w: &Self::Weights,
        run: RunBack<'_, F>,
        memory: &mut CellMemory<F, Self>,
        gradients: &mut Self::Weights,
    ) {
        let (second_masks, first_masks) = self.split_masks(run.masks);
        let (second_states, first_states) = run.states.split_at(self.upper::<F>());
        let StackedWorkspace { first, second, between, dbetween } = &mut memory.workspace;
        resize(dbetween, between.raw_dim());
        self.exchange(run.dstates, &mut first.state, &mut second.state);
        let second_run = RunBack {
            x: between.view(),
            tokens: None,
            mask: run.mask,
            states: second_states,
            masks: second_masks,
            pass: second_pass(run.pass),
            doutputs: run.doutputs,
            dx: Some(dbetween.view_mut()),
            dstates: &mut second.state,
        };
        self.second.run_back(&w.second, second_run, &mut second.memory, &mut gradients.second);
        let first_run = RunBack {
            x: run.x,
            tokens: run.tokens,
            mask: run.mask,
            states: first_states,
            masks: first_masks,
            pass: run.pass.masked(None),
            doutputs: Some(dbetween.view()),
            dx: run.dx,
            dstates: &mut first.state,
        };
        self.first.run_back(&w.first, first_run, &mut first.memory, &mut gradients.first);
        self.exchange(run.dstates, &mut first.state, &mut second.state);
    }
}

impl<A: Describe, B: Describe> Stacked<A, B> {
    /// How many states the second cell has: the first of all.
    fn upper<F: Scalar>(&self) -> usize
    where
        B: Cell<F>,
    {
        self.second.states().as_slice().len()
    }

    /// The masks of the second cell and of the first, to which those of the inputs belong.
    fn split_masks<'a, F: Scalar>(&self, all: StepMasks<'a, F>) -> (StepMasks<'a, F>, StepMasks<'a, F>)
    where
        B: Cell<F>,
    {
        (all.of_state(), all.after_column(self.second.dropped_width()))
    }

    /// The step of the second cell, but for its input, and that of the first, whose dropped output is written into `h`.
    fn split<'a, F: Scalar>(&self, at: &'a Step<'_, F>, h: &'a mut Array3<F>) -> (Step<'a, F>, Step<'a, F>)
    where
        A: Cell<F>,
        B: Cell<F>,
    {
        let (second, first) = at.previous.split_at(self.upper::<F>());
        let (x, h_second, all) =
            (at.x.view(), at.h.as_ref().map(|h| h.view()), at.masks.as_ref().map(|masks| masks.view()));
        let masks = all.map(|masks| masks.slice_move(s![.., .., self.second.dropped_width()..]));
        let first =
            Step { x, h: drop_output(first, masks, h), masks, previous: first, t: at.t, pass: at.pass.masked(None) };
        (Step { x, h: h_second, masks: all, previous: second, t: at.t, pass: second_pass(at.pass) }, first)
    }

    /// Lets the parts of the whole state and those of each cell's own change places: to take it apart and put it together.
    fn exchange<F: Scalar>(&self, whole: &mut State<F>, first: &mut State<F>, second: &mut State<F>)
    where
        A: Cell<F>,
        B: Cell<F>,
    {
        second.parts.resize_with(self.upper::<F>(), Default::default);
        first.parts.resize_with(whole.parts.len() - second.parts.len(), Default::default);
        let parts = second.parts.iter_mut().chain(&mut first.parts);
        whole.parts.iter_mut().zip(parts).for_each(|(whole, part)| std::mem::swap(whole, part));
    }
}
