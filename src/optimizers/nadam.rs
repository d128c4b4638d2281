//! Nadam (Dozat 2016): Adam with Nesterov momentum, which grows towards β₁.

use super::Rule;
use super::adam::Means;
use super::rule::boxed_rule;
use crate::error::Result;
use crate::numeric::Scalar;
use crate::numeric::checks::{check_positive, check_rate};

/// Nadam: m and v as in [`Adam`](crate::optimizers::Adam); w ← w − η·m̂ / (√v̂ + ε) with v̂ = v / (1 − β₂ᵗ),
/// m̂ = μₜ₊₁·m / (1 − Π μᵢ, i ≤ t + 1) + (1 − μₜ)·g / (1 − Π μᵢ, i ≤ t), and μₜ = β₁·(1 − ½·0.96ᵗ).
///
/// | option | default | range |
/// | --- | --- | --- |
/// | `learning_rate` η | Keras: 0.001 | above 0 |
/// | `beta_1` | 0.9 | 0 ≤ β₁ < 1 |
/// | `beta_2` | 0.999 | 0 ≤ β₂ < 1 |
/// | `epsilon` ε | 10⁻⁷ | above 0 |
#[derive(Clone, Debug)]
pub struct Nadam {
    learning_rate: f64,
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

impl Nadam {
    /// Returns Nadam with this learning rate and Keras' other defaults.
    pub fn new(learning_rate: f64) -> Self {
        Nadam { learning_rate, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }
    }

    /// Sets β₁, the decay of the mean.
    pub fn beta_1(self, beta_1: f64) -> Self {
        Nadam { beta_1, ..self }
    }

    /// Sets β₂, the decay of the mean square.
    pub fn beta_2(self, beta_2: f64) -> Self {
        Nadam { beta_2, ..self }
    }

    /// Sets ε, which keeps the denominator above zero.
    pub fn epsilon(self, epsilon: f64) -> Self {
        Nadam { epsilon, ..self }
    }

    fn momentum(&self, t: f64) -> f64 {
        self.beta_1 * (1.0 - 0.5 * 0.96_f64.powf(t))
    }

    /// Returns the product of the momenta of the steps 1 to t, computed from t alone, so that no state is needed.
    fn momenta(&self, t: u64) -> f64 {
        let (mut growth, mut power) = (1.0, 1.0);
        for _ in 0..t {
            power *= 0.96;
            let factor = 1.0 - 0.5 * power;
            if factor == 1.0 {
                // Later factors no longer change the product.
                break;
            }
            growth *= factor;
        }
        growth * self.beta_1.powf(t as f64)
    }
}

impl<F: Scalar> Rule<F> for Nadam {
    boxed_rule!(F, Nadam);

    fn name(&self) -> &'static str {
        "Nadam"
    }

    // Mean and mean square.
    fn slots(&self) -> usize {
        2
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
        let (momentum, next, momenta) = (self.momentum(t), self.momentum(t + 1.0), self.momenta(iteration));
        let of_mean = F::of(rate * next / (1.0 - momenta * next));
        let of_gradient = F::of(rate * (1.0 - momentum) / (1.0 - momenta));
        let correction = F::of(1.0 / (1.0 - self.beta_2.powf(t)));
        let (means, epsilon) = (Means::new(self.beta_1, self.beta_2), F::of(self.epsilon));
        let [m, v] = slots else { unreachable!("Nadam has two slots") };
        for (((w, &g), m), v) in weights.iter_mut().zip(gradients).zip(m).zip(v) {
            means.renew(g, m, v);
            *w -= (of_mean * *m + of_gradient * g) / ((*v * correction).sqrt() + epsilon);
        }
    }
}
