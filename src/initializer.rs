//! How weights start: Keras' initialisers, on the whole fused matrix as Keras applies them.
//!
//! The fan of a kernel (inputs, outputs) is taken from the matrix that a layer really holds, so an LSTM's glorot limit
//! comes from 4·H outputs. Draws come from a [`Key`](crate::Key) per tensor: equal seeds give equal weights.
//!
//! Formulas: Glorot and Bengio 2010, He et al. 2015, Saxe et al. 2014 (orthogonal).

use ndarray::{Array, Array2, Axis, Dimension, IntoDimension, Ix2};
use ndarray_rand::RandomExt;
use ndarray_rand::rand_distr::{Normal, Uniform};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::random::Key;
use crate::scalar::Scalar;

/// The distribution from which a weight matrix starts.
///
/// | name | draws |
/// | --- | --- |
/// | `Zeros`, `Ones`, `Constant(c)` | nothing |
/// | `RandomUniform { low, high }` | uniform; Keras' `"uniform"` is −0.05 to 0.05, see [`Initializer::uniform`] |
/// | `RandomNormal { mean, deviation }` | normal; Keras' default deviation is 0.05 |
/// | `GlorotUniform` | uniform within ±√(6 / (inputs + outputs)) |
/// | `GlorotNormal` | normal of variance 2 / (inputs + outputs), cut at two deviations |
/// | `HeUniform` | uniform within ±√(6 / inputs) |
/// | `HeNormal` | normal of variance 2 / inputs, cut at two deviations |
/// | `Orthogonal { gain }` | orthonormal rows (or columns, whichever are fewer) times `gain` |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Initializer {
    /// All zero.
    Zeros,
    /// All one.
    Ones,
    /// All the same number.
    Constant(f64),
    /// Evenly between two bounds.
    RandomUniform {
        /// The lower bound.
        low: f64,
        /// The upper bound, not reached.
        high: f64,
    },
    /// A normal distribution.
    RandomNormal {
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        deviation: f64,
    },
    /// Glorot's uniform distribution, Keras' default for kernels.
    GlorotUniform,
    /// Glorot's normal distribution.
    GlorotNormal,
    /// He's uniform distribution, for rectified units.
    HeUniform,
    /// He's normal distribution.
    HeNormal,
    /// A random rotation, Keras' default for recurrent kernels.
    Orthogonal {
        /// The length of each row or column.
        gain: f64,
    },
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

    fn draw<F: Scalar, D: Dimension>(self, shape: D, key: Key) -> Result<Array<F, D>> {
        let (inputs, outputs) = match shape.slice() {
            [] => (1.0, 1.0),
            [n] => (*n as f64, *n as f64),
            [others @ .., rows, columns] => {
                let receptive: usize = others.iter().product();
                ((rows * receptive) as f64, (columns * receptive) as f64)
            }
        };
        match self {
            Initializer::Zeros => Ok(Array::zeros(shape)),
            Initializer::Ones => Ok(Array::ones(shape)),
            Initializer::Constant(value) => Ok(Array::from_elem(shape, F::of(value))),
            Initializer::RandomUniform { low, high } => uniform(shape, low, high, key),
            Initializer::RandomNormal { mean, deviation } => normal(shape, mean, deviation, f64::INFINITY, key),
            Initializer::GlorotUniform => uniform_within(shape, (6.0 / (inputs + outputs)).sqrt(), key),
            Initializer::GlorotNormal => truncated(shape, (2.0 / (inputs + outputs)).sqrt(), key),
            Initializer::HeUniform => uniform_within(shape, (6.0 / inputs).sqrt(), key),
            Initializer::HeNormal => truncated(shape, (2.0 / inputs).sqrt(), key),
            Initializer::Orthogonal { gain } => {
                let &[ref others @ .., columns] = shape.slice() else { return Err(no_matrix()) };
                if others.is_empty() {
                    return Err(no_matrix());
                }
                let matrix = orthogonal(others.iter().product(), columns, key)?;
                let flat = matrix.iter().map(|&x| F::of(gain * x)).collect();
                Ok(Array::from_shape_vec(shape, flat).expect("the rows were counted from the shape"))
            }
        }
    }
}

