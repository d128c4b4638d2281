//! Texts as sequences of word indices: Keras' `Tokenizer`.
//!
//! With the same options and the same texts in the same order, words, counts, indices and sequences are those of Keras'
//! class, and either reads the other's files ([`Tokenizer::save`], [`Tokenizer::load`]). Index 0 belongs to no word; it
//! is for padding.

mod json;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// Keras' default for the characters that separate words: punctuation except the apostrophe, tab and line feed.
pub const FILTERS: &str = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n";

/// Tokenizer that learns the words of texts, the most frequent first, and turns texts into sequences of word indices.
///
/// A text is made lower case, each character of `filters` is replaced by `split`, and the text is split at each `split`
/// into words; empty ones are dropped. The word with the highest count has the index 1; words with equal counts are in
/// the order of their first occurrence.
///
/// | option | default | meaning |
/// | --- | --- | --- |
/// | [`num_words`](Self::num_words) | all | only indices below this number are output |
/// | [`filters`](Self::filters) | [`FILTERS`] | characters that separate words |
/// | [`lower`](Self::lower) | `true` | whether texts are made lower case |
/// | [`split`](Self::split) | `" "` | another separator of words |
/// | [`char_level`](Self::char_level) | `false` | whether every character is a word |
/// | [`oov_token`](Self::oov_token) | none | token for unknown words, with the index 1 |
///
/// Lower case follows Unicode, as in Python's `str.lower`. Unlike [`char::to_lowercase`], [`str::to_lowercase`] also
/// depends on the letters around a Greek sigma, as Python does (ς at the end of a word, otherwise σ). Rust and Python
/// differ only in letters that one of their Unicode versions does not have yet.
///
/// Not supported from Keras' class: `analyzer`, texts that are already lists of words, and the matrices of counts.
///
/// ```
/// use bptt::preprocessing::{Tokenizer, pad_sequences};
/// use ndarray::array;
///
/// let mut tokenizer = Tokenizer::new().oov_token("[OOV]");
/// tokenizer.fit_on_texts(["A film about a film.", "Über den Film: gut!"]);
/// assert_eq!(tokenizer.index("film"), Some(2));
/// assert_eq!(tokenizer.index("a"), Some(3));
///
/// let sequences = tokenizer.texts_to_sequences(["A good film", "ÜBER"]);
/// assert_eq!(sequences, [vec![3, 1, 2], vec![5]]);
/// assert_eq!(tokenizer.sequences_to_texts(&sequences), ["a [OOV] film", "über"]);
/// assert_eq!(pad_sequences(&sequences, 3), array![[3, 1, 2], [0, 0, 5]]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokenizer {
    num_words: Option<u32>,
    filters: String,
    lower: bool,
    split: String,
    char_level: bool,
    oov_token: Option<String>,
    document_count: u64,
    /// Words in the order of their first occurrence.
    words: Vec<Word>,
    /// Index of each word in `words`.
    positions: HashMap<String, usize>,
    /// Texts of the words by decreasing count, after `oov_token`.
    ranked: Vec<String>,
    /// Index of each word, from 1. If `oov_token` is also a word of the texts, it has that word's index, and no word
    /// has the index 1.
    word_index: HashMap<String, u32>,
}

/// Word of the texts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    text: String,
    /// Number of occurrences.
    count: u64,
    /// Number of texts with this word.
    documents: u64,
}

impl Default for Tokenizer {
    fn default() -> Self {
        Tokenizer {
            num_words: None,
            filters: FILTERS.into(),
            lower: true,
            split: " ".into(),
            char_level: false,
            oov_token: None,
            document_count: 0,
            words: Vec::new(),
            positions: HashMap::new(),
            ranked: Vec::new(),
            word_index: HashMap::new(),
        }
    }
}

impl Tokenizer {
    /// Returns a tokenizer without words, with the defaults of the table above.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number below which indices are output: 500 keeps the 499 most frequent words, or 498 and `oov_token`.
    /// All words are still counted and have an index. 0 keeps all, as in Keras.
    pub fn num_words(mut self, num_words: u32) -> Self {
        self.num_words = (num_words > 0).then_some(num_words);
        self
    }

    /// Sets the characters that separate words. Ignored with `char_level`.
    pub fn filters(mut self, filters: impl Into<String>) -> Self {
        self.filters = filters.into();
        self
    }

    /// Sets whether texts are made lower case.
    pub fn lower(mut self, lower: bool) -> Self {
        self.lower = lower;
        self
    }

    /// Sets the string that separates words, besides the characters of `filters`. An empty one, which Keras does not
    /// accept, makes every character a word. Ignored with `char_level`.
    pub fn split(mut self, split: impl Into<String>) -> Self {
        self.split = split.into();
        self
    }

    /// Sets whether every character is a word, including blanks and punctuation.
    pub fn char_level(mut self, char_level: bool) -> Self {
        self.char_level = char_level;
        self
    }

    /// Sets a token for words that are unknown or whose index is not below `num_words`; without it these words are left
    /// out. Its index is 1. Set it before the first call of [`fit_on_texts`](Self::fit_on_texts).
    pub fn oov_token(mut self, oov_token: impl Into<String>) -> Self {
        self.oov_token = Some(oov_token.into());
        self
    }

