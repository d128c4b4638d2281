//! Masking: steps whose features all have one value do not count, y = x ∘ m.
//!
//! Backward: dx = dy ∘ m.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::layer::{Backward, Carry, Describe, Forward, Layer, erase_layer};
use crate::numeric::Scalar;
use crate::tensor::Mask;
use crate::tensor::{Form, Tensor, copy_row, slice, slice_mut};
use crate::weights::initializers::Init;

/// Leaves out the steps in which every feature equals a value, such as the zeros of padding.
///
/// What it leaves out is zero in its output, and does not count for the layers after it, nor for the loss: see [`Mask`].
///
/// # Shapes
///
/// Sequences (T, B, D), unchanged.
///
/// # Options
///
/// | name | default | purpose | range |
/// | --- | --- | --- | --- |
/// | `mask_value` | | what all features of a step are when it does not count | any finite number |
///
/// ```
/// use bptt::layers::Masking;
/// use bptt::prelude::*;
/// let model = Sequential::new().add(Masking::new(0.0)).add(Lstm::new(8)).build(Form::sequence(None, 3), 1)?;
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Masking {
    mask_value: f64,
}

impl Masking {
    /// Leaves out the steps that have this value throughout.
    pub fn new(mask_value: f64) -> Self {
        Masking { mask_value }
    }

    /// Whether a step with these features counts.
    fn counts<F: Scalar>(&self, step: &[F]) -> bool {
        let value = F::of(self.mask_value);
        step.iter().any(|&feature| feature != value)
    }

    /// Copies the rows of steps that count, and zero for the others.
    fn keep_counting<F: Scalar>(&self, x: &Tensor<F>, from: &Tensor<F>, to: &mut Tensor<F>) {
        let (steps, batch, features) = x.sequence().dim();
        let to = slice_mut(to.as_sequence(steps, batch, features)).chunks_exact_mut(features);
        for ((x, from), to) in rows(x).zip(rows(from)).zip(to) {
            if self.counts(x) { copy_row(from, to) } else { to.fill(F::zero()) }
        }
    }
}

impl Describe for Masking {
    fn kind() -> &'static str {
        "Masking"
    }
}

/// Rows of a sequence, each in one piece.
fn rows<F: Scalar>(sequence: &Tensor<F>) -> std::slice::ChunksExact<'_, F> {
    let sequence = sequence.sequence();
    slice(sequence).chunks_exact(sequence.dim().2)
}

impl<F: Scalar> Layer<F> for Masking {
    type Weights = ();
    type Cache = ();

    fn output_form(&self, input: Form) -> Result<Form> {
        input.expect_sequence()?;
        if !self.mask_value.is_finite() {
            let value = self.mask_value.to_string();
            return Err(Error::InvalidOption { option: "mask_value", value, allowed: "a finite number" });
        }
        Ok(input)
    }

    fn carry(&self) -> Carry {
        Carry::Nothing
    }

    fn build(&self, _: Form, _: &mut Init) -> Result<()> {
        Ok(())
    }

    fn forward(&self, (): &(), forward: Forward<'_, F, ()>) {
        let Forward { x, y, .. } = forward;
        self.keep_counting(x, x, y);
    }

    fn backward(&self, (): &(), backward: Backward<'_, F, (), ()>) {
        let Backward { x, dy, dx, .. } = backward;
        if let Some(dx) = dx {
            self.keep_counting(x, dy, dx);
        }
    }

    fn output_mask(&self, x: &Tensor<F>, mask: &mut Mask) {
        let (steps, batch, features) = x.sequence().dim();
        let x = slice(x.sequence());
        mask.narrow(steps, batch, |step, sample| self.counts(&x[(step * batch + sample) * features..][..features]));
    }

    erase_layer!(F, Masking);
}
