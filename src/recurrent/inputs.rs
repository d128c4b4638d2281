//! Inputs as the cell sees them: in its order of time, and after dropout if all gates share the mask.
//!
//! They are copied only if order or dropout changes them. Rows of a table are copied once for each sample that uses them,
//! see [`dropped_rows`](super::dropped_rows).

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis};

use super::dropped_rows::DroppedRows;
use super::masks::{GateMasks, fill_masks};
use crate::kernels::gemm::{Rows, RowsMut, Start};
use crate::layer::{MaskKind, Pass};
use crate::numeric::Scalar;
use crate::tensor::Mask;
use crate::tensor::{Tensor, resize, reverse_steps};

/// How the cell sees its inputs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order {
    /// Whether the last step comes first.
    pub(super) backwards: bool,
    /// Rate of dropout, if any, and whether each step has its own mask.
    pub(super) dropout: Option<(f64, bool)>,
}

/// Copies of the inputs, kept from a forward to its backward pass.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs<F> {
    order: Order,
    /// Inputs (T, B, D), or the `rows` that samples use.
    sequence: Array3<F>,
    tokens: Array2<u32>,
    mask: Mask,
    /// Dropout mask: (1 or T, B, D).
    dropout: Array3<F>,
    rows: DroppedRows,
}

/// Inputs of a run: a sequence, or a table with the tokens of its rows; and the mask of time steps.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a, F> {
    pub(super) x: ArrayView3<'a, F>,
    pub(super) tokens: Option<ArrayView2<'a, u32>>,
    pub(super) mask: Option<ArrayView2<'a, bool>>,
}

impl<'a, F: Scalar> Seen<'a, F> {
    /// Returns the inputs as the layer got them.
    pub(super) fn of(x: &'a Tensor<F>, mask: Option<ArrayView2<'a, bool>>) -> Self {
        match x {
            Tensor::Lookup(lookup) => Seen { x: lookup.table.view(), tokens: Some(lookup.tokens.view()), mask },
            x => Seen { x: x.sequence().view(), tokens: None, mask },
        }
    }

    /// Returns T and B.
    pub(super) fn steps(&self) -> (usize, usize) {
        self.tokens.map_or((self.x.dim().0, self.x.dim().1), |tokens| tokens.dim())
    }

    /// Gives `dx` the size of the gradient of these inputs.
    pub(super) fn size_gradient<'d>(&self, dx: &'d mut Tensor<F>) -> &'d mut Array3<F> {
        let ((steps, batch), features) = (self.steps(), self.x.dim().2);
        dx.as_sequence_within(self.x.dim(), steps * batch * features)
    }
}

impl<F: Scalar> Inputs<F> {
    /// Copies the inputs that the cell sees changed, and draws the dropout mask.
    pub(super) fn arrange(&mut self, got: Seen<'_, F>, order: Order, pass: Pass<'_>) {
        self.order = order;
        if order.backwards {
            self.mask.copy_reversed(got.mask);
        }
        if let Some(tokens) = got.tokens {
            return self.arrange_rows(got.x, tokens, pass);
        }
        let (steps, batch, features) = got.x.dim();
        if let Some((rate, per_step)) = order.dropout {
            let periods = if per_step { steps } else { 1 };
            fill_masks(&mut self.dropout, MaskKind::Input, rate, (periods, 1, batch, features), pass);
        }
        if order.backwards || order.dropout.is_some() {
            resize(&mut self.sequence, got.x.raw_dim());
            let masks = order.dropout.and_then(|_| GateMasks::of(&self.dropout, 1));
            for (t, mut to) in self.sequence.outer_iter_mut().enumerate() {
                let from = got.x.index_axis(Axis(0), if order.backwards { steps - 1 - t } else { t });
                let Some(masks) = masks else {
                    to.assign(&from);
                    continue;
                };
                let from = Rows::new(from.to_slice().expect("inputs are in standard layout"), features);
                let to = RowsMut::new(to.into_slice().expect("workspaces are in standard layout"), features);
                masks.drop(0, t, from, Start::Zero, to);
            }
        }
    }

    /// Implements [`Inputs::arrange`] for rows of a table.
    fn arrange_rows(&mut self, table: ArrayView3<'_, F>, mut tokens: ArrayView2<'_, u32>, pass: Pass<'_>) {
        if self.order.backwards {
            tokens.invert_axis(Axis(0));
        }
        if let Some((rate, _)) = self.order.dropout {
            let (_, rows, features) = table.dim();
            fill_masks(&mut self.dropout, MaskKind::Input, rate, (1, 1, tokens.ncols(), features), pass);
            self.rows.find(rows, tokens);
            self.rows.drop_out(table, &self.dropout, &mut self.sequence);
        } else if self.order.backwards {
            resize(&mut self.tokens, tokens.raw_dim());
            self.tokens.assign(&tokens);
        }
    }

    /// Returns the inputs as the cell sees them, given those of the layer.
    pub(super) fn seen<'a>(&'a self, got: Seen<'a, F>) -> Seen<'a, F> {
        let Order { backwards, dropout } = self.order;
        let mask = if backwards { self.mask.get() } else { got.mask };
        let (x, tokens) = match got.tokens {
            Some(_) if dropout.is_some() => (self.sequence.view(), self.rows.numbers()),
            Some(tokens) => (got.x, Some(if backwards { self.tokens.view() } else { tokens })),
            None if backwards || dropout.is_some() => (self.sequence.view(), None),
            None => (got.x, None),
        };
        Seen { x, tokens, mask }
    }

    /// Turns the gradient of the cell's inputs into that of the layer's.
    pub(super) fn give_back(&mut self, x: &Tensor<F>, dx: &mut Array3<F>) {
        let Order { backwards, dropout } = self.order;
        match x {
            Tensor::Lookup(lookup) if dropout.is_some() => {
                // The copy of the inputs is no longer needed.
                std::mem::swap(dx, &mut self.sequence);
                resize(dx, lookup.table.raw_dim());
                dx.fill(F::zero());
                self.rows.add_gradient(&self.sequence, &self.dropout, dx);
            }
            Tensor::Lookup(_) => (),
            _ => {
                if dropout.is_some() {
                    drop_out(&self.dropout, dx);
                }
                if backwards {
                    reverse_steps(dx);
                }
            }
        }
    }
}

/// Multiplies each step of a sequence by its mask, or all steps by the only one.
fn drop_out<F: Scalar>(masks: &Array3<F>, sequence: &mut Array3<F>) {
    for (t, mut step) in sequence.outer_iter_mut().enumerate() {
        step *= &masks.index_axis(Axis(0), t.min(masks.dim().0 - 1));
    }
}
