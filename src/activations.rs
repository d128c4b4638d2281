//! Activation functions, with derivatives computed from the output.
//!
//! | Item | Meaning |
//! | --- | --- |
//! | [`Activation`] | Activation function, an option of many layers |
//! | [`Activation::apply`] | Value of the function |
//! | [`Activation::backward`] | Gradient before the function, from its output and the gradient of that |
//!
//! ```
//! use bptt::prelude::*;
//! let layers = Sequential::new().add(Lstm::new(8).activation(Activation::Softsign));
//! let model = layers.add(Dense::new(3).activation(Activation::Softmax)).build(Form::sequence(5, 2), 42)?;
//! assert_eq!(model.output_form(), Form::vector(3));
//! # Ok::<(), bptt::Error>(())
//! ```
//!
//! The derivative of each function follows from its output (tanh′ = 1 − tanh²), so a layer keeps only its output for the
//! backward pass. Definitions are those of Keras 3. `Softmax` needs a whole row, so only [`Dense`](crate::layers::Dense) and
//! [`Activate`](crate::layers::Activate) take it.

use ndarray::{ArrayView2, ArrayViewMut2, Zip};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::numeric::Lane;
use crate::numeric::Scalar;

/// Activation function y of x.
///
/// | Variant | y |
/// | --- | --- |
/// | `Linear` | x |
/// | `Relu` | max(0, x) |
/// | `Sigmoid` | 1 / (1 + e^−x) |
/// | `Tanh` | tanh x |
/// | `HardSigmoid` | x/6 + 1/2, kept within 0 and 1 |
/// | `Softplus` | ln(1 + eˣ) |
/// | `Softsign` | x / (1 + \|x\|) |
/// | `Elu` | x for x > 0, else eˣ − 1 |
/// | `Softmax` | eˣ over the sum of eˣ of the row |
///
/// ```
/// use bptt::activations::Activation;
/// assert_eq!(Activation::HardSigmoid.apply(0.0_f64), 0.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Activation {
    /// Identity.
    Linear,
    /// max(0, x).
    Relu,
    /// The logistic function.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// Piecewise linear approximation of the logistic function.
    HardSigmoid,
    /// Smooth `Relu`.
    Softplus,
    /// x / (1 + |x|).
    Softsign,
    /// `Relu` with an exponential below zero.
    Elu,
    /// Distribution over the features, only for [`Dense`](crate::layers::Dense) and
    /// [`Activate`](crate::layers::Activate).
    Softmax,
}

impl Activation {
    /// Applies the function to each element. `Softmax` is not elementwise and leaves it unchanged.
    #[inline(always)]
    pub fn apply<L: Lane>(self, x: L) -> L {
        let zero = x.splat(0.0);
        let one = x.splat(1.0);
        match self {
            Activation::Linear | Activation::Softmax => x,
            Activation::Relu => zero.if_above(x, zero, x),
            Activation::Sigmoid => x.sigmoid(),
            Activation::Tanh => x.tanh(),
            Activation::HardSigmoid => (x * x.splat(1.0 / 6.0) + x.splat(0.5)).max(zero).min(one),
            // ln(1 + eˣ) without overflow.
            Activation::Softplus => x.max(zero) + (-x.abs()).exp().map(Scalar::ln_1p),
            Activation::Softsign => x / (one + x.abs()),
            Activation::Elu => x.if_above(zero, x, x.exp() - one),
        }
    }

    /// Returns `dy` times the derivative, from the output `y` of [`apply`](Activation::apply).
    #[inline(always)]
    pub fn backward<L: Lane>(self, y: L, dy: L) -> L {
        let zero = y.splat(0.0);
        let one = y.splat(1.0);
        match self {
            Activation::Linear | Activation::Softmax => dy,
            Activation::Relu => y.if_above(zero, dy, zero),
            Activation::Sigmoid => dy * y * (one - y),
            Activation::Tanh => dy * (one - y * y),
            Activation::HardSigmoid => y.if_above(zero, one.if_above(y, dy * y.splat(1.0 / 6.0), zero), zero),
            // 1 − e^−y is the sigmoid of x.
            Activation::Softplus => dy * (one - (-y).exp()),
            Activation::Softsign => {
                let rest = one - y.abs();
                dy * rest * rest
            }
            Activation::Elu => y.if_above(zero, dy, dy * (y + one)),
        }
    }

    /// Returns an error for `Softmax`, where an elementwise function is needed.
    pub(crate) fn expect_elementwise(self, option: &'static str) -> Result<()> {
        match self {
            Activation::Softmax => Err(Error::InvalidOption {
                option,
                value: "softmax".into(),
                allowed: "a function of single elements (softmax needs a whole row: use it on a Dense layer)",
            }),
            _ => Ok(()),
        }
    }

    /// Applies the function to rows in place, softmax over each row.
    pub(crate) fn apply_rows<F: Scalar>(self, mut rows: ArrayViewMut2<'_, F>) {
        if self == Activation::Softmax {
            for mut row in rows.rows_mut() {
                // Subtracting the maximum keeps exp from overflowing and does not change the quotient.
                let largest = row.fold(F::neg(F::one() / F::zero()), |a, &b| Lane::max(a, b));
                row.mapv_inplace(|x| Lane::exp(x - largest));
                let sum = row.sum();
                row.mapv_inplace(|x| x / sum);
            }
        } else if self != Activation::Linear {
            rows.mapv_inplace(|x| self.apply(x));
        }
    }

    /// Writes into `dz` the gradient before the function, from the rows `y` after it and their gradient `dy`.
    pub(crate) fn backward_rows<F: Scalar>(
        self,
        y: ArrayView2<'_, F>,
        dy: ArrayView2<'_, F>,
        mut dz: ArrayViewMut2<'_, F>,
    ) {
        if self == Activation::Softmax {
            for ((y, dy), mut dz) in y.rows().into_iter().zip(dy.rows()).zip(dz.rows_mut()) {
                let inner = y.dot(&dy);
                Zip::from(&mut dz).and(&y).and(&dy).for_each(|dz, &y, &dy| *dz = y * (dy - inner));
            }
        } else {
            Zip::from(&mut dz).and(&y).and(&dy).for_each(|dz, &y, &dy| *dz = self.backward(y, dy));
        }
    }
}
