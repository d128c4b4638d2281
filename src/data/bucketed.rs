//! Batches of sequences with similar lengths.

use ndarray::{Array1, Array2, Array3, s};

use super::Inputs;
use super::{Batch, Batches};
use crate::error::{Error, Result};
use crate::numeric::Scalar;
use crate::numeric::checks::check_count;
use crate::random::Key;

/// Number of batches sorted by length together: enough for similar lengths within a batch, few enough that epochs differ in
/// which sequences share a batch.
const POOL: usize = 64;

/// Sequences of different lengths, each with one number as target, in batches of similar lengths. Each is padded at its end
/// to the longest of its batch, with a mask for the padding.
///
/// Padding to the longest of all sequences can cost most of the training time. A model for these batches is built with
/// [`Form::tokens(None)`](crate::tensor::Form::tokens) or [`Form::sequence(None, D)`](crate::tensor::Form::sequence).
///
/// Each epoch composes new batches: pools of 64 batches are drawn at random, each sorted by length and cut into batches, and
/// the batches come in random order.
///
/// ```
/// use bptt::data::{Batch, Batches, Bucketed, Inputs};
/// use bptt::random::Key;
/// let reviews = [vec![5, 6, 7, 8], vec![1], vec![2, 3], vec![9, 9, 9]];
/// let mut bucketed = Bucketed::tokens(&reviews, &[1, 0, 0, 1], 2)?;
/// let mut batch: Batch = Batch::default();
/// let mut steps = Vec::new();
/// bucketed.start(Key::new(1))?;
/// while bucketed.next(&mut batch)? {
///     if let Inputs::Tokens(tokens) = &batch.inputs {
///         steps.push(tokens.ncols());
///     }
/// }
/// steps.sort();
/// assert_eq!(steps, [2, 4]);
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Debug)]
pub struct Bucketed<'a, F = f32> {
    sequences: Sequences<'a, F>,
    targets: Vec<f64>,
    batch_size: usize,
    maxlen: usize,
    batches: Vec<Vec<usize>>,
}

#[derive(Debug)]
enum Sequences<'a, F> {
    Tokens(&'a [Vec<u32>]),
    /// Sequences of features, each (T, D).
    Features(&'a [Array2<F>]),
}

impl<'a, F: Scalar> Bucketed<'a, F> {
    /// Returns batches of token-id sequences.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`] without sequences, [`Error::LengthMismatch`] unless there is one target for each,
    /// [`Error::InvalidOption`] for a batch size of 0.
    pub fn tokens<T: Copy + Into<f64>>(sequences: &'a [Vec<u32>], targets: &[T], batch_size: usize) -> Result<Self> {
        Bucketed::new(Sequences::Tokens(sequences), targets, batch_size)
    }

    /// Returns batches of feature sequences, each (T, D) with the same D.
    ///
    /// # Errors
    ///
    /// Those of [`Bucketed::tokens`]; [`Error::Ragged`] if D differs.
    pub fn features<T: Copy + Into<f64>>(sequences: &'a [Array2<F>], targets: &[T], batch_size: usize) -> Result<Self> {
        let widths = || sequences.iter().map(|sequence| sequence.ncols());
        if let Some((got, needs)) = widths().zip(widths().skip(1)).find(|(left, right)| left != right) {
            return Err(Error::Ragged { got: vec![got], needs: vec![needs] });
        }
        Bucketed::new(Sequences::Features(sequences), targets, batch_size)
    }

    fn new<T: Copy + Into<f64>>(sequences: Sequences<'a, F>, targets: &[T], batch_size: usize) -> Result<Self> {
        check_count("batch_size", batch_size)?;
        let targets: Vec<f64> = targets.iter().map(|&target| target.into()).collect();
        let (left_length, right_length) = (sequences.count(), targets.len());
        if left_length != right_length {
            return Err(Error::LengthMismatch { left: "sequences", left_length, right: "targets", right_length });
        }
        if targets.is_empty() {
            return Err(Error::Empty { what: "the list of sequences", mend: "pass at least one" });
        }
        Ok(Bucketed { sequences, targets, batch_size, maxlen: usize::MAX, batches: Vec::new() })
    }

    /// Truncates longer sequences to their last `maxlen` steps, at least one. By default sequences are not truncated.
    pub fn maxlen(self, maxlen: usize) -> Self {
        // At least one, because a batch needs a time step.
        Bucketed { maxlen: maxlen.max(1), ..self }
    }

    /// Number of steps used of a sequence.
    fn steps(&self, number: usize) -> usize {
        self.sequences.steps(number).min(self.maxlen)
    }
}

impl<F> Sequences<'_, F> {
    fn count(&self) -> usize {
        match self {
            Sequences::Tokens(sequences) => sequences.len(),
            Sequences::Features(sequences) => sequences.len(),
        }
    }

    fn steps(&self, number: usize) -> usize {
        match self {
            Sequences::Tokens(sequences) => sequences[number].len(),
            Sequences::Features(sequences) => sequences[number].nrows(),
        }
    }
}

impl<F: Scalar> Batches<F> for Bucketed<'_, F> {
    fn start(&mut self, key: Key) -> Result<()> {
        let mut order = key.fold(0).permutation(self.targets.len());
        for pool in order.chunks_mut(POOL * self.batch_size) {
            pool.sort_by_key(|&number| self.steps(number));
        }
        let batches: Vec<&[usize]> = order.chunks(self.batch_size).collect();
        let places = key.fold(1).permutation(batches.len());
        self.batches = places.into_iter().map(|place| batches[place].to_vec()).collect();
        Ok(())
    }

    fn next(&mut self, batch: &mut Batch<F>) -> Result<bool> {
        let Some(numbers) = self.batches.pop() else { return Ok(false) };
        let longest = numbers.iter().map(|&number| self.steps(number)).max().unwrap_or(0).max(1);
        let size = (numbers.len(), longest);
        // End of each sequence in its padded row, and its first step in use.
        let rows = || numbers.iter().map(|&number| (number, self.steps(number))).enumerate();
        let first = |number: usize, steps: usize| self.sequences.steps(number) - steps;
        batch.inputs = match self.sequences {
            Sequences::Tokens(sequences) => {
                let mut tokens = Array2::zeros(size);
                for (row, (number, steps)) in rows() {
                    let sequence = &sequences[number][first(number, steps)..];
                    tokens.row_mut(row).iter_mut().zip(sequence).for_each(|(to, &token)| *to = token);
                }
                Inputs::Tokens(tokens)
            }
            Sequences::Features(sequences) => {
                let mut features = Array3::zeros((size.0, size.1, sequences[0].ncols()));
                for (row, (number, steps)) in rows() {
                    let sequence = sequences[number].slice(s![first(number, steps).., ..]);
                    features.slice_mut(s![row, ..steps, ..]).assign(&sequence);
                }
                Inputs::Sequences(features)
            }
        };
        let steps: Vec<usize> = numbers.iter().map(|&number| self.steps(number)).collect();
        batch.mask = Some(Array2::from_shape_fn(size, |(row, step)| step < steps[row]));
        batch.weights = None;
        batch.targets = numbers.iter().map(|&number| self.targets[number]).collect::<Array1<f64>>().into_dyn();
        Ok(true)
    }

    fn count(&self) -> Option<usize> {
        Some(self.targets.len().div_ceil(self.batch_size))
    }
}