    /// Counts the words of these texts and ranks all words seen so far. A later call adds to the counts, so it may
    /// change the index of a word.
    pub fn fit_on_texts<T: AsRef<str>>(&mut self, texts: impl IntoIterator<Item = T>) {
        for text in texts {
            self.document_count = self.document_count.saturating_add(1);
            let mut here = HashSet::new();
            for text in self.cut(text.as_ref()) {
                let position = *self.positions.entry(text).or_insert_with_key(|text| {
                    self.words.push(Word { text: text.clone(), count: 0, documents: 0 });
                    self.words.len() - 1
                });
                let word = &mut self.words[position];
                word.count = word.count.saturating_add(1);
                word.documents = word.documents.saturating_add(here.insert(position).into());
            }
        }
        self.rank();
    }

    /// Returns the indices of the words of each text, in order. Words that are unknown, or whose index is not below
    /// `num_words`, have the index of [`oov_token`](Self::oov_token) or, without it, are left out.
    pub fn texts_to_sequences<T: AsRef<str>>(&self, texts: impl IntoIterator<Item = T>) -> Vec<Vec<u32>> {
        let oov = self.oov_index();
        let index = |word: String| self.index(&word).filter(|&index| self.puts_out(index)).or(oov);
        texts.into_iter().map(|text| self.cut(text.as_ref()).into_iter().filter_map(index).collect()).collect()
    }

    /// Returns the words of each sequence, joined by blanks, even with `char_level`. An index without a word, or not
    /// below `num_words`, becomes [`oov_token`](Self::oov_token) or, without it, is left out.
    pub fn sequences_to_texts<S: AsRef<[u32]>>(&self, sequences: impl IntoIterator<Item = S>) -> Vec<String> {
        let oov = self.oov_index().and_then(|index| self.word(index));
        let word = |&index: &u32| self.word(index).filter(|_| self.puts_out(index)).or(oov);
        let text = |sequence: S| sequence.as_ref().iter().filter_map(word).collect::<Vec<_>>().join(" ");
        sequences.into_iter().map(text).collect()
    }

    /// Returns the index of a word, even if it is not below `num_words`.
    pub fn index(&self, word: &str) -> Option<u32> {
        self.word_index.get(word).copied()
    }

    /// Returns the word of an index, even if the index is not below `num_words`.
    pub fn word(&self, index: u32) -> Option<&str> {
        let word = self.ranked.get(usize::try_from(index).ok()?.checked_sub(1)?)?;
        (self.index(word) == Some(index)).then_some(word)
    }

    /// Returns Keras' `word_index`: all words with their indices, in the order of the indices.
    pub fn word_index(&self) -> impl Iterator<Item = (&str, u32)> {
        let numbered = self.ranked.iter().zip(1..);
        numbered.filter(|&(word, index)| self.index(word) == Some(index)).map(|(word, index)| (word.as_str(), index))
    }

    /// Returns Keras' `word_counts`: all words of the texts with their numbers of occurrences, in the order of their
    /// first occurrence.
    pub fn word_counts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.words.iter().map(|word| (word.text.as_str(), word.count))
    }

    /// Returns the number of texts that were counted.
    pub fn document_count(&self) -> u64 {
        self.document_count
    }

    /// Returns the words of a text.
    fn cut(&self, text: &str) -> Vec<String> {
        let text = if self.lower { text.to_lowercase() } else { text.to_string() };
        if self.char_level {
            return text.chars().map(String::from).collect();
        }
        split_words(&text, &self.filters, &self.split)
    }

    /// Sets the index of every word.
    fn rank(&mut self) {
        let mut by_count: Vec<&Word> = self.words.iter().collect();
        // The sort is stable: words with equal counts stay in their order.
        by_count.sort_by_key(|word| Reverse(word.count));
        let words = by_count.into_iter().map(|word| word.text.clone());
        self.ranked = self.oov_token.iter().cloned().chain(words).collect();
        self.word_index = self.ranked.iter().cloned().zip(1..).collect();
    }

    fn oov_index(&self) -> Option<u32> {
        self.oov_token.as_deref().and_then(|token| self.index(token))
    }

    fn puts_out(&self, index: u32) -> bool {
        self.num_words.is_none_or(|num_words| index < num_words)
    }
}

/// Splits a text into words, at `split` and at each character of `filters`.
pub(crate) fn split_words(text: &str, filters: &str, split: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(text.len());
    for character in text.chars() {
        if filters.contains(character) {
            spaced.push_str(split);
        } else {
            spaced.push(character);
        }
    }
    spaced.split(split).filter(|word| !word.is_empty()).map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use crate::preprocessing::Tokenizer;

    #[test]
    fn before_any_text_nothing_is_known() {
        let tokenizer = Tokenizer::new().oov_token("?");
        assert_eq!(tokenizer.texts_to_sequences(["a b"]), [vec![0; 0]]);
        assert_eq!(tokenizer.sequences_to_texts([[0, 1]]), [""]);
        assert_eq!(tokenizer.word_index().count(), 0);
    }

    #[test]
    fn an_empty_split_cuts_between_characters() {
        let mut tokenizer = Tokenizer::new().split("");
        tokenizer.fit_on_texts(["ab, b"]);
        assert_eq!(tokenizer.word_counts().collect::<Vec<_>>(), [("a", 1), ("b", 2), (" ", 1)]);
    }
}
