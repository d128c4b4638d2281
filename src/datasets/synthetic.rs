//! Synthetic sentiment corpus in the form of IMDB's, generated from a seed without files or network. Its labels depend
//! on word order.
//!
//! The same seed gives the same reviews on any number of threads. Review i of a split depends only on the seed, the
//! split and i, so a smaller corpus is a prefix of a larger one. On the last 100 tokens, a bag of words has a test
//! accuracy of at most 0.75, while a small LSTM exceeds 0.80; `tests/models/synthetic.rs` checks both bounds.
//!
//! [`Synthetic`] documents the grammar and its parameters.

use ndarray_rand::rand::seq::IndexedRandom;
use ndarray_rand::rand::{Rng, RngCore, SeedableRng};
use ndarray_rand::rand_distr::{Distribution, LogNormal, Zipf};
use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};

use super::{Corpus, Reviews};
use crate::{Error, Result};

/// Number of reviews that one thread generates as one task.
const CHUNK: usize = 256;

/// Id at the start of every review.
const START: u32 = 1;
/// Id of a word outside the vocabulary.
const OUT_OF_VOCABULARY: u32 = 2;
/// Number added to a frequency rank to give an id.
const INDEX_FROM: u32 = 3;

/// Number of distinct words, as in IMDB.
const VOCABULARY: f64 = 88_584.0;
/// Exponent of Zipf's law for the ranks of filler words.
const ZIPF_EXPONENT: f64 = 1.0;

/// Review lengths in tokens, start included: log-normal with this median and this standard deviation of the logarithm
/// (mean = median · exp(deviation² / 2) = 239), drawn again outside `SHORTEST..=LONGEST`.
const MEDIAN_LENGTH: f64 = 178.0;
const LENGTH_DEVIATION: f64 = 0.7677;
const SHORTEST: f64 = 11.0;
const LONGEST: f64 = 2_500.0;

// Ranks of these words in IMDB's own word index.
/// "not", "no", "never": the polarity word right after one has the opposite meaning.
const NEGATIONS: [u32; 3] = [21, 54, 112];
/// "but": the part of the sentence after it has the sentence's meaning.
const CONTRAST: u32 = 18;
/// "good", "great", "best", "love", "fun", "excellent".
const FAVOURABLE: [u32; 6] = [49, 84, 115, 116, 250, 318];
/// "bad", "worst", "poor", "boring", "awful", "terrible".
const UNFAVOURABLE: [u32; 6] = [75, 246, 335, 354, 370, 391];

/// Share of the last sentences, the verdicts, that agree with the label.
const VERDICT_AGREES: f64 = 0.98;
/// Share of the sentences before the verdict that agree with the label: little more than half, so that word counts say
/// little.
const BODY_AGREES: f64 = 0.57;
/// Number of polarity words in the verdict, and in any other clause.
const VERDICT_POLARITIES: usize = 6;
const CLAUSE_POLARITIES: usize = 2;
/// Share of the sentences that begin with a clause of the opposite meaning and a "but".
const CONTRASTED: f64 = 0.6;
/// Share of the polarity words that are negated.
const NEGATED: f64 = 0.25;
/// Share of the polarity words that contradict their own clause.
const STRAY: f64 = 0.02;
/// Maximum number of filler words before each polarity word; the number is uniform from 1.
const MOST_FILLER: usize = 3;

