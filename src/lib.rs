//! `bptt` trains and runs recurrent neural networks on the CPU, on `ndarray`, with every backward pass written out.

mod activation;
pub mod datasets;
mod error;
pub mod gradcheck;
mod initializer;
mod kernels;
mod lane;
mod layer;
mod layers;
mod loss;
mod params;
pub mod preprocessing;
mod random;
mod recurrent;
mod scalar;
mod tensor;

pub use activation::Activation;
pub use error::{Error, Result};
pub use initializer::{Init, Initializer};
pub use lane::Lane;
pub use layer::{Describe, Layer, MaskKind, MaskSite, Pass};
pub use layers::{Dense, DenseCache, DenseWeights, Dropout, DropoutCache, Embedding, EmbeddingWeights};
pub use loss::{BinaryCrossentropy, CategoricalCrossentropy, Loss, MeanSquaredError, SparseCategoricalCrossentropy};
pub use params::{PairVisitor, Params, Path, Visitor, VisitorMut};
pub use random::Key;
pub use recurrent::{
    Block, Cell, CellMemory, Gated, GatedStep, GatedWeights, GatedWorkspace, Gates, Gru, GruCell, GruGates, Lstm,
    LstmGates, MAX_STATES, Rnn, RnnCache, Run, RunBack, SimpleGates, SimpleRnn, State, StateSeries, Step, StepBack,
    StepMasks, Views, ViewsMut, Widths,
};
pub use scalar::Scalar;
pub use tensor::{Form, Tensor, resize};
