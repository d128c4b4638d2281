//! A buffer from which samples are drawn at random, for sources that bring them in an order.

use ndarray_rand::rand::Rng;

use super::{Batch, Batches};
use crate::error::Result;
use crate::numeric::Scalar;
use crate::numeric::checks::check_count;
use crate::random::{Generator, Key};

/// Another source through a buffer of samples: each is drawn from there at random, and the next one takes its place.
///
/// The larger the buffer, the better they are mixed; with as many as there are, every order is equally likely. Batches
/// are as large as the largest with which the buffer was filled so far. Samples must have one shape: others that meet
/// in a batch are an [`Error::Ragged`](crate::Error::Ragged), and a batch of the source without a target for each sample, or
/// with a mask or weights for others, is an [`Error::LengthMismatch`](crate::Error::LengthMismatch).
///
/// ```
/// use bptt::data::{Batch, Batches, Shuffled, from_iterator};
/// use bptt::random::Key;
/// use ndarray::{Array1, Array2};
/// let ordered = from_iterator(|_| {
///     (0..10).map(|n| {
///         let y: Array1<f64> = (0..8).map(|row| f64::from(8 * n + row)).collect();
///         Ok(Batch::new(Array2::from_shape_fn((8, 1), |(row, _)| y[row] as f32), y))
///     })
/// });
/// let mut shuffled = Shuffled::new(ordered, 80)?;
/// let (mut batch, mut seen): (Batch, Vec<f64>) = (Batch::default(), Vec::new());
/// shuffled.start(Key::new(1))?;
/// while shuffled.next(&mut batch)? {
///     seen.extend(&batch.targets);
/// }
/// assert!(!seen.is_sorted());
/// seen.sort_by(f64::total_cmp);
/// assert!(seen.into_iter().eq((0..80).map(f64::from)));
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Debug)]
pub struct Shuffled<S, F = f32> {
    source: S,
    capacity: usize,
    /// Batches of one sample.
    buffer: Vec<Batch<F>>,
    batch_size: usize,
    goes_on: bool,
    random: Generator,
}

impl<F: Scalar, S: Batches<F>> Shuffled<S, F> {
    /// A source through a buffer of so many samples.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for none.
    pub fn new(source: S, samples: usize) -> Result<Self> {
        check_count("samples", samples)?;
        let random = Key::new(0).generator();
        Ok(Shuffled { source, capacity: samples, buffer: Vec::new(), batch_size: 0, goes_on: false, random })
    }

    /// Fills the buffer up.
    fn fill(&mut self) -> Result<()> {
        let mut batch = Batch::default();
        while self.goes_on && self.buffer.len() < self.capacity {
            self.goes_on = self.source.next(&mut batch)?;
            if self.goes_on {
                batch.check_rows()?;
                self.batch_size = self.batch_size.max(batch.len());
                self.buffer.extend((0..batch.len()).map(|row| batch.sample(row)));
            }
        }
        Ok(())
    }
}

impl<F: Scalar, S: Batches<F>> Batches<F> for Shuffled<S, F> {
    fn start(&mut self, key: Key) -> Result<()> {
        self.buffer.clear();
        self.goes_on = true;
        self.random = key.fold(1).generator();
        self.source.start(key)
    }

    fn next(&mut self, batch: &mut Batch<F>) -> Result<bool> {
        let mut drawn = Vec::new();
        self.fill()?;
        while drawn.len() < self.batch_size && !self.buffer.is_empty() {
            let place = self.random.random_range(0..self.buffer.len());
            drawn.push(self.buffer.swap_remove(place));
            self.fill()?;
        }
        if drawn.is_empty() {
            return Ok(false);
        }
        *batch = Batch::join(&drawn)?;
        Ok(true)
    }

    fn count(&self) -> Option<usize> {
        self.source.count()
    }
}
