//! The layers that do not recur, one a file: equation, description, weights, forward, backward.
//!
//! The recurrent layers are in `recurrent/`.

mod activate;
mod dense;
mod dropout;
mod embedding;
mod global_pooling;
mod layer_normalization;
mod masking;
mod repeat_vector;
mod residual;
mod time_distributed;

pub use activate::Activate;
pub use dense::{Dense, DenseCache, DenseWeights};
pub use dropout::{Dropout, DropoutCache};
pub use embedding::{Embedding, EmbeddingWeights};
pub use global_pooling::{GlobalAveragePooling1D, GlobalMaxPooling1D, GlobalMaxPooling1DCache};
pub use layer_normalization::{LayerNormalization, LayerNormalizationCache, LayerNormalizationWeights};
pub use masking::Masking;
pub use repeat_vector::RepeatVector;
pub use residual::{Residual, ResidualCache};
pub use time_distributed::{TimeDistributed, TimeDistributedCache};
