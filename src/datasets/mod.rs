//! Data sets of movie reviews, as a [`Corpus`] of training and test [`Reviews`].
//!
//! | Item | Meaning |
//! | --- | --- |
//! | [`Synthetic`] | Synthetic corpus in the form of IMDB's, generated from a seed without files |
//! | `imdb` (feature `imdb`) | IMDB's reviews, read from Keras' own file, and their word index |
//! | `cache` (feature `imdb`) | Search for Keras' files on this machine |
//! | `download` (feature `download`) | Download of Keras' files |
//!
//! ```
//! use bptt::datasets::Synthetic;
//! let corpus = Synthetic::new(7).train(4).test(2).generate()?;
//! assert_eq!(corpus.train.labels.len(), 4);
//! assert_eq!(corpus.train.sequences[0][0], 1); // the start of a review
//! # Ok::<(), bptt::Error>(())
//! ```

#[cfg(feature = "imdb")]
pub mod cache;
#[cfg(feature = "download")]
pub mod download;
#[cfg(feature = "imdb")]
pub mod imdb;
pub mod synthetic;

pub use synthetic::Synthetic;

/// Reviews as sequences of word ids, and their labels. Both have the same length.
///
/// ```
/// use bptt::datasets::Reviews;
///
/// let reviews = Reviews { sequences: vec![vec![1, 14, 22], vec![1, 9]], labels: vec![1, 0] };
/// assert_eq!(reviews.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reviews {
    /// Word ids of each review: 1 is the start, 2 a word outside the vocabulary, and any other id the word's frequency
    /// rank (from 1) plus 3. Id 0 never occurs; it is for padding.
    pub sequences: Vec<Vec<u32>>,
    /// Label of each review: 1 for a favourable one, 0 for an unfavourable one.
    pub labels: Vec<u8>,
}

impl Reviews {
    /// Returns the number of reviews.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Returns whether there are no reviews.
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }
}

/// Training and test reviews.
///
/// ```
/// use bptt::datasets::{Corpus, Synthetic};
///
/// let Corpus { train, test } = Synthetic::new(7).train(4).test(2).generate()?;
/// assert_eq!((train.len(), test.len()), (4, 2));
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Corpus {
    /// Reviews for training and validation.
    pub train: Reviews,
    /// Reviews for the final evaluation.
    pub test: Reviews,
}
