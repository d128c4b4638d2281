//! A product of a gated cell: inputs or a state by some blocks of a kernel, for a part of the sums z, and back.
//!
//! All blocks are multiplied at once, unless dropout has a mask for each gate: then each gate's block is multiplied by what
//! that gate sees. A mask costs a copy of the rows for each gate on each way; without masks there is none.

use std::ops::Range;

use crate::kernels::gemm::{self, Packed, Room, Rows, RowsMut, Start};
use crate::numeric::Scalar;
use crate::recurrent::masks::GateMasks;

/// a·K for some columns of z: a are inputs or states, a row for each sample of one step or more; K are columns of a kernel.
pub(super) struct Product<'a, F> {
    kernel: Rows<'a, F>,
    /// What is multiplied at once first, and how many such parts follow each other.
    first: Part,
    parts: usize,
    masks: Option<GateMasks<'a, F>>,
    room: &'a mut ProductRoom<F>,
}

/// Some columns of a kernel, those of a row of z to which their products go, and the gate whose masks they have.
#[derive(Clone)]
struct Part {
    from: Range<usize>,
    to: Range<usize>,
    gate: usize,
}

/// Room for a product, that is used again.
#[derive(Clone, Debug, Default)]
pub(super) struct ProductRoom<F> {
    /// The columns of the kernel that are multiplied at once.
    packed: Vec<Packed<F>>,
    /// Rows as one gate sees them, or their gradient.
    dropped: Vec<F>,
}

impl<'a, F: Scalar> Product<'a, F> {
    /// The product by the columns `from` of a kernel, which go to the columns `to` of z.
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

    /// What is multiplied at once, part by part. Asked for at every step, so nothing is divided here.
    fn parts(&self) -> impl Iterator<Item = Part> + use<F> {
        let Part { from, to, gate } = self.first.clone();
        (0..self.parts).map(move |part| {
            let after = |first: &Range<usize>| first.start + part * first.len()..first.end + part * first.len();
            Part { from: after(&from), to: after(&to), gate: gate + part }
        })
    }

    /// Makes ready for [`write`](Product::write) with this many rows.
    pub(super) fn pack(&mut self, rows: usize) {
        self.pack_parts(|packed, kernel| {
            packed.factor(kernel, rows);
        });
    }

    /// Makes ready for [`back`](Product::back).
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

    /// z ← start + a·K in its columns, for the rows of some steps, the first of which is t. `start` is one of whole rows.
    pub(super) fn write(&mut self, t: usize, a: Rows<'_, F>, start: Start<'_, F>, mut z: RowsMut<'_, F>) {
        let parts = self.parts();
        let ProductRoom { packed, dropped } = &mut *self.room;
        for (packed, Part { from, to, gate }) in packed.iter().zip(parts) {
            let a = seen_by(self.masks, gate, t, a, self.kernel.count(), dropped);
            let kernel = packed.last(self.kernel.columns(from.start, from.end));
            gemm::product(a, kernel, start.columns(to.start, to.end), z.reborrow().columns(to.start, to.end));
        }
    }

    /// da ← start + dz·Kᵀ, each gate's through its mask. The start is zero or what is there; returned is that of the next
    /// product whose gradient goes to the same place.
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

    /// dK ← dK + aᵀ·dz.
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

/// `width` wide rows of some steps, the first of which is t, as a gate sees them.
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
