//! Runs a gate rule over all rows of one time step.
//!
//! `z` holds B rows of N blocks, each H wide. Forward replaces its sums by the saved values; backward replaces these by the
//! gradient of the sums. States are B rows of H. Each row is cut into vectors; the last may be padded with zeros, whose
//! results are not stored.
//!
//! A rule is a long chain of dependent operations, and the processor looks ahead only a limited number of instructions. Rows
//! that fill half a vector, such as those of 8 units, are therefore processed two at a time.
//!
//! For the same reason [`Gates::finish`] runs in a second loop, when the states of the whole step are there. Only backward
//! reads the saved values, so those of two rows keep the vector layout.
//!
//! A masked sample only costs a copy: its states, or their gradients, stay unchanged.
//!
//! The loop is written once and compiled for plain numbers (the reference) and for each instruction set.

use std::ops::Range;

use super::gates::{Block, Gates, blocks, states};
use crate::kernels::prefetch::prefetch;
use crate::numeric::{Kernel, Scalar, Vector};
use crate::tensor::{Views, ViewsMut, clear_row, copy_row};

/// Width for which [`Scalar::vectorize`] chooses vectors: that of two rows if two fill one vector.
pub(crate) fn width(units: usize, rows: usize) -> usize {
    if units == 8 && rows > 1 { 2 * units } else { units }
}

/// Forward step: turns `z` from sums into saved values and writes `next`, which for a masked sample is `previous`.
#[derive(Debug)]
pub struct StepForward<'a, F> {
    pub(crate) units: usize,
    pub(crate) z: &'a mut [F],
    pub(crate) previous: Views<'a, F>,
    pub(crate) next: ViewsMut<'a, F>,
    /// Samples that count; `None` for all.
    pub(crate) counts: Option<&'a [bool]>,
}

/// Backward step: turns `z` from saved values into the gradient of the sums and writes `dprevious`. For a masked sample the
/// former is zero and the latter is `dnext`.
#[derive(Debug)]
pub struct StepBackward<'a, F> {
    pub(crate) units: usize,
    pub(crate) z: &'a mut [F],
    pub(crate) previous: Views<'a, F>,
    pub(crate) next: Views<'a, F>,
    pub(crate) dnext: Views<'a, F>,
    pub(crate) dprevious: ViewsMut<'a, F>,
    /// Samples that count; `None` for all.
    pub(crate) counts: Option<&'a [bool]>,
    /// Data of the next backward step to prefetch, if out of the cache.
    pub(crate) ahead: Option<Ahead<'a, F>>,
}

/// `z` and `previous` of a later step, to be prefetched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ahead<'a, F> {
    pub(crate) z: &'a [F],
    pub(crate) previous: Views<'a, F>,
}

/// Rule with a forward step.
pub(crate) struct Forward<'a, F, G> {
    pub(crate) gates: &'a G,
    pub(crate) step: StepForward<'a, F>,
}

impl<F: Scalar, G: Gates> Forward<'_, F, G> {
    /// Runs the step on vectors.
    pub(crate) fn vectorize(self) {
        let (units, numbers) = (self.step.units, self.step.z.len());
        F::vectorize(width(units, numbers / (blocks::<G>() * units)), self);
    }
}

impl<F: Scalar, G: Gates> Kernel<F> for Forward<'_, F, G> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(&mut self, token: V::Token) {
        let Forward { gates, step } = self;
        let StepForward { units, ref mut z, previous, ref mut next, counts } = *step;
        let mut next = next.reborrow();
        each_place::<V, G>(
            units,
            z.len(),
            #[inline(always)]
            |place| {
                if place.counts(counts) {
                    let sums = place.load_blocks(token, z);
                    let (saved, after) = gates.forward::<V>(sums, place.load_states(token, previous));
                    place.store_saved::<V, G>(saved, z);
                    place.store_states(after, &mut next);
                }
            },
        );
        each_place::<V, G>(
            units,
            z.len(),
            #[inline(always)]
            |place| {
                if place.counts(counts) {
                    let after = Block::from_fn(
                        #[inline(always)]
                        |state| V::load(token, &next.slice_mut(state)[place.states()]),
                    );
                    place.store_states(gates.finish::<V>(after), &mut next);
                }
                place.keep::<F, G>(counts, previous, &mut next);
            },
        );
    }
}

