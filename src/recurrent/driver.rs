//! The driver: what all recurrent layers share, whatever their cell. The states of a sequence, the order of time, dropout, and
//! whether all outputs or the last one go on.
//!
//! Dropout without recurrent dropout has one mask for all gates, which is applied to the inputs before the cell sees them;
//! with recurrent dropout every gate has its own, which only the step can apply. Both as in Keras.
//!
//! It knows the cell only as sizes and a function that runs it, so it is compiled once.

use serde::{Deserialize, Serialize};

use super::cell::{Run, RunBack};
use super::inputs::{Inputs, Order, Seen};
use super::masks::DrawnMasks;
use super::series::StateSeries;
use crate::layer::{Backward, Forward, MaskKind, Pass};
use crate::numeric::Scalar;
use crate::tensor::{State, Tensor, Widths, slice_mut};

/// The options of a recurrent layer that are not its cell's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RnnOptions {
    pub(super) return_sequences: bool,
    pub(super) dropout: f64,
    pub(super) recurrent_dropout: f64,
    pub(super) dropout_per_step: bool,
    pub(super) go_backwards: bool,
    pub(super) zero_output_for_mask: bool,
}

/// The driver of a cell with these sizes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Driver<'a> {
    pub(super) options: &'a RnnOptions,
    pub(super) widths: Widths,
    /// The independent masks of dropout.
    pub(super) gates: usize,
    /// The columns of the masks of the state.
    pub(super) dropped_width: usize,
}

/// What the driver keeps from a forward to its backward pass.
#[derive(Debug, Default)]
pub(crate) struct DriverCache<F: Scalar> {
    states: StateSeries<F>,
    inputs: Inputs<F>,
    /// The gradient of the outputs without those that were set to zero.
    doutputs: Tensor<F>,
    step_masks: DrawnMasks<F>,
    dstates: State<F>,
}

/// Sets the rows of outputs to zero that a mask leaves out: of all steps, or of the last one.
fn clear_left_out<F: Scalar>(seen: Seen<'_, F>, outputs: &mut Tensor<F>) {
    let Some(mask) = seen.mask else { return };
    let last = mask.nrows().saturating_sub(1);
    let first = if matches!(outputs, Tensor::Sequence(_)) { 0 } else { last };
    let mut rows = outputs.rows_mut();
    for (counts, mut row) in mask.outer_iter().skip(first).flatten().zip(rows.outer_iter_mut()) {
        if !counts {
            row.fill(F::zero());
        }
    }
}

impl RnnOptions {
    /// How the cell sees its inputs. If all gates share the dropout mask, it is applied once, before the cell.
    fn order(&self, pass: Pass<'_>) -> Order {
        let drops = pass.training && self.dropout > 0.0 && self.recurrent_dropout == 0.0;
        Order { backwards: self.go_backwards, dropout: drops.then_some((self.dropout, self.dropout_per_step)) }
    }
}

impl Driver<'_> {
    /// Draws the masks that only a step can apply.
    fn draw_masks<F: Scalar>(&self, got: Seen<'_, F>, step_masks: &mut DrawnMasks<F>, pass: Pass<'_>) {
        step_masks.clear();
        let RnnOptions { dropout, recurrent_dropout, dropout_per_step, .. } = *self.options;
        if pass.training && recurrent_dropout > 0.0 {
            let ((steps, batch), features) = (got.steps(), got.x.dim().2);
            if dropout > 0.0 {
                let periods = if dropout_per_step { steps } else { 1 };
                step_masks.draw(MaskKind::Input, dropout, (periods, self.gates, batch, features), pass);
            }
            step_masks.draw(MaskKind::State, recurrent_dropout, (1, self.gates, batch, self.dropped_width), pass);
        }
    }
}

