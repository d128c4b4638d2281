//! Update rule: the part of an optimizer that is not shared, a formula on the slices of one tensor.

use std::fmt::Debug;

use crate::error::Result;
use crate::numeric::Scalar;
use crate::numeric::{Kernel, Vector};

/// Formula of an optimizer, applied to one tensor at a time.
///
/// ```
/// use bptt::numeric::Scalar;
/// use bptt::optimizers::Rule;
///
/// /// Moves by the sign of the gradient.
/// #[derive(Debug)]
/// struct SignDescent;
///
/// impl<F: Scalar> Rule<F> for SignDescent {
///     fn name(&self) -> &'static str {
///         "SignDescent"
///     }
///     fn learning_rate(&self) -> f64 {
///         0.001
///     }
///     fn update(&self, rate: f64, _: u64, weights: &mut [F], gradients: &[F], _: &mut [Vec<F>]) {
///         for (weight, &gradient) in weights.iter_mut().zip(gradients) {
///             let direction = if gradient > F::zero() { 1.0 } else { -1.0 };
///             *weight -= F::of(rate * direction);
///         }
///     }
/// }
/// ```
pub trait Rule<F: Scalar>: Debug + Send + Sync {
    /// Returns the unique name of the rule: `"Adam"`, `"my_crate::SignDescent"`.
    fn name(&self) -> &'static str;

    /// Returns the number of running values of each weight.
    fn slots(&self) -> usize {
        0
    }

    /// Returns the initial value of the slots.
    fn slot_start(&self) -> f64 {
        0.0
    }

    /// Returns the initial learning rate.
    fn learning_rate(&self) -> f64;

    /// Returns the weight decay, unless [`Optimizer::weight_decay`](crate::optimizers::Optimizer::weight_decay) sets
    /// another.
    fn weight_decay(&self) -> f64 {
        0.0
    }

    /// Returns an error for options out of range.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) that names the option.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Updates the weights of one tensor. `iteration` counts optimizer steps from 1; each slot is as long as the tensor and
    /// starts at [`slot_start`](Rule::slot_start).
    ///
    /// Mark it `#[inline(always)]`, and its loops over the slices are compiled for the widest vectors of the processor,
    /// which is faster and gives the same bits.
    fn update(&self, rate: f64, iteration: u64, weights: &mut [F], gradients: &[F], slots: &mut [Vec<F>]);

    /// Returns the rule in a box. Built-in rules compile theirs in this crate.
    #[doc(hidden)]
    fn boxed(self) -> Box<dyn VectorRule<F>>
    where
        Self: Sized + 'static,
    {
        Box::new(self)
    }
}

/// Implements [`Rule::boxed`] of a built-in rule.
macro_rules! boxed_rule {
    ($number:ident, $rule:ty) => {
        fn boxed(self) -> Box<dyn $crate::optimizers::VectorRule<$number>> {
            $crate::numeric::erased_here!(
                $number, self, $rule => Box<dyn $crate::optimizers::VectorRule<$number>>, |rule| Box::new(rule)
            )
        }
    };
}
pub(super) use boxed_rule;

/// Rule whose loops are compiled for the processor, while its type is still known.
pub trait VectorRule<F: Scalar>: Rule<F> {
    /// Runs [`Rule::update`] on the widest vectors.
    fn update_on_vectors(&self, rate: f64, iteration: u64, weights: &mut [F], gradients: &[F], slots: &mut [Vec<F>]);
}

impl<F: Scalar, R: Rule<F>> VectorRule<F> for R {
    fn update_on_vectors(&self, rate: f64, iteration: u64, weights: &mut [F], gradients: &[F], slots: &mut [Vec<F>]) {
        // The width 16 selects vectors of 16 numbers where available.
        F::vectorize(16, Update { rule: self, rate, iteration, weights, gradients, slots });
    }
}

/// Loops of a rule, which the compiler vectorizes. Each number is computed alone, so the bits do not depend on the width.
struct Update<'a, F, R> {
    rule: &'a R,
    rate: f64,
    iteration: u64,
    weights: &'a mut [F],
    gradients: &'a [F],
    slots: &'a mut [Vec<F>],
}

impl<F: Scalar, R: Rule<F>> Kernel<F> for Update<'_, F, R> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(&mut self, _: V::Token) {
        self.rule.update(self.rate, self.iteration, self.weights, self.gradients, self.slots);
    }
}
