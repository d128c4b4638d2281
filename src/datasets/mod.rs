//! Data sets to learn from and to test with.

#[cfg(feature = "imdb")]
pub mod cache;
#[cfg(feature = "download")]
pub mod download;
mod reviews;
pub mod synthetic;

pub use reviews::{Corpus, Reviews};
pub use synthetic::Synthetic;
