//! Saves the model after epochs: every one, or those that improve a figure.

use std::path::PathBuf;

use super::Callback;
use super::monitor::Mode;
use crate::checkpoint::check_writable;
use crate::error::Result;
use crate::scalar::Scalar;
use crate::training::{Logs, Training};

/// Saves the model to a file after each epoch, or only after the best so far.
///
/// | option | default | purpose |
/// | --- | --- | --- |
/// | `monitor` | `"val_loss"` | the figure to watch |
/// | `save_best_only` | false | save only if the figure is strictly better than ever before |
/// | `mode` | automatic | which way the figure gets better |
/// | `initial_value_threshold` | none | the figure to beat at first |
///
/// As in Keras: the first NaN counts as an improvement; if the figure is missing the model is saved anyway; and the best
/// is remembered from one `fit` to the next. A file is whole or not there. Whether the folder can be written is found out
/// before training.
///
/// ```
/// use bptt::callbacks::ModelCheckpoint;
/// let checkpoint = ModelCheckpoint::new("best-lstm-model.safetensors").save_best_only(true);
/// # let _ = checkpoint;
/// ```
#[derive(Clone, Debug)]
pub struct ModelCheckpoint {
    path: PathBuf,
    monitor: String,
    save_best_only: bool,
    mode: Mode,
    best: Option<f64>,
    saved_epochs: Vec<usize>,
}

impl ModelCheckpoint {
    /// Saves to this file after every epoch.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        ModelCheckpoint {
            path: path.into(),
            monitor: "val_loss".into(),
            save_best_only: false,
            mode: Mode::Auto,
            best: None,
            saved_epochs: Vec::new(),
        }
    }

    /// The figure to watch.
    pub fn monitor(self, monitor: impl Into<String>) -> Self {
        ModelCheckpoint { monitor: monitor.into(), ..self }
    }

    /// Whether only improvements are saved.
    pub fn save_best_only(self, save_best_only: bool) -> Self {
        ModelCheckpoint { save_best_only, ..self }
    }

    /// Which way the figure gets better.
    pub fn mode(self, mode: Mode) -> Self {
        ModelCheckpoint { mode, ..self }
    }

    /// The figure to beat at first.
    pub fn initial_value_threshold(self, threshold: f64) -> Self {
        ModelCheckpoint { best: Some(threshold), ..self }
    }

    /// The epochs, counted from 0 in each `fit`, after which the model was saved.
    pub fn saved_epochs(&self) -> &[usize] {
        &self.saved_epochs
    }
}

impl<F: Scalar> Callback<F> for ModelCheckpoint {
    fn on_train_begin(&mut self, _: &mut Training<'_, F>) -> Result<()> {
        if self.save_best_only {
            self.mode.resolve(&self.monitor)?;
        }
        check_writable(&self.path)
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Logs, training: &mut Training<'_, F>) -> Result<()> {
        if self.save_best_only
            && let Some(current) = logs.get(&self.monitor)
        {
            let mode = self.mode.resolve(&self.monitor)?;
            if self.best.is_some_and(|best| !mode.improves(current, best, 0.0)) {
                return Ok(());
            }
            self.best = Some(current);
        }
        training.model.save(&self.path)?;
        self.saved_epochs.push(epoch);
        Ok(())
    }
}