fn no_matrix() -> Error {
    Error::InvalidOption {
        option: "initializer",
        value: "orthogonal".into(),
        allowed: "something other than orthogonal for a tensor that is not a matrix",
    }
}

fn uniform_within<F: Scalar, D: Dimension>(shape: D, limit: f64, key: Key) -> Result<Array<F, D>> {
    uniform(shape, -limit, limit, key)
}

fn uniform<F: Scalar, D: Dimension>(shape: D, low: f64, high: f64, key: Key) -> Result<Array<F, D>> {
    let distribution = Uniform::new(low, high).map_err(|_| Error::InvalidOption {
        option: "initializer",
        value: format!("uniform from {low} to {high}"),
        allowed: "a finite range whose lower bound is below the upper one",
    })?;
    Ok(Array::<f64, D>::random_using(shape, distribution, &mut key.generator()).mapv(F::of))
}

/// A normal distribution cut at two deviations, widened so that its own deviation is `deviation` after the cut.
fn truncated<F: Scalar, D: Dimension>(shape: D, deviation: f64, key: Key) -> Result<Array<F, D>> {
    normal(shape, 0.0, deviation / 0.879_625_661_034_239_8, 2.0, key)
}

fn normal<F: Scalar, D: Dimension>(shape: D, mean: f64, deviation: f64, cut: f64, key: Key) -> Result<Array<F, D>> {
    use ndarray_rand::rand::distr::Distribution;
    let standard = Normal::new(0.0, 1.0).and_then(|standard| Normal::new(mean, deviation).map(|_| standard));
    let standard = standard.map_err(|_| Error::InvalidOption {
        option: "initializer",
        value: format!("normal with deviation {deviation}"),
        allowed: "a finite deviation of at least 0",
    })?;
    let mut generator = key.generator();
    Ok(Array::from_shape_simple_fn(shape, || {
        loop {
            let z: f64 = standard.sample(&mut generator);
            if z.abs() <= cut {
                return F::of(mean + deviation * z);
            }
        }
    }))
}

/// A random matrix whose rows (if they are the fewer) or columns are orthonormal: Q of the QR decomposition of a normal
/// matrix, with the signs that make R's diagonal positive, which is what makes Q uniform among all rotations.
fn orthogonal(rows: usize, columns: usize, key: Key) -> Result<Array2<f64>> {
    let (few, many) = (rows.min(columns), rows.max(columns));
    let mut q: Array2<f64> = normal(Ix2(few, many), 0.0, 1.0, f64::INFINITY, key)?;
    for row in 0..few {
        let (done, mut rest) = q.view_mut().split_at(Axis(0), row);
        let mut vector = rest.row_mut(0);
        // Gram–Schmidt, twice: after the second time the error is that of one rounding.
        for _ in 0..2 {
            let along = done.dot(&vector);
            vector -= &along.dot(&done);
        }
        let length = vector.dot(&vector).sqrt();
        vector /= length;
    }
    Ok(if rows <= columns { q } else { q.reversed_axes() })
}

/// Makes the weights of one layer, each tensor from a key of its own.
#[derive(Debug)]
pub struct Init {
    key: Key,
    tensors: u64,
    /// How many numbers may still be made, all of them zero: for reading a file that will overwrite them.
    zeros: Option<usize>,
}

impl Init {
    /// Draws from `key`.
    pub fn new(key: Key) -> Self {
        Init { key, tensors: 0, zeros: None }
    }

    /// Makes tensors of zeros, up to this many numbers.
    pub(crate) fn zeros(numbers: usize) -> Self {
        Init { key: Key::new(0), tensors: 0, zeros: Some(numbers) }
    }

