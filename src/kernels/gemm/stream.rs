//! A product with few k, as h·U of 8 units: the weights stay in registers, and the rows of A pass by.
//!
//! A tile goes through so few k that beginning and ending it takes as long as the sums. Here nothing begins anew, so the
//! processor is at the sums of several rows at once: on Zen 4 with AVX-512, 32 rows of 8 by 32 columns went from 80 to 91
//! GFLOP/s on one core, 3,200 of them from 81 to 109.

use super::{Rows, RowsMut, Start};
use crate::numeric::Vector;

/// How many rows of B are in registers, up to three vectors each.
const DEPTH: usize = 8;

/// Whether a product with a panel is worth it. With one of a single vector it is not: its sums are chains with nothing beside
/// them.
#[inline(always)]
pub(super) fn suits<V: Vector>(token: V::Token, [rows, depth, columns]: [usize; 3]) -> bool {
    let vectors = columns / V::WIDTH;
    V::many_registers(token)
        && (2..=3).contains(&vectors)
        && columns == vectors * V::WIDTH
        && (depth == DEPTH || depth == 2 * DEPTH)
        && rows >= 8
}

/// C ← start + A·B for a packed panel that [`suits`].
#[inline(always)]
pub(super) fn stream<V: Vector>(
    token: V::Token,
    a: Rows<'_, V::Scalar>,
    panel: Rows<'_, V::Scalar>,
    start: Start<'_, V::Scalar>,
    c: RowsMut<'_, V::Scalar>,
) {
    if c.width == 3 * V::WIDTH {
        passes::<V, 3>(token, a, panel, start, c);
    } else {
        passes::<V, 2>(token, a, panel, start, c);
    }
}

/// As many rows of B as fit, then those that are left.
#[inline(always)]
fn passes<V: Vector, const N: usize>(
    token: V::Token,
    a: Rows<'_, V::Scalar>,
    panel: Rows<'_, V::Scalar>,
    mut start: Start<'_, V::Scalar>,
    mut c: RowsMut<'_, V::Scalar>,
) {
    for from in (0..a.width).step_by(DEPTH) {
        let to = from + DEPTH;
        pass::<V, N>(token, a.columns(from, to), panel.rows(from, to), start, c.reborrow());
        start = Start::Sum;
    }
}

#[inline(always)]
fn pass<V: Vector, const N: usize>(
    token: V::Token,
    a: Rows<'_, V::Scalar>,
    b: Rows<'_, V::Scalar>,
    start: Start<'_, V::Scalar>,
    c: RowsMut<'_, V::Scalar>,
) {
    let zeros = [V::broadcast(token, <V::Scalar as num_traits::Zero>::zero()); N];
    let mut weights = [zeros; DEPTH];
    for (k, weights) in weights.iter_mut().enumerate() {
        *weights = load(token, b.row(k));
    }
    for row in 0..a.count() {
        let (a, c) = (&a.row(row)[..DEPTH], &mut c.data[row * c.stride..][..N * V::WIDTH]);
        let mut sums = match start {
            Start::Zero => zeros,
            start => load(token, start.row(row, c)),
        };
        for (&factor, weights) in a.iter().zip(&weights) {
            let factor = V::broadcast(token, factor);
            for (sum, &weights) in sums.iter_mut().zip(weights) {
                *sum = factor.mul_add(weights, *sum);
            }
        }
        for (vector, sum) in sums.iter().enumerate() {
            sum.store(&mut c[vector * V::WIDTH..][..V::WIDTH]);
        }
    }
}

/// The first N vectors of a row. A tile does not share this: with it the compiler keeps the tile's sums in memory, and 32 rows
/// of 128×512 run at 44 GFLOP/s instead of 112.
#[inline(always)]
fn load<V: Vector, const N: usize>(token: V::Token, row: &[V::Scalar]) -> [V; N] {
    let row = &row[..N * V::WIDTH];
    let mut vectors = [V::load(token, &row[..V::WIDTH]); N];
    for (vector, to) in vectors.iter_mut().enumerate().skip(1) {
        *to = V::load(token, &row[vector * V::WIDTH..][..V::WIDTH]);
    }
    vectors
}
