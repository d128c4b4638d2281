//! The guide: how to do what most programs want to do, chapter by chapter.
//!
//! | chapter | what it shows |
//! | --- | --- |
//! | [`first_model`] | data, layers, training with validation, curves, predictions, a file |
//! | [`keras`] | programs of Keras 3 line by line, and tables of what is called how |
//! | [`pytorch`] | the same for PyTorch |
//! | [`own_cell`] | a recurrence of your own: a rule or a cell, its gradient check, its tests, its file |
//! | [`streams`] | long sequences: states, one step at a time, training in windows |
//! | [`large_data`] | data that do not fit in memory: files, iterators, sequences of many lengths, mixing |
//! | [`guarantees`] | same bits, threads, files, versions |
//!
//! All Rust programs are compiled and run with the tests. Lines that only a test needs are left out on the pages.

#[doc = include_str!("first_model.md")]
#[doc = include_str!("fit.svg")]
pub mod first_model {}

#[doc = include_str!("keras.md")]
pub mod keras {}

#[doc = include_str!("pytorch.md")]
pub mod pytorch {}

#[doc = include_str!("backpropagation.md")]
#[doc = include_str!("bptt.svg")]
#[doc = include_str!("own_cell.md")]
pub mod own_cell {}

#[doc = include_str!("state.md")]
#[doc = include_str!("lstm_step.svg")]
#[doc = include_str!("gru_step.svg")]
#[doc = include_str!("streams.md")]
pub mod streams {}

#[doc = include_str!("large_data.md")]
pub mod large_data {}

#[doc = include_str!("guarantees.md")]
pub mod guarantees {}
