//! Gradient clipping (Pascanu et al. 2013), so that one steep batch does not ruin the weights.

use super::Learner;
use crate::error::{Error, Result};
use crate::numeric::Lane;
use crate::numeric::Scalar;

/// Limit on gradients; an optimizer has at most one, as in Keras.
///
/// | name | limit |
/// | --- | --- |
/// | `Value(c)` | each element to ±c |
/// | `Norm(c)` | the norm of each tensor's gradient to c |
/// | `GlobalNorm(c)` | the norm of all gradients together to c |
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(alias = "clipnorm")]
#[doc(alias = "clipvalue")]
#[doc(alias = "global_clipnorm")]
#[non_exhaustive]
pub enum Clip {
    /// Limits each element to ±c.
    Value(f64),
    /// Limits the norm of each tensor's gradient to c.
    Norm(f64),
    /// Limits the norm of all gradients together to c.
    GlobalNorm(f64),
}

impl Clip {
    /// Clips these gradients.
    ///
    /// # Errors
    ///
    /// [`Error::Gradient`] if one is not finite; all gradients are then unchanged.
    pub(super) fn apply<F: Scalar>(self, learner: &mut dyn Learner<F>) -> Result<()> {
        let shorten = |length: f64, limit: f64, gradient: &mut [F]| {
            let scale = F::of(limit / length.max(limit));
            gradient.iter_mut().for_each(|g| *g *= scale);
        };
        let mut global = 0.0;
        let mut broken = None;
        learner.visit_gradients(&mut |_, path, gradient| {
            let norm = norm(gradient);
            if !norm.is_finite() && broken.is_none() {
                broken = Some(path.to_string());
            }
            global += norm * norm;
        });
        if let Some(tensor) = broken {
            return Err(Error::Gradient { tensor });
        }
        let global = global.sqrt();
        learner.visit_gradients(&mut |_, _, gradient| match self {
            Clip::Value(limit) => {
                let limit = F::of(limit);
                gradient.iter_mut().for_each(|g| *g = Lane::max(-limit, Lane::min(limit, *g)));
            }
            Clip::Norm(limit) => shorten(norm(gradient), limit, gradient),
            Clip::GlobalNorm(limit) => shorten(global, limit, gradient),
        });
        Ok(())
    }
}

/// Returns the norm of a gradient, with eight partial sums, because a single one would wait at each addition.
fn norm<F: Scalar>(gradient: &[F]) -> f64 {
    let (eights, rest) = gradient.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for part in eights.iter().map(|eight| &eight[..]).chain([rest]) {
        sums.iter_mut().zip(part).for_each(|(sum, g)| *sum += g.widen() * g.widen());
    }
    sums.iter().sum::<f64>().sqrt()
}
