//! Saves the model during training: after epochs or batches, always or only the best.

use std::path::{Path, PathBuf};

use super::file_name::FileName;
use super::{Callback, CallbackState, Training};
use crate::error::Result;
use crate::files::whole::check_writable;
use crate::history::Logs;
use crate::history::{Mode, missing};
use crate::logging::tell;
use crate::numeric::checks::check_count;

/// Saves the model to a file after each epoch, or only after the best so far.
///
/// | option | default | purpose |
/// | --- | --- | --- |
/// | `monitor` | `"val_loss"` | figure to watch |
/// | `save_best_only` | false | whether to save only if the figure is strictly better than before |
/// | `save_weights_only` | false | save only weights, for [`Model::load_weights`](crate::models::Model::load_weights) |
/// | `mode` | automatic | whether lower or higher is better |
/// | `save_freq` | each epoch | number of batches after which to save instead |
/// | `initial_value_threshold` | none | initial value to beat |
///
/// The path may contain the epoch, counted from 1, and figures, as in Keras: `"{epoch:02d}-{val_loss:.4f}.safetensors"`. The
/// format after the colon is optional: `0` for leading zeros, a width, `.` and the number of decimals, and `d` for an
/// integer or `f`. `{{` and `}}` are plain braces.
///
/// As in Keras, the first NaN counts as an improvement, the model is saved if the figure is missing, the best value is kept
/// from one `fit` to the next, and batches for `save_freq` are counted across epochs. A file is written whole or not at all.
/// Unlike Keras' own it has no optimizer state, which is in the [backup](crate::models::Fit::backup).
///
/// Before training `fit` returns [`Error::Io`](crate::Error::Io) if the folder is not writable, and
/// [`Error::InvalidOption`](crate::Error::InvalidOption) for braces that cannot be parsed or a `save_freq` of 0; later
/// [`Error::Figure`](crate::Error::Figure) if the path names an unknown figure.
///
/// ```
/// use bptt::callbacks::ModelCheckpoint;
/// let checkpoint = ModelCheckpoint::new("best-lstm-model.safetensors").save_best_only(true);
/// # let _ = checkpoint;
/// ```
#[derive(Clone, Debug)]
pub struct ModelCheckpoint {
    path: FileName,
    monitor: String,
    save_best_only: bool,
    save_weights_only: bool,
    mode: Mode,
    save_freq: Option<usize>,
    best: Option<f64>,
    /// Current epoch.
    epoch: usize,
    /// Number of batches since the last save by `save_freq`.
    batches: usize,
    saved_epochs: Vec<usize>,
    last: Option<PathBuf>,
}

impl ModelCheckpoint {
    /// Returns a callback that saves to this file after every epoch.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        ModelCheckpoint {
            path: FileName::new(path.into()),
            monitor: "val_loss".into(),
            save_best_only: false,
            save_weights_only: false,
            mode: Mode::Auto,
            save_freq: None,
            best: None,
            epoch: 0,
            batches: 0,
            saved_epochs: Vec::new(),
            last: None,
        }
    }

    /// Sets the figure to watch.
    pub fn monitor(self, monitor: impl Into<String>) -> Self {
        ModelCheckpoint { monitor: monitor.into(), ..self }
    }

    /// Sets whether to save only improvements.
    pub fn save_best_only(self, save_best_only: bool) -> Self {
        ModelCheckpoint { save_best_only, ..self }
    }

    /// Sets whether to save only the weights, without the description of the layers.
    pub fn save_weights_only(self, save_weights_only: bool) -> Self {
        ModelCheckpoint { save_weights_only, ..self }
    }

    /// Sets whether lower or higher is better.
    pub fn mode(self, mode: Mode) -> Self {
        ModelCheckpoint { mode, ..self }
    }

    /// Sets a number of batches after which to save, with the epoch's figures so far, instead of after epochs.
    pub fn save_freq(self, batches: usize) -> Self {
        ModelCheckpoint { save_freq: Some(batches), ..self }
    }

    /// Sets the initial value to beat.
    pub fn initial_value_threshold(self, threshold: f64) -> Self {
        ModelCheckpoint { best: Some(threshold), ..self }
    }

    /// Returns the best figure so far.
    pub fn best(&self) -> Option<f64> {
        self.best
    }

    /// Returns the epochs, counted from 1 in each `fit`, in or after which it saved the model.
    pub fn saved_epochs(&self) -> &[usize] {
        &self.saved_epochs
    }

    /// Returns the file saved last.
    pub fn last_path(&self) -> Option<&Path> {
        self.last.as_deref()
    }

    fn save(&mut self, epoch: usize, logs: &Logs, training: &Training<'_>) -> Result<()> {
        match logs.get(&self.monitor).filter(|_| self.save_best_only) {
            Some(current) => {
                let mode = self.mode.resolve(&self.monitor)?;
                if self.best.is_some_and(|best| !mode.improves(current, best, 0.0)) {
                    return Ok(());
                }
                self.best = Some(current);
            }
            None if self.save_best_only => missing(&self.monitor, epoch, logs),
            None => {}
        }
        let path = self.path.fill(epoch, logs)?;
        if self.save_weights_only {
            training.save_weights(&path)?;
        } else {
            training.save(&path)?;
        }
        tell!(info, "epoch {epoch}: saved {}", path.display());
        self.saved_epochs.push(epoch);
        self.last = Some(path);
        Ok(())
    }
}

impl Callback for ModelCheckpoint {
    fn on_train_begin(&mut self, _: &mut Training<'_>) -> Result<()> {
        if self.save_best_only {
            self.mode.resolve(&self.monitor)?;
        }
        if let Some(batches) = self.save_freq {
            check_count("save_freq", batches)?;
        }
        self.path.parse()?;
        check_writable(self.path.text())
    }

    fn on_epoch_begin(&mut self, epoch: usize, _: &mut Training<'_>) -> Result<()> {
        self.epoch = epoch;
        Ok(())
    }

    fn on_batch_end(&mut self, _: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        let Some(enough) = self.save_freq else { return Ok(()) };
        self.batches += 1;
        if self.batches < enough {
            return Ok(());
        }
        self.batches = 0;
        self.save(self.epoch, logs, training)
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Logs, training: &mut Training<'_>) -> Result<()> {
        if self.save_freq.is_some() { Ok(()) } else { self.save(epoch, logs, training) }
    }

    fn state(&self) -> CallbackState {
        let saved = self.saved_epochs.iter().map(|&epoch| epoch as f64);
        CallbackState::default().with("best", self.best).with("batches", [self.batches as f64]).with("saved", saved)
    }

    fn resume(&mut self, state: &CallbackState) -> Result<()> {
        self.best = state.number("best")?;
        self.batches = state.count("batches")?;
        self.saved_epochs = state.numbers("saved")?.iter().map(|&epoch| epoch as usize).collect();
        Ok(())
    }
}
