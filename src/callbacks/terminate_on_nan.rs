//! Ends training when the loss is NaN or infinite.

use super::{Callback, CallbackState, Training};
use crate::error::Result;
use crate::history::Logs;

/// Stops after the first batch whose loss is NaN or infinite, because nothing can be learned after it.
///
/// As with every stop, validation and the other callbacks still run at the end of the epoch.
///
/// ```
/// use bptt::callbacks::TerminateOnNaN;
/// let terminate = TerminateOnNaN::new();
/// assert_eq!(terminate.batch(), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct TerminateOnNaN {
    batch: Option<usize>,
}

impl TerminateOnNaN {
    /// Returns a callback that watches the loss.
    pub fn new() -> Self {
        TerminateOnNaN::default()
    }

    /// Returns the batch of its epoch, counted from 1, after which it ended training.
    pub fn batch(&self) -> Option<usize> {
        self.batch
    }
}

impl Callback for TerminateOnNaN {
    fn on_train_begin(&mut self, _: &mut Training<'_>) -> Result<()> {
        self.batch = None;
        Ok(())
    }

    fn on_batch_end(&mut self, batch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        if logs.get("loss").is_some_and(|loss| !loss.is_finite()) {
            self.batch = Some(batch);
            training.stop();
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        CallbackState::default().with("batch", self.batch.map(|batch| batch as f64))
    }

    fn resume(&mut self, state: &CallbackState) -> Result<()> {
        self.batch = state.number("batch")?.map(|batch| batch as usize);
        Ok(())
    }
}
