//! Optimizers: how gradients change the weights. Formulas and defaults are Keras'.
//!
//! | Item | Meaning |
//! | --- | --- |
//! | [`Sgd`], [`RmsProp`], [`Adam`], [`AdamW`], [`Nadam`], [`Adagrad`] | Update rules |
//! | [`Optimizer`] | A rule with the options that all rules share |
//! | [`Clip`], [`Ema`] | Gradient clipping, and moving average of the weights |
//! | [`ExponentialDecay`], [`InverseTimeDecay`], [`PolynomialDecay`], [`PiecewiseConstantDecay`] | Learning-rate schedules |
//! | [`CosineDecay`], [`CosineDecayRestarts`], [`OneCycle`] | More learning-rate schedules |
//! | [`Rule`], [`Schedule`] | The traits, for rules and schedules of your own |
//!
//! ```
//! use bptt::prelude::*;
//! use bptt::optimizers::{Clip, ExponentialDecay, Optimizer};
//! use ndarray::array;
//!
//! let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(1), 42)?;
//! let optimizer = Optimizer::new(Adam::new(0.1)).schedule(ExponentialDecay::new(0.1, 100, 0.5)).clip(Clip::GlobalNorm(1.0));
//! model.compile(optimizer, MeanSquaredError);
//! let history = model.fit(&array![[0.0_f32], [1.0]], &array![1.0_f32, 3.0], Fit::new().epochs(20))?;
//! let loss = history.get("loss");
//! assert!(loss[19] < loss[0]);
//! # Ok::<(), bptt::Error>(())
//! ```
//!
//! A [`Rule`] is a formula on slices: one tensor, its gradient, and its slots, such as running means. [`Optimizer`] holds
//! what all rules share: learning rate or schedule, gradient accumulation, clipping, weight decay, moving average, step count
//! and slots.

mod adagrad;
mod adam;
mod clip;
mod ema;
mod nadam;
mod rmsprop;
mod rule;
mod schedule;
mod sgd;
mod state;
mod step;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use clip::Clip;
pub use ema::Ema;
pub use nadam::Nadam;
pub use rmsprop::RmsProp;
pub use rule::Rule;
pub(crate) use rule::VectorRule;
pub use schedule::{
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, OneCycle, PiecewiseConstantDecay,
    PolynomialDecay, Schedule,
};
pub use sgd::Sgd;
pub(crate) use step::{Learner, VisitGradients, VisitWeights};

use crate::error::{Error, Result};
use crate::numeric::Scalar;
use crate::numeric::checks::{check_count, check_not_negative, check_positive};
use crate::weights::Path;
pub(crate) use state::OptimizerState;
use state::TensorState;

/// A rule with its learning rate, what all rules share, and the state.
///
/// The built-in rules turn into one by themselves, so `compile(RmsProp::new(1e-4), …)` is enough without options.
///
/// A batch goes through these, in Keras' order, each only if it is asked for:
///
/// 1. accumulation: g ← mean of the gradients of n batches, nothing more until there are n;
/// 2. clipping of g: [`Clip`];
/// 3. weight decay: w ← w − w·λ·η, with the step's learning rate η;
/// 4. the rule's formula;
/// 5. the moving average of the weights: [`Ema`].
///
/// | option | Keras' name | default | range |
/// | --- | --- | --- | --- |
/// | [`clip`](Optimizer::clip) | `clipvalue`, `clipnorm`, `global_clipnorm` | none | above 0 |
/// | [`weight_decay`](Optimizer::weight_decay) λ | `weight_decay` | the rule's: 0, [`AdamW`] 0.004 | at least 0 |
/// | [`ema`](Optimizer::ema) | `use_ema` and others | none | see [`Ema`] |
/// | [`gradient_accumulation_steps`](Optimizer::gradient_accumulation_steps) n | the same | 1 | at least 1 |
///
/// Layers that are frozen are neither decayed nor averaged.
///
/// ```
/// use bptt::optimizers::{Adam, Clip, Optimizer};
/// let optimizer: Optimizer<f32> = Optimizer::new(Adam::new(0.001)).clip(Clip::GlobalNorm(1.0)).weight_decay(1e-4);
/// assert_eq!(optimizer.learning_rate(), 0.001);
/// ```
#[derive(Debug)]
pub struct Optimizer<F> {
    rule: Box<dyn VectorRule<F>>,
    learning_rate: f64,
    /// Gives the rate instead.
    schedule: Option<Box<dyn Schedule>>,
    clip: Option<Clip>,
    weight_decay: f64,
    undecayed: Vec<String>,
    ema: Option<Ema>,
    accumulation: usize,
    /// How many batches there were. With the tensors all that changes in training.
    batches: u64,
    /// One for each tensor of the model, in order.
    tensors: Vec<TensorState<F>>,
}

