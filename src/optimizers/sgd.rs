//! Stochastic gradient descent, with momentum (Polyak 1964) and Nesterov's variant (Sutskever et al. 2013).

use super::Rule;
use super::rule::boxed_rule;
use crate::error::Result;
use crate::numeric::Scalar;
use crate::numeric::checks::check_rate;

/// Gradient descent: w ← w − η·g; with momentum μ, m ← μ·m − η·g and w ← w + m; Nesterov: w ← w + μ·m − η·g.
///
/// | option | default | range |
/// | --- | --- | --- |
/// | `learning_rate` η | Keras: 0.01 | above 0 |
/// | `momentum` μ | 0 | 0 ≤ μ < 1 |
/// | `nesterov` | false | |
#[derive(Clone, Debug)]
#[doc(alias = "SGD")]
pub struct Sgd {
    learning_rate: f64,
    momentum: f64,
    nesterov: bool,
}

impl Sgd {
    /// Returns plain gradient descent.
    pub fn new(learning_rate: f64) -> Self {
        Sgd { learning_rate, momentum: 0.0, nesterov: false }
    }

    /// Sets the momentum μ.
    pub fn momentum(self, momentum: f64) -> Self {
        Sgd { momentum, ..self }
    }

    /// Sets whether to use Nesterov momentum.
    pub fn nesterov(self, nesterov: bool) -> Self {
        Sgd { nesterov, ..self }
    }
}

impl<F: Scalar> Rule<F> for Sgd {
    boxed_rule!(F, Sgd);

    fn name(&self) -> &'static str {
        "Sgd"
    }

    fn slots(&self) -> usize {
        if self.momentum > 0.0 { 1 } else { 0 }
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_rate("momentum", self.momentum)
    }

    #[inline(always)]
    fn update(&self, rate: f64, _: u64, weights: &mut [F], gradients: &[F], slots: &mut [Vec<F>]) {
        let (rate, momentum) = (F::of(rate), F::of(self.momentum));
        let Some(velocity) = slots.first_mut() else {
            weights.iter_mut().zip(gradients).for_each(|(w, &g)| *w -= rate * g);
            return;
        };
        for ((w, &g), m) in weights.iter_mut().zip(gradients).zip(velocity) {
            *m = momentum * *m - rate * g;
            *w += if self.nesterov { momentum * *m - rate * g } else { *m };
        }
    }
}
