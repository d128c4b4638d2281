//! Activation function as a layer: y = activation(x).
//!
//! Backward: dx = dy ∘ activation′.

use serde::{Deserialize, Serialize};

use crate::activations::Activation;
use crate::error::Result;
use crate::layer::{Backward, Carry, Describe, Forward, Layer, Pass, erase_layer};
use crate::numeric::Scalar;
use crate::tensor::Form;
use crate::weights::initializers::Init;

/// Layer that applies an activation function: Keras' `Activation`.
///
/// # Shapes
///
/// Vectors or sequences, unchanged.
///
/// # Options
///
/// | name | default | purpose | range |
/// | --- | --- | --- | --- |
/// | `activation` | | activation function; softmax is over the features | any [`Activation`] |
///
/// ```
/// use bptt::layers::Activate;
/// use bptt::prelude::*;
/// let stack = Sequential::new().add(Dense::new(4)).add(Activate::new(Activation::Relu));
/// assert_eq!(stack.build(Form::vector(3), 1)?.parameters(), 16);
/// # Ok::<(), bptt::Error>(())
/// ```
#[doc(alias = "Activation")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activate {
    activation: Activation,
}

impl Activate {
    /// Returns a layer with this activation.
    pub fn new(activation: Activation) -> Self {
        Activate { activation }
    }

    /// Returns the activation that this pass applies: none if the loss absorbs it.
    fn applied(&self, pass: Pass<'_>) -> Activation {
        if pass.absorbed { Activation::Linear } else { self.activation }
    }
}

impl Describe for Activate {
    fn kind() -> &'static str {
        "Activation"
    }
}

impl<F: Scalar> Layer<F> for Activate {
    type Weights = ();
    type Cache = ();

    fn output_form(&self, input: Form) -> Result<Form> {
        input.features()?;
        Ok(input)
    }

    fn carry(&self) -> Carry {
        Carry::Nothing
    }

    fn build(&self, _: Form, _: &mut Init) -> Result<()> {
        Ok(())
    }

    fn forward(&self, (): &(), forward: Forward<'_, F, ()>) {
        let Forward { x, y, pass, .. } = forward;
        y.copy(x);
        self.applied(pass).apply_rows(y.rows_mut());
    }

    fn backward(&self, (): &(), backward: Backward<'_, F, (), ()>) {
        let Backward { x, y, dy, dx, pass, .. } = backward;
        let Some(dx) = dx else { return };
        dx.like(x, x.rows().ncols());
        self.applied(pass).backward_rows(y.rows(), dy.rows(), dx.rows_mut());
    }

    fn final_activation(&self) -> Activation {
        self.activation
    }

    erase_layer!(F, Activate);
}
