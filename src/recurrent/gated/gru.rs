//! The gated recurrent unit (Cho et al. 2014), in its two forms.
//!
//! ```text
//! z = ρ(x·W_z + h·U_z + b_z)      r = ρ(x·W_r + h·U_r + b_r)
//! g = α(x·W_h + b_h + r·(h·U_h + b'_h))      reset_after, Keras' default: a gates rule
//! g = α(x·W_h + b_h + (r·h)·U_h)             otherwise: the product needs r; see `reset_before`
//! h' = z·h + (1 − z)·g                       ρ recurrent_activation, α activation; blocks in Keras' order z, r, h
//! ```

use std::sync::Arc;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::functions::{Functions, with_functions};
use super::gates::{Gates, erase_gates};
use super::{Gated, GatedStep, GatedWeights, GatedWorkspace, gated_options};
use crate::activations::Activation;
use crate::error::Result;
use crate::layer::{Describe, DynLayer, Path, WeightOptions};
use crate::numeric::instructions::Path as Instructions;
use crate::numeric::{Lane, Scalar, erased_here};
use crate::recurrent::cell::{Cell, CellMemory, Run, RunBack, Step, StepBack};
use crate::recurrent::erased::DynCell;
use crate::recurrent::steps::{run_one_step, step_by_step, step_by_step_back};
use crate::recurrent::{Rnn, once};
use crate::tensor::{State, ViewsMut, Widths};
use crate::weights::initializers::Init;

/// The GRU layer.
///
/// ```text
/// z = ρ(x·W_z + h·U_z + b_z)    r = ρ(x·W_r + h·U_r + b_r)    g = α(x·W_h + b_h + r·(h·U_h + b'_h))
/// h' = z·h + (1 − z)·g
/// ```
///
/// Without `reset_after`, g = α(x·W_h + b_h + (r·h)·U_h).
///
#[doc = include_str!("../../guide/gru_step.svg")]
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
/// use bptt::layer::Layer;
/// use bptt::layers::Gru;
/// use bptt::tensor::Form;
/// assert_eq!(Layer::<f32>::output_form(&Gru::new(8), Form::sequence(100, 16))?, Form::vector(8));
/// # Ok::<(), bptt::Error>(())
/// ```
#[doc(alias = "GRU")]
pub type Gru = Rnn<GruCell>;

/// The cell of [`Gru`]: a gates rule, or without `reset_after` a step of two halves with a product each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GruCell {
    pub(super) gated: Gated<GruGates>,
    reset_after: bool,
}

/// The rule of [`Gru`] with `reset_after`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GruGates {
    pub(super) activation: Activation,
    pub(super) recurrent_activation: Activation,
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

    erase_gates!(GruGates);

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
        Cell::<F>::states(&self.gated)
    }

    fn masks(&self) -> usize {
        Cell::<F>::masks(&self.gated)
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<GatedWeights<F>> {
        once::build(self.gated.erased(), inputs, if self.reset_after { 2 } else { 1 }, init)
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        Cell::<F>::weight_options(&self.gated, path)
    }

    fn step(&self, w: &GatedWeights<F>, at: &Step<'_, F>, next: ViewsMut<'_, F>, cache: &mut GatedStep<F>) {
        if self.reset_after {
            once::step(self.gated.erased(), w, at, next, cache);
        } else {
            once::step_gru(self, w, at, next, cache);
        }
    }

    fn step_back(
        &self,
        w: &GatedWeights<F>,
        at: &Step<'_, F>,
        back: StepBack<'_, F>,
        cache: &mut GatedStep<F>,
        gradients: &mut GatedWeights<F>,
    ) {
        if self.reset_after {
            once::step_back(self.gated.erased(), w, at, back, cache, gradients);
        } else {
            once::step_gru_back(self, w, at, back, cache, gradients);
        }
    }

    fn takes_lookups(&self) -> bool {
        Cell::<F>::takes_lookups(&self.gated)
    }

    fn run(&self, w: &GatedWeights<F>, run: Run<'_, F>, memory: &mut CellMemory<F, Self>) {
        if Instructions::current().is_reference() {
            step_by_step(self, w, run, memory);
        } else if self.reset_after {
            once::run(self.gated.erased(), w, run, &mut memory.workspace);
        } else {
            once::run_gru(self, w, run, &mut memory.workspace);
        }
    }

    fn run_back(
        &self,
        w: &GatedWeights<F>,
        run: RunBack<'_, F>,
        memory: &mut CellMemory<F, Self>,
        gradients: &mut GatedWeights<F>,
    ) {
        if Instructions::current().is_reference() {
            step_by_step_back(self, w, run, memory, gradients);
        } else if self.reset_after {
            once::run_back(self.gated.erased(), w, run, &mut memory.workspace, gradients);
        } else {
            once::run_gru_back(self, w, run, &mut memory.workspace, gradients);
        }
    }

    fn advance(
        &self,
        w: &GatedWeights<F>,
        x: ArrayView2<'_, F>,
        state: &mut State<F>,
        memory: &mut CellMemory<F, Self>,
    ) {
        if !(self.reset_after && once::advance(self.gated.erased(), w, x, state, &mut memory.workspace)) {
            run_one_step(self, w, x, state, memory);
        }
    }

    fn erase(self) -> Arc<dyn DynCell<F>> {
        erased_here!(F, self, GruCell => Arc<dyn DynCell<F>>, Arc::new)
    }

    fn erase_layer(layer: Rnn<Self>) -> Arc<dyn DynLayer<F>> {
        erased_here!(F, layer, Rnn<GruCell> => Arc<dyn DynLayer<F>>, Arc::new)
    }
}
