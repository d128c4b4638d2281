//! The states of a sequence: in training slot t holds the state before step t, so slot 0 is the initial state and
//! `outputs[..T]` is the left factor of the recurrent kernel's gradient without a copy; otherwise two slots take turns.

use ndarray::{Array3, ArrayView3, s};

use crate::numeric::Scalar;
use crate::tensor::{MAX_STATES, State, Views, ViewsMut, Widths, copy, resize, slice_mut};

/// The states of a whole sequence, or the last two of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct StateSeries<F> {
    /// For each state: (slots, B, width).
    arrays: Vec<Array3<F>>,
    keeps_all: bool,
    batch: usize,
}

impl<F: Scalar> StateSeries<F> {
    /// Makes room for `steps` steps, all of them if a backward pass follows, and sets the initial state: zero if `None`.
    pub(crate) fn reset(
        &mut self,
        steps: usize,
        batch: usize,
        widths: Widths,
        keeps_all: bool,
        initial: Option<&State<F>>,
    ) {
        self.keeps_all = keeps_all;
        self.batch = batch;
        self.arrays.resize_with(widths.as_slice().len(), || Array3::default((0, 0, 0)));
        let slots = if keeps_all { steps + 1 } else { 2 };
        for (part, (array, &width)) in self.arrays.iter_mut().zip(widths.as_slice()).enumerate() {
            resize(array, (slots, batch, width));
            let first = &mut slice_mut(array)[..batch * width];
            match initial {
                Some(initial) => copy(&initial.parts[part], first),
                None => first.fill(F::zero()),
            }
        }
    }

    /// Copies the states after this many steps.
    pub(crate) fn copy_after(&self, steps: usize, state: &mut State<F>) {
        let last = self.view().before(steps);
        for (part, to) in state.parts.iter_mut().enumerate() {
            match to.as_slice_mut() {
                Some(to) => to.copy_from_slice(last.slice(part)),
                None => to.assign(&last.view(part)),
            }
        }
    }

    /// The states to be read.
    pub(crate) fn view(&self) -> Series<'_, F> {
        Series { arrays: &self.arrays, keeps_all: self.keeps_all, batch: self.batch }
    }

    /// The states to be written.
    pub(crate) fn view_mut(&mut self) -> SeriesMut<'_, F> {
        SeriesMut { arrays: &mut self.arrays, keeps_all: self.keeps_all, batch: self.batch }
    }
}

/// Where the states before step t are.
fn slot(keeps_all: bool, t: usize) -> usize {
    if keeps_all { t } else { t % 2 }
}

/// The states of a cell over a sequence, to be read.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a, F> {
    arrays: &'a [Array3<F>],
    keeps_all: bool,
    batch: usize,
}

impl<'a, F: Scalar> Series<'a, F> {
    /// Every state is kept, as a backward pass needs it.
    pub fn keeps_all(&self) -> bool {
        self.keeps_all
    }

    /// The states before step t (counted from 0), or after step t − 1.
    pub fn before(&self, t: usize) -> Views<'a, F> {
        let slot = slot(self.keeps_all, t);
        let slices = self.arrays.iter().map(|array| {
            let size = array.dim().1 * array.dim().2;
            &array.as_slice().expect("series are in standard layout")[slot * size..(slot + 1) * size]
        });
        Views::new(slices, self.batch)
    }

    /// The outputs before each of the first `steps` steps, (T, B, H), the initial one first.
    pub(crate) fn outputs_before(&self, steps: usize) -> ArrayView3<'a, F> {
        self.arrays[0].slice(s![..steps, .., ..])
    }

    /// The first `count` states, and the others.
    pub(super) fn split_at(self, count: usize) -> (Self, Self) {
        let (first, others) = self.arrays.split_at(count);
        (Series { arrays: first, ..self }, Series { arrays: others, ..self })
    }
}

/// The states of a cell over a sequence, to be written step by step.
#[derive(Debug)]
pub struct SeriesMut<'a, F> {
    arrays: &'a mut [Array3<F>],
    keeps_all: bool,
    batch: usize,
}

impl<F: Scalar> SeriesMut<'_, F> {
    /// Every state is to be kept, for a backward pass.
    pub fn keeps_all(&self) -> bool {
        self.keeps_all
    }

    /// The states before step t, to be read, and after it, to be written.
    pub fn around(&mut self, t: usize) -> (Views<'_, F>, ViewsMut<'_, F>) {
        let (before, after) = (slot(self.keeps_all, t), slot(self.keeps_all, t + 1));
        let mut views = Views { slices: [&[]; MAX_STATES], batch: self.batch };
        let mut views_mut = ViewsMut { slices: Default::default(), batch: self.batch };
        for (state, array) in self.arrays.iter_mut().enumerate() {
            let size = array.dim().1 * array.dim().2;
            let all = array.as_slice_mut().expect("series are in standard layout");
            let (low, high) = all.split_at_mut(before.max(after) * size);
            let (low, high) = (&mut low[before.min(after) * size..][..size], &mut high[..size]);
            let (from, to) = if before < after { (low, high) } else { (high, low) };
            views.slices[state] = from;
            views_mut.slices[state] = to;
        }
        (views, views_mut)
    }

    /// The same for a shorter time.
    pub(super) fn reborrow(&mut self) -> SeriesMut<'_, F> {
        SeriesMut { arrays: &mut *self.arrays, ..*self }
    }

    /// The first `count` states, and the others.
    pub(super) fn split_at(self, count: usize) -> (Self, Self) {
        let SeriesMut { arrays, keeps_all, batch } = self;
        let (first, others) = arrays.split_at_mut(count);
        (SeriesMut { arrays: first, keeps_all, batch }, SeriesMut { arrays: others, keeps_all, batch })
    }
}
