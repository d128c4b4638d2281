//! The long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).
//!
//! ```text
//! i = ρ(z₀)   f = ρ(z₁)   g = α(z₂)   o = ρ(z₃)        z = x·W + h·U + b, blocks in Keras' order i, f, c, o
//! c' = f·c + i·g          h' = o·α(c')                 ρ recurrent_activation, α activation
//! ```

use serde::{Deserialize, Serialize};

use super::Gated;
use super::functions::{Functions, with_functions};
use super::gates::{Gates, erase_gates};
use crate::activations::Activation;
use crate::error::Result;
use crate::layer::Describe;
use crate::numeric::{Lane, Scalar};
use crate::recurrent::Rnn;

/// The LSTM layer.
///
/// ```text
/// i = ρ(x·Wᵢ + h·Uᵢ + bᵢ)    f = ρ(x·W_f + h·U_f + b_f)    g = α(x·W_c + h·U_c + b_c)    o = ρ(x·Wₒ + h·Uₒ + bₒ)
/// c' = f·c + i·g             h' = o·α(c')
/// ```
///
#[doc = include_str!("../../guide/lstm_step.svg")]
/// # Shapes
///
/// As [`Rnn`]; weights `kernel` (D, 4·H), `recurrent_kernel` (H, 4·H), `bias` (4·H), blocks in the order i, f, c, o. States
/// h and c.
///
/// # Options
///
/// Those of [`Rnn`] and [`Gated`], and
///
/// | name | default | purpose |
/// | --- | --- | --- |
/// | `activation` | tanh | α, of the candidate and of the cell state on its way out |
/// | `recurrent_activation` | sigmoid | ρ, of the three gates |
/// | `unit_forget_bias` | true | start the forget gate's bias at 1, in place of the bias initialiser |
///
/// ```
/// use bptt::layer::Layer;
/// use bptt::layers::Lstm;
/// use bptt::tensor::Form;
/// let layer = Lstm::new(8).dropout(0.3);
/// assert_eq!(Layer::<f32>::output_form(&layer, Form::sequence(100, 16))?, Form::vector(8));
/// # Ok::<(), bptt::Error>(())
/// ```
#[doc(alias = "LSTM")]
pub type Lstm = Rnn<Gated<LstmGates>>;

/// The rule of [`Lstm`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LstmGates {
    activation: Activation,
    recurrent_activation: Activation,
    unit_forget_bias: bool,
}

impl Lstm {
    /// A layer of this many units, with Keras' defaults.
    pub fn new(units: usize) -> Self {
        let gates = LstmGates {
            activation: Activation::Tanh,
            recurrent_activation: Activation::Sigmoid,
            unit_forget_bias: true,
        };
        Rnn::from_cell(Gated::new(gates, units))
    }

    /// The function of the candidate, and of the cell state on its way out.
    pub fn activation(self, activation: Activation) -> Self {
        self.with_gates(|gates| gates.activation = activation)
    }

    /// The function of the three gates.
    pub fn recurrent_activation(self, recurrent_activation: Activation) -> Self {
        self.with_gates(|gates| gates.recurrent_activation = recurrent_activation)
    }

    /// Whether the forget gate's bias starts at 1.
    pub fn unit_forget_bias(self, unit_forget_bias: bool) -> Self {
        self.with_gates(|gates| gates.unit_forget_bias = unit_forget_bias)
    }

    fn with_gates(self, change: impl FnOnce(&mut LstmGates)) -> Self {
        self.with_cell(|mut cell| {
            change(&mut cell.gates);
            cell
        })
    }
}

impl Describe for LstmGates {
    fn kind() -> &'static str {
        "Lstm"
    }
}

impl Gates for LstmGates {
    type Blocks<L: Lane> = [L; 4];
    type States<L: Lane> = [L; 2];

    #[inline(always)]
    fn forward<L: Lane>(&self, sums: [L; 4], previous: [L; 2]) -> ([L; 4], [L; 2]) {
        with_functions!(self, forward(sums, previous))
    }

    #[inline(always)]
    fn finish<L: Lane>(&self, next: [L; 2]) -> [L; 2] {
        with_functions!(self, finish(next))
    }

    #[inline(always)]
    fn backward<L: Lane>(&self, saved: [L; 4], previous: [L; 2], next: [L; 2], dnext: [L; 2]) -> ([L; 4], [L; 2]) {
        with_functions!(self, backward(saved, previous, next, dnext))
    }

    fn initial_bias(&self, block: usize) -> Option<f64> {
        (self.unit_forget_bias && block == 1).then_some(1.0)
    }

    erase_gates!(LstmGates);

    fn check(&self) -> Result<()> {
        self.activation.expect_elementwise("activation")?;
        self.recurrent_activation.expect_elementwise("recurrent_activation")
    }
}

#[inline(always)]
fn forward<L: Lane>(with: impl Functions, [i, f, g, o]: [L; 4], [_, c]: [L; 2]) -> ([L; 4], [L; 2]) {
    let (i, f, g, o) = (with.gate(i), with.gate(f), with.activation(g), with.gate(o));
    let c = f.mul_add(c, i * g);
    ([i, f, g, o], [o, c])
}

#[inline(always)]
fn finish<L: Lane>(with: impl Functions, [o, c]: [L; 2]) -> [L; 2] {
    [o * with.activation(c), c]
}

#[inline(always)]
fn backward<L: Lane>(
    with: impl Functions,
    [i, f, g, o]: [L; 4],
    [_, c]: [L; 2],
    [h_next, c_next]: [L; 2],
    [dh, dc]: [L; 2],
) -> ([L; 4], [L; 2]) {
    // h' = o·α(c')
    let out = with.activation_again(c_next, o, h_next);
    let dc = dc + with.activation_back(out, dh * o);
    // c' = f·c + i·g
    let (di, df, dg) = (with.gate_back(i, dc * g), with.gate_back(f, dc * c), with.activation_back(g, dc * i));
    ([di, df, dg, with.gate_back(o, dh * out)], [dc.splat(0.0), dc * f])
}
