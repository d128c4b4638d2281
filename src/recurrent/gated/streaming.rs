//! One step of a few samples without training: the fast path of a gated cell for inputs that come one at a time.
//!
//! Nothing is packed, because each weight is used once for each sample: the step is one pass over W and U. All work is in
//! one kernel, and the next states are swapped with the present ones instead of copied, because small layers spend most time
//! elsewhere than in products.

use ndarray::ArrayView2;

use super::gates::Gates;
use super::pointwise::{self, Forward, StepForward};
use super::{GatedCell, GatedWeights, GatedWorkspace, SequenceRoom, Shape};
use crate::kernels::gemm::{self, Rows, RowsMut};
use crate::numeric::instructions::Path;
use crate::numeric::{Kernel, Scalar, Vector};
use crate::tensor::{State, Views, ViewsMut, resize, slice, slice_mut};

/// Step of a few samples; rules get it by reference, because copies of it are a noticeable part of a small step.
#[derive(Debug)]
pub struct Streamed<'a, F> {
    w: &'a GatedWeights<F>,
    x: Rows<'a, F>,
    units: usize,
    z: &'a mut [F],
    previous: Views<'a, F>,
    next: ViewsMut<'a, F>,
}

/// Step with its rule.
pub(super) struct Advance<'a, 'b, F, G> {
    pub(super) gates: &'a G,
    pub(super) step: &'a mut Streamed<'b, F>,
}

impl<F: Scalar, G: Gates> Advance<'_, '_, F, G> {
    /// Runs the step on vectors.
    pub(super) fn vectorize(self) {
        F::vectorize(pointwise::width(self.step.units, self.step.previous.batch), self);
    }
}

impl<F: Scalar, G: Gates> Kernel<F> for Advance<'_, '_, F, G> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(&mut self, token: V::Token) {
        let Advance { gates, step: Streamed { w, x, units, z, previous, next } } = self;
        let (w, x, units, previous) = (*w, *x, *units, *previous);
        let shape = Shape::of::<G>(units);
        let (width, recurrent) = (shape.width(), shape.kernel_width());
        // Written here by vector stores, because vector loads would stall on scalar stores.
        for row in z.chunks_exact_mut(width) {
            w.write_bias(shape, row);
        }
        for (from, to) in shape.input_spans().into_iter().filter(|(from, _)| !from.is_empty()) {
            let columns = Rows::new(slice(&w.kernel), recurrent).columns(from.start, from.end);
            gemm::add_rows::<V>(token, x, columns, RowsMut::new(z, width).columns(to.start, to.end));
        }
        let h = Rows::new(previous.slice(0), units);
        let u = Rows::new(slice(&w.recurrent_kernel), recurrent);
        gemm::add_rows::<V>(token, h, u, RowsMut::new(z, width).columns(0, recurrent));
        let step = StepForward { units, z, previous, next: next.reborrow(), counts: None };
        Forward { gates: *gates, step }.run::<V>(token);
    }
}

/// Replaces the state by the next one; returns false, with nothing done, if this path does not cover the samples.
pub(in crate::recurrent) fn advance<F: Scalar>(
    cell: GatedCell<'_, F>,
    w: &GatedWeights<F>,
    x: ArrayView2<'_, F>,
    state: &mut State<F>,
    workspace: &mut GatedWorkspace<F>,
) -> bool {
    let takes = x.nrows() <= gemm::FEW && !Path::current().is_reference();
    let (Some(x), Some(previous)) = (x.as_slice().filter(|_| takes), state.try_views()) else { return false };
    let (shape, batch, inputs) = (cell.shape, previous.batch, w.kernel.nrows());
    assert!(x.len() == batch * inputs, "the weights take {inputs} inputs a sample, not {}", x.len() / batch);
    let x = Rows::new(x, inputs);
    let SequenceRoom { z, spare, .. } = &mut workspace.sequence;
    resize(z, (1, batch, shape.width()));
    spare.resize_as(state);
    let (z, next) = (slice_mut(z), spare.views_mut());
    cell.rule.advance(&mut Streamed { w, x, units: shape.units, z, previous, next });
    std::mem::swap(state, spare);
    true
}
