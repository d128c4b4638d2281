//! What flows between layers: a small enum of arrays, and its shape without the batch.
//!
//! Inside a model time comes first: `(T, B)` tokens, `(T, B, D)` sequences, so that one step of a whole batch lies in
//! one piece of memory. The public edge (`fit`, `predict`) is batch-first, as in Keras.
//!
//! Tensors are written over and over: [`resize`] keeps the memory they have, so that after the first batch nothing is
//! allocated.

use std::fmt;
use std::slice::{ChunksExact, ChunksExactMut};

use ndarray::{Array, Array2, Array3, ArrayView2, ArrayViewMut2, Dimension, IntoDimension, Zip, s};
use num_traits::Zero;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What one sample looks like on its way through a model.
///
/// `steps` is `None` where any length is taken, as the `None` of a Keras shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Token ids, (T).
    Tokens {
        /// Time steps T.
        steps: Option<usize>,
    },
    /// One row of features, (D).
    Vector {
        /// Features D.
        features: usize,
    },
    /// A row of features for each time step, (T, D).
    Sequence {
        /// Time steps T.
        steps: Option<usize>,
        /// Features D.
        features: usize,
    },
}

impl Form {
    /// Sequences of `steps` token ids, as [`Embedding`](crate::Embedding) takes them; `None` for any length.
    pub fn tokens(steps: impl Into<Option<usize>>) -> Self {
        Form::Tokens { steps: steps.into() }
    }

    /// Rows of `features` numbers.
    pub fn vector(features: usize) -> Self {
        Form::Vector { features }
    }

    /// Sequences of `steps` rows of `features` numbers; `None` for any length.
    pub fn sequence(steps: impl Into<Option<usize>>, features: usize) -> Self {
        Form::Sequence { steps: steps.into(), features }
    }

    /// The number of features of a vector or of each step of a sequence; an error for tokens.
    pub fn features(&self) -> Result<usize> {
        match *self {
            Form::Vector { features } | Form::Sequence { features, .. } => Ok(features),
            Form::Tokens { .. } => Err(Error::Form {
                got: *self,
                needs: "numbers",
                mend: "put an Embedding before it, which turns token ids into vectors",
            }),
        }
    }

    /// The same form with another number of features.
    pub fn with_features(&self, features: usize) -> Self {
        match *self {
            Form::Sequence { steps, .. } => Form::Sequence { steps, features },
            _ => Form::Vector { features },
        }
    }

    /// The same form with any number of steps.
    pub(crate) fn any_length(self) -> Self {
        match self {
            Form::Tokens { .. } => Form::Tokens { steps: None },
            Form::Sequence { features, .. } => Form::Sequence { steps: None, features },
            form => form,
        }
    }

    /// The steps and features of a sequence; an error for anything else.
    pub fn expect_sequence(&self) -> Result<(Option<usize>, usize)> {
        match *self {
            Form::Sequence { steps, features } => Ok((steps, features)),
            Form::Vector { .. } => Err(Error::Form {
                got: *self,
                needs: "a sequence",
                mend: "set return_sequences(true) on the recurrent layer before it, or build the model for Form::sequence if it \
                       is the first layer",
            }),
            Form::Tokens { .. } => Err(Error::Form {
                got: *self,
                needs: "a sequence of vectors",
                mend: "put an Embedding before it, which turns token ids into vectors",
            }),
        }
    }
}

/// As Keras writes shapes: `(None, 100, 16)`, the first for the batch.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |steps: Option<usize>| steps.map_or("None".into(), |steps| steps.to_string());
        match *self {
            Form::Tokens { steps } => write!(f, "(None, {}) of token ids", length(steps)),
            Form::Vector { features } => write!(f, "(None, {features})"),
            Form::Sequence { steps, features } => write!(f, "(None, {}, {features})", length(steps)),
        }
    }
}

