//! States: what a cell carries from step to step, for a batch, one step or all of them.
//!
//! [`State`] is a value that a user holds. [`StateSeries`] is the driver's memory of a whole sequence: in training slot t
//! holds the state before step t, so slot 0 is the initial state and `outputs[..T]` is the left factor of the recurrent
//! kernel's gradient without a copy; otherwise two slots take turns. [`Series`] and [`SeriesMut`] are what a cell sees of it,
//! [`Views`] and [`ViewsMut`] one slot. All can be split, for a cell that is made of two.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use super::mask::left_out;
use super::{copy_row, resize};
use crate::error::{Error, Result};
use crate::numeric::Scalar;

/// How many states a cell may carry.
pub const MAX_STATES: usize = 4;

/// The width of each state of a cell, the output first: `[H]` or `[H, H]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    widths: [usize; MAX_STATES],
    count: usize,
}

impl Widths {
    /// These widths; at most [`MAX_STATES`] of them, and at least one. A layer of a cell with others cannot be built.
    pub fn new(widths: &[usize]) -> Self {
        let mut all = [0; MAX_STATES];
        all.iter_mut().zip(widths).for_each(|(to, &width)| *to = width);
        Widths { widths: all, count: widths.len() }
    }

    /// The widths.
    pub fn as_slice(&self) -> &[usize] {
        &self.widths[..self.count.min(MAX_STATES)]
    }

    /// These widths, then others. If they are too many, [`Widths::check`] says so.
    pub(crate) fn and(self, others: Widths) -> Self {
        let mut all = self;
        let free = all.widths.iter_mut().skip(self.count);
        free.zip(others.as_slice()).for_each(|(to, &width)| *to = width);
        all.count += others.count;
        all
    }

    /// Refuses a cell without states, and one that has more than [`MAX_STATES`], by itself or with those of its parts.
    pub(crate) fn check(self) -> Result<()> {
        if (1..=MAX_STATES).contains(&self.count) {
            return Ok(());
        }
        let value = format!("one with {} states", self.count);
        let allowed = "one with 1 to 4, those of its parts counted; make layers of some of them if they are too many";
        Err(Error::InvalidOption { option: "cell", value, allowed })
    }
}

/// The state of a recurrent layer for a batch: one matrix (B, width) for each state of its cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State<F> {
    /// The matrices, the output first: h, or h and c.
    pub parts: Vec<Array2<F>>,
}

impl<F: Scalar> State<F> {
    /// All zero, as a sequence starts by default.
    pub fn zeros(batch: usize, widths: Widths) -> Self {
        State { parts: widths.as_slice().iter().map(|&width| Array2::zeros((batch, width))).collect() }
    }

    /// All of them as a cell gets them, to be read: for a cell that hands states of its own on to one inside it. They are
    /// in standard layout, as [`State::zeros`] makes them.
    pub fn views(&self) -> Views<'_, F> {
        Views::new(self.parts.iter().map(|part| part.as_slice().expect("states are in standard layout")), self.batch())
    }

    /// The same, to be written.
    pub fn views_mut(&mut self) -> ViewsMut<'_, F> {
        let batch = self.batch();
        let slices = self.parts.iter_mut().map(|part| part.as_slice_mut().expect("states are in standard layout"));
        ViewsMut::new(slices, batch)
    }

    /// Makes it like another.
    pub(crate) fn copy(&mut self, other: &State<F>) {
        self.parts.resize_with(other.parts.len(), || Array2::default((0, 0)));
        for (to, from) in self.parts.iter_mut().zip(&other.parts) {
            resize(to, from.raw_dim());
            to.assign(from);
        }
    }

    /// Gives it this size, with any content.
    pub(crate) fn resize(&mut self, batch: usize, widths: Widths) {
        self.parts.resize_with(widths.as_slice().len(), || Array2::default((0, 0)));
        for (part, &width) in self.parts.iter_mut().zip(widths.as_slice()) {
            resize(part, (batch, width));
        }
    }

    /// Sets it to zero, the state before the first step.
    pub fn reset(&mut self) {
        self.parts.iter_mut().for_each(|part| part.fill(F::zero()));
    }

    /// Gives it this size; the content is zero afterwards.
    pub(crate) fn start(&mut self, batch: usize, widths: Widths) {
        self.resize(batch, widths);
        self.reset();
    }

    /// Panics, with both sizes, if it is not the state of a batch of this size.
    pub(crate) fn expect_size(&self, batch: usize, widths: Widths) {
        let needs = widths.as_slice().iter().map(|&width| (batch, width));
        let fits = self.parts.iter().map(|part| part.dim()).eq(needs.clone());
        assert!(
            fits,
            "a state has matrices of the sizes {:?}, but layer and batch need {:?}",
            self.parts.iter().map(|part| part.dim()).collect::<Vec<_>>(),
            needs.collect::<Vec<_>>()
        );
    }

    /// Writes the output, row after row.
    pub(crate) fn copy_output(&self, to: &mut [F]) {
        copy(&self.parts[0], to);
    }

    fn batch(&self) -> usize {
        self.parts.first().map_or(0, |part| part.nrows())
    }
}

