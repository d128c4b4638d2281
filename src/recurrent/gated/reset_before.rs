//! GRU without `reset_after`: the reset gate scales the state before the product.
//!
//! ```text
//! z = ρ(x·W_z + h·U_z + b_z)   r = ρ(x·W_r + h·U_r + b_r)   q = r·h      the first half of a step
//! g = α(x·W_h + b_h + q·U_h)   h' = z·h + (1 − z)·g                      the second
//! ```
//!
//! Each half is a product and an element-wise rule. Both work on rows of the four blocks z, r, –, g, the layout of the form
//! with `reset_after`; the third block passes values from one half to the other. The reference step, at the end, keeps q
//! there.

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Ix2, SliceInfo, SliceInfoElem, Zip, s};
use serde::{Deserialize, Serialize};

use super::functions::{Functions, with_functions};
use super::fused::{run_back_fused, run_fused};
use super::gates::Gates;
use super::pointwise::{Ahead, Backward, Forward, StepBackward, StepForward};
use super::product::Product;
use super::recurrence::{At, Recurrence, RecurrenceRoom};
use super::{GatedStep, GatedWeights, GatedWorkspace, GruCell, GruGates};
use crate::kernels::gemm::{self, Room, Rows, RowsMut, Start};
use crate::layer::Describe;
use crate::numeric::{Lane, Scalar};
use crate::recurrent::cell::{Run, RunBack, Step, StepBack};
use crate::recurrent::masks::StepMasks;
use crate::tensor::{State, Views, ViewsMut, Widths, resize};

/// Number of blocks in a row of z.
const BLOCKS: usize = 4;

/// Rule of the first half, from h to q.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ResetHalf(GruGates);

/// Rule of the second half, from h to h', once the product with q has been added to g.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct CandidateHalf(GruGates);

impl Describe for ResetHalf {
    fn kind() -> &'static str {
        "GruResetHalf"
    }
}

impl Describe for CandidateHalf {
    fn kind() -> &'static str {
        "GruCandidateHalf"
    }
}

impl Gates for ResetHalf {
    type Blocks<L: Lane> = [L; BLOCKS];
    type States<L: Lane> = [L; 1];
    const SAVED_AS_SUMS: bool = true;

    #[inline(always)]
    fn forward<L: Lane>(&self, sums: [L; 4], previous: [L; 1]) -> ([L; 4], [L; 1]) {
        with_functions!(self.0, reset(sums, previous))
    }

    /// Starts from the gradient of q; the third block holds the part of h's gradient that comes from h'.
    #[inline(always)]
    fn backward<L: Lane>(&self, saved: [L; 4], previous: [L; 1], _: [L; 1], dq: [L; 1]) -> ([L; 4], [L; 1]) {
        with_functions!(self.0, reset_back(saved, previous, dq))
    }
}

impl Gates for CandidateHalf {
    type Blocks<L: Lane> = [L; BLOCKS];
    type States<L: Lane> = [L; 1];
    const SAVED_AS_SUMS: bool = true;

    #[inline(always)]
    fn forward<L: Lane>(&self, sums: [L; 4], previous: [L; 1]) -> ([L; 4], [L; 1]) {
        with_functions!(self.0, candidate(sums, previous))
    }

    /// Returns as the state's gradient that of q, which only the product uses; the gradient of h goes to the third block.
    #[inline(always)]
    fn backward<L: Lane>(&self, saved: [L; 4], previous: [L; 1], _: [L; 1], dnext: [L; 1]) -> ([L; 4], [L; 1]) {
        with_functions!(self.0, candidate_back(saved, previous, dnext))
    }
}

#[inline(always)]
fn reset<L: Lane>(with: impl Functions, [z, r, room, g]: [L; 4], [h]: [L; 1]) -> ([L; 4], [L; 1]) {
    let (z, r) = (with.gate(z), with.gate(r));
    ([z, r, room, g], [r * h])
}

