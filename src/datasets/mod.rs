//! Data sets to learn from and to test with, all of the same shape: a [`Corpus`] of [`Reviews`].
//!
//! `imdb` (feature `imdb`) reads the movie reviews from Keras' own file, and its list of words; `cache` and `download` are
//! about where these files come from. `synthetic` makes a corpus of the same shape when there is none.
//!
//! `sequences` and `labels` of one [`Reviews`] have the same length; an id 0 never occurs (it is left to padding).

#[cfg(feature = "imdb")]
pub mod cache;
#[cfg(feature = "download")]
pub mod download;
#[cfg(feature = "imdb")]
pub mod imdb;
pub mod synthetic;

pub use synthetic::Synthetic;

/// Reviews as sequences of word ids, and their labels.
///
/// # Example
///
/// ```
/// use bptt::datasets::Reviews;
///
/// let reviews = Reviews { sequences: vec![vec![1, 14, 22], vec![1, 9]], labels: vec![1, 0] };
/// assert_eq!(reviews.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reviews {
    /// One review each, from its first word to its last: 1 marks the start, 2 stands for a word outside the vocabulary,
    /// any other id is the word's frequency rank (from 1) plus 3.
    pub sequences: Vec<Vec<u32>>,
    /// One label per review, in the same order: 1 for a favourable review, 0 for an unfavourable one.
    pub labels: Vec<u8>,
}

impl Reviews {
    /// The number of reviews.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Whether there is no review at all.
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }
}

/// A corpus as it is handed out: the part to learn from and the part to be judged on.
///
/// # Example
///
/// ```
/// use bptt::datasets::{Corpus, Synthetic};
///
/// # fn main() -> bptt::Result<()> {
/// let Corpus { train, test } = Synthetic::new(7).train(4).test(2).generate()?;
/// assert_eq!((train.len(), test.len()), (4, 2));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Corpus {
    /// The reviews to learn from; a validation part is split off these.
    pub train: Reviews,
    /// The reviews kept aside for the final figure.
    pub test: Reviews,
}
