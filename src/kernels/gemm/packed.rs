//! C ← S + A·B for weights B that are packed once and used for many products.

use super::narrow::narrow;
use super::rows::RowsProduct;
use super::stream::{stream, suits};
use super::tile::{ByRow, Shape, Tiles, each_tile, multiply, panels_of};
use super::{Rows, RowsMut, Start, write};
use crate::numeric::Scalar;
use crate::numeric::{Kernel, Vector};

/// Number of rows up to which weights are not packed, because packing would cost more than it saves.
pub(crate) const FEW: usize = 3;

/// Weights B (K, N) as [`product`] takes them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Factor<'a, F> {
    /// Packed in panels.
    Packed(&'a Packed<F>),
    /// Not packed, for few rows.
    Plain(Rows<'a, F>),
}

/// Memory of packed weights, kept for reuse.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packed<F> {
    panels: Vec<F>,
    columns: usize,
    plain: bool,
}

impl<F: Scalar> Packed<F> {
    /// Returns B for products with this many rows, packed if that pays off.
    pub(crate) fn factor<'a>(&'a mut self, b: Rows<'a, F>, rows: usize) -> Factor<'a, F> {
        self.plain = rows <= FEW;
        if !self.plain {
            self.columns = b.width;
            F::vectorize(b.width, Pack { b, transposed: false, panels: &mut self.panels });
        }
        self.last(b)
    }

    /// Returns the result of the last call of the other two methods, for the same B.
    pub(crate) fn last<'a>(&'a self, b: Rows<'a, F>) -> Factor<'a, F> {
        if self.plain { Factor::Plain(b) } else { Factor::Packed(self) }
    }

    /// Returns the transpose of B.
    pub(crate) fn transposed<'a>(&'a mut self, b: Rows<'_, F>) -> Factor<'a, F> {
        self.plain = false;
        self.columns = b.count();
        F::vectorize(self.columns, Pack { b, transposed: true, panels: &mut self.panels });
        Factor::Packed(self)
    }
}

struct Pack<'a, F> {
    b: Rows<'a, F>,
    transposed: bool,
    panels: &'a mut Vec<F>,
}

impl<F: Scalar> Kernel<F> for Pack<'_, F> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(&mut self, _: V::Token) {
        let Pack { b, transposed, ref mut panels } = *self;
        let (depth, columns) = if transposed { (b.width, b.count()) } else { (b.count(), b.width) };
        panels.clear();
        panels.resize(depth * columns.next_multiple_of(V::WIDTH), F::zero());
        let mut panels = &mut panels[..];
        for (from, to) in panels_of::<V>(columns) {
            let width = (to - from).next_multiple_of(V::WIDTH);
            let (panel, rest) = panels.split_at_mut(depth * width);
            panels = rest;
            if transposed {
                for (index, column) in (from..to).enumerate() {
                    panel[index..].iter_mut().step_by(width).zip(b.row(column)).for_each(|(to, &from)| *to = from);
                }
            } else {
                for (row, panel) in panel.chunks_exact_mut(width).enumerate() {
                    panel[..to - from].copy_from_slice(&b.row(row)[from..to]);
                }
            }
        }
    }
}

/// C ← start + A·B.
pub(crate) fn product<F: Scalar>(a: Rows<'_, F>, b: Factor<'_, F>, start: Start<'_, F>, mut c: RowsMut<'_, F>) {
    match b {
        Factor::Packed(b) => {
            let (rows, block) = (a.count(), rows_of_block(a.width));
            for first in (0..rows).step_by(block) {
                let end = rows.min(first + block);
                let (a, start, c) = (a.rows(first, end), start.rows_from(first), c.reborrow().rows(first, end));
                F::vectorize(b.columns, Product { a, b: &b.panels, start, c });
            }
        }
        Factor::Plain(b) => {
            write(start, c.reborrow());
            F::vectorize(b.width, RowsProduct { a, b, c });
        }
    }
}

/// Returns the number of rows of A that are multiplied by all panels before the next ones, so that they stay in the cache:
/// those of some 8192 numbers, but at least 48, in whole tiles of 6 or 8.
fn rows_of_block(depth: usize) -> usize {
    (8192 / depth.max(1)).next_multiple_of(24).max(48)
}

/// Number of numbers of a panel that stay in the first-level cache while rows of A pass by.
const PANEL: usize = 6144;

struct Product<'a, F> {
    a: Rows<'a, F>,
    b: &'a [F],
    start: Start<'a, F>,
    c: RowsMut<'a, F>,
}

impl<F: Scalar> Kernel<F> for Product<'_, F> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(&mut self, token: V::Token) {
        let Product { a, b, start, ref mut c } = *self;
        let (rows, depth, columns) = (a.count(), a.width, c.width);
        let mut panels = b;
        for (from, to) in panels_of::<V>(columns) {
            let vectors = (to - from).div_ceil(V::WIDTH);
            let (panel, rest) = panels.split_at(depth * vectors * V::WIDTH);
            panels = rest;
            let panel = Rows::new(panel, vectors * V::WIDTH);
            let start = start.columns(from, to);
            let mut c = c.reborrow().columns(from, to);
            if Shape::<V>::LARGE && suits::<V>([rows, depth, to - from]) {
                stream::<V>(token, a, panel, start, c);
                continue;
            }
            let done = narrow::<V>(token, a, panel, start, c.reborrow());
            let (mut start, block) = (start, PANEL / panel.width);
            // Also without any k, so that C becomes the start.
            for k in (0..depth.max(1)).step_by(block) {
                let end = depth.min(k + block);
                let (a, panel, c) = (a.columns(k, end), panel.rows(k, end), c.reborrow());
                each_tile::<V>(token, done..rows, to - from, PanelTiles::<V> { token, a, panel, start, c });
                start = Start::Sum;
            }
        }
    }
}

/// Tiles of a panel's product.
struct PanelTiles<'a, V: Vector> {
    token: V::Token,
    a: Rows<'a, V::Scalar>,
    panel: Rows<'a, V::Scalar>,
    start: Start<'a, V::Scalar>,
    c: RowsMut<'a, V::Scalar>,
}

impl<V: Vector> Tiles for PanelTiles<'_, V> {
    #[inline(always)]
    fn tile<const M: usize, const N: usize>(&mut self, first: usize) {
        let PanelTiles { token, a, panel, start, ref mut c } = *self;
        let c = c.reborrow().rows_from(first);
        multiply::<V, _, M, N>(token, ByRow::of(a, first), panel, start.rows_from(first), c);
    }
}
