//! Callbacks: what is done while a model trains, such as stopping, saving and logging.
//!
//! | Callback | Meaning |
//! | --- | --- |
//! | [`EarlyStopping`] | Stops when a figure no longer improves, and can restore the best weights |
//! | [`ModelCheckpoint`] | Saves the model: every epoch, every few batches, or only the best |
//! | [`ReduceLROnPlateau`] | Lowers the learning rate when a figure no longer improves |
//! | [`LearningRateScheduler`] | Sets the learning rate of each epoch by a function |
//! | [`CsvLogger`] | Writes the figures of all epochs to a file |
//! | [`TerminateOnNaN`] | Stops when the loss is NaN or infinite |
//! | `ProgressBar` (feature `progress`) | Shows progress on a terminal |
//! | `StopOnInterrupt` (feature `interrupt`) | Stops cleanly on Ctrl-C |
//! | [`LambdaCallback`] | Calls closures |
//! | [`Callback`] | The trait, for callbacks of your own |
//!
//! [`Fit::callback`](crate::models::Fit::callback) borrows a callback, so it can be asked for its results afterwards:
//!
//! ```
//! use bptt::prelude::*;
//! use ndarray::array;
//!
//! let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(1), 42)?;
//! model.compile(Sgd::new(0.1), MeanSquaredError);
//! let (x, y) = (array![[0.0_f32], [1.0]], array![1.0_f32, 3.0]);
//!
//! let mut stopping = EarlyStopping::new().monitor("loss").patience(2).min_delta(0.01);
//! let history = model.fit(&x, &y, Fit::new().epochs(1000).callback(&mut stopping))?;
//! assert!(history.epochs() < 1000);
//! assert_eq!(stopping.stopped_epoch(), Some(history.epochs()));
//! # Ok::<(), bptt::Error>(())
//! ```
//!
//! The order of calls is that of Keras: `on_train_begin`; for each epoch `on_epoch_begin`, for each batch `on_batch_end`,
//! then validation if it is due and `on_epoch_end`; finally `on_train_end`. At each moment callbacks run in the order in which
//! they were added. They share one [`Logs`](crate::models::Logs), which enters the history after the last of them. If
//! [`Training::stop`] ends an epoch early, its validation, `on_epoch_end` and `on_train_end` still run.
//!
//! Keras' `BackupAndRestore` is an option of the training, [`Fit::backup`](crate::models::Fit::backup), because it holds the
//! state of all callbacks.

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
