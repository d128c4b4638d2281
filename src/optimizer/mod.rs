//! Optimizers: how gradients change weights.
//!
//! A [`Rule`] is a formula on slices: one tensor, its gradient, and its slots (running means and the like). [`Optimizer`]
//! holds what all rules share: the learning rate, clipping, the count of steps, the slots. Formulas and the place of each
//! epsilon are Keras'. A user's own rule is about 15 lines: see [`Rule`].

mod adam;
mod clip;
mod rmsprop;
mod sgd;

use std::fmt::Debug;

pub use adam::Adam;
pub use clip::Clip;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// The formula of an optimizer, applied to one tensor at a time.
///
/// ```
/// use bptt::{Rule, Scalar};
///
/// /// Moves by the sign of the gradient.
/// #[derive(Debug)]
/// struct SignDescent;
///
/// impl<F: Scalar> Rule<F> for SignDescent {
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
    /// How many running values each weight has.
    fn slots(&self) -> usize {
        0
    }

    /// The learning rate to start with.
    fn learning_rate(&self) -> f64;

    /// Refuses options out of range.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] that names the option.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Changes the weights of one tensor. `iteration` counts optimizer steps from 1; each slot is as long as the tensor and
    /// starts at zero.
    fn update(&self, rate: f64, iteration: u64, weights: &mut [F], gradients: &[F], slots: &mut [Vec<F>]);
}

/// A rule with its learning rate, clipping and state.
///
/// The built-in rules turn into one by themselves, so `compile(RmsProp::new(1e-4), …)` is enough without clipping.
///
/// ```
/// use bptt::{Adam, Clip, Optimizer};
/// let optimizer: Optimizer<f32> = Optimizer::new(Adam::new(0.001)).clip(Clip::GlobalNorm(1.0));
/// assert_eq!(optimizer.learning_rate(), 0.001);
/// ```
#[derive(Debug)]
pub struct Optimizer<F> {
    rule: Box<dyn Rule<F>>,
    learning_rate: f64,
    clip: Option<Clip>,
    iterations: u64,
    /// For each tensor of the model in order, for each slot of the rule, as many numbers as the tensor has.
    slots: Vec<Vec<Vec<F>>>,
}

macro_rules! from_rule {
    ($($rule:ident),+) => {$(
        impl<F: Scalar> From<$rule> for Optimizer<F> {
            fn from(rule: $rule) -> Self {
                Optimizer::new(rule)
            }
        }
    )+};
}
from_rule!(Adam, RmsProp, Sgd);

impl<F: Scalar> Optimizer<F> {
    /// An optimizer of this rule, without clipping.
    pub fn new(rule: impl Rule<F> + 'static) -> Self {
        Optimizer {
            learning_rate: rule.learning_rate(),
            rule: Box::new(rule),
            clip: None,
            iterations: 0,
            slots: Vec::new(),
        }
    }

    /// Limits gradients before each step.
    pub fn clip(self, clip: Clip) -> Self {
        Optimizer { clip: Some(clip), ..self }
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Sets the learning rate from the next step on.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    /// How many steps have been made.
    pub fn iterations(&self) -> u64 {
        self.iterations
    }

    pub(crate) fn clipping(&self) -> Option<Clip> {
        self.clip
    }

    /// Refuses options out of range, before training starts.
    pub(crate) fn check(&self) -> Result<()> {
        check_positive("learning_rate", self.learning_rate)?;
        if let Some(Clip::Value(limit) | Clip::Norm(limit) | Clip::GlobalNorm(limit)) = self.clip {
            check_positive("clip", limit)?;
        }
        self.rule.check()
    }

    /// Starts a step; [`Optimizer::update`] follows for each tensor.
    pub(crate) fn begin_step(&mut self) {
        self.iterations += 1;
    }

    /// Changes the tensor with this number.
    pub(crate) fn update(&mut self, tensor: usize, weights: &mut [F], gradients: &[F]) {
        while self.slots.len() <= tensor {
            self.slots.push(vec![Vec::new(); self.rule.slots()]);
        }
        let slots = &mut self.slots[tensor];
        for slot in slots.iter_mut() {
            slot.resize(weights.len(), F::zero());
        }
        self.rule.update(self.learning_rate, self.iterations, weights, gradients, slots);
    }
}

/// A finite number above zero.
pub(crate) fn check_positive(option: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::InvalidOption { option, value: value.to_string(), allowed: "a finite number above 0" })
}

/// A share that decays: 0 ≤ value < 1.
pub(crate) fn check_decay(option: &'static str, value: f64) -> Result<()> {
    crate::layer::check_rate(option, value)
}
