//! From texts and raw sequences to the arrays a model takes: words as numbers, one length for all, a split into two parts.
//!
//! Contract: [`Tokenizer`] and [`pad_sequences`] do what Keras' class and function of that name do, [`train_test_split`] picks
//! the very samples that scikit-learn's picks for the same `random_state`. Token ids are `u32`; 0 is padding unless told.
//!
//! Read next: `tokenizer.rs`, then `pad_sequences.rs`, then `train_test_split.rs`.

mod pad_sequences;
mod tokenizer;
mod train_test_split;

#[doc(inline)]
pub use crate::files::vocabulary::{VocabularyError, VocabularyProblem};
pub use pad_sequences::{PadSequences, Side, pad_sequences};
#[cfg(feature = "imdb")]
pub(crate) use tokenizer::split_words;
pub use tokenizer::{FILTERS, Tokenizer};
pub use train_test_split::{SplitIndices, TrainTestSplit, split_indices, train_test_split};
