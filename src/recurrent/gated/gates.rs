//! Gates: the element-wise half of a cell whose other half is z = x·W + h·U + b.
//!
//! A rule is written once, for one unit of one sample, over [`Lane`]: the library runs it on whole vectors and owns
//! weights, products and the loop over time. See [`Gated`](super::Gated) for how z is laid out.

use std::sync::Arc;

use super::{Gated, Rule};
use crate::error::Result;
use crate::layer::{Describe, DynLayer};
use crate::numeric::{Lane, Scalar, Sealed};
use crate::recurrent::Rnn;
use crate::recurrent::erased::DynCell;
use crate::tensor::MAX_STATES;

/// A fixed number of values, one for each gate block or state: an array `[L; N]`.
pub trait Block<L>: Sealed + Copy {
    /// How many.
    const COUNT: usize;
    /// Makes each from its index.
    fn from_fn(make: impl FnMut(usize) -> L) -> Self;
    /// The value with this index.
    fn get(&self, index: usize) -> L;
}

impl<L: Copy, const N: usize> Sealed for [L; N] {}

impl<L: Copy, const N: usize> Block<L> for [L; N] {
    const COUNT: usize = N;

    #[inline(always)]
    fn from_fn(mut make: impl FnMut(usize) -> L) -> Self {
        // Not by `array::from_fn`, which is a call that is not always inlined: see `Lane` for what that costs.
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

/// The element-wise rule of a cell, and its derivative.
///
/// `forward` gets the sums of each block and the previous states, and gives what the derivative will need in place of
/// the sums, and the next states, the output first. `backward` inverts it. Mark both `#[inline(always)]`, and every
/// function that they call: see [`Lane`].
///
/// A GRU-like rule may want the product with the state apart from the sum, to scale it first: see [`Gates::APART`].
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
    /// One value for each block of z: `[L; N]`.
    type Blocks<L: Lane>: Block<L>;
    /// One value for each state, the output first: `[L; 1]`, `[L; 2]`.
    type States<L: Lane>: Block<L>;

    /// How many of the last blocks of the kernels arrive apart: x·W + b and h·U + b′ as two blocks instead of their sum.
    ///
    /// With K blocks in the kernels and A of them apart, `Blocks` has N = K + A values: the K − A sums, the A products
    /// with the state, then the A products with the input. The bias is then (2, K·H), for inputs and state, as Keras'
    /// GRU has it.
    const APART: usize = 0;

    /// Whether saved values keep the layout of the sums, for a cell that computes further products between two rules, as the
    /// GRU that resets before its product does. Otherwise only `backward` reads them, and they keep the vector layout.
    const SAVED_AS_SUMS: bool = false;

    /// From sums and previous states: what to save in place of the sums, and the next states.
    fn forward<L: Lane>(&self, sums: Self::Blocks<L>, previous: Self::States<L>) -> (Self::Blocks<L>, Self::States<L>);

    /// The next states from those that [`forward`](Gates::forward) gives, if there is more to do. By default there is not.
    ///
    /// For what a unit can only begin when all else is done, as an LSTM's output o·tanh(c') when there is c': `forward`
    /// then leaves o in its place. It is called when `forward` has been for the whole step, so that the processor need not
    /// wait at every unit; an epoch of the IMDB experiments with LSTMs takes 3 % less.
    #[inline(always)]
    fn finish<L: Lane>(&self, next: Self::States<L>) -> Self::States<L> {
        next
    }

    /// From what was saved, the states before and after, these finished, and the gradient of the latter: the gradients of the
    /// sums, and of the previous states as far as the rule itself used them.
    fn backward<L: Lane>(
        &self,
        saved: Self::Blocks<L>,
        previous: Self::States<L>,
        next: Self::States<L>,
        dnext: Self::States<L>,
    ) -> (Self::Blocks<L>, Self::States<L>);

    /// A number that replaces the bias initialiser in this block, such as the 1 of an LSTM's forget gate.
    fn initial_bias(&self, _block: usize) -> Option<f64> {
        None
    }

    /// The rule without its type. Built-in rules have theirs made in the crate, where their loops are compiled.
    #[doc(hidden)]
    fn erase<F: Scalar>(&self) -> &dyn Rule<F> {
        self
    }

    /// The layer of this rule without its type.
    #[doc(hidden)]
    fn erase_layer<F: Scalar>(layer: Rnn<Gated<Self>>) -> Arc<dyn DynLayer<F>> {
        Arc::new(layer)
    }

    /// The cell of this rule without its type.
    #[doc(hidden)]
    fn erase_cell<F: Scalar>(cell: Gated<Self>) -> Arc<dyn DynCell<F>> {
        Arc::new(cell)
    }

    /// Refuses options that do not go together.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) that names the option.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// Gives built-in rules what [`Gates`] hides.
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

/// The number of blocks of z, N.
pub(crate) const fn blocks<G: Gates>() -> usize {
    <G::Blocks<f32> as Block<f32>>::COUNT
}

/// The number of states.
pub(crate) const fn states<G: Gates>() -> usize {
    // Whoever writes another number is told by the compiler.
    const {
        let count = <G::States<f32> as Block<f32>>::COUNT;
        assert!(count >= 1 && count <= MAX_STATES, "a rule has 1 to 4 states");
        count
    }
}
