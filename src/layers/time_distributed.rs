//! A layer of vectors at each step of a sequence: y[t] = f(x[t]), with the same weights.
//!
//! The steps are taken as further samples, forward and back.

use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::initializer::Init;
use crate::layer::{Carry, Describe, Layer, Pass};
use crate::params::Path;
use crate::scalar::Scalar;
use crate::tensor::{Form, Tensor};
use crate::weight_options::WeightOptions;

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
/// use bptt::{Dense, Form, Lstm, Sequential, TimeDistributed};
/// let model = Sequential::new()
///     .add(Lstm::new(8).return_sequences(true))
///     .add(TimeDistributed::new(Dense::new(3)))
///     .build(Form::sequence(None, 2), 1)?;
/// assert_eq!(model.weight("time_distributed/kernel")?.shape(), [8, 3]);
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "L: Describe")]
pub struct TimeDistributed<L> {
    layer: L,
}

impl<L> TimeDistributed<L> {
    /// Applies this layer to each step.
    pub fn new(layer: L) -> Self {
        TimeDistributed { layer }
    }
}

/// The layer's cache, and the steps as samples (T·B): input, output and their gradients.
#[derive(Debug)]
pub struct TimeDistributedCache<F, C> {
    layer: C,
    x: Tensor<F>,
    y: Tensor<F>,
    dx: Tensor<F>,
    dy: Tensor<F>,
}

impl<F, C: Default> Default for TimeDistributedCache<F, C> {
    fn default() -> Self {
        TimeDistributedCache {
            layer: C::default(),
            x: Tensor::default(),
            y: Tensor::default(),
            dx: Tensor::default(),
            dy: Tensor::default(),
        }
    }
}

impl<L: Describe> Describe for TimeDistributed<L> {
    fn kind() -> &'static str {
        "TimeDistributed"
    }

    fn full_kind() -> String {
        format!("TimeDistributed({})", L::full_kind())
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

impl<F: Scalar, L: Layer<F>> Layer<F> for TimeDistributed<L> {
    type Weights = L::Weights;
    type Cache = TimeDistributedCache<F, L::Cache>;

    fn output_form(&self, input: Form) -> Result<Form> {
        let (steps, features) = input.expect_sequence()?;
        match self.layer.output_form(Form::vector(features))? {
            Form::Vector { features } => Ok(Form::sequence(steps, features)),
            got => Err(Error::Form {
                got,
                needs: "a vector from its layer for each step",
                mend: "put a layer into it that turns vectors into vectors",
            }),
        }
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        self.layer.weight_options(path)
    }

    fn carry(&self) -> Carry {
        Carry::Nothing
    }

    fn build(&self, input: Form, init: &mut Init) -> Result<L::Weights> {
        self.layer.build(Form::vector(input.features()?), init)
    }

    fn forward(&self, w: &L::Weights, x: &Tensor<F>, y: &mut Tensor<F>, cache: &mut Self::Cache, pass: Pass<'_>) {
        to_samples(x, &mut cache.x);
        self.layer.forward(w, &cache.x, &mut cache.y, &mut cache.layer, pass.steps_as_samples(x.batch()));
        to_steps(&cache.y, x, y);
    }

    fn backward(
        &self,
        w: &L::Weights,
        x: &Tensor<F>,
        _: &Tensor<F>,
        dy: &Tensor<F>,
        dx: Option<&mut Tensor<F>>,
        cache: &mut Self::Cache,
        gradients: &mut L::Weights,
        pass: Pass<'_>,
    ) {
        let TimeDistributedCache { layer, x: samples, y, dx: dsamples, dy: doutputs } = cache;
        to_samples(dy, doutputs);
        let to = dx.is_some().then_some(&mut *dsamples);
        self.layer.backward(w, samples, y, doutputs, to, layer, gradients, pass.steps_as_samples(x.batch()));
        if let Some(dx) = dx {
            to_steps(dsamples, x, dx);
        }
    }

    fn final_activation(&self) -> Activation {
        self.layer.final_activation()
    }
}
