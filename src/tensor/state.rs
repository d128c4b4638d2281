//! States that a cell carries from step to step, for a batch: one step or all of them.
//!
//! [`State`] is a value for users. [`StateSeries`] is the driver's memory of a whole sequence. In training slot t holds the
//! state before step t, so slot 0 is the initial state and `outputs[..T]` is the left factor of the recurrent kernel's
//! gradient, without a copy; otherwise two slots alternate. Cells see it as [`Series`] and [`SeriesMut`], and one slot as
//! [`Views`] and [`ViewsMut`]. All can be split, for a cell made of two.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use super::mask::left_out;
use super::{copy_row, resize};
use crate::error::{Error, Result};
use crate::numeric::Scalar;

/// Largest number of states of a cell.
pub const MAX_STATES: usize = 4;

/// Widths of the states of a cell, the output first: `[H]` or `[H, H]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    widths: [usize; MAX_STATES],
    count: usize,
}

impl Widths {
    /// Returns these widths, at least one and at most [`MAX_STATES`]. With another number, building the layer fails.
    pub fn new(widths: &[usize]) -> Self {
        let mut all = [0; MAX_STATES];
        all.iter_mut().zip(widths).for_each(|(to, &width)| *to = width);
        Widths { widths: all, count: widths.len() }
    }

    /// Returns the widths.
    pub fn as_slice(&self) -> &[usize] {
        &self.widths[..self.count.min(MAX_STATES)]
    }

    /// Appends other widths. [`Widths::check`] reports too many.
    pub(crate) fn and(self, others: Widths) -> Self {
        let mut all = self;
        let free = all.widths.iter_mut().skip(self.count);
        free.zip(others.as_slice()).for_each(|(to, &width)| *to = width);
        all.count += others.count;
        all
    }

    /// Returns an error without states, or with more than [`MAX_STATES`] including those of inner cells.
    pub(crate) fn check(self) -> Result<()> {
        if (1..=MAX_STATES).contains(&self.count) {
            return Ok(());
        }
        let value = format!("one with {} states", self.count);
        let allowed = "one with 1 to 4, those of its parts counted; make layers of some of them if they are too many";
        Err(Error::InvalidOption { option: "cell", value, allowed })
    }
}

/// State of a recurrent layer for a batch: one matrix (B, width) for each state of its cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State<F> {
    /// Matrices, the output first: h, or h and c.
    pub parts: Vec<Array2<F>>,
}

impl<F: Scalar> State<F> {
    /// Returns a state of zeros, the default at the start of a sequence.
    pub fn zeros(batch: usize, widths: Widths) -> Self {
        State { parts: widths.as_slice().iter().map(|&width| Array2::zeros((batch, width))).collect() }
    }

    /// Returns views of all matrices, for a cell that passes its own states to an inner one. The matrices must be in
    /// standard layout, as [`State::zeros`] makes them.
    pub fn views(&self) -> Views<'_, F> {
        self.try_views().expect("states are in standard layout")
    }

    /// Returns views of all matrices if they are in standard layout.
    pub(crate) fn try_views(&self) -> Option<Views<'_, F>> {
        let mut views = Views { slices: [&[]; MAX_STATES], batch: self.batch() };
        for (view, part) in views.slices.iter_mut().zip(&self.parts) {
            *view = part.as_slice()?;
        }
        Some(views)
    }

    /// Returns mutable views of all matrices.
    pub fn views_mut(&mut self) -> ViewsMut<'_, F> {
        let mut views = ViewsMut { batch: self.batch(), slices: Default::default() };
        for (view, part) in views.slices.iter_mut().zip(&mut self.parts) {
            *view = part.as_slice_mut().expect("states are in standard layout");
        }
        views
    }

    /// Copies another state.
    pub(crate) fn copy(&mut self, other: &State<F>) {
        self.resize_as(other);
        self.parts.iter_mut().zip(&other.parts).for_each(|(to, from)| to.assign(from));
    }

    /// Resizes the state to that of another one, with unspecified content.
    pub(crate) fn resize_as(&mut self, other: &State<F>) {
        self.parts.resize_with(other.parts.len(), || Array2::default((0, 0)));
        for (part, other) in self.parts.iter_mut().zip(&other.parts) {
            resize(part, other.raw_dim());
        }
    }

    /// Resizes the state, with unspecified content.
    pub(crate) fn resize(&mut self, batch: usize, widths: Widths) {
        self.parts.resize_with(widths.as_slice().len(), || Array2::default((0, 0)));
        for (part, &width) in self.parts.iter_mut().zip(widths.as_slice()) {
            resize(part, (batch, width));
        }
    }

    /// Sets the state to zero, as before the first step.
    pub fn reset(&mut self) {
        self.parts.iter_mut().for_each(|part| part.fill(F::zero()));
    }

    /// Resizes the state and sets it to zero.
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

    /// Writes the output, row by row.
    pub(crate) fn copy_output(&self, to: &mut [F]) {
        copy(&self.parts[0], to);
    }

    fn batch(&self) -> usize {
        self.parts.first().map_or(0, |part| part.nrows())
    }
}

