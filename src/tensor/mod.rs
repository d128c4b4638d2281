//! Values that flow between layers: tensors, their forms, masks and states.
//!
//! | Item | Meaning |
//! | --- | --- |
//! | [`Form`] | Shape of one sample: tokens, vector or sequence |
//! | [`Tensor`] | Batch of values between two layers |
//! | [`Lookup`] | Sequence as token ids and a table |
//! | [`Mask`] | Which time steps count |
//! | [`State`], [`Widths`] | States of a recurrent layer, and their sizes |
//! | [`Views`], [`ViewsMut`] | Views of the states at one time step |
//! | [`resize`] | Changes the shape of an array and keeps its memory |
//!
//! ```
//! use bptt::tensor::{Form, Tensor};
//! use ndarray::Array3;
//! let x = Tensor::Sequence(Array3::<f32>::zeros((10, 2, 3))); // (T, B, D)
//! assert_eq!(x.batch(), 2);
//! assert_eq!(x.rows().dim(), (20, 3));
//! assert_eq!(Form::sequence(10, 3).features()?, 3);
//! # Ok::<(), bptt::Error>(())
//! ```
//!
//! Inside a model time comes first: (T, B) for tokens, (T, B, D) for sequences, so that a time step of a whole batch is
//! contiguous. Arrays that users pass to `fit` and `predict` have the batch first, as in Keras.
//!
//! Tensors are reused: [`resize`] keeps their memory, so nothing is allocated after the first batch.

mod form;
pub(crate) mod mask;
mod memory;
mod state;

pub use form::Form;
pub use mask::Mask;
pub use memory::resize;
pub(crate) use memory::{
    CACHE_LINE, clear_row, copy_row, each_row, each_row_mut, resize_within, reverse_steps, slice, slice_mut,
};
pub(crate) use state::copy;
pub use state::{MAX_STATES, State, Views, ViewsMut, Widths};

use ndarray::{Array2, Array3, ArrayView2, ArrayViewMut2};

/// Input or output of a layer for a batch or a part of one. Arrays are in standard layout.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Tensor<F> {
    /// Token ids (T, B).
    Tokens(Array2<u32>),
    /// Rows of features (B, D).
    Vector(Array2<F>),
    /// Sequences (T, B, D).
    Sequence(Array3<F>),
    /// Sequences (T, B, D) as token ids and the table of their vectors, only for layers that
    /// [take lookups](crate::layer::Layer::takes_lookups).
    Lookup(Lookup<F>),
}

/// Sequence (T, B, D) as token ids and a table: time step t of sample b is `table[0, tokens[t, b]]`.
///
/// Its gradient is that of the table, as a sequence (1, V, D).
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Lookup<F> {
    /// Token ids (T, B).
    pub tokens: Array2<u32>,
    /// Table (1, V, D).
    pub table: Array3<F>,
}

impl<F> Default for Tensor<F> {
    fn default() -> Self {
        Tensor::Vector(Array2::from_shape_vec((0, 0), Vec::new()).expect("an empty array holds no numbers"))
    }
}

impl<F: Clone + Default> Tensor<F> {
    /// Returns the number of samples B.
    pub fn batch(&self) -> usize {
        match self {
            Tensor::Tokens(tokens) => tokens.ncols(),
            Tensor::Vector(rows) => rows.nrows(),
            Tensor::Sequence(steps) => steps.dim().1,
            Tensor::Lookup(lookup) => lookup.tokens.ncols(),
        }
    }

    /// Returns the token ids.
    ///
    /// # Panics
    ///
    /// If it holds something else, which a built model rules out.
    pub fn tokens(&self) -> &Array2<u32> {
        match self {
            Tensor::Tokens(tokens) => tokens,
            _ => panic!("a layer that takes token ids was run on numbers"),
        }
    }

    /// Returns the sequence (T, B, D).
    ///
    /// # Panics
    ///
    /// If it holds something else, which a built model rules out.
    pub fn sequence(&self) -> &Array3<F> {
        match self {
            Tensor::Sequence(steps) => steps,
            _ => panic!("a layer that takes a sequence was run on something else"),
        }
    }

    /// Returns all rows of features: (B, D) of a vector, (T·B, D) of a sequence.
    ///
    /// # Panics
    ///
    /// If it holds token ids.
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

    /// Returns all rows of features, mutably: see [`Tensor::rows`].
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

    /// Returns all rows of features as one slice, and the width of a row. Panics on tokens.
    pub(crate) fn in_one_piece(&self) -> (&[F], usize) {
        match self {
            Tensor::Vector(rows) => (slice(rows), rows.ncols()),
            Tensor::Sequence(steps) => (slice(steps), steps.dim().2),
            Tensor::Tokens(_) | Tensor::Lookup(_) => panic!("token ids have no rows of features"),
        }
    }

    /// Returns all rows of features as one mutable slice, and the width of a row. Panics on tokens.
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

    /// Makes it a vector of this size, with unspecified content, and returns it to be written.
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

    /// Makes it a sequence of this size, with unspecified content, and returns it to be written.
    pub fn as_sequence(&mut self, steps: usize, batch: usize, features: usize) -> &mut Array3<F> {
        self.as_sequence_within((steps, batch, features), 0)
    }

    /// Like [`Tensor::as_sequence`], with capacity for `most` numbers.
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

    /// Makes it token ids of this size, with unspecified content, and returns them to be written.
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

    /// Makes it a lookup and returns it to be written.
    pub fn as_lookup(&mut self) -> &mut Lookup<F> {
        if !matches!(self, Tensor::Lookup(_)) {
            *self = Tensor::Lookup(Lookup { tokens: Array2::default((0, 0)), table: Array3::default((0, 0, 0)) });
        }
        match self {
            Tensor::Lookup(lookup) => lookup,
            _ => unreachable!("it was made a lookup above"),
        }
    }

    /// Copies another tensor of numbers.
    pub(crate) fn copy(&mut self, other: &Tensor<F>)
    where
        F: Copy,
    {
        let rows = other.rows();
        self.like(other, rows.ncols());
        self.rows_mut().assign(&rows);
    }

    /// Makes it a tensor of the kind and size of `other`, with this number of features.
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
