//! A layer of vectors at each step of a sequence: y[t] = f(x[t]), with the same weights.
//!
//! The steps are taken as further samples, forward and back.

use serde::{Deserialize, Serialize};

use crate::activations::Activation;
use crate::error::{Error, Result};
use crate::layer::{
    AnyCache, AnyLayer, AnyWeights, Backward, Carry, Describe, Forward, Layer, Path, WeightOptions, erase_layer,
};
use crate::numeric::Scalar;
use crate::tensor::{Form, Tensor};
use crate::weights::initializers::Init;

/// Applies a layer that takes vectors to each step of a sequence.
///
/// The built-in ones do so by themselves: `TimeDistributed::new(Dense::new(3))` computes what `Dense::new(3)` does. It is for
/// layers of your own that know vectors only.
///
/// # Shapes
///
/// Sequences (T, B, D) to sequences (T, B, K), where the layer turns vectors (B, D) into vectors (B, K). Weights: the layer's.
///
/// ```
/// use bptt::layers::TimeDistributed;
/// use bptt::prelude::*;
/// let model = Sequential::new()
///     .add(Lstm::new(8).return_sequences(true))
///     .add(TimeDistributed::new(Dense::new(3)))
///     .build(Form::sequence(None, 2), 1)?;
/// assert_eq!(model.weight("time_distributed/kernel")?.shape(), [8, 3]);
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeDistributed {
    layer: AnyLayer,
}

impl TimeDistributed {
    /// Applies this layer to each step.
    pub fn new<L: Layer<f32> + Layer<f64>>(layer: L) -> Self {
        TimeDistributed { layer: AnyLayer::new(layer) }
    }
}

/// The layer's cache, and the steps as samples (T·B): input, output and their gradients.
#[derive(Debug, Default)]
pub struct TimeDistributedCache<F> {
    layer: AnyCache,
    x: Tensor<F>,
    y: Tensor<F>,
    dx: Tensor<F>,
    dy: Tensor<F>,
}

impl Describe for TimeDistributed {
    fn kind() -> &'static str {
        "TimeDistributed"
    }
}

/// Makes samples of the steps of a sequence.
fn to_samples<F: Scalar>(sequence: &Tensor<F>, samples: &mut Tensor<F>) {
    let rows = sequence.rows();
    samples.as_vector(rows.nrows(), rows.ncols()).assign(&rows);
}

/// Makes steps of samples, as many as `like` has.
fn to_steps<F: Scalar>(samples: &Tensor<F>, like: &Tensor<F>, sequence: &mut Tensor<F>) {
    let rows = samples.rows();
    sequence.like(like, rows.ncols());
    sequence.rows_mut().assign(&rows);
}

impl<F: Scalar> Layer<F> for TimeDistributed {
    type Weights = AnyWeights<F>;
    type Cache = TimeDistributedCache<F>;

    fn output_form(&self, input: Form) -> Result<Form> {
        let (steps, features) = input.expect_sequence()?;
        match self.layer.get::<F>().output_form(Form::vector(features))? {
            Form::Vector { features } => Ok(Form::sequence(steps, features)),
            got => Err(Error::Form {
                got: got.to_string(),
                needs: "a vector from its layer for each step",
                mend: "put a layer into it that turns vectors into vectors",
            }),
        }
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        self.layer.get::<F>().weight_options(path)
    }

    fn carry(&self) -> Carry {
        Carry::Nothing
    }

    fn build(&self, input: Form, init: &mut Init) -> Result<AnyWeights<F>> {
        self.layer.get().build(Form::vector(input.features()?), init)
    }

    fn forward(&self, w: &AnyWeights<F>, forward: Forward<'_, F, TimeDistributedCache<F>>) {
        let Forward { x, y, cache, pass, .. } = forward;
        let layer = self.layer.get();
        to_samples(x, &mut cache.x);
        let pass = pass.steps_as_samples(x.batch());
        layer.forward(w, Forward::new(&cache.x, &mut cache.y, cache.layer.of(layer), pass));
        to_steps(&cache.y, x, y);
    }

    fn backward(&self, w: &AnyWeights<F>, backward: Backward<'_, F, TimeDistributedCache<F>, AnyWeights<F>>) {
        let Backward { x, dy, dx, cache, gradients, pass, .. } = backward;
        let layer = self.layer.get();
        let TimeDistributedCache { layer: inside, x: samples, y, dx: dsamples, dy: doutputs } = cache;
        to_samples(dy, doutputs);
        let pass = pass.steps_as_samples(x.batch());
        let mut backward = Backward::new((samples, y), doutputs, inside.of(layer), gradients, pass);
        if dx.is_some() {
            backward = backward.dx(dsamples);
        }
        layer.backward(w, backward);
        if let Some(dx) = dx {
            to_steps(dsamples, x, dx);
        }
    }

    fn final_activation(&self) -> Activation {
        self.layer.get::<F>().final_activation()
    }

    erase_layer!(F, TimeDistributed);
}
