//! What can be done while a model trains: stop it, save it, show it.
//!
//! A [`Callback`] has a hook for each moment, all of which do nothing by default. [`Fit::callback`](crate::models::Fit::callback)
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
//! The order of calls is that of Keras: `on_train_begin`; for each epoch `on_epoch_begin`, for each batch
//! `on_batch_end`, validation if it is due, `on_epoch_end`; last `on_train_end`. At each moment the callbacks are
//! called in the order in which they were added. They share one [`Logs`](crate::models::Logs), which goes into the
//! history when the last has seen it. A training that [`Training::stop`] ends in the middle of an epoch still gets that
//! epoch's validation, `on_epoch_end` and `on_train_end`.
//!
//! Keras' `BackupAndRestore` is an option of the training, [`Fit::backup`](crate::models::Fit::backup), for it holds the state of
//! all callbacks.

mod csv_logger;
mod early_stopping;
mod file_name;
#[cfg(feature = "interrupt")]
mod interrupt;
mod lambda;
mod learning_rate;
mod model_checkpoint;
#[cfg(feature = "progress")]
mod progress;
mod terminate_on_nan;

pub use crate::history::Mode;
pub use crate::training::{Callback, CallbackState, Training};
pub use csv_logger::CsvLogger;
pub use early_stopping::EarlyStopping;
#[cfg(feature = "interrupt")]
pub use interrupt::StopOnInterrupt;
pub use lambda::LambdaCallback;
pub use learning_rate::{LearningRateScheduler, ReduceLROnPlateau};
pub use model_checkpoint::ModelCheckpoint;
#[cfg(feature = "progress")]
pub use progress::ProgressBar;
pub use terminate_on_nan::TerminateOnNaN;
