//! Gate rules: the element-wise half of a cell whose other half is z = x·W + h·U + b.
//!
//! A rule is written once over [`Lane`], for one unit of one sample. The library runs it on whole vectors and handles
//! weights, products and the loop over time. [`Gated`](super::Gated) describes the layout of z.

use std::sync::Arc;

use super::{Gated, Rule};
use crate::error::Result;
use crate::layer::{Describe, DynLayer};
use crate::numeric::{Lane, Scalar, Sealed};
use crate::recurrent::Rnn;
use crate::recurrent::erased::DynCell;
use crate::tensor::MAX_STATES;

/// Fixed number of values, one for each gate block or state: an array `[L; N]`.
pub trait Block<L>: Sealed + Copy {
    /// Number of values.
    const COUNT: usize;
    /// Makes each value from its index.
    fn from_fn(make: impl FnMut(usize) -> L) -> Self;
    /// Returns the value with this index.
    fn get(&self, index: usize) -> L;
}

impl<L: Copy, const N: usize> Sealed for [L; N] {}

impl<L: Copy, const N: usize> Block<L> for [L; N] {
    const COUNT: usize = N;

    #[inline(always)]
    fn from_fn(mut make: impl FnMut(usize) -> L) -> Self {
        // Not `array::from_fn`, a call that is not always inlined: see `Lane` for the cost of that.
        let mut all = [make(0); N];
        for (index, value) in all.iter_mut().enumerate().skip(1) {
            *value = make(index);
        }
        all
    }

    #[inline(always)]
    fn get(&self, index: usize) -> L {
        self[index]
    }
}

/// Element-wise rule of a cell, and its derivative.
///
/// `forward` takes the sums of each block and the previous states. It returns the values to save for the derivative, in
/// place of the sums, and the next states, the output first. `backward` is its adjoint. Mark both, and every function that
/// they call, `#[inline(always)]`: see [`Lane`].
///
/// A rule like the GRU's may need the product with the state apart from the sum, to scale it first: see [`Gates::APART`].
///
/// ```
/// use bptt::layer::Describe;
/// use bptt::numeric::Lane;
/// use bptt::recurrent::{Gated, Gates, Rnn};
/// use serde::{Deserialize, Serialize};
///
/// /// One gate: h' = h + σ(a)·(tanh(b) − h).
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Leaky;
///
/// impl Describe for Leaky {
///     fn kind() -> &'static str {
///         "docs::Leaky"
///     }
/// }
///
/// impl Gates for Leaky {
///     type Blocks<L: Lane> = [L; 2];
///     type States<L: Lane> = [L; 1];
///
///     #[inline(always)]
///     fn forward<L: Lane>(&self, [a, b]: [L; 2], [h]: [L; 1]) -> ([L; 2], [L; 1]) {
///         let (a, b) = (a.sigmoid(), b.tanh());
///         ([a, b], [h + a * (b - h)])
///     }
///
///     #[inline(always)]
///     fn backward<L: Lane>(&self, [a, b]: [L; 2], [h]: [L; 1], _: [L; 1], [d]: [L; 1]) -> ([L; 2], [L; 1]) {
///         let one = a.splat(1.0);
///         ([d * (b - h) * a * (one - a), d * a * (one - b * b)], [d * (one - a)])
///     }
/// }
///
/// let layer = Rnn::from_cell(Gated::new(Leaky, 8));
/// # let _ = layer;
/// ```
pub trait Gates: Describe {
    /// Values of the blocks of z: `[L; N]`.
    type Blocks<L: Lane>: Block<L>;
    /// Values of the states, the output first: `[L; 1]`, `[L; 2]`.
    type States<L: Lane>: Block<L>;

    /// Number of trailing kernel blocks that arrive apart: x·W + b and h·U + b′ as two blocks instead of their sum.
    ///
    /// With K blocks in the kernels and A of them apart, `Blocks` has N = K + A values: the K − A sums, the A products with
    /// the state, then the A products with the input. The bias is then (2, K·H), for inputs and state, as in Keras' GRU.
    const APART: usize = 0;

