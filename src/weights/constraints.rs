//! Constraints: limits on weights, applied after each step of the optimizer.
//!
//! | Item | Meaning |
//! | --- | --- |
//! | [`Constraint::max_norm`] | Norms of at most a maximum |
//! | [`Constraint::unit_norm`] | Norms of 1 |
//! | [`Constraint::min_max_norm`] | Norms between two bounds |
//! | [`Constraint::NonNeg`] | Weights of at least zero |
//!
//! ```
//! use bptt::prelude::*;
//! use bptt::constraints::Constraint;
//! use ndarray::array;
//!
//! let layer = Dense::new(1).kernel_constraint(Constraint::NonNeg);
//! let mut model = Sequential::new().add(layer).build(Form::vector(1), 42)?;
//! model.compile(Sgd::new(0.1), MeanSquaredError);
//! model.fit(&array![[0.0_f32], [1.0]], &array![3.0_f32, 1.0], Fit::new().epochs(20))?;
//! assert!(model.weight("dense/kernel")?.iter().all(|&w| w >= 0.0));
//! # Ok::<(), bptt::Error>(())
//! ```

use ndarray::ArrayViewMutD;
use serde::{Deserialize, Serialize};

use super::Path;
use super::regularizers::sum;
use crate::error::{Error, Result};
use crate::numeric::Lane;
use crate::numeric::Scalar;

/// Keras' `backend.epsilon()`, which is added to a norm before a division by it.
const EPSILON: f64 = 1e-7;

/// Number of columns whose norms are computed together.
const STRIP: usize = 64;

/// Constraint on a weight, applied after each step of the optimizer unless the layer is frozen.
///
/// All but `NonNeg` take the weight as vectors along `axis` and multiply each, of norm n = √Σw², by d / (n + 10⁻⁷). The
/// desired norms d and Keras' defaults:
///
/// | Variant | d | Defaults |
/// | --- | --- | --- |
/// | `MaxNorm { max_value, axis }` | min(n, `max_value`) | 2, axis 0: see [`Constraint::max_norm`] |
/// | `UnitNorm { axis }` | 1 | axis 0: see [`Constraint::unit_norm`] |
/// | `MinMaxNorm { min_value, max_value, rate, axis }` | rate · (n clamped to the bounds) + (1 − rate) · n | 0, 1, rate 1, axis 0 |
/// | `NonNeg` | no norm: weights below zero become zero | |
///
/// Along axis 0 of a kernel (D, units) lie the weights of one unit; along axis 0 of a bias, the whole bias; along axis 0 of
/// the bias (2, 3·H) of a [`Gru`](crate::layers::Gru), the two biases of one sum.
///
/// ```
/// use bptt::constraints::Constraint;
/// use bptt::layers::Dense;
/// let layer = Dense::new(3).kernel_constraint(Constraint::max_norm(2.0)).bias_constraint(Constraint::NonNeg);
/// # let _ = layer;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Constraint {
    /// Maximum norm of each vector (Srivastava et al. 2014).
    MaxNorm {
        /// Maximum norm, above 0.
        max_value: f64,
        /// The axis along which vectors lie.
        axis: usize,
    },
    /// Weights of at least zero.
    NonNeg,
    /// Norm 1 of each vector.
    UnitNorm {
        /// The axis along which vectors lie.
        axis: usize,
    },
    /// Norm of each vector between two bounds, or a step towards it.
    MinMaxNorm {
        /// Minimum norm, at least 0.
        min_value: f64,
        /// Maximum norm, above 0 and at least `min_value`.
        max_value: f64,
        /// Fraction of the way to go at each step, 0 to 1.
        rate: f64,
        /// The axis along which vectors lie.
        axis: usize,
    },
}

impl Constraint {
    /// Returns a constraint to norms of at most `max_value` along axis 0.
    pub const fn max_norm(max_value: f64) -> Self {
        Constraint::MaxNorm { max_value, axis: 0 }
    }

    /// Returns a constraint to norms of 1 along axis 0.
    pub const fn unit_norm() -> Self {
        Constraint::UnitNorm { axis: 0 }
    }

    /// Returns a constraint to norms within these bounds along axis 0, with rate 1.
    pub const fn min_max_norm(min_value: f64, max_value: f64) -> Self {
        Constraint::MinMaxNorm { min_value, max_value, rate: 1.0, axis: 0 }
    }

