//! IMDB movie reviews, read from Keras' own `imdb.npz` with the semantics of Keras' `load_data`.
//!
//! With the same options, the reviews, the labels and their order are exactly those of Keras. The file is not trusted:
//! nothing in it is executed, and no content makes the reader panic or take more than a bounded amount of memory (each
//! array at most 2^20 reviews, 2^24 words and 128 MiB).
//!
//! In `imdb/`, `npz` opens the archive, `npy` reads the header of a member and the labels, `pickle` reads the reviews,
//! and `problem` lists the errors. `word_index` reads Keras' list of words, which turns texts into such reviews and
//! back.

mod npy;
mod npz;
mod pickle;
mod problem;
mod word_index;

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::ops::Range;
use std::path::{Path, PathBuf};

use npz::Npz;
pub use problem::{NpzError, NpzProblem};
pub use word_index::WordIndex;

use super::{Corpus, Reviews};
use crate::error::{Error, Result};
use crate::preprocessing::{FILTERS, split_words};
use crate::random::numpy::RandomState;

/// Loader of the reviews, with the options and defaults of Keras' `imdb.load_data`.
///
/// | option | default | meaning |
/// | --- | --- | --- |
/// | [`num_words`](Self::num_words) | the highest id | ids from this number on are out of vocabulary |
/// | [`skip_top`](Self::skip_top) | 0 | ids below this number are out of vocabulary |
/// | [`maxlen`](Self::maxlen) | none | reviews of this length or longer are left out |
/// | [`seed`](Self::seed) | 113 | seed of the shuffle |
/// | [`start_char`](Self::start_char) | 1 | id at the start of each review |
/// | [`oov_char`](Self::oov_char) | 2 | id of words that are out of vocabulary |
/// | [`index_from`](Self::index_from) | 3 | number added to each word's rank in the file |
///
/// With the defaults 0 is free for padding, and the ids of words begin at 4.
///
/// ```no_run
/// use bptt::datasets::imdb::LoadData;
///
/// let imdb = LoadData::new().num_words(500).load("imdb.npz")?;
/// assert_eq!(imdb.train.sequences[0].len(), 218);
/// assert_eq!(imdb.train.labels[0], 1);
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadData {
    num_words: Option<u32>,
    skip_top: u32,
    maxlen: Option<usize>,
    seed: u32,
    start_char: Option<u32>,
    oov_char: Option<u32>,
    index_from: u32,
}

impl Default for LoadData {
    fn default() -> Self {
        Self {
            num_words: None,
            skip_top: 0,
            maxlen: None,
            seed: 113,
            start_char: Some(1),
            oov_char: Some(2),
            index_from: 3,
        }
    }
}

impl LoadData {
    /// Returns a loader with Keras' defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number from which on ids become [`oov_char`](Self::oov_char). Ids count from `index_from`: 500 keeps
    /// the 496 most frequent words.
    ///
    /// By default, or with 0 as in Keras, it is the highest id of both sets. That id is not below itself, so even then
    /// the rarest word becomes `oov_char`. Pass one more than the highest id to keep every word.
    pub fn num_words(mut self, num_words: u32) -> Self {
        self.num_words = (num_words > 0).then_some(num_words);
        self
    }

    /// Sets the number below which ids become [`oov_char`](Self::oov_char), including `start_char` if it is below.
    pub fn skip_top(mut self, skip_top: u32) -> Self {
        self.skip_top = skip_top;
        self
    }

    /// Keeps only reviews with fewer than `maxlen` ids, including `start_char`; 0 keeps all, as in Keras.
    pub fn maxlen(mut self, maxlen: usize) -> Self {
        self.maxlen = (maxlen > 0).then_some(maxlen);
        self
    }

    /// Sets the seed of the shuffle. Both sets are always shuffled from one random stream: the test set continues where
    /// the training set stopped.
    pub fn seed(mut self, seed: u32) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the id at the start of each review, or `None` for none.
    pub fn start_char(mut self, start_char: impl Into<Option<u32>>) -> Self {
        self.start_char = start_char.into();
        self
    }

    /// Sets the id of words that are out of vocabulary, or `None` to leave these words out.
    pub fn oov_char(mut self, oov_char: impl Into<Option<u32>>) -> Self {
        self.oov_char = oov_char.into();
        self
    }

