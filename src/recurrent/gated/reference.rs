//! One step of a gated cell, gate by gate on plain numbers: the reference for tests of the fast path.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis};

use super::pointwise::{StepBackward, StepForward};
use super::{GatedCell, GatedWeights, Shape};
use crate::kernels::gemm::{self, Rows};
use crate::numeric::Scalar;
use crate::recurrent::cell::{Step, StepBack};
use crate::tensor::{ViewsMut, resize, slice, slice_mut};

/// Values that one step of the reference path saves: (B, N·H), first the sums, then the rule's saved values.
#[derive(Clone, Debug, Default)]
pub struct GatedStep<F: Scalar> {
    pub(super) z: Array2<F>,
    /// Scratch for gradients: of `z`, for a cell that cannot overwrite it, or of the states.
    pub(super) dz: Array2<F>,
    /// Biases as one row of z.
    bias: Array1<F>,
}

impl Shape {
    /// Block of z that receives block `gate` of the kernel W.
    fn input_block(self, gate: usize) -> usize {
        if gate < self.kernel_blocks() - self.apart { gate } else { gate + self.apart }
    }

    fn columns(self, block: usize) -> Range<usize> {
        block * self.units..(block + 1) * self.units
    }
}

/// Returns columns of a matrix.
fn columns<'a, F>(matrix: &'a ArrayView2<'_, F>, range: Range<usize>) -> ArrayView2<'a, F> {
    matrix.slice_axis(Axis(1), range.into())
}

/// Returns columns of a matrix, mutably.
fn columns_mut<'a, F>(matrix: &'a mut ArrayViewMut2<'_, F>, range: Range<usize>) -> ArrayViewMut2<'a, F> {
    matrix.slice_axis_mut(Axis(1), range.into())
}

/// Implements [`Cell::step`](crate::recurrent::Cell::step) of a gated cell.
pub(in crate::recurrent) fn step<F: Scalar>(
    cell: GatedCell<'_, F>,
    w: &GatedWeights<F>,
    at: &Step<'_, F>,
    next: ViewsMut<'_, F>,
    cache: &mut GatedStep<F>,
) {
    let shape = cell.shape;
    let bias = ArrayView1::from(w.bias_row(shape, &mut cache.bias));
    resize(&mut cache.z, (at.x(0).nrows(), bias.len()));
    cache.z.assign(&bias);
    let mut z = cache.z.view_mut();
    let (kernel, recurrent_kernel) = (w.kernel.view(), w.recurrent_kernel.view());
    for gate in 0..shape.kernel_blocks() {
        let to = shape.columns(shape.input_block(gate));
        gemm::add_plain_product(at.x(gate), columns(&kernel, shape.columns(gate)), columns_mut(&mut z, to));
        let to = shape.columns(gate);
        gemm::add_plain_product(at.h(gate), columns(&recurrent_kernel, to.clone()), columns_mut(&mut z, to));
    }
    let z = slice_mut(&mut cache.z);
    cell.rule.forward(StepForward { units: shape.units, z, previous: at.previous, next, counts: None }, false);
}

/// Implements [`Cell::step_back`](crate::recurrent::Cell::step_back) of a gated cell.
pub(in crate::recurrent) fn step_back<F: Scalar>(
    cell: GatedCell<'_, F>,
    w: &GatedWeights<F>,
    at: &Step<'_, F>,
    mut back: StepBack<'_, F>,
    cache: &mut GatedStep<F>,
    gradients: &mut GatedWeights<F>,
) {
    let shape = cell.shape;
    let GatedStep { z, dz: room, .. } = cache;
    // The rule's loop overwrites its target, but gradients must be added to the existing ones.
    resize(room, (shape.states, at.previous.slice(0).len()));
    for (state, mut room) in room.outer_iter_mut().enumerate() {
        room.assign(&ArrayView1::from(&*back.dprevious.slice_mut(state)));
    }
    let step = StepBackward {
        units: shape.units,
        z: slice_mut(z),
        previous: at.previous,
        next: back.next,
        dnext: back.dnext,
        dprevious: back.dprevious.reborrow(),
        counts: None,
        ahead: None,
    };
    cell.rule.backward(step, false);
    for (state, room) in room.outer_iter().enumerate() {
        back.dprevious.slice_mut(state).iter_mut().zip(room).for_each(|(sum, &before)| *sum += before);
    }

    let dz = cache.z.view();
    let (kernel, recurrent_kernel) = (w.kernel.view(), w.recurrent_kernel.view());
    let (mut dkernel, mut drecurrent) = (gradients.kernel.view_mut(), gradients.recurrent_kernel.view_mut());
    for gate in 0..shape.kernel_blocks() {
        let of = shape.columns(gate);
        let dz_input = columns(&dz, shape.columns(shape.input_block(gate)));
        gemm::add_plain_product(at.x(gate).t(), dz_input, columns_mut(&mut dkernel, of.clone()));
        gemm::add_plain_product(dz_input, columns(&kernel, of.clone()).t(), back.dx(gate));
        let dz_state = columns(&dz, of.clone());
        gemm::add_plain_product(at.h(gate).t(), dz_state, columns_mut(&mut drecurrent, of.clone()));
        gemm::add_plain_product(dz_state, columns(&recurrent_kernel, of).t(), back.dh(gate));
    }
    let width = dz.ncols();
    gradients.add_dbias(shape, Rows::new(slice(&cache.z), width));
}
