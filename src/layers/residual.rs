//! A way around a layer: y = x + f(x).
//!
//! Backward: dx = dy + (∂f/∂x)ᵀ dy; the layer's weights get their gradients from dy.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::initializer::Init;
use crate::layer::{Carry, Describe, Layer, Pass};
use crate::mask::Mask;
use crate::params::Path;
use crate::recurrent::State;
use crate::scalar::Scalar;
use crate::tensor::{Form, Tensor};
use crate::weight_options::WeightOptions;

/// Adds the input of a layer to its output (He et al. 2016), so that deep stacks learn what is to be changed.
///
/// # Shapes
///
/// Vectors or sequences, unchanged: those of the layer, whose output must have the form of its input. Weights: the layer's.
///
/// The state of the layer is carried over, as if it stood by itself; so is its mask.
///
/// ```
/// use bptt::{Form, Gru, Residual, Sequential};
/// let model = Sequential::new()
///     .add(Residual::new(Gru::new(8).return_sequences(true)))
///     .add(Residual::new(Gru::new(8).return_sequences(true)))
///     .build(Form::sequence(None, 8), 1)?;
/// assert!(model.state(1)?.layer("residual_1").is_some());
/// # Ok::<(), bptt::Error>(())
/// ```
#[doc(alias = "ResidualWrapper")]
#[doc(alias = "skip connection")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "L: Describe")]
pub struct Residual<L> {
    layer: L,
}

impl<L> Residual<L> {
    /// Adds the input of this layer to its output.
    pub fn new(layer: L) -> Self {
        Residual { layer }
    }
}

/// The layer's cache and its output.
#[derive(Debug)]
pub struct ResidualCache<F, C> {
    layer: C,
    output: Tensor<F>,
}

impl<F, C: Default> Default for ResidualCache<F, C> {
    fn default() -> Self {
        ResidualCache { layer: C::default(), output: Tensor::default() }
    }
}

impl<L: Describe> Describe for Residual<L> {
    fn kind() -> &'static str {
        "Residual"
    }

    fn full_kind() -> String {
        format!("Residual({})", L::full_kind())
    }
}

/// The pass for the layer inside: what comes after it is the sum.
fn inside(mut pass: Pass<'_>) -> Pass<'_> {
    pass.absorbed = false;
    pass.lookup = false;
    pass
}

/// sum += more.
fn add<F: Scalar>(sum: &mut Tensor<F>, more: &Tensor<F>) {
    sum.rows_mut().zip_mut_with(&more.rows(), |sum, &more| *sum += more);
}

impl<F: Scalar, L: Layer<F>> Layer<F> for Residual<L> {
    type Weights = L::Weights;
    type Cache = ResidualCache<F, L::Cache>;

    fn output_form(&self, input: Form) -> Result<Form> {
        input.features()?;
        let output = self.layer.output_form(input)?;
        if output == input {
            return Ok(output);
        }
        Err(Error::InvalidOption {
            option: "layer",
            value: format!("{} that makes {output} of {input}", L::full_kind()),
            allowed: "one whose output has the form of its input: with as many units as there are features, and \
                      return_sequences(true) if it is recurrent",
        })
    }

    fn build(&self, input: Form, init: &mut Init) -> Result<L::Weights> {
        self.layer.build(input, init)
    }

    fn forward(&self, w: &L::Weights, x: &Tensor<F>, y: &mut Tensor<F>, cache: &mut Self::Cache, pass: Pass<'_>) {
        self.layer.forward(w, x, &mut cache.output, &mut cache.layer, inside(pass));
        y.copy(x);
        add(y, &cache.output);
    }

    fn backward(
        &self,
        w: &L::Weights,
        x: &Tensor<F>,
        _: &Tensor<F>,
        dy: &Tensor<F>,
        mut dx: Option<&mut Tensor<F>>,
        cache: &mut Self::Cache,
        gradients: &mut L::Weights,
        pass: Pass<'_>,
    ) {
        let ResidualCache { layer, output } = cache;
        self.layer.backward(w, x, output, dy, dx.as_deref_mut(), layer, gradients, inside(pass));
        if let Some(dx) = dx {
            add(dx, dy);
        }
    }

    fn output_mask(&self, x: &Tensor<F>, mask: &mut Mask) {
        self.layer.output_mask(x, mask);
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        self.layer.weight_options(path)
    }

    fn carry(&self) -> Carry {
        self.layer.carry()
    }

    fn resume(
        &self,
        w: &L::Weights,
        x: &Tensor<F>,
        y: &mut Tensor<F>,
        state: &mut State<F>,
        kept: usize,
        cache: &mut Self::Cache,
        pass: Pass<'_>,
    ) {
        self.layer.resume(w, x, &mut cache.output, state, kept, &mut cache.layer, inside(pass));
        y.copy(x);
        add(y, &cache.output);
    }
}
