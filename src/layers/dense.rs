//! Fully connected layer: y = activation(x·W + b).
//!
//! A sequence is treated as a batch of all its time steps. Backward: dz = dy ∘ activation′, dW = xᵀ·dz, db = Σ dz,
//! dx = dz·Wᵀ.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::activations::Activation;
use crate::error::Result;
use crate::kernels::gemm::{self, Packed, Room, Rows, RowsMut, Start};
use crate::layer::{Backward, Carry, Describe, Forward, Layer, Pass, erase_layer};
use crate::numeric::Scalar;
use crate::numeric::checks::check_count;
use crate::tensor::{Form, Tensor, resize, slice, slice_mut};
use crate::weights::Path;
use crate::weights::WeightOptions;
use crate::weights::constraints::Constraint;
use crate::weights::initializers::{Init, Initializer};
use crate::weights::regularizers::Regularizer;

/// Fully connected layer.
///
/// ```text
/// y = α(x·W + b)
/// ```
///
/// Here α is the `activation`. On a sequence the layer works on each time step, with the same weights.
///
/// ```
/// use bptt::prelude::*;
/// use ndarray::array;
///
/// // Is exactly one of two inputs set?
/// let x = array![[0.0_f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
/// let y = array![0.0_f32, 1.0, 1.0, 0.0];
///
/// let mut model = Sequential::new()
///     .add(Dense::new(8).activation(Activation::Tanh))
///     .add(Dense::new(1).activation(Activation::Sigmoid))
///     .build(Form::vector(2), 42)?;
/// model.compile(Adam::new(0.05), BinaryCrossentropy::new());
/// let history = model.fit(&x, &y, Fit::new().epochs(100))?;
/// let loss = history.get("loss");
/// assert!(loss[99] < loss[0]);
/// # Ok::<(), bptt::Error>(())
/// ```
///
/// # Options
///
/// | Option | Default | Meaning |
/// | --- | --- | --- |
/// | `units` | required | Number of units, at least 1 |
/// | `activation` | linear | [`Activation`] of the sum |
/// | `use_bias` | true | Whether there is a bias |
/// | `kernel_initializer` | Glorot uniform | [`Initializer`] of the kernel W |
/// | `bias_initializer` | zeros | [`Initializer`] of the bias b |
/// | `kernel_regularizer` | none | [`Regularizer`] of the kernel |
/// | `bias_regularizer` | none | [`Regularizer`] of the bias |
/// | `kernel_constraint` | none | [`Constraint`] on the kernel |
/// | `bias_constraint` | none | [`Constraint`] on the bias |
///
/// # Shapes
///
/// | What | Shape |
/// | --- | --- |
/// | input | (B, D), or a sequence (B, T, D) |
/// | output | (B, units), or (B, T, units) |
/// | `kernel` | (D, units) |
/// | `bias` | (units) |
///
/// # Errors
///
/// Building a model returns an [`Error::Layer`] that names the layer. Its source is [`Error::InvalidOption`] for an option
/// out of range, or [`Error::Form`] if the input is token ids.
///
/// [`Error::Layer`]: crate::Error::Layer
/// [`Error::InvalidOption`]: crate::Error::InvalidOption
/// [`Error::Form`]: crate::Error::Form
#[doc(alias = "Linear")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    units: usize,
    activation: Activation,
    use_bias: bool,
    kernel_initializer: Initializer,
    bias_initializer: Initializer,
    #[serde(default, skip_serializing_if = "WeightOptions::is_empty")]
    kernel: WeightOptions,
    #[serde(default, skip_serializing_if = "WeightOptions::is_empty")]
    bias: WeightOptions,
}

impl Dense {
    /// Returns a layer with this number of units.
    pub fn new(units: usize) -> Self {
        Dense {
            units,
            activation: Activation::Linear,
            use_bias: true,
            kernel_initializer: Initializer::GlorotUniform,
            bias_initializer: Initializer::Zeros,
            kernel: WeightOptions::default(),
            bias: WeightOptions::default(),
        }
    }

    /// Sets the activation.
    pub fn activation(self, activation: Activation) -> Self {
        Dense { activation, ..self }
    }

    /// Sets whether there is a bias.
    pub fn use_bias(self, use_bias: bool) -> Self {
        Dense { use_bias, ..self }
    }

    /// Sets the initializer of the kernel.
    pub fn kernel_initializer(self, kernel_initializer: Initializer) -> Self {
        Dense { kernel_initializer, ..self }
    }

    /// Sets the initializer of the bias.
    pub fn bias_initializer(self, bias_initializer: Initializer) -> Self {
        Dense { bias_initializer, ..self }
    }

    /// Sets a penalty on the kernel, which is added to the loss.
    pub fn kernel_regularizer(self, regularizer: Regularizer) -> Self {
        Dense { kernel: WeightOptions { regularizer: Some(regularizer), ..self.kernel }, ..self }
    }

