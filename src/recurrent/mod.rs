//! Recurrent layers: a driver over time, and cells that say what one step does.
//!
//! For those who use recurrent layers in another way than [`layers`](crate::layers) offers, and for those who write cells of
//! their own. How to write one: the chapter [`own_cell`](crate::guide::own_cell).
//!
//! | item | what it is |
//! | --- | --- |
//! | [`Rnn`], [`RnnCache`] | a layer of any cell: states, masks, dropout, the order of time |
//! | [`Cell`] | one time step and its adjoint |
//! | [`Step`], [`StepBack`] | what a step reads; what it made, and its gradients |
//! | [`Gates`], [`Block`] | an element-wise rule on the sums x·W + h·U + b, and its derivative |
//! | [`Gated`], [`GatedWeights`] | the cell of a rule: weights, products, vector instructions |
//! | [`Lstm`], [`Gru`], [`SimpleRnn`] | the built-in layers; [`LstmGates`], [`GruCell`], [`GruGates`], [`SimpleGates`] are their cells and rules |
//! | [`Stacked`] | a cell on another one, as one cell |
//! | [`Bidirectional`], [`Merge`] | two layers, one of which goes backwards |
//! | [`Run`], [`RunBack`], [`CellMemory`] | a whole sequence, for a cell that has a faster way than step by step |
//! | [`step_by_step`], [`step_by_step_back`] | the loops over time that a cell has by default |
//! | [`StepMasks`], [`Series`], [`SeriesMut`] | dropout masks and the states of all steps, within a run |
//!
//! A layer of two cells, run by itself over four samples of ten steps:
//!
//! ```
//! use bptt::initializers::Init;
//! use bptt::layer::{Forward, Layer, Pass};
//! use bptt::layers::{Gru, Lstm};
//! use bptt::random::Key;
//! use bptt::recurrent::{Rnn, RnnCache, Stacked};
//! use bptt::tensor::{Form, State, Tensor};
//! use ndarray::Array3;
//!
//! let layer = Rnn::from_cell(Stacked::new(Lstm::new(8).into_cell(), Gru::new(6).into_cell()));
//! let weights = layer.build(Form::sequence(None, 3), &mut Init::new(Key::new(1)))?;
//!
//! // Inside a model time comes first: (T, B, D).
//! let x = Tensor::Sequence(Array3::<f32>::ones((10, 4, 3)));
//! let (mut y, mut cache, mut state) = (Tensor::default(), RnnCache::default(), State::zeros(4, layer.states::<f32>()));
//! layer.forward(&weights, Forward::new(&x, &mut y, &mut cache, Pass::inference()).state(&mut state));
//! assert_eq!(y.rows().dim(), (4, 6)); // the last output
//! assert_eq!(state.parts.len(), 3); // h of the GRU, then h and c of the LSTM
//! # Ok::<(), bptt::Error>(())
//! ```
//!
//! # Memory
//!
//! Training keeps, for each step, the states (B·H each) and what the step saved (for gates B·N·H). Running keeps two
//! slots of state, however long the sequence.

mod bidirectional;
mod cell;
mod driver;
mod dropped_rows;
pub(crate) mod erased;
pub(crate) mod gated;
mod inputs;
mod masks;
mod once;
mod rnn;
mod series;
mod stacked;
mod steps;

pub use bidirectional::{Bidirectional, BidirectionalCache, BidirectionalWeights, Merge};
pub use cell::{Cell, CellMemory, Run, RunBack, Step, StepBack};
pub(crate) use erased::AnyCell;
pub use gated::{
    Block, Gated, GatedStep, GatedWeights, GatedWorkspace, Gates, Gru, GruCell, GruGates, Lstm, LstmGates, SimpleGates,
    SimpleRnn,
};
pub use masks::StepMasks;
pub use rnn::{Rnn, RnnCache};
pub(crate) use series::StateSeries;
pub use series::{Series, SeriesMut};
pub use stacked::{Stacked, StackedStep, StackedWeights, StackedWorkspace};
pub use steps::{step_by_step, step_by_step_back};
