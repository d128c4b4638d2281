//! A fully connected layer: y = activation(x·W + b).
//!
//! On a sequence it is applied to each step. Backward: dz = dy ∘ activation′, dW = xᵀ·dz, db = Σ dz, dx = dz·Wᵀ, with the
//! steps of a sequence as further rows.

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

/// A fully connected layer: y = activation(x·W + b).
///
/// # Shapes
///
/// Vectors (B, D) to (B, units), or sequences (T, B, D) to (T, B, units). Weights: `kernel` (D, units), `bias` (units).
///
/// # Options
///
/// | name | default | purpose | range |
/// | --- | --- | --- | --- |
/// | `units` | | size of the output | at least 1 |
/// | `activation` | linear | applied last | any [`Activation`] |
/// | `use_bias` | true | whether there is a b | |
/// | `kernel_initializer` | Glorot uniform | start of W | any [`Initializer`] |
/// | `bias_initializer` | zeros | start of b | any [`Initializer`] for vectors |
/// | `kernel_regularizer`, `bias_regularizer` | none | a penalty on W or b | any [`Regularizer`] |
/// | `kernel_constraint`, `bias_constraint` | none | what holds for W or b after each step | any [`Constraint`] |
///
/// ```
/// use bptt::activations::Activation;
/// use bptt::layer::Layer;
/// use bptt::layers::Dense;
/// use bptt::tensor::Form;
/// let dense = Dense::new(3).activation(Activation::Softmax);
/// let output = Layer::<f32>::output_form(&dense, Form::vector(5))?;
/// assert_eq!(output, Form::vector(3));
/// # Ok::<(), bptt::Error>(())
/// ```
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
    /// A layer with this many outputs.
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

    /// The function applied last.
    pub fn activation(self, activation: Activation) -> Self {
        Dense { activation, ..self }
    }

    /// Whether a bias is added.
    pub fn use_bias(self, use_bias: bool) -> Self {
        Dense { use_bias, ..self }
    }

    /// How the kernel starts.
    pub fn kernel_initializer(self, kernel_initializer: Initializer) -> Self {
        Dense { kernel_initializer, ..self }
    }

    /// How the bias starts.
    pub fn bias_initializer(self, bias_initializer: Initializer) -> Self {
        Dense { bias_initializer, ..self }
    }

    /// A penalty on the kernel, a term of the loss.
    pub fn kernel_regularizer(self, regularizer: Regularizer) -> Self {
        Dense { kernel: WeightOptions { regularizer: Some(regularizer), ..self.kernel }, ..self }
    }

    /// A penalty on the bias, a term of the loss.
    pub fn bias_regularizer(self, regularizer: Regularizer) -> Self {
        Dense { bias: WeightOptions { regularizer: Some(regularizer), ..self.bias }, ..self }
    }

    /// What holds for the kernel after each step of the optimizer.
    pub fn kernel_constraint(self, constraint: Constraint) -> Self {
        Dense { kernel: WeightOptions { constraint: Some(constraint), ..self.kernel }, ..self }
    }

    /// What holds for the bias after each step of the optimizer.
    pub fn bias_constraint(self, constraint: Constraint) -> Self {
        Dense { bias: WeightOptions { constraint: Some(constraint), ..self.bias }, ..self }
    }

    /// What this pass applies last: nothing if the loss takes it over.
    fn applied(&self, pass: Pass<'_>) -> Activation {
        if pass.absorbed { Activation::Linear } else { self.activation }
    }
}

/// The weights of [`Dense`].
#[derive(Clone, Debug)]
pub struct DenseWeights<F> {
    /// W (D, units).
    pub kernel: Array2<F>,
    /// b (units).
    pub bias: Option<Array1<F>>,
}
crate::params!(DenseWeights { kernel, bias });

/// Room for the gradient of x·W + b, for W as products want it, and for the sum of x·dz.
#[derive(Clone, Debug, Default)]
pub struct DenseCache<F: Scalar> {
    dz: Array2<F>,
    packed: Packed<F>,
    room: Room<F>,
}

/// The rows of a tensor as products take them.
fn rows<F: Scalar>(tensor: &Tensor<F>) -> Rows<'_, F> {
    let (numbers, width) = tensor.in_one_piece();
    Rows::new(numbers, width)
}

/// The same, to be written.
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
