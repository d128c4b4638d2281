//! Fast path of a [`Gated`] cell: a whole sequence at once, on vectors.
//!
//! Forward, one product computes x·W + b of many time steps. The loop over time then adds h·U, with U packed once, and runs
//! the rule. Backward, the loop runs the rule's derivative over the same memory and computes dh = dz·Uᵀ; then one product
//! each gives dW, dU and dx of many time steps. Their number depends on the batch, see [`ROWS`], so that the data are still
//! in the cache when the loop or the product needs them.
//!
//! If the inputs are rows of a table (an embedding, or its rows after each sample's dropout), the table is multiplied by W
//! instead of the sequence: V rows rather than T·B. The product with U then starts from the row of each token. Backward,
//! each row of dz is added to its row of the table's gradient, from which dW, db and the gradient of the embedding follow as
//! if the table were a sequence.
//!
//! Dropout whose masks differ by gate runs the same loop, see [`Product`], and so does a step with a product inside it, see
//! [`Recurrence`].
//!
//! # Memory
//!
//! In numbers, for a batch of B, T steps, D inputs, H units, N blocks of which K are in the kernels, and S states. Each
//! array starts at a cache line and takes up to 64 bytes more.
//!
//! | for | training | inference |
//! | --- | --- | --- |
//! | z: sums, then saved values, then their gradients | T·B·N·H | min(T, ⌈1024/B⌉)·B·N·H |
//! | states | (T + 1)·B·S·H | 2·B·S·H |
//! | gradients of states | 2·B·S·H, and B·H for a product inside the step | |
//! | W and U, packed | (D + H)·K·H, each panel padded to whole vectors | the same |
//! | packed parts of x, h and dz | at most 1024·(max(D, H) + 48) | |
//! | with masks by gate: rows as one gate sees them | at most 1024·(2·D + H), and one step more | |
//! | with a table of V rows: its product, then its gradient | V·N·H, in room for T·B·N·H | V·N·H |

use std::ops::Range;

use ndarray::{Array1, Array2, Array3, Axis};

use super::pointwise::Ahead;
use super::product::{Product, ProductRoom};
use super::recurrence::{At, Recurrence, RecurrenceRoom};
use super::{GatedCell, GatedWeights, Shape};
use crate::kernels::gemm::{self, Room, Rows, RowsMut, Start};
use crate::numeric::Scalar;
use crate::recurrent::cell::{Run, RunBack};
use crate::recurrent::masks::StepMasks;
use crate::recurrent::series::Series;
use crate::tensor::{State, mask, resize, resize_within, slice, slice_mut};

/// Rows (steps times samples) of one product: enough for an efficient product, few enough for the cache. Without a backward
/// pass the limit also keeps memory from growing with T.
const ROWS: usize = 1024;

/// Number of steps with that many rows.
fn chunk_of(batch: usize) -> usize {
    ROWS.div_ceil(batch)
}

/// Whether the saved values exceed the second-level cache, so that a backward pass must fetch them.
fn is_far<F>(saved: &[F]) -> bool {
    size_of_val(saved) > 1 << 20
}

/// Returns what the backward step before step t will read, if it is out of the cache.
fn ahead<'a, F: Scalar>(far: bool, t: usize, saved: &'a [F], states: Series<'a, F>) -> Option<Ahead<'a, F>> {
    let before = t.checked_sub(1).filter(|_| far)?;
    Some(Ahead { z: &saved[before * (saved.len() / t)..], previous: states.before(before) })
}

/// Values that the fast path keeps for a whole sequence.
#[derive(Clone, Debug, Default)]
pub struct GatedWorkspace<F: Scalar> {
    pub(super) sequence: SequenceRoom<F>,
    pub(super) recurrence: RecurrenceRoom<F>,
}

/// Memory of the loop over time.
#[derive(Clone, Debug, Default)]
pub(crate) struct SequenceRoom<F: Scalar> {
    /// Sums (T, B, N·H), then saved values, then the gradient of the sums.
    pub(super) z: Array3<F>,
    /// Product of a table of inputs (V, N·H), then its gradient.
    table: Array2<F>,
    /// Biases as one row of z.
    bias: Array1<F>,
    /// Scratch for the products of the inputs, span by span.
    inputs: [ProductRoom<F>; 2],
    /// Scratch for the states of the next step, or for the gradients of those of the step before.
    pub(super) spare: State<F>,
    room: Room<F>,
}

