//! CSV file of the figures of all epochs so far.

use std::path::PathBuf;

use super::{Callback, Training};
use crate::error::Result;
use crate::files::whole::{self, check_writable};
use crate::history::Logs;

/// Writes the figures of all epochs so far as comma-separated values after each epoch: a line of names, `epoch` first, then
/// a line for each epoch, counted from 1.
///
/// Each time the whole file is replaced, so a reader never sees half a line and later figures get their own columns. A
/// training that was interrupted and [resumed](crate::models::Fit::backup) leaves the same file as one without interruption.
/// `fit` returns [`Error::Io`](crate::Error::Io) before training if the file cannot be written. Keras' `CSVLogger` appends
/// to its file instead, and counts epochs from 0.
///
/// ```
/// use bptt::callbacks::CsvLogger;
/// let logger = CsvLogger::new("training.csv");
/// # let _ = logger;
/// ```
#[doc(alias = "CSVLogger")]
#[derive(Clone, Debug)]
pub struct CsvLogger {
    path: PathBuf,
}

impl CsvLogger {
    /// Returns a logger that writes to this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        CsvLogger { path: path.into() }
    }
}

impl Callback for CsvLogger {
    fn on_train_begin(&mut self, _: &mut Training<'_>) -> Result<()> {
        check_writable(&self.path)
    }

    fn on_epoch_end(&mut self, _: usize, logs: &mut Logs, training: &mut Training<'_>) -> Result<()> {
        // The epoch enters the history only after all callbacks have run.
        let mut history = training.history().clone();
        history.push(logs, 0.0);
        whole::write(&self.path, history.to_csv().as_bytes())
    }

    /// Writes the file again, with figures that later callbacks added to the last epoch.
    fn on_train_end(&mut self, _: &Logs, training: &mut Training<'_>) -> Result<()> {
        whole::write(&self.path, training.history().to_csv().as_bytes())
    }
}
