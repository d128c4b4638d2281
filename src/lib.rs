//! `bptt` trains and runs recurrent neural networks on the CPU, on `ndarray`, with every backward pass written out.
//!
//! It is for sequences of moderate length and layers of up to some hundred units: models as one writes them in Keras
//! ([`models::Sequential`], [`layers::Lstm`]), custom recurrent cells ([`recurrent::Gates`], [`recurrent::Cell`]) whose
//! backpropagation through time the crate runs and [checks](testing::gradcheck), and measurements of such cells. There is no
//! automatic differentiation and no GPU.
//!
//! ```
//! use bptt::prelude::*;
//! use ndarray::{Array1, Array3};
//!
//! // Is the sum of a sequence positive?
//! let x = Array3::<f32>::from_shape_fn((64, 5, 1), |(n, t, _)| ((n * 5 + t) as f32 * 1.7).sin());
//! let y: Array1<f32> = x.outer_iter().map(|steps| if steps.sum() > 0.0 { 1.0 } else { 0.0 }).collect();
//!
//! let mut model = Sequential::new()
//!     .add(Lstm::new(4))
//!     .add(Dense::new(1).activation(Activation::Sigmoid))
//!     .build(Form::sequence(5, 1), 42)?;
//! model.compile(Adam::new(0.05), BinaryCrossentropy::new());
//! let history = model.fit(&x, &y, Fit::new().epochs(30).batch_size(16))?;
//! let loss = history.get("loss");
//! assert!(loss[29] < 0.5 * loss[0]);
//! assert_eq!(model.predict(&x)?.shape(), [64, 1]);
//! # Ok::<(), bptt::Error>(())
//! ```
//!
//! # Letters
//!
//! | letter | stands for |
//! | --- | --- |
//! | B | batch size: number of samples computed together |
//! | T | time steps |
//! | D | number of input features |
//! | H | number of units of a recurrent layer |
//! | N | number of gate blocks of a cell; as the first axis of a shape, such as (N, T), the number of all samples |
//!
//! Arrays passed by users have the batch first, (B, T, D); inside a model time comes first, (T, B, D).
//!
//! # Order of the gates
//!
//! The columns of kernels and biases are blocks of H in Keras' order: [`layers::Lstm`] i, f, c, o (input, forget, candidate,
//! output); [`layers::Gru`] z, r, h (update, reset, candidate). Names and layouts of weights are those of Keras, so weights
//! can be copied.
//!
//! # Features
//!
//! None is on by default. `imdb` finds and reads Keras' `imdb.npz` and its word index; `progress` is a progress bar for
//! training; `download` (implies these two) fetches the files of `imdb`; `plot` draws the curves of a training; `interrupt`
//! ends it cleanly on Ctrl-C; `log` reports progress through the `log` crate. The oldest Rust that builds the crate is 1.89.
//!
//! # Reproducibility
//!
//! The same data, options and seed give the same bits on one machine, whatever the number of threads: initial weights,
//! dropout, shuffling, every loss, the saved file. The bits of `f32` may differ between instruction sets (AVX2, AVX-512,
//! NEON), because vectors and products round differently there.
//!
//! # Instruction sets
//!
//! The inner loops run on the best vector instructions of the processor; [`instructions`] returns which. The environment
//! variable `BPTT_KERNELS` (`avx512`, `avx2`, `portable`, `reference`) selects others for comparisons and tests.
//!
//! # Where to start reading
//!
//! The [guide] has these chapters:
//!
//! | chapter | topic |
//! | --- | --- |
//! | [`guide::first_model`] | data, layers, training with validation, curves, predictions, a file |
//! | [`guide::keras`] | programs of Keras 3 line by line |
//! | [`guide::pytorch`] | the same for PyTorch |
//! | [`guide::own_cell`] | a custom rule or cell, its gradient check, its tests, its file |
//! | [`guide::streams`] | long sequences: states, single time steps, training in windows |
//! | [`guide::large_data`] | data that do not fit in memory |
//! | [`guide::guarantees`] | reproducibility, threads, files, versions |
//!
//! In the reference, [`layer::Layer`] is the contract between a layer and what runs it, [`recurrent::Rnn`] the driver over
//! time, [`layers::Lstm`] an example of a cell, [`models::Model`] the model to train, [`models::Fit`] the options of a
//! training, [`callbacks`] the hooks into it, and [`data`] the sources of samples. `DESIGN.md` explains the decisions.

#![deny(unreachable_pub)]
// On docs.rs, which has a nightly compiler, each item shows the feature that it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod activations;
pub mod callbacks;
pub mod data;
pub mod datasets;
mod error;
mod files;
pub mod guide;
mod history;
pub mod io;
mod kernels;
pub mod layer;
pub mod layers;
mod logging;
pub mod losses;
pub mod metrics;
mod model;
pub mod models;
mod network;
pub mod numeric;
pub mod optimizers;
pub mod prelude;
pub mod preprocessing;
pub mod random;
pub mod recurrent;
pub mod tensor;
pub mod testing;
mod threads;
mod training;
mod weights;

pub use error::{CheckpointProblem, Error, Result};
pub use numeric::instructions::instructions;
pub use weights::{constraints, initializers, regularizers};

/// The README's example is compiled and run with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
