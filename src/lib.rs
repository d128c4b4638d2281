//! `bptt` trains and runs recurrent neural networks on the CPU, on `ndarray`, with every backward pass written out.
//!
//! It is for sequences of moderate length and layers of some units to some hundreds: models as one writes them in Keras
//! ([`Sequential`]), recurrent cells of one's own ([`Gates`], [`Cell`]) with their backpropagation through time driven and
//! [checked](testing::gradcheck), and measurements of such cells. It has no automatic differentiation and no GPU.
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
//! | B | batch: samples that are computed together |
//! | T | time steps |
//! | D | input features |
//! | H | units of a recurrent layer |
//! | N | gate blocks of a cell; before "batch" in a shape, such as (N, T), all samples |
//!
//! Arrays that users pass have the batch first, (B, T, D); inside a model time comes first, (T, B, D).
//!
//! # Order of the gates
//!
//! The columns of kernels and biases are blocks of H, in Keras' order: [`Lstm`] i, f, c, o (input, forget, candidate,
//! output); [`Gru`] z, r, h (update, reset, candidate). Weights have Keras' names and layouts, so they can be copied.
//!
//! # Features
//!
//! None is on by default. `imdb` finds and reads Keras' `imdb.npz` and its word index; `progress` is a progress bar for
//! training; `download` (implies these two) fetches the files of `imdb`; `plot` draws the curves of a training; `interrupt`
//! ends it in order on Ctrl-C; `log` tells what it does. The oldest Rust that builds the crate is 1.89.
//!
//! # The same numbers again
//!
//! The same data, options and seed give the same bits on one machine, whatever the number of threads: initial weights,
//! dropout, shuffling, every loss, the saved file. Between instruction sets (AVX2, AVX-512, NEON) the bits of `f32` may
//! differ, for vectors and products round differently there.
//!
//! # Instructions
//!
//! The inner loops run on the best vectors that the processor has; [`instructions`] tells which. The environment variable
//! `BPTT_KERNELS` (`avx512`, `avx2`, `portable`, `reference`) makes them run on others, to compare and to test.
//!
//! # Where to start reading
//!
//! The [guide] says what programs of [Keras](guide::keras) and of [PyTorch](guide::pytorch) become here, and where the
//! numbers differ.
//!
//! [`Layer`] is the contract between layers and what runs them, [`Rnn`] the driver over time, [`Lstm`] an example of a cell,
//! [`Model`] what is trained, [`Fit`] what its training can be asked for, [`callbacks`] what can be done along the way,
//! [`data`] where data come from that do not fit in memory. `DESIGN.md` says why.
//!
//! [`Sequential`]: models::Sequential
//! [`Model`]: models::Model
//! [`Fit`]: models::Fit
//! [`Layer`]: layer::Layer
//! [`Lstm`]: layers::Lstm
//! [`Gru`]: layers::Gru
//! [`Rnn`]: recurrent::Rnn
//! [`Gates`]: recurrent::Gates
//! [`Cell`]: recurrent::Cell

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
