//! Initializers: how weights start. Distributions and defaults are Keras'.
//!
//! | Item | Meaning |
//! | --- | --- |
//! | [`Initializer`] | Distribution of the initial weights |
//! | [`Fan`], [`Distribution`] | Options of [`Initializer::VarianceScaling`] |
//! | [`Init`] | Source of the initial weights of one layer, for authors of layers and cells |
//!
//! ```
//! use bptt::prelude::*;
//! use bptt::initializers::Initializer;
//! let layer = Dense::new(3).kernel_initializer(Initializer::HeNormal).bias_initializer(Initializer::Constant(0.1));
//! let model = Sequential::new().add(layer).build(Form::vector(5), 42)?;
//! assert!(model.weight("dense/bias")?.iter().all(|&b| b == 0.1));
//! # Ok::<(), bptt::Error>(())
//! ```
//!
//! As in Keras, the fans of a kernel (inputs, outputs) are those of the whole matrix: an LSTM kernel has 4·H outputs. Each
//! tensor draws from its own [`Key`](crate::random::Key), so equal seeds give equal weights.
//!
//! Formulas: LeCun et al. 1998, Glorot and Bengio 2010, He et al. 2015, Saxe et al. 2014 (orthogonal).

mod draw;

use ndarray::{Array, ArrayD, Dimension, IntoDimension, IxDyn};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::numeric::{Scalar, compiled_once};
use crate::random::Key;

/// Initializer of a weight tensor.
///
/// | Variant | Values |
/// | --- | --- |
/// | `Zeros`, `Ones`, `Constant(c)` | All equal |
/// | `Identity { gain }` | `gain` on the diagonal of a matrix, zero elsewhere |
/// | `RandomUniform { low, high }` | Uniform; Keras' `"uniform"` is −0.05 to 0.05, see [`Initializer::uniform`] |
/// | `RandomNormal { mean, deviation }` | Normal; Keras' default deviation is 0.05 |
/// | `TruncatedNormal { mean, deviation }` | Normal, cut at two deviations; the result has 0.88 of `deviation` |
/// | `VarianceScaling { scale, fan, distribution }` | Variance `scale` / fan, see [`Fan`] and [`Distribution`] |
/// | `GlorotUniform`, `GlorotNormal` | Variance 2 / (inputs + outputs), uniform or truncated normal |
/// | `HeUniform`, `HeNormal` | Variance 2 / inputs, uniform or truncated normal |
/// | `LecunUniform`, `LecunNormal` | Variance 1 / inputs, uniform or truncated normal |
/// | `Orthogonal { gain }` | Orthonormal rows (or columns, whichever are fewer) times `gain` |
///
/// Inputs and outputs are the rows and columns of the tensor; for a vector, both are its length.
///
/// ```
/// use bptt::initializers::{Distribution, Fan, Initializer};
/// use bptt::layers::Lstm;
/// let start = Initializer::VarianceScaling { scale: 0.5, fan: Fan::Average, distribution: Distribution::Uniform };
/// let layer = Lstm::new(8).kernel_initializer(start).recurrent_initializer(Initializer::Orthogonal { gain: 0.9 });
/// # let _ = layer;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Initializer {
    /// Zeros.
    Zeros,
    /// Ones.
    Ones,
    /// The same number everywhere.
    Constant(f64),
    /// Multiple of the identity matrix, for matrices only.
    Identity {
        /// What is on the diagonal.
        gain: f64,
    },
    /// Uniform distribution between two bounds.
    RandomUniform {
        /// Lower bound.
        low: f64,
        /// Upper bound, excluded.
        high: f64,
    },
    /// Normal distribution.
    RandomNormal {
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        deviation: f64,
    },
    /// Normal distribution, cut at two deviations from the mean.
    TruncatedNormal {
        /// Its mean.
        mean: f64,
        /// Its standard deviation before the cut.
        deviation: f64,
    },
    /// Distribution around zero with variance `scale` / fan.
    VarianceScaling {
        /// Variance of a sum of fan products with inputs of variance 1.
        scale: f64,
        /// Divisor of the variance.
        fan: Fan,
        /// Shape of the distribution.
        distribution: Distribution,
    },
    /// Glorot's uniform distribution within ±√(6 / (inputs + outputs)), Keras' default for kernels.
    GlorotUniform,
    /// Glorot's normal distribution.
    GlorotNormal,
    /// He's uniform distribution, for rectified units: within ±√(6 / inputs).
    HeUniform,
    /// He's normal distribution.
    HeNormal,
    /// LeCun's uniform distribution: within ±√(3 / inputs).
    LecunUniform,
    /// LeCun's normal distribution.
    LecunNormal,
    /// Random orthogonal matrix, Keras' default for recurrent kernels.
    Orthogonal {
        /// The length of each row or column.
        gain: f64,
    },
}

