//! Training: data in, shards of batches through the network, gradients summed in a fixed order, the optimizer, callbacks.
//!
//! `data` and `targets` are the public edge, where samples and targets are checked once. `fit` is what one asks for, `epochs`
//! the loop, `feed` where its batches come from, `figures` what they add up to, `backup` how it outlives the process. `step`
//! runs one batch on `threads`, `window` cuts long sequences for it. `single` is one step, `gradients` a single look,
//! `evaluate` and `predict` are the loops without learning. `history` is what is left afterwards.
//!
//! A batch is cut into shards ([`shard_of`]) whatever the number of threads, and their gradients are summed in order: the
//! same seed gives the same bits on 1, 2 or 64 threads. (On one machine: another instruction set rounds differently.)

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

/// Samples in a shard of a large batch: enough for the products of a step.
const SHARD: usize = 32;

/// Samples in each shard of a batch of so many, the last of which may have fewer. A batch too small for two whole shards is
/// halved, so that it feeds two threads; eight samples or fewer are not worth it.
fn shard_of(batch: usize) -> usize {
    batch.div_ceil(2).clamp(8, SHARD)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_batch_is_whole_shards_or_two_halves() {
        for (batch, shard) in [(1, 8), (8, 8), (15, 8), (17, 9), (32, 16), (63, 32), (64, 32), (1000, 32)] {
            assert_eq!(super::shard_of(batch), shard, "of {batch}");
        }
    }
}
