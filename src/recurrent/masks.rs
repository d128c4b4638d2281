//! Dropout masks that differ by gate or belong to the state: how they are drawn, passed to a run, and applied by a step.

use ndarray::{Array3, ArrayView2, ArrayView3, ArrayViewMut2, Axis, ShapeBuilder, Zip, s};

use crate::kernels::gemm::{self, Rows, RowsMut, Start};
use crate::layer::{MaskKind, Pass};
use crate::numeric::Scalar;
use crate::tensor::Views;
use crate::tensor::{resize, slice};

/// Masks of a pass: the memory behind [`StepMasks`]. Empty arrays drop nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct DrawnMasks<F> {
    /// Input masks (periods · gates, B, D), with one period if all steps share the masks, or one for each step.
    input: Array3<F>,
    /// State masks (gates, B, columns).
    state: Array3<F>,
    gates: usize,
}

impl<F: Scalar> DrawnMasks<F> {
    /// Removes the masks, so that nothing is dropped.
    pub(super) fn clear(&mut self) {
        for masks in [&mut self.input, &mut self.state] {
            resize(masks, (0, 0, 0));
        }
    }

    /// Draws masks for `gates` gates and `periods` time steps (1 if all share them).
    pub(super) fn draw(
        &mut self,
        kind: MaskKind,
        rate: f64,
        (periods, gates, batch, width): (usize, usize, usize, usize),
        pass: Pass<'_>,
    ) {
        self.gates = gates;
        let masks = if kind == MaskKind::Input { &mut self.input } else { &mut self.state };
        fill_masks(masks, kind, rate, (periods, gates, batch, width), pass);
    }

    /// Returns the masks as a run gets them.
    pub(super) fn view(&self) -> StepMasks<'_, F> {
        let of = |masks| GateMasks::of(masks, self.gates);
        StepMasks { input: of(&self.input), state: of(&self.state) }
    }
}

/// Fills masks (periods · gates, B, width).
pub(super) fn fill_masks<F: Scalar>(
    masks: &mut Array3<F>,
    kind: MaskKind,
    rate: f64,
    (periods, gates, batch, width): (usize, usize, usize, usize),
    pass: Pass<'_>,
) {
    resize(masks, (periods * gates, batch, width));
    for (index, mut mask) in masks.outer_iter_mut().enumerate() {
        for (sample, mut row) in mask.rows_mut().into_iter().enumerate() {
            let row = row.as_slice_mut().expect("masks are in standard layout");
            pass.dropout_mask(rate, kind, index % gates, index / gates, sample, row);
        }
    }
}

/// Dropout masks that a step applies to the input and to the state of each gate. None by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct StepMasks<'a, F> {
    pub(super) input: Option<GateMasks<'a, F>>,
    pub(super) state: Option<GateMasks<'a, F>>,
}

impl<'a, F: Scalar> StepMasks<'a, F> {
    /// Whether nothing is dropped inside the steps.
    pub fn is_empty(&self) -> bool {
        self.input.is_none() && self.state.is_none()
    }

    /// Skips the first `column` columns of the state's masks, for a cell whose output is not the first one.
    pub(super) fn after_column(self, column: usize) -> Self {
        let after_column = |masks: GateMasks<'a, F>| GateMasks {
            numbers: &masks.numbers[column..],
            columns: masks.columns - column,
            ..masks
        };
        StepMasks { state: self.state.map(after_column), ..self }
    }

    /// Returns the masks of the state alone.
    pub(super) fn of_state(self) -> Self {
        StepMasks { input: None, ..self }
    }

    /// Returns the masks (gates, B, width) of step t: of the input, and of the state.
    pub(super) fn at(self, t: usize) -> (Option<ArrayView3<'a, F>>, Option<ArrayView3<'a, F>>) {
        (self.input.map(|masks| masks.at(t)), self.state.map(|masks| masks.at(t)))
    }
}

/// Masks of one kind, one for each gate.
#[derive(Clone, Copy, Debug)]
pub(super) struct GateMasks<'a, F> {
    /// Rows (periods · gates · B), `stride` numbers apart.
    numbers: &'a [F],
    stride: usize,
    columns: usize,
    gates: usize,
    batch: usize,
    per_step: bool,
}

