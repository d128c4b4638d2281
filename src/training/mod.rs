//! Training: data in, shards of batches through the network, gradients summed in a fixed order, the optimizer, callbacks.
//!
//! `fit` is what one asks for, `epochs`
//! the loop, `feed` where its batches come from, `figures` what they add up to, `backup` how it outlives the process. `step`
//! runs one batch on `threads`, `window` cuts long sequences for it. `single` is one step, `gradients` a single look,
//! `evaluate` and `predict` are the loops without learning.
//!
//! A batch is cut into shards (`step`) whatever the number of threads, and their gradients are summed in order: the
//! same seed gives the same bits on 1, 2 or 64 threads. (On one machine: another instruction set rounds differently.)

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
