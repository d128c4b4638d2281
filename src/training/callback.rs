//! The hooks of a training.

use super::{CallbackState, Training};
use crate::error::Result;
use crate::history::Logs;

/// Hooks into training. Epochs and batches count from 1, as everywhere in this crate; Keras counts them from 0 here.
///
/// An error from a hook ends training and is what `fit` returns.
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
    /// Before the first epoch; the place to find out what would fail later.
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// Before an epoch.
    fn on_epoch_begin(&mut self, epoch: usize, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// After a batch; the figures are means over the epoch so far.
    fn on_batch_end(&mut self, batch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// After an epoch and its validation. What is set in `logs` goes into the history.
    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Logs, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// After the last epoch, however training ended, unless by an error.
    fn on_train_end(&mut self, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// What must survive an interruption: it goes into the backup ([`Fit::backup`](crate::models::Fit::backup)). Nothing by default.
    fn state(&self) -> CallbackState {
        CallbackState::default()
    }

    /// Takes up what [`Callback::state`] gave, in a training that goes on after an interruption. It follows
    /// [`Callback::on_train_begin`], and [`Callback::on_epoch_begin`] if that was in the middle of an epoch.
    ///
    /// # Errors
    ///
    /// [`Error::CallbackState`](crate::Error::CallbackState) if the state is another callback's.
    fn resume(&mut self, state: &CallbackState) -> Result<()> {
        Ok(())
    }
}
