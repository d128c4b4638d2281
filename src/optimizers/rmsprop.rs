//! RMSprop (Tieleman and Hinton 2012), as in Keras: epsilon inside the root, no bias correction.
//!
//! A row of an embedding that a batch does not use has gradient 0: the weights stay, their mean square still decays.

use super::Rule;
use super::rule::boxed_rule;
use crate::error::Result;
use crate::numeric::Scalar;
use crate::numeric::checks::{check_positive, check_rate};

/// RMSprop: divides by a running root mean square: v ← ρ·v + (1 − ρ)·g², w ← w − η·g / √(v + ε).
///
/// Centered, it subtracts the square of a running mean a ← ρ·a + (1 − ρ)·g from v. With momentum μ the step is
/// m ← μ·m + η·g / √….
///
/// | option | default | range |
/// | --- | --- | --- |
/// | `learning_rate` η | Keras: 0.001 | above 0 |
/// | `rho` ρ | 0.9 | 0 ≤ ρ < 1 |
/// | `momentum` μ | 0 | 0 ≤ μ < 1 |
/// | `epsilon` ε | 10⁻⁷ | above 0 |
/// | `centered` | false | |
#[derive(Clone, Debug)]
#[doc(alias = "RMSprop")]
pub struct RmsProp {
    learning_rate: f64,
    rho: f64,
    momentum: f64,
    epsilon: f64,
    centered: bool,
}

impl RmsProp {
    /// Returns RMSprop with this learning rate and Keras' other defaults.
    pub fn new(learning_rate: f64) -> Self {
        RmsProp { learning_rate, rho: 0.9, momentum: 0.0, epsilon: 1e-7, centered: false }
    }

    /// Sets ρ, the decay of the mean square.
    pub fn rho(self, rho: f64) -> Self {
        RmsProp { rho, ..self }
    }

    /// Sets the momentum μ.
    pub fn momentum(self, momentum: f64) -> Self {
        RmsProp { momentum, ..self }
    }

    /// Sets ε, which keeps the root above zero.
    pub fn epsilon(self, epsilon: f64) -> Self {
        RmsProp { epsilon, ..self }
    }

    /// Sets whether to divide by the standard deviation instead of the root mean square.
    pub fn centered(self, centered: bool) -> Self {
        RmsProp { centered, ..self }
    }
}

impl<F: Scalar> Rule<F> for RmsProp {
    boxed_rule!(F, RmsProp);

    fn name(&self) -> &'static str {
        "RmsProp"
    }

    // Mean square, the mean if centered, the momentum if not 0.
    fn slots(&self) -> usize {
        1 + usize::from(self.centered) + usize::from(self.momentum > 0.0)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_rate("rho", self.rho)?;
        check_rate("momentum", self.momentum)?;
        check_positive("epsilon", self.epsilon)
    }

    #[inline(always)]
    fn update(&self, rate: f64, _: u64, weights: &mut [F], gradients: &[F], slots: &mut [Vec<F>]) {
        let none: &mut [F] = &mut [];
        match (slots, self.centered) {
            ([v], _) => self.run::<F, false, false>(rate, weights, gradients, v, none, &mut []),
            ([v, a], true) => self.run::<F, true, false>(rate, weights, gradients, v, a, none),
            ([v, m], false) => self.run::<F, false, true>(rate, weights, gradients, v, none, m),
            ([v, a, m], _) => self.run::<F, true, true>(rate, weights, gradients, v, a, m),
            _ => unreachable!("RMSprop has one slot to three"),
        }
    }
}

impl RmsProp {
    /// Runs the loop for one combination of the options, so that it does not check them for each weight.
    #[inline(always)]
    fn run<F: Scalar, const CENTERED: bool, const MOMENTUM: bool>(
        &self,
        rate: f64,
        weights: &mut [F],
        gradients: &[F],
        squares: &mut [F],
        means: &mut [F],
        momenta: &mut [F],
    ) {
        let (rate, rho, momentum, epsilon) = (F::of(rate), F::of(self.rho), F::of(self.momentum), F::of(self.epsilon));
        let rest = F::of(1.0 - self.rho);
        for (index, ((w, &g), v)) in weights.iter_mut().zip(gradients).zip(squares).enumerate() {
            *v = rho * *v + rest * g * g;
            let mut square = *v;
            if CENTERED {
                let a = &mut means[index];
                *a = rho * *a + rest * g;
                square -= *a * *a;
            }
            let mut step = rate * g / (square + epsilon).sqrt();
            if MOMENTUM {
                let m = &mut momenta[index];
                *m = momentum * *m + step;
                step = *m;
            }
            *w -= step;
        }
    }
}