/// The states of a cell at one time, to be read: each (B, width).
#[derive(Clone, Copy, Debug)]
pub struct Views<'a, F> {
    pub(crate) slices: [&'a [F]; MAX_STATES],
    pub(crate) batch: usize,
}

impl<'a, F: Scalar> Views<'a, F> {
    pub(crate) fn new(slices: impl Iterator<Item = &'a [F]>, batch: usize) -> Self {
        let mut views = Views { slices: [&[]; MAX_STATES], batch };
        for (view, slice) in views.slices.iter_mut().zip(slices) {
            *view = slice;
        }
        views
    }

    /// The first `count` states, and the others.
    pub(crate) fn split_at(self, count: usize) -> (Self, Self) {
        let others = self.slices[count..].iter().copied();
        (Views::new(self.slices.into_iter().take(count), self.batch), Views::new(others, self.batch))
    }

    /// The same with another state 0.
    pub(crate) fn with_first(mut self, first: &'a [F]) -> Self {
        self.slices[0] = first;
        self
    }

    /// State number `state`, row after row.
    #[inline(always)]
    pub fn slice(&self, state: usize) -> &'a [F] {
        self.slices[state]
    }

    /// State number `state` as a matrix (B, width).
    pub fn view(&self, state: usize) -> ArrayView2<'a, F> {
        let slice = self.slices[state];
        ArrayView2::from_shape((self.batch, slice.len() / self.batch.max(1)), slice).expect("states are B rows")
    }
}

/// The states of a cell at one time, to be written: each (B, width).
#[derive(Debug)]
pub struct ViewsMut<'a, F> {
    pub(crate) slices: [&'a mut [F]; MAX_STATES],
    pub(crate) batch: usize,
}

impl<'a, F: Scalar> ViewsMut<'a, F> {
    pub(crate) fn new(slices: impl Iterator<Item = &'a mut [F]>, batch: usize) -> Self {
        let mut views = ViewsMut { slices: Default::default(), batch };
        for (view, slice) in views.slices.iter_mut().zip(slices) {
            *view = slice;
        }
        views
    }

    /// The same views for a shorter time.
    pub(crate) fn reborrow(&mut self) -> ViewsMut<'_, F> {
        ViewsMut { slices: self.slices.each_mut().map(|slice| &mut **slice), batch: self.batch }
    }

    /// The first `count` states, and the others.
    pub(crate) fn split_at(self, count: usize) -> (Self, Self) {
        let batch = self.batch;
        let mut slices = self.slices.into_iter();
        let first = ViewsMut::new(slices.by_ref().take(count), batch);
        (first, ViewsMut::new(slices, batch))
    }

    /// Writes the rows of samples that do not count as they are in `from`.
    pub(crate) fn keep(&mut self, from: Views<'_, F>, counts: &[bool]) {
        for (to, from) in self.slices.iter_mut().zip(from.slices) {
            let width = to.len() / self.batch.max(1);
            for sample in left_out(counts) {
                copy_row(&from[sample * width..][..width], &mut to[sample * width..][..width]);
            }
        }
    }

    /// Sets the rows of samples that do not count to zero.
    pub(crate) fn clear(&mut self, counts: &[bool]) {
        for slice in &mut self.slices {
            let width = slice.len() / self.batch.max(1);
            for sample in left_out(counts) {
                slice[sample * width..][..width].fill(F::zero());
            }
        }
    }

    /// State number `state`, row after row.
    #[inline(always)]
    pub fn slice_mut(&mut self, state: usize) -> &mut [F] {
        self.slices[state]
    }

    /// State number `state` as a matrix (B, width).
    pub fn view_mut(&mut self, state: usize) -> ArrayViewMut2<'_, F> {
        let slice = &mut *self.slices[state];
        ArrayViewMut2::from_shape((self.batch, slice.len() / self.batch.max(1)), slice).expect("states are B rows")
    }

    /// The first N states as matrices at once: `let [mut h, mut c] = next.views()`.
    pub fn views<const N: usize>(&mut self) -> [ArrayViewMut2<'_, F>; N] {
        let batch = self.batch;
        let mut slices = self.slices.iter_mut();
        std::array::from_fn(|_| {
            let slice: &mut [F] = slices.next().map_or(&mut [], |slice| slice);
            let width = slice.len() / batch.max(1);
            ArrayViewMut2::from_shape((batch, width), slice).expect("states are B rows")
        })
    }
}

/// Writes a matrix, in whatever layout its owner gave it, row after row.
pub(crate) fn copy<F: Scalar>(from: &Array2<F>, to: &mut [F]) {
    match from.as_slice() {
        Some(from) => to.copy_from_slice(from),
        None => to.iter_mut().zip(from).for_each(|(to, &from)| *to = from),
    }
}