/// What one batch is to do, told once for all tensors.
#[derive(Clone, Copy, Debug)]
struct BatchStep {
    rate: f64,
    /// Counts updates from 1.
    iteration: u64,
    /// False while gradients are accumulated.
    updates: bool,
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
from_rule!(Adagrad, Adam, AdamW, Nadam, RmsProp, Sgd);

impl<F: Scalar> Optimizer<F> {
    /// An optimizer of this rule alone.
    pub fn new(rule: impl Rule<F> + 'static) -> Self {
        Optimizer {
            learning_rate: rule.learning_rate(),
            weight_decay: rule.weight_decay(),
            rule: rule.boxed(),
            schedule: None,
            clip: None,
            undecayed: Vec::new(),
            ema: None,
            accumulation: 1,
            batches: 0,
            tensors: Vec::new(),
        }
    }

    /// Takes each step's learning rate from a schedule instead of the rule's. Steps are batches, as in Keras, also when
    /// gradients are accumulated.
    ///
    /// ```
    /// use bptt::optimizers::{Adam, CosineDecay, Optimizer};
    /// let schedule = CosineDecay::new(0.0, 10_000).warmup(0.001, 500);
    /// let optimizer: Optimizer<f32> = Optimizer::new(Adam::new(0.001)).schedule(schedule);
    /// assert_eq!(optimizer.learning_rate(), 0.0);
    /// ```
    pub fn schedule(self, schedule: impl Schedule + 'static) -> Self {
        Optimizer { schedule: Some(Box::new(schedule)), ..self }
    }

    /// Limits gradients before each step.
    pub fn clip(self, clip: Clip) -> Self {
        Optimizer { clip: Some(clip), ..self }
    }

    /// Takes w·λ·η off each weight before each step (Loshchilov and Hutter 2019): 0 for none.
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Optimizer { weight_decay, ..self }
    }

