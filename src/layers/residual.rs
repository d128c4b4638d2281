//! A way around a layer: y = x + f(x).
//!
//! Backward: dx = dy + (∂f/∂x)ᵀ dy; the layer's weights get their gradients from dy.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::layer::{
    AnyCache, AnyLayer, AnyWeights, Backward, Carry, Describe, Forward, Layer, Pass, Path, WeightOptions, erase_layer,
};
use crate::numeric::Scalar;
use crate::tensor::{Form, Mask, Tensor};
use crate::weights::initializers::Init;

/// Adds the input of a layer to its output (He et al. 2016), so that deep stacks learn what is to be changed.
///
/// # Shapes
///
/// Vectors or sequences, unchanged: those of the layer, whose output must have the form of its input. Weights: the layer's.
///
/// The state of the layer is carried over, as if it stood by itself; so is its mask.
///
/// ```
/// use bptt::layers::Residual;
/// use bptt::prelude::*;
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
#[serde(deny_unknown_fields)]
pub struct Residual {
    layer: AnyLayer,
}

impl Residual {
    /// Adds the input of this layer to its output.
    pub fn new<L: Layer<f32> + Layer<f64>>(layer: L) -> Self {
        Residual { layer: AnyLayer::new(layer) }
    }
}

/// The layer's cache and its output.
#[derive(Debug, Default)]
pub struct ResidualCache<F> {
    layer: AnyCache,
    output: Tensor<F>,
}

impl Describe for Residual {
    fn kind() -> &'static str {
        "Residual"
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

impl<F: Scalar> Layer<F> for Residual {
    type Weights = AnyWeights<F>;
    type Cache = ResidualCache<F>;

    fn output_form(&self, input: Form) -> Result<Form> {
        input.features()?;
        let layer = self.layer.get::<F>();
        let output = layer.output_form(input)?;
        if output == input {
            return Ok(output);
        }
        Err(Error::InvalidOption {
            option: "layer",
            value: format!("{} that makes {output} of {input}", layer.kind()),
            allowed: "one whose output has the form of its input: with as many units as there are features, and \
                      return_sequences(true) if it is recurrent",
        })
    }

    fn build(&self, input: Form, init: &mut Init) -> Result<AnyWeights<F>> {
        self.layer.get().build(input, init)
    }

    fn forward(&self, w: &AnyWeights<F>, forward: Forward<'_, F, ResidualCache<F>>) {
        let Forward { x, y, cache: ResidualCache { layer: inner, output }, pass, state, kept } = forward;
        let layer = self.layer.get();
        layer.forward(
            w,
            Forward { x, y: &mut *output, cache: inner.of(layer), pass: inside(pass).shorten(), state, kept },
        );
        y.copy(x);
        add(y, output);
    }

    fn backward(&self, w: &AnyWeights<F>, backward: Backward<'_, F, ResidualCache<F>, AnyWeights<F>>) {
        let Backward { x, dy, mut dx, cache, gradients, pass, dstate, .. } = backward;
        let ResidualCache { layer: inner, output } = cache;
        let (layer, pass, to) = (self.layer.get(), inside(pass).shorten(), dx.as_deref_mut());
        let cache = inner.of(layer);
        layer.backward(w, Backward { x, y: output, dy, dx: to, cache, gradients, pass, dstate });
        if let Some(dx) = dx {
            add(dx, dy);
        }
    }

    fn output_mask(&self, x: &Tensor<F>, mask: &mut Mask) {
        self.layer.get().output_mask(x, mask);
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        self.layer.get::<F>().weight_options(path)
    }

    fn carry(&self) -> Carry {
        self.layer.get::<F>().carry()
    }

    erase_layer!(F, Residual);
}
