//! Adam (Kingma and Ba 2015), in the form with "epsilon hat" as in Keras: ε is added to the uncorrected root, so the numbers
//! differ from PyTorch's. AdamW (Loshchilov and Hutter 2019) is Adam with weight decay.

use super::Rule;
use super::rule::boxed_rule;
use crate::error::Result;
use crate::numeric::Lane;
use crate::numeric::Scalar;
use crate::numeric::checks::{check_positive, check_rate};

/// Adam: running means of gradient and square: m ← m + (g − m)(1 − β₁), v ← v + (g² − v)(1 − β₂), w ← w − α·m / (√v + ε)
/// with α = η·√(1 − β₂ᵗ) / (1 − β₁ᵗ).
///
/// With `amsgrad` (Reddi, Kale and Kumar 2018) the largest v so far is under the root.
///
/// | option | default | range |
/// | --- | --- | --- |
/// | `learning_rate` η | Keras: 0.001 | above 0 |
/// | `beta_1` | 0.9 | 0 ≤ β₁ < 1 |
/// | `beta_2` | 0.999 | 0 ≤ β₂ < 1 |
/// | `epsilon` ε | 10⁻⁷ | above 0 |
/// | `amsgrad` | false | |
#[derive(Clone, Debug)]
pub struct Adam {
    learning_rate: f64,
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
    amsgrad: bool,
}

impl Adam {
    /// Returns Adam with this learning rate and Keras' other defaults.
    pub fn new(learning_rate: f64) -> Self {
        Adam { learning_rate, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, amsgrad: false }
    }

    /// Sets β₁, the decay of the mean.
    pub fn beta_1(self, beta_1: f64) -> Self {
        Adam { beta_1, ..self }
    }

    /// Sets β₂, the decay of the mean square.
    pub fn beta_2(self, beta_2: f64) -> Self {
        Adam { beta_2, ..self }
    }

    /// Sets ε, which keeps the denominator above zero.
    pub fn epsilon(self, epsilon: f64) -> Self {
        Adam { epsilon, ..self }
    }

    /// Sets whether to divide by the root of the largest mean square so far.
    pub fn amsgrad(self, amsgrad: bool) -> Self {
        Adam { amsgrad, ..self }
    }
}

/// Running means of the gradient and of its square, shared by Adam and Nadam.
#[derive(Clone, Copy)]
pub(super) struct Means<F> {
    rest_1: F,
    rest_2: F,
}

impl<F: Scalar> Means<F> {
    pub(super) fn new(beta_1: f64, beta_2: f64) -> Self {
        Means { rest_1: F::of(1.0 - beta_1), rest_2: F::of(1.0 - beta_2) }
    }

    #[inline(always)]
    pub(super) fn renew(self, g: F, m: &mut F, v: &mut F) {
        *m += (g - *m) * self.rest_1;
        *v += (g * g - *v) * self.rest_2;
    }
}

impl<F: Scalar> Rule<F> for Adam {
    boxed_rule!(F, Adam);

    fn name(&self) -> &'static str {
        "Adam"
    }

    // Mean, mean square, and with amsgrad its maximum.
    fn slots(&self) -> usize {
        2 + usize::from(self.amsgrad)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_rate("beta_1", self.beta_1)?;
        check_rate("beta_2", self.beta_2)?;
        check_positive("epsilon", self.epsilon)
    }

    #[inline(always)]
    fn update(&self, rate: f64, iteration: u64, weights: &mut [F], gradients: &[F], slots: &mut [Vec<F>]) {
        let t = iteration as f64;
        let alpha = F::of(rate * (1.0 - self.beta_2.powf(t)).sqrt() / (1.0 - self.beta_1.powf(t)));
        let (means, epsilon) = (Means::new(self.beta_1, self.beta_2), F::of(self.epsilon));
        match slots {
            [m, v] => {
                for (((w, &g), m), v) in weights.iter_mut().zip(gradients).zip(m).zip(v) {
                    means.renew(g, m, v);
                    *w -= alpha * *m / (v.sqrt() + epsilon);
                }
            }
            [m, v, largest] => {
                for ((((w, &g), m), v), largest) in weights.iter_mut().zip(gradients).zip(m).zip(v).zip(largest) {
                    means.renew(g, m, v);
                    *largest = Lane::max(*largest, *v);
                    *w -= alpha * *m / (largest.sqrt() + epsilon);
                }
            }
            _ => unreachable!("Adam has two slots or three"),
        }
    }
}

/// [`Adam`] with a weight decay of 0.004, which
/// [`Optimizer::weight_decay`](crate::optimizers::Optimizer::weight_decay) changes.
///
/// ```
/// use bptt::optimizers::{Adam, AdamW, Optimizer};
/// let optimizer: Optimizer<f32> = Optimizer::new(AdamW::of(Adam::new(0.001).beta_2(0.99))).weight_decay(0.01);
/// ```
#[derive(Clone, Debug)]
pub struct AdamW(Adam);

impl AdamW {
    /// Returns AdamW with this learning rate (0.001 in Keras) and Keras' other defaults.
    pub fn new(learning_rate: f64) -> Self {
        AdamW::of(Adam::new(learning_rate))
    }

    /// Returns AdamW with the options of this Adam.
    pub fn of(adam: Adam) -> Self {
        AdamW(adam)
    }
}

impl<F: Scalar> Rule<F> for AdamW {
    boxed_rule!(F, AdamW);

    fn name(&self) -> &'static str {
        "AdamW"
    }

    fn slots(&self) -> usize {
        Rule::<F>::slots(&self.0)
    }

    fn learning_rate(&self) -> f64 {
        self.0.learning_rate
    }

    fn weight_decay(&self) -> f64 {
        0.004
    }

    fn check(&self) -> Result<()> {
        Rule::<F>::check(&self.0)
    }

    #[inline(always)]
    fn update(&self, rate: f64, iteration: u64, weights: &mut [F], gradients: &[F], slots: &mut [Vec<F>]) {
        self.0.update(rate, iteration, weights, gradients, slots);
    }
}