/// Views of the states of a cell at one time step: each (B, width).
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

    /// Splits into the first `count` states and the others.
    pub(crate) fn split_at(self, count: usize) -> (Self, Self) {
        let others = self.slices[count..].iter().copied();
        (Views::new(self.slices.into_iter().take(count), self.batch), Views::new(others, self.batch))
    }

    /// Replaces state 0.
    pub(crate) fn with_first(mut self, first: &'a [F]) -> Self {
        self.slices[0] = first;
        self
    }

    /// Returns state number `state` as a slice, row by row.
    #[inline(always)]
    pub fn slice(&self, state: usize) -> &'a [F] {
        self.slices[state]
    }

    /// Returns state number `state` as a matrix (B, width).
    pub fn view(&self, state: usize) -> ArrayView2<'a, F> {
        let slice = self.slices[state];
        ArrayView2::from_shape((self.batch, slice.len() / self.batch.max(1)), slice).expect("states are B rows")
    }
}

/// Mutable views of the states of a cell at one time step: each (B, width).
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

    /// Reborrows the views.
    pub(crate) fn reborrow(&mut self) -> ViewsMut<'_, F> {
        ViewsMut { slices: self.slices.each_mut().map(|slice| &mut **slice), batch: self.batch }
    }

    /// Splits into the first `count` states and the others.
    pub(crate) fn split_at(self, count: usize) -> (Self, Self) {
        let batch = self.batch;
        let mut slices = self.slices.into_iter();
        let first = ViewsMut::new(slices.by_ref().take(count), batch);
        (first, ViewsMut::new(slices, batch))
    }

    /// Copies the rows of masked samples from `from`.
    pub(crate) fn keep(&mut self, from: Views<'_, F>, counts: &[bool]) {
        for (to, from) in self.slices.iter_mut().zip(from.slices) {
            let width = to.len() / self.batch.max(1);
            for sample in left_out(counts) {
                copy_row(&from[sample * width..][..width], &mut to[sample * width..][..width]);
            }
        }
    }

    /// Sets the rows of masked samples to zero.
    pub(crate) fn clear(&mut self, counts: &[bool]) {
        for slice in &mut self.slices {
            let width = slice.len() / self.batch.max(1);
            for sample in left_out(counts) {
                slice[sample * width..][..width].fill(F::zero());
            }
        }
    }

    /// Returns state number `state` as a mutable slice, row by row.
    #[inline(always)]
    pub fn slice_mut(&mut self, state: usize) -> &mut [F] {
        self.slices[state]
    }

    /// Returns state number `state` as a mutable matrix (B, width).
    pub fn view_mut(&mut self, state: usize) -> ArrayViewMut2<'_, F> {
        let slice = &mut *self.slices[state];
        ArrayViewMut2::from_shape((self.batch, slice.len() / self.batch.max(1)), slice).expect("states are B rows")
    }

    /// Returns the first N states as matrices at once: `let [mut h, mut c] = next.views()`.
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

/// Copies a matrix of any layout, row by row.
pub(crate) fn copy<F: Scalar>(from: &Array2<F>, to: &mut [F]) {
    match from.as_slice() {
        Some(from) => to.copy_from_slice(from),
        None => to.iter_mut().zip(from).for_each(|(to, &from)| *to = from),
    }
}
