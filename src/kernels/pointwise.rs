//! Runs a gates rule over all rows of one time step.
//!
//! `z` holds B rows of N blocks, each H wide. Forward replaces the sums in it by what the rule saves; backward replaces
//! that by the gradient of the sums. States are B rows of H. Each row is cut into vectors; the last may be padded with
//! zeros, whose results are not stored.
//!
//! The loop is written once and compiled for plain numbers (the reference) and for each instruction set.

use crate::lane::{Kernel, Vector};
use crate::recurrent::{Block, Gates, Views, ViewsMut};
use crate::scalar::Scalar;

/// One step forward: `z` from sums to saved gates, `next` written.
pub(crate) struct Forward<'a, F, G> {
    pub(crate) gates: &'a G,
    pub(crate) units: usize,
    pub(crate) z: &'a mut [F],
    pub(crate) previous: Views<'a, F>,
    pub(crate) next: ViewsMut<'a, F>,
}

impl<F: Scalar, G: Gates> Kernel<F> for Forward<'_, F, G> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(mut self, token: V::Token) {
        let units = self.units;
        let blocks = <G::Blocks<V> as Block<V>>::COUNT;
        for (row, z) in self.z.chunks_exact_mut(blocks * units).enumerate() {
            let states = row * units..(row + 1) * units;
            let mut from = 0;
            while from < units {
                let to = units.min(from + V::WIDTH);
                let sums = Block::from_fn(|block| V::load(token, &z[block * units + from..block * units + to]));
                let previous =
                    Block::from_fn(|state| V::load(token, &self.previous.slice(state)[states.clone()][from..to]));
                let (saved, next) = self.gates.forward(sums, previous);
                for block in 0..blocks {
                    saved.get(block).store(&mut z[block * units + from..block * units + to]);
                }
                for state in 0..<G::States<V> as Block<V>>::COUNT {
                    next.get(state).store(&mut self.next.slice_mut(state)[states.clone()][from..to]);
                }
                from = to;
            }
        }
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

impl<F: Scalar, G: Gates> Kernel<F> for Backward<'_, F, G> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(mut self, token: V::Token) {
        let units = self.units;
        let blocks = <G::Blocks<V> as Block<V>>::COUNT;
        for (row, z) in self.z.chunks_exact_mut(blocks * units).enumerate() {
            let states = row * units..(row + 1) * units;
            let mut from = 0;
            while from < units {
                let to = units.min(from + V::WIDTH);
                let load = |views: &Views<'_, F>, state| V::load(token, &views.slice(state)[states.clone()][from..to]);
                let saved = Block::from_fn(|block| V::load(token, &z[block * units + from..block * units + to]));
                let previous = Block::from_fn(|state| load(&self.previous, state));
                let next = Block::from_fn(|state| load(&self.next, state));
                let dnext = Block::from_fn(|state| load(&self.dnext, state));
                let (dz, dprevious) = self.gates.backward(saved, previous, next, dnext);
                for block in 0..blocks {
                    dz.get(block).store(&mut z[block * units + from..block * units + to]);
                }
                for state in 0..<G::States<V> as Block<V>>::COUNT {
                    dprevious.get(state).store(&mut self.dprevious.slice_mut(state)[states.clone()][from..to]);
                }
                from = to;
            }
        }
    }
}
