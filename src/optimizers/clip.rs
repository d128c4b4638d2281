//! Clipping: limits on gradients, so that one steep batch does not throw the weights away (Pascanu et al. 2013).

use super::Learner;
use crate::error::{Error, Result};
use crate::numeric::Lane;
use crate::numeric::Scalar;

/// A limit on gradients. At most one, as in Keras.
///
/// | name | limits |
/// | --- | --- |
/// | `Value(c)` | each component to ±c |
/// | `Norm(c)` | the length of each tensor's gradient to c |
/// | `GlobalNorm(c)` | the length of all gradients together to c |
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(alias = "clipnorm")]
#[doc(alias = "clipvalue")]
#[doc(alias = "global_clipnorm")]
#[non_exhaustive]
pub enum Clip {
    /// Each component to ±c.
    Value(f64),
    /// The length of each tensor's gradient to c.
    Norm(f64),
    /// The length of all gradients together to c.
    GlobalNorm(f64),
}

impl Clip {
    /// Limits these gradients.
    ///
    /// # Errors
    ///
    /// [`Error::Gradient`] if one is not finite; all are as they were then.
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

/// The length of a gradient, in eight sums, for one alone would wait for itself at each number.
fn norm<F: Scalar>(gradient: &[F]) -> f64 {
    let (eights, rest) = gradient.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for part in eights.iter().map(|eight| &eight[..]).chain([rest]) {
        sums.iter_mut().zip(part).for_each(|(sum, g)| *sum += g.widen() * g.widen());
    }
    sums.iter().sum::<f64>().sqrt()
}
