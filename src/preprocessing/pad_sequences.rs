//! Sequences of different lengths, brought to one length in one array.
//!
//! Contract: the defaults and the results are those of Keras' `pad_sequences`: padding and truncation both happen in
//! front, so that the end of a sequence, which a recurrent layer sees last, is kept. The one deliberate difference,
//! `maxlen(0)`, is described there.
//!
//! Read next: `train_test_split.rs`.

use ndarray::{Array2, s};

/// The end of a sequence that padding is added to, or that truncation takes tokens from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Side {
    /// In front of the first token.
    #[default]
    Pre,
    /// After the last token.
    Post,
}

/// How to bring sequences of token ids to one length.
///
/// | option | default |
/// | --- | --- |
/// | [`maxlen`](Self::maxlen) | the length of the longest sequence |
/// | [`padding`](Self::padding) | [`Side::Pre`] |
/// | [`truncating`](Self::truncating) | [`Side::Pre`] |
/// | [`value`](Self::value) | 0 |
///
/// ```
/// use bptt::preprocessing::{PadSequences, Side};
/// use ndarray::array;
///
/// let reviews = [vec![1, 14, 22], vec![1, 9], vec![]];
/// let padded = PadSequences::new().maxlen(2).padding(Side::Post).truncating(Side::Post).pad(&reviews);
/// assert_eq!(padded, array![[1, 14], [1, 9], [0, 0]]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PadSequences {
    maxlen: Option<usize>,
    padding: Side,
    truncating: Side,
    value: u32,
}

impl PadSequences {
    /// The defaults of the table above.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of columns: shorter sequences are padded, longer ones truncated.
    ///
    /// `maxlen(0)` gives an array without columns for every choice of sides. Keras gives the same when it truncates
    /// at the end; when it truncates in front, it takes "the last 0 tokens" for the whole sequence and fails.
    pub fn maxlen(mut self, maxlen: usize) -> Self {
        self.maxlen = Some(maxlen);
        self
    }

    /// Where padding goes.
    pub fn padding(mut self, side: Side) -> Self {
        self.padding = side;
        self
    }

    /// Where a sequence that is too long loses its tokens.
    pub fn truncating(mut self, side: Side) -> Self {
        self.truncating = side;
        self
    }

    /// The token id to pad with.
    pub fn value(mut self, value: u32) -> Self {
        self.value = value;
        self
    }

    /// Pads `sequences`: the result has shape (number of sequences, `maxlen`). Without sequences it has no rows and,
    /// if `maxlen` was not given either, no columns.
    ///
    /// # Panics
    ///
    /// If rows × columns is more than memory can address, as `Vec::with_capacity` does.
    pub fn pad<S: AsRef<[u32]>>(&self, sequences: &[S]) -> Array2<u32> {
        let columns = match self.maxlen {
            Some(maxlen) => maxlen,
            None => sequences.iter().map(|sequence| sequence.as_ref().len()).max().unwrap_or(0),
        };
        let mut padded = Array2::from_elem((sequences.len(), columns), self.value);
        for (mut row, sequence) in padded.outer_iter_mut().zip(sequences) {
            let sequence = sequence.as_ref();
            let excess = sequence.len().saturating_sub(columns);
            let kept = match self.truncating {
                Side::Pre => &sequence[excess..],
                Side::Post => &sequence[..sequence.len() - excess],
            };
            let start = match self.padding {
                Side::Pre => columns - kept.len(),
                Side::Post => 0,
            };
            for (cell, &token) in row.slice_mut(s![start..start + kept.len()]).iter_mut().zip(kept) {
                *cell = token;
            }
        }
        padded
    }
}

/// Pads and truncates in front with zeros: the last `maxlen` tokens of each sequence, shape (number of sequences,
/// `maxlen`). [`PadSequences`] has the other choices, and the note on `maxlen` 0.
///
/// ```
/// use bptt::preprocessing::pad_sequences;
/// use ndarray::array;
///
/// let padded = pad_sequences(&[vec![1, 14, 22], vec![1]], 2);
/// assert_eq!(padded, array![[14, 22], [0, 1]]);
/// ```
///
/// # Panics
///
/// If rows × columns is more than memory can address, as `Vec::with_capacity` does.
pub fn pad_sequences<S: AsRef<[u32]>>(sequences: &[S], maxlen: usize) -> Array2<u32> {
    PadSequences::new().maxlen(maxlen).pad(sequences)
}

#[cfg(test)]
mod tests {
    use crate::preprocessing::{PadSequences, Side, pad_sequences};
    use ndarray::array;

    const ROWS: [&[u32]; 4] = [&[1, 2, 3, 4], &[5, 6], &[], &[7, 8, 9]];

    #[test]
    fn every_pair_of_sides() {
        let pad =
            |padding, truncating| PadSequences::new().maxlen(3).padding(padding).truncating(truncating).pad(&ROWS);
        assert_eq!(pad(Side::Pre, Side::Pre), array![[2, 3, 4], [0, 5, 6], [0, 0, 0], [7, 8, 9]]);
        assert_eq!(pad(Side::Pre, Side::Post), array![[1, 2, 3], [0, 5, 6], [0, 0, 0], [7, 8, 9]]);
        assert_eq!(pad(Side::Post, Side::Pre), array![[2, 3, 4], [5, 6, 0], [0, 0, 0], [7, 8, 9]]);
        assert_eq!(pad(Side::Post, Side::Post), array![[1, 2, 3], [5, 6, 0], [0, 0, 0], [7, 8, 9]]);
        assert_eq!(pad_sequences(&ROWS, 3), pad(Side::Pre, Side::Pre));
    }

    #[test]
    fn longest_sequence_sets_the_default_length() {
        let padded = PadSequences::new().value(u32::MAX).pad(&ROWS[1..]);
        assert_eq!(padded, array![[u32::MAX, 5, 6], [u32::MAX; 3], [7, 8, 9]]);
    }

    #[test]
    fn empty_shapes() {
        let none: [Vec<u32>; 0] = [];
        assert_eq!(PadSequences::new().pad(&none).dim(), (0, 0));
        assert_eq!(pad_sequences(&none, 4).dim(), (0, 4));
        for side in [Side::Pre, Side::Post] {
            assert_eq!(PadSequences::new().maxlen(0).padding(side).truncating(side).pad(&ROWS).dim(), (4, 0));
        }
    }
}
