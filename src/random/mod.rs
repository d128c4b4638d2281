//! Random keys: draws that depend on their purpose, not on the order in which they are made.
//!
//! | Item | Meaning |
//! | --- | --- |
//! | [`Key`] | Seed with purposes folded into it |
//! | [`Key::fold`] | Key of a part: a layer of a model, a step, a sample of a batch |
//! | [`Key::generator`] | Random number generator that starts from the key |
//!
//! ```
//! use bptt::random::Key;
//! let model = Key::new(42);
//! let (first, second) = (model.fold(0), model.fold(1)); // one key for each layer
//! assert_ne!(first, second);
//! assert_eq!(first, Key::new(42).fold(0));
//! ```
//!
//! So a dropout mask does not depend on how a batch is split or on the thread that draws it, and an additional layer
//! does not change the draws of the others. Folding is SplitMix64's finalizer (Steele, Lea and Flood 2014); the
//! generator is xoshiro256++.

pub(crate) mod numpy;

use ndarray_rand::rand::seq::SliceRandom;
use ndarray_rand::rand::{Rng, RngCore};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

/// Source of random numbers: a seed with purposes folded into it.
///
/// ```
/// use bptt::random::Key;
/// let key = Key::new(42);
/// assert_eq!(key.fold(7), Key::new(42).fold(7));
/// assert_ne!(key.fold(7), key.fold(8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

impl Key {
    /// Returns the key of a seed.
    pub fn new(seed: u64) -> Self {
        Key(mix(seed))
    }

    /// Returns the key of a part of this key's purpose: a layer of a model, a sample of a batch.
    pub fn fold(self, part: u64) -> Self {
        // The odd constant (2⁶⁴ over the golden ratio) keeps (a, b) apart from (b, a).
        Key(mix(self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ mix(part.wrapping_add(0x9E37_79B9_7F4A_7C15))))
    }

    /// Returns a generator that starts from this key.
    pub fn generator(self) -> Generator {
        Generator(Xoshiro256PlusPlus::seed_from_u64(self.0))
    }

    /// Returns the numbers below `count` in random order.
    pub(crate) fn permutation(self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(&mut self.generator());
        order
    }
}

/// Pseudo-random numbers from a [`Key`], by xoshiro256++; a source for the distributions of `rand` 0.9.
///
/// ```
/// use bptt::random::Key;
/// let (mut one, mut other) = (Key::new(42).generator(), Key::new(42).generator());
/// assert_eq!(one.uniform(), other.uniform());
/// ```
#[derive(Clone, Debug)]
pub struct Generator(Xoshiro256PlusPlus);

impl Generator {
    /// Returns a number in [0, 1), uniformly distributed.
    pub fn uniform(&mut self) -> f64 {
        self.random()
    }
}

impl RngCore for Generator {
    #[inline]
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    #[inline]
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    #[inline]
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutations_hold_every_number_once_and_differ_by_key() {
        let mut first = Key::new(1).permutation(1000);
        let second = Key::new(2).permutation(1000);
        assert_ne!(first, second);
        first.sort_unstable();
        assert!(first.into_iter().eq(0..1000));
    }

    #[test]
    fn folding_is_not_symmetric() {
        assert_ne!(Key::new(0).fold(1).fold(2), Key::new(0).fold(2).fold(1));
    }
}
