//! A vector at each of n steps: y[t] = x.
//!
//! Backward: dx = Σ over t of dy[t].

use ndarray::Axis;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::initializer::Init;
use crate::layer::{Describe, Layer, Pass, check_count};
use crate::scalar::Scalar;
use crate::tensor::{Form, Tensor};

/// Makes a sequence of a vector by repeating it, such as the last output of an encoder for each step of a decoder.
///
/// It begins a sequence anew, so a model with it cannot go on from a state.
///
/// # Shapes
///
/// Vectors (B, D) to sequences (n, B, D).
///
/// # Options
///
/// | name | default | purpose | range |
/// | --- | --- | --- | --- |
/// | `n` | | how many steps | at least 1 |
///
/// ```
/// use bptt::{Form, Layer, RepeatVector};
/// assert_eq!(Layer::<f32>::output_form(&RepeatVector::new(5), Form::vector(3))?, Form::sequence(5, 3));
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepeatVector {
    n: usize,
}

impl RepeatVector {
    /// Repeats a vector this many times.
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
                got: input,
                needs: "a vector",
                mend: "put it after a layer that makes a vector of a sequence, such as a recurrent one",
            }),
        }
    }

    fn build(&self, _: Form, _: &mut Init) -> Result<()> {
        Ok(())
    }

    fn forward(&self, (): &(), x: &Tensor<F>, y: &mut Tensor<F>, (): &mut (), _: Pass<'_>) {
        let x = x.rows();
        y.as_sequence(self.n, x.nrows(), x.ncols()).assign(&x);
    }

    fn backward(
        &self,
        (): &(),
        x: &Tensor<F>,
        _: &Tensor<F>,
        dy: &Tensor<F>,
        dx: Option<&mut Tensor<F>>,
        (): &mut (),
        (): &mut (),
        _: Pass<'_>,
    ) {
        let Some(dx) = dx else { return };
        let dx = dx.as_vector(x.batch(), x.rows().ncols());
        dx.fill(F::zero());
        for dy in dy.sequence().axis_iter(Axis(0)) {
            *dx += &dy;
        }
    }
}
