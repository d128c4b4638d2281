//! Layer normalisation (Ba et al. 2016) of the rows of a matrix, and its adjoint.

use bptt::numeric::Scalar;
use ndarray::{Array2, Axis};

/// Rows of mean 0 and variance 1, and by what they were multiplied (B, 1).
#[derive(Clone, Debug, Default)]
pub struct Normalized<F> {
    pub rows: Array2<F>,
    scale: Array2<F>,
}

fn means<F: Scalar>(rows: &Array2<F>) -> Array2<F> {
    let columns = F::of(rows.ncols() as f64);
    (rows.sum_axis(Axis(1)) / columns).insert_axis(Axis(1))
}

impl<F: Scalar> Normalized<F> {
    /// Normalises each row. A small number keeps rows without variance finite.
    pub fn new(rows: &Array2<F>) -> Self {
        let centred = rows - &means(rows);
        let scale = means(&(&centred * &centred)).mapv_into(|variance| F::one() / (variance + F::of(1e-3)).sqrt());
        Normalized { rows: centred * &scale, scale }
    }

    /// From the gradient of the normalised rows that of the rows.
    pub fn back(&self, d: &Array2<F>) -> Array2<F> {
        (d - &means(d) - &self.rows * &means(&(d * &self.rows))) * &self.scale
    }
}
