//! Models: stacks of layers that are built, trained, run and saved.
//!
//! | item | what it is |
//! | --- | --- |
//! | [`Sequential`] | a stack of layers to be built |
//! | [`Model`] | a built one, with weights |
//! | [`Fit`], [`BackupAndRestore`] | the options of a training |
//! | [`History`], [`Logs`] | the figures of a training, and of one epoch |
//! | [`Predictor`] | predictions in memory that is kept |
//! | [`ModelState`] | the states of all layers, for streams and long sequences |
//! | [`Window`] | some steps of a longer sequence, for truncated backpropagation |
//! | [`Gradients`] | a look at the gradients of a batch |

pub use crate::history::{History, Logs};
pub use crate::model::{Compiled, Model, ModelState, Sequential};
pub use crate::training::{BackupAndRestore, Fit, Gradients, Predictor, Window};
