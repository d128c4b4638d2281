//! The two functions of a gated cell: ρ of its gates and α of its candidate.
//!
//! They are nearly always the sigmoid and tanh. A rule generic over [`Functions`] is compiled for those two, without a
//! choice inside the loop over units, and once more for any other pair.

use crate::activations::Activation;
use crate::numeric::Lane;

/// ρ and α, and their derivatives times `dy`, computed from the output `y`.
pub(super) trait Functions: Copy {
    fn gate<L: Lane>(self, x: L) -> L;
    fn activation<L: Lane>(self, x: L) -> L;
    fn gate_back<L: Lane>(self, y: L, dy: L) -> L;
    fn activation_back<L: Lane>(self, y: L, dy: L) -> L;
    /// Returns α(x) again, given `product`, which is ρ's `gate` times it.
    fn activation_again<L: Lane>(self, x: L, gate: L, product: L) -> L;
}

/// Sigmoid and tanh.
#[derive(Clone, Copy)]
pub(super) struct SigmoidTanh;

/// Any pair: ρ, then α.
#[derive(Clone, Copy)]
pub(super) struct Chosen(pub(super) Activation, pub(super) Activation);

/// Implements [`Functions`] for a pair; `#[inline(always)]` for the reason that [`Lane`] gives.
macro_rules! functions {
    ($pair:ty, |$self:ident| $gate:expr, $activation:expr, |$x:ident, $of_gate:ident, $product:ident| $again:expr) => {
        impl Functions for $pair {
            #[inline(always)]
            fn gate<L: Lane>($self, x: L) -> L {
                $gate.apply(x)
            }
            #[inline(always)]
            fn activation<L: Lane>($self, x: L) -> L {
                $activation.apply(x)
            }
            #[inline(always)]
            fn gate_back<L: Lane>($self, y: L, dy: L) -> L {
                $gate.backward(y, dy)
            }
            #[inline(always)]
            fn activation_back<L: Lane>($self, y: L, dy: L) -> L {
                $activation.backward(y, dy)
            }
            #[inline(always)]
            fn activation_again<L: Lane>($self, $x: L, $of_gate: L, $product: L) -> L {
                $again
            }
        }
    };
}

// A division replaces tanh. Where the sigmoid is too small to divide by, its products with the quotient vanish.
functions!(SigmoidTanh, |self| Activation::Sigmoid, Activation::Tanh, |_x, gate, product| {
    product / gate.splat(f32::MIN_POSITIVE.into()).max(gate)
});
functions!(Chosen, |self| self.0, self.1, |x, _gate, _product| self.activation(x));

/// Calls `$rule` with the functions of a cell that has the fields `recurrent_activation` and `activation`.
macro_rules! with_functions {
    ($gates:expr, $rule:ident($($argument:expr),+)) => {
        match ($gates.recurrent_activation, $gates.activation) {
            ($crate::activations::Activation::Sigmoid, $crate::activations::Activation::Tanh) => {
                $rule($crate::recurrent::gated::functions::SigmoidTanh, $($argument),+)
            }
            (gate, activation) => $rule($crate::recurrent::gated::functions::Chosen(gate, activation), $($argument),+),
        }
    };
}
pub(super) use with_functions;
