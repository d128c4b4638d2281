//! The gated recurrent unit (Cho et al. 2014), in its two forms.
//!
//! ```text
//! z = ρ(x·W_z + h·U_z + b_z)      r = ρ(x·W_r + h·U_r + b_r)
//! g = α(x·W_h + b_h + r·(h·U_h + b'_h))      reset_after, Keras' default: a gates rule
//! g = α(x·W_h + b_h + (r·h)·U_h)             otherwise: the product needs r, so the step is written out here
//! h' = z·h + (1 − z)·g                       ρ recurrent_activation, α activation; blocks in Keras' order z, r, h
//! ```

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Ix2, SliceInfo, SliceInfoElem, Zip, s};
use serde::{Deserialize, Serialize};

use super::cell::{Cell, CellMemory, Run, RunBack, Step, StepBack};
use super::functions::{Functions, with_functions};
use super::fused::GatedWorkspace;
use super::gated::{Gated, GatedStep, GatedWeights, gated_options};
use super::gates::Gates;
use super::rnn::Rnn;
use super::state::{State, Views, ViewsMut, Widths};
use crate::activation::Activation;
use crate::error::Result;
use crate::initializer::Init;
use crate::kernels::gemm;
use crate::lane::Lane;
use crate::layer::Describe;
use crate::params::Path;
use crate::scalar::Scalar;
use crate::tensor::resize;
use crate::weight_options::WeightOptions;

/// The GRU layer.
///
/// ```text
/// z = ρ(x·W_z + h·U_z + b_z)    r = ρ(x·W_r + h·U_r + b_r)    g = α(x·W_h + b_h + r·(h·U_h + b'_h))
/// h' = z·h + (1 − z)·g
/// ```
///
/// Without `reset_after`, g = α(x·W_h + b_h + (r·h)·U_h).
///
/// # Shapes
///
/// As [`Rnn`]; weights `kernel` (D, 3·H), `recurrent_kernel` (H, 3·H), blocks in the order z, r, h; `bias` (2, 3·H), for the
/// inputs and for the state, or (3·H) without `reset_after`.
///
/// # Options
///
/// Those of [`Rnn`] and [`Gated`], and
///
/// | name | default | purpose |
/// | --- | --- | --- |
/// | `activation` | tanh | α, of the candidate |
/// | `recurrent_activation` | sigmoid | ρ, of the two gates |
/// | `reset_after` | true | whether the reset gate scales the product with the state, or the state before it |
///
/// ```
/// use bptt::{Form, Gru, Layer};
/// assert_eq!(Layer::<f32>::output_form(&Gru::new(8), Form::sequence(100, 16))?, Form::vector(8));
/// # Ok::<(), bptt::Error>(())
/// ```
#[doc(alias = "GRU")]
pub type Gru = Rnn<GruCell>;

/// The cell of [`Gru`]: a gates rule, or without `reset_after` a step of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GruCell {
    gated: Gated<GruGates>,
    reset_after: bool,
}

/// The rule of [`Gru`] with `reset_after`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GruGates {
    activation: Activation,
    recurrent_activation: Activation,
}

impl GruCell {
    /// The rule.
    pub fn gates(&self) -> &GruGates {
        self.gated.gates()
    }
}

impl Gru {
    /// A layer of this many units, with Keras' defaults.
    pub fn new(units: usize) -> Self {
        let gates = GruGates { activation: Activation::Tanh, recurrent_activation: Activation::Sigmoid };
        Rnn::from_cell(GruCell { gated: Gated::new(gates, units), reset_after: true })
    }

    /// The function of the candidate.
    pub fn activation(self, activation: Activation) -> Self {
        self.with_cell(|mut cell| {
            cell.gated.gates.activation = activation;
            cell
        })
    }

    /// The function of the two gates.
    pub fn recurrent_activation(self, recurrent_activation: Activation) -> Self {
        self.with_cell(|mut cell| {
            cell.gated.gates.recurrent_activation = recurrent_activation;
            cell
        })
    }

    /// Whether the reset gate scales the product with the state, or the state before it.
    pub fn reset_after(self, reset_after: bool) -> Self {
        self.with_cell(|cell| GruCell { reset_after, ..cell })
    }
}

gated_options!([] Gru, |cell| cell.gated);

impl Describe for GruGates {
    fn kind() -> &'static str {
        "GruGates"
    }
}

impl Gates for GruGates {
    // z, r, the state's part of the candidate, the input's part.
    type Blocks<L: Lane> = [L; 4];
    type States<L: Lane> = [L; 1];
    const APART: usize = 1;

    #[inline(always)]
    fn forward<L: Lane>(&self, sums: [L; 4], previous: [L; 1]) -> ([L; 4], [L; 1]) {
        with_functions!(self, forward(sums, previous))
    }

    #[inline(always)]
    fn backward<L: Lane>(&self, saved: [L; 4], previous: [L; 1], _: [L; 1], dnext: [L; 1]) -> ([L; 4], [L; 1]) {
        with_functions!(self, backward(saved, previous, dnext))
    }

