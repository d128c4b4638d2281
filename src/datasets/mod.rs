//! Data sets to learn from and to test with.
//!
//! `imdb` (feature `imdb`) reads the movie reviews from Keras' own file; `npz`, `npy` and `pickle` beside it read NumPy's
//! formats for it. `cache` and `download` are about where that file comes from. `synthetic` makes a corpus of the same
//! shape when there is none.

#[cfg(feature = "imdb")]
pub mod cache;
#[cfg(feature = "download")]
pub mod download;
#[cfg(feature = "imdb")]
pub mod imdb;
#[cfg(feature = "imdb")]
mod member;
#[cfg(feature = "imdb")]
mod npy;
#[cfg(feature = "imdb")]
mod npz;
#[cfg(feature = "imdb")]
mod npz_problem;
#[cfg(feature = "imdb")]
mod opcode_names;
#[cfg(feature = "imdb")]
mod pickle;
#[cfg(feature = "imdb")]
mod pickle_objects;
#[cfg(feature = "imdb")]
mod pickle_rows;
mod reviews;
pub mod synthetic;

pub use reviews::{Corpus, Reviews};
pub use synthetic::Synthetic;
