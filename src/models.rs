//! Models: stacks of layers that are built, trained, run and saved.
//!
//! | Item | Meaning |
//! | --- | --- |
//! | [`Sequential`] | Stack of layers, from which a model is built |
//! | [`Model`] | Stack of layers with weights |
//! | [`Compiled`] | Optimizer, loss and metrics of a model |
//! | [`Fit`], [`BackupAndRestore`] | Options of a training |
//! | [`History`], [`Logs`] | Figures of a training, and of one epoch |
//! | [`Predictor`] | Predictions in reused memory |
//! | [`ModelState`] | States of all layers, for streams and long sequences |
//! | [`Window`] | Time steps of a longer sequence, for truncated backpropagation |
//! | [`Gradients`] | Loss and gradients of a batch |
//!
//! ```
//! use bptt::prelude::*;
//! use ndarray::array;
//!
//! let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(1), 42)?;
//! model.compile(Sgd::new(0.1), MeanSquaredError);
//! let history = model.fit(&array![[0.0_f32], [1.0]], &array![1.0_f32, 3.0], Fit::new().epochs(20))?;
//! let loss = history.get("loss");
//! assert!(loss[19] < loss[0]);
//! assert_eq!(model.predict(&array![[2.0_f32]])?.shape(), [1, 1]);
//! # Ok::<(), bptt::Error>(())
//! ```

pub use crate::history::{History, Logs};
pub use crate::model::{Compiled, Model, ModelState, Sequential};
pub use crate::training::{BackupAndRestore, Fit, Gradients, Predictor, Window};
