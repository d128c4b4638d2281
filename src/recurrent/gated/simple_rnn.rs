//! Simple recurrent cell: h' = activation(x·W + h·U + b) (Elman 1990).
//!
//! The derivative follows from the output, so the output is all that it saves.

use serde::{Deserialize, Serialize};

use super::Gated;
use super::gates::{Gates, erase_gates};
use crate::activations::Activation;
use crate::error::Result;
use crate::layer::Describe;
use crate::numeric::{Lane, Scalar};
use crate::recurrent::Rnn;

/// Simple recurrent layer.
///
/// ```text
/// h' = α(x·W + h·U + b)      hidden state, the output
/// ```
///
/// Here x is the input of a time step, h is the state of the step before (zero at first) and α is the `activation`.
///
/// ```
/// use bptt::prelude::*;
/// use ndarray::Array3;
///
/// // At each time step: the difference from the step before.
/// let x = Array3::<f32>::from_shape_fn((64, 5, 1), |(n, t, _)| ((n * 5 + t) as f32 * 1.7).sin());
/// let y = Array3::from_shape_fn((64, 5, 1), |(n, t, _)| if t == 0 { x[[n, 0, 0]] } else { x[[n, t, 0]] - x[[n, t - 1, 0]] });
///
/// let layers = Sequential::new().add(SimpleRnn::new(4).return_sequences(true)).add(Dense::new(1));
/// let mut model = layers.build(Form::sequence(5, 1), 42)?;
/// model.compile(Adam::new(0.02), MeanSquaredError);
/// let history = model.fit(&x, &y, Fit::new().epochs(20))?;
/// let loss = history.get("loss");
/// assert!(loss[19] < loss[0]);
/// # Ok::<(), bptt::Error>(())
/// ```
///
/// # Options
///
/// `SimpleRnn` is an alias: some of its options are methods of [`Rnn`]. The defaults are those of Keras.
///
/// | Option | Default | Meaning |
/// | --- | --- | --- |
/// | `units` | required | Number of units H, at least 1 |
/// | `activation` | tanh | α: activation of the sum |
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
/// The activation works on single elements: `Softmax` is refused.
///
/// # Shapes
///
/// | What | Shape |
/// | --- | --- |
/// | input | (B, T, D) |
/// | output | (B, H), with `return_sequences` (B, T, H) |
/// | state | h (B, H) |
/// | `kernel` | (D, H) |
/// | `recurrent_kernel` | (H, H) |
/// | `bias` | (H) |
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
#[doc(alias = "SimpleRNN")]
#[doc(alias = "RNN")]
#[doc(alias = "Elman")]
pub type SimpleRnn = Rnn<Gated<SimpleGates>>;

/// Gate rule of [`SimpleRnn`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimpleGates {
    activation: Activation,
}

impl SimpleRnn {
    /// Returns a layer with this number of units and Keras' defaults.
    pub fn new(units: usize) -> Self {
        Rnn::from_cell(Gated::new(SimpleGates { activation: Activation::Tanh }, units))
    }

    /// Sets the activation of the sum.
    pub fn activation(self, activation: Activation) -> Self {
        self.with_cell(|mut cell| {
            cell.gates.activation = activation;
            cell
        })
    }
}

impl Describe for SimpleGates {
    fn kind() -> &'static str {
        "SimpleRnn"
    }
}

impl Gates for SimpleGates {
    type Blocks<L: Lane> = [L; 1];
    type States<L: Lane> = [L; 1];

    #[inline(always)]
    fn forward<L: Lane>(&self, [z]: [L; 1], _: [L; 1]) -> ([L; 1], [L; 1]) {
        let h = self.activation.apply(z);
        ([h], [h])
    }

    #[inline(always)]
    fn backward<L: Lane>(&self, [h]: [L; 1], _: [L; 1], _: [L; 1], [dh]: [L; 1]) -> ([L; 1], [L; 1]) {
        ([self.activation.backward(h, dh)], [h.splat(0.0)])
    }

    erase_gates!(SimpleGates);

    fn check(&self) -> Result<()> {
        self.activation.expect_elementwise("activation")
    }
}
