//! Number types, and the lanes on which gate rules compute.
//!
//! | Item | Meaning |
//! | --- | --- |
//! | [`Scalar`] | Number type of a model: `f32` to train and run, `f64` to check gradients |
//! | [`Lane`] | A number, or a vector of numbers that the processor handles at once |
//!
//! ```
//! use bptt::numeric::Lane;
//! fn complement<L: Lane>(z: L) -> L {
//!     z.splat(1.0) - z
//! }
//! assert_eq!(complement(0.25_f64), 0.75);
//! ```

mod both;
pub(crate) mod checks;
pub(crate) mod instructions;
mod lane;
mod scalar;

pub(crate) use both::{Both, compiled_once, erased_here};
pub use lane::Lane;
pub(crate) use lane::{Kernel, Vector};
pub(crate) use scalar::Number;
pub use scalar::Scalar;

/// Supertrait of traits that only the crate implements: no other crate can name it.
pub trait Sealed {}
