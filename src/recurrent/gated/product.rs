//! Product of a gated cell: inputs or a state times some blocks of a kernel, for a part of the sums z, and its adjoint.
//!
//! All blocks are multiplied at once, unless dropout has a mask for each gate: then each gate's block is multiplied by the
//! inputs under that gate's mask, which costs a copy of the rows for each gate and direction.

use std::ops::Range;

use crate::kernels::gemm::{self, Packed, Room, Rows, RowsMut, Start};
use crate::numeric::Scalar;
use crate::recurrent::masks::GateMasks;

/// Product a·K for some columns of z: a are inputs or states, a row for each sample of one or more steps; K are kernel
/// columns.
pub(super) struct Product<'a, F> {
    kernel: Rows<'a, F>,
    /// First part to multiply, and the number of parts that follow.
    first: Part,
    parts: usize,
    masks: Option<GateMasks<'a, F>>,
    room: &'a mut ProductRoom<F>,
}

/// Some columns of a kernel, the columns of z for their products, and the gate whose masks apply.
#[derive(Clone)]
struct Part {
    from: Range<usize>,
    to: Range<usize>,
    gate: usize,
}

/// Scratch of a product, kept for reuse.
#[derive(Clone, Debug, Default)]
pub(super) struct ProductRoom<F> {
    /// Kernel columns that are multiplied at once.
    packed: Vec<Packed<F>>,
    /// Rows as one gate sees them, or their gradient.
    dropped: Vec<F>,
}

impl<'a, F: Scalar> Product<'a, F> {
    /// Returns the product with the columns `from` of a kernel, which go to the columns `to` of z.
    pub(super) fn new(
        kernel: Rows<'a, F>,
        (from, to): (Range<usize>, Range<usize>),
        units: usize,
        masks: Option<GateMasks<'a, F>>,
        room: &'a mut ProductRoom<F>,
    ) -> Self {
        let (parts, width) = match masks {
            Some(_) => (from.len() / units, units),
            None => (usize::from(!from.is_empty()), from.len()),
        };
        let gate = from.start / units;
        let first = Part { from: from.start..from.start + width, to: to.start..to.start + width, gate };
        Product { kernel, first, parts, masks, room }
    }

    /// Returns the parts to multiply. It runs at every step, so it divides nothing.
    fn parts(&self) -> impl Iterator<Item = Part> + use<F> {
        let Part { from, to, gate } = self.first.clone();
        (0..self.parts).map(move |part| {
            let after = |first: &Range<usize>| first.start + part * first.len()..first.end + part * first.len();
            Part { from: after(&from), to: after(&to), gate: gate + part }
        })
    }

    /// Prepares for [`write`](Product::write) with this many rows.
    pub(super) fn pack(&mut self, rows: usize) {
        self.pack_parts(|packed, kernel| {
            packed.factor(kernel, rows);
        });
    }

    /// Prepares for [`back`](Product::back).
    pub(super) fn pack_transposed(&mut self) {
        self.pack_parts(|packed, kernel| {
            packed.transposed(kernel);
        });
    }

    fn pack_parts(&mut self, mut pack: impl FnMut(&mut Packed<F>, Rows<'_, F>)) {
        let parts = self.parts();
        let packed = &mut self.room.packed;
        for (index, Part { from, .. }) in parts.enumerate() {
            if packed.len() <= index {
                packed.push(Packed::default());
            }
            pack(&mut packed[index], self.kernel.columns(from.start, from.end));
        }
    }

    /// Computes z ← start + a·K in its columns, for rows of some steps from step t on. `start` holds whole rows.
    pub(super) fn write(&mut self, t: usize, a: Rows<'_, F>, start: Start<'_, F>, mut z: RowsMut<'_, F>) {
        let parts = self.parts();
        let ProductRoom { packed, dropped } = &mut *self.room;
        for (packed, Part { from, to, gate }) in packed.iter().zip(parts) {
            let a = seen_by(self.masks, gate, t, a, self.kernel.count(), dropped);
            let kernel = packed.last(self.kernel.columns(from.start, from.end));
            gemm::product(a, kernel, start.columns(to.start, to.end), z.reborrow().columns(to.start, to.end));
        }
    }

    /// Computes da ← start + dz·Kᵀ, each gate's through its mask. The start is zero or the present value. Returns the start
    /// for the next product whose gradient goes to the same place.
    pub(super) fn back<'s>(
        &mut self,
        t: usize,
        dz: Rows<'_, F>,
        mut start: Start<'s, F>,
        mut da: RowsMut<'_, F>,
    ) -> Start<'s, F> {
        let parts = self.parts();
        let ProductRoom { packed, dropped } = &mut *self.room;
        for (packed, Part { from, to, gate }) in packed.iter().zip(parts) {
            let dz = dz.columns(to.start, to.end);
            let kernel = packed.last(self.kernel.columns(from.start, from.end));
            match self.masks {
                None => gemm::product(dz, kernel, start, da.reborrow()),
                Some(masks) => {
                    let width = self.kernel.count();
                    dropped.resize(dz.count() * width, F::zero());
                    gemm::product(dz, kernel, Start::Zero, RowsMut::new(dropped, width));
                    masks.drop(gate, t, Rows::new(dropped, width), start, da.reborrow());
                }
            }
            start = Start::Sum;
        }
        start
    }

    /// Computes dK ← dK + aᵀ·dz.
    pub(super) fn add_gradient(
        &mut self,
        t: usize,
        a: Rows<'_, F>,
        dz: Rows<'_, F>,
        mut dkernel: RowsMut<'_, F>,
        room: &mut Room<F>,
    ) {
        for Part { from, to, gate } in self.parts() {
            let a = seen_by(self.masks, gate, t, a, self.kernel.count(), &mut self.room.dropped);
            let dkernel = dkernel.reborrow().columns(from.start, from.end);
            gemm::add_transposed_product(a, dz.columns(to.start, to.end), dkernel, room);
        }
    }
}

/// Returns rows of width `width`, of some steps from step t on, as a gate sees them.
fn seen_by<'a, F: Scalar>(
    masks: Option<GateMasks<'_, F>>,
    gate: usize,
    t: usize,
    a: Rows<'a, F>,
    width: usize,
    dropped: &'a mut Vec<F>,
) -> Rows<'a, F> {
    let Some(masks) = masks else { return a };
    dropped.resize(a.count() * width, F::zero());
    masks.drop(gate, t, a, Start::Zero, RowsMut::new(dropped, width));
    Rows::new(dropped, width)
}
