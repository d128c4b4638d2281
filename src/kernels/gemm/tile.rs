//! Tile of a product: its sums stay in registers during one pass over k.

use std::marker::PhantomData;
use std::ops::Range;

use super::{Rows, RowsMut, Start};
use crate::numeric::Vector;

/// Shape of the tiles for a kind of vectors: the registers hold the sums, a row of B and a factor.
///
/// | registers | rows | vectors |
/// | --- | --- | --- |
/// | 32 | 8 | 3 |
/// | 16 | 6 | 2 |
/// | 8 | 2 | 2 |
pub(super) struct Shape<V>(PhantomData<V>);

// Plain constants, so that tiles of other shapes are not compiled.
impl<V: Vector> Shape<V> {
    /// Whether there are 32 registers.
    pub(super) const LARGE: bool = V::REGISTERS >= 32;
    /// Whether there are 16.
    pub(super) const MEDIUM: bool = V::REGISTERS >= 16;
    const VECTORS: usize = if Self::LARGE { 3 } else { 2 };
}

/// Work on tiles of C.
pub(super) trait Tiles {
    /// Works on a tile of M rows by N vectors.
    fn tile<const M: usize, const N: usize>(&mut self, first: usize);
}

/// Works on all tiles of a panel of C with these rows and columns, in a function of its own: with all panels in one, the
/// compiler does not find registers for everything.
#[inline(always)]
pub(super) fn each_tile<V: Vector>(token: V::Token, rows: Range<usize>, columns: usize, tiles: impl Tiles) {
    if columns <= V::WIDTH {
        V::alone(
            token,
            #[inline(always)]
            move || each_row_tile::<V, 1>(rows, tiles),
        );
    } else if Shape::<V>::LARGE && columns > 2 * V::WIDTH {
        V::alone(
            token,
            #[inline(always)]
            move || each_row_tile::<V, 3>(rows, tiles),
        );
    } else {
        V::alone(
            token,
            #[inline(always)]
            move || each_row_tile::<V, 2>(rows, tiles),
        );
    }
}

/// Cuts rows into tiles as high as the registers allow.
#[inline(always)]
pub(super) fn each_row_tile<V: Vector, const N: usize>(rows: Range<usize>, mut tiles: impl Tiles) {
    let mut row = rows.start;
    while row < rows.end {
        let left = rows.end - row;
        row += if Shape::<V>::LARGE {
            match left {
                8.. => tile::<8, N>(&mut tiles, row),
                4.. => tile::<4, N>(&mut tiles, row),
                _ => tile::<1, N>(&mut tiles, row),
            }
        } else if Shape::<V>::MEDIUM {
            match left {
                // Two tiles of 4 rows are faster than one of 6 and two of 1.
                8 | 4..6 => tile::<4, N>(&mut tiles, row),
                6.. => tile::<6, N>(&mut tiles, row),
                _ => tile::<1, N>(&mut tiles, row),
            }
        } else {
            match left {
                2.. => tile::<2, N>(&mut tiles, row),
                _ => tile::<1, N>(&mut tiles, row),
            }
        };
    }
}

/// Works on a tile and returns its number of rows.
#[inline(always)]
fn tile<const M: usize, const N: usize>(tiles: &mut impl Tiles, first: usize) -> usize {
    tiles.tile::<M, N>(first);
    M
}

/// The first and the last column, not included, of each panel.
#[inline(always)]
pub(super) fn panels_of<V: Vector>(columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let width = Shape::<V>::VECTORS * V::WIDTH;
    (0..columns).step_by(width).map(move |from| (from, columns.min(from + width)))
}

/// Source of a tile's numbers of A: a column of M of them for each k.
pub(super) trait Left<F, const M: usize>: Copy {
    /// Place of the numbers for one k.
    type Column: Copy;
    /// Calls `work` for each k with the column of A and the row of a panel of B, in order.
    fn each(self, panel: Rows<'_, F>, width: usize, work: impl FnMut(Self::Column, &[F]));
    /// Returns a number of a column.
    fn number(self, column: Self::Column, row: usize) -> F;
}

/// M rows of A, for A·B with a packed panel.
#[derive(Clone, Copy)]
pub(super) struct ByRow<'a, F, const M: usize>([&'a [F]; M]);

impl<'a, F: Copy, const M: usize> ByRow<'a, F, M> {
    #[inline(always)]
    pub(super) fn of(a: Rows<'a, F>, first: usize) -> Self {
        let mut rows = [a.row(first); M];
        for (row, slice) in rows.iter_mut().enumerate() {
            *slice = a.row(first + row);
        }
        ByRow(rows)
    }
}

