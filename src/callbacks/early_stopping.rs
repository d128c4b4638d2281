//! Early stopping, with the decisions of Keras 3 in each epoch.

use super::{Callback, CallbackState, Training};
use crate::error::Result;
use crate::history::Logs;
use crate::history::{Mode, missing};
use crate::logging::tell;

/// Stops after `patience` epochs in a row without improvement.
///
/// | option | default | purpose |
/// | --- | --- | --- |
/// | `monitor` | `"val_loss"` | figure to watch |
/// | `min_delta` | 0 | change that an improvement must exceed |
/// | `patience` | 0 | epochs to wait; 0 and 1 both stop at the first epoch without improvement |
/// | `mode` | automatic | whether lower or higher is better |
/// | `baseline` | none | value to beat before the count of epochs restarts |
/// | `restore_best_weights` | false | whether to restore the best epoch's weights at the end, however training ended |
/// | `start_from_epoch` | 0 | number of first epochs that are not watched |
///
/// An equal figure is no improvement; NaN is one only if it is the first. Training never stops after the first epoch. The
/// state of the optimizer is not restored. Each `fit` starts anew.
///
/// ```
/// use bptt::callbacks::EarlyStopping;
/// let early_stopping = EarlyStopping::new().patience(3).restore_best_weights(true);
/// assert_eq!(early_stopping.best_epoch(), None);
/// ```
#[derive(Clone, Debug)]
pub struct EarlyStopping {
    monitor: String,
    min_delta: f64,
    patience: usize,
    mode: Mode,
    baseline: Option<f64>,
    restore_best_weights: bool,
    start_from_epoch: usize,
    resolved: Mode,
    state: State,
}

/// State that changes from epoch to epoch.
#[derive(Clone, Debug, Default)]
struct State {
    wait: usize,
    best: Option<f64>,
    best_epoch: Option<usize>,
    best_weights: Option<Vec<f64>>,
    stopped_epoch: Option<usize>,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        EarlyStopping {
            monitor: "val_loss".into(),
            min_delta: 0.0,
            patience: 0,
            mode: Mode::Auto,
            baseline: None,
            restore_best_weights: false,
            start_from_epoch: 0,
            resolved: Mode::Min,
            state: State::default(),
        }
    }
}

impl EarlyStopping {
    /// Returns a callback that watches `val_loss` with no patience.
    pub fn new() -> Self {
        EarlyStopping::default()
    }

    /// Sets the figure to watch.
    pub fn monitor(self, monitor: impl Into<String>) -> Self {
        EarlyStopping { monitor: monitor.into(), ..self }
    }

    /// Sets the change that an improvement must exceed.
    pub fn min_delta(self, min_delta: f64) -> Self {
        EarlyStopping { min_delta: min_delta.abs(), ..self }
    }

    /// Sets the number of epochs in a row without improvement after which to stop.
    pub fn patience(self, patience: usize) -> Self {
        EarlyStopping { patience, ..self }
    }

    /// Sets whether lower or higher is better.
    pub fn mode(self, mode: Mode) -> Self {
        EarlyStopping { mode, ..self }
    }

    /// Sets the value to beat before the count of epochs restarts.
    pub fn baseline(self, baseline: f64) -> Self {
        EarlyStopping { baseline: Some(baseline), ..self }
    }

    /// Sets whether to restore the best epoch's weights at the end.
    pub fn restore_best_weights(self, restore_best_weights: bool) -> Self {
        EarlyStopping { restore_best_weights, ..self }
    }

    /// Sets the number of first epochs that are not watched.
    pub fn start_from_epoch(self, start_from_epoch: usize) -> Self {
        EarlyStopping { start_from_epoch, ..self }
    }

    /// Returns the epoch, counted from 1, with the best figure so far.
    pub fn best_epoch(&self) -> Option<usize> {
        self.state.best_epoch
    }

    /// Returns the best figure so far.
    pub fn best(&self) -> Option<f64> {
        self.state.best
    }

    /// Returns the epoch, counted from 1, after which it stopped training; `None` if it did not.
    pub fn stopped_epoch(&self) -> Option<usize> {
        self.state.stopped_epoch
    }
}

impl Callback for EarlyStopping {
    fn on_train_begin(&mut self, _: &mut Training<'_>) -> Result<()> {
        self.state = State::default();
        self.resolved = self.mode.resolve(&self.monitor)?;
        Ok(())
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Logs, training: &mut Training<'_>) -> Result<()> {
        let Some(current) = logs.get(&self.monitor).filter(|_| epoch > self.start_from_epoch) else {
            missing(&self.monitor, epoch, logs);
            return Ok(());
        };
        let state = &mut self.state;
        if self.restore_best_weights && state.best_weights.is_none() {
            // If no epoch improves, the weights of the first watched one are restored.
            state.best_weights = Some(training.weights());
            state.best_epoch = Some(epoch);
        }
        state.wait += 1;
        let mode = self.resolved;
        if state.best.is_none_or(|best| mode.improves(current, best, self.min_delta)) {
            state.best = Some(current);
            state.best_epoch = Some(epoch);
            if self.restore_best_weights {
                state.best_weights = Some(training.weights());
            }
            if self.baseline.is_none_or(|baseline| mode.improves(current, baseline, self.min_delta)) {
                state.wait = 0;
            }
        } else if state.wait >= self.patience && epoch > 1 {
            state.stopped_epoch = Some(epoch);
            training.stop();
            tell!(info, "epoch {}: {} has not improved in {} epochs; training ends", epoch, self.monitor, state.wait);
        }
        Ok(())
    }

    fn on_train_end(&mut self, _: &Logs, training: &mut Training<'_>) -> Result<()> {
        if let Some(weights) = &self.state.best_weights {
            training.set_weights(weights)?;
            tell!(info, "the weights are those of epoch {}, the best", self.state.best_epoch.unwrap_or(0));
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        let State { wait, best, best_epoch, best_weights, stopped_epoch } = &self.state;
        let epoch = |epoch: &Option<usize>| epoch.map(|epoch| epoch as f64);
        CallbackState::default()
            .with("wait", [*wait as f64])
            .with("best", *best)
            .with("best_epoch", epoch(best_epoch))
            .with("best_weights", best_weights.iter().flatten().copied())
            .with("stopped_epoch", epoch(stopped_epoch))
    }

    fn resume(&mut self, state: &CallbackState) -> Result<()> {
        let epoch = |name| state.number(name).map(|epoch| epoch.map(|epoch| epoch as usize));
        let wait = state.count("wait")?;
        let best_weights = state.numbers("best_weights")?;
        self.state = State {
            wait,
            best: state.number("best")?,
            best_epoch: epoch("best_epoch")?,
            best_weights: (!best_weights.is_empty()).then(|| best_weights.to_vec()),
            stopped_epoch: epoch("stopped_epoch")?,
        };
        Ok(())
    }
}
