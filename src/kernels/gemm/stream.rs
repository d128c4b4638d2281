//! Product with few k, such as h·U of 8 units: the weights stay in registers while the rows of A pass by.
//!
//! With so few k, starting and ending a tile takes as long as the sums. This loop has no tiles, so the processor works on
//! the sums of several rows at once.

use super::{Rows, RowsMut, Start};
use crate::numeric::Vector;

/// Number of rows of B in registers, up to three vectors each.
const DEPTH: usize = 8;

/// Whether it pays off for a product with a panel. It does not for a single vector, whose sums are dependent chains.
#[inline(always)]
pub(super) fn suits<V: Vector>([rows, depth, columns]: [usize; 3]) -> bool {
    let vectors = columns / V::WIDTH;
    (2..=3).contains(&vectors) && columns == vectors * V::WIDTH && (depth == DEPTH || depth == 2 * DEPTH) && rows >= 8
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
        V::alone(
            token,
            #[inline(always)]
            || passes::<V, 3>(token, a, panel, start, c),
        );
    } else {
        V::alone(
            token,
            #[inline(always)]
            || passes::<V, 2>(token, a, panel, start, c),
        );
    }
}

/// Runs as many rows of B as fit, then the rest.
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

/// Loads the first N vectors of a row. A tile does not share this function: with it the compiler would keep the tile's sums
/// in memory.
#[inline(always)]
fn load<V: Vector, const N: usize>(token: V::Token, row: &[V::Scalar]) -> [V; N] {
    let row = &row[..N * V::WIDTH];
    let mut vectors = [V::load(token, &row[..V::WIDTH]); N];
    for (vector, to) in vectors.iter_mut().enumerate().skip(1) {
        *to = V::load(token, &row[vector * V::WIDTH..][..V::WIDTH]);
    }
    vectors
}
