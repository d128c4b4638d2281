//! `bptt` trains and runs recurrent neural networks on the CPU, on `ndarray`, with every backward pass written out.

#![deny(unreachable_pub)]

mod activation;
pub mod callbacks;
mod checkpoint;
pub mod datasets;
mod error;
pub mod gradcheck;
mod initializer;
mod kernels;
mod lane;
mod layer;
mod layers;
mod loss;
mod metrics;
mod numpy_random;
mod optimizer;
mod params;
pub mod preprocessing;
mod random;
mod recurrent;
mod scalar;
mod sequential;
mod tensor;
mod training;

pub use activation::Activation;
pub use error::{CheckpointProblem, Error, Result};
pub use initializer::{Init, Initializer};
pub use lane::Lane;
pub use layer::{Describe, Layer, MaskKind, MaskSite, Pass};
pub use layers::{Dense, DenseCache, DenseWeights, Dropout, DropoutCache, Embedding, EmbeddingWeights};
pub use loss::{BinaryCrossentropy, CategoricalCrossentropy, Loss, MeanSquaredError, SparseCategoricalCrossentropy};
pub use metrics::{MeanMetric, Metric};
pub use optimizer::{Adam, Clip, Optimizer, RmsProp, Rule, Sgd};
pub use params::{PairVisitor, Params, Path, Visitor, VisitorMut};
pub use random::Key;
pub use recurrent::{
    Block, Cell, CellMemory, Gated, GatedStep, GatedWeights, GatedWorkspace, Gates, Gru, GruCell, GruGates, Lstm,
    LstmGates, MAX_STATES, Rnn, RnnCache, Run, RunBack, SimpleGates, SimpleRnn, State, StateSeries, Step, StepBack,
    StepMasks, Views, ViewsMut, Widths,
};
pub use scalar::Scalar;
pub use sequential::{Compiled, Model, Registry, Sequential};
pub use tensor::{Form, Tensor, resize};
pub use training::{Fit, Gradients, History, Logs, Samples, Targets, Training};
