//! C ← C + Aᵀ·D, the gradient of weights: a sum over all rows of all steps.

use super::tile::{ByColumn, Tiles, each_row_tile, each_tile, multiply, panels_of};
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
            let Room { left, right } = &mut **room;
            let packed = a.width > WIDE;
            if packed {
                make_room(rows, a.width, left);
                each_row_tile::<V, 1>(0..a.width, PackColumns { a, packed: &mut left[..] });
            }
            for (from, to) in panels_of::<V>(d.width) {
                let width = (to - from).next_multiple_of(V::WIDTH);
                let columns = d.columns(from, to);
                let panel = if width == to - from && (!packed || d.stride == width) {
                    columns
                } else {
                    pack_panel(columns, rows, width, right);
                    Rows::new(&right[..], width)
                };
                let (packed, c) = (packed.then_some(&left[..]), c.reborrow().columns(from, to));
                each_tile::<V>(token, 0..a.width, to - from, PanelTiles::<V> { token, a, packed, panel, c });
            }
        }
    }
}

/// Tiles of a panel's product.
struct PanelTiles<'a, V: Vector> {
    token: V::Token,
    a: Rows<'a, V::Scalar>,
    /// Columns of A as [`PackColumns`] packs them.
    packed: Option<&'a [V::Scalar]>,
    panel: Rows<'a, V::Scalar>,
    c: RowsMut<'a, V::Scalar>,
}

impl<V: Vector> Tiles for PanelTiles<'_, V> {
    #[inline(always)]
    fn tile<const M: usize, const N: usize>(&mut self, first: usize) {
        let rows = self.a.count();
        let left = match self.packed {
            Some(packed) => Rows::new(&packed[first * rows..][..M * rows], M),
            None => self.a.columns(first, first + M),
        };
        let c = self.c.reborrow().rows_from(first);
        multiply::<V, _, M, N>(self.token, ByColumn(left), self.panel, Start::Sum, c);
    }
}

/// Packs the columns of A of each tile, row after row.
struct PackColumns<'a, F> {
    a: Rows<'a, F>,
    packed: &'a mut [F],
}

impl<F: Scalar> Tiles for PackColumns<'_, F> {
    #[inline(always)]
    fn tile<const M: usize, const N: usize>(&mut self, first: usize) {
        let rows = self.a.count();
        for (row, to) in self.packed[first * rows..][..M * rows].chunks_exact_mut(M).enumerate() {
            to.copy_from_slice(&self.a.row(row)[first..][..M]);
        }
    }
}

/// Makes room for rows, in memory for as many as there may be another time.
fn make_room<F: Scalar>(rows: usize, width: usize, packed: &mut Vec<F>) {
    packed.reserve((DEPTH * width).saturating_sub(packed.len()));
    packed.resize(rows * width, F::zero());
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
