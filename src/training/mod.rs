//! Training: data in, shards of batches through the network, gradients summed in a fixed order, the optimizer, callbacks.
//!
//! `data` and `targets` are the public edge, where samples and targets are checked once. `fit` is what one asks for, `epochs`
//! the loop, `feed` where its batches come from, `figures` what they add up to, `backup` how it outlives the process. `step`
//! runs one batch on `threads`, `window` cuts long sequences for it. `single` is one step, `gradients` a single look,
//! `evaluate` and `predict` are the loops without learning. `history` is what is left afterwards.
//!
//! A batch is cut into shards of [`SHARD`] samples whatever the number of threads, and their gradients are summed in
//! order: the same seed gives the same bits on 1, 2 or 64 threads. (On one machine: another instruction set rounds
//! differently.)

mod backup;
mod data;
mod epochs;
mod evaluate;
mod feed;
mod figures;
mod fit;
mod gradients;
mod history;
mod predict;
mod single;
mod step;
mod targets;
mod threads;
mod window;

pub use backup::BackupAndRestore;
pub use data::Samples;
pub use epochs::Training;
pub(crate) use evaluate::evaluate;
pub use fit::Fit;
pub use gradients::Gradients;
pub use history::{History, Logs};
pub use predict::Predictor;
pub use targets::Targets;
pub use window::Window;

pub(crate) use step::Room;
pub(crate) use targets::ArrangedTargets;
pub(crate) use threads::Threads;

/// Samples in a shard: enough for the products of a step, few enough that a batch of 64 feeds several threads.
pub(crate) const SHARD: usize = 32;
