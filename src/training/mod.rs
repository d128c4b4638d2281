//! Training: data in, shards of batches through the network, gradients summed in a fixed order, the optimizer, callbacks.
//!
//! `data` is the public edge, where samples and targets are checked once. `step` runs one batch. `fit` is the loop over
//! epochs, `gradients` a single look, `evaluate` the loop without learning. `history` is what is left afterwards.
//!
//! A batch is cut into shards of [`SHARD`] samples whatever the number of threads, and their gradients are summed in
//! order: the same seed gives the same bits on 1, 2 or 64 threads. (On one machine: another instruction set rounds
//! differently.)

mod data;
mod evaluate;
mod fit;
mod gradients;
mod history;
mod step;
mod threads;

pub use data::{Samples, Targets};
pub(crate) use evaluate::{evaluate, predict};
pub use fit::{Fit, Training};
pub use gradients::Gradients;
pub use history::{History, Logs};

pub(crate) use step::apply_gradients;
pub(crate) use threads::Threads;

/// Samples in a shard: enough for the products of a step, few enough that a batch of 64 feeds several threads.
pub(crate) const SHARD: usize = 32;
