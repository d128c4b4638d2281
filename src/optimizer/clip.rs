//! Clipping: limits on gradients, so that one steep batch does not throw the weights away (Pascanu et al. 2013).

use crate::scalar::Scalar;

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
pub enum Clip {
    /// Each component to ±c.
    Value(f64),
    /// The length of each tensor's gradient to c.
    Norm(f64),
    /// The length of all gradients together to c.
    GlobalNorm(f64),
}

/// The length of a gradient, in eight sums, for one alone would wait for itself at each number.
pub(crate) fn norm<F: Scalar>(gradient: &[F]) -> f64 {
    let (eights, rest) = gradient.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for part in eights.iter().map(|eight| &eight[..]).chain([rest]) {
        sums.iter_mut().zip(part).for_each(|(sum, g)| *sum += g.widen() * g.widen());
    }
    sums.iter().sum::<f64>().sqrt()
}
