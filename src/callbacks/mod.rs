//! What can be done while a model trains: stop it, save it, show it.
//!
//! A [`Callback`] has a hook for each moment, all of which do nothing by default. [`Fit::callback`](crate::Fit::callback)
//! borrows it, so it can be asked afterwards, as [`EarlyStopping::best_epoch`].
//!
//! | callback | what it does |
//! | --- | --- |
//! | [`EarlyStopping`] | ends training when a figure has stopped getting better, and puts the best weights back |
//! | [`ModelCheckpoint`] | saves the model: every epoch, every few batches, or only the best |
//! | [`ReduceLROnPlateau`] | lowers the learning rate when a figure has stopped getting better |
//! | [`LearningRateScheduler`] | sets the learning rate of each epoch by a function |
//! | [`CsvLogger`] | writes the figures so far to a file after each epoch |
//! | [`TerminateOnNaN`] | ends training when the loss is no number any more |
//! | `ProgressBar` (feature `progress`) | shows training on a terminal, or in lines |
//! | `StopOnInterrupt` (feature `interrupt`) | ends training cleanly on Ctrl-C |
//! | [`LambdaCallback`] | closures |
//!
//! The order of calls is that of Keras: `on_train_begin`; for each epoch `on_epoch_begin`, for each batch `on_batch_end`,
//! validation if it is due, `on_epoch_end`; last `on_train_end`. At each moment the callbacks are called in the order in
//! which they were added. They share one [`Logs`], which goes into the history when the last has seen it. A training that
//! [`Training::stop`] ends in the middle of an epoch still gets that epoch's validation, `on_epoch_end` and `on_train_end`.
//!
//! Keras' `BackupAndRestore` is an option of the training, [`Fit::backup`](crate::Fit::backup), for it holds the state of
//! all callbacks.

mod csv_logger;
mod early_stopping;
mod file_name;
#[cfg(feature = "interrupt")]
mod interrupt;
mod lambda;
mod learning_rate;
mod model_checkpoint;
mod monitor;
#[cfg(feature = "progress")]
mod progress;
mod state;
mod terminate_on_nan;

pub use csv_logger::CsvLogger;
pub use early_stopping::EarlyStopping;
#[cfg(feature = "interrupt")]
pub use interrupt::StopOnInterrupt;
pub use lambda::LambdaCallback;
pub use learning_rate::{LearningRateScheduler, ReduceLROnPlateau};
pub use model_checkpoint::ModelCheckpoint;
pub use monitor::Mode;
#[cfg(feature = "progress")]
pub use progress::ProgressBar;
pub use state::CallbackState;
pub use terminate_on_nan::TerminateOnNaN;

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

    /// What must survive an interruption: it goes into the backup ([`Fit::backup`](crate::Fit::backup)). Nothing by default.
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