#[inline(always)]
fn candidate<L: Lane>(with: impl Functions, [z, r, room, g]: [L; 4], [h]: [L; 1]) -> ([L; 4], [L; 1]) {
    let g = with.activation(g);
    ([z, r, room, g], [z.mul_add(h - g, g)])
}

#[inline(always)]
fn candidate_back<L: Lane>(with: impl Functions, [z, r, _, g]: [L; 4], [h]: [L; 1], [d]: [L; 1]) -> ([L; 4], [L; 1]) {
    let dg = with.activation_back(g, d * (z.splat(1.0) - z));
    ([with.gate_back(z, d * (h - g)), r, d * z, dg], [z.splat(0.0)])
}

#[inline(always)]
fn reset_back<L: Lane>(with: impl Functions, [dz, r, dh, dg]: [L; 4], [h]: [L; 1], [dq]: [L; 1]) -> ([L; 4], [L; 1]) {
    ([dz, with.gate_back(r, dq * h), r * h, dg], [r.mul_add(dq, dh)])
}

/// Recurrence of both halves.
pub(super) struct TwoProducts<'a, F> {
    units: usize,
    reset: ResetHalf,
    candidate: CandidateHalf,
    /// Product of h with U_z and U_r; `candidate_product` is that of q with U_h.
    gates_product: Product<'a, F>,
    candidate_product: Product<'a, F>,
    dq: &'a mut State<F>,
}

impl GruCell {
    /// Returns the recurrence of the form without `reset_after`.
    pub(super) fn two_products<'a, F: Scalar>(
        &self,
        w: &'a GatedWeights<F>,
        masks: StepMasks<'a, F>,
        room: &'a mut RecurrenceRoom<F>,
    ) -> TwoProducts<'a, F> {
        let gated = self.gated.erased::<F>();
        let ([gates, candidate], [first, second]) = (gated.shape.input_spans(), &mut room.products);
        TwoProducts {
            units: gated.shape.units,
            reset: ResetHalf(self.gated.gates.clone()),
            candidate: CandidateHalf(self.gated.gates.clone()),
            gates_product: gated.state_product(w, gates, masks, first),
            candidate_product: gated.state_product(w, candidate, masks, second),
            dq: &mut room.between,
        }
    }
}

impl<F: Scalar> Recurrence<F> for TwoProducts<'_, F> {
    fn pack(&mut self, rows: usize) {
        self.gates_product.pack(rows);
        self.candidate_product.pack(rows);
    }

    fn pack_transposed(&mut self) {
        self.gates_product.pack_transposed();
        self.candidate_product.pack_transposed();
    }

    fn forward(
        &mut self,
        At { t, counts }: At<'_>,
        start: Start<'_, F>,
        z: &mut [F],
        previous: Views<'_, F>,
        mut next: ViewsMut<'_, F>,
    ) {
        let (units, width) = (self.units, BLOCKS * self.units);
        self.gates_product.write(t, Rows::new(previous.slice(0), units), start, RowsMut::new(z, width));
        let step = StepForward { units, z: &mut *z, previous, next: next.reborrow(), counts };
        Forward { gates: &self.reset, step }.vectorize();
        // q is stored where h' will be.
        self.candidate_product.write(t, Rows::new(next.slice_mut(0), units), start, RowsMut::new(z, width));
        Forward { gates: &self.candidate, step: StepForward { units, z, previous, next, counts } }.vectorize();
    }

    fn backward(
        &mut self,
        At { t, counts }: At<'_>,
        ahead: Option<Ahead<'_, F>>,
        z: &mut [F],
        [previous, next, dnext]: [Views<'_, F>; 3],
        mut dprevious: ViewsMut<'_, F>,
    ) {
        let (units, width) = (self.units, BLOCKS * self.units);
        self.dq.resize(z.len() / width, Widths::new(&[units]));
        let mut dq = self.dq.views_mut();
        let by_rule = dq.reborrow();
        let step = StepBackward { units, z: &mut *z, previous, next, dnext, dprevious: by_rule, counts, ahead };
        Backward { gates: &self.candidate, step }.vectorize();
        self.candidate_product.back(t, Rows::new(z, width), Start::Sum, RowsMut::new(dq.slice_mut(0), units));
        let (dnext, by_rule) = (self.dq.views(), dprevious.reborrow());
        let step = StepBackward { units, z: &mut *z, previous, next, dnext, dprevious: by_rule, counts, ahead: None };
        Backward { gates: &self.reset, step }.vectorize();
        self.gates_product.back(t, Rows::new(z, width), Start::Sum, RowsMut::new(dprevious.slice_mut(0), units));
    }

    fn add_gradient(&mut self, t: usize, h: Rows<'_, F>, dz: Rows<'_, F>, mut du: RowsMut<'_, F>, room: &mut Room<F>) {
        let q = dz.columns(2 * self.units, 3 * self.units);
        self.gates_product.add_gradient(t, h, dz, du.reborrow(), room);
        self.candidate_product.add_gradient(t, q, dz, du, room);
    }
}

