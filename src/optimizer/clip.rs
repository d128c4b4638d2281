//! Clipping: limits on gradients, so that one steep batch does not throw the weights away (Pascanu et al. 2013).

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

impl Clip {
    /// By what a gradient of this length is multiplied, given the length of the whole gradient; 1 for `Value`.
    pub(crate) fn scale(self, norm: f64, global_norm: f64) -> f64 {
        match self {
            Clip::Value(_) => 1.0,
            Clip::Norm(limit) => limit / norm.max(limit),
            Clip::GlobalNorm(limit) => limit / global_norm.max(limit),
        }
    }
}
