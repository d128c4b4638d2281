//! Data for training: arrays in memory, and sources that make one batch after the other.
//!
//! | Item | Meaning |
//! | --- | --- |
//! | [`Samples`], [`Targets`] | Arrays for [`Model::fit`](crate::models::Model::fit), made by `into` from references |
//! | [`Batches`] | The trait of sources of batches |
//! | [`Batch`], [`Inputs`] | One batch of a source |
//! | [`from_iterator`] | Source of batches from an iterator, made anew for each epoch |
//! | [`NpyBatches`] | Source that reads two `.npy` files |
//! | [`Bucketed`] | Source of batches of similar sequence lengths, with little padding |
//! | [`Shuffled`] | Another source, shuffled in a buffer |
//!
//! [`Model::fit_batches`](crate::models::Model::fit_batches) takes any [`Batches`], for data that do not fit in memory. A
//! second thread makes the next batch while the model learns from one.
//!
//! ```
//! use bptt::prelude::*;
//! use bptt::data::Bucketed;
//!
//! let reviews = [vec![5, 6, 7, 8], vec![1], vec![2, 3], vec![9, 9, 9]];
//! let layers = Sequential::new().add(Embedding::new(10, 4)).add(Gru::new(2));
//! let mut model = layers.add(Dense::new(1).activation(Activation::Sigmoid)).build(Form::tokens(None), 42)?;
//! model.compile(Adam::new(0.05), BinaryCrossentropy::new());
//! let mut source = Bucketed::tokens(&reviews, &[1, 0, 0, 1], 2)?;
//! let history = model.fit_batches(&mut source, Fit::new().epochs(20))?;
//! let loss = history.get("loss");
//! assert!(loss[19] < loss[0]);
//! # Ok::<(), bptt::Error>(())
//! ```

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
