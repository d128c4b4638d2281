//! Inputs as the cell sees them: in its order of time, and dropped out where all gates share the mask.
//!
//! They are copied only if one of the two makes them differ from what the layer got.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, Zip};

use super::masks::fill_masks;
use crate::layer::{MaskKind, Pass};
use crate::mask::Mask;
use crate::scalar::Scalar;
use crate::tensor::{Tensor, resize, reverse_steps};

/// How the cell sees its inputs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order {
    /// The last step comes first.
    pub(super) backwards: bool,
    /// The rate of dropout, if there is any, and whether each step has a mask of its own.
    pub(super) dropout: Option<(f64, bool)>,
}

/// Copies of the inputs, kept from a forward to its backward pass.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs<F> {
    order: Order,
    /// (T, B, D).
    sequence: Array3<F>,
    tokens: Array2<u32>,
    mask: Mask,
    /// The dropout mask: (1 or T, B, D).
    dropout: Array3<F>,
}

/// The inputs of a run: a sequence, or a table with the tokens that stand for its rows; and which steps count.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a, F> {
    pub(super) x: ArrayView3<'a, F>,
    pub(super) tokens: Option<ArrayView2<'a, u32>>,
    pub(super) mask: Option<ArrayView2<'a, bool>>,
}

impl<'a, F: Scalar> Seen<'a, F> {
    /// The inputs as the layer got them.
    pub(super) fn of(x: &'a Tensor<F>, mask: Option<ArrayView2<'a, bool>>) -> Self {
        match x {
            Tensor::Lookup(lookup) => Seen { x: lookup.table.view(), tokens: Some(lookup.tokens.view()), mask },
            x => Seen { x: x.sequence().view(), tokens: None, mask },
        }
    }

    /// T and B.
    pub(super) fn steps(&self) -> (usize, usize) {
        self.tokens.map_or((self.x.dim().0, self.x.dim().1), |tokens| tokens.dim())
    }
}

impl<F: Scalar> Inputs<F> {
    /// Copies what the cell sees otherwise than the layer, and draws the dropout mask.
    pub(super) fn arrange(&mut self, got: Seen<'_, F>, order: Order, pass: Pass<'_>) {
        self.order = order;
        if order.backwards {
            self.mask.copy_reversed(got.mask);
            if let Some(mut tokens) = got.tokens {
                tokens.invert_axis(Axis(0));
                resize(&mut self.tokens, tokens.raw_dim());
                self.tokens.assign(&tokens);
                return;
            }
        }
        if order.backwards || order.dropout.is_some() {
            let mut x = got.x;
            if order.backwards {
                x.invert_axis(Axis(0));
            }
            resize(&mut self.sequence, x.raw_dim());
            Zip::from(&mut self.sequence).and(x).for_each(|to, &from| *to = from);
        }
        if let Some((rate, per_step)) = order.dropout {
            let (steps, batch, features) = got.x.dim();
            let periods = if per_step { steps } else { 1 };
            fill_masks(&mut self.dropout, MaskKind::Input, rate, (periods, 1, batch, features), pass);
            drop_out(&self.dropout, &mut self.sequence);
        }
    }

    /// What the cell sees, of what the layer got.
    pub(super) fn seen<'a>(&'a self, got: Seen<'a, F>) -> Seen<'a, F> {
        let Order { backwards, dropout } = self.order;
        let copied = dropout.is_some() || (backwards && got.tokens.is_none());
        Seen {
            x: if copied { self.sequence.view() } else { got.x },
            tokens: got.tokens.map(|tokens| if backwards { self.tokens.view() } else { tokens }),
            mask: if backwards { self.mask.get() } else { got.mask },
        }
    }

    /// From the gradient of what the cell saw that of what the layer got.
    pub(super) fn give_back(&self, dx: &mut Array3<F>, tokens: bool) {
        if self.order.dropout.is_some() {
            drop_out(&self.dropout, dx);
        }
        if self.order.backwards && !tokens {
            reverse_steps(dx);
        }
    }
}

/// Multiplies each step of a sequence by its mask, or all steps by the only one.
fn drop_out<F: Scalar>(masks: &Array3<F>, sequence: &mut Array3<F>) {
    for (t, mut step) in sequence.outer_iter_mut().enumerate() {
        step *= &masks.index_axis(Axis(0), t.min(masks.dim().0 - 1));
    }
}
