//! Weights and caches of the layers, for running a layer without a model.
//!
//! Those of recurrent layers belong to their cells: [`GatedWeights`](crate::recurrent::GatedWeights),
//! [`RnnCache`](crate::recurrent::RnnCache). The weights in a wrapper are [`AnyWeights`](crate::layer::AnyWeights).

pub use super::dense::{DenseCache, DenseWeights};
pub use super::dropout::DropoutCache;
pub use super::embedding::EmbeddingWeights;
pub use super::global_pooling::GlobalMaxPooling1DCache;
pub use super::layer_normalization::{LayerNormalizationCache, LayerNormalizationWeights};
pub use super::residual::ResidualCache;
pub use super::time_distributed::TimeDistributedCache;
pub use crate::recurrent::{BidirectionalCache, BidirectionalWeights};
