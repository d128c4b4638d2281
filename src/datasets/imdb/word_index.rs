//! Keras' `imdb_word_index.json`: the words of the reviews and their ranks by frequency.
//!
//! Each rank has one word and each word one rank, from 1; any other file is an error. [`LoadData`](super::LoadData)
//! turns ranks into the ids of reviews.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::files::vocabulary::{Pairs, VocabularyError, VocabularyProblem, part};

/// Word index of the reviews: words and their frequency ranks, as Keras' `imdb.get_word_index` returns them.
///
/// [`LoadData::encode`](super::LoadData::encode) uses it to turn a text into ids, and
/// [`LoadData::decode`](super::LoadData::decode) to turn ids into a text.
///
/// ```
/// use bptt::datasets::imdb::WordIndex;
///
/// let words = WordIndex::from_json(r#"{"film": 2, "the": 1}"#)?;
/// assert_eq!(words.rank("film"), Some(2));
/// assert_eq!(words.word(1), Some("the"));
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordIndex {
    ranks: HashMap<String, u32>,
    words: HashMap<u32, String>,
}

impl WordIndex {
    /// Reads a word index from the file at this path: a JSON object of words with their ranks.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be read, a [`VocabularyError`] if it is not a word index.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let json = fs::read_to_string(path).map_err(Error::io("read", path))?;
        parse(&json).map_err(VocabularyError::of(Some(path)))
    }

    /// Reads a word index from the content of such a file.
    ///
    /// # Errors
    ///
    /// A [`VocabularyError`] as for [`load`](Self::load).
    pub fn from_json(json: &str) -> Result<Self> {
        parse(json).map_err(VocabularyError::of(None))
    }

    /// Returns the rank of a word, from 1 for the most frequent one.
    pub fn rank(&self, word: &str) -> Option<u32> {
        self.ranks.get(word).copied()
    }

    /// Returns the word of a rank.
    pub fn word(&self, rank: u32) -> Option<&str> {
        self.words.get(&rank).map(String::as_str)
    }

    /// Returns the number of words.
    pub fn len(&self) -> usize {
        self.ranks.len()
    }

    /// Returns whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    /// Returns the highest rank, or 0 if there are no words.
    pub(super) fn highest(&self) -> u32 {
        self.words.keys().copied().max().unwrap_or(0)
    }
}

fn parse(json: &str) -> std::result::Result<WordIndex, VocabularyProblem> {
    let Pairs(pairs) = part::<Pairs<String, u32>>("the file", json)?;
    let mut words: HashMap<u32, String> = HashMap::with_capacity(pairs.len());
    for (word, rank) in &pairs {
        if *rank == 0 {
            return Err(VocabularyProblem::RankZero { word: word.clone() });
        }
        if let Some(first) = words.insert(*rank, word.clone()) {
            return Err(VocabularyProblem::SameRank { first, second: word.clone(), rank: *rank });
        }
    }
    Ok(WordIndex { ranks: pairs.into_iter().collect(), words })
}

#[cfg(test)]
mod tests {
    use crate::datasets::imdb::WordIndex;

    #[test]
    fn files_that_are_no_word_index() {
        for (json, says) in [
            ("", "the file is not the JSON that it should be (EOF"),
            ("[\"the\"]", "expected an object of words with numbers"),
            ("{\"the\": \"one\"}", "invalid type: string \"one\""),
            ("{\"the\": -1}", "invalid value: integer `-1`"),
            ("{\"the\": 1, \"the\": 2}", "\"the\" stands there twice"),
            ("{\"the\": 0}", "the word \"the\" has the rank 0"),
            ("{\"the\": 1, \"a\": 1}", "the words \"the\" and \"a\" both have the rank 1"),
        ] {
            let message = WordIndex::from_json(json).unwrap_err().to_string();
            assert!(message.starts_with("cannot use the words: ") && message.contains(says), "{message}");
        }
        let message = WordIndex::load(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap_err().to_string();
        assert!(message.contains("Cargo.toml: the file is not the JSON"), "{message}");
    }
}