/// What a layer takes and gives: a whole batch, or a shard of one. Arrays are in standard layout.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor<F> {
    /// Token ids (T, B).
    Tokens(Array2<u32>),
    /// Rows of features (B, D).
    Vector(Array2<F>),
    /// Sequences (T, B, D).
    Sequence(Array3<F>),
    /// Sequences (T, B, D) whose steps are rows of a table, not looked up yet. Only a layer that
    /// [takes lookups](crate::Layer::takes_lookups) gets them.
    Lookup(Lookup<F>),
}

/// A sequence (T, B, D) as token ids and the table whose rows they stand for: step t of sample b is
/// `table[0, tokens[t, b]]`. Its gradient is that of the table, as a sequence (1, V, D).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lookup<F> {
    /// The token ids (T, B).
    pub tokens: Array2<u32>,
    /// The table (1, V, D).
    pub table: Array3<F>,
}

impl<F> Default for Tensor<F> {
    fn default() -> Self {
        Tensor::Vector(Array2::from_shape_vec((0, 0), Vec::new()).expect("an empty array holds no numbers"))
    }
}

impl<F: Clone + Default> Tensor<F> {
    /// The number of samples B.
    pub fn batch(&self) -> usize {
        match self {
            Tensor::Tokens(tokens) => tokens.ncols(),
            Tensor::Vector(rows) => rows.nrows(),
            Tensor::Sequence(steps) => steps.dim().1,
            Tensor::Lookup(lookup) => lookup.tokens.ncols(),
        }
    }

    /// The token ids; panics if it holds numbers, which a built model rules out.
    pub fn tokens(&self) -> &Array2<u32> {
        match self {
            Tensor::Tokens(tokens) => tokens,
            _ => panic!("a layer that takes token ids was run on numbers"),
        }
    }

    /// The sequence (T, B, D); panics if it is none, which a built model rules out.
    pub fn sequence(&self) -> &Array3<F> {
        match self {
            Tensor::Sequence(steps) => steps,
            _ => panic!("a layer that takes a sequence was run on something else"),
        }
    }

