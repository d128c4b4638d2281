//! The layers that do not recur, one a file: equation, description, weights, forward, backward.
//!
//! The recurrent layers are in `recurrent/`.

mod dense;
mod dropout;
mod embedding;
mod masking;

pub use dense::{Dense, DenseCache, DenseWeights};
pub use dropout::{Dropout, DropoutCache};
pub use embedding::{Embedding, EmbeddingWeights};
pub use masking::Masking;