    /// Sets the number that is added to each rank in the file, so that small ids are free for other uses.
    pub fn index_from(mut self, index_from: u32) -> Self {
        self.index_from = index_from;
        self
    }

    /// Loads both sets from the file at this path: Keras' `imdb.npz`, or one of the same layout (object arrays
    /// `x_train` and `x_test` of Python lists of int, integer arrays `y_train` and `y_test` of 0 and 1).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be opened, an [`NpzError`] if it is not such a file, [`Error::Empty`] if a set
    /// holds no review or [`maxlen`](Self::maxlen) leaves none, [`Error::InvalidOption`] if
    /// [`index_from`](Self::index_from) raises an id above `u32::MAX`.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Corpus> {
        let path = path.as_ref();
        let file = File::open(path).map_err(Error::io("open", path))?;
        self.load_from(BufReader::with_capacity(64 << 10, file), Some(path))
    }

    /// Loads both sets from an open file or from bytes in memory (`std::io::Cursor`), as [`load`](Self::load) does.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load).
    ///
    /// ```
    /// use bptt::datasets::imdb::LoadData;
    ///
    /// let error = LoadData::new().read(std::io::Cursor::new(b"no zip")).unwrap_err();
    /// assert!(error.to_string().contains("not an npz file"));
    /// ```
    pub fn read(&self, source: impl Read + Seek) -> Result<Corpus> {
        self.load_from(source, None)
    }

    /// Returns the ids of a text, as if it were a review of the file. The text is made lower case and split at Keras'
    /// [`FILTERS`] and blanks; an id is the word's rank in `words` plus [`index_from`](Self::index_from); and the
    /// vocabulary is restricted as when loading. Words that are not in `words` are out of vocabulary.
    /// [`seed`](Self::seed) and [`maxlen`](Self::maxlen) have no effect.
    ///
    /// Only A to Z are made lower case, as in Keras' file. So the texts that [`decode`](Self::decode) returns for the
    /// 50,000 reviews give the same ids again; with Unicode's lower case, those of 19 reviews would not.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] if `index_from` raises an id above `u32::MAX`.
    ///
    /// ```
    /// use bptt::datasets::imdb::{LoadData, WordIndex};
    ///
    /// let words = WordIndex::from_json(r#"{"the": 1, "film": 2, "a": 3, "it's": 4}"#)?;
    /// let options = LoadData::new().num_words(7);
    /// let ids = options.encode(&words, "The film?<br />It's great!")?;
    /// assert_eq!(ids, [1, 4, 5, 2, 2, 2]);
    /// assert_eq!(options.decode(&words, &ids), "the film [OOV] [OOV] [OOV]");
    /// # Ok::<(), bptt::Error>(())
    /// ```
    pub fn encode(&self, words: &WordIndex, text: &str) -> Result<Vec<u32>> {
        let num_words = self.num_words.map_or_else(|| self.id(words.highest()), Ok)?;
        let vocabulary = self.skip_top..num_words;
        let mut ids = Vec::new();
        ids.extend(self.start_char.and_then(|id| self.within(&vocabulary, id)));
        for word in split_words(&text.to_ascii_lowercase(), FILTERS, " ") {
            match words.rank(&word) {
                Some(rank) => ids.extend(self.within(&vocabulary, self.id(rank)?)),
                None => ids.extend(self.oov_char),
            }
        }
        Ok(ids)
    }

    /// Returns the words of these ids, joined by blanks. [`start_char`](Self::start_char) and 0, the padding, are left
    /// out; `[OOV]` stands for [`oov_char`](Self::oov_char) and all other ids without a word.
    pub fn decode(&self, words: &WordIndex, ids: &[u32]) -> String {
        let silent = |id| id == 0 || Some(id) == self.start_char;
        let word = |id: u32| {
            let rank = id.checked_sub(self.index_from).filter(|_| Some(id) != self.oov_char);
            rank.and_then(|rank| words.word(rank)).unwrap_or("[OOV]")
        };
        ids.iter().copied().filter(|&id| !silent(id)).map(word).collect::<Vec<_>>().join(" ")
    }

    fn load_from(&self, source: impl Read + Seek, path: Option<&Path>) -> Result<Corpus> {
        let refused = |member| move |problem| Error::other(NpzError { path: path.map(PathBuf::from), member, problem });
        let mut npz = Npz::open(source).map_err(refused(None))?;
        let mut set = |x, y| {
            let sequences = npz.reviews(x).map_err(refused(Some(x)))?;
            let labels = npz.labels(y).map_err(refused(Some(y)))?;
            if sequences.len() == labels.len() {
                return Ok(Reviews { sequences, labels });
            }
            let problem = NpzProblem::LabelCount { reviews: sequences.len(), labels: labels.len() };
            Err(refused(Some(y))(problem))
        };
        let (train, test) = (set("x_train.npy", "y_train.npy")?, set("x_test.npy", "y_test.npy")?);
        self.prepare(train, test)
    }

    /// Applies the options to the arrays in the same order as Keras.
    fn prepare(&self, train: Reviews, test: Reviews) -> Result<Corpus> {
        let mut random = RandomState::new(self.seed);
        let train = self.arrange(train, &mut random)?;
        let test = self.arrange(test, &mut random)?;
        for (reviews, what) in [(&train, "the training set"), (&test, "the test set")] {
            if reviews.sequences.is_empty() {
                let mend = "pass a file with reviews in both sets, and a maxlen above the length of some in each";
                return Err(Error::Empty { what, mend });
            }
        }
        let mut imdb = Corpus { train, test };
        let highest = || imdb.train.sequences.iter().chain(&imdb.test.sequences).flatten().max().copied();
        let num_words = self.num_words.or_else(highest).unwrap_or(0);
        let vocabulary = self.skip_top..num_words;
        for sequence in imdb.train.sequences.iter_mut().chain(&mut imdb.test.sequences) {
            sequence.retain_mut(|id| self.within(&vocabulary, *id).map(|kept| *id = kept).is_some());
        }
        Ok(imdb)
    }

    /// Shuffles a set, turns ranks into ids, and leaves out long reviews.
    fn arrange(&self, mut reviews: Reviews, random: &mut RandomState) -> Result<Reviews> {
        let order = random.permutation(reviews.sequences.len());
        let mut arranged = Reviews { sequences: Vec::new(), labels: Vec::new() };
        for position in order {
            let ranks = std::mem::take(&mut reviews.sequences[position]);
            let length = ranks.len() + usize::from(self.start_char.is_some());
            if self.maxlen.is_some_and(|maxlen| length >= maxlen) {
                continue;
            }
            let mut ids = Vec::with_capacity(length);
            ids.extend(self.start_char);
            for rank in ranks {
                ids.push(self.id(rank)?);
            }
            arranged.sequences.push(ids);
            arranged.labels.push(reviews.labels[position]);
        }
        Ok(arranged)
    }

    /// Returns the id of the word of this rank.
    fn id(&self, rank: u32) -> Result<u32> {
        rank.checked_add(self.index_from).ok_or_else(|| Error::InvalidOption {
            option: "index_from",
            value: self.index_from.to_string(),
            allowed: "so small that, added to the highest word rank, it stays below 4294967296",
        })
    }

    /// Returns the id if it is in the vocabulary, otherwise `oov_char`.
    fn within(&self, vocabulary: &Range<u32>, id: u32) -> Option<u32> {
        if vocabulary.contains(&id) { Some(id) } else { self.oov_char }
    }
}

