//! Decay by one formula: exponential, inverse, polynomial.

use super::Schedule;
use crate::error::Result;
use crate::numeric::checks::{check_not_negative, check_positive};

macro_rules! staircase_decay {
    ($(#[$documentation:meta])* $decay:ident, |$rate:ident, $p:ident| $formula:expr) => {
        $(#[$documentation])*
        #[derive(Clone, Debug)]
        pub struct $decay {
            initial_learning_rate: f64,
            decay_steps: f64,
            decay_rate: f64,
            staircase: bool,
        }

        impl $decay {
            /// Returns a smooth decay from this rate, by `decay_rate` for each `decay_steps` steps.
            pub fn new(initial_learning_rate: f64, decay_steps: u64, decay_rate: f64) -> Self {
                $decay { initial_learning_rate, decay_steps: decay_steps as f64, decay_rate, staircase: false }
            }

            /// Sets whether p is rounded down to a whole number.
            pub fn staircase(self, staircase: bool) -> Self {
                $decay { staircase, ..self }
            }
        }

        impl Schedule for $decay {
            fn rate(&self, step: u64) -> f64 {
                let p = step as f64 / self.decay_steps;
                let ($rate, $p) = (self.decay_rate, if self.staircase { p.floor() } else { p });
                self.initial_learning_rate * $formula
            }

            fn check(&self) -> Result<()> {
                check_positive("initial_learning_rate", self.initial_learning_rate)?;
                check_positive("decay_steps", self.decay_steps)?;
                check_not_negative("decay_rate", self.decay_rate)
            }
        }
    };
}

staircase_decay!(
    /// Exponential decay: η₀·rᵖ with p = step / `decay_steps`, r the `decay_rate`.
    ///
    /// | option | default | range |
    /// | --- | --- | --- |
    /// | `initial_learning_rate` η₀ | | above 0 |
    /// | `decay_steps` | | above 0 |
    /// | `decay_rate` r | | at least 0 |
    /// | `staircase` | false | |
    ///
    /// ```
    /// use bptt::optimizers::{ExponentialDecay, Schedule};
    /// let decay = ExponentialDecay::new(0.1, 100, 0.5).staircase(true);
    /// assert_eq!([decay.rate(0), decay.rate(99), decay.rate(100), decay.rate(250)], [0.1, 0.1, 0.05, 0.025]);
    /// ```
    ExponentialDecay,
    |r, p| r.powf(p)
);

staircase_decay!(
    /// Inverse decay: η₀ / (1 + r·p) with p = step / `decay_steps`, r the `decay_rate`.
    ///
    /// | option | default | range |
    /// | --- | --- | --- |
    /// | `initial_learning_rate` η₀ | | above 0 |
    /// | `decay_steps` | | above 0 |
    /// | `decay_rate` r | | at least 0 |
    /// | `staircase` | false | |
    ///
    /// ```
    /// use bptt::optimizers::{InverseTimeDecay, Schedule};
    /// let decay = InverseTimeDecay::new(0.1, 100, 1.0);
    /// assert_eq!([decay.rate(0), decay.rate(100), decay.rate(300)], [0.1, 0.05, 0.025]);
    /// ```
    InverseTimeDecay,
    |r, p| 1.0 / (1.0 + r * p)
);

/// Polynomial decay: (η₀ − ηₑ)·(1 − step / n)ᵏ + ηₑ up to the step n, then ηₑ.
///
/// With `cycle`, n is for each step the smallest multiple of `decay_steps` not below it, so the rate jumps up after each
/// multiple and falls more slowly each time.
///
/// | option | default | range |
/// | --- | --- | --- |
/// | `initial_learning_rate` η₀ | | above 0 |
/// | `decay_steps` n | | above 0 |
/// | `end_learning_rate` ηₑ | 0.0001 | at least 0 |
/// | `power` k | 1 | above 0 |
/// | `cycle` | false | |
///
/// ```
/// use bptt::optimizers::{PolynomialDecay, Schedule};
/// let decay = PolynomialDecay::new(1.0, 100).end_learning_rate(0.5);
/// assert_eq!([decay.rate(0), decay.rate(50), decay.rate(100), decay.rate(150)], [1.0, 0.75, 0.5, 0.5]);
/// ```
#[derive(Clone, Debug)]
pub struct PolynomialDecay {
    initial_learning_rate: f64,
    decay_steps: f64,
    end_learning_rate: f64,
    power: f64,
    cycle: bool,
}

impl PolynomialDecay {
    /// Returns a linear decay from this rate to 0.0001.
    pub fn new(initial_learning_rate: f64, decay_steps: u64) -> Self {
        let decay_steps = decay_steps as f64;
        PolynomialDecay { initial_learning_rate, decay_steps, end_learning_rate: 1e-4, power: 1.0, cycle: false }
    }

    /// Sets the final rate.
    pub fn end_learning_rate(self, end_learning_rate: f64) -> Self {
        PolynomialDecay { end_learning_rate, ..self }
    }

    /// Sets k: above 1 the rate falls faster at first, below 1 at the end.
    pub fn power(self, power: f64) -> Self {
        PolynomialDecay { power, ..self }
    }

    /// Sets whether to restart instead of staying at the final rate.
    pub fn cycle(self, cycle: bool) -> Self {
        PolynomialDecay { cycle, ..self }
    }
}

impl Schedule for PolynomialDecay {
    fn rate(&self, step: u64) -> f64 {
        let p = step as f64 / self.decay_steps;
        let p = if self.cycle { p / p.ceil().max(1.0) } else { p.min(1.0) };
        (self.initial_learning_rate - self.end_learning_rate) * (1.0 - p).powf(self.power) + self.end_learning_rate
    }

    fn check(&self) -> Result<()> {
        check_positive("initial_learning_rate", self.initial_learning_rate)?;
        check_positive("decay_steps", self.decay_steps)?;
        check_not_negative("end_learning_rate", self.end_learning_rate)?;
        check_positive("power", self.power)
    }
}