    fn check(&self) -> Result<()> {
        self.activation.expect_elementwise("activation")?;
        self.recurrent_activation.expect_elementwise("recurrent_activation")
    }
}

#[inline(always)]
fn forward<L: Lane>(with: impl Functions, [z, r, state, input]: [L; 4], [h]: [L; 1]) -> ([L; 4], [L; 1]) {
    let (z, r) = (with.gate(z), with.gate(r));
    let g = with.activation(r.mul_add(state, input));
    ([z, r, state, g], [z.mul_add(h - g, g)])
}

#[inline(always)]
fn backward<L: Lane>(with: impl Functions, [z, r, state, g]: [L; 4], [h]: [L; 1], [dh]: [L; 1]) -> ([L; 4], [L; 1]) {
    // h' = z·h + (1 − z)·g
    let dz = with.gate_back(z, dh * (h - g));
    let dinput = with.activation_back(g, dh * (z.splat(1.0) - z));
    // g = α(input + r·state)
    let dr = with.gate_back(r, dinput * state);
    ([dz, dr, dinput * r, dinput], [dh * z])
}

impl Describe for GruCell {
    fn kind() -> &'static str {
        "Gru"
    }
}

impl<F: Scalar> Cell<F> for GruCell {
    type Weights = GatedWeights<F>;
    type Cache = GatedStep<F>;
    type Workspace = GatedWorkspace<F>;

    fn states(&self) -> Widths {
        Widths::new(&[self.gated.units])
    }

    fn masks(&self) -> usize {
        3
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<GatedWeights<F>> {
        self.gated.build_weights(inputs, if self.reset_after { 2 } else { 1 }, init)
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        Cell::<F>::weight_options(&self.gated, path)
    }

    fn step(&self, w: &GatedWeights<F>, at: &Step<'_, F>, next: ViewsMut<'_, F>, cache: &mut GatedStep<F>) {
        if self.reset_after {
            self.gated.step(w, at, next, cache);
        } else {
            self.step_reset_before(w, at, next, cache);
        }
    }

    fn step_back(
        &self,
        w: &GatedWeights<F>,
        at: &Step<'_, F>,
        next: Views<'_, F>,
        back: StepBack<'_, F>,
        cache: &mut GatedStep<F>,
        gradients: &mut GatedWeights<F>,
    ) {
        if self.reset_after {
            self.gated.step_back(w, at, next, back, cache, gradients);
        } else {
            self.step_back_reset_before(w, at, back, cache, gradients);
        }
    }

    fn takes_lookups(&self) -> bool {
        self.reset_after && Cell::<F>::takes_lookups(&self.gated)
    }

    fn run(&self, w: &GatedWeights<F>, run: Run<'_, F>, memory: &mut CellMemory<F, Self>) {
        self.gated.run_as(self, self.reset_after, w, run, memory);
    }

    fn run_back(
        &self,
        w: &GatedWeights<F>,
        run: RunBack<'_, F>,
        memory: &mut CellMemory<F, Self>,
        gradients: &mut GatedWeights<F>,
    ) {
        self.gated.run_back_as(self, self.reset_after, w, run, memory, gradients);
    }

    fn advance(
        &self,
        w: &GatedWeights<F>,
        x: ArrayView2<'_, F>,
        state: &mut State<F>,
        memory: &mut CellMemory<F, Self>,
    ) {
        self.gated.advance_as(self, self.reset_after, w, x, state, memory);
    }
}

/// Four blocks of columns side by side: z, r, r·h, g of one step, or their gradients.
fn blocks<F: Scalar>(all: &Array2<F>, units: usize) -> [ArrayView2<'_, F>; 4] {
    std::array::from_fn(|block| all.slice(columns(block, units)))
}

/// The same blocks, to be written.
fn blocks_mut<F: Scalar>(all: &mut Array2<F>, units: usize) -> [ArrayViewMut2<'_, F>; 4] {
    let [a, b, c, d] = std::array::from_fn(|block| columns(block, units));
    all.multi_slice_mut((a, b, c, d)).into()
}

/// The columns of one block.
fn columns(block: usize, units: usize) -> SliceInfo<[SliceInfoElem; 2], Ix2, Ix2> {
    s![.., block * units..(block + 1) * units]
}

/// The form with the reset gate before the product.
impl GruCell {
    fn step_reset_before<F: Scalar>(
        &self,
        w: &GatedWeights<F>,
        at: &Step<'_, F>,
        mut next: ViewsMut<'_, F>,
        cache: &mut GatedStep<F>,
    ) {
        let GruGates { activation, recurrent_activation } = &self.gated.gates;
        let units = self.gated.units;
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

    fn step_back_reset_before<F: Scalar>(
        &self,
        w: &GatedWeights<F>,
        at: &Step<'_, F>,
        mut back: StepBack<'_, F>,
        cache: &mut GatedStep<F>,
        gradients: &mut GatedWeights<F>,
    ) {
        let GruGates { activation, recurrent_activation } = &self.gated.gates;
        let units = self.gated.units;
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
            gemm::add_plain_product(
                at.h(gate).t(),
                d.view(),
                gradients.recurrent_kernel.slice_mut(columns(gate, units)),
            );
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
}
