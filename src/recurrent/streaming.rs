//! One step of a few samples without training: the fast path of a [`Gated`] cell when inputs come one at a time.
//!
//! Nothing is hoisted or packed, for each weight is used once a sample: the step is one pass over W and U. What matters at
//! 8 units is everything else, so it is all one kernel, and the next states change places with the present ones instead of
//! being copied.

use super::fused::SequenceRoom;
use super::gated::{Gated, GatedWeights, input_spans};
use super::gates::{Gates, blocks, kernel_blocks};
use super::state::{State, Views, ViewsMut};
use crate::kernels::gemm::{self, Rows, RowsMut};
use crate::kernels::pointwise::{self, Forward};
use crate::lane::{Kernel, Vector};
use crate::scalar::Scalar;
use crate::tensor::{resize, slice, slice_mut};

struct Advance<'a, F, G> {
    gated: &'a Gated<G>,
    w: &'a GatedWeights<F>,
    x: Rows<'a, F>,
    z: &'a mut [F],
    previous: Views<'a, F>,
    next: ViewsMut<'a, F>,
}

impl<F: Scalar, G: Gates> Kernel<F> for Advance<'_, F, G> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(&mut self, token: V::Token) {
        let Advance { gated, w, x, ref mut z, previous, ref mut next } = *self;
        let (gates, units) = (&gated.gates, gated.units);
        let (width, recurrent) = (blocks::<G>() * units, kernel_blocks::<G>() * units);
        // Here, so that it is written by vectors: what numbers wrote one by one, a vector has to wait for.
        z.chunks_exact_mut(width).for_each(
            #[inline(always)]
            |row| gated.write_bias(w, row),
        );
        for (from, to) in input_spans::<G>(units).into_iter().filter(|(from, _)| !from.is_empty()) {
            let columns = Rows::new(slice(&w.kernel), recurrent).columns(from.start, from.end);
            gemm::add_rows::<V>(token, x, columns, RowsMut::new(z, width).columns(to.start, to.end));
        }
        let h = Rows::new(previous.slice(0), units);
        let u = Rows::new(slice(&w.recurrent_kernel), recurrent);
        gemm::add_rows::<V>(token, h, u, RowsMut::new(z, width).columns(0, recurrent));
        Forward { gates, units, z, previous, next: next.reborrow(), counts: None }.run::<V>(token);
    }
}

impl<G: Gates> Gated<G> {
    /// Replaces the state by the next one; `x` holds the inputs of each sample.
    pub(super) fn advance_fused<F: Scalar>(
        &self,
        w: &GatedWeights<F>,
        x: &[F],
        state: &mut State<F>,
        room: &mut SequenceRoom<F>,
    ) {
        let width = blocks::<G>() * self.units;
        let (batch, inputs) = (state.parts[0].nrows(), w.kernel.nrows());
        assert!(x.len() == batch * inputs, "the weights take {inputs} inputs a sample, not {}", x.len() / batch);
        let x = Rows::new(x, inputs);
        let SequenceRoom { z, spare, .. } = room;
        resize(z, (1, batch, width));
        spare.resize(batch, self.widths());
        let (z, previous, next) = (slice_mut(z), state.views(), spare.views_mut());
        let advance = Advance { gated: self, w, x, z, previous, next };
        F::vectorize(pointwise::width(self.units, batch), advance);
        std::mem::swap(state, spare);
    }
}
