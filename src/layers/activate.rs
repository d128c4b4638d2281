//! An activation function as a layer: y = activation(x).
//!
//! Backward: dx = dy ∘ activation′.

use serde::{Deserialize, Serialize};

use crate::activations::Activation;
use crate::error::Result;
use crate::layer::{Backward, Carry, Describe, Forward, Layer, Pass, erase_layer};
use crate::numeric::Scalar;
use crate::tensor::Form;
use crate::weights::initializers::Init;

/// Applies a function to what comes in: Keras' `Activation` layer.
///
/// # Shapes
///
/// Vectors or sequences, unchanged.
///
/// # Options
///
/// | name | default | purpose | range |
/// | --- | --- | --- | --- |
/// | `activation` | | the function; softmax is over the features | any [`Activation`] |
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
    /// The layer of this function.
    pub fn new(activation: Activation) -> Self {
        Activate { activation }
    }

    /// What this pass applies: nothing if the loss takes it over.
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