    /// Returns the axis along which vectors lie, if the constraint is on norms.
    fn axis(self) -> Option<usize> {
        match self {
            Constraint::NonNeg => None,
            Constraint::MaxNorm { axis, .. } | Constraint::UnitNorm { axis } | Constraint::MinMaxNorm { axis, .. } => {
                Some(axis)
            }
        }
    }

    /// Returns an error for options out of range, for the weight at this path with `axes` axes.
    pub(crate) fn check(self, weight: Path<'_>, axes: usize) -> Result<()> {
        let expect = |holds: bool, option, value: f64, allowed| {
            if holds {
                return Ok(());
            }
            Err(Error::InvalidOption { option, value: format!("{value} for {weight}"), allowed })
        };
        if let Constraint::MaxNorm { max_value, .. } | Constraint::MinMaxNorm { max_value, .. } = self {
            let holds = max_value > 0.0 && max_value.is_finite();
            expect(holds, "max_value", max_value, "a finite number above 0")?;
        }
        if let Constraint::MinMaxNorm { min_value, max_value, rate, .. } = self {
            let holds = (0.0..=max_value).contains(&min_value);
            expect(holds, "min_value", min_value, "at least 0 and at most max_value")?;
            expect((0.0..=1.0).contains(&rate), "rate", rate, "at least 0 and at most 1")?;
        }
        match self.axis().filter(|&axis| axis >= axes) {
            Some(axis) => expect(false, "axis", axis as f64, "an axis of the weight, counted from 0"),
            None => Ok(()),
        }
    }

    /// Returns the desired norm of a vector with this norm.
    fn desired<F: Scalar>(self, norm: F) -> F {
        let within = |low: f64, high: f64| Lane::min(Lane::max(norm, F::of(low)), F::of(high));
        match self {
            Constraint::NonNeg => norm,
            Constraint::UnitNorm { .. } => F::one(),
            Constraint::MaxNorm { max_value, .. } => within(0.0, max_value),
            Constraint::MinMaxNorm { min_value, max_value, rate, .. } => {
                F::of(rate) * within(min_value, max_value) + F::of(1.0 - rate) * norm
            }
        }
    }

    /// Returns the factor for a vector, from the sum of its squares.
    fn factor<F: Scalar>(self, squares: f64) -> F {
        let norm = F::of(squares.sqrt());
        self.desired(norm) / (F::of(EPSILON) + norm)
    }