/// Returns four blocks of columns: z, r, r·h, g of one step, or their gradients.
fn blocks<F: Scalar>(all: &Array2<F>, units: usize) -> [ArrayView2<'_, F>; 4] {
    std::array::from_fn(|block| all.slice(columns(block, units)))
}

/// Returns the same blocks, mutably.
fn blocks_mut<F: Scalar>(all: &mut Array2<F>, units: usize) -> [ArrayViewMut2<'_, F>; 4] {
    let [a, b, c, d] = std::array::from_fn(|block| columns(block, units));
    all.multi_slice_mut((a, b, c, d)).into()
}

/// Slice of the columns of one block.
fn columns(block: usize, units: usize) -> SliceInfo<[SliceInfoElem; 2], Ix2, Ix2> {
    s![.., block * units..(block + 1) * units]
}

/// Implements [`Cell::run`](crate::recurrent::Cell::run) of the form without `reset_after`.
pub(in crate::recurrent) fn run_gru<F: Scalar>(
    cell: &GruCell,
    w: &GatedWeights<F>,
    run: Run<'_, F>,
    workspace: &mut GatedWorkspace<F>,
) {
    let GatedWorkspace { sequence, recurrence } = workspace;
    let mut recurrence = cell.two_products(w, run.masks, recurrence);
    run_fused(cell.gated.shape(), w, run, sequence, &mut recurrence);
}

/// Implements [`Cell::run_back`](crate::recurrent::Cell::run_back) of this form.
pub(in crate::recurrent) fn run_gru_back<F: Scalar>(
    cell: &GruCell,
    w: &GatedWeights<F>,
    run: RunBack<'_, F>,
    workspace: &mut GatedWorkspace<F>,
    gradients: &mut GatedWeights<F>,
) {
    let GatedWorkspace { sequence, recurrence } = workspace;
    let mut recurrence = cell.two_products(w, run.masks, recurrence);
    run_back_fused(cell.gated.shape(), w, run, sequence, &mut recurrence, gradients);
}

/// Implements [`Cell::step`](crate::recurrent::Cell::step) of this form.
pub(in crate::recurrent) fn step_gru<F: Scalar>(
    cell: &GruCell,
    w: &GatedWeights<F>,
    at: &Step<'_, F>,
    mut next: ViewsMut<'_, F>,
    cache: &mut GatedStep<F>,
) {
    let GruGates { activation, recurrent_activation } = &cell.gated.gates;
    let units = cell.gated.options.units;
    let h = at.previous.view(0);
    resize(&mut cache.z, (h.nrows(), 4 * units));
    let [mut z, mut r, mut rh, mut g] = blocks_mut(&mut cache.z, units);
    let bias = w.bias.as_ref().and_then(|bias| bias.as_slice());
    for (gate, sum) in [&mut z, &mut r, &mut g].into_iter().enumerate() {
        gemm::plain_product(at.x(gate), w.kernel.slice(columns(gate, units)), sum.view_mut());
        if let Some(bias) = bias {
            let bias = &bias[gate * units..(gate + 1) * units];
            sum.rows_mut().into_iter().for_each(|mut row| row += &ArrayView1::from(bias));
        }
    }
    for (gate, sum) in [&mut z, &mut r].into_iter().enumerate() {
        gemm::add_plain_product(at.h(gate), w.recurrent_kernel.slice(columns(gate, units)), sum.view_mut());
        sum.mapv_inplace(|z| recurrent_activation.apply(z));
    }
    Zip::from(&mut rh).and(&r).and(&at.h(2)).for_each(|rh, &r, &h| *rh = r * h);
    gemm::add_plain_product(rh.view(), w.recurrent_kernel.slice(columns(2, units)), g.view_mut());
    g.mapv_inplace(|z| activation.apply(z));
    Zip::from(next.view_mut(0)).and(&z).and(&h).and(&g).for_each(|next, &z, &h, &g| *next = z * (h - g) + g);
}

