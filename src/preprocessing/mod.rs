//! Preprocessing: texts and sequences of any length as arrays for a model.
//!
//! | Item | Meaning |
//! | --- | --- |
//! | [`Tokenizer`] | Words as numbers, as in Keras' class of the same name |
//! | [`pad_sequences`], [`PadSequences`] | Sequences of one length, as in Keras' function |
//! | [`train_test_split`], [`split_indices`] | Random split in two parts, as in scikit-learn's function |
//!
//! ```
//! use bptt::preprocessing::{Tokenizer, pad_sequences};
//! use ndarray::array;
//!
//! let texts = ["the film is good", "bad"];
//! let mut tokenizer = Tokenizer::new();
//! tokenizer.fit_on_texts(texts);
//! let x = pad_sequences(&tokenizer.texts_to_sequences(texts), 4);
//! assert_eq!(x, array![[1, 2, 3, 4], [0, 0, 0, 5]]);
//! ```
//!
//! Results equal those of the originals, for [`train_test_split`] with the same `random_state`. Token ids are `u32`; 0
//! is padding by default.

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