    /// Applies the constraint to a weight in standard layout.
    pub(crate) fn apply<F: Scalar>(self, mut weight: ArrayViewMutD<'_, F>) {
        let Some(axis) = self.axis() else {
            weight.mapv_inplace(|w| if w < F::zero() { F::zero() } else { w });
            return;
        };
        let length = weight.shape()[axis];
        let inner: usize = weight.shape()[axis + 1..].iter().product();
        let all = weight.as_slice_mut().expect("weights are in standard layout");
        if all.is_empty() {
            return;
        }
        for rows in all.chunks_exact_mut(length * inner) {
            // Along the last axis a vector is contiguous.
            if inner == 1 {
                let factor = self.factor(sum(rows, |w| w * w));
                rows.iter_mut().for_each(|w| *w *= factor);
                continue;
            }
            // Along another axis it is strided, so a strip of vectors is processed together, row by row.
            for first in (0..inner).step_by(STRIP) {
                let strip = first..inner.min(first + STRIP);
                let mut squares = [0.0_f64; STRIP];
                for row in rows.chunks_exact(inner) {
                    squares.iter_mut().zip(&row[strip.clone()]).for_each(|(sum, w)| *sum += w.widen() * w.widen());
                }
                let mut factors = [F::one(); STRIP];
                for (factor, &squares) in factors.iter_mut().zip(&squares[..strip.len()]) {
                    *factor = self.factor(squares);
                }
                for row in rows.chunks_exact_mut(inner) {
                    row[strip.clone()].iter_mut().zip(&factors).for_each(|(w, &factor)| *w *= factor);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, Array3, ArrayD, Axis, array};

    use super::*;

    fn applied<D: ndarray::Dimension>(constraint: Constraint, weight: Array<f64, D>) -> ArrayD<f64> {
        constraint.check(Path::root("kernel"), weight.ndim()).unwrap();
        let mut weight = weight.into_dyn();
        constraint.apply(weight.view_mut());
        weight
    }

    fn expect_close(got: &ArrayD<f64>, expected: &ArrayD<f64>, tolerance: f64) {
        assert_eq!(got.shape(), expected.shape());
        let close = got.iter().zip(expected).all(|(got, expected)| (got - expected).abs() <= tolerance);
        assert!(close, "{got} instead of {expected}");
    }

    /// Along each axis of a tensor whose strips are whole, cut and single, against the formula written with arrays.
    #[test]
    fn lengths_are_those_along_the_axis() {
        for shape in [(3, 4, 130), (5, 64, 2), (4, 3, 1), (1, 1, 1)] {
            let weight = Array3::from_shape_fn(shape, |(i, j, k)| (f64::from((31 * i + 7 * j + k) as u32)).sin());
            for axis in 0..3 {
                for (constraint, desired) in [
                    (Constraint::MaxNorm { max_value: 0.9, axis }, (|n: f64| n.min(0.9)) as fn(f64) -> f64),
                    (Constraint::UnitNorm { axis }, |_| 1.0),
                    (Constraint::MinMaxNorm { min_value: 0.6, max_value: 1.1, rate: 0.25, axis }, |n: f64| {
                        0.25 * n.clamp(0.6, 1.1) + 0.75 * n
                    }),
                ] {
                    let norms = weight.mapv(|w| w * w).sum_axis(Axis(axis)).insert_axis(Axis(axis)).mapv(f64::sqrt);
                    let expected = &weight * &norms.mapv(|n| desired(n) / (1e-7 + n));
                    expect_close(&applied(constraint, weight.clone()), &expected.into_dyn(), 1e-14);
                }
            }
        }
    }

    #[test]
    fn small_cases() {
        let weight = array![[3.0, 0.0, 0.3], [-4.0, 0.0, 0.4]];
        let cut = applied(Constraint::max_norm(2.0), weight.clone());
        expect_close(&cut, &array![[1.2, 0.0, 0.3], [-1.6, 0.0, 0.4]].into_dyn(), 1e-6);
        let unit = applied(Constraint::unit_norm(), weight.clone());
        expect_close(&unit, &array![[0.6, 0.0, 0.6], [-0.8, 0.0, 0.8]].into_dyn(), 1e-6);
        let within = applied(Constraint::min_max_norm(1.0, 10.0), weight.clone());
        expect_close(&within, &array![[3.0, 0.0, 0.6], [-4.0, 0.0, 0.8]].into_dyn(), 1e-6);
        assert_eq!(applied(Constraint::NonNeg, weight)[[1, 0]], 0.0);
        assert_eq!(applied(Constraint::unit_norm(), ndarray::Array1::zeros(0)).len(), 0);
    }

    #[test]
    fn options_out_of_range_are_errors() {
        for (constraint, message) in [
            (Constraint::max_norm(0.0), "max_value is 0 for kernel, but must be a finite number above 0"),
            (Constraint::max_norm(f64::NAN), "max_value is NaN for kernel, but must be a finite number above 0"),
            (Constraint::min_max_norm(0.0, -1.0), "max_value is -1 for kernel, but must be a finite number above 0"),
            (
                Constraint::min_max_norm(2.0, 1.0),
                "min_value is 2 for kernel, but must be at least 0 and at most max_value",
            ),
            (
                Constraint::min_max_norm(f64::NAN, 1.0),
                "min_value is NaN for kernel, but must be at least 0 and at most max_value",
            ),
            (
                Constraint::MinMaxNorm { min_value: 0.0, max_value: 1.0, rate: 1.5, axis: 0 },
                "rate is 1.5 for kernel, but must be at least 0 and at most 1",
            ),
            (
                Constraint::UnitNorm { axis: 2 },
                "axis is 2 for kernel, but must be an axis of the weight, counted from 0",
            ),
        ] {
            assert_eq!(constraint.check(Path::root("kernel"), 2).unwrap_err().to_string(), message);
        }
        assert!(Constraint::NonNeg.check(Path::root("kernel"), 0).is_ok());
    }
}
