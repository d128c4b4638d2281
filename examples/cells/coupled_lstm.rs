//! An LSTM whose forget gate is what the input gate leaves (Greff et al. 2015, "CIFG"): a quarter fewer weights.
//!
//! ```text
//! i = σ(z₀)   g = tanh(z₁)   o = σ(z₂)        z = x·W + h·U + b
//! c' = (1 − i)·c + i·g       h' = o·tanh(c')
//! ```
//!
//! The library owns W, U and b, the products and the loop over time; here is the rule on one unit, and its derivative.

use bptt::layer::Describe;
use bptt::numeric::Lane;
use bptt::recurrent::Gates;
use serde::{Deserialize, Serialize};

/// The rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CoupledLstm;

impl Describe for CoupledLstm {
    fn kind() -> &'static str {
        "examples::CoupledLstm"
    }
}

impl Gates for CoupledLstm {
    type Blocks<L: Lane> = [L; 3];
    type States<L: Lane> = [L; 2];

    /// Gives i, g, o to be saved, and of the states c'; h' waits for it, so o takes its place until then.
    #[inline(always)]
    fn forward<L: Lane>(&self, [i, g, o]: [L; 3], [_, c]: [L; 2]) -> ([L; 3], [L; 2]) {
        let (i, g, o) = (i.sigmoid(), g.tanh(), o.sigmoid());
        let c = c + i * (g - c);
        ([i, g, o], [o, c])
    }

    /// From o and c' the states h', c'.
    #[inline(always)]
    fn finish<L: Lane>(&self, [o, c]: [L; 2]) -> [L; 2] {
        [o * c.tanh(), c]
    }

    /// Gives the gradients of the three sums, and of h and c. h is used by nothing but the product h·U, which is not ours.
    #[inline(always)]
    fn backward<L: Lane>(
        &self,
        [i, g, o]: [L; 3],
        [_, c]: [L; 2],
        [_, c_next]: [L; 2],
        [dh, dc]: [L; 2],
    ) -> ([L; 3], [L; 2]) {
        let one = i.splat(1.0);
        let out = c_next.tanh();
        let dc = dc + dh * o * (one - out * out);
        let di = dc * (g - c) * i * (one - i);
        ([di, dc * i * (one - g * g), dh * out * o * (one - o)], [one.splat(0.0), dc * (one - i)])
    }
}