/// Runs a sequence; `run` is the cell's.
pub(super) fn forward<F: Scalar>(
    driver: Driver<'_>,
    forward: Forward<'_, F, DriverCache<F>>,
    run: &mut dyn FnMut(Run<'_, F>),
) {
    let Forward { x, y, cache, pass, state, kept } = forward;
    let DriverCache { states, inputs, step_masks, .. } = cache;
    let Driver { options, widths, .. } = driver;
    let got = Seen::of(x, pass.mask);
    let (steps, batch) = got.steps();
    let units = widths.as_slice()[0];
    if let Some(state) = &state {
        state.expect_size(batch, widths);
    }
    states.reset(steps, batch, widths, pass.training, state.as_deref());
    inputs.arrange(got, options.order(pass), pass);
    driver.draw_masks(got, step_masks, pass);
    let seen = inputs.seen(got);
    // Cells need not know of sequences in which there is nothing to do.
    let is_empty = steps == 0 || batch == 0;
    let all = Run {
        x: seen.x,
        tokens: seen.tokens,
        mask: seen.mask,
        states: states.view_mut(),
        outputs: options.return_sequences.then(|| y.as_sequence(steps, batch, units).view_mut()),
        masks: step_masks.view(),
        pass: pass.masked(None),
    };
    if !is_empty {
        run(all);
    }
    if !options.return_sequences {
        let y = y.as_vector(batch, units);
        if batch > 0 {
            y.assign(&states.view().before(steps).view(0));
        }
    }
    if options.zero_output_for_mask {
        clear_left_out(seen, y);
    }
    if let Some(state) = state {
        states.copy_after(kept.unwrap_or(steps), state);
    }
}

/// Runs a sequence back; `run` is the cell's.
pub(super) fn backward<F: Scalar>(
    driver: Driver<'_>,
    backward: Backward<'_, F, DriverCache<F>, ()>,
    run: &mut dyn FnMut(RunBack<'_, F>),
) {
    let Backward { x, dy, dx, cache, pass, dstate, .. } = backward;
    let DriverCache { states, inputs, doutputs, step_masks, dstates } = cache;
    assert!(states.view().keeps_all(), "a backward pass needs a forward pass of training before it");
    let Driver { options, widths, .. } = driver;
    let got = Seen::of(x, pass.mask);
    let (steps, batch) = got.steps();
    dstates.start(batch, widths);
    if let Some(dstate) = &dstate {
        dstate.expect_size(batch, widths);
        for (sum, part) in dstates.parts.iter_mut().zip(&dstate.parts) {
            *sum += part;
        }
    }
    let seen = inputs.seen(got);
    let dy = if options.zero_output_for_mask && seen.mask.is_some() {
        doutputs.copy(dy);
        clear_left_out(seen, doutputs);
        doutputs
    } else {
        dy
    };
    let doutputs = match dy {
        Tensor::Sequence(dy) => Some(dy.view()),
        _ => {
            dstates.parts[0] += &dy.rows();
            None
        }
    };
    let mut dx = dx.map(|dx| seen.size_gradient(dx));
    if steps > 0 && batch > 0 {
        run(RunBack {
            x: seen.x,
            tokens: seen.tokens,
            mask: seen.mask,
            states: states.view(),
            masks: step_masks.view(),
            pass: pass.masked(None),
            doutputs,
            dx: dx.as_mut().map(|dx| dx.view_mut()),
            dstates,
        });
    } else if let Some(dx) = &mut dx {
        // Nobody saw a row of a table.
        dx.fill(F::zero());
    }
    if let Some(dx) = dx {
        inputs.give_back(x, dx);
    }
    if let Some(dstate) = dstate {
        for (to, part) in dstate.parts.iter_mut().zip(&dstates.parts) {
            to.assign(part);
        }
    }
}

/// Writes the output of a state as that of a single step.
pub(super) fn write_output<F: Scalar>(options: &RnnOptions, state: &State<F>, y: &mut Tensor<F>) {
    let (batch, units) = state.parts[0].dim();
    state.copy_output(if options.return_sequences {
        slice_mut(y.as_sequence(1, batch, units))
    } else {
        slice_mut(y.as_vector(batch, units))
    });
}