/// Divisor of the variance in [`Initializer::VarianceScaling`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Fan {
    /// Number of inputs.
    #[serde(rename = "fan_in")]
    In,
    /// Number of outputs.
    #[serde(rename = "fan_out")]
    Out,
    /// Mean of both.
    #[serde(rename = "fan_avg")]
    Average,
}

/// Distribution of [`Initializer::VarianceScaling`], always with the requested variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Distribution {
    /// Uniform within ±√(3 · variance).
    Uniform,
    /// Normal distribution, cut at two deviations and widened so that the variance after the cut is the requested one.
    TruncatedNormal,
    /// Normal distribution.
    UntruncatedNormal,
}

impl Initializer {
    /// Keras' `"uniform"`: −0.05 to 0.05, the default for embeddings.
    pub const fn uniform() -> Self {
        Initializer::RandomUniform { low: -0.05, high: 0.05 }
    }

    /// Keras' `"orthogonal"`, with gain 1.
    pub const fn orthogonal() -> Self {
        Initializer::Orthogonal { gain: 1.0 }
    }

    /// Keras' `"identity"`, with gain 1.
    pub const fn identity() -> Self {
        Initializer::Identity { gain: 1.0 }
    }

    fn draw<F: Scalar, D: Dimension>(self, shape: D, key: Key) -> Result<Array<F, D>> {
        use Distribution::{TruncatedNormal, Uniform};
        match self {
            Initializer::Zeros => Ok(Array::zeros(shape)),
            Initializer::Ones => Ok(Array::ones(shape)),
            Initializer::Constant(value) => draw::constant(shape, value),
            Initializer::Identity { gain } => draw::identity(shape, gain),
            Initializer::RandomUniform { low, high } => draw::uniform(shape, low, high, key),
            Initializer::RandomNormal { mean, deviation } => draw::normal(shape, mean, deviation, f64::INFINITY, key),
            Initializer::TruncatedNormal { mean, deviation } => draw::normal(shape, mean, deviation, draw::CUT, key),
            Initializer::VarianceScaling { scale, fan, distribution } => {
                draw::scaled(shape, scale, fan, distribution, key)
            }
            Initializer::GlorotUniform => draw::scaled(shape, 1.0, Fan::Average, Uniform, key),
            Initializer::GlorotNormal => draw::scaled(shape, 1.0, Fan::Average, TruncatedNormal, key),
            Initializer::HeUniform => draw::scaled(shape, 2.0, Fan::In, Uniform, key),
            Initializer::HeNormal => draw::scaled(shape, 2.0, Fan::In, TruncatedNormal, key),
            Initializer::LecunUniform => draw::scaled(shape, 1.0, Fan::In, Uniform, key),
            Initializer::LecunNormal => draw::scaled(shape, 1.0, Fan::In, TruncatedNormal, key),
            Initializer::Orthogonal { gain } => draw::orthogonal(shape, gain, key),
        }
    }
}

/// Source of the initial weights of one layer: each tensor draws from a key of its own.
#[derive(Debug)]
pub struct Init {
    key: Key,
    tensors: u64,
    /// Number of values that may still be made, all zero: for reading a file that overwrites them.
    zeros: Option<usize>,
}

impl Init {
    /// Returns a source that draws from `key`.
    pub fn new(key: Key) -> Self {
        Init { key, tensors: 0, zeros: None }
    }

    /// Returns a source of zeros, up to this number of values.
    pub(crate) fn zeros(numbers: usize) -> Self {
        Init { key: Key::new(0), tensors: 0, zeros: Some(numbers) }
    }

    /// Returns the next tensor of the layer, in standard layout.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] if the initializer cannot make such a tensor, [`Error::TooLarge`] if it exceeds the memory.
    pub fn tensor<F: Scalar, Sh: IntoDimension>(&mut self, from: Initializer, shape: Sh) -> Result<Array<F, Sh::Dim>> {
        let shape = shape.into_dimension();
        let made: ArrayD<F> = next_tensor(self, from, shape.slice())?;
        Ok(made.into_dimensionality().expect("it is made with this shape"))
    }
}

compiled_once! { Initializers: InitializerFunctions {
    next_tensor(init: &mut Init, from: Initializer, shape: &[usize]) -> Result<ArrayD<F>> = make_tensor;
} }

