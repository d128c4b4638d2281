//! Names that most programs need, imported by `use bptt::prelude::*;`.
//!
//! | From | Names |
//! | --- | --- |
//! | [`models`](crate::models) | [`Sequential`], [`Model`], [`Fit`] |
//! | [`layers`](crate::layers) | [`Bidirectional`], [`Dense`], [`Dropout`], [`Embedding`], [`Gru`], [`Lstm`], [`SimpleRnn`] |
//! | [`activations`](crate::activations) | [`Activation`] |
//! | [`losses`](crate::losses) | [`BinaryCrossentropy`], [`MeanSquaredError`], [`SparseCategoricalCrossentropy`] |
//! | [`metrics`](crate::metrics) | [`MeanMetric`] |
//! | [`optimizers`](crate::optimizers) | [`Adam`], [`RmsProp`], [`Sgd`] |
//! | [`callbacks`](crate::callbacks) | [`EarlyStopping`], [`ModelCheckpoint`] |
//! | [`tensor`](crate::tensor) | [`Form`] |
//!
//! ```
//! use bptt::prelude::*;
//! use ndarray::array;
//!
//! let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(1), 42)?;
//! model.compile(Sgd::new(0.1), MeanSquaredError);
//! model.fit(&array![[0.0_f32], [1.0]], &array![1.0_f32, 3.0], Fit::new().epochs(10))?;
//! # Ok::<(), bptt::Error>(())
//! ```

pub use crate::activations::Activation;
pub use crate::callbacks::{EarlyStopping, ModelCheckpoint};
pub use crate::layers::{Bidirectional, Dense, Dropout, Embedding, Gru, Lstm, SimpleRnn};
pub use crate::losses::{BinaryCrossentropy, MeanSquaredError, SparseCategoricalCrossentropy};
pub use crate::metrics::MeanMetric;
pub use crate::models::{Fit, Model, Sequential};
pub use crate::optimizers::{Adam, RmsProp, Sgd};
pub use crate::tensor::Form;
