//! Adam (Kingma and Ba 2015), in the form with "epsilon hat" that Keras computes: ε is added to the uncorrected root, so
//! the numbers differ from PyTorch's.

use super::{Rule, check_decay, check_positive};
use crate::error::Result;
use crate::scalar::Scalar;

/// Running means of gradient and square: m ← m + (g − m)(1 − β₁), v ← v + (g² − v)(1 − β₂), w ← w − α·m / (√v + ε) with
/// α = η·√(1 − β₂ᵗ) / (1 − β₁ᵗ).
///
/// | option | default | range |
/// | --- | --- | --- |
/// | `learning_rate` η | Keras: 0.001 | above 0 |
/// | `beta_1` | 0.9 | 0 ≤ β₁ < 1 |
/// | `beta_2` | 0.999 | 0 ≤ β₂ < 1 |
/// | `epsilon` ε | 10⁻⁷ | above 0 |
#[derive(Clone, Debug)]
pub struct Adam {
    learning_rate: f64,
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

impl Adam {
    /// Adam with Keras' defaults but for the learning rate.
    pub fn new(learning_rate: f64) -> Self {
        Adam { learning_rate, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }
    }

    /// How slowly the mean forgets.
    pub fn beta_1(self, beta_1: f64) -> Self {
        Adam { beta_1, ..self }
    }

    /// How slowly the mean square forgets.
    pub fn beta_2(self, beta_2: f64) -> Self {
        Adam { beta_2, ..self }
    }

    /// What keeps the root from zero.
    pub fn epsilon(self, epsilon: f64) -> Self {
        Adam { epsilon, ..self }
    }
}

impl<F: Scalar> Rule<F> for Adam {
    fn slots(&self) -> usize {
        2
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_decay("beta_1", self.beta_1)?;
        check_decay("beta_2", self.beta_2)?;
        check_positive("epsilon", self.epsilon)
    }

    fn update(&self, rate: f64, iteration: u64, weights: &mut [F], gradients: &[F], slots: &mut [Vec<F>]) {
        let t = iteration as f64;
        let alpha = F::of(rate * (1.0 - self.beta_2.powf(t)).sqrt() / (1.0 - self.beta_1.powf(t)));
        let (rest_1, rest_2, epsilon) = (F::of(1.0 - self.beta_1), F::of(1.0 - self.beta_2), F::of(self.epsilon));
        let [means, squares] = slots else { unreachable!("Adam has two slots") };
        for (((w, &g), m), v) in weights.iter_mut().zip(gradients).zip(means).zip(squares) {
            *m += (g - *m) * rest_1;
            *v += (g * g - *v) * rest_2;
            *w -= alpha * *m / (v.sqrt() + epsilon);
        }
    }
}