#[cfg(test)]
mod tests {
    use super::{Corpus, LoadData, Reviews, WordIndex};
    use crate::error::Result;

    /// Applies the options to three reviews in each set. The expected results were checked against NumPy.
    fn prepared(options: LoadData) -> Result<Corpus> {
        let set = |sequences: [&[u32]; 3], labels: [u8; 3]| Reviews {
            sequences: sequences.map(Vec::from).to_vec(),
            labels: labels.to_vec(),
        };
        options.prepare(set([&[1, 9, 3], &[2], &[8, 8]], [0, 1, 1]), set([&[4, 5], &[7, 1], &[6]], [0, 1, 0]))
    }

    fn sequences(options: LoadData) -> [Vec<Vec<u32>>; 2] {
        let Corpus { train, test } = prepared(options).unwrap();
        [train.sequences, test.sequences]
    }

    fn vectors<const N: usize>(sequences: [&[u32]; N]) -> Vec<Vec<u32>> {
        sequences.map(Vec::from).to_vec()
    }

    #[test]
    fn both_sets_are_shuffled_by_one_stream() {
        let imdb = prepared(LoadData::new().seed(1).num_words(99)).unwrap();
        let expected = (vectors([&[1, 4, 12, 6], &[1, 11, 11], &[1, 5]]), vec![0, 1, 1]);
        assert_eq!((imdb.train.sequences, imdb.train.labels), expected);
        let expected = (vectors([&[1, 10, 4], &[1, 9], &[1, 7, 8]]), vec![1, 0, 0]);
        assert_eq!((imdb.test.sequences, imdb.test.labels), expected);
    }