/// Implements [`Cell::step_back`](crate::recurrent::Cell::step_back) of this form.
pub(in crate::recurrent) fn step_gru_back<F: Scalar>(
    cell: &GruCell,
    w: &GatedWeights<F>,
    at: &Step<'_, F>,
    mut back: StepBack<'_, F>,
    cache: &mut GatedStep<F>,
    gradients: &mut GatedWeights<F>,
) {
    let GruGates { activation, recurrent_activation } = &cell.gated.gates;
    let units = cell.gated.options.units;
    let h = at.previous.view(0);
    let dnext = back.dnext.view(0);
    resize(&mut cache.dz, cache.z.raw_dim());
    let [z, r, rh, g] = blocks(&cache.z, units);
    let [mut dz, mut dr, mut drh, mut dg] = blocks_mut(&mut cache.dz, units);

    // h' = z·h + (1 − z)·g
    Zip::from(back.dprevious.view_mut(0)).and(&dnext).and(&z).for_each(|sum, &d, &z| *sum += d * z);
    Zip::from(&mut dg).and(&dnext).and(&z).and(&g).for_each(|dg, &d, &z, &g| {
        *dg = activation.backward(g, d * (F::one() - z));
    });
    Zip::from(&mut dz).and(&dnext).and(&z).and(&g).and(&h).for_each(|dz, &d, &z, &g, &h| {
        *dz = recurrent_activation.backward(z, d * (h - g));
    });
    // g = α(x·W_h + b_h + (r·h)·U_h)
    gemm::plain_product(dg.view(), w.recurrent_kernel.slice(columns(2, units)).t(), drh.view_mut());
    Zip::from(&mut dr).and(&drh).and(&r).and(&at.h(2)).for_each(|dr, &d, &r, &h| {
        *dr = recurrent_activation.backward(r, d * h);
    });
    Zip::from(back.dh(2)).and(&drh).and(&r).for_each(|sum, &d, &r| *sum += d * r);
    gemm::add_plain_product(rh.t(), dg.view(), gradients.recurrent_kernel.slice_mut(columns(2, units)));
    // z and r = ρ(x·W + h·U + b)
    for (gate, d) in [&dz, &dr].into_iter().enumerate() {
        gemm::add_plain_product(at.h(gate).t(), d.view(), gradients.recurrent_kernel.slice_mut(columns(gate, units)));
        gemm::add_plain_product(d.view(), w.recurrent_kernel.slice(columns(gate, units)).t(), back.dh(gate));
    }
    for (gate, d) in [&dz, &dr, &dg].into_iter().enumerate() {
        gemm::add_plain_product(at.x(gate).t(), d.view(), gradients.kernel.slice_mut(columns(gate, units)));
        gemm::add_plain_product(d.view(), w.kernel.slice(columns(gate, units)).t(), back.dx(gate));
        if let Some(dbias) = gradients.bias.as_mut().and_then(|bias| bias.as_slice_mut()) {
            let dbias = &mut dbias[gate * units..(gate + 1) * units];
            d.rows().into_iter().for_each(|row| dbias.iter_mut().zip(row).for_each(|(sum, &d)| *sum += d));
        }
    }
}
