//! Sums as text: "535+61" and "596", and the same as one-hot rows.

use std::collections::HashSet;

use bptt::tensor::Tensor;
use ndarray::{Array2, Array3};
use ndarray_rand::rand::Rng;

use super::model::{Batch, one_hot};

/// The symbols, the first of which fills up and starts an answer.
const ALPHABET: &[u8] = b" +0123456789";
pub const CLASSES: usize = ALPHABET.len();
pub const START: usize = 0;
/// The numbers are below this.
const LIMIT: u32 = 1000;
const QUESTION: usize = "999+999".len();
pub const ANSWER: usize = "1998".len();

/// Two numbers to be added.
pub type Pair = (u32, u32);

/// The question as a user would write it.
pub fn question((a, b): Pair) -> String {
    format!("{a}+{b}")
}

/// The right answer.
pub fn answer((a, b): Pair) -> String {
    (a + b).to_string()
}

/// The text of these symbols, without what fills it up.
pub fn text(symbols: impl IntoIterator<Item = usize>) -> String {
    let all: String = symbols.into_iter().map(|symbol| char::from(ALPHABET[symbol])).collect();
    all.trim_end().into()
}

/// So many pairs, none of which is held out, in neither order.
pub fn draw(count: usize, held_out: &HashSet<Pair>, generator: &mut impl Rng) -> Vec<Pair> {
    let mut next = || (generator.random_range(0..LIMIT), generator.random_range(0..LIMIT));
    let is_free = |&(a, b): &Pair| !held_out.contains(&(a, b)) && !held_out.contains(&(b, a));
    std::iter::repeat_with(&mut next).filter(is_free).take(count).collect()
}

/// The questions (T, B, classes), each read from its end: then the digits that are added first lie next to the answer.
pub fn questions(pairs: &[Pair]) -> Tensor<f32> {
    let texts: Vec<_> = pairs.iter().map(|&pair| symbols(&question(pair), QUESTION)).collect();
    let is = |(t, sample, class): (usize, usize, usize)| one_hot(texts[sample][QUESTION - 1 - t] == class);
    Tensor::Sequence(Array3::from_shape_fn((QUESTION, pairs.len(), CLASSES), is))
}

/// The questions with their answers, as training wants them.
pub fn batch(pairs: &[Pair]) -> Batch<f32> {
    let texts: Vec<_> = pairs.iter().map(|&pair| symbols(&answer(pair), ANSWER)).collect();
    let fed = |t: usize, sample: usize| if t == 0 { START } else { texts[sample][t - 1] };
    Batch {
        questions: questions(pairs),
        fed: Tensor::Sequence(Array3::from_shape_fn((ANSWER, pairs.len(), CLASSES), |(t, sample, class)| {
            one_hot(fed(t, sample) == class)
        })),
        targets: Array2::from_shape_fn((ANSWER * pairs.len(), 1), |(row, _)| {
            texts[row % pairs.len()][row / pairs.len()] as f32
        }),
    }
}

/// The symbols of a text, filled up to this length.
fn symbols(text: &str, length: usize) -> Vec<usize> {
    let symbol = |letter: u8| ALPHABET.iter().position(|&known| known == letter).unwrap_or(START);
    let mut symbols: Vec<usize> = text.bytes().map(symbol).collect();
    symbols.resize(length, START);
    symbols
}
