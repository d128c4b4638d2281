//! What examples share and what is not about models: the command line, errors on their way out, curves.

mod arguments;
pub mod chart;
mod options;
mod outcome;

pub use options::Program;
pub use outcome::{Outcome, prepare};
