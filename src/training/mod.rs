//! Training: shards of batches through the network, gradients summed in a fixed order, the optimizer, callbacks.
//!
//! `fit` has the options, `epochs` the loop, `feed` the source of batches, `figures` the loss and metrics, `backup` the file
//! from which a training continues. `step` runs one batch on `threads`, and `window` cuts long sequences for it. `single` is
//! one training step, `look` computes gradients, `evaluate` and `predict` are the loops without learning.
//!
//! A batch is cut into shards (`step`) whatever the number of threads, and their gradients are summed in order, so the same
//! seed gives the same bits on any number of threads. (Another instruction set rounds differently.)

mod backup;
mod callback;
mod callback_state;
mod epochs;
mod evaluate;
mod feed;
mod figures;
mod fit;
mod look;
mod once;
mod predict;
mod single;
mod step;
mod view;
mod window;

pub use backup::BackupAndRestore;
pub use callback::Callback;
pub use callback_state::CallbackState;
pub use fit::Fit;
pub use look::Gradients;
pub(crate) use once::{gradients, train_batch};
pub use predict::Predictor;
pub use view::Training;
pub use window::Window;
