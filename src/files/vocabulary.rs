//! What files of words have in common: JSON objects whose order counts, and what can be wrong with them.
//!
//! Used by `preprocessing/tokenizer/json.rs` and `datasets/imdb/word_index.rs`.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Error;

/// A refused file of words: of a [`Tokenizer`](crate::preprocessing::Tokenizer), or a word index. It arrives as
/// [`Error::Other`](crate::Error::Other).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use {}: {problem}", path.as_deref().map_or("the words".into(), Path::to_string_lossy))]
#[non_exhaustive]
pub struct VocabularyError {
    /// The file, if it was given as a path.
    pub path: Option<PathBuf>,
    /// What is wrong with it.
    pub problem: VocabularyProblem,
}

impl VocabularyError {
    /// The error of the crate for a file, or for text that came from elsewhere.
    pub(crate) fn of(path: Option<&Path>) -> impl FnOnce(VocabularyProblem) -> Error {
        move |problem| Error::other(VocabularyError { path: path.map(PathBuf::from), problem })
    }
}

/// Problem of a file of words; [`VocabularyError`] names the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VocabularyProblem {
    /// No JSON, or not of the kind that is needed.
    #[error("{part} is not the JSON that it should be ({reason}); write or download the file anew")]
    Json {
        /// The file, or the entry of it.
        part: &'static str,
        /// What the reader of JSON said.
        reason: String,
    },
    /// The JSON of another of Keras' classes.
    #[error("its class_name is {found:?}, not \"Tokenizer\"; pass what Tokenizer.to_json gave")]
    Class {
        /// The name.
        found: String,
    },
    /// An entry that does not follow from the words and their counts.
    #[error(
        "its {part} does not agree with its word_counts and oov_token; write the file anew, from a Tokenizer as it was fitted"
    )]
    Contradiction {
        /// The entry.
        part: &'static str,
    },
    /// A rank in a word index that is not one.
    #[error("the word {word:?} has the rank 0, but ranks count from 1; write or download the file anew")]
    RankZero {
        /// The word.
        word: String,
    },
    /// Two words with one rank.
    #[error("the words {first:?} and {second:?} both have the rank {rank}; write or download the file anew")]
    SameRank {
        /// One of them.
        first: String,
        /// The other one.
        second: String,
        /// Their rank.
        rank: u32,
    },
}

/// Reads JSON that stands in this part of the file.
pub(crate) fn part<T: DeserializeOwned>(part: &'static str, json: &str) -> Result<T, VocabularyProblem> {
    serde_json::from_str(json).map_err(|error| VocabularyProblem::Json { part, reason: error.to_string() })
}

/// The entries of a JSON object in their order. No key may stand there twice.
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
