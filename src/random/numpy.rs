//! Shuffles of NumPy's legacy generator, `numpy.random.RandomState`, for the data sets and the splits.
//!
//! With the same 32-bit seed and the same calls in the same order, [`RandomState::shuffle`] and
//! [`RandomState::permutation`] give the same order as NumPy's. One `RandomState` is one stream: a second call
//! continues where the first one stopped.
//!
//! `tests/data/imdb.rs` includes this file, so it must not use anything else of the crate.

use rand_mt::Mt;

/// Random stream of `numpy.random.RandomState(seed)`.
#[derive(Debug)]
pub(crate) struct RandomState {
    twister: Mt,
}

impl RandomState {
    /// Returns the stream of a Mersenne Twister seeded with one word, as in NumPy for an integer seed.
    pub(crate) fn new(seed: u32) -> Self {
        Self { twister: Mt::new(seed) }
    }

    /// Shuffles in place, from the last element down.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            // A slice is never longer than 2^63, so the conversions are exact.
            let other = self.up_to(last as u64) as usize;
            items.swap(last, other);
        }
    }

    /// Returns the numbers `0..length`, shuffled.
    pub(crate) fn permutation(&mut self, length: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..length).collect();
        self.shuffle(&mut order);
        order
    }

    /// Returns a number in `0..=maximum`: draws with the smallest mask of ones that covers `maximum`, until one is not
    /// above it.
    fn up_to(&mut self, maximum: u64) -> u64 {
        let mask = u64::MAX.checked_shr(maximum.leading_zeros()).unwrap_or(0);
        loop {
            // One word is enough for every slice of at most 2^32 elements. The number of words for a draw affects the
            // stream.
            let draw = if maximum <= u64::from(u32::MAX) {
                u64::from(self.twister.next_u32())
            } else {
                self.twister.next_u64()
            };
            if draw & mask <= maximum {
                return draw & mask;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RandomState;

    #[test]
    fn two_shuffles_of_one_stream_are_numpys() {
        let mut random = RandomState::new(113);
        let first = random.permutation(25_000);
        assert_eq!(first[..8], [7798, 13226, 18078, 793, 17499, 23003, 574, 19638]);
        assert_eq!(first[24_996..], [16236, 22690, 4828, 14501]);
        let mut second: Vec<usize> = (0..25_000).collect();
        random.shuffle(&mut second);
        assert_eq!(second[..8], [22748, 4083, 8015, 13688, 5310, 4466, 736, 22654]);
    }

    #[test]
    fn permutation_is_numpys() {
        let order = RandomState::new(42).permutation(25_000);
        assert_eq!(order[..6], [6868, 24016, 9668, 13640, 14018, 7488]);
        assert_eq!(order[5000..5006], [23311, 23623, 1020, 12645, 1533, 3518]);
    }

    #[test]
    fn short_lengths_draw_nothing() {
        let mut random = RandomState::new(7);
        assert_eq!(random.permutation(0), [0; 0]);
        assert_eq!(random.permutation(1), [0]);
        assert_eq!(random.up_to(0), 0);
    }

    /// `RandomState(5).randint(0, 2**40 + 1, size=4)` draws the same masked two-word numbers.
    #[test]
    fn wide_intervals_take_two_words() {
        let mut random = RandomState::new(5);
        let draws: Vec<u64> = (0..4).map(|_| random.up_to(1 << 40)).collect();
        assert_eq!(draws, [34745516772, 993841416126, 680694927056, 34320314572]);
    }
}