    /// All rows of features: (B, D) of a vector, (T·B, D) of a sequence. Panics on tokens.
    pub fn rows(&self) -> ArrayView2<'_, F> {
        match self {
            Tensor::Vector(rows) => rows.view(),
            Tensor::Sequence(steps) => {
                let (t, b, d) = steps.dim();
                steps.view().into_shape_with_order((t * b, d)).expect("sequences are in standard layout")
            }
            Tensor::Tokens(_) | Tensor::Lookup(_) => panic!("token ids have no rows of features"),
        }
    }

    /// The same rows, to be written.
    pub fn rows_mut(&mut self) -> ArrayViewMut2<'_, F> {
        match self {
            Tensor::Vector(rows) => rows.view_mut(),
            Tensor::Sequence(steps) => {
                let (t, b, d) = steps.dim();
                steps.view_mut().into_shape_with_order((t * b, d)).expect("sequences are in standard layout")
            }
            Tensor::Tokens(_) | Tensor::Lookup(_) => panic!("token ids have no rows of features"),
        }
    }

    /// The numbers of all rows of features, and how many a row has. Panics on tokens.
    pub(crate) fn in_one_piece(&self) -> (&[F], usize) {
        match self {
            Tensor::Vector(rows) => (slice(rows), rows.ncols()),
            Tensor::Sequence(steps) => (slice(steps), steps.dim().2),
            Tensor::Tokens(_) | Tensor::Lookup(_) => panic!("token ids have no rows of features"),
        }
    }

    /// The same, to be written.
    pub(crate) fn in_one_piece_mut(&mut self) -> (&mut [F], usize) {
        match self {
            Tensor::Vector(rows) => {
                let width = rows.ncols();
                (slice_mut(rows), width)
            }
            Tensor::Sequence(steps) => {
                let width = steps.dim().2;
                (slice_mut(steps), width)
            }
            Tensor::Tokens(_) | Tensor::Lookup(_) => panic!("token ids have no rows of features"),
        }
    }

    /// Makes it a vector of this size, with any content, and hands it out to be written.
    pub fn as_vector(&mut self, batch: usize, features: usize) -> &mut Array2<F> {
        if !matches!(self, Tensor::Vector(_)) {
            *self = Tensor::default();
        }
        match self {
            Tensor::Vector(rows) => {
                resize(rows, (batch, features));
                rows
            }
            _ => unreachable!("it was made a vector above"),
        }
    }

    /// Makes it a sequence of this size, with any content, and hands it out to be written.
    pub fn as_sequence(&mut self, steps: usize, batch: usize, features: usize) -> &mut Array3<F> {
        self.as_sequence_within((steps, batch, features), 0)
    }

    /// [`Tensor::as_sequence`] in memory for `most` numbers.
    pub(crate) fn as_sequence_within(&mut self, shape: (usize, usize, usize), most: usize) -> &mut Array3<F> {
        if !matches!(self, Tensor::Sequence(_)) {
            *self = Tensor::Sequence(Array3::default((0, 0, 0)));
        }
        match self {
            Tensor::Sequence(sequence) => {
                resize_within(sequence, shape, most);
                sequence
            }
            _ => unreachable!("it was made a sequence above"),
        }
    }

    /// Makes it token ids of this size, with any content, and hands them out to be written.
    pub fn as_tokens(&mut self, steps: usize, batch: usize) -> &mut Array2<u32> {
        if !matches!(self, Tensor::Tokens(_)) {
            *self = Tensor::Tokens(Array2::default((0, 0)));
        }
        match self {
            Tensor::Tokens(tokens) => {
                resize(tokens, (steps, batch));
                tokens
            }
            _ => unreachable!("it was made tokens above"),
        }
    }

    /// Makes it a lookup and hands it out to be written.
    pub fn as_lookup(&mut self) -> &mut Lookup<F> {
        if !matches!(self, Tensor::Lookup(_)) {
            *self = Tensor::Lookup(Lookup { tokens: Array2::default((0, 0)), table: Array3::default((0, 0, 0)) });
        }
        match self {
            Tensor::Lookup(lookup) => lookup,
            _ => unreachable!("it was made a lookup above"),
        }
    }

    /// Makes it equal to another one of numbers.
    pub(crate) fn copy(&mut self, other: &Tensor<F>)
    where
        F: Copy,
    {
        let rows = other.rows();
        self.like(other, rows.ncols());
        self.rows_mut().assign(&rows);
    }

    /// Makes it like `other` in kind, with the same sizes but for the features.
    pub fn like(&mut self, other: &Tensor<F>, features: usize) {
        match other {
            Tensor::Sequence(steps) => {
                let (t, b, _) = steps.dim();
                self.as_sequence(t, b, features);
            }
            _ => {
                self.as_vector(other.batch(), features);
            }
        }
    }
}

/// Gives an array another shape, with any content, in the memory that it has if that is large enough to begin at a line of
/// the cache.
#[inline]
pub fn resize<A: Clone + Default, D: Dimension>(array: &mut Array<A, D>, shape: impl IntoDimension<Dim = D>) {
    resize_within(array, shape, 0);
}

/// [`resize`] where the size differs from pass to pass: in memory for `most` numbers, so that it need not grow again.
#[inline]
pub(crate) fn resize_within<A: Clone + Default, D: Dimension>(
    array: &mut Array<A, D>,
    shape: impl IntoDimension<Dim = D>,
    most: usize,
) {
    let shape = shape.into_dimension();
    if array.raw_dim() != shape {
        reshape(array, shape, most);
    }
}

/// [`resize_within`] where the shape is another one: apart, so that looking whether it is stays short.
///
/// The array begins where a line of the cache does. A vector that lies in two lines is loaded and stored at half the speed,
/// and memory as it comes from the system is such that all vectors of 64 bytes do.
fn reshape<A: Clone + Default, D: Dimension>(array: &mut Array<A, D>, shape: D, most: usize) {
    let (mut memory, _) = std::mem::replace(array, Array::default(D::zeros(shape.ndim()))).into_raw_vec_and_offset();
    let spare = CACHE_LINE.checked_div(size_of::<A>()).unwrap_or_default();
    memory.reserve((most.max(shape.size()) + spare).saturating_sub(memory.len()));
    memory.resize(shape.size() + spare, A::default());
    let start = memory.as_ptr().align_offset(CACHE_LINE).min(spare);
    let aligned = Array::from_vec(memory).slice_move(s![start..start + shape.size()]);
    *array = aligned.into_shape_with_order(shape).expect("the memory was made to fit");
}

