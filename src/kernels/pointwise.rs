//! Runs a gates rule over all rows of one time step.
//!
//! `z` holds B rows of N blocks, each H wide. Forward replaces the sums in it by what the rule saves; backward replaces
//! that by the gradient of the sums. States are B rows of H. Each row is cut into vectors; the last may be padded with
//! zeros, whose results are not stored.
//!
//! A rule is a long chain of dependent operations, and the processor looks only so many instructions ahead. So rows that
//! fill half a vector, as those of 8 units do, are taken two at a time: half as many instructions keep as many rows under
//! way.
//!
//! The loop is written once and compiled for plain numbers (the reference) and for each instruction set.

use std::ops::Range;

use crate::lane::{Kernel, Vector};
use crate::recurrent::{Block, Gates, Views, ViewsMut, blocks};
use crate::scalar::Scalar;

/// The width for which [`Scalar::vectorize`] is to choose vectors: that of two rows where two fill one.
pub(crate) fn width(units: usize, rows: usize) -> usize {
    if units == 8 && rows > 1 { 2 * units } else { units }
}

/// The rows of z when it has this many numbers.
fn rows<G: Gates>(units: usize, length: usize) -> usize {
    length / (blocks::<G>() * units)
}

/// One step forward: `z` from sums to saved gates, `next` written.
pub(crate) struct Forward<'a, F, G> {
    pub(crate) gates: &'a G,
    pub(crate) units: usize,
    pub(crate) z: &'a mut [F],
    pub(crate) previous: Views<'a, F>,
    pub(crate) next: ViewsMut<'a, F>,
}

impl<F: Scalar, G: Gates> Forward<'_, F, G> {
    /// Runs it on vectors.
    pub(crate) fn vectorize(self) {
        F::vectorize(width(self.units, rows::<G>(self.units, self.z.len())), self);
    }
}

impl<F: Scalar, G: Gates> Kernel<F> for Forward<'_, F, G> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(mut self, token: V::Token) {
        each_place::<V, G>(
            self.units,
            self.z.len(),
            #[inline(always)]
            |place| {
                let sums = Block::from_fn(
                    #[inline(always)]
                    |block| place.load_block::<V>(token, self.z, block),
                );
                let previous = Block::from_fn(
                    #[inline(always)]
                    |state| V::load(token, &self.previous.slice(state)[place.states()]),
                );
                let (saved, next) = self.gates.forward(sums, previous);
                for block in 0..<G::Blocks<V> as Block<V>>::COUNT {
                    place.store_block(saved.get(block), self.z, block);
                }
                for state in 0..<G::States<V> as Block<V>>::COUNT {
                    next.get(state).store(&mut self.next.slice_mut(state)[place.states()]);
                }
            },
        );
    }
}

/// One step backward: `z` from saved gates to the gradient of the sums, `dprevious` written.
pub(crate) struct Backward<'a, F, G> {
    pub(crate) gates: &'a G,
    pub(crate) units: usize,
    pub(crate) z: &'a mut [F],
    pub(crate) previous: Views<'a, F>,
    pub(crate) next: Views<'a, F>,
    pub(crate) dnext: Views<'a, F>,
    pub(crate) dprevious: ViewsMut<'a, F>,
}

impl<F: Scalar, G: Gates> Backward<'_, F, G> {
    /// Runs it on vectors.
    pub(crate) fn vectorize(self) {
        F::vectorize(width(self.units, rows::<G>(self.units, self.z.len())), self);
    }
}

impl<F: Scalar, G: Gates> Kernel<F> for Backward<'_, F, G> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(mut self, token: V::Token) {
        each_place::<V, G>(
            self.units,
            self.z.len(),
            #[inline(always)]
            |place| {
                let saved = Block::from_fn(
                    #[inline(always)]
                    |block| place.load_block::<V>(token, self.z, block),
                );
                let previous = Block::from_fn(
                    #[inline(always)]
                    |state| V::load(token, &self.previous.slice(state)[place.states()]),
                );
                let next = Block::from_fn(
                    #[inline(always)]
                    |state| V::load(token, &self.next.slice(state)[place.states()]),
                );
                let dnext = Block::from_fn(
                    #[inline(always)]
                    |state| V::load(token, &self.dnext.slice(state)[place.states()]),
                );
                let (dz, dprevious) = self.gates.backward(saved, previous, next, dnext);
                for block in 0..<G::Blocks<V> as Block<V>>::COUNT {
                    place.store_block(dz.get(block), self.z, block);
                }
                for state in 0..<G::States<V> as Block<V>>::COUNT {
                    dprevious.get(state).store(&mut self.dprevious.slice_mut(state)[place.states()]);
                }
            },
        );
    }
}

