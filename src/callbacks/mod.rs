//! What can be done while a model trains: stop it, save it, show it.
//!
//! A [`Callback`] has a hook for each moment, all of which do nothing by default. [`Fit::callback`](crate::Fit::callback)
//! borrows it, so it can be asked afterwards, as [`EarlyStopping::best_epoch`].

mod early_stopping;
mod model_checkpoint;
mod monitor;
#[cfg(feature = "progress")]
mod progress;

pub use early_stopping::EarlyStopping;
pub use model_checkpoint::ModelCheckpoint;
pub use monitor::Mode;
#[cfg(feature = "progress")]
pub use progress::ProgressBar;

use crate::error::Result;
use crate::scalar::Scalar;
use crate::training::{Logs, Training};

/// Hooks into training. Epochs and batches count from 0 here, as in Keras.
///
/// An error from a hook ends training and is what `fit` returns.
///
/// ```
/// use bptt::callbacks::Callback;
/// use bptt::{Logs, Result, Scalar, Training};
///
/// /// Stops once the loss is good enough.
/// struct GoodEnough(f64);
///
/// impl<F: Scalar> Callback<F> for GoodEnough {
///     fn on_epoch_end(&mut self, _: usize, logs: &mut Logs, training: &mut Training<'_, F>) -> Result<()> {
///         if logs.get("loss").is_some_and(|loss| loss < self.0) {
///             training.stop();
///         }
///         Ok(())
///     }
/// }
/// ```
#[allow(unused_variables, reason = "the hooks do nothing by default")]
pub trait Callback<F: Scalar> {
    /// Before the first epoch; the place to find out what would fail later.
    fn on_train_begin(&mut self, training: &mut Training<'_, F>) -> Result<()> {
        Ok(())
    }

    /// Before an epoch.
    fn on_epoch_begin(&mut self, epoch: usize, training: &mut Training<'_, F>) -> Result<()> {
        Ok(())
    }

    /// After a batch; the figures are means over the epoch so far.
    fn on_batch_end(&mut self, batch: usize, logs: &Logs, training: &mut Training<'_, F>) -> Result<()> {
        Ok(())
    }

    /// After an epoch and its validation. What is set in `logs` goes into the history.
    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Logs, training: &mut Training<'_, F>) -> Result<()> {
        Ok(())
    }

    /// After the last epoch, however training ended, unless by an error.
    fn on_train_end(&mut self, logs: &Logs, training: &mut Training<'_, F>) -> Result<()> {
        Ok(())
    }
}