/// Returns the products of the inputs.
fn input_products<'a, F: Scalar>(
    shape: Shape,
    w: &'a GatedWeights<F>,
    masks: StepMasks<'a, F>,
    rooms: &'a mut [ProductRoom<F>; 2],
) -> [Product<'a, F>; 2] {
    let kernel = Rows::new(slice(&w.kernel), w.kernel.ncols());
    let ([together, apart], [first, second]) = (shape.input_spans(), rooms);
    [(together, first), (apart, second)].map(|(span, room)| Product::new(kernel, span, shape.units, masks.input, room))
}

/// Implements [`Cell::run`](crate::recurrent::Cell::run) of a gated cell.
pub(in crate::recurrent) fn run<F: Scalar>(
    cell: GatedCell<'_, F>,
    w: &GatedWeights<F>,
    run: Run<'_, F>,
    workspace: &mut GatedWorkspace<F>,
) {
    let GatedWorkspace { sequence, recurrence } = workspace;
    let mut recurrence = cell.one_product(w, run.masks, recurrence);
    run_fused(cell.shape, w, run, sequence, &mut recurrence);
}

/// Implements [`Cell::run_back`](crate::recurrent::Cell::run_back) of a gated cell.
pub(in crate::recurrent) fn run_back<F: Scalar>(
    cell: GatedCell<'_, F>,
    w: &GatedWeights<F>,
    run: RunBack<'_, F>,
    workspace: &mut GatedWorkspace<F>,
    gradients: &mut GatedWeights<F>,
) {
    let GatedWorkspace { sequence, recurrence } = workspace;
    let mut recurrence = cell.one_product(w, run.masks, recurrence);
    run_back_fused(cell.shape, w, run, sequence, &mut recurrence, gradients);
}

/// Runs a sequence forward.
pub(super) fn run_fused<F: Scalar>(
    shape: Shape,
    w: &GatedWeights<F>,
    mut run: Run<'_, F>,
    room: &mut SequenceRoom<F>,
    recurrence: &mut dyn Recurrence<F>,
) {
    let (width, recurrent) = (shape.width(), shape.kernel_width());
    let SequenceRoom { z, table, bias, inputs: input_rooms, .. } = room;
    let (bias, inputs) = (w.bias_row(shape, bias), w.kernel.nrows());
    assert!(run.x.dim().2 == inputs, "the weights take {inputs} inputs a step, not {}", run.x.dim().2);
    let (steps, batch) = run.steps();
    let x = run.x.as_slice().expect("inputs are in standard layout");
    let tokens = run.tokens.as_ref().map(|tokens| tokens.to_slice().expect("tokens are in standard layout"));

    let chunk = chunk_of(batch);
    let mut input_products = input_products(shape, w, run.masks, input_rooms);
    let rows = if tokens.is_some() { x.len() / inputs } else { steps.min(chunk) * batch };
    input_products.iter_mut().for_each(|product| product.pack(rows));
    // Computes z = x·W + b for the inputs of step t and some after it. In blocks apart, the state's half is only the bias.
    let mut project = |t: usize, x: &[F], sums: &mut [F]| {
        for product in &mut input_products {
            product.write(t, Rows::new(x, inputs), Start::Row(bias), RowsMut::new(sums, width));
        }
        if shape.apart > 0 {
            let apart = recurrent - shape.apart * shape.units;
            gemm::write(Start::Row(&bias[apart..recurrent]), RowsMut::new(sums, width).columns(apart, recurrent));
        }
    };

    let kept = if run.states.keeps_all() { steps } else { steps.min(chunk) };
    resize(z, (kept, batch, width));
    let z = slice_mut(z);
    if tokens.is_some() {
        resize_within(table, (rows, width), z.len());
        project(0, x, slice_mut(table));
    }
    let table = Rows::new(slice(table), width);
    recurrence.pack(batch);
    for t in 0..steps {
        let z = &mut z[t % kept * batch * width..];
        if tokens.is_none() && t % chunk == 0 {
            let rows = chunk.min(steps - t) * batch;
            project(t, &x[t * batch * inputs..][..rows * inputs], &mut z[..rows * width]);
        }
        let z = &mut z[..batch * width];
        let (previous, mut next) = run.states.around(t);
        let start = match tokens {
            None => Start::Sum,
            Some(tokens) => Start::Lookup(table, &tokens[t * batch..][..batch]),
        };
        let at = At { t, counts: mask::step(&run.mask, t) };
        recurrence.forward(at, start, z, previous, next.reborrow());
        if let Some(outputs) = &mut run.outputs {
            outputs.index_axis_mut(Axis(0), t).assign(&next.view_mut(0));
        }
    }
}

