//! Recurrence of a fused run: products with the state and rules, applied in each step to the sums of the inputs.

use std::ops::Range;

use super::pointwise::{Ahead, StepBackward, StepForward};
use super::product::{Product, ProductRoom};
use super::{GatedCell, GatedWeights, Rule, Shape};
use crate::kernels::gemm::{self, Room, Rows, RowsMut, Start};
use crate::numeric::Scalar;
use crate::recurrent::masks::StepMasks;
use crate::tensor::{State, Views, ViewsMut, slice};

/// Memory of the recurrence.
#[derive(Clone, Debug, Default)]
pub(super) struct RecurrenceRoom<F: Scalar> {
    pub(super) products: [ProductRoom<F>; 2],
    /// Gradient of the values that one half of a step passes to the other.
    pub(super) between: State<F>,
}

/// Time step, and its samples that count (`None` for all).
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) t: usize,
    pub(super) counts: Option<&'a [bool]>,
}

/// Recurrence: the part of a step after the sums of the inputs. The loop over time is the same for all.
pub(super) trait Recurrence<F: Scalar> {
    /// Prepares for forward steps with this many rows.
    fn pack(&mut self, rows: usize);

    /// Prepares for backward steps.
    fn pack_transposed(&mut self);

    /// Runs a step: turns `z` from the sums of the inputs, found at `start`, into saved values, and writes `next`.
    fn forward(&mut self, at: At<'_>, start: Start<'_, F>, z: &mut [F], previous: Views<'_, F>, next: ViewsMut<'_, F>);

    /// Runs a step backward: turns `z` from saved values into the gradient of the sums, and writes `dprevious`. `states` are
    /// those before and after the step and the gradient of the latter; `ahead` is the data to prefetch for the next step.
    fn backward(
        &mut self,
        at: At<'_>,
        ahead: Option<Ahead<'_, F>>,
        z: &mut [F],
        states: [Views<'_, F>; 3],
        dprevious: ViewsMut<'_, F>,
    );

    /// Adds the gradient of U from some steps from step t on, given their previous outputs and the result of
    /// [`backward`](Recurrence::backward).
    fn add_gradient(&mut self, t: usize, h: Rows<'_, F>, dz: Rows<'_, F>, du: RowsMut<'_, F>, room: &mut Room<F>);
}

/// Recurrence of a gate rule: one product h·U for the first K blocks of z, then the rule.
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
    /// Returns the product of a state with these columns of U, which goes to those of z.
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

    /// Returns the recurrence of the rule.
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
