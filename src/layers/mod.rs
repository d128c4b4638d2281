//! Layers of models, with Keras' names, defaults and weight layouts.
//!
//! | Layer | Meaning |
//! | --- | --- |
//! | [`Embedding`] | Learnt vector for each token id |
//! | [`Lstm`], [`Gru`], [`SimpleRnn`] | Recurrent layers |
//! | [`Bidirectional`] | Recurrent layer in both directions, merged by a [`Merge`] |
//! | [`Dense`] | Fully connected layer |
//! | [`Dropout`] | Random zeros in training |
//! | [`Activate`] | Activation alone |
//! | [`LayerNormalization`] | Features with mean 0 and variance 1 |
//! | [`GlobalAveragePooling1D`], [`GlobalMaxPooling1D`] | Mean or maximum over the time steps |
//! | [`RepeatVector`] | Sequence that repeats a vector |
//! | [`Masking`] | Mask for time steps that hold a given value |
//! | [`Residual`] | Layer whose input is added to its output |
//! | [`TimeDistributed`] | Layer applied to each time step |
//!
//! Recurrent layers with your own cells are in [`recurrent`](crate::recurrent), the trait for your own layers is in
//! [`layer`](crate::layer). The structs that hold weights, for running a layer without a model, are in [`weights`].
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