/// Implements [`Init::tensor`].
fn make_tensor<F: Scalar>(init: &mut Init, from: Initializer, shape: &[usize]) -> Result<ArrayD<F>> {
    let too_large = || Error::TooLarge { shape: shape.to_vec() };
    let shape_of = IxDyn(shape);
    let count = shape_of.size_checked().unwrap_or(usize::MAX);
    if let Some(left) = &mut init.zeros {
        *left = left.checked_sub(count).ok_or_else(too_large)?;
        return Ok(ArrayD::zeros(shape_of));
    }
    // An allocation that can never succeed would end the program, so it is refused here.
    if count > isize::MAX as usize / size_of::<F>() {
        return Err(too_large());
    }
    init.tensors += 1;
    from.draw(shape_of, init.key.fold(init.tensors))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;

    fn draw(from: Initializer, shape: (usize, usize)) -> Array2<f64> {
        Init::new(Key::new(3)).tensor(from, shape).unwrap()
    }

    #[test]
    fn fans_are_those_of_the_fused_matrix() {
        let limit = (6.0_f64 / 48.0).sqrt();
        let kernel = draw(Initializer::GlorotUniform, (16, 32));
        assert!(kernel.iter().all(|x| x.abs() < limit));
        assert!(kernel.iter().any(|x| x.abs() > 0.95 * limit));
    }

    /// The same key draws the same numbers, so a name and what it stands for agree to the bit.
    #[test]
    fn names_are_cases_of_variance_scaling() {
        use Distribution::{TruncatedNormal, Uniform};
        for (name, scale, fan, distribution) in [
            (Initializer::GlorotUniform, 1.0, Fan::Average, Uniform),
            (Initializer::GlorotNormal, 1.0, Fan::Average, TruncatedNormal),
            (Initializer::HeUniform, 2.0, Fan::In, Uniform),
            (Initializer::HeNormal, 2.0, Fan::In, TruncatedNormal),
            (Initializer::LecunUniform, 1.0, Fan::In, Uniform),
            (Initializer::LecunNormal, 1.0, Fan::In, TruncatedNormal),
        ] {
            let scaled = Initializer::VarianceScaling { scale, fan, distribution };
            assert_eq!(draw(name, (7, 5)), draw(scaled, (7, 5)), "{name:?}");
        }
    }

    #[test]
    fn what_draws_nothing() {
        assert_eq!(draw(Initializer::Constant(-0.5), (2, 1)), array![[-0.5], [-0.5]]);
        assert_eq!(draw(Initializer::Identity { gain: 3.0 }, (2, 3)), array![[3.0, 0.0, 0.0], [0.0, 3.0, 0.0]]);
        assert_eq!(draw(Initializer::identity(), (3, 1)), array![[1.0], [0.0], [0.0]]);
    }

    #[test]
    fn options_are_saved_under_keras_names() {
        for (initializer, text) in [
            (Initializer::LecunNormal, r#""lecun_normal""#),
            (Initializer::identity(), r#"{"identity":{"gain":1.0}}"#),
            (
                Initializer::TruncatedNormal { mean: 0.0, deviation: 0.1 },
                r#"{"truncated_normal":{"mean":0.0,"deviation":0.1}}"#,
            ),
            (
                Initializer::VarianceScaling {
                    scale: 2.0,
                    fan: Fan::Average,
                    distribution: Distribution::UntruncatedNormal,
                },
                r#"{"variance_scaling":{"scale":2.0,"fan":"fan_avg","distribution":"untruncated_normal"}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&initializer).unwrap(), text);
            assert_eq!(serde_json::from_str::<Initializer>(text).unwrap(), initializer);
        }
    }

    #[test]
    fn wrong_options_are_errors() {
        let scaled = |scale| Initializer::VarianceScaling { scale, fan: Fan::In, distribution: Distribution::Uniform };
        for (from, message) in [
            (Initializer::RandomUniform { low: 1.0, high: 0.0 }, "uniform from 1 to 0"),
            (Initializer::RandomUniform { low: f64::NAN, high: 0.0 }, "uniform from NaN to 0"),
            (Initializer::RandomNormal { mean: 0.0, deviation: -1.0 }, "normal with mean 0 and deviation -1"),
            (Initializer::RandomNormal { mean: f64::NAN, deviation: 1.0 }, "normal with mean NaN and deviation 1"),
            (
                Initializer::TruncatedNormal { mean: 0.0, deviation: f64::INFINITY },
                "normal with mean 0 and deviation inf",
            ),
            (Initializer::Constant(f64::NAN), "constant NaN"),
            (Initializer::Identity { gain: f64::INFINITY }, "identity with gain inf"),
            (Initializer::Orthogonal { gain: f64::NAN }, "orthogonal with gain NaN"),
            (scaled(0.0), "variance scaling by 0"),
            (scaled(-1.0), "variance scaling by -1"),
            (scaled(f64::NAN), "variance scaling by NaN"),
        ] {
            let error = Init::new(Key::new(0)).tensor::<f64, _>(from, (2, 2)).unwrap_err();
            assert!(error.to_string().starts_with(&format!("initializer is {message}, but must be")), "{error}");
        }
        for (from, kind) in [(Initializer::orthogonal(), "orthogonal"), (Initializer::identity(), "identity")] {
            let error = Init::new(Key::new(0)).tensor::<f64, _>(from, 4).unwrap_err();
            assert!(error.to_string().contains(kind) && error.to_string().contains("matrix"), "{error}");
        }
        // A vector has both fans.
        let vector: Array1<f64> = Init::new(Key::new(0)).tensor(Initializer::LecunUniform, 3).unwrap();
        assert!(vector.iter().all(|x| x.abs() < 1.0));
    }
}