    /// Sets a penalty on the bias, which is added to the loss.
    pub fn bias_regularizer(self, regularizer: Regularizer) -> Self {
        Dense { bias: WeightOptions { regularizer: Some(regularizer), ..self.bias }, ..self }
    }

    /// Sets a constraint on the kernel, applied after each step of the optimizer.
    pub fn kernel_constraint(self, constraint: Constraint) -> Self {
        Dense { kernel: WeightOptions { constraint: Some(constraint), ..self.kernel }, ..self }
    }

    /// Sets a constraint on the bias, applied after each step of the optimizer.
    pub fn bias_constraint(self, constraint: Constraint) -> Self {
        Dense { bias: WeightOptions { constraint: Some(constraint), ..self.bias }, ..self }
    }

    /// Returns the activation that this pass applies: none if the loss takes it over.
    fn applied(&self, pass: Pass<'_>) -> Activation {
        if pass.absorbed { Activation::Linear } else { self.activation }
    }
}

/// Weights of [`Dense`].
#[derive(Clone, Debug)]
pub struct DenseWeights<F> {
    /// Kernel W (D, units).
    pub kernel: Array2<F>,
    /// Bias b (units).
    pub bias: Option<Array1<F>>,
}
crate::params!(DenseWeights { kernel, bias });

/// Cache of [`Dense`]: the gradient of x·W + b, the packed kernel, and scratch.
#[derive(Clone, Debug, Default)]
pub struct DenseCache<F: Scalar> {
    dz: Array2<F>,
    packed: Packed<F>,
    room: Room<F>,
}

/// Returns the rows of a tensor.
fn rows<F: Scalar>(tensor: &Tensor<F>) -> Rows<'_, F> {
    let (numbers, width) = tensor.in_one_piece();
    Rows::new(numbers, width)
}

/// Returns the rows of a tensor, mutably.
fn rows_mut<F: Scalar>(tensor: &mut Tensor<F>) -> RowsMut<'_, F> {
    let (numbers, width) = tensor.in_one_piece_mut();
    RowsMut::new(numbers, width)
}

impl Describe for Dense {
    fn kind() -> &'static str {
        "Dense"
    }
}

impl<F: Scalar> Layer<F> for Dense {
    type Weights = DenseWeights<F>;
    type Cache = DenseCache<F>;

    fn output_form(&self, input: Form) -> Result<Form> {
        check_count("units", self.units)?;
        input.features()?;
        Ok(input.with_features(self.units))
    }

    fn carry(&self) -> Carry {
        Carry::Nothing
    }

    fn build(&self, input: Form, init: &mut Init) -> Result<DenseWeights<F>> {
        Ok(DenseWeights {
            kernel: init.tensor(self.kernel_initializer, (input.features()?, self.units))?,
            bias: self.use_bias.then(|| init.tensor(self.bias_initializer, self.units)).transpose()?,
        })
    }

    fn forward(&self, w: &DenseWeights<F>, forward: Forward<'_, F, DenseCache<F>>) {
        let Forward { x, y, cache, pass, .. } = forward;
        y.like(x, self.units);
        let x = rows(x);
        let kernel = cache.packed.factor(Rows::new(slice(&w.kernel), self.units), x.count());
        let start = w.bias.as_ref().map_or(Start::Zero, |bias| Start::Row(slice(bias)));
        gemm::product(x, kernel, start, rows_mut(y));
        self.applied(pass).apply_rows(y.rows_mut());
    }

    fn backward(&self, w: &DenseWeights<F>, backward: Backward<'_, F, DenseCache<F>, DenseWeights<F>>) {
        let Backward { x, y, dy, dx, cache, gradients, pass, .. } = backward;
        let DenseCache { dz, packed, room } = cache;
        resize(dz, dy.rows().dim());
        self.applied(pass).backward_rows(y.rows(), dy.rows(), dz.view_mut());
        let dz = Rows::new(slice(dz), self.units);
        let dkernel = RowsMut::new(slice_mut(&mut gradients.kernel), self.units);
        gemm::add_transposed_product(rows(x), dz, dkernel, room);
        if let Some(dbias) = &mut gradients.bias {
            gemm::add_row_sums(dz, slice_mut(dbias));
        }
        if let Some(dx) = dx {
            dx.like(x, w.kernel.nrows());
            let kernel = packed.transposed(Rows::new(slice(&w.kernel), self.units));
            gemm::product(dz, kernel, Start::Zero, rows_mut(dx));
        }
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        match path.name() {
            "kernel" => self.kernel,
            "bias" => self.bias,
            _ => WeightOptions::default(),
        }
    }

    fn final_activation(&self) -> Activation {
        self.activation
    }

    erase_layer!(F, Dense);
}
