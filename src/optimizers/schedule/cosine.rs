//! Cosine decay (Loshchilov and Hutter 2017, "SGDR").

use super::{Schedule, half_cosine};
use crate::error::Result;
use crate::numeric::checks::{check, check_not_negative, check_positive};

/// Cosine decay: η₀·((1 − α)·½(1 + cos π·p) + α) with p = step / `decay_steps` up to 1, then η₀·α.
///
/// With a warm-up the rate first rises linearly from η₀ to the target, which then replaces η₀ in the formula, and steps
/// count from the end of the warm-up (Goyal et al. 2017).
///
/// | option | default | range |
/// | --- | --- | --- |
/// | `initial_learning_rate` η₀ | | above 0; with a warm-up at least 0 |
/// | `decay_steps` | | above 0 |
/// | `alpha` α | 0 | 0 ≤ α ≤ 1 |
/// | `warmup`: target and steps | none | target above 0 |
///
/// ```
/// use bptt::optimizers::{CosineDecay, Schedule};
/// let decay = CosineDecay::new(0.0, 100).warmup(0.1, 10).alpha(0.5);
/// assert_eq!([decay.rate(0), decay.rate(5), decay.rate(10), decay.rate(110)], [0.0, 0.05, 0.1, 0.05]);
/// ```
#[derive(Clone, Debug)]
pub struct CosineDecay {
    initial_learning_rate: f64,
    decay_steps: f64,
    alpha: f64,
    warmup: Option<(f64, f64)>,
}

impl CosineDecay {
    /// Returns a decay from this rate to 0.
    pub fn new(initial_learning_rate: f64, decay_steps: u64) -> Self {
        CosineDecay { initial_learning_rate, decay_steps: decay_steps as f64, alpha: 0.0, warmup: None }
    }

    /// Sets the final rate, as a fraction of the highest.
    pub fn alpha(self, alpha: f64) -> Self {
        CosineDecay { alpha, ..self }
    }

    /// Sets the rate to rise to first, and the number of steps for it.
    #[doc(alias = "warmup_target")]
    #[doc(alias = "warmup_steps")]
    pub fn warmup(self, target: f64, steps: u64) -> Self {
        CosineDecay { warmup: Some((target, steps as f64)), ..self }
    }
}

impl Schedule for CosineDecay {
    fn rate(&self, step: u64) -> f64 {
        let (top, warmup_steps) = self.warmup.unwrap_or((self.initial_learning_rate, 0.0));
        let step = step as f64;
        if step < warmup_steps {
            return self.initial_learning_rate + (top - self.initial_learning_rate) * step / warmup_steps;
        }
        let p = ((step - warmup_steps) / self.decay_steps).min(1.0);
        top * ((1.0 - self.alpha) * half_cosine(p) + self.alpha)
    }

    fn check(&self) -> Result<()> {
        match self.warmup {
            None => check_positive("initial_learning_rate", self.initial_learning_rate)?,
            Some((target, _)) => {
                check_not_negative("initial_learning_rate", self.initial_learning_rate)?;
                check_positive("target of the warm-up", target)?;
            }
        }
        check_positive("decay_steps", self.decay_steps)?;
        check_alpha(self.alpha)
    }
}

/// Cosine decay with restarts: η₀·((1 − α)·mⁱ·½(1 + cos π·p) + α), where p goes from 0 to 1 in each period i. The first
/// period has `first_decay_steps` steps; each further one is t times as long and starts m times as high.
///
/// At the first step of a period p is 0. Keras computes the period by a logarithm, which may miss that step by rounding;
/// this schedule does not.
///
/// | option | default | range |
/// | --- | --- | --- |
/// | `initial_learning_rate` η₀ | | above 0 |
/// | `first_decay_steps` | | above 0 |
/// | `t_mul` t | 2 | at least 1 |
/// | `m_mul` m | 1 | at least 0 |
/// | `alpha` α | 0 | 0 ≤ α ≤ 1 |
///
/// ```
/// use bptt::optimizers::{CosineDecayRestarts, Schedule};
/// let decay = CosineDecayRestarts::new(0.1, 10).m_mul(0.5);
/// assert_eq!([decay.rate(0), decay.rate(10), decay.rate(30)], [0.1, 0.05, 0.025]);
/// ```
#[derive(Clone, Debug)]
pub struct CosineDecayRestarts {
    initial_learning_rate: f64,
    first_decay_steps: f64,
    t_mul: f64,
    m_mul: f64,
    alpha: f64,
}

impl CosineDecayRestarts {
    /// Returns a decay from this rate to 0, restarted with each period twice as long as the one before.
    pub fn new(initial_learning_rate: f64, first_decay_steps: u64) -> Self {
        let first_decay_steps = first_decay_steps as f64;
        CosineDecayRestarts { initial_learning_rate, first_decay_steps, t_mul: 2.0, m_mul: 1.0, alpha: 0.0 }
    }

    /// Sets the ratio of the length of each period to that of the one before.
    pub fn t_mul(self, t_mul: f64) -> Self {
        CosineDecayRestarts { t_mul, ..self }
    }

    /// Sets the ratio of the initial rate of each period to that of the one before.
    pub fn m_mul(self, m_mul: f64) -> Self {
        CosineDecayRestarts { m_mul, ..self }
    }

    /// Sets the final rate of each period, as a fraction of the initial one.
    pub fn alpha(self, alpha: f64) -> Self {
        CosineDecayRestarts { alpha, ..self }
    }

    /// Returns the number of the period and its elapsed fraction, after `elapsed` first periods.
    fn period(&self, elapsed: f64) -> (f64, f64) {
        if self.t_mul == 1.0 {
            return (elapsed.floor(), elapsed.fract());
        }
        // The periods before number i take 1 + t + … + tⁱ⁻¹ = (tⁱ − 1) / (t − 1).
        let growth = self.t_mul - 1.0;
        let period = (1.0 + elapsed * growth).log(self.t_mul).floor();
        let length = self.t_mul.powf(period);
        let p = (elapsed - (length - 1.0) / growth) / length;
        // Rounding may leave a tiny rest of a finished period.
        if p > 1.0 - 1e-9 { (period + 1.0, 0.0) } else { (period, p) }
    }
}

impl Schedule for CosineDecayRestarts {
    fn rate(&self, step: u64) -> f64 {
        let (period, p) = self.period(step as f64 / self.first_decay_steps);
        let height = self.m_mul.powf(period) * half_cosine(p);
        self.initial_learning_rate * ((1.0 - self.alpha) * height + self.alpha)
    }

    fn check(&self) -> Result<()> {
        check_positive("initial_learning_rate", self.initial_learning_rate)?;
        check_positive("first_decay_steps", self.first_decay_steps)?;
        check("t_mul", self.t_mul, self.t_mul >= 1.0 && self.t_mul.is_finite(), "a finite number, at least 1")?;
        check_not_negative("m_mul", self.m_mul)?;
        check_alpha(self.alpha)
    }
}

fn check_alpha(alpha: f64) -> Result<()> {
    check("alpha", alpha, (0.0..=1.0).contains(&alpha), "between 0 and 1")
}