/// Generator of a synthetic sentiment corpus in the form of IMDB's; [`generate`](Synthetic::generate) returns it.
///
/// | option | default | range | meaning |
/// |---|---|---|---|
/// | seed of [`new`](Synthetic::new) | | any | seed; the same seed gives the same corpus |
/// | [`train`](Synthetic::train) | 25,000 | any | number of training reviews |
/// | [`test`](Synthetic::test) | 25,000 | any | number of test reviews |
/// | [`num_words`](Synthetic::num_words) | 500 | 5 or more, or `None` | number from which on ids become 2 |
///
/// # Encoding
///
/// Sequences have the form of Keras' `imdb.load_data(num_words=500)`: 1 starts the review, 2 replaces a word outside
/// the vocabulary, any other id is the word's frequency rank (1 to 88,584) plus 3; 0 is for padding. Lengths in tokens
/// are log-normal with median 178 and mean 239, limited to 11 to 2,500. Reviews 2k and 2k + 1 have opposite labels in a
/// random order, so each split is balanced.
///
/// # Grammar
///
/// * **Words.** There are six favourable and six unfavourable words, the polarity words, three negations and one "but",
///   with the ranks of such words in IMDB's word index (here they are more frequent than their ranks). All other words
///   are filler, whose ranks follow Zipf's law with exponent 1.
/// * **Negation.** A clause repeats 1 to 3 filler words and a polarity word. One polarity word in four has a negation
///   right before it and is then drawn from the other side: a favourable clause has "good" or "not bad". 2 % of the
///   polarity words contradict their clause.
/// * **Contrast.** Six sentences in ten start with a clause of the opposite meaning (2 polarity words) and a "but". The
///   part after the "but" has the sentence's meaning.
/// * **Verdict.** The last sentence (6 polarity words after its "but", if any) agrees with the label in 98 % of the
///   reviews; each sentence before it (2 polarity words) does in 57 %.
///
/// So word counts say little: negation reverses a quarter of the polarity words, clauses before a "but" cancel those
/// after it, and the other sentences outweigh the verdict. A model that knows the order needs only two rules: the end
/// counts more than the beginning, and a negation reverses the next word.
///
/// # What models reach
///
/// On the last 100 tokens with the defaults, a logistic regression on word counts has a test accuracy of at most 0.75.
/// `Embedding(500, 16)`, `LSTM(8)`, `Dense(1, sigmoid)` with RMSprop at 1e-4 and batches of 64 on 20,000 reviews
/// exceeds a validation accuracy of 0.80 within 20 epochs. No model does better than the verdict's 0.98.
///
/// # Example
///
/// ```
/// use bptt::datasets::Synthetic;
///
/// # fn main() -> bptt::Result<()> {
/// let corpus = Synthetic::new(1).train(200).test(100).generate()?;
/// assert_eq!(corpus.train.len(), 200);
/// assert!(corpus.train.sequences.iter().flatten().all(|&id| (1..500).contains(&id)));
/// assert_eq!(corpus.train.labels.iter().filter(|&&label| label == 1).count(), 100);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synthetic {
    seed: u64,
    train: usize,
    test: usize,
    num_words: Option<u32>,
}

impl Synthetic {
    /// Returns the generator of a corpus of 25,000 training and 25,000 test reviews with ids below 500.
    pub fn new(seed: u64) -> Self {
        Synthetic { seed, train: 25_000, test: 25_000, num_words: Some(500) }
    }

    /// Sets the number of training reviews (default 25,000; may be 0).
    pub fn train(mut self, reviews: usize) -> Self {
        self.train = reviews;
        self
    }

    /// Sets the number of test reviews (default 25,000; may be 0).
    pub fn test(mut self, reviews: usize) -> Self {
        self.test = reviews;
        self
    }

    /// Sets the number from which on ids are replaced by 2 (default 500); `None` keeps all 88,584 words. The polarity
    /// words have ids up to 394, so a smaller number removes some of them.
    pub fn num_words(mut self, num_words: impl Into<Option<u32>>) -> Self {
        self.num_words = num_words.into();
        self
    }

    /// Generates the corpus.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] if `num_words` is below 5, which would leave no word: the most frequent one has id 4.
    pub fn generate(&self) -> Result<Corpus> {
        if let Some(num_words) = self.num_words
            && num_words <= INDEX_FROM + 1
        {
            return Err(Error::InvalidOption {
                option: "num_words",
                value: num_words.to_string(),
                allowed: "5 or more (the most frequent word has id 4), or None for all words",
            });
        }
        let writer = Writer::new(self.num_words.unwrap_or(u32::MAX));
        Ok(Corpus { train: self.split(&writer, 0, self.train), test: self.split(&writer, 1, self.test) })
    }

    /// Returns the reviews of the split with this number.
    fn split(&self, writer: &Writer, split: u64, reviews: usize) -> Reviews {
        let mut sequences = vec![Vec::new(); reviews];
        let mut labels = vec![0; reviews];
        rayon_core::scope(|scope| {
            let chunks = sequences.chunks_mut(CHUNK).zip(labels.chunks_mut(CHUNK));
            for (chunk, (sequences, labels)) in chunks.enumerate() {
                scope.spawn(move |_| {
                    for (offset, (sequence, label)) in sequences.iter_mut().zip(labels).enumerate() {
                        let index = (chunk * CHUNK + offset) as u64;
                        // One random bit for each pair of reviews decides which of the two is favourable.
                        let coin: bool = generator(self.seed, split + 2, index / 2).random();
                        let favourable = index.is_multiple_of(2) == coin;
                        *sequence = writer.review(generator(self.seed, split, index), favourable);
                        *label = u8::from(favourable);
                    }
                });
            }
        });
        Reviews { sequences, labels }
    }
}

