//! What an optimizer is but for what all share: a formula on the slices of one tensor.

use std::fmt::Debug;

use crate::error::Result;
use crate::numeric::Scalar;
use crate::numeric::{Kernel, Vector};

/// The formula of an optimizer, applied to one tensor at a time.
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
    /// The rule's name, unlike that of any other rule: `"Adam"`, `"my_crate::SignDescent"`.
    fn name(&self) -> &'static str;

    /// How many running values each weight has.
    fn slots(&self) -> usize {
        0
    }

    /// What each of them starts with.
    fn slot_start(&self) -> f64 {
        0.0
    }

    /// The learning rate to start with.
    fn learning_rate(&self) -> f64;

    /// The weight decay unless [`Optimizer::weight_decay`](crate::optimizers::Optimizer::weight_decay) sets another.
    fn weight_decay(&self) -> f64 {
        0.0
    }

    /// Refuses options out of range.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) that names the option.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Changes the weights of one tensor. `iteration` counts optimizer steps from 1; each slot is as long as the tensor and
    /// starts at [`slot_start`](Rule::slot_start).
    ///
    /// With `#[inline(always)]` before it, its loops over the slices are compiled for the widest vectors that the processor
    /// has, for the same bits in half the time.
    fn update(&self, rate: f64, iteration: u64, weights: &mut [F], gradients: &[F], slots: &mut [Vec<F>]);

    /// The rule in a box. Built-in rules have theirs made in the crate, where it is compiled.
    #[doc(hidden)]
    fn boxed(self) -> Box<dyn VectorRule<F>>
    where
        Self: Sized + 'static,
    {
        Box::new(self)
    }
}

/// Gives a built-in rule its [`Rule::boxed`].
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

/// A rule whose loops are compiled for the processor, while its type is still known.
pub trait VectorRule<F: Scalar>: Rule<F> {
    /// [`Rule::update`] on the widest vectors.
    fn update_on_vectors(&self, rate: f64, iteration: u64, weights: &mut [F], gradients: &[F], slots: &mut [Vec<F>]);
}

impl<F: Scalar, R: Rule<F>> VectorRule<F> for R {
    fn update_on_vectors(&self, rate: f64, iteration: u64, weights: &mut [F], gradients: &[F], slots: &mut [Vec<F>]) {
        // For 16 numbers, vectors of 16 are taken where there are any.
        F::vectorize(16, Update { rule: self, rate, iteration, weights, gradients, slots });
    }
}

/// A rule's loops, of which the compiler makes vectors. Each number is computed as if alone: the bits are the same on all.
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
