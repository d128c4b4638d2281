//! Hooks of a training.

use super::{CallbackState, Training};
use crate::error::Result;
use crate::history::Logs;

/// Hooks into training. Epochs and batches count from 1, as everywhere in this crate; Keras counts them from 0 here.
///
/// An error from a hook ends training, and `fit` returns it.
///
/// ```
/// use bptt::Result;
/// use bptt::callbacks::{Callback, Training};
/// use bptt::models::Logs;
///
/// /// Stops once the loss is good enough.
/// struct GoodEnough(f64);
///
/// impl Callback for GoodEnough {
///     fn on_epoch_end(&mut self, _: usize, logs: &mut Logs, training: &mut Training<'_>) -> Result<()> {
///         if logs.get("loss").is_some_and(|loss| loss < self.0) {
///             training.stop();
///         }
///         Ok(())
///     }
/// }
/// ```
#[allow(unused_variables, reason = "the hooks do nothing by default")]
pub trait Callback {
    /// Called before the first epoch; the place to detect what would fail later.
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// Called before an epoch.
    fn on_epoch_begin(&mut self, epoch: usize, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// Called after a batch; the figures are means over the epoch so far.
    fn on_batch_end(&mut self, batch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// Called after an epoch and its validation. Values set in `logs` go into the history.
    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Logs, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// Called after the last epoch, however training ended, except by an error.
    fn on_train_end(&mut self, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// Returns the state to keep in the backup ([`Fit::backup`](crate::models::Fit::backup)). Empty by default.
    fn state(&self) -> CallbackState {
        CallbackState::default()
    }

    /// Restores the state from [`Callback::state`] when an interrupted training continues. It follows
    /// [`Callback::on_train_begin`], and [`Callback::on_epoch_begin`] if the interruption was within an epoch.
    ///
    /// # Errors
    ///
    /// [`Error::CallbackState`](crate::Error::CallbackState) if the state is another callback's.
    fn resume(&mut self, state: &CallbackState) -> Result<()> {
        Ok(())
    }
}
