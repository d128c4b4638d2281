//! Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).
//!
//! ```text
//! i = ρ(z₀)   f = ρ(z₁)   g = α(z₂)   o = ρ(z₃)        z = x·W + h·U + b, blocks in the order i, f, c, o
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

/// Long short-term memory layer.
///
/// ```text
/// i = ρ(x·Wᵢ  + h·Uᵢ  + bᵢ )     input gate
/// f = ρ(x·W_f + h·U_f + b_f)     forget gate
/// g = α(x·W_c + h·U_c + b_c)     candidate
/// o = ρ(x·Wₒ  + h·Uₒ  + bₒ )     output gate
///
/// c' = f·c + i·g                 cell state
/// h' = o·α(c')                   hidden state, the output
/// ```
///
#[doc = include_str!("../../guide/lstm_step.svg")]
/// Here x is the input of a time step, h and c are the states of the step before (zero at first), α is the `activation` and
/// ρ the `recurrent_activation`.
///
/// ```
/// use bptt::prelude::*;
/// use ndarray::{Array1, Array3};
///
/// // Is the sum of a sequence positive?
/// let x = Array3::<f32>::from_shape_fn((64, 5, 1), |(n, t, _)| ((n * 5 + t) as f32 * 1.7).sin());
/// let y: Array1<f32> = x.outer_iter().map(|steps| if steps.sum() > 0.0 { 1.0 } else { 0.0 }).collect();
///
/// let mut model = Sequential::new()
///     .add(Lstm::new(4))
///     .add(Dense::new(1).activation(Activation::Sigmoid))
///     .build(Form::sequence(5, 1), 42)?;
/// model.compile(Adam::new(0.05), BinaryCrossentropy::new());
/// let history = model.fit(&x, &y, Fit::new().epochs(20))?;
/// let loss = history.get("loss");
/// assert!(loss[19] < loss[0]);
/// # Ok::<(), bptt::Error>(())
/// ```
///
/// # Options
///
/// `Lstm` is an alias: some of its options are methods of [`Rnn`]. The defaults are those of Keras.
///
/// | Option | Default | Meaning |
/// | --- | --- | --- |
/// | `units` | required | Number of units H, at least 1 |
/// | `activation` | tanh | α: activation of the candidate and of the cell state |
/// | `recurrent_activation` | sigmoid | ρ: activation of the three gates |
/// | `use_bias` | true | Whether there is a bias |
/// | `unit_forget_bias` | true | Whether the bias of the forget gate starts at 1 instead of the `bias_initializer`'s value |
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
/// | states | h (B, H), c (B, H) |
/// | `kernel` | (D, 4·H), blocks in the order i, f, c, o |
/// | `recurrent_kernel` | (H, 4·H), blocks in the same order |
/// | `bias` | (4·H), blocks in the same order |
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
#[doc(alias = "LSTM")]
pub type Lstm = Rnn<Gated<LstmGates>>;

/// Gate rule of [`Lstm`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LstmGates {
    activation: Activation,
    recurrent_activation: Activation,
    unit_forget_bias: bool,
}

impl Lstm {
    /// Returns a layer with this number of units and Keras' defaults.
    pub fn new(units: usize) -> Self {
        let gates = LstmGates {
            activation: Activation::Tanh,
            recurrent_activation: Activation::Sigmoid,
            unit_forget_bias: true,
        };
        Rnn::from_cell(Gated::new(gates, units))
    }

    /// Sets the activation of the candidate and of the cell state.
    pub fn activation(self, activation: Activation) -> Self {
        self.with_gates(|gates| gates.activation = activation)
    }

    /// Sets the activation of the three gates.
    pub fn recurrent_activation(self, recurrent_activation: Activation) -> Self {
        self.with_gates(|gates| gates.recurrent_activation = recurrent_activation)
    }

    /// Sets whether the bias of the forget gate starts at 1.
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
