//! Changing the learning rate between epochs: by a function of the epoch, or when a figure has stopped getting better.

use std::fmt;

use super::{Callback, CallbackState, Training};
use crate::error::Result;
use crate::history::Logs;
use crate::history::{Mode, missing};
use crate::numeric::checks::{check, check_not_negative};

/// The name under which the rate goes into the history.
const LEARNING_RATE: &str = "learning_rate";

/// Sets the learning rate before each epoch by a function of the epoch, counted from 1, and of the rate so far.
///
/// The rate goes into the history as `learning_rate`. One that is negative or not finite ends training with
/// [`Error::InvalidOption`](crate::Error::InvalidOption). A [`Schedule`](crate::optimizers::Schedule) of the optimizer ends
/// with the first rate that is set. For a rate that changes with every batch there is such a schedule.
///
/// ```
/// use bptt::callbacks::LearningRateScheduler;
/// let scheduler = LearningRateScheduler::new(|epoch, rate| if epoch <= 10 { rate } else { rate * 0.9 });
/// # let _ = scheduler;
/// ```
pub struct LearningRateScheduler<S> {
    schedule: S,
}

impl<S> fmt::Debug for LearningRateScheduler<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LearningRateScheduler").finish_non_exhaustive()
    }
}

impl<S: FnMut(usize, f64) -> f64> LearningRateScheduler<S> {
    /// Sets `schedule(epoch, rate)` before each epoch.
    pub fn new(schedule: S) -> Self {
        LearningRateScheduler { schedule }
    }
}

impl<S: FnMut(usize, f64) -> f64> Callback for LearningRateScheduler<S> {
    fn on_epoch_begin(&mut self, epoch: usize, training: &mut Training<'_>) -> Result<()> {
        let rate = (self.schedule)(epoch, training.learning_rate());
        training.set_learning_rate(rate)
    }

    fn on_epoch_end(&mut self, _: usize, logs: &mut Logs, training: &mut Training<'_>) -> Result<()> {
        logs.set(LEARNING_RATE, training.learning_rate());
        Ok(())
    }
}

/// Multiplies the learning rate by `factor` after `patience` epochs in a row without improvement.
///
/// | option | default | purpose |
/// | --- | --- | --- |
/// | `monitor` | `"val_loss"` | the figure to watch |
/// | `factor` | 0.1 | what the rate is multiplied by, at least 0 and below 1 |
/// | `patience` | 10 | epochs to wait; 0 and 1 both reduce at the first epoch that does not improve |
/// | `mode` | automatic | which way the figure gets better |
/// | `min_delta` | 1e-4 | what an improvement must exceed |
/// | `cooldown` | 0 | epochs after a reduction in which nothing is counted |
/// | `min_lr` | 0 | the rate does not fall below it; at least 0 |
///
/// The rate with which an epoch was run goes into the history as `learning_rate`. Decisions are Keras' ones: the first
/// NaN counts as an improvement, an epoch without the figure counts for nothing. Each `fit` starts anew. Options out of
/// range are an [`Error::InvalidOption`](crate::Error::InvalidOption) before training.
///
/// ```
/// use bptt::callbacks::ReduceLROnPlateau;
/// let reduce = ReduceLROnPlateau::new().factor(0.5).patience(3).min_lr(1e-6);
/// # let _ = reduce;
/// ```
#[derive(Clone, Debug)]
pub struct ReduceLROnPlateau {
    monitor: String,
    factor: f64,
    patience: usize,
    mode: Mode,
    min_delta: f64,
    cooldown: usize,
    min_lr: f64,
    state: Plateau,
}

/// What changes from epoch to epoch.
#[derive(Clone, Debug, Default)]
struct Plateau {
    best: Option<f64>,
    wait: usize,
    cooldown: usize,
}

impl Default for ReduceLROnPlateau {
    fn default() -> Self {
        ReduceLROnPlateau {
            monitor: "val_loss".into(),
            factor: 0.1,
            patience: 10,
            mode: Mode::Auto,
            min_delta: 1e-4,
            cooldown: 0,
            min_lr: 0.0,
            state: Plateau::default(),
        }
    }
}

impl ReduceLROnPlateau {
    /// A tenth of the rate after ten epochs in which `val_loss` did not fall.
    pub fn new() -> Self {
        ReduceLROnPlateau::default()
    }

    /// The figure to watch.
    pub fn monitor(self, monitor: impl Into<String>) -> Self {
        ReduceLROnPlateau { monitor: monitor.into(), ..self }
    }

    /// What the rate is multiplied by.
    pub fn factor(self, factor: f64) -> Self {
        ReduceLROnPlateau { factor, ..self }
    }

    /// Epochs in a row without improvement after which to reduce.
    pub fn patience(self, patience: usize) -> Self {
        ReduceLROnPlateau { patience, ..self }
    }

    /// Which way the figure gets better.
    pub fn mode(self, mode: Mode) -> Self {
        ReduceLROnPlateau { mode, ..self }
    }

    /// What an improvement must exceed.
    pub fn min_delta(self, min_delta: f64) -> Self {
        ReduceLROnPlateau { min_delta: min_delta.abs(), ..self }
    }

    /// Epochs after a reduction in which nothing is counted.
    pub fn cooldown(self, cooldown: usize) -> Self {
        ReduceLROnPlateau { cooldown, ..self }
    }

    /// The lowest rate.
    pub fn min_lr(self, min_lr: f64) -> Self {
        ReduceLROnPlateau { min_lr, ..self }
    }
}

impl Callback for ReduceLROnPlateau {
    fn on_train_begin(&mut self, _: &mut Training<'_>) -> Result<()> {
        self.state = Plateau::default();
        self.mode.resolve(&self.monitor)?;
        check_not_negative("min_lr", self.min_lr)?;
        check("factor", self.factor, (0.0..1.0).contains(&self.factor), "at least 0 and below 1")
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Logs, training: &mut Training<'_>) -> Result<()> {
        let rate = training.learning_rate();
        logs.set(LEARNING_RATE, rate);
        let Some(current) = logs.get(&self.monitor) else {
            missing(&self.monitor, epoch, logs);
            return Ok(());
        };
        let mode = self.mode.resolve(&self.monitor)?;
        let state = &mut self.state;
        if state.cooldown > 0 {
            state.cooldown -= 1;
            state.wait = 0;
        }
        if state.best.is_none_or(|best| mode.improves(current, best, self.min_delta)) {
            state.best = Some(current);
            state.wait = 0;
        } else if state.cooldown == 0 {
            state.wait += 1;
            if state.wait >= self.patience && rate > self.min_lr {
                state.cooldown = self.cooldown;
                state.wait = 0;
                return training.set_learning_rate((rate * self.factor).max(self.min_lr));
            }
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        let Plateau { best, wait, cooldown } = &self.state;
        CallbackState::default().with("best", *best).with("wait", [*wait as f64]).with("cooldown", [*cooldown as f64])
    }

    fn resume(&mut self, state: &CallbackState) -> Result<()> {
        self.state =
            Plateau { best: state.number("best")?, wait: state.count("wait")?, cooldown: state.count("cooldown")? };
        Ok(())
    }
}
