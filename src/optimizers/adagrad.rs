//! Adagrad (Duchi, Hazan and Singer 2011), as in Keras: epsilon inside the root.

use super::Rule;
use super::rule::boxed_rule;
use crate::error::Result;
use crate::numeric::Scalar;
use crate::numeric::checks::{check_not_negative, check_positive};

/// Adagrad: divides by the root of the sum of all squares so far: s ← s + g², w ← w − η·g / √(s + ε).
///
/// Steps become shorter over time, but more slowly for weights whose gradients are often zero, such as the rows of an
/// embedding.
///
/// | option | default | range |
/// | --- | --- | --- |
/// | `learning_rate` η | Keras: 0.001 | above 0 |
/// | `initial_accumulator_value`, the first s | 0.1 | at least 0 |
/// | `epsilon` ε | 10⁻⁷ | above 0 |
#[derive(Clone, Debug)]
pub struct Adagrad {
    learning_rate: f64,
    initial_accumulator_value: f64,
    epsilon: f64,
}

impl Adagrad {
    /// Returns Adagrad with this learning rate and Keras' other defaults.
    pub fn new(learning_rate: f64) -> Self {
        Adagrad { learning_rate, initial_accumulator_value: 0.1, epsilon: 1e-7 }
    }

    /// Sets the initial sum of squares.
    pub fn initial_accumulator_value(self, initial_accumulator_value: f64) -> Self {
        Adagrad { initial_accumulator_value, ..self }
    }

    /// Sets ε, which keeps the root above zero.
    pub fn epsilon(self, epsilon: f64) -> Self {
        Adagrad { epsilon, ..self }
    }
}

impl<F: Scalar> Rule<F> for Adagrad {
    boxed_rule!(F, Adagrad);

    fn name(&self) -> &'static str {
        "Adagrad"
    }

    // Sum of squares.
    fn slots(&self) -> usize {
        1
    }

    fn slot_start(&self) -> f64 {
        self.initial_accumulator_value
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_not_negative("initial_accumulator_value", self.initial_accumulator_value)?;
        check_positive("epsilon", self.epsilon)
    }

    #[inline(always)]
    fn update(&self, rate: f64, _: u64, weights: &mut [F], gradients: &[F], slots: &mut [Vec<F>]) {
        let (rate, epsilon) = (F::of(rate), F::of(self.epsilon));
        let [sums] = slots else { unreachable!("Adagrad has one slot") };
        for ((w, &g), s) in weights.iter_mut().zip(gradients).zip(sums) {
            *s += g * g;
            *w -= rate * g / (*s + epsilon).sqrt();
        }
    }
}
