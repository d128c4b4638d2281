//! Dropout: in training, y = x ∘ m with m drawn for each element of each batch; otherwise y = x.
//!
//! m is 0 with probability `rate`, else 1 / (1 − rate), so the expected output is the input. Backward: dx = dy ∘ m.
//! Recurrent layers have their own dropout options, whose masks are shared over time.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::layer::{Backward, Carry, Describe, Forward, Layer, MaskKind, Pass, erase_layer};
use crate::numeric::Scalar;
use crate::numeric::checks::check_rate;
use crate::tensor::{Form, resize};
use crate::weights::initializers::Init;

/// Dropout layer: sets a random part of its input to zero in training (Srivastava et al. 2014), and does nothing otherwise.
///
/// # Shapes
///
/// Vectors or sequences, unchanged. On a sequence each time step has its own mask.
///
/// # Options
///
/// | name | default | purpose | range |
/// | --- | --- | --- | --- |
/// | `rate` | | fraction of the input to drop | 0 ≤ rate < 1 |
///
/// ```
/// use bptt::layer::Layer;
/// use bptt::layers::Dropout;
/// use bptt::tensor::Form;
/// assert!(Layer::<f32>::output_form(&Dropout::new(0.3), Form::vector(5)).is_ok());
/// assert!(Layer::<f32>::output_form(&Dropout::new(1.0), Form::vector(5)).is_err());
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    rate: f64,
}

impl Dropout {
    /// Returns a layer that drops this fraction of the input.
    pub fn new(rate: f64) -> Self {
        Dropout { rate }
    }

    fn drops(&self, pass: Pass<'_>) -> bool {
        pass.training && self.rate > 0.0
    }
}

/// Mask of the last forward pass, one row for each row of the input.
#[derive(Clone, Debug, Default)]
pub struct DropoutCache<F: Scalar> {
    mask: Array2<F>,
}

impl Describe for Dropout {
    fn kind() -> &'static str {
        "Dropout"
    }
}

impl<F: Scalar> Layer<F> for Dropout {
    type Weights = ();
    type Cache = DropoutCache<F>;

    fn output_form(&self, input: Form) -> Result<Form> {
        check_rate("rate", self.rate)?;
        input.features()?;
        Ok(input)
    }

    fn carry(&self) -> Carry {
        Carry::Nothing
    }

    fn build(&self, _: Form, _: &mut Init) -> Result<()> {
        Ok(())
    }

    fn forward(&self, (): &(), forward: Forward<'_, F, DropoutCache<F>>) {
        let Forward { x, y, cache, pass, .. } = forward;
        let rows = x.rows();
        y.like(x, rows.ncols());
        y.rows_mut().assign(&rows);
        if self.drops(pass) {
            resize(&mut cache.mask, rows.dim());
            let batch = x.batch();
            for (row, mut mask) in cache.mask.rows_mut().into_iter().enumerate() {
                let mask = mask.as_slice_mut().expect("masks are in standard layout");
                pass.dropout_mask(self.rate, MaskKind::Input, 0, row / batch, row % batch, mask);
            }
            y.rows_mut().zip_mut_with(&cache.mask, |y, &m| *y *= m);
        }
    }

    fn backward(&self, (): &(), backward: Backward<'_, F, DropoutCache<F>, ()>) {
        let Backward { x, dy, dx, cache, pass, .. } = backward;
        let Some(dx) = dx else { return };
        dx.like(x, x.rows().ncols());
        dx.rows_mut().assign(&dy.rows());
        if self.drops(pass) {
            dx.rows_mut().zip_mut_with(&cache.mask, |dx, &m| *dx *= m);
        }
    }

    erase_layer!(F, Dropout);
}
