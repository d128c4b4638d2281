//! Training data that come batch by batch, because they do not fit in memory or are made on the way.
//!
//! [`Model::fit_batches`](crate::models::Model::fit_batches) takes any [`Batches`]; while the model learns from one batch, another
//! thread has the next one made. Here are some that many need:
//!
//! | source | where its batches come from |
//! | --- | --- |
//! | [`from_iterator`] | an iterator, made anew for each epoch |
//! | [`NpyBatches`] | two `.npy` files, read in windows |
//! | [`Bucketed`] | sequences of many lengths in memory: batches of similar ones, padded no further than their longest |
//! | [`Shuffled`] | another source, through a buffer from which samples are drawn at random |

mod batch;
mod batches;
mod bucketed;
mod iterated;
mod layout;
mod npy;
mod samples;
mod shuffled;
mod targets;

pub use batch::{Batch, Inputs};
pub use batches::Batches;
pub use bucketed::Bucketed;
pub use iterated::{Iterated, from_iterator};
pub use npy::NpyBatches;
pub use samples::Samples;
pub(crate) use samples::{batch_first, write_batch_first};
pub use shuffled::Shuffled;
pub(crate) use targets::ArrangedTargets;
pub use targets::Targets;
