//! Lanes: one number, or a vector of numbers that the processor handles at once.
//!
//! A rule written over [`Lane`] (see [`Gates`](crate::recurrent::Gates)) is compiled for plain `f32` and `f64`, the
//! reference, and for the vectors of each instruction set. Plain numbers use std's functions. Vectors use the
//! polynomial near the end of this file, after Cephes' `expf`: exp by Cody–Waite reduction; sigmoid from exp, tanh from
//! e²ˣ − 1. All three stay within 4 units in the last place of `f32` (a test sweeps them); results below the smallest
//! normal number are not held to that.
//!
//! The crate's own loops use vectors through [`Kernel`] and [`Vector`]; see `kernels/`.

use std::f64::consts::LOG2_E;
use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

use fearless_simd::{Select, Simd, SimdBase, SimdCombine, SimdFloat, SimdSplit, f32x4, f32x8, f32x16};

use super::{Scalar, Sealed};

/// One or several numbers on which a gate rule computes, element by element.
///
/// Constants come from [`splat`](Lane::splat), which takes any lane value as a witness of the kind wanted:
///
/// ```
/// use bptt::numeric::Lane;
/// fn complement<L: Lane>(z: L) -> L {
///     z.splat(1.0) - z
/// }
/// assert_eq!(complement(0.25_f64), 0.75);
/// ```
///
/// Only the crate's own numbers and vectors implement it.
///
/// A function over lanes must be `#[inline(always)]`: a call that is not inlined is compiled without the instruction
/// set of its caller, and is much slower.
pub trait Lane:
    Sealed
    + Copy
    + Debug
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// Number type of the elements.
    type Scalar: Scalar;

    /// Returns `value` in every element, of the same kind as `self`.
    fn splat(self, value: f64) -> Self;
    /// Returns self × factor + term, rounded once where the processor can.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// Returns e to the power of each element.
    fn exp(self) -> Self;
    /// Returns the hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Returns the absolute value.
    fn abs(self) -> Self;
    /// Returns the larger of the two.
    fn max(self, other: Self) -> Self;
    /// Returns the smaller of the two.
    fn min(self, other: Self) -> Self;
    /// Returns `yes` where self > bound, else `no`.
    fn if_above(self, bound: Self, yes: Self, no: Self) -> Self;
    /// Applies any function, one element at a time; slow.
    fn map(self, function: impl Fn(Self::Scalar) -> Self::Scalar) -> Self;

    /// Returns 1 / (1 + e^−x).
    #[inline(always)]
    fn sigmoid(self) -> Self {
        let one = self.splat(1.0);
        one / (one + (-self).exp())
    }
}

/// [`Lane`] that is loaded from and stored to rows of numbers.
pub trait Vector: Lane {
    /// Proof that the processor has the instructions.
    type Token: Copy;
    /// Number of elements.
    const WIDTH: usize;
    /// Number of vectors of this size that the processor's registers hold.
    const REGISTERS: usize;
    /// Runs `work` in a function of its own, where the compiler allocates registers for it alone.
    fn alone(token: Self::Token, work: impl FnOnce());
    /// Returns `value` in every element.
    fn broadcast(token: Self::Token, value: Self::Scalar) -> Self;
    /// Loads up to [`Vector::WIDTH`] numbers; elements that `from` does not fill are zero.
    fn load(token: Self::Token, from: &[Self::Scalar]) -> Self;
    /// Stores as many elements as `to` takes.
    fn store(self, to: &mut [Self::Scalar]);
    /// Loads two rows of half its width each. It is never called for a single number.
    fn load_halves(token: Self::Token, first: &[Self::Scalar], second: &[Self::Scalar]) -> Self;
    /// Stores each half into a row.
    fn store_halves(self, first: &mut [Self::Scalar], second: &mut [Self::Scalar]);
}

/// Loop that is compiled for each kind of vector; [`Scalar::vectorize`] picks the one to run.
pub trait Kernel<F: Scalar> {
    /// Runs the loop. Implementations are `#[inline(always)]`.
    fn run<V: Vector<Scalar = F>>(&mut self, token: V::Token);
}