/// What one vector holds: some units of a row, or all units of two rows.
#[derive(Clone, Copy)]
struct Place {
    row: usize,
    from: usize,
    to: usize,
    paired: bool,
    units: usize,
    /// Of a row of z.
    width: usize,
}

/// Calls `work` for each vector of a step. The closures here are `#[inline(always)]` for the reason that
/// [`Lane`](crate::Lane) gives.
#[inline(always)]
fn each_place<V: Vector, G: Gates>(units: usize, length: usize, mut work: impl FnMut(Place)) {
    let width = <G::Blocks<V> as Block<V>>::COUNT * units;
    let rows = length / width;
    let mut row = 0;
    if 2 * units == V::WIDTH {
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
    /// Where its numbers are in a state: two rows of it lie together.
    #[inline(always)]
    fn states(self) -> Range<usize> {
        let row = self.row * self.units;
        if self.paired { row..row + 2 * self.units } else { row + self.from..row + self.to }
    }

    #[inline(always)]
    fn load_block<V: Vector>(self, token: V::Token, z: &[V::Scalar], block: usize) -> V {
        let row = &z[self.row * self.width + block * self.units..];
        if self.paired {
            V::load_halves(token, &row[..self.units], &row[self.width..][..self.units])
        } else {
            V::load(token, &row[self.from..self.to])
        }
    }

    #[inline(always)]
    fn store_block<V: Vector>(self, values: V, z: &mut [V::Scalar], block: usize) {
        let row = &mut z[self.row * self.width + block * self.units..];
        if self.paired {
            let (first, second) = row.split_at_mut(self.width);
            values.store_halves(&mut first[..self.units], &mut second[..self.units]);
        } else {
            values.store(&mut row[self.from..self.to]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recurrent::{Gru, Lstm, State, Widths};

    fn wave(count: usize, pace: f32) -> impl Iterator<Item = f32> {
        (0..count).map(move |index| (index as f32 * pace).sin())
    }

    /// What a step saves and the next states, then the gradients of the sums and of the previous states.
    fn step<G: Gates>(gates: &G, units: usize, rows: usize, on_vectors: bool) -> Vec<f32> {
        let widths = Widths::new(&vec![units; <G::States<f32> as Block<f32>>::COUNT]);
        let state = |pace| {
            let mut state = State::<f32>::zeros(rows, widths);
            let length = rows * units;
            state.parts.iter_mut().flatten().zip(wave(2 * length, pace)).for_each(|(to, value)| *to = value);
            state
        };
        let (previous, mut next, dnext, mut dprevious) = (state(0.7), state(0.0), state(1.3), state(0.0));
        let mut z: Vec<f32> = wave(rows * <G::Blocks<f32> as Block<f32>>::COUNT * units, 0.37).collect();

        let forward = Forward { gates, units, z: &mut z, previous: previous.views(), next: next.views_mut() };
        if on_vectors {
            forward.vectorize()
        } else {
            forward.run::<f32>(())
        }
        let mut outcome = z.clone();
        let backward = Backward {
            gates,
            units,
            z: &mut z,
            previous: previous.views(),
            next: next.views(),
            dnext: dnext.views(),
            dprevious: dprevious.views_mut(),
        };
        if on_vectors {
            backward.vectorize()
        } else {
            backward.run::<f32>(())
        }
        outcome.extend(z);
        outcome.extend([next, dprevious].iter().flat_map(|state| &state.parts).flatten());
        outcome
    }

    fn vectors_are_plain_numbers<G: Gates>(gates: &G) {
        // Parts of a vector, half of one, which takes two rows at a time, whole ones, and both.
        for units in [1, 3, 4, 7, 8, 9, 16, 21, 24, 50] {
            for rows in 1..6 {
                let (fast, plain) = (step(gates, units, rows, true), step(gates, units, rows, false));
                for (index, (fast, plain)) in fast.iter().zip(&plain).enumerate() {
                    assert!((fast - plain).abs() < 1e-5, "{rows} rows of {units}, number {index}: {fast} and {plain}");
                }
            }
        }
    }

    #[test]
    fn a_rule_is_the_same_on_vectors() {
        vectors_are_plain_numbers(Lstm::new(1).cell().gates());
        vectors_are_plain_numbers(Gru::new(1).cell().gates());
    }
}
