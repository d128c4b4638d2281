//! Dropout of inputs that are rows of a table: a row is dropped out once for each sample that sees it, however often.
//!
//! A mask that all steps share makes equal steps of a sample equal after it, too, so that the inputs are still rows of a
//! table, if a larger one: for 100 steps of a review of the IMDB experiments it has 46. Where samples see hardly a row
//! twice, as in short sequences of many words, a table would only be in the way, and the inputs become a sequence.

use std::hint::select_unpredictable;

use ndarray::{Array2, ArrayView2};

use crate::scalar::Scalar;
use crate::tensor::{resize, slice_mut};

/// The rows that samples see, in the order in which the cell gets them.
#[derive(Clone, Debug, Default)]
pub(super) struct DroppedRows {
    /// Rows of the table, each with the sample that sees it; behind the first `count` is what was there before.
    pairs: Vec<(u32, u32)>,
    count: usize,
    /// For each row of the table one more than its last place among the pairs.
    places: Vec<usize>,
    /// For each step (T, B) the place of what is seen there.
    numbers: Array2<u32>,
    /// Whether each row stands for a single step, so that the inputs are a sequence.
    single: bool,
}

impl DroppedRows {
    /// Finds the rows that samples see with these tokens, of a table of `rows`.
    pub(super) fn find(&mut self, rows: usize, tokens: ArrayView2<'_, u32>) {
        resize(&mut self.numbers, tokens.raw_dim());
        self.numbers.assign(&tokens);
        self.number(rows);
        // Going through a table takes about as long as a quarter of the products.
        self.single = 4 * self.count > 3 * tokens.len();
        if self.single {
            self.count = tokens.len();
            let samples = (0..tokens.ncols() as u32).cycle();
            self.pairs.iter_mut().zip(tokens.iter().copied().zip(samples)).for_each(|(pair, step)| *pair = step);
        }
    }

    /// From the tokens in `numbers`, of a table of `rows`, makes pairs and their numbers.
    fn number(&mut self, rows: usize) {
        let (batch, DroppedRows { pairs, count, places, numbers, .. }) = (self.numbers.ncols(), self);
        pairs.resize(pairs.len().max(numbers.len()), (0, 0));
        places.clear();
        places.resize(rows, 0);
        *count = 0;
        // A sequence may have samples and no steps.
        for sample in 0..batch.min(numbers.len()) {
            let first = *count;
            for token in slice_mut(numbers)[sample..].iter_mut().step_by(batch) {
                let place = &mut places[*token as usize];
                let known = *place > first;
                pairs[*count] = (*token, sample as u32);
                // No branch, for whether a review has had a word before is anyone's guess.
                *place = select_unpredictable(known, *place, *count + 1);
                *token = (*place - 1) as u32;
                *count += usize::from(!known);
            }
        }
    }

    /// The rows as steps and samples: (1, R), or (T, B) if each is a single step's.
    pub(super) fn dim(&self) -> (usize, usize) {
        if self.single { self.numbers.dim() } else { (1, self.count) }
    }

    /// For each step the row that is seen there, unless they are a sequence.
    pub(super) fn numbers(&self) -> Option<ArrayView2<'_, u32>> {
        (!self.single).then(|| self.numbers.view())
    }

    /// Each row of the table, `features` wide, as its sample sees it: through its row of `masks`.
    pub(super) fn drop_out<F: Scalar>(&self, table: &[F], masks: &[F], features: usize, dropped: &mut [F]) {
        for (&(row, sample), dropped) in self.pairs.iter().zip(dropped.chunks_exact_mut(features)) {
            let row = &table[row as usize * features..][..features];
            let mask = &masks[sample as usize * features..][..features];
            dropped.iter_mut().zip(row).zip(mask).for_each(|((dropped, &x), &mask)| *dropped = x * mask);
        }
    }

    /// From the gradient of what samples see, row after row, that of the table, which it is added to.
    pub(super) fn add_gradient<F: Scalar>(&self, ddropped: &[F], masks: &[F], features: usize, dtable: &mut [F]) {
        for (&(row, sample), ddropped) in self.pairs.iter().zip(ddropped.chunks_exact(features)) {
            let sums = &mut dtable[row as usize * features..][..features];
            let mask = &masks[sample as usize * features..][..features];
            sums.iter_mut().zip(ddropped).zip(mask).for_each(|((sum, &d), &mask)| *sum += d * mask);
        }
    }
}
