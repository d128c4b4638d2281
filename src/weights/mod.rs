//! Weights: structs whose tensors are listed once, how they start, and what their options ask of them.

pub mod constraints;
pub mod initializers;
mod options;
mod params;
pub mod regularizers;

pub use options::WeightOptions;
pub(crate) use params::set_zero;
pub use params::{PairVisitor, Params, Path, Visitor, VisitorMut, zeros_like};