/// Runs a sequence backward.
pub(super) fn run_back_fused<F: Scalar>(
    shape: Shape,
    w: &GatedWeights<F>,
    mut run: RunBack<'_, F>,
    room: &mut SequenceRoom<F>,
    recurrence: &mut dyn Recurrence<F>,
    gradients: &mut GatedWeights<F>,
) {
    let (width, recurrent) = (shape.width(), shape.kernel_width());
    let SequenceRoom { z, table, spare, inputs: input_rooms, room, .. } = room;
    let (steps, batch) = run.steps();
    let inputs = w.kernel.nrows();
    let tokens = run.tokens.as_ref().map(|tokens| tokens.to_slice().expect("tokens are in standard layout"));
    if tokens.is_some() {
        slice_mut(table).fill(F::zero());
    }
    spare.resize(batch, shape.widths());
    recurrence.pack_transposed();
    let z = slice_mut(z);
    let h = run.states.outputs_before(steps);
    let h = h.to_slice().expect("states are in standard layout");
    let x = run.x.to_slice().expect("inputs are in standard layout");
    let mut dx = run.dx.as_mut().map(|dx| dx.as_slice_mut().expect("dx is in standard layout"));
    let mut input_products = input_products(shape, w, run.masks, input_rooms);
    if dx.is_some() {
        input_products.iter_mut().for_each(Product::pack_transposed);
    }
    // Computes the gradients of W, b and the inputs, given those of the sums of these rows.
    let mut project_back = |t: usize, rows: Range<usize>, dz: &[F], gradients: &mut GatedWeights<F>, room: &mut _| {
        let dz = Rows::new(dz, width);
        let inputs_of = rows.start * inputs..rows.end * inputs;
        let mut start = Start::Zero;
        for product in &mut input_products {
            let dkernel = RowsMut::new(slice_mut(&mut gradients.kernel), recurrent);
            product.add_gradient(t, Rows::new(&x[inputs_of.clone()], inputs), dz, dkernel, room);
            if let Some(dx) = &mut dx {
                start = product.back(t, dz, start, RowsMut::new(&mut dx[inputs_of.clone()], inputs));
            }
        }
        gradients.add_dbias(shape, dz);
    };

    let far = is_far(z);
    let chunk = chunk_of(batch);
    let mut end = steps;
    for t in (0..steps).rev() {
        if let Some(doutputs) = &run.doutputs {
            run.dstates.parts[0] += &doutputs.index_axis(Axis(0), t);
        }
        let (saved, dz) = z[..(t + 1) * batch * width].split_at_mut(t * batch * width);
        let states = [run.states.before(t), run.states.before(t + 1), run.dstates.views()];
        let at = At { t, counts: mask::step(&run.mask, t) };
        let ahead = ahead(far, t, saved, run.states);
        recurrence.backward(at, ahead, dz, states, spare.views_mut());
        if let Some(tokens) = tokens {
            gemm::add_to_rows(Rows::new(dz, width), &tokens[t * batch..][..batch], slice_mut(table));
        }
        std::mem::swap(run.dstates, spare);
        if t % chunk == 0 {
            let rows = t * batch..end * batch;
            let h = Rows::new(&h[rows.start * shape.units..rows.end * shape.units], shape.units);
            let dz = &z[rows.start * width..rows.end * width];
            let drecurrent = RowsMut::new(slice_mut(&mut gradients.recurrent_kernel), recurrent);
            recurrence.add_gradient(t, h, Rows::new(dz, width), drecurrent, room);
            if tokens.is_none() {
                project_back(t, rows, dz, gradients, room);
            }
            end = t;
        }
    }
    // The table takes the place of the sequence, and its product's gradient that of the sums' gradient.
    if tokens.is_some() {
        project_back(0, 0..table.nrows(), slice(table), gradients, room);
    }
}
