//! Recurrent layers: a driver over time, and cells that say what one step does.
//!
//! # Backpropagation through time
//!
//! A recurrent layer carries a state s through the time steps t = 1 … T of a sequence x, with the same weights w at each:
//!
//! ```text
//! s[t] = f(x[t], s[t−1]; w)          h[t] = the first part of s[t], the output
//! ```
//!
//! Let `ds[t]` be the gradient of the loss with respect to `s[t]`, all its uses counted. `s[t]` is used twice: as output,
//! whose gradient `dh[t]` comes from the layers above, and as the start of step t+1. So from the last step to the first
//!
//! ```text
//! ds[t] = dh[t] + (∂f/∂s)ᵀ ds[t+1]   at step t+1
//! dx[t] = (∂f/∂x)ᵀ ds[t]             dw = Σ over t of (∂f/∂w)ᵀ ds[t]
//! ```
//!
//! The driver, [`Rnn`], does the sums over uses and time, the dropout masks and the sequences of states. A cell supplies f
//! and its three adjoints for one step.
//!
//! # Which trait to implement
//!
//! | you have | implement | and write | the library owns |
//! | --- | --- | --- | --- |
//! | sums z = x·W + h·U + b and an element-wise rule on them | [`Gates`] | the rule and its derivative, about 25 lines | weights, products, vector instructions |
//! | anything else | [`Cell`] | one step and its adjoint, about 45 lines | the loops over time, states, dropout |
//!
//! `Rnn<Gated<MyGates>>` and `Rnn<MyCell>` are layers like [`Lstm`]. The built-in cells are nothing but such
//! implementations: [`LstmGates`] and [`SimpleGates`] are gates; [`GruCell`] is a cell, because one of its two forms has a
//! product inside the step.
//!
//! # Memory
//!
//! Training keeps, for each step, the states (B·H each) and what the step saved (for gates B·N·H). Running keeps two
//! slots of state, however long the sequence.
//!
//! Read `state`, `cell`, `inputs`, `rnn`, then `gates`, `gated`, `fused`, `streaming`, then the cells; `bidirectional` and
//! `stacked` make one of two.

mod bidirectional;
mod cell;
mod functions;
mod fused;
mod gated;
mod gates;
mod gru;
mod inputs;
mod lstm;
mod rnn;
mod simple_rnn;
mod stacked;
mod state;
mod streaming;

pub use bidirectional::{Bidirectional, BidirectionalCache, BidirectionalWeights, Merge};
pub use cell::{Cell, CellMemory, Run, RunBack, Step, StepBack, StepMasks, step_by_step, step_by_step_back};
pub use fused::GatedWorkspace;
pub use gated::{Gated, GatedStep, GatedWeights};
pub use gates::{Block, Gates};
pub use gru::{Gru, GruCell, GruGates};
pub use lstm::{Lstm, LstmGates};
pub use rnn::{Rnn, RnnCache};
pub use simple_rnn::{SimpleGates, SimpleRnn};
pub use stacked::{Stacked, StackedStep, StackedWeights, StackedWorkspace};
pub use state::{MAX_STATES, Series, SeriesMut, State, Views, ViewsMut, Widths};

pub(crate) use state::StateSeries;
