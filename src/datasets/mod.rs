//! Data sets to learn from and to test with.

mod reviews;
pub mod synthetic;

pub use reviews::{Corpus, Reviews};
pub use synthetic::Synthetic;
