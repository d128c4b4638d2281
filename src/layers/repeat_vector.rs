//! Repetition of a vector at each of n steps: y[t] = x.
//!
//! Backward: dx = Σ over t of dy[t].

use ndarray::Axis;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::layer::{Backward, Describe, Forward, Layer, erase_layer};
use crate::numeric::Scalar;
use crate::numeric::checks::check_count;
use crate::tensor::Form;
use crate::weights::initializers::Init;

/// Layer that repeats a vector as a sequence, such as an encoder's last output for each step of a decoder.
///
/// It starts a new sequence, so a model with it cannot continue from a state.
///
/// # Shapes
///
/// Vectors (B, D) to sequences (n, B, D).
///
/// # Options
///
/// | name | default | purpose | range |
/// | --- | --- | --- | --- |
/// | `n` | | number of time steps | at least 1 |
///
/// ```
/// use bptt::layer::Layer;
/// use bptt::layers::RepeatVector;
/// use bptt::tensor::Form;
/// assert_eq!(Layer::<f32>::output_form(&RepeatVector::new(5), Form::vector(3))?, Form::sequence(5, 3));
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepeatVector {
    n: usize,
}

impl RepeatVector {
    /// Returns a layer that repeats a vector `n` times.
    pub fn new(n: usize) -> Self {
        RepeatVector { n }
    }
}

impl Describe for RepeatVector {
    fn kind() -> &'static str {
        "RepeatVector"
    }
}

impl<F: Scalar> Layer<F> for RepeatVector {
    type Weights = ();
    type Cache = ();

    fn output_form(&self, input: Form) -> Result<Form> {
        check_count("n", self.n)?;
        match input {
            Form::Vector { features } => Ok(Form::sequence(self.n, features)),
            _ => Err(Error::Form {
                got: input.to_string(),
                needs: "a vector",
                mend: "put it after a layer that makes a vector of a sequence, such as a recurrent one",
            }),
        }
    }

    fn build(&self, _: Form, _: &mut Init) -> Result<()> {
        Ok(())
    }

    fn forward(&self, (): &(), forward: Forward<'_, F, ()>) {
        let Forward { x, y, .. } = forward;
        let x = x.rows();
        y.as_sequence(self.n, x.nrows(), x.ncols()).assign(&x);
    }

    fn backward(&self, (): &(), backward: Backward<'_, F, (), ()>) {
        let Backward { x, dy, dx, .. } = backward;
        let Some(dx) = dx else { return };
        let dx = dx.as_vector(x.batch(), x.rows().ncols());
        dx.fill(F::zero());
        for dy in dy.sequence().axis_iter(Axis(0)) {
            *dx += &dy;
        }
    }

    erase_layer!(F, RepeatVector);
}