macro_rules! number_lane {
    ($type:ident) => {
        impl Sealed for $type {}

        impl Lane for $type {
            type Scalar = $type;

            #[inline(always)]
            fn splat(self, value: f64) -> Self {
                value as $type
            }
            // Written out: without a fused instruction `mul_add` is a call into the C library.
            #[inline(always)]
            fn mul_add(self, factor: Self, term: Self) -> Self {
                self * factor + term
            }
            #[inline(always)]
            fn exp(self) -> Self {
                $type::exp(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                $type::tanh(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $type::abs(self)
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                $type::max(self, other)
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                $type::min(self, other)
            }
            #[inline(always)]
            fn if_above(self, bound: Self, yes: Self, no: Self) -> Self {
                if self > bound { yes } else { no }
            }
            #[inline(always)]
            fn map(self, function: impl Fn($type) -> $type) -> Self {
                function(self)
            }
        }

        impl Vector for $type {
            type Token = ();
            const WIDTH: usize = 1;
            const REGISTERS: usize = 16;

            #[inline(always)]
            fn alone((): (), work: impl FnOnce()) {
                work();
            }
            #[inline(always)]
            fn broadcast((): (), value: $type) -> Self {
                value
            }
            #[inline(always)]
            fn load((): (), from: &[$type]) -> Self {
                from[0]
            }
            #[inline(always)]
            fn store(self, to: &mut [$type]) {
                to[0] = self;
            }
            #[inline(always)]
            fn load_halves((): (), first: &[$type], _: &[$type]) -> Self {
                first[0]
            }
            #[inline(always)]
            fn store_halves(self, first: &mut [$type], _: &mut [$type]) {
                first[0] = self;
            }
        }
    };
}

number_lane!(f32);
number_lane!(f64);

macro_rules! vector_lane {
    ($type:ident, $width:literal, $half:ident) => {
        impl<S: Simd> Sealed for $type<S> {}

        impl<S: Simd> Lane for $type<S> {
            type Scalar = f32;

            #[inline(always)]
            fn splat(self, value: f64) -> Self {
                SimdBase::splat(self.simd, value as f32)
            }
            #[inline(always)]
            fn mul_add(self, factor: Self, term: Self) -> Self {
                SimdFloat::mul_add(self, factor, term)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                // Beyond these bounds the result is 0 or infinite anyway, and n would not fit two exponents.
                let x = clamp(self, -126.0, 126.0);
                let (n, _) = whole_powers(x, LOG2_E);
                let r = without(x, n, LN_2_PARTS);
                // 2ⁿ as two factors, because n reaches 128 and beyond where the result is still finite.
                let half = (n * Lane::splat(self, 0.5)).floor();
                polynomial(r, EXP) * power_of_two(self.simd, half) * power_of_two(self.simd, n - half)
            }
            #[inline(always)]
            fn sigmoid(self) -> Self {
                let one = Lane::splat(self, 1.0);
                // n reaches −127 and 128, whose powers come out as 0 and infinity.
                let x = clamp(self, -88.5, 88.0);
                let (n, power) = whole_powers(x, -LOG2_E);
                let r = without(-x, n, LN_2_PARTS);
                one / Lane::mul_add(polynomial(r, EXP), power, one)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                let one = Lane::splat(self, 1.0);
                // From 10 on, tanh x rounds to 1.
                let size = Lane::min(Lane::splat(self, 10.0), SimdBase::abs(self));
                let (n, power) = whole_powers(size, 2.0 * LOG2_E);
                let r = without(size, n, [0.5 * std::f64::consts::LN_2]);
                // With a = e^2|x| − 1, which keeps its digits near zero, tanh |x| = a/(a + 2).
                let a = Lane::mul_add(polynomial(r, EXP_OF_TWICE) * r, power, power - one);
                SimdFloat::copysign(a / (a + (one + one)), self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                SimdBase::abs(self)
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                SimdBase::max(self, other)
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                SimdBase::min(self, other)
            }
            #[inline(always)]
            fn if_above(self, bound: Self, yes: Self, no: Self) -> Self {
                self.simd_gt(bound).select(yes, no)
            }
            #[inline(always)]
            fn map(self, function: impl Fn(f32) -> f32) -> Self {
                SimdBase::load_array(self.simd, self.to_array().map(function))
            }
        }

        impl<S: Simd> Vector for $type<S> {
            type Token = S;
            const WIDTH: usize = $width;
            const REGISTERS: usize = registers($width, <S::f32s as SimdBase<S>>::LEN);

            #[inline(never)]
            fn alone(token: S, work: impl FnOnce()) {
                token.vectorize(work);
            }
            #[inline(always)]
            fn broadcast(token: S, value: f32) -> Self {
                SimdBase::splat(token, value)
            }
            #[inline(always)]
            fn load(token: S, from: &[f32]) -> Self {
                if from.len() >= $width {
                    return SimdBase::from_slice(token, &from[..$width]);
                }
                let mut padded = [0.0; $width];
                padded[..from.len()].copy_from_slice(from);
                SimdBase::load_array(token, padded)
            }
            #[inline(always)]
            fn store(self, to: &mut [f32]) {
                if to.len() >= $width {
                    self.store_slice(&mut to[..$width]);
                } else {
                    let length = to.len();
                    to.copy_from_slice(&self.to_array()[..length]);
                }
            }
            #[inline(always)]
            fn load_halves(token: S, first: &[f32], second: &[f32]) -> Self {
                let first = $half::from_slice(token, &first[..$width / 2]);
                first.combine($half::from_slice(token, &second[..$width / 2]))
            }
            #[inline(always)]
            fn store_halves(self, first: &mut [f32], second: &mut [f32]) {
                let (low, high) = self.split();
                low.store_slice(&mut first[..$width / 2]);
                high.store_slice(&mut second[..$width / 2]);
            }
        }
    };
}

/// Number of vectors of `width` numbers that fit in the registers, of `native` numbers each. There are 32 registers
/// with AVX-512 and on 64-bit Arm, otherwise 16.
const fn registers(width: usize, native: usize) -> usize {
    let all = if cfg!(target_arch = "aarch64") || native == 16 { 32 } else { 16 };
    if width > native { all * native / width } else { all }
}

/// Returns a polynomial by Horner's rule, the highest coefficient first.
#[inline(always)]
fn polynomial<L: Lane, const N: usize>(x: L, coefficients: [f64; N]) -> L {
    let mut sum = x.splat(coefficients[0]);
    for &coefficient in &coefficients[1..] {
        sum = sum.mul_add(x, x.splat(coefficient));
    }
    sum
}

/// Returns x clamped between two bounds. NaN passes, because min and max return their second argument.
#[inline(always)]
fn clamp<L: Lane>(x: L, lowest: f64, highest: f64) -> L {
    x.splat(highest).min(x.splat(lowest).max(x))
}

/// ln 2 as a sum of two numbers. The first is so short that n times it is exact; x − n·ln 2 needs both for n up to 127.
const LN_2_PARTS: [f64; 2] = [0.693_359_375, -2.121_944_4e-4];

/// Polynomial for eʳ, |r| ≤ ½·ln 2: 1 + r + r²·P(r). For its degree, P has the smallest error of eʳ − 1 relative to the
/// value that `tanh` computes from it: 1.2e-8.
const EXP: [f64; 7] = [1.391_368_3e-3, 8.368_304e-3, 4.166_636_6e-2, 1.666_652_4e-1, 5.000_000_6e-1, 1.0, 1.0];

/// Polynomial for (e²ʳ − 1)/r, from the same coefficients.
const EXP_OF_TWICE: [f64; 6] = [64.0 * EXP[0], 32.0 * EXP[1], 16.0 * EXP[2], 8.0 * EXP[3], 4.0 * EXP[4], 2.0 * EXP[5]];

/// Returns the whole number n nearest to x·log₂ b, and 2ⁿ for n from −127 to 128.
///
/// Adding 1.5·2²³ leaves a whole number in the lowest bits. A further 127 is the bias of the exponent of 2ⁿ, so a shift
/// gives 2ⁿ.
#[inline(always)]
fn whole_powers<S: Simd, V: SimdFloat<S, Element = f32> + Lane>(x: V, log2_b: f64) -> (V, V) {
    let shift = x.splat(12_582_912.0 + 127.0);
    let shifted = Lane::mul_add(x, x.splat(log2_b), shift);
    (shifted - shift, V::from_bits(shifted.to_bits() << 23))
}

/// Returns x minus n times the sum of `parts`.
#[inline(always)]
fn without<L: Lane, const N: usize>(mut x: L, n: L, parts: [f64; N]) -> L {
    for part in parts {
        x = n.mul_add(n.splat(-part), x);
    }
    x
}

/// Returns 2ⁿ for a whole n from −127 to 128.
#[inline(always)]
fn power_of_two<S: Simd, V: SimdFloat<S, Element = f32>>(token: S, n: V) -> V {
    V::from_bits((n + V::splat(token, 8_388_608.0 + 127.0)).to_bits() << 23)
}

vector_lane!(f32x8, 8, f32x4);
vector_lane!(f32x16, 16, f32x8);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Number;

    /// Applies `function` on the vectors that the path under test has for rows of 8 or 16.
    struct Apply<'a> {
        function: u8,
        values: &'a mut [f32],
    }

    impl Kernel<f32> for Apply<'_> {
        #[inline(always)]
        fn run<V: Vector<Scalar = f32>>(&mut self, token: V::Token) {
            for chunk in self.values.chunks_mut(V::WIDTH) {
                let x = V::load(token, chunk);
                let y = match self.function {
                    0 => x.exp(),
                    1 => x.tanh(),
                    _ => x.sigmoid(),
                };
                y.store(chunk);
            }
        }
    }

    /// Returns the distance in units in the last place of the exact result.
    fn ulps(got: f32, exact: f64) -> f64 {
        let nearest = exact as f32;
        let unit = f64::from(f32::from_bits(nearest.abs().to_bits() + 1)) - f64::from(nearest.abs());
        (f64::from(got) - exact).abs() / unit
    }

    #[test]
    fn exp_tanh_and_sigmoid_stay_within_4_ulp() {
        let steps = 2_000_003;
        // Ranges in which results are normal numbers: exp and sigmoid down to 2^-126.
        type Sweep = (u8, f64, fn(f64) -> f64);
        let sweeps: [Sweep; 4] =
            [(0, 87.3, f64::exp), (1, 20.0, f64::tanh), (1, 0.01, f64::tanh), (2, 87.3, |x| 1.0 / (1.0 + (-x).exp()))];
        for width in [8, 16] {
            for (function, range, exact) in sweeps {
                let inputs: Vec<f32> =
                    (0..steps).map(|i| (range * (2.0 * f64::from(i) / f64::from(steps - 1) - 1.0)) as f32).collect();
                let mut values = inputs.clone();
                f32::vectorize(width, Apply { function, values: &mut values });
                let (worst, at) = inputs
                    .iter()
                    .zip(&values)
                    .map(|(&x, &y)| (ulps(y, exact(f64::from(x))), x))
                    .fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a });
                println!(
                    "function {function}, range {range}, {} of {width}: {worst:.2} ULP at {at}",
                    crate::instructions()
                );
                assert!(worst <= 4.0, "function {function} is {worst} ULP off at {at}");
            }
        }
    }

    #[test]
    fn the_ends_of_the_range_and_nan_come_out_as_in_std() {
        for width in [8, 16] {
            let mut values = [f32::NAN, 1e30, -1e30, f32::INFINITY, f32::NEG_INFINITY, 0.0, 88.5, 100.0];
            f32::vectorize(width, Apply { function: 0, values: &mut values });
            assert!(values[0].is_nan());
            assert_eq!(values[1..6], [f32::INFINITY, 0.0, f32::INFINITY, 0.0, 1.0]);
            assert!(values[6].is_finite() && values[7].is_infinite());
            for (function, low) in [(1, -1.0), (2, 0.0)] {
                let mut values = [f32::NAN, 1e30, -1e30, f32::INFINITY, f32::NEG_INFINITY];
                f32::vectorize(width, Apply { function, values: &mut values });
                assert!(values[0].is_nan());
                assert_eq!(values[1..], [1.0, low, 1.0, low], "function {function}");
            }
        }
    }
}