/// Returns the random stream for one purpose and one index. Hashing the three keys together keeps the streams of
/// neighbouring seeds and reviews independent.
fn generator(seed: u64, purpose: u64, index: u64) -> Xoshiro256PlusPlus {
    let hash = |key: u64, value: u64| SplitMix64::seed_from_u64(key ^ value).next_u64();
    Xoshiro256PlusPlus::seed_from_u64(hash(hash(hash(0, seed), purpose), index))
}

/// Generator of reviews.
struct Writer {
    lengths: LogNormal<f64>,
    ranks: Zipf<f64>,
    /// Number from which on ids are out of vocabulary.
    cap: u32,
}

impl Writer {
    fn new(cap: u32) -> Self {
        Writer {
            lengths: LogNormal::new(MEDIAN_LENGTH.ln(), LENGTH_DEVIATION)
                .expect("the deviation is a positive constant"),
            ranks: Zipf::new(VOCABULARY, ZIPF_EXPONENT).expect("size and exponent are positive constants"),
            cap,
        }
    }

    /// Returns a review. It is written from its last sentence to its first and then cut at the front, so that it has
    /// exactly the drawn length and ends with a whole verdict if the length allows it.
    fn review(&self, mut random: Xoshiro256PlusPlus, favourable: bool) -> Vec<u32> {
        let words = self.length(&mut random) - 1;
        let mut backwards = Vec::with_capacity(words + 64);
        let mut sentence = Vec::with_capacity(64);
        let (mut agrees, mut polarities) = (VERDICT_AGREES, VERDICT_POLARITIES);
        while backwards.len() < words {
            let leaning = favourable == random.random_bool(agrees);
            if random.random_bool(CONTRASTED) {
                self.clause(&mut random, !leaning, CLAUSE_POLARITIES, &mut sentence);
                sentence.push(CONTRAST);
            }
            self.clause(&mut random, leaning, polarities, &mut sentence);
            backwards.extend(sentence.drain(..).rev());
            (agrees, polarities) = (BODY_AGREES, CLAUSE_POLARITIES);
        }
        backwards.truncate(words);

        let mut review = Vec::with_capacity(words + 1);
        review.push(START);
        review.extend(
            backwards
                .iter()
                .rev()
                .map(|rank| rank + INDEX_FROM)
                .map(|id| if id < self.cap { id } else { OUT_OF_VOCABULARY }),
        );
        review
    }

    /// Returns a random length of a review in tokens, including the start.
    fn length(&self, random: &mut Xoshiro256PlusPlus) -> usize {
        loop {
            let length = self.lengths.sample(random).round();
            if (SHORTEST..=LONGEST).contains(&length) {
                return length as usize;
            }
        }
    }

    /// Appends the ranks of a clause with this many polarity words.
    fn clause(&self, random: &mut Xoshiro256PlusPlus, favourable: bool, polarities: usize, ranks: &mut Vec<u32>) {
        for _ in 0..polarities {
            for _ in 0..random.random_range(1..=MOST_FILLER) {
                ranks.push(self.filler(random));
            }
            let mut side = favourable ^ random.random_bool(STRAY);
            if random.random_bool(NEGATED) {
                ranks.extend(NEGATIONS.choose(random));
                side = !side;
            }
            ranks.extend(if side { FAVOURABLE } else { UNFAVOURABLE }.choose(random));
        }
    }

    /// Returns the rank of a random filler word.
    fn filler(&self, random: &mut Xoshiro256PlusPlus) -> u32 {
        loop {
            let rank = self.ranks.sample(random) as u32;
            if !speaks(rank) {
                return rank;
            }
        }
    }
}

/// Returns whether the word with this rank has a role in the grammar, so is not filler.
fn speaks(rank: u32) -> bool {
    rank == CONTRAST || [&NEGATIONS[..], &FAVOURABLE, &UNFAVOURABLE].iter().any(|words| words.contains(&rank))
}
