//! Rows of output that count under a mask, so that losses and metrics need not handle masks.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use crate::losses::{Loss, Rows, sum_rows};
use crate::numeric::Scalar;
use crate::tensor::resize;

/// Copies of the rows that count.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted<F> {
    pub(super) predictions: Array2<F>,
    targets: Array2<F>,
    weights: Vec<F>,
    gradient: Array2<F>,
}

impl<F: Scalar> Counted<F> {
    /// Collects the rows that count; the mask has one value for each row.
    pub(super) fn gather(&mut self, mask: ArrayView2<'_, bool>, all: Rows<'_, F>) {
        let count = mask.iter().filter(|counts| **counts).count();
        for (to, from) in [(&mut self.predictions, all.predictions), (&mut self.targets, all.targets)] {
            resize(to, (count, from.ncols()));
            let rows = mask.iter().zip(from.outer_iter()).filter(|(counts, _)| **counts);
            to.outer_iter_mut().zip(rows).for_each(|(mut to, (_, from))| to.assign(&from));
        }
        self.weights.clear();
        self.weights.extend(mask.iter().zip(all.weights).filter(|(counts, _)| **counts).map(|(_, &weight)| weight));
        resize(&mut self.gradient, self.predictions.raw_dim());
    }

    /// Returns these rows.
    pub(super) fn rows(&self) -> Rows<'_, F> {
        Rows { predictions: self.predictions.view(), targets: self.targets.view(), weights: &self.weights }
    }

    /// Returns their summed loss; [`Counted::scatter`] uses its gradient.
    pub(super) fn sum(&mut self, loss: &dyn Loss<F>, absorbed: bool, gradient: bool) -> f64 {
        let Counted { predictions, targets, weights, gradient: slopes } = self;
        let rows = Rows { predictions: predictions.view(), targets: targets.view(), weights };
        sum_rows(loss, rows, absorbed, gradient.then(|| slopes.view_mut()))
    }

    /// Writes the gradient of the rows that count into that of all rows, with zeros for the others.
    pub(super) fn scatter(&self, mask: ArrayView2<'_, bool>, mut gradient: ArrayViewMut2<'_, F>) {
        let mut rows = self.gradient.outer_iter();
        for (counts, mut to) in mask.iter().zip(gradient.outer_iter_mut()) {
            match counts.then(|| rows.next()).flatten() {
                Some(from) => to.assign(&from),
                None => to.fill(F::zero()),
            }
        }
    }
}