impl<'a, F: Scalar> GateMasks<'a, F> {
    /// Returns the masks of an array (periods · gates, B, columns), unless it is empty.
    pub(super) fn of(masks: &'a Array3<F>, gates: usize) -> Option<Self> {
        let (all, batch, columns) = masks.dim();
        let masks_of = |numbers| GateMasks { numbers, stride: columns, columns, gates, batch, per_step: all > gates };
        (!masks.is_empty()).then(|| masks_of(slice(masks)))
    }

    /// Returns the masks from step t on.
    fn since(self, t: usize) -> &'a [F] {
        let row = if self.per_step { t * self.gates * self.batch } else { 0 };
        &self.numbers[row * self.stride..]
    }

    /// Returns the masks of step t, (gates, B, columns).
    fn at(self, t: usize) -> ArrayView3<'a, F> {
        let shape = (self.gates, self.batch, self.columns).strides((self.batch * self.stride, self.stride, 1));
        ArrayView3::from_shape(shape, self.since(t)).expect("masks lie row after row")
    }

    /// Computes C ← start + A∘mask for rows of some steps from step t on, with the mask of this gate.
    pub(super) fn drop(self, gate: usize, t: usize, a: Rows<'_, F>, start: Start<'_, F>, mut c: RowsMut<'_, F>) {
        for (index, from) in (0..a.count()).step_by(self.batch).enumerate() {
            let masks = Rows::new(self.since(t + index), self.stride).columns(0, self.columns);
            let (mask, to) = (masks.rows(gate * self.batch, (gate + 1) * self.batch), from + self.batch);
            gemm::multiply_elements(a.rows(from, to), mask, start, c.reborrow().rows(from, to));
        }
    }
}

/// Writes `values` times each mask into `dropped` (gates, B, width), or `values` alone without masks.
pub(super) fn drop_for_gates<F: Scalar>(
    values: ArrayView2<'_, F>,
    masks: Option<ArrayView3<'_, F>>,
    dropped: &mut Array3<F>,
) {
    let (batch, width) = values.dim();
    resize(dropped, (masks.map_or(1, |masks| masks.dim().0), batch, width));
    for (gate, mut dropped) in dropped.outer_iter_mut().enumerate() {
        dropped.assign(&values);
        if let Some(masks) = masks {
            dropped *= &masks.index_axis(Axis(0), gate);
        }
    }
}

/// Adds to `sum` each gate's gradient times its mask, which is the gradient of the value before dropout.
pub(super) fn undrop<F: Scalar>(
    gradients: &Array3<F>,
    masks: Option<ArrayView3<'_, F>>,
    mut sum: ArrayViewMut2<'_, F>,
) {
    for (gate, gradient) in gradients.outer_iter().enumerate() {
        match masks {
            Some(masks) => Zip::from(&mut sum)
                .and(&gradient)
                .and(&masks.index_axis(Axis(0), gate))
                .for_each(|sum, &gradient, &mask| *sum += gradient * mask),
            None => sum += &gradient,
        }
    }
}

/// Returns the first columns of the state's masks, those of one cell's output.
pub(super) fn first_columns<F>(masks: Option<ArrayView3<'_, F>>, units: usize) -> Option<ArrayView3<'_, F>> {
    masks.map(|masks| masks.slice_move(s![.., .., ..units]))
}

/// Returns the output in `previous` as each gate sees it, if there are masks of recurrent dropout.
pub(super) fn drop_output<'a, F: Scalar>(
    previous: Views<'_, F>,
    masks: Option<ArrayView3<'_, F>>,
    dropped: &'a mut Array3<F>,
) -> Option<ArrayView3<'a, F>> {
    let output = previous.view(0);
    let masks = first_columns(masks, output.ncols())?;
    drop_for_gates(output, Some(masks), dropped);
    Some(dropped.view())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_either_kind_are_some() {
        let numbers = Array3::<f32>::ones((1, 2, 3));
        let masks = GateMasks::of(&numbers, 1);
        assert!(StepMasks::<f32>::default().is_empty());
        assert!(!StepMasks { input: masks, state: None }.is_empty());
        assert!(!StepMasks { input: None, state: masks }.is_empty());
    }
}
