//! C ← C + Aᵀ·D, the gradient of weights: a sum over all rows of all steps.

use super::tile::{ByColumn, panels_of, tiles};
use super::{Rows, RowsMut, Start};
use crate::numeric::Scalar;
use crate::numeric::{Kernel, Vector};

/// Number of rows of A and D that are summed at once: as many as fit in the second-level cache once packed.
const DEPTH: usize = 1024;

/// Scratch of [`add_transposed_product`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Room<F> {
    left: Vec<F>,
    right: Vec<F>,
}

/// C ← C + Aᵀ·D, with C (K, N) in one piece.
pub(crate) fn add_transposed_product<F: Scalar>(a: Rows<'_, F>, d: Rows<'_, F>, c: RowsMut<'_, F>, room: &mut Room<F>) {
    F::vectorize(d.width, TransposedProduct { a, d, c, room });
}

struct TransposedProduct<'a, F> {
    a: Rows<'a, F>,
    d: Rows<'a, F>,
    c: RowsMut<'a, F>,
    room: &'a mut Room<F>,
}

/// Number of columns of A in a tile of Aᵀ·D.
const TILE_ROWS: usize = 8;
/// Width of A up to which a panel has so few tiles that packing costs more than it saves. For a wider one, a tile's columns
/// of A and the panel of D are packed.
const WIDE: usize = 64;

impl<F: Scalar> Kernel<F> for TransposedProduct<'_, F> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(&mut self, token: V::Token) {
        let TransposedProduct { a, d, ref mut c, ref mut room } = *self;
        let all = a.count();
        for first in (0..all).step_by(DEPTH) {
            let rows = DEPTH.min(all - first);
            let (a, d) = (a.rows(first, first + rows), d.rows(first, first + rows));
            let packed = a.width > WIDE;
            if packed {
                pack_columns(a, rows, &mut room.left);
            }
            for (from, to) in panels_of::<V>(d.width) {
                let width = (to - from).next_multiple_of(V::WIDTH);
                let columns = d.columns(from, to);
                let panel = if width == to - from && (!packed || d.stride == width) {
                    columns
                } else {
                    pack_panel(columns, rows, width, &mut room.right);
                    Rows::new(&room.right, width)
                };
                let mut column = 0;
                while column < a.width {
                    let c =
                        RowsMut { data: &mut c.data[column * c.stride + from..], stride: c.stride, width: to - from };
                    column += match a.width - column {
                        TILE_ROWS.. => {
                            let left = if packed {
                                Rows::new(&room.left[column * rows..][..TILE_ROWS * rows], TILE_ROWS)
                            } else {
                                a.columns(column, column + TILE_ROWS)
                            };
                            if V::many_registers(token) {
                                tiles::<V, _, TILE_ROWS>(token, ByColumn(left), panel, Start::Sum, c)
                            } else {
                                let half = TILE_ROWS / 2;
                                let mut c = c;
                                tiles::<V, _, 4>(
                                    token,
                                    ByColumn(left.columns(0, half)),
                                    panel,
                                    Start::Sum,
                                    c.reborrow(),
                                );
                                let c = RowsMut { data: &mut c.data[half * c.stride..], ..c };
                                half + tiles::<V, _, 4>(
                                    token,
                                    ByColumn(left.columns(half, TILE_ROWS)),
                                    panel,
                                    Start::Sum,
                                    c,
                                )
                            }
                        }
                        4.. => tiles::<V, _, 4>(token, ByColumn(a.columns(column, column + 4)), panel, Start::Sum, c),
                        _ => tiles::<V, _, 1>(token, ByColumn(a.columns(column, column + 1)), panel, Start::Sum, c),
                    };
                }
            }
        }
    }
}

/// Makes room for rows, in memory for as many as there may be another time.
fn make_room<F: Scalar>(rows: usize, width: usize, packed: &mut Vec<F>) {
    packed.reserve((DEPTH * width).saturating_sub(packed.len()));
    packed.resize(rows * width, F::zero());
}

/// Packs each 8 columns of A, row after row; the rest at the end is not packed.
#[inline(always)]
fn pack_columns<F: Scalar>(a: Rows<'_, F>, rows: usize, packed: &mut Vec<F>) {
    make_room(rows, a.width, packed);
    for (block, packed) in packed.chunks_exact_mut(TILE_ROWS * rows).enumerate() {
        for (row, to) in packed.chunks_exact_mut(TILE_ROWS).enumerate() {
            to.copy_from_slice(&a.row(row)[block * TILE_ROWS..][..TILE_ROWS]);
        }
    }
}

/// Packs the rows of a panel of D, padded to whole vectors.
#[inline(always)]
fn pack_panel<F: Scalar>(d: Rows<'_, F>, rows: usize, width: usize, packed: &mut Vec<F>) {
    make_room(rows, width, packed);
    for (row, to) in packed.chunks_exact_mut(width).enumerate() {
        let (values, padding) = to.split_at_mut(d.width);
        values.copy_from_slice(d.row(row));
        padding.fill(F::zero());
    }
}
