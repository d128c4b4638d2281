//! The recurrence of a fused run: what a step does with the sums of its inputs, products with the state and rules.

use std::ops::Range;

use super::gated::{Gated, GatedWeights};
use super::gates::{Gates, blocks, kernel_blocks};
use super::masks::StepMasks;
use super::product::{Product, ProductRoom};
use super::state::{State, Views, ViewsMut};
use crate::kernels::gemm::{self, Room, Rows, RowsMut, Start};
use crate::kernels::pointwise::{Ahead, Backward, Forward};
use crate::scalar::Scalar;
use crate::tensor::slice;

/// What the recurrence keeps.
#[derive(Clone, Debug, Default)]
pub(super) struct RecurrenceRoom<F: Scalar> {
    pub(super) products: [ProductRoom<F>; 2],
    /// The gradient of what one half of a step hands to the other.
    pub(super) between: State<F>,
}

/// A step: when, and which samples count, `None` if all do.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) t: usize,
    pub(super) counts: Option<&'a [bool]>,
}

/// What a step does with the sums of its inputs. The loop over time is the same for all.
pub(super) trait Recurrence<F: Scalar> {
    /// Makes ready for steps forward with this many rows.
    fn pack(&mut self, rows: usize);

    /// Makes ready for steps back.
    fn pack_transposed(&mut self);

    /// A step: `z` from the sums of the inputs, which are where `start` says, to what the rules save; `next` written.
    fn forward(&mut self, at: At<'_>, start: Start<'_, F>, z: &mut [F], previous: Views<'_, F>, next: ViewsMut<'_, F>);

    /// A step back: `z` from what was saved to the gradient of the sums, `dprevious` written. `states` are those before and
    /// after the step and the gradient of the latter; `ahead` is what the next step back will find.
    fn backward(
        &mut self,
        at: At<'_>,
        ahead: Option<Ahead<'_, F>>,
        z: &mut [F],
        states: [Views<'_, F>; 3],
        dprevious: ViewsMut<'_, F>,
    );

    /// Adds the gradient of U from some steps, the first of which is t: their previous outputs and what
    /// [`backward`](Recurrence::backward) left.
    fn add_gradient(&mut self, t: usize, h: Rows<'_, F>, dz: Rows<'_, F>, du: RowsMut<'_, F>, room: &mut Room<F>);
}

/// The recurrence of a gates rule: one product h·U for the first K blocks of z, then the rule.
pub(super) struct OneProduct<'a, F, G> {
    gated: &'a Gated<G>,
    product: Product<'a, F>,
}

impl<F: Scalar, G: Gates> Recurrence<F> for OneProduct<'_, F, G> {
    fn pack(&mut self, rows: usize) {
        self.product.pack(rows);
    }

    fn pack_transposed(&mut self) {
        self.product.pack_transposed();
    }

    fn forward(
        &mut self,
        At { t, counts }: At<'_>,
        start: Start<'_, F>,
        z: &mut [F],
        previous: Views<'_, F>,
        next: ViewsMut<'_, F>,
    ) {
        let Gated { gates, units, .. } = self.gated;
        let (width, recurrent) = (blocks::<G>() * units, kernel_blocks::<G>() * units);
        gemm::write(start.columns(recurrent, width), RowsMut::new(z, width).columns(recurrent, width));
        self.product.write(t, Rows::new(previous.slice(0), *units), start, RowsMut::new(z, width));
        Forward { gates, units: *units, z, previous, next, counts }.vectorize();
    }

    fn backward(
        &mut self,
        At { t, counts }: At<'_>,
        ahead: Option<Ahead<'_, F>>,
        z: &mut [F],
        [previous, next, dnext]: [Views<'_, F>; 3],
        mut dprevious: ViewsMut<'_, F>,
    ) {
        let Gated { gates, units, .. } = self.gated;
        let by_rule = dprevious.reborrow();
        Backward { gates, units: *units, z, previous, next, dnext, dprevious: by_rule, counts, ahead }.vectorize();
        let dh = RowsMut::new(dprevious.slice_mut(0), *units);
        self.product.back(t, Rows::new(z, blocks::<G>() * units), Start::Sum, dh);
    }

    fn add_gradient(&mut self, t: usize, h: Rows<'_, F>, dz: Rows<'_, F>, du: RowsMut<'_, F>, room: &mut Room<F>) {
        self.product.add_gradient(t, h, dz, du, room);
    }
}

impl<G: Gates> Gated<G> {
    /// The product of a state by these columns of U, which goes to those of z.
    pub(super) fn state_product<'a, F: Scalar>(
        &self,
        w: &'a GatedWeights<F>,
        span: (Range<usize>, Range<usize>),
        masks: StepMasks<'a, F>,
        room: &'a mut ProductRoom<F>,
    ) -> Product<'a, F> {
        let kernel = Rows::new(slice(&w.recurrent_kernel), w.recurrent_kernel.ncols());
        Product::new(kernel, span, self.units, masks.state, room)
    }

    /// The recurrence of the rule.
    pub(super) fn one_product<'a, F: Scalar>(
        &'a self,
        w: &'a GatedWeights<F>,
        masks: StepMasks<'a, F>,
        room: &'a mut RecurrenceRoom<F>,
    ) -> OneProduct<'a, F, G> {
        let all = 0..kernel_blocks::<G>() * self.units;
        let [room, _] = &mut room.products;
        OneProduct { gated: self, product: self.state_product(w, (all.clone(), all), masks, room) }
    }
}
