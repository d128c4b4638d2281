//! Gated recurrent unit (Cho et al. 2014), in its two forms.
//!
//! ```text
//! z = ρ(x·W_z + h·U_z + b_z)      r = ρ(x·W_r + h·U_r + b_r)
//! g = α(x·W_h + b_h + r·(h·U_h + b'_h))      reset_after, Keras' default: a gate rule
//! g = α(x·W_h + b_h + (r·h)·U_h)             otherwise: the product needs r; see `reset_before`
//! h' = z·h + (1 − z)·g                       ρ recurrent_activation, α activation; blocks in the order z, r, h
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

/// Gated recurrent unit layer.
///
/// ```text
/// z = ρ(x·W_z + h·U_z + b_z)                 update gate
/// r = ρ(x·W_r + h·U_r + b_r)                 reset gate
/// g = α(x·W_h + b_h + r·(h·U_h + b'_h))      candidate, with reset_after
/// g = α(x·W_h + b_h + (r·h)·U_h)             candidate, without reset_after
///
/// h' = z·h + (1 − z)·g                       hidden state, the output
/// ```
///
#[doc = include_str!("../../guide/gru_step.svg")]
/// Here x is the input of a time step, h is the state of the step before (zero at first), α is the `activation` and ρ the
/// `recurrent_activation`.
///
/// ```
/// use bptt::prelude::*;
/// use ndarray::{Array1, Array3};
///
/// // The mean of a sequence.
/// let x = Array3::<f32>::from_shape_fn((64, 5, 1), |(n, t, _)| ((n * 5 + t) as f32 * 1.7).sin());
/// let y: Array1<f32> = x.outer_iter().map(|steps| steps.sum() / 5.0).collect();
///
/// let mut model = Sequential::new().add(Gru::new(4)).add(Dense::new(1)).build(Form::sequence(5, 1), 42)?;
/// model.compile(Adam::new(0.02), MeanSquaredError);
/// let history = model.fit(&x, &y, Fit::new().epochs(20))?;
/// let loss = history.get("loss");
/// assert!(loss[19] < loss[0]);
/// # Ok::<(), bptt::Error>(())
/// ```
///
/// # Options
///
/// `Gru` is an alias: some of its options are methods of [`Rnn`]. The defaults are those of Keras.
///
/// | Option | Default | Meaning |
/// | --- | --- | --- |
/// | `units` | required | Number of units H, at least 1 |
/// | `activation` | tanh | α: activation of the candidate |
/// | `recurrent_activation` | sigmoid | ρ: activation of the two gates |
/// | `reset_after` | true | Whether the reset gate multiplies the product h·U instead of the hidden state before it |
/// | `use_bias` | true | Whether there is a bias |
/// | `kernel_initializer` | Glorot uniform | [`Initializer`] of the kernel W |
/// | `recurrent_initializer` | orthogonal | [`Initializer`] of the recurrent kernel U |
/// | `bias_initializer` | zeros | [`Initializer`] of the bias b |
/// | `kernel_regularizer` | none | [`Regularizer`] of the kernel |
/// | `recurrent_regularizer` | none | [`Regularizer`] of the recurrent kernel |
/// | `bias_regularizer` | none | [`Regularizer`] of the bias |
/// | `kernel_constraint` | none | [`Constraint`] on the kernel |
/// | `recurrent_constraint` | none | [`Constraint`] on the recurrent kernel |
/// | `bias_constraint` | none | [`Constraint`] on the bias |
/// | `dropout` | 0 | Fraction of the inputs to drop in training, 0 ≤ rate < 1 |
/// | `recurrent_dropout` | 0 | Fraction of the hidden state to drop in training, 0 ≤ rate < 1 |
/// | `dropout_per_step` | false | Whether each time step draws its own mask for the inputs, as in tf.keras 2 |
/// | `return_sequences` | false | Whether to return the output of every time step instead of the last one |
/// | `go_backwards` | false | Whether to process the sequence from its last time step to its first |
/// | `zero_output_for_mask` | false | Whether masked time steps put out zeros instead of the previous output |
///
/// The activations work on single elements: `Softmax` is refused.
///
/// # Shapes
///
/// | What | Shape |
/// | --- | --- |
/// | input | (B, T, D) |
/// | output | (B, H), with `return_sequences` (B, T, H) |
/// | state | h (B, H) |
/// | `kernel` | (D, 3·H), blocks in the order z, r, h |
/// | `recurrent_kernel` | (H, 3·H), blocks in the same order |
/// | `bias` | (2, 3·H): a row b for the input and a row b' for the state; without `reset_after` (3·H) |
///
/// Inside a model the layer sees time first: (T, B, D).
///
/// # Errors
///
/// Building a model returns an [`Error::Layer`] that names the layer. Its source is [`Error::InvalidOption`] for an option
/// out of range, or [`Error::Form`] if the input is not a sequence.
///
/// [`Error::Layer`]: crate::Error::Layer
/// [`Error::InvalidOption`]: crate::Error::InvalidOption
/// [`Error::Form`]: crate::Error::Form
/// [`Initializer`]: crate::initializers::Initializer
/// [`Regularizer`]: crate::regularizers::Regularizer
/// [`Constraint`]: crate::constraints::Constraint
#[doc(alias = "GRU")]
pub type Gru = Rnn<GruCell>;

/// Cell of [`Gru`]: a gate rule, or without `reset_after` a step with two products.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GruCell {
    pub(super) gated: Gated<GruGates>,
    reset_after: bool,
}

/// Gate rule of [`Gru`] with `reset_after`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GruGates {
    pub(super) activation: Activation,
    pub(super) recurrent_activation: Activation,
}

impl GruCell {
    /// Returns the gate rule.
    pub fn gates(&self) -> &GruGates {
        self.gated.gates()
    }
}

impl Gru {
    /// Returns a layer with this number of units and Keras' defaults.
    pub fn new(units: usize) -> Self {
        let gates = GruGates { activation: Activation::Tanh, recurrent_activation: Activation::Sigmoid };
        Rnn::from_cell(GruCell { gated: Gated::new(gates, units), reset_after: true })
    }

    /// Sets the activation of the candidate.
    pub fn activation(self, activation: Activation) -> Self {
        self.with_cell(|mut cell| {
            cell.gated.gates.activation = activation;
            cell
        })
    }

    /// Sets the activation of the two gates.
    pub fn recurrent_activation(self, recurrent_activation: Activation) -> Self {
        self.with_cell(|mut cell| {
            cell.gated.gates.recurrent_activation = recurrent_activation;
            cell
        })
    }

    /// Sets whether the reset gate multiplies the product h·U instead of the hidden state before it.
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
    // z, r, then the state's and the input's part of the candidate.
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
