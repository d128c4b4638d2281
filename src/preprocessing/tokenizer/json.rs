//! File of a tokenizer: the JSON of Keras' `Tokenizer.to_json`.
//!
//! Keras' `tokenizer_from_json` reads the file, and a file of Keras' `to_json` is read here. Five of its entries are
//! strings that contain JSON again. Three of these follow from the others; if they do not agree, the file is an error.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Tokenizer, Word};
use crate::error::{Error, Result};
use crate::files::vocabulary::{Pairs, VocabularyError, VocabularyProblem, part};
use crate::files::whole;

/// Name of Keras' class.
const CLASS_NAME: &str = "Tokenizer";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    class_name: String,
    config: Config,
}

/// Configuration of Keras' `get_config`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    num_words: Option<u32>,
    filters: String,
    lower: bool,
    split: String,
    char_level: bool,
    oov_token: Option<String>,
    document_count: u64,
    word_counts: String,
    word_docs: String,
    index_docs: String,
    index_word: String,
    word_index: String,
}

/// Entries that follow from the words and their counts.
struct Derived {
    word_index: HashMap<String, u32>,
    index_word: BTreeMap<u32, String>,
    index_docs: BTreeMap<u32, u64>,
}

impl Tokenizer {
    /// Writes options and words to a file that Keras also reads (`tokenizer_from_json`). The file is complete or
    /// absent.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be written.
    ///
    /// ```
    /// use bptt::preprocessing::Tokenizer;
    ///
    /// let mut tokenizer = Tokenizer::new().num_words(100);
    /// tokenizer.fit_on_texts(["to be or not to be"]);
    /// let path = std::env::temp_dir().join("bptt-doc-tokenizer.json");
    /// tokenizer.save(&path)?;
    /// assert_eq!(Tokenizer::load(&path)?, tokenizer);
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok::<(), bptt::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        whole::write(path.as_ref(), self.to_json()?.as_bytes())
    }

    /// Reads a file that [`save`](Self::save) or Keras' `to_json` wrote.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file does not exist or cannot be read, a [`VocabularyError`] if it is not such a file or
    /// one of its parts contradicts another.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let json = fs::read_to_string(path).map_err(Error::io("read", path))?;
        parse(&json).map_err(VocabularyError::of(Some(path)))
    }

    /// Returns the content of a file, as [`save`](Self::save) writes it.
    ///
    /// # Errors
    ///
    /// [`Error::Options`] if it cannot be written as JSON, which does not occur.
    pub fn to_json(&self) -> Result<String> {
        self.json().map_err(|source| Error::options(CLASS_NAME, source))
    }

    /// Reads the content of a file, as [`load`](Self::load) does.
    ///
    /// # Errors
    ///
    /// A [`VocabularyError`] as for [`load`](Self::load).
    pub fn from_json(json: &str) -> Result<Self> {
        parse(json).map_err(VocabularyError::of(None))
    }

    fn json(&self) -> serde_json::Result<String> {
        let text = serde_json::to_string::<Pairs<&str, u64>>;
        let derived = self.derived();
        let config = Config {
            num_words: self.num_words,
            filters: self.filters.clone(),
            lower: self.lower,
            split: self.split.clone(),
            char_level: self.char_level,
            oov_token: self.oov_token.clone(),
            document_count: self.document_count,
            word_counts: text(&Pairs(self.word_counts().collect()))?,
            word_docs: text(&Pairs(self.words.iter().map(|word| (word.text.as_str(), word.documents)).collect()))?,
            index_docs: serde_json::to_string(&derived.index_docs)?,
            index_word: serde_json::to_string(&derived.index_word)?,
            word_index: serde_json::to_string(&Pairs(self.word_index().collect()))?,
        };
        serde_json::to_string(&File { class_name: CLASS_NAME.into(), config })
    }

    fn derived(&self) -> Derived {
        let documents = self.words.iter().filter_map(|word| Some((self.index(&word.text)?, word.documents)));
        Derived {
            word_index: self.word_index.clone(),
            index_word: self.word_index().map(|(word, index)| (index, word.into())).collect(),
            index_docs: documents.collect(),
        }
    }
}

fn parse(json: &str) -> std::result::Result<Tokenizer, VocabularyProblem> {
    let File { class_name, config } = part("the file", json)?;
    if class_name != CLASS_NAME {
        return Err(VocabularyProblem::Class { found: class_name });
    }
    let Pairs(counts) = part::<Pairs<String, u64>>("word_counts", &config.word_counts)?;
    let Pairs(documents) = part::<Pairs<String, u64>>("word_docs", &config.word_docs)?;
    let documents: HashMap<String, u64> = documents.into_iter().collect();
    if documents.len() != counts.len() {
        return Err(VocabularyProblem::Contradiction { part: "word_docs" });
    }

    let mut tokenizer = Tokenizer {
        num_words: config.num_words.filter(|&num_words| num_words > 0),
        filters: config.filters,
        lower: config.lower,
        split: config.split,
        char_level: config.char_level,
        oov_token: config.oov_token,
        document_count: config.document_count,
        ..Tokenizer::default()
    };
    for (text, count) in counts {
        let Some(&documents) = documents.get(&text) else {
            return Err(VocabularyProblem::Contradiction { part: "word_docs" });
        };
        tokenizer.positions.insert(text.clone(), tokenizer.words.len());
        tokenizer.words.push(Word { text, count, documents });
    }
    let index = part::<HashMap<String, u32>>("word_index", &config.word_index)?;
    // Before the first text there is no index, not even for `oov_token`.
    if !index.is_empty() || !tokenizer.words.is_empty() {
        tokenizer.rank();
    }

    let Derived { word_index, index_word, index_docs } = tokenizer.derived();
    let agree = [
        ("word_index", index == word_index),
        ("index_word", part::<BTreeMap<u32, String>>("index_word", &config.index_word)? == index_word),
        ("index_docs", part::<BTreeMap<u32, u64>>("index_docs", &config.index_docs)? == index_docs),
    ];
    match agree.into_iter().find(|(_, agrees)| !agrees) {
        Some((part, _)) => Err(VocabularyProblem::Contradiction { part }),
        None => Ok(tokenizer),
    }
}
