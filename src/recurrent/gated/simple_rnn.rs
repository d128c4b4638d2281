//! The simple recurrent cell: h' = activation(x·W + h·U + b) (Elman 1990).
//!
//! Its one block saves the output, from which the derivative follows.

use serde::{Deserialize, Serialize};

use super::Gated;
use super::gates::{Gates, erase_gates};
use crate::activations::Activation;
use crate::error::Result;
use crate::layer::Describe;
use crate::numeric::{Lane, Scalar};
use crate::recurrent::Rnn;

/// The simple recurrent layer: h' = activation(x·W + h·U + b).
///
/// # Shapes
///
/// As [`Rnn`]; weights `kernel` (D, H), `recurrent_kernel` (H, H), `bias` (H).
///
/// # Options
///
/// Those of [`Rnn`] and [`Gated`], and
///
/// | name | default | purpose |
/// | --- | --- | --- |
/// | `activation` | tanh | applied to the sum |
///
/// ```
/// use bptt::layer::Layer;
/// use bptt::layers::SimpleRnn;
/// use bptt::tensor::Form;
/// let layer = SimpleRnn::new(8).return_sequences(true);
/// assert_eq!(Layer::<f32>::output_form(&layer, Form::sequence(100, 16))?, Form::sequence(100, 8));
/// # Ok::<(), bptt::Error>(())
/// ```
#[doc(alias = "SimpleRNN")]
#[doc(alias = "RNN")]
#[doc(alias = "Elman")]
pub type SimpleRnn = Rnn<Gated<SimpleGates>>;

/// The rule of [`SimpleRnn`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimpleGates {
    activation: Activation,
}

impl SimpleRnn {
    /// A layer of this many units, with Keras' defaults.
    pub fn new(units: usize) -> Self {
        Rnn::from_cell(Gated::new(SimpleGates { activation: Activation::Tanh }, units))
    }

    /// The function applied to the sum.
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
