//! What a model has to beat: how often a character came after the two before it, smoothed by what came after one and none.
//!
//! ```text
//! p(c | ab) = (n(abc) + k·p(c | b)) / (n(ab) + k)      n: counts in the text
//! p(c | b)  = (n(bc) + k·p(c)) / (n(b) + k)            p(c) = (n(c) + k / V) / (n + k), V characters
//! ```

use std::collections::HashMap;

/// The k that are tried.
const TRIED: [f64; 9] = [0.1, 0.3, 1.0, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0];

/// Counts of one, two and three characters in a row.
pub struct Trigram {
    vocabulary: usize,
    k: f64,
    counts: HashMap<Vec<u32>, f64>,
    /// How often something came after them.
    contexts: HashMap<Vec<u32>, f64>,
}

impl Trigram {
    /// The model of this text with the k that, learnt from nine tenths of it, is best for the last tenth.
    pub fn learn(text: &[u32], vocabulary: usize) -> Self {
        let (most, rest) = text.split_at(text.len() - text.len() / 10);
        let mut model = Trigram::count(most, vocabulary);
        let mut bits = |k: f64| {
            model.k = k;
            model.bits(rest)
        };
        let best = TRIED.map(|k| (bits(k), k)).into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
        Trigram { k: best.map_or(1.0, |(_, k)| k), ..Trigram::count(text, vocabulary) }
    }

    fn count(text: &[u32], vocabulary: usize) -> Self {
        let (mut counts, mut contexts) = (HashMap::new(), HashMap::new());
        for length in 1..=3 {
            for gram in text.windows(length) {
                *counts.entry(gram.to_vec()).or_insert(0.0) += 1.0;
                *contexts.entry(gram[..length - 1].to_vec()).or_insert(0.0) += 1.0;
            }
        }
        Trigram { vocabulary, k: 1.0, counts, contexts }
    }

    /// The probability of the last of these characters after the others, of which there are two at most.
    pub fn probability(&self, gram: &[u32]) -> f64 {
        let [_, shorter @ ..] = gram else { return 1.0 / self.vocabulary as f64 };
        let count = |of: &HashMap<Vec<u32>, f64>, gram: &[u32]| of.get(gram).copied().unwrap_or(0.0);
        let (seen, context) = (count(&self.counts, gram), count(&self.contexts, &gram[..gram.len() - 1]));
        (seen + self.k * self.probability(shorter)) / (context + self.k)
    }

    /// Bits per character of a text, for each but the first after the two before it.
    pub fn bits(&self, text: &[u32]) -> f64 {
        let bits = (1..text.len()).map(|at| -self.probability(&text[at.saturating_sub(2)..=at]).log2());
        bits.sum::<f64>() / (text.len() - 1) as f64
    }
}
