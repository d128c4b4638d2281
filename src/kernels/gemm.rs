//! The one caller of a matrix product: C ← A·B + β·C.
//!
//! ndarray's product runs on `matrixmultiply`, which picks AVX-512, AVX2 or portable code by itself.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::scalar::Scalar;

/// Writes A·B over `c`.
pub(crate) fn product<F: Scalar>(a: ArrayView2<'_, F>, b: ArrayView2<'_, F>, mut c: ArrayViewMut2<'_, F>) {
    general_mat_mul(F::one(), &a, &b, F::zero(), &mut c);
}

/// Adds A·B to `c`.
pub(crate) fn add_product<F: Scalar>(a: ArrayView2<'_, F>, b: ArrayView2<'_, F>, mut c: ArrayViewMut2<'_, F>) {
    general_mat_mul(F::one(), &a, &b, F::one(), &mut c);
}
