//! The recurrence of a fused run: what a step does with the sums of its inputs, products with the state and rules.

use std::ops::Range;

use super::pointwise::{Ahead, StepBackward, StepForward};
use super::product::{Product, ProductRoom};
use super::{GatedCell, GatedWeights, Rule, Shape};
use crate::kernels::gemm::{self, Room, Rows, RowsMut, Start};
use crate::numeric::Scalar;
use crate::recurrent::masks::StepMasks;
use crate::tensor::{State, Views, ViewsMut, slice};

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
pub(super) struct OneProduct<'a, F: Scalar> {
    shape: Shape,
    rule: &'a dyn Rule<F>,
    product: Product<'a, F>,
}

impl<F: Scalar> Recurrence<F> for OneProduct<'_, F> {
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
        let (units, width, recurrent) = (self.shape.units, self.shape.width(), self.shape.kernel_width());
        gemm::write(start.columns(recurrent, width), RowsMut::new(z, width).columns(recurrent, width));
        self.product.write(t, Rows::new(previous.slice(0), units), start, RowsMut::new(z, width));
        self.rule.forward(StepForward { units, z, previous, next, counts }, true);
    }

    fn backward(
        &mut self,
        At { t, counts }: At<'_>,
        ahead: Option<Ahead<'_, F>>,
        z: &mut [F],
        [previous, next, dnext]: [Views<'_, F>; 3],
        mut dprevious: ViewsMut<'_, F>,
    ) {
        let units = self.shape.units;
        let by_rule = dprevious.reborrow();
        let step = StepBackward { units, z: &mut *z, previous, next, dnext, dprevious: by_rule, counts, ahead };
        self.rule.backward(step, true);
        let dh = RowsMut::new(dprevious.slice_mut(0), units);
        self.product.back(t, Rows::new(z, self.shape.width()), Start::Sum, dh);
    }

    fn add_gradient(&mut self, t: usize, h: Rows<'_, F>, dz: Rows<'_, F>, du: RowsMut<'_, F>, room: &mut Room<F>) {
        self.product.add_gradient(t, h, dz, du, room);
    }
}

impl<'a, F: Scalar> GatedCell<'a, F> {
    /// The product of a state by these columns of U, which goes to those of z.
    pub(super) fn state_product<'b>(
        &self,
        w: &'b GatedWeights<F>,
        span: (Range<usize>, Range<usize>),
        masks: StepMasks<'b, F>,
        room: &'b mut ProductRoom<F>,
    ) -> Product<'b, F> {
        let kernel = Rows::new(slice(&w.recurrent_kernel), w.recurrent_kernel.ncols());
        Product::new(kernel, span, self.shape.units, masks.state, room)
    }

    /// The recurrence of the rule.
    pub(super) fn one_product<'b>(
        &self,
        w: &'b GatedWeights<F>,
        masks: StepMasks<'b, F>,
        room: &'b mut RecurrenceRoom<F>,
    ) -> OneProduct<'b, F>
    where
        'a: 'b,
    {
        let all = 0..self.shape.kernel_width();
        let [room, _] = &mut room.products;
        let product = self.state_product(w, (all.clone(), all), masks, room);
        OneProduct { shape: self.shape, rule: self.rule, product }
    }
}
