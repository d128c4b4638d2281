//! Matrix products for few rows at a time, as recurrent layers need them.
//!
//! ```text
//! C ← S + A·B    rows of A by weights B that are packed once and used for every step      (B, K)·(K, N)
//! C ← C + Aᵀ·D   the gradient of weights: a sum over all rows of all steps                (R, K)ᵀ·(R, N)
//! C ← C + A·B    one or two rows by weights as they are, for streaming
//! ```
//!
//! All three keep a tile of C in registers, as large as those of the instruction set allow (see `tile`): for each k they
//! load a vector row of B and multiply it by one number of each row of A. The first is blocked by sizes: a few rows of A,
//! which stay in the cache, meet all panels of B, a part of K at a time, so that this part of a panel stays in the
//! first-level cache.
//!
//! `tile` is that inner loop, `stream` one for so few k that all of B fits into registers, `narrow` one for few columns.
//! `packed` is the first product, built on these three, `transposed` the second; `rows` has the third and other row loops.
//!
//! *Packed* means cut into panels of a tile's columns, each stored row after row, the last padded with zeros. A matrix no
//! wider than a panel is packed as it is.
//!
//! Every sum runs over k in order, so the bits do not depend on how rows were split.
//!
//! Arrays are filled by loops instead of `array::from_fn` or `map`, which the compiler does not always inline and then
//! compiles without vectors.

mod narrow;
mod packed;
mod rows;
mod stream;
#[cfg(test)]
mod tests;
mod tile;
mod transposed;

pub(crate) use packed::{FEW, Factor, Packed, product};
pub(crate) use rows::{add_row_sums, add_rows, add_to_rows, change_row, multiply_elements};
pub(crate) use transposed::{Room, add_transposed_product};

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::numeric::Scalar;

/// Rows of numbers at equal distances: a matrix, or some of its columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a, F> {
    data: &'a [F],
    stride: usize,
    width: usize,
}

impl<'a, F: Copy> Rows<'a, F> {
    /// Returns a contiguous matrix with `width` numbers a row.
    pub(crate) fn new(data: &'a [F], width: usize) -> Self {
        Rows { data, stride: width, width }
    }

    /// Returns these columns of the matrix.
    pub(crate) fn columns(self, from: usize, to: usize) -> Self {
        Rows { data: self.data.get(from..).unwrap_or_default(), stride: self.stride, width: to - from }
    }

    /// Returns these rows of the matrix.
    pub(crate) fn rows(self, from: usize, to: usize) -> Self {
        let end = self.data.len().min(to * self.stride);
        Rows { data: &self.data[from * self.stride..end], ..self }
    }

    /// Number of rows.
    pub(crate) fn count(self) -> usize {
        (self.data.len() + self.stride - self.width) / self.stride
    }

    /// Returns one row.
    #[inline(always)]
    pub(crate) fn row(self, row: usize) -> &'a [F] {
        &self.data[row * self.stride..][..self.width]
    }
}

/// Mutable rows of numbers at equal distances.
#[derive(Debug)]
pub(crate) struct RowsMut<'a, F> {
    data: &'a mut [F],
    stride: usize,
    width: usize,
}

impl<'a, F> RowsMut<'a, F> {
    /// Returns a contiguous matrix with `width` numbers a row.
    pub(crate) fn new(data: &'a mut [F], width: usize) -> Self {
        RowsMut { data, stride: width, width }
    }

    /// Returns these columns of the matrix.
    pub(crate) fn columns(self, from: usize, to: usize) -> Self {
        RowsMut { data: self.data.get_mut(from..).unwrap_or_default(), stride: self.stride, width: to - from }
    }

    /// Returns these rows of the matrix.
    pub(crate) fn rows(self, from: usize, to: usize) -> Self {
        let end = self.data.len().min(to * self.stride);
        RowsMut { data: &mut self.data[from * self.stride..end], ..self }
    }

    /// Returns the rows from this one on.
    #[inline(always)]
    fn rows_from(self, first: usize) -> Self {
        RowsMut { data: &mut self.data[first * self.stride..], ..self }
    }

    /// Returns one row.
    #[inline(always)]
    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [F] {
        &mut self.data[row * self.stride..][..self.width]
    }

    /// Reborrows the rows.
    pub(crate) fn reborrow(&mut self) -> RowsMut<'_, F> {
        RowsMut { data: self.data, stride: self.stride, width: self.width }
    }
}

/// Initial value of C, to which a product is added.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start<'a, F> {
    /// Zero: C is overwritten.
    Zero,
    /// The same row for each row of C, such as a bias.
    Row(&'a [F]),
    /// For each row of C, the row of a table with this number.
    Lookup(Rows<'a, F>, &'a [u32]),
    /// Present content of C.
    Sum,
}

impl<'a, F: Copy> Start<'a, F> {
    /// Returns the start of some columns of C.
    #[inline(always)]
    pub(crate) fn columns(self, from: usize, to: usize) -> Self {
        match self {
            Start::Row(row) => Start::Row(&row[from..to]),
            Start::Lookup(table, numbers) => Start::Lookup(table.columns(from, to), numbers),
            start => start,
        }
    }

    /// Returns the start of the rows of C from this one on.
    #[inline(always)]
    fn rows_from(self, first: usize) -> Self {
        match self {
            Start::Lookup(table, numbers) => Start::Lookup(table, &numbers[first..]),
            start => start,
        }
    }

    /// Returns the start of a row of C, whose present content is `row`.
    #[inline(always)]
    fn row<'b>(self, number: usize, row: &'b [F]) -> &'b [F]
    where
        'a: 'b,
    {
        match self {
            Start::Row(row) => row,
            Start::Lookup(table, numbers) => table.row(numbers[number] as usize),
            Start::Zero | Start::Sum => row,
        }
    }
}

/// C ← start.
pub(crate) fn write<F: Scalar>(start: Start<'_, F>, c: RowsMut<'_, F>) {
    if c.width == 0 {
        return;
    }
    for (number, row) in c.data.chunks_mut(c.stride).enumerate() {
        // The last row of columns ends with them; what is shorter is the rest of a row after its columns.
        let Some(row) = row.get_mut(..c.width) else { return };
        match start {
            Start::Sum => return,
            Start::Zero => row.fill(F::zero()),
            Start::Row(from) => row.copy_from_slice(from),
            Start::Lookup(table, numbers) => row.copy_from_slice(table.row(numbers[number] as usize)),
        }
    }
}

/// Writes A·B to `c` with ndarray, for small products and the reference path.
pub(crate) fn plain_product<F: Scalar>(a: ArrayView2<'_, F>, b: ArrayView2<'_, F>, mut c: ArrayViewMut2<'_, F>) {
    general_mat_mul(F::one(), &a, &b, F::zero(), &mut c);
}

/// Adds A·B to `c` with ndarray.
pub(crate) fn add_plain_product<F: Scalar>(a: ArrayView2<'_, F>, b: ArrayView2<'_, F>, mut c: ArrayViewMut2<'_, F>) {
    general_mat_mul(F::one(), &a, &b, F::one(), &mut c);
}
