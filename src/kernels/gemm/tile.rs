//! Tile of a product: its sums stay in registers during one pass over k.

use super::{Rows, RowsMut, Start};
use crate::numeric::Vector;

/// Number of vectors in a tile's row.
const TILE_VECTORS: usize = 3;

/// The first and the last column, not included, of each panel.
#[inline(always)]
pub(super) fn panels_of<V: Vector>(columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let width = TILE_VECTORS * V::WIDTH;
    (0..columns).step_by(width).map(move |from| (from, columns.min(from + width)))
}

/// Source of a tile's numbers of A: M of them for each k.
pub(super) trait Left<F, const M: usize>: Copy {
    /// Whether its panels are always packed. Narrow tiles are slower if the compiler does not know the distance of rows.
    const PACKED: bool;
    fn depth(self) -> usize;
    fn at(self, k: usize) -> [F; M];
}

/// M rows of A, for A·B.
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
    const PACKED: bool = true;
    #[inline(always)]
    fn depth(self) -> usize {
        self.0[0].len()
    }
    #[inline(always)]
    fn at(self, k: usize) -> [F; M] {
        let mut numbers = [self.0[0][k]; M];
        for (number, row) in numbers.iter_mut().zip(self.0) {
            *number = row[k];
        }
        numbers
    }
}

/// M columns of A, for Aᵀ·D.
#[derive(Clone, Copy)]
pub(super) struct ByColumn<'a, F, const M: usize>(pub(super) Rows<'a, F>);

impl<F: Copy, const M: usize> Left<F, M> for ByColumn<'_, F, M> {
    const PACKED: bool = false;
    #[inline(always)]
    fn depth(self) -> usize {
        self.0.count()
    }
    #[inline(always)]
    fn at(self, k: usize) -> [F; M] {
        let row = &self.0.data[k * self.0.stride..][..M];
        let mut numbers = [row[0]; M];
        numbers.copy_from_slice(row);
        numbers
    }
}

/// One tile of C, as many vectors wide as the rows of the panel. Returns its rows.
#[inline(always)]
pub(super) fn tiles<V: Vector, L: Left<V::Scalar, M>, const M: usize>(
    token: V::Token,
    left: L,
    panel: Rows<'_, V::Scalar>,
    start: Start<'_, V::Scalar>,
    c: RowsMut<'_, V::Scalar>,
) -> usize {
    match c.width.div_ceil(V::WIDTH) {
        TILE_VECTORS => tile::<V, L, M, TILE_VECTORS>(token, left, panel, start, c),
        2 => tile::<V, L, M, 2>(token, left, panel, start, c),
        _ => tile::<V, L, M, 1>(token, left, panel, start, c),
    }
    M
}

/// A tile of M rows by N vectors.
#[inline(always)]
fn tile<V: Vector, L: Left<V::Scalar, M>, const M: usize, const N: usize>(
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
    if L::PACKED {
        for (k, row) in panel.data[..left.depth() * width].chunks_exact(width).enumerate() {
            add_outer_product(token, left.at(k), row, &mut sums);
        }
    } else {
        for (k, row) in panel.data.chunks(panel.stride).take(left.depth()).enumerate() {
            add_outer_product(token, left.at(k), &row[..width], &mut sums);
        }
    }
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
pub(super) fn add_outer_product<V: Vector, const M: usize, const N: usize>(
    token: V::Token,
    left: [V::Scalar; M],
    row: &[V::Scalar],
    sums: &mut [[V; N]; M],
) {
    let mut right = sums[0];
    for (vector, right) in right.iter_mut().enumerate() {
        *right = V::load(token, &row[vector * V::WIDTH..][..V::WIDTH]);
    }
    for (sums, factor) in sums.iter_mut().zip(left) {
        let factor = V::broadcast(token, factor);
        for (sum, right) in sums.iter_mut().zip(right) {
            *sum = factor.mul_add(right, *sum);
        }
    }
}
