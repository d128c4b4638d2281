//! The layers that models are made of, with Keras' names, defaults, weights and layouts.
//!
//! | layer | what it does |
//! | --- | --- |
//! | [`Embedding`] | a learnt vector for each token id |
//! | [`Lstm`], [`Gru`], [`SimpleRnn`] | recurrence over a sequence |
//! | [`Bidirectional`] | a recurrent layer in both directions |
//! | [`Dense`] | a product with weights, a bias, an activation |
//! | [`Dropout`] | random zeros in training |
//! | [`Activate`] | an activation alone |
//! | [`LayerNormalization`] | features of mean 0 and variance 1 |
//! | [`GlobalAveragePooling1D`], [`GlobalMaxPooling1D`] | one vector of a sequence |
//! | [`RepeatVector`] | a sequence of one vector |
//! | [`Masking`] | a mask for the steps that hold a value |
//! | [`Residual`], [`TimeDistributed`] | a layer around another |
//!
//! Recurrent layers of cells of your own are in [`recurrent`](crate::recurrent), layers of your own in
//! [`layer`](crate::layer). Their weights as structs, for those who run a layer without a model, are in [`weights`].
//!
//! ```
//! use bptt::prelude::*;
//! let model = Sequential::new()
//!     .add(Embedding::new(500, 16))
//!     .add(Bidirectional::new(Lstm::new(8)))
//!     .add(Dense::new(1).activation(Activation::Sigmoid))
//!     .build(Form::tokens(100), 42)?;
//! assert_eq!(model.output_form(), Form::vector(1));
//! # Ok::<(), bptt::Error>(())
//! ```

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
pub mod weights;

pub use crate::recurrent::{Bidirectional, Gru, Lstm, Merge, SimpleRnn};
pub use activate::Activate;
pub use dense::Dense;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use global_pooling::{GlobalAveragePooling1D, GlobalMaxPooling1D};
pub use layer_normalization::LayerNormalization;
pub use masking::Masking;
pub use repeat_vector::RepeatVector;
pub use residual::Residual;
pub use time_distributed::TimeDistributed;
