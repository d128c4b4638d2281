//! Product with as many columns as half a vector, such as dz·Uᵀ of 8 units. It uses vectors of that size, with two
//! multiply-adds at a time, each with a number loaded from A.
//!
//! To make these loads cheap, the distance of A's rows (the width of z) is a constant, and a tile starts and ends without
//! branches.

use super::tile::{ByRow, Shape, add_outer_product};
use super::{Rows, RowsMut, Start};
use crate::numeric::Vector;

/// Width of C.
const COLUMNS: usize = 8;
/// Number of rows of A in a tile.
const TILE_ROWS: usize = 8;

/// C ← start + A·B for a packed panel, for as many of the first rows as there are tiles for; returns their number. There are
/// none unless A is some columns of 1 to 4 blocks, and C, which its rows fill, is to be added to or written over.
#[inline(always)]
pub(super) fn narrow<V: Vector>(
    token: V::Token,
    a: Rows<'_, V::Scalar>,
    panel: Rows<'_, V::Scalar>,
    start: Start<'_, V::Scalar>,
    c: RowsMut<'_, V::Scalar>,
) -> usize {
    let suits = Shape::<V>::MEDIUM
        && [V::WIDTH, c.width, c.stride] == [COLUMNS; 3]
        && matches!(start, Start::Zero | Start::Sum);
    if !suits {
        return 0;
    }
    match a.stride {
        8 => tiles::<V, 8>(token, a, panel, start, c),
        16 => tiles::<V, 16>(token, a, panel, start, c),
        24 => tiles::<V, 24>(token, a, panel, start, c),
        32 => tiles::<V, 32>(token, a, panel, start, c),
        _ => 0,
    }
}

#[inline(always)]
fn tiles<V: Vector, const STRIDE: usize>(
    token: V::Token,
    a: Rows<'_, V::Scalar>,
    panel: Rows<'_, V::Scalar>,
    start: Start<'_, V::Scalar>,
    c: RowsMut<'_, V::Scalar>,
) -> usize {
    let panel = &panel.data[..a.width * COLUMNS];
    let (from, to) = (a.data.chunks_exact(TILE_ROWS * STRIDE), c.data.chunks_exact_mut(TILE_ROWS * COLUMNS));
    let rows = TILE_ROWS * from.len().min(to.len());
    for (data, c) in from.zip(to) {
        let a = ByRow::<_, TILE_ROWS>::of(Rows { data, stride: STRIDE, width: a.width }, 0);
        let mut sums = [[V::broadcast(token, <V::Scalar as num_traits::Zero>::zero())]; TILE_ROWS];
        if matches!(start, Start::Sum) {
            for (row, [sum]) in sums.iter_mut().enumerate() {
                *sum = V::load(token, &c[row * COLUMNS..][..COLUMNS]);
            }
        }
        for (k, row) in panel.chunks_exact(COLUMNS).enumerate() {
            add_outer_product(token, a, k, row, &mut sums);
        }
        for (row, [sum]) in sums.into_iter().enumerate() {
            sum.store(&mut c[row * COLUMNS..][..COLUMNS]);
        }
    }
    rows
}
