//! Dropout of inputs that are rows of a table: a row is dropped once for each sample that uses it, however often.
//!
//! If all time steps share a mask, equal steps of a sample stay equal after it. The inputs are then still rows of a table,
//! if a larger one. Where samples rarely use a row twice, as in short sequences of many words, a table does not pay off and
//! the inputs become a sequence.

use std::hint::select_unpredictable;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

use crate::kernels::gemm::{Rows, RowsMut, change_row};
use crate::numeric::Scalar;
use crate::numeric::{Kernel, Vector};
use crate::tensor::{resize, resize_within, slice, slice_mut};

/// Rows that samples use, in the order in which the cell gets them.
#[derive(Clone, Debug, Default)]
pub(super) struct DroppedRows {
    /// Rows of the table, each with the sample that uses it; entries after the first `count` are stale. If there are as many
    /// as time steps, they are those of single steps in order, and the inputs are a sequence.
    pairs: Vec<(u32, u32)>,
    count: usize,
    /// For each row of the table, its last place among the pairs plus one.
    places: Vec<usize>,
    /// Place of the row used at each step (T, B).
    numbers: Array2<u32>,
}

impl DroppedRows {
    /// Finds the rows that samples use with these tokens, of a table with `rows` rows.
    pub(super) fn find(&mut self, rows: usize, tokens: ArrayView2<'_, u32>) {
        resize(&mut self.numbers, tokens.raw_dim());
        self.numbers.assign(&tokens);
        self.number(rows);
        // The detour over a table costs about as much as a quarter of the products.
        if 4 * self.count > 3 * tokens.len() {
            self.count = tokens.len();
            let samples = (0..tokens.ncols() as u32).cycle();
            self.pairs.iter_mut().zip(tokens.iter().copied().zip(samples)).for_each(|(pair, step)| *pair = step);
        }
    }

    /// Makes pairs and their numbers from the tokens in `numbers`, of a table with `rows` rows.
    fn number(&mut self, rows: usize) {
        let (batch, DroppedRows { pairs, places, numbers, .. }) = (self.numbers.ncols(), &mut *self);
        pairs.resize(pairs.len().max(numbers.len()), (0, 0));
        places.clear();
        places.resize(rows, 0);
        let (pairs, places, mut count) = (&mut pairs[..], &mut places[..], 0);
        // A sequence may have samples and no steps.
        for sample in 0..batch.min(numbers.len()) {
            let first = count;
            for token in slice_mut(numbers)[sample..].iter_mut().step_by(batch) {
                let place = &mut places[*token as usize];
                let known = *place > first;
                pairs[count] = (*token, sample as u32);
                // Avoids a branch, because it would be hard to predict.
                *place = select_unpredictable(known, *place, count + 1);
                *token = (*place - 1) as u32;
                count += usize::from(!known);
            }
        }
        self.count = count;
    }

    /// Returns the row used at each step, unless the inputs are a sequence.
    pub(super) fn numbers(&self) -> Option<ArrayView2<'_, u32>> {
        (self.count < self.numbers.len()).then(|| self.numbers.view())
    }

    /// Writes each row of the table after dropout with its sample's row of `masks`: (1, R, D), or (T, B, D) as a sequence.
    pub(super) fn drop_out<F: Scalar>(&self, table: ArrayView3<'_, F>, masks: &Array3<F>, dropped: &mut Array3<F>) {
        let features = table.dim().2;
        let (steps, samples) = if self.numbers().is_some() { (1, self.count) } else { self.numbers.dim() };
        resize_within(dropped, (steps, samples, features), self.numbers.len() * features);
        let table = Rows::new(table.to_slice().expect("tables are in standard layout"), features);
        let to = RowsMut::new(slice_mut(dropped), features);
        F::vectorize(features, self.through::<F, false>(masks, table, to));
    }

    /// Adds the gradient of the table, given that of the rows after dropout.
    pub(super) fn add_gradient<F: Scalar>(&self, ddropped: &Array3<F>, masks: &Array3<F>, dtable: &mut Array3<F>) {
        let features = dtable.dim().2;
        let (from, to) = (Rows::new(slice(ddropped), features), RowsMut::new(slice_mut(dtable), features));
        F::vectorize(features, self.through::<F, true>(masks, from, to));
    }

    fn through<'a, F: Scalar, const BACK: bool>(
        &'a self,
        masks: &'a Array3<F>,
        from: Rows<'a, F>,
        to: RowsMut<'a, F>,
    ) -> Through<'a, F, BACK> {
        Through { pairs: &self.pairs[..self.count], masks: Rows::new(slice(masks), masks.dim().2), from, to }
    }
}

/// Computes `to` ← `from` ∘ mask from table rows to their places among the pairs; with `BACK` the reverse, added.
struct Through<'a, F, const BACK: bool> {
    pairs: &'a [(u32, u32)],
    masks: Rows<'a, F>,
    from: Rows<'a, F>,
    to: RowsMut<'a, F>,
}

impl<F: Scalar, const BACK: bool> Kernel<F> for Through<'_, F, BACK> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(&mut self, token: V::Token) {
        let Through { pairs, masks, from, ref mut to } = *self;
        for (place, &(row, sample)) in pairs.iter().enumerate() {
            let (row, mask) = (row as usize, masks.row(sample as usize));
            let (from, to) = if BACK { (from.row(place), to.row_mut(row)) } else { (from.row(row), to.row_mut(place)) };
            change_row::<V, _>(
                token,
                [from, mask],
                to,
                #[inline(always)]
                |[x, mask], sum| if BACK { sum + x * mask } else { x * mask },
            );
        }
    }
}