impl<F: Copy, const M: usize> Left<F, M> for ByRow<'_, F, M> {
    type Column = usize;
    #[inline(always)]
    fn each(self, panel: Rows<'_, F>, width: usize, mut work: impl FnMut(usize, &[F])) {
        // By `width`, a constant, instead of the panel's stride: narrow tiles gain most.
        for (k, row) in panel.data[..self.0[0].len() * width].chunks_exact(width).enumerate() {
            work(k, row);
        }
    }
    #[inline(always)]
    fn number(self, k: usize, row: usize) -> F {
        self.0[row][k]
    }
}

/// M columns of A, for Aᵀ·D.
#[derive(Clone, Copy)]
pub(super) struct ByColumn<'a, F, const M: usize>(pub(super) Rows<'a, F>);

impl<'a, F: Copy, const M: usize> Left<F, M> for ByColumn<'a, F, M> {
    type Column = &'a [F];
    #[inline(always)]
    fn each(self, panel: Rows<'_, F>, width: usize, mut work: impl FnMut(&'a [F], &[F])) {
        // All rows but the last are as long as the stride.
        let (columns, rows) = (self.0.data.chunks_exact(self.0.stride), panel.data.chunks_exact(panel.stride));
        let whole = columns.len().min(rows.len());
        for (column, row) in columns.zip(rows) {
            work(&column[..M], &row[..width]);
        }
        if whole < self.0.count() {
            work(&self.0.data[whole * self.0.stride..][..M], &panel.data[whole * panel.stride..][..width]);
        }
    }
    #[inline(always)]
    fn number(self, column: &'a [F], row: usize) -> F {
        column[row]
    }
}

/// C ← start + A·B for a tile of M rows by N vectors.
#[inline(always)]
pub(super) fn multiply<V: Vector, L: Left<V::Scalar, M>, const M: usize, const N: usize>(
    token: V::Token,
    left: L,
    panel: Rows<'_, V::Scalar>,
    start: Start<'_, V::Scalar>,
    c: RowsMut<'_, V::Scalar>,
) {
    let width = N * V::WIDTH;
    // A tile at the right edge may be narrower than its vectors. Only whole ones are worth unrolled loads and stores.
    let whole = c.width == width;
    let part = |vector: usize| (vector * V::WIDTH).min(c.width)..((vector + 1) * V::WIDTH).min(c.width);
    let mut sums = [[V::broadcast(token, <V::Scalar as num_traits::Zero>::zero()); N]; M];
    match start {
        Start::Zero => {}
        start if whole => {
            for (row, sums) in sums.iter_mut().enumerate() {
                let from = &start.row(row, &c.data[row * c.stride..])[..width];
                for (vector, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(token, &from[vector * V::WIDTH..][..V::WIDTH]);
                }
            }
        }
        start => {
            // A copy, here and below, so that indexing it by a variable does not keep the sums in memory.
            let mut edge = sums;
            for (row, sums) in edge.iter_mut().enumerate() {
                let from = start.row(row, &c.data[row * c.stride..]);
                for (vector, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(token, &from[part(vector)]);
                }
            }
            sums = edge;
        }
    }
    left.each(
        panel,
        width,
        #[inline(always)]
        |column, row| add_outer_product(token, left, column, row, &mut sums),
    );
    if whole {
        for (row, sums) in sums.iter().enumerate() {
            let row = &mut c.data[row * c.stride..][..width];
            for (vector, sum) in sums.iter().enumerate() {
                sum.store(&mut row[vector * V::WIDTH..][..V::WIDTH]);
            }
        }
    } else {
        let edge = sums;
        for (row, sums) in edge.iter().enumerate() {
            for (vector, sum) in sums.iter().enumerate() {
                sum.store(&mut c.data[row * c.stride..][part(vector)]);
            }
        }
    }
}

/// Adds the outer product of a column of A and a row of B.
#[inline(always)]
pub(super) fn add_outer_product<V: Vector, L: Left<V::Scalar, M>, const M: usize, const N: usize>(
    token: V::Token,
    left: L,
    column: L::Column,
    row: &[V::Scalar],
    sums: &mut [[V; N]; M],
) {
    let mut right = sums[0];
    for (vector, right) in right.iter_mut().enumerate() {
        *right = V::load(token, &row[vector * V::WIDTH..][..V::WIDTH]);
    }
    for (row, sums) in sums.iter_mut().enumerate() {
        let factor = V::broadcast(token, left.number(column, row));
        for (sum, right) in sums.iter_mut().zip(right) {
            *sum = factor.mul_add(right, *sum);
        }
    }
}