    /// The next tensor of the layer, in standard layout.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] if the initialiser cannot make such a tensor, [`Error::TooLarge`] if nothing can.
    pub fn tensor<F: Scalar, Sh: IntoDimension>(&mut self, from: Initializer, shape: Sh) -> Result<Array<F, Sh::Dim>> {
        let shape = shape.into_dimension();
        let count = shape.size_checked().unwrap_or(usize::MAX);
        if let Some(left) = &mut self.zeros {
            *left = left.checked_sub(count).ok_or(Error::TooLarge { shape: shape.slice().to_vec() })?;
            return Ok(Array::zeros(shape));
        }
        // What the allocator could never give is refused here, for it would end the program.
        if count > isize::MAX as usize / size_of::<F>() {
            return Err(Error::TooLarge { shape: shape.slice().to_vec() });
        }
        self.tensors += 1;
        from.draw(shape, self.key.fold(self.tensors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(from: Initializer, shape: (usize, usize)) -> Array2<f64> {
        Init::new(Key::new(3)).tensor(from, shape).unwrap()
    }

    fn deviation(tensor: &Array2<f64>) -> f64 {
        tensor.std(0.0)
    }

    #[test]
    fn fans_are_those_of_the_fused_matrix() {
        let limit = (6.0_f64 / 48.0).sqrt();
        let kernel = draw(Initializer::GlorotUniform, (16, 32));
        assert!(kernel.iter().all(|x| x.abs() < limit));
        assert!(kernel.iter().any(|x| x.abs() > 0.95 * limit));
    }

    #[test]
    fn deviations_are_what_the_formulas_say() {
        for (from, expected) in [
            (Initializer::GlorotUniform, (2.0_f64 / 500.0).sqrt()),
            (Initializer::GlorotNormal, (2.0_f64 / 500.0).sqrt()),
            (Initializer::HeUniform, (2.0_f64 / 300.0).sqrt()),
            (Initializer::HeNormal, (2.0_f64 / 300.0).sqrt()),
            (Initializer::RandomNormal { mean: 0.0, deviation: 0.05 }, 0.05),
            (Initializer::uniform(), 0.1 / 12.0_f64.sqrt()),
        ] {
            let tensor = draw(from, (300, 200));
            let ratio = deviation(&tensor) / expected;
            assert!((ratio - 1.0).abs() < 0.015, "{from:?}: {ratio}");
            assert!(tensor.mean().unwrap().abs() < 4.0 * expected / 60_000.0_f64.sqrt(), "{from:?}");
        }
    }

    #[test]
    fn truncated_normals_stop_at_two_deviations() {
        let tensor = draw(Initializer::HeNormal, (300, 200));
        let bound = 2.0 * (2.0_f64 / 300.0).sqrt() / 0.879_625_661_034_239_8;
        let largest = tensor.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        assert!(largest <= bound && largest > 0.99 * bound);
    }

    #[test]
    fn orthogonal_rows_or_columns_are_orthonormal() {
        for (rows, columns) in [(8, 32), (32, 8), (5, 5), (1, 4)] {
            let q = draw(Initializer::orthogonal(), (rows, columns));
            assert!(q.is_standard_layout());
            let product = if rows <= columns { q.dot(&q.t()) } else { q.t().dot(&q) };
            let error = (&product - &Array2::<f64>::eye(rows.min(columns))).mapv(f64::abs).sum();
            assert!(error < 1e-13, "{rows}×{columns}: {error}");
        }
        let doubled = draw(Initializer::Orthogonal { gain: 2.0 }, (3, 9));
        approx::assert_abs_diff_eq!(doubled.row(1).dot(&doubled.row(1)), 4.0, epsilon = 1e-12);
    }

    #[test]
    fn wrong_ranges_are_errors() {
        let error = Init::new(Key::new(0))
            .tensor::<f64, _>(Initializer::RandomUniform { low: 1.0, high: 0.0 }, (2, 2))
            .unwrap_err();
        assert!(error.to_string().contains("uniform from 1 to 0"), "{error}");
        let error = Init::new(Key::new(0)).tensor::<f64, _>(Initializer::orthogonal(), 4).unwrap_err();
        assert!(error.to_string().contains("orthogonal"), "{error}");
    }
}