/// Rule with a backward step.
pub(crate) struct Backward<'a, F, G> {
    pub(crate) gates: &'a G,
    pub(crate) step: StepBackward<'a, F>,
}

impl<F: Scalar, G: Gates> Backward<'_, F, G> {
    /// Runs the step on vectors.
    pub(crate) fn vectorize(self) {
        let (units, numbers) = (self.step.units, self.step.z.len());
        F::vectorize(width(units, numbers / (blocks::<G>() * units)), self);
    }
}

impl<F: Scalar, G: Gates> Kernel<F> for Backward<'_, F, G> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(&mut self, token: V::Token) {
        let Backward { gates, step } = self;
        let StepBackward { units, ref mut z, previous, next, dnext, ref mut dprevious, counts, ahead } = *step;
        let mut dprevious = dprevious.reborrow();
        each_place::<V, G>(
            units,
            z.len(),
            #[inline(always)]
            |place| {
                if let Some(ahead) = ahead {
                    place.prefetch::<V, G>(ahead);
                }
                if place.counts(counts) {
                    let saved = place.load_saved::<V, G>(token, z);
                    let (before, after) = (place.load_states(token, previous), place.load_states(token, next));
                    let (dz, dbefore) = gates.backward::<V>(saved, before, after, place.load_states(token, dnext));
                    place.store_blocks(dz, z);
                    place.store_states(dbefore, &mut dprevious);
                }
                place.clear::<F, G>(counts, z);
                place.keep::<F, G>(counts, dnext, &mut dprevious);
            },
        );
    }
}

/// Content of one vector: some units of a row, or all units of two rows.
#[derive(Clone, Copy)]
struct Place {
    row: usize,
    from: usize,
    to: usize,
    paired: bool,
    units: usize,
    /// Width of a row of z.
    width: usize,
}

/// Calls `work` for each vector of a step. The closures here are `#[inline(always)]` for the reason that
/// [`Lane`](crate::numeric::Lane) gives.
#[inline(always)]
fn each_place<V: Vector, G: Gates>(units: usize, length: usize, mut work: impl FnMut(Place)) {
    let width = <G::Blocks<V> as Block<V>>::COUNT * units;
    let rows = length / width;
    let mut row = 0;
    if 2 * units == V::WIDTH {
        // As constants, so that the compiler knows all blocks to be in bounds. With fewer instructions between the chains,
        // more chains run at the same time.
        let units = V::WIDTH / 2;
        let width = <G::Blocks<V> as Block<V>>::COUNT * units;
        while row + 2 <= rows {
            work(Place { row, from: 0, to: units, paired: true, units, width });
            row += 2;
        }
    }
    while row < rows {
        let mut from = 0;
        while from < units {
            let to = units.min(from + V::WIDTH);
            work(Place { row, from, to, paired: false, units, width });
            from = to;
        }
        row += 1;
    }
}

impl Place {
    /// Whether any of its rows counts.
    #[inline(always)]
    fn counts(self, counts: Option<&[bool]>) -> bool {
        counts.is_none_or(|counts| counts[self.row] || self.paired && counts[self.row + 1])
    }

    /// Returns its masked rows.
    #[inline(always)]
    fn left_out(self, counts: Option<&[bool]>) -> impl Iterator<Item = Place> {
        let rows = self.row..=self.row + usize::from(self.paired);
        let left_out = rows.filter(move |&row| counts.is_some_and(|counts| !counts[row]));
        left_out.map(move |row| Place { row, paired: false, ..self })
    }

    /// Copies the states of masked rows.
    #[inline(always)]
    fn keep<F: Scalar, G: Gates>(self, counts: Option<&[bool]>, from: Views<'_, F>, to: &mut ViewsMut<'_, F>) {
        for place in self.left_out(counts) {
            for state in 0..states::<G>() {
                copy_row(&from.slice(state)[place.states()], &mut to.slice_mut(state)[place.states()]);
            }
        }
    }