/// Bytes that a processor fetches together.
pub(crate) const CACHE_LINE: usize = 64;

/// Puts the last time step first.
pub(crate) fn reverse_steps<F>(sequence: &mut Array3<F>) {
    let steps = sequence.dim().0;
    for t in 0..steps / 2 {
        let (mut early, mut late) = sequence.multi_slice_mut((s![t, .., ..], s![steps - 1 - t, .., ..]));
        Zip::from(&mut early).and(&mut late).for_each(std::mem::swap);
    }
}

/// Copies a row in blocks of a known size: for rows as short as those of vectors and states a call to copy memory takes
/// longer than the copy. Inside a kernel it is compiled for the kernel's vectors.
#[inline(always)]
pub(crate) fn copy_row<F: Copy>(from: &[F], to: &mut [F]) {
    let ((from, from_rest), (to, to_rest)) = (from.as_chunks::<8>(), to.as_chunks_mut::<8>());
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    to_rest.iter_mut().zip(from_rest).for_each(|(to, &from)| *to = from);
}

/// Sets a row to zero, in the same way.
#[inline(always)]
pub(crate) fn clear_row<F: Zero + Copy>(row: &mut [F]) {
    let (row, rest) = row.as_chunks_mut::<8>();
    row.iter_mut().for_each(|row| *row = [F::zero(); 8]);
    rest.iter_mut().for_each(|number| *number = F::zero());
}

/// All numbers of an array in standard layout, as weights and everything that passes make are.
pub(crate) fn slice<F, D: Dimension>(array: &Array<F, D>) -> &[F] {
    array.as_slice().expect("weights and workspaces are in standard layout")
}

/// The same, to be written.
pub(crate) fn slice_mut<F, D: Dimension>(array: &mut Array<F, D>) -> &mut [F] {
    array.as_slice_mut().expect("weights and workspaces are in standard layout")
}

/// The rows of a matrix in standard layout.
pub(crate) fn each_row<'a, F>(matrix: ArrayView2<'a, F>) -> ChunksExact<'a, F> {
    let width = matrix.ncols().max(1);
    matrix.to_slice().expect("weights and workspaces are in standard layout").chunks_exact(width)
}

/// The same, to be written.
pub(crate) fn each_row_mut<F>(matrix: ArrayViewMut2<'_, F>) -> ChunksExactMut<'_, F> {
    let width = matrix.ncols().max(1);
    matrix.into_slice().expect("weights and workspaces are in standard layout").chunks_exact_mut(width)
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;

    use super::*;

    #[test]
    fn resizing_keeps_the_memory() {
        let mut array = Array2::<f32>::default((0, 0));
        resize(&mut array, (8, 4));
        let before = array.as_ptr();
        resize(&mut array, (4, 2));
        resize(&mut array, (2, 16));
        assert_eq!(array.dim(), (2, 16));
        assert_eq!(array.as_ptr(), before);
        resize(&mut array, (2, 0));
        resize(&mut array, (1, 32));
        assert_eq!(array.as_ptr(), before);
    }

    #[test]
    fn arrays_begin_at_a_line_of_the_cache_whatever_they_hold() {
        fn begins_there<A: Clone + Default>() {
            // What is smaller goes into the same memory, what is larger into new; a user's array may begin anywhere.
            let mut array = Array1::from_vec(vec![A::default(); 5]);
            for size in [4, 5, 6, 300, 7, 5000] {
                resize(&mut array, size);
                assert_eq!((array.len(), array.as_ptr().align_offset(CACHE_LINE)), (size, 0));
            }
        }
        begins_there::<f32>();
        begins_there::<f64>();
        begins_there::<u32>();
        begins_there::<bool>();
        // What takes no memory has nowhere to begin.
        let mut nothing = Array1::<()>::default(0);
        resize(&mut nothing, 3);
        assert_eq!(nothing.len(), 3);
    }
}
