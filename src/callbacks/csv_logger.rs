//! The figures of the epochs so far, in a file that is there while training goes on.

use std::path::PathBuf;

use super::{Callback, Training};
use crate::error::Result;
use crate::files::whole::{self, check_writable};
use crate::history::Logs;

/// Writes the figures of all epochs so far as comma-separated values after each epoch: a line of names, `epoch` first, then
/// a line for each epoch, counted from 1.
///
/// The file is written anew each time, as a whole: a reader never sees half a line, a figure that comes later gets its
/// column, and a training that was interrupted and [resumed](crate::models::Fit::backup) leaves the file that it would have left
/// without the interruption. Whether it can be written is found out before training; if not, `fit` returns
/// [`Error::Io`](crate::Error::Io). Keras' `CSVLogger` adds lines to its file instead, and counts epochs from 0.
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
    /// Writes to this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        CsvLogger { path: path.into() }
    }
}

impl Callback for CsvLogger {
    fn on_train_begin(&mut self, _: &mut Training<'_>) -> Result<()> {
        check_writable(&self.path)
    }

    fn on_epoch_end(&mut self, _: usize, logs: &mut Logs, training: &mut Training<'_>) -> Result<()> {
        // The history takes the epoch in only when all callbacks have seen it.
        let mut history = training.history().clone();
        history.push(logs, 0.0);
        whole::write(&self.path, history.to_csv().as_bytes())
    }

    /// Once more, with what later callbacks added to the last epoch.
    fn on_train_end(&mut self, _: &Logs, training: &mut Training<'_>) -> Result<()> {
        whole::write(&self.path, training.history().to_csv().as_bytes())
    }
}