    /// Sets the blocks of masked rows to zero.
    #[inline(always)]
    fn clear<F: Scalar, G: Gates>(self, counts: Option<&[bool]>, z: &mut [F]) {
        for place in self.left_out(counts) {
            for block in 0..blocks::<G>() {
                let row = &mut z[place.row * self.width + block * self.units..];
                clear_row(&mut row[self.from..self.to]);
            }
        }
    }

    /// Range of its blocks in z: those of one row, or two.
    #[inline(always)]
    fn blocks(self) -> Range<usize> {
        self.row * self.width..(self.row + 1 + usize::from(self.paired)) * self.width
    }

    /// Range of its values in a state, where two rows are adjacent.
    #[inline(always)]
    fn states(self) -> Range<usize> {
        let row = self.row * self.units;
        if self.paired { row..row + 2 * self.units } else { row + self.from..row + self.to }
    }

    /// Prefetches as much as it works on, for another step.
    #[inline(always)]
    fn prefetch<V: Vector, G: Gates>(self, ahead: Ahead<'_, V::Scalar>) {
        prefetch(ahead.z, self.row * self.width + self.from * blocks::<G>(), V::WIDTH * blocks::<G>());
        for state in 0..states::<G>() {
            prefetch(ahead.previous.slice(state), self.row * self.units + self.from, V::WIDTH);
        }
    }

    #[inline(always)]
    fn load_states<V: Vector, S: Block<V>>(self, token: V::Token, states: Views<'_, V::Scalar>) -> S {
        S::from_fn(
            #[inline(always)]
            |state| V::load(token, &states.slice(state)[self.states()]),
        )
    }

    #[inline(always)]
    fn store_states<V: Vector, S: Block<V>>(self, values: S, states: &mut ViewsMut<'_, V::Scalar>) {
        for state in 0..S::COUNT {
            values.get(state).store(&mut states.slice_mut(state)[self.states()]);
        }
    }

    #[inline(always)]
    fn load_blocks<V: Vector, B: Block<V>>(self, token: V::Token, z: &[V::Scalar]) -> B {
        let z = &z[self.blocks()];
        B::from_fn(
            #[inline(always)]
            |block| {
                let row = &z[block * self.units..];
                if self.paired {
                    V::load_halves(token, &row[..self.units], &row[self.width..][..self.units])
                } else {
                    V::load(token, &row[self.from..self.to])
                }
            },
        )
    }

    /// Whether saved values have the vector layout instead of rows.
    #[inline(always)]
    fn saves_vectors<G: Gates>(self) -> bool {
        self.paired && !G::SAVED_AS_SUMS
    }

    /// Loads the values stored by [`store_saved`](Place::store_saved).
    #[inline(always)]
    fn load_saved<V: Vector, G: Gates>(self, token: V::Token, z: &[V::Scalar]) -> G::Blocks<V> {
        if !self.saves_vectors::<G>() {
            return self.load_blocks(token, z);
        }
        let z = &z[self.blocks()];
        Block::from_fn(
            #[inline(always)]
            |block| V::load(token, &z[block * V::WIDTH..][..V::WIDTH]),
        )
    }

    /// Stores values that only the backward pass reads: for two rows in the vector layout, without splitting the vectors.
    #[inline(always)]
    fn store_saved<V: Vector, G: Gates>(self, saved: G::Blocks<V>, z: &mut [V::Scalar]) {
        if !self.saves_vectors::<G>() {
            return self.store_blocks(saved, z);
        }
        let z = &mut z[self.blocks()];
        for block in 0..<G::Blocks<V> as Block<V>>::COUNT {
            saved.get(block).store(&mut z[block * V::WIDTH..][..V::WIDTH]);
        }
    }

