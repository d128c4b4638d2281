//! Weights: structs of tensors, how they start, and the options of each weight.

pub mod constraints;
pub mod initializers;
mod options;
mod params;
pub mod regularizers;

pub use options::WeightOptions;
pub(crate) use params::set_zero;
pub use params::{PairVisitor, Params, Path, Visitor, VisitorMut, zeros_like};