    /// Whether saved values keep the layout of the sums, for a cell with a further product between two rules, such as the
    /// GRU without `reset_after`. Otherwise only `backward` reads them, so they keep the vector layout.
    const SAVED_AS_SUMS: bool = false;

    /// Returns the values to save in place of the sums, and the next states.
    fn forward<L: Lane>(&self, sums: Self::Blocks<L>, previous: Self::States<L>) -> (Self::Blocks<L>, Self::States<L>);

    /// Completes the next states returned by [`forward`](Gates::forward). By default it returns them unchanged.
    ///
    /// It is for results that depend on all others, such as an LSTM's output o·tanh(c'): `forward` leaves o in its place. It
    /// runs after `forward` of the whole time step, so that the processor does not wait at every unit.
    #[inline(always)]
    fn finish<L: Lane>(&self, next: Self::States<L>) -> Self::States<L> {
        next
    }

    /// Returns the gradients of the sums, and of the previous states as far as the rule itself used them. It takes the saved
    /// values, the states before and after the step (these finished), and the gradient of the latter.
    fn backward<L: Lane>(
        &self,
        saved: Self::Blocks<L>,
        previous: Self::States<L>,
        next: Self::States<L>,
        dnext: Self::States<L>,
    ) -> (Self::Blocks<L>, Self::States<L>);

    /// Returns a number that replaces the bias initializer in this block, such as the 1 of an LSTM's forget gate.
    fn initial_bias(&self, _block: usize) -> Option<f64> {
        None
    }

    /// Returns the rule without its type. Built-in rules compile theirs, with its loops, in this crate.
    #[doc(hidden)]
    fn erase<F: Scalar>(&self) -> &dyn Rule<F> {
        self
    }

    /// Returns the layer of this rule without its type.
    #[doc(hidden)]
    fn erase_layer<F: Scalar>(layer: Rnn<Gated<Self>>) -> Arc<dyn DynLayer<F>> {
        Arc::new(layer)
    }

    /// Returns the cell of this rule without its type.
    #[doc(hidden)]
    fn erase_cell<F: Scalar>(cell: Gated<Self>) -> Arc<dyn DynCell<F>> {
        Arc::new(cell)
    }

    /// Returns an error for options that do not go together.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) that names the option.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// Implements the hidden methods of [`Gates`] for built-in rules.
macro_rules! erase_gates {
    ($gates:ty) => {
        fn erase<F: Scalar>(&self) -> &dyn $crate::recurrent::gated::Rule<F> {
            $crate::numeric::erased_here!(
                F, self, &'a $gates => &'a dyn $crate::recurrent::gated::Rule<F>, |gates| gates
            )
        }

        fn erase_layer<F: Scalar>(
            layer: $crate::recurrent::Rnn<$crate::recurrent::Gated<Self>>,
        ) -> std::sync::Arc<dyn $crate::layer::DynLayer<F>> {
            $crate::numeric::erased_here!(
                F,
                layer,
                $crate::recurrent::Rnn<$crate::recurrent::Gated<$gates>> => std::sync::Arc<dyn $crate::layer::DynLayer<F>>,
                std::sync::Arc::new
            )
        }

        fn erase_cell<F: Scalar>(
            cell: $crate::recurrent::Gated<Self>,
        ) -> std::sync::Arc<dyn $crate::recurrent::erased::DynCell<F>> {
            $crate::numeric::erased_here!(
                F,
                cell,
                $crate::recurrent::Gated<$gates> => std::sync::Arc<dyn $crate::recurrent::erased::DynCell<F>>,
                std::sync::Arc::new
            )
        }
    };
}
pub(crate) use erase_gates;

/// Number of blocks of z, N.
pub(crate) const fn blocks<G: Gates>() -> usize {
    <G::Blocks<f32> as Block<f32>>::COUNT
}

/// Number of states.
pub(crate) const fn states<G: Gates>() -> usize {
    // A wrong number is a compile error.
    const {
        let count = <G::States<f32> as Block<f32>>::COUNT;
        assert!(count >= 1 && count <= MAX_STATES, "a rule has 1 to 4 states");
        count
    }
}