    /// Leaves out of the weight decay each tensor whose full name has one of these in it: `"bias"` all biases,
    /// `"embedding/"` the layer of that name.
    ///
    /// ```
    /// use bptt::optimizers::{AdamW, Optimizer};
    /// let optimizer: Optimizer<f32> = Optimizer::new(AdamW::new(0.001)).exclude_from_weight_decay(["bias", "embedding/"]);
    /// ```
    pub fn exclude_from_weight_decay<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.undecayed.extend(names.into_iter().map(Into::into));
        self
    }

    /// Keeps a moving average of the weights, which the model has at the end of [`Model::fit`](crate::models::Model::fit).
    #[doc(alias = "use_ema")]
    pub fn ema(self, ema: Ema) -> Self {
        Optimizer { ema: Some(ema), ..self }
    }

    /// Changes the weights only once in so many batches, by the mean of their gradients: as a batch that many times as
    /// large, in the memory of one.
    ///
    /// As in Keras, what is left over at the end of an epoch goes on into the next, and the moving average is renewed with
    /// each batch. [`iterations`](Optimizer::iterations) counts the changes.
    pub fn gradient_accumulation_steps(self, batches: usize) -> Self {
        Optimizer { accumulation: batches, ..self }
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.schedule.as_ref().map_or(self.learning_rate, |schedule| schedule.rate(self.batches))
    }

    /// Sets the learning rate from the next step on.
    ///
    /// A schedule ends with that, and the rate stays as it was set: whoever sets a rate last decides. (Keras refuses
    /// instead.)
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
        self.schedule = None;
    }

    /// How often the weights have been changed.
    pub fn iterations(&self) -> u64 {
        // At least 1, for nothing has checked the option yet.
        self.batches / self.accumulation.max(1) as u64
    }

    /// How many batches there have been: with accumulation more than [`Optimizer::iterations`].
    pub(crate) fn batches(&self) -> u64 {
        self.batches
    }

    /// All that changes while training goes on.
    pub(crate) fn state(&self) -> OptimizerState<&[F]> {
        OptimizerState {
            batches: self.batches,
            learning_rate: self.schedule.is_none().then_some(self.learning_rate),
            tensors: self.tensors.iter().map(TensorState::buffers).collect(),
        }
    }

    /// Takes up what [`Optimizer::state`] gave. Unchanged if it is an error.
    ///
    /// # Errors
    ///
    /// [`Error::OptimizerState`] if it is that of another rule, or of one with a schedule that this one lacks.
    pub(crate) fn take_up(&mut self, state: OptimizerState<Vec<F>>) -> Result<()> {
        let slots = self.rule.slots();
        let tensors = state.tensors.into_iter().map(|buffers| TensorState::from_buffers(buffers, slots));
        let tensors = tensors.collect::<Option<Vec<_>>>().ok_or(Error::OptimizerState)?;
        match state.learning_rate {
            Some(rate) => self.set_learning_rate(rate),
            None if self.schedule.is_none() => return Err(Error::OptimizerState),
            None => {}
        }
        (self.batches, self.tensors) = (state.batches, tensors);
        Ok(())
    }

    /// Refuses options out of range, before training starts.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.schedule {
            None => check_positive("learning_rate", self.learning_rate)?,
            Some(schedule) => schedule.check()?,
        }
        if let Some(Clip::Value(limit) | Clip::Norm(limit) | Clip::GlobalNorm(limit)) = self.clip {
            check_positive("clip", limit)?;
        }
        check_not_negative("weight_decay", self.weight_decay)?;
        if let Some(ema) = self.ema {
            ema.check()?;
        }
        check_count("gradient_accumulation_steps", self.accumulation)?;
        self.rule.check()
    }

    /// Starts a batch.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] if a schedule or a callback gives a rate that is negative or not finite.
    fn begin_batch(&mut self) -> Result<BatchStep> {
        let rate = self.learning_rate();
        check_not_negative("learning_rate", rate)?;
        let place = self.batches % self.accumulation as u64;
        if place == 0 {
            // All of them: a layer may be frozen while its gradients are being accumulated.
            self.tensors.iter_mut().for_each(TensorState::forget_accumulated);
        }
        Ok(BatchStep { rate, iteration: self.iterations() + 1, updates: place + 1 == self.accumulation as u64 })
    }

    /// Adds a tensor's gradient to what is accumulated; for a step that updates, replaces it by the mean.
    fn accumulate(&mut self, step: BatchStep, tensor: usize, gradients: &mut [F]) {
        let mean = F::of(1.0 / self.accumulation as f64);
        let accumulated = self.tensor(tensor).accumulated(gradients.len());
        for (g, sum) in gradients.iter_mut().zip(accumulated) {
            if step.updates {
                *g = (*g + *sum) * mean;
            } else {
                *sum += *g;
            }
        }
    }

    /// Changes the tensor with this number and name, and its average.
    fn update(&mut self, step: BatchStep, tensor: usize, path: Path<'_>, weights: &mut [F], gradients: &[F]) {
        self.tensor(tensor);
        let state = &mut self.tensors[tensor];
        let decays = self.weight_decay > 0.0 && state.decays(path, &self.undecayed);
        // Made with the first batch, whether it updates or not: the batches after it allocate nothing.
        let slots = state.slots(&*self.rule, weights.len());
        if step.updates {
            if decays {
                let share = F::of(self.weight_decay * step.rate);
                weights.iter_mut().for_each(|w| *w -= *w * share);
            }
            self.rule.update_on_vectors(step.rate, step.iteration, weights, gradients, slots);
        }
        if let Some(ema) = self.ema {
            ema.renew(step.iteration, weights, state.average_mut());
        }
    }

    /// The moving average of the tensor with this number, once there is one.
    pub(crate) fn average(&self, tensor: usize) -> Option<&[F]> {
        self.ema.and(self.tensors.get(tensor)).map(TensorState::average).filter(|average| !average.is_empty())
    }

    fn tensor(&mut self, tensor: usize) -> &mut TensorState<F> {
        while self.tensors.len() <= tensor {
            self.tensors.push(TensorState::default());
        }
        &mut self.tensors[tensor]
    }
}
