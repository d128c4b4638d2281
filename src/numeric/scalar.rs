//! Number type of a model: `f32` to train and to run, `f64` to check gradients.
//!
//! [`Scalar`] is sealed. It has the few functions that the crate needs, because `num_traits::Float` beside
//! [`Lane`](super::Lane) would make `x.exp()` ambiguous. Functions that only the crate uses are in the sealed part:
//! `vectorize`, the only place where an instruction set is chosen, and `choose`, for code that is compiled once
//! (`both.rs`).

use std::fmt::{Debug, Display};

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
use fearless_simd::dispatch;
use fearless_simd::f32x8;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use fearless_simd::{Simd, f32x16};
use ndarray::{LinalgScalar, ScalarOperand};
use num_traits::{FromPrimitive, NumAssign, ToPrimitive};

use super::instructions::Path;
use super::{Both, Kernel, Vector};

/// Functions that only the crate uses. This trait seals [`Scalar`].
pub trait Number: Vector<Scalar = Self, Token = ()> + Sized {
    /// Name of the type in a file of tensors.
    const DTYPE: safetensors::Dtype;
    /// Appends the value's bytes, least significant first.
    fn push_bytes(self, bytes: &mut Vec<u8>);
    /// Reads a value back from [`Number::push_bytes`]; `bytes` holds exactly one value.
    fn from_bytes(bytes: &[u8]) -> Self;
    /// Runs `kernel`, compiled for this processor, on the widest lanes that are worthwhile for rows of `width` numbers.
    fn vectorize<K: Kernel<Self>>(width: usize, kernel: K)
    where
        Self: Scalar;
    /// Returns the value for this number type.
    fn choose<B: Both + ?Sized>(both: &B) -> &B::For<Self>
    where
        Self: Scalar;
}

/// Number type of weights, inputs and gradients: `f32` or `f64`.
pub trait Scalar:
    Number
    + LinalgScalar
    + ScalarOperand
    + NumAssign
    + FromPrimitive
    + ToPrimitive
    + PartialOrd
    + Debug
    + Display
    + Default
    + Send
    + Sync
{
    /// Returns the nearest value to `value`.
    fn of(value: f64) -> Self;
    /// Returns the value as `f64`, exactly.
    fn widen(self) -> f64;
    /// Returns the square root.
    fn sqrt(self) -> Self;
    /// Returns the natural logarithm.
    fn ln(self) -> Self;
    /// Returns ln(1 + self), accurate near zero.
    fn ln_1p(self) -> Self;
    /// Returns whether the value is neither infinite nor NaN.
    fn is_finite(self) -> bool;
}

macro_rules! scalar {
    ($type:ident, $dtype:ident, $choose:ident, |$width:ident, $kernel:ident| $vectorize:block) => {
        impl Scalar for $type {
            fn of(value: f64) -> Self {
                value as $type
            }
            fn widen(self) -> f64 {
                f64::from(self)
            }
            fn sqrt(self) -> Self {
                $type::sqrt(self)
            }
            fn ln(self) -> Self {
                $type::ln(self)
            }
            fn ln_1p(self) -> Self {
                $type::ln_1p(self)
            }
            fn is_finite(self) -> bool {
                $type::is_finite(self)
            }
        }

        impl Number for $type {
            const DTYPE: safetensors::Dtype = safetensors::Dtype::$dtype;

            fn push_bytes(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
            fn from_bytes(bytes: &[u8]) -> Self {
                let mut one = [0; size_of::<$type>()];
                one.copy_from_slice(bytes);
                $type::from_le_bytes(one)
            }
            fn vectorize<K: Kernel<Self>>($width: usize, mut $kernel: K) $vectorize
            fn choose<B: Both + ?Sized>(both: &B) -> &B::For<Self> {
                both.$choose()
            }
        }
    };
}

// With AVX-512, vectors of 16 are used for rows that fill them and for long rows; a row of 8 or 24 fills vectors of 8.
scalar!(f32, F32, single, |width, kernel| {
    let level = Path::current().level();
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        if let Some(avx512) = level.as_avx512() {
            if width.is_multiple_of(16) || width > 48 {
                return avx512.vectorize(
                    #[inline(always)]
                    || kernel.run::<f32x16<_>>(avx512),
                );
            }
            return avx512.vectorize(
                #[inline(always)]
                || kernel.run::<f32x8<_>>(avx512),
            );
        }
        if let Some(avx2) = level.as_avx2() {
            return avx2.vectorize(
                #[inline(always)]
                || kernel.run::<f32x8<_>>(avx2),
            );
        }
        let Some(sse2) = level.as_sse2() else {
            // Every 64-bit processor has SSE2, so plain numbers are needed only on 32-bit ones.
            #[cfg(target_arch = "x86")]
            kernel.run::<f32>(());
            return;
        };
        sse2.vectorize(
            #[inline(always)]
            || kernel.run::<f32x8<_>>(sse2),
        );
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    {
        let _ = width;
        dispatch!(level, simd => kernel.run::<f32x8<_>>(simd))
    }
});

// Double precision is for checks: it uses the functions of std, one number at a time.
scalar!(f64, F64, double, |_width, kernel| { kernel.run::<f64>(()) });
