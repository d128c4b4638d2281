//! From raw sequences to the arrays a model takes: padding to one length, and a split into two parts.
//!
//! Contract: [`pad_sequences`] pads and truncates as Keras' function of that name does, [`train_test_split`] picks the
//! very samples that scikit-learn's picks for the same `random_state`. Token ids are `u32`; 0 is padding unless told.
//!
//! Read next: `pad_sequences.rs`, then `train_test_split.rs`.

mod pad_sequences;
mod train_test_split;

pub use pad_sequences::{PadSequences, Side, pad_sequences};
pub use train_test_split::{SplitIndices, TrainTestSplit, split_indices, train_test_split};
