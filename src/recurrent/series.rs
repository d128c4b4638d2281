//! States of a sequence. In training, slot t holds the state before step t, so slot 0 is the initial state and
//! `outputs[..T]` is the left factor of the recurrent kernel's gradient, without a copy. Otherwise two slots alternate.

use ndarray::{Array3, ArrayView3, s};

use crate::numeric::Scalar;
use crate::tensor::{MAX_STATES, State, Views, ViewsMut, Widths, copy, resize, slice_mut};

/// States of a whole sequence, or the last two of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct StateSeries<F> {
    /// Array (slots, B, width) of each state.
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

    /// Copies the states after this number of steps.
    pub(crate) fn copy_after(&self, steps: usize, state: &mut State<F>) {
        let last = self.view().before(steps);
        for (part, to) in state.parts.iter_mut().enumerate() {
            match to.as_slice_mut() {
                Some(to) => to.copy_from_slice(last.slice(part)),
                None => to.assign(&last.view(part)),
            }
        }
    }

    /// Returns a view of the states.
    pub(crate) fn view(&self) -> Series<'_, F> {
        Series { arrays: &self.arrays, keeps_all: self.keeps_all, batch: self.batch }
    }

    /// Returns a mutable view of the states.
    pub(crate) fn view_mut(&mut self) -> SeriesMut<'_, F> {
        SeriesMut { arrays: &mut self.arrays, keeps_all: self.keeps_all, batch: self.batch }
    }
}

/// Slot of the states before step t.
fn slot(keeps_all: bool, t: usize) -> usize {
    if keeps_all { t } else { t % 2 }
}

/// View of the states of a cell over a sequence.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a, F> {
    arrays: &'a [Array3<F>],
    keeps_all: bool,
    batch: usize,
}

impl<'a, F: Scalar> Series<'a, F> {
    /// Whether every state is kept, as a backward pass needs.
    pub fn keeps_all(&self) -> bool {
        self.keeps_all
    }

    /// Returns the states before step t (counted from 0), which are those after step t − 1.
    pub fn before(&self, t: usize) -> Views<'a, F> {
        let slot = slot(self.keeps_all, t);
        let slices = self.arrays.iter().map(|array| {
            let size = array.dim().1 * array.dim().2;
            &array.as_slice().expect("series are in standard layout")[slot * size..(slot + 1) * size]
        });
        Views::new(slices, self.batch)
    }

    /// Returns the outputs before each of the first `steps` steps, (T, B, H), the initial one first.
    pub(crate) fn outputs_before(&self, steps: usize) -> ArrayView3<'a, F> {
        self.arrays[0].slice(s![..steps, .., ..])
    }

    /// Splits into the first `count` states and the others.
    pub(super) fn split_at(self, count: usize) -> (Self, Self) {
        let (first, others) = self.arrays.split_at(count);
        (Series { arrays: first, ..self }, Series { arrays: others, ..self })
    }
}

/// Mutable view of the states of a cell over a sequence.
#[derive(Debug)]
pub struct SeriesMut<'a, F> {
    arrays: &'a mut [Array3<F>],
    keeps_all: bool,
    batch: usize,
}

impl<F: Scalar> SeriesMut<'_, F> {
    /// Whether every state is kept, for a backward pass.
    pub fn keeps_all(&self) -> bool {
        self.keeps_all
    }

    /// Returns the states before step t to read, and those after it to write.
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

    /// Reborrows the view.
    pub(super) fn reborrow(&mut self) -> SeriesMut<'_, F> {
        SeriesMut { arrays: &mut *self.arrays, ..*self }
    }

    /// Splits into the first `count` states and the others.
    pub(super) fn split_at(self, count: usize) -> (Self, Self) {
        let SeriesMut { arrays, keeps_all, batch } = self;
        let (first, others) = arrays.split_at_mut(count);
        (SeriesMut { arrays: first, keeps_all, batch }, SeriesMut { arrays: others, keeps_all, batch })
    }
}
