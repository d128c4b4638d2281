//! Shared parts of files of words: JSON objects with ordered entries, and the errors of such files.
//!
//! Used by `preprocessing/tokenizer/json.rs` and `datasets/imdb/word_index.rs`.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Error;

/// Error for a file of words, of a [`Tokenizer`](crate::preprocessing::Tokenizer) or a word index, that cannot be used.
/// It is returned as an [`Error::Other`](crate::Error::Other).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use {}: {problem}", path.as_deref().map_or("the words".into(), Path::to_string_lossy))]
#[non_exhaustive]
pub struct VocabularyError {
    /// File, if it was given as a path.
    pub path: Option<PathBuf>,
    /// Problem of the file.
    pub problem: VocabularyProblem,
}

impl VocabularyError {
    /// Returns the crate's error for a file, or without a path for other text.
    pub(crate) fn of(path: Option<&Path>) -> impl FnOnce(VocabularyProblem) -> Error {
        move |problem| Error::other(VocabularyError { path: path.map(PathBuf::from), problem })
    }
}

/// Problem of a file of words; [`VocabularyError`] names the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VocabularyProblem {
    /// Not JSON, or not JSON of the needed form.
    #[error("{part} is not the JSON that it should be ({reason}); write or download the file anew")]
    Json {
        /// File, or its entry.
        part: &'static str,
        /// Reason given by the JSON reader.
        reason: String,
    },
    /// JSON of another of Keras' classes.
    #[error("its class_name is {found:?}, not \"Tokenizer\"; pass what Tokenizer.to_json gave")]
    Class {
        /// Name of that class.
        found: String,
    },
    /// Entry that does not agree with the words and their counts.
    #[error(
        "its {part} does not agree with its word_counts and oov_token; write the file anew, from a Tokenizer as it was fitted"
    )]
    Contradiction {
        /// Entry.
        part: &'static str,
    },
    /// Rank 0 in a word index, whose ranks count from 1.
    #[error("the word {word:?} has the rank 0, but ranks count from 1; write or download the file anew")]
    RankZero {
        /// Word.
        word: String,
    },
    /// Two words with the same rank.
    #[error("the words {first:?} and {second:?} both have the rank {rank}; write or download the file anew")]
    SameRank {
        /// One of the words.
        first: String,
        /// The other word.
        second: String,
        /// Their rank.
        rank: u32,
    },
}

/// Parses the JSON of this part of the file.
pub(crate) fn part<T: DeserializeOwned>(part: &'static str, json: &str) -> Result<T, VocabularyProblem> {
    serde_json::from_str(json).map_err(|error| VocabularyProblem::Json { part, reason: error.to_string() })
}

/// Entries of a JSON object in their order. No key may occur twice.
pub(crate) struct Pairs<K, V>(pub(crate) Vec<(K, V)>);

impl<K: Serialize, V: Serialize> Serialize for Pairs<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<String, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Entries<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
    type Value = Pairs<String, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of words with numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut pairs, mut keys) = (Vec::new(), HashSet::new());
        while let Some((key, value)) = map.next_entry::<String, V>()? {
            if !keys.insert(key.clone()) {
                return Err(A::Error::custom(format!("{key:?} stands there twice")));
            }
            pairs.push((key, value));
        }
        Ok(Pairs(pairs))
    }
}