    #[inline(always)]
    fn store_blocks<V: Vector, B: Block<V>>(self, values: B, z: &mut [V::Scalar]) {
        let z = &mut z[self.blocks()];
        for block in 0..B::COUNT {
            let row = &mut z[block * self.units..];
            if self.paired {
                let (first, second) = row.split_at_mut(self.width);
                values.get(block).store_halves(&mut first[..self.units], &mut second[..self.units]);
            } else {
                values.get(block).store(&mut row[self.from..self.to]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::recurrent::{Gru, Lstm};
    use crate::tensor::slice_mut;
    use crate::tensor::{State, Widths};

    fn wave(count: usize, pace: f32) -> impl Iterator<Item = f32> {
        (0..count).map(move |index| (index as f32 * pace).sin())
    }

    fn state<G: Gates>(units: usize, rows: usize, pace: f32) -> State<f32> {
        let mut state = State::zeros(rows, Widths::new(&vec![units; states::<G>()]));
        let count = states::<G>() * rows * units;
        state.parts.iter_mut().flatten().zip(wave(count, pace)).for_each(|(to, value)| *to = value);
        state
    }

    fn previous<G: Gates>(units: usize, rows: usize) -> State<f32> {
        state::<G>(units, rows, 0.7)
    }

    fn dnext<G: Gates>(units: usize, rows: usize) -> State<f32> {
        state::<G>(units, rows, 1.3)
    }

    /// Returns the gradients of the sums, the next states, and the gradients of the previous ones.
    fn step<G: Gates>(
        gates: &G,
        units: usize,
        counts: Option<&[bool]>,
        rows: usize,
        vectors: bool,
    ) -> Vec<Array2<f32>> {
        let (previous, dnext) = (previous::<G>(units, rows), dnext::<G>(units, rows));
        let (mut next, mut dprevious) = (state::<G>(units, rows, 0.0), state::<G>(units, rows, 0.0));
        let sums = wave(rows * blocks::<G>() * units, 0.37).collect();
        let mut z = Array2::from_shape_vec((rows, blocks::<G>() * units), sums).expect("there are B rows");

        let previous = previous.views();
        let step = StepForward { units, z: slice_mut(&mut z), previous, next: next.views_mut(), counts };
        let mut forward = Forward { gates, step };
        if vectors {
            forward.vectorize()
        } else {
            forward.run::<f32>(())
        }

        let step = StepBackward {
            units,
            z: slice_mut(&mut z),
            previous,
            next: next.views(),
            dnext: dnext.views(),
            dprevious: dprevious.views_mut(),
            counts,
            ahead: None,
        };
        let mut backward = Backward { gates, step };
        if vectors {
            backward.vectorize()
        } else {
            backward.run::<f32>(())
        }
        [z].into_iter().chain(next.parts).chain(dprevious.parts).collect()
    }

    /// Returns the expected results: a step in which all samples count, whose masked rows are then overwritten.
    fn expected<G: Gates>(gates: &G, units: usize, counts: &[bool]) -> Vec<Array2<f32>> {
        let rows = counts.len();
        let mut all = step(gates, units, None, rows, false);
        let kept = previous::<G>(units, rows).parts.into_iter().chain(dnext::<G>(units, rows).parts);
        let left_out = [Array2::zeros(all[0].raw_dim())].into_iter().chain(kept);
        for (part, left_out) in all.iter_mut().zip(left_out) {
            crate::tensor::mask::left_out(counts).for_each(|row| part.row_mut(row).assign(&left_out.row(row)));
        }
        all
    }

    fn is_as_expected<G: Gates>(gates: &G) {
        // Part of a vector, half of one (which takes two rows at a time), whole vectors, and both; all masks of a few rows.
        for units in [1, 3, 4, 7, 8, 9, 16, 21, 24, 50] {
            for (rows, bits) in (1..6).flat_map(|rows| (0..1 << rows).map(move |bits| (rows, bits))) {
                let counts: Vec<bool> = (0..rows).map(|row| bits >> row & 1 == 0).collect();
                let expected = expected(gates, units, &counts);
                for vectors in [false, true] {
                    let outcome = step(gates, units, (bits > 0).then_some(&counts), rows, vectors);
                    for (part, (outcome, expected)) in outcome.iter().zip(&expected).enumerate() {
                        for ((row, column), value) in outcome.indexed_iter() {
                            let error = (value - expected[(row, column)]).abs();
                            assert!(error < 1e-5, "{units} units, {counts:?}, {vectors}: {part} {row} {column}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_rule_is_the_same_on_vectors_and_leaves_alone_what_does_not_count() {
        is_as_expected(Lstm::new(1).cell().gates());
        is_as_expected(Gru::new(1).cell().gates());
    }
}
