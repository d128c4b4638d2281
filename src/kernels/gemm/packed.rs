//! C ← S + A·B for weights B that are packed once and used for many products.

use super::narrow::narrow;
use super::rows::RowsProduct;
use super::stream::{stream, suits};
use super::tile::{ByRow, panels_of, tiles};
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
        Factor::Packed(b) => F::vectorize(b.columns, Product { a, b: &b.panels, start, c }),
        Factor::Plain(b) => {
            write(start, c.reborrow());
            F::vectorize(b.width, RowsProduct { a, b, c });
        }
    }
}

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
            if suits::<V>(token, [rows, depth, to - from]) {
                stream::<V>(token, a, panel, start, c.reborrow().columns(from, to));
                continue;
            }
            let mut row = narrow::<V>(token, a, panel, start, c.reborrow().columns(from, to));
            while row < rows {
                let start = match start {
                    Start::Lookup(table, numbers) => Start::Lookup(table, &numbers[row..]),
                    start => start,
                };
                let c = RowsMut { data: &mut c.data[row * c.stride + from..], stride: c.stride, width: to - from };
                row += match rows - row {
                    8.. if V::many_registers(token) => tiles::<V, _, 8>(token, ByRow::of(a, row), panel, start, c),
                    4.. => tiles::<V, _, 4>(token, ByRow::of(a, row), panel, start, c),
                    _ => tiles::<V, _, 1>(token, ByRow::of(a, row), panel, start, c),
                };
            }
        }
    }
}