    #[test]
    fn vocabulary() {
        let defaults = [vectors([&[1, 11, 11], &[1, 4, 2, 6], &[1, 5]]), vectors([&[1, 10, 4], &[1, 7, 8], &[1, 9]])];
        // The highest id, 12, is not below itself.
        assert_eq!(sequences(LoadData::new()), defaults);
        assert_eq!(sequences(LoadData::new().num_words(0).maxlen(0)), defaults);
        let eight = LoadData::new().num_words(8);
        assert_eq!(
            sequences(eight.clone().skip_top(5)),
            [vectors([&[2, 2, 2], &[2, 2, 2, 6], &[2, 5]]), vectors([&[2, 2, 2], &[2, 7, 2], &[2, 2]])]
        );
        assert_eq!(
            sequences(eight.oov_char(None).skip_top(1)),
            [vectors([&[1], &[1, 4, 6], &[1, 5]]), vectors([&[1, 4], &[1, 7], &[1]])]
        );
        assert_eq!(
            sequences(LoadData::new().start_char(None).index_from(0)),
            [vectors([&[8, 8], &[1, 2, 3], &[2]]), vectors([&[7, 1], &[4, 5], &[6]])]
        );
    }

    #[test]
    fn maxlen_keeps_shorter_reviews_only() {
        assert_eq!(sequences(LoadData::new().maxlen(3)), [vectors([&[1, 5]]), vectors([&[1, 2]])]);
        let error = prepared(LoadData::new().maxlen(2)).unwrap_err().to_string();
        assert_eq!(
            error,
            "the training set is empty; pass a file with reviews in both sets, and a maxlen above the length of some in \
             each"
        );
    }

    #[test]
    fn texts_become_ids_by_the_options() {
        let words = WordIndex::from_json(r#"{"one": 1, "two": 2, "three": 3, "Été": 5}"#).unwrap();
        let encode = |options: LoadData| options.encode(&words, "ONE, two\tthree... Été été four").unwrap();
        // The highest id, 8, is not below itself.
        assert_eq!(encode(LoadData::new()), [1, 4, 5, 6, 2, 2, 2]);
        assert_eq!(encode(LoadData::new().num_words(9)), [1, 4, 5, 6, 8, 2, 2]);
        assert_eq!(encode(LoadData::new().num_words(6)), [1, 4, 5, 2, 2, 2, 2]);
        assert_eq!(encode(LoadData::new().num_words(9).skip_top(5).oov_char(7)), [7, 7, 5, 6, 8, 7, 7]);
        assert_eq!(encode(LoadData::new().num_words(9).skip_top(5).oov_char(None)), [5, 6, 8]);
        assert_eq!(encode(LoadData::new().num_words(9).start_char(None).index_from(0)), [1, 2, 3, 5, 2, 2]);
        let error = LoadData::new().index_from(u32::MAX).encode(&words, "one").unwrap_err().to_string();
        assert!(error.starts_with("index_from is 4294967295"), "{error}");

        let ids = [0, 1, 4, 2, 7, 8, u32::MAX];
        assert_eq!(LoadData::new().decode(&words, &ids), "one [OOV] [OOV] Été [OOV]");
        let options = LoadData::new().start_char(None).index_from(0).oov_char(None);
        assert_eq!(options.decode(&words, &[0, 1, 2]), "one two");
    }

    #[test]
    fn an_id_over_the_limit_is_an_error() {
        let error = prepared(LoadData::new().index_from(u32::MAX - 3)).unwrap_err().to_string();
        assert!(error.starts_with("index_from is 4294967292, but must be so small"), "{error}");
    }
}
