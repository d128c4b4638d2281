//! The contract between a layer and whatever runs it: for those who write layers of their own.
//!
//! A layer is a plain description (`Lstm::new(8).dropout(0.3)`): options, no numbers. It builds weights for an input
//! [`Form`] and computes with weights that are passed in. What a pass changes belongs to the caller: the output, a cache
//! that is used again for the next batch, the gradients. So one model serves many threads, and a backward pass cannot
//! meet the wrong forward pass.
//!
//! | item | what it is |
//! | --- | --- |
//! | [`Layer`] | the trait of layers |
//! | [`Describe`] | what layers, cells and gates have in common |
//! | [`Forward`], [`Backward`] | the arguments of a pass |
//! | [`Pass`] | training or not, which steps count, where random masks come from |
//! | [`Carry`] | what a layer remembers from one part of a sequence to the next |
//! | [`Params`], [`params!`](crate::params) | weights as structs whose tensors are listed once |
//! | [`WeightOptions`] | the regularizer and the constraint of a weight |
//!
//! A layer that multiplies each feature by a weight:
//!
//! ```
//! use bptt::Result;
//! use bptt::initializers::{Init, Initializer};
//! use bptt::layer::{Backward, Carry, Describe, Forward, Layer, Pass};
//! use bptt::numeric::Scalar;
//! use bptt::random::Key;
//! use bptt::tensor::Form;
//! use bptt::testing::gradcheck;
//! use ndarray::{Array1, Axis};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Debug, Serialize, Deserialize)]
//! struct Scale;
//!
//! #[derive(Clone, Debug)]
//! struct ScaleWeights<F> {
//!     scale: Array1<F>,
//! }
//! bptt::params!(ScaleWeights { scale });
//!
//! impl Describe for Scale {
//!     fn kind() -> &'static str {
//!         "my_crate::Scale"
//!     }
//! }
//!
//! impl<F: Scalar> Layer<F> for Scale {
//!     type Weights = ScaleWeights<F>;
//!     type Cache = ();
//!
//!     fn output_form(&self, input: Form) -> Result<Form> {
//!         input.features().map(|_| input)
//!     }
//!
//!     fn carry(&self) -> Carry {
//!         Carry::Nothing // each step by itself
//!     }
//!
//!     fn build(&self, input: Form, init: &mut Init) -> Result<ScaleWeights<F>> {
//!         Ok(ScaleWeights { scale: init.tensor(Initializer::Ones, input.features()?)? })
//!     }
//!
//!     fn forward(&self, weights: &ScaleWeights<F>, forward: Forward<'_, F, ()>) {
//!         let Forward { x, y, .. } = forward;
//!         y.like(x, weights.scale.len());
//!         y.rows_mut().assign(&(&x.rows() * &weights.scale));
//!     }
//!
//!     fn backward(&self, weights: &ScaleWeights<F>, backward: Backward<'_, F, (), ScaleWeights<F>>) {
//!         let Backward { x, dy, dx, gradients, .. } = backward;
//!         gradients.scale += &(&x.rows() * &dy.rows()).sum_axis(Axis(0));
//!         if let Some(dx) = dx {
//!             dx.like(x, weights.scale.len());
//!             dx.rows_mut().assign(&(&dy.rows() * &weights.scale));
//!         }
//!     }
//! }
//!
//! let report = gradcheck::layer(&Scale, Form::sequence(4, 3), 2, Pass::training(Key::new(1)))?;
//! assert!(report.error() < gradcheck::TOLERANCE, "{report}");
//! # Ok::<(), bptt::Error>(())
//! ```

mod arguments;
mod erased;
mod parts;
mod pass;

pub use crate::weights::{PairVisitor, Params, Path, Visitor, VisitorMut, WeightOptions, zeros_like};
pub use arguments::{Backward, Forward};
pub use erased::AnyWeights;
pub(crate) use erased::{AnyCache, AnyLayer, DynCache, DynLayer};
pub(crate) use parts::{SavedPart, deserialize_part, with_parts};
pub use pass::{MaskKind, MaskSite, Pass};

use std::fmt::Debug;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::activations::Activation;
use crate::error::Result;
use crate::numeric::Scalar;
use crate::tensor::{Form, Mask, Tensor, Widths};
use crate::weights::initializers::Init;

/// What layers, cells and gates have in common: plain data that can be saved under the name of its kind.
///
/// To be read from a file again it has to be [registered](crate::io::Registry).
pub trait Describe: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind's name in saved files and summaries, unlike that of any other kind: `"Lstm"`, `"my_crate::Mgu"`.
    fn kind() -> &'static str;
}

/// A layer: output from input, and gradients from the gradient of the output.
///
/// Shapes below are those of [`Tensor`]: time first. `forward` and `backward` are called only with inputs of the form
/// that [`output_form`](Layer::output_form) accepted, with token ids below [`vocabulary`](Layer::vocabulary), and with
/// weights that [`build`](Layer::build) made for it; a [`Model`](crate::models::Model) has seen to that, and answers what a user
/// passes in with an error. A caller of a layer itself has to see to it: the built-in ones panic on anything else. No
/// time steps and no samples are sizes like any other.
pub trait Layer<F: Scalar>: Describe {
    /// The weights: a struct with [`params!`](crate::params), or `()`.
    type Weights: Params<F> + Clone + Debug;
    /// What the backward pass needs and cannot read from input, output or weights. Grows once and is used again.
    type Cache: Default + Send + 'static;

    /// The form of the output for inputs of the form `input`.
    ///
    /// # Errors
    ///
    /// [`Error::Form`](crate::Error::Form) if the layer does not take such inputs;
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) if one of its own options is out of range.
    fn output_form(&self, input: Form) -> Result<Form>;

    /// New weights for inputs of the form `input`, all in standard layout.
    ///
    /// # Errors
    ///
    /// Those of [`output_form`](Layer::output_form), and of the initializers.
    fn build(&self, input: Form, init: &mut Init) -> Result<Self::Weights>;

    /// Writes the output, and what the backward pass will need into the cache.
    ///
    /// A layer that [carries](Layer::carry) a state starts from [`Forward::state`], if it is given one, and leaves the state
    /// after [`Forward::kept`] steps in it.
    fn forward(&self, weights: &Self::Weights, forward: Forward<'_, F, Self::Cache>);

    /// From the gradient of the output, adds the gradients of the weights to [`Backward::gradients`] and writes that of the
    /// input into [`Backward::dx`] if it is asked for.
    ///
    /// A layer that carries a state takes the gradient of the last one from [`Backward::dstate`], if it is given one, and
    /// leaves that of the first in it.
    fn backward(&self, weights: &Self::Weights, backward: Backward<'_, F, Self::Cache, Self::Weights>);

    /// The function that the layer applies last, which a loss may take over: see [`Pass::absorbed`].
    fn final_activation(&self) -> Activation {
        Activation::Linear
    }

    /// Whether the layer takes [`Tensor::Lookup`] in place of a sequence in this pass. If so, `dx` is the gradient of the
    /// table, as a sequence (1, V, D).
    fn takes_lookups(&self, _pass: Pass<'_>) -> bool {
        false
    }

    /// Turns the mask of the input into that of the output. By default it is handed on, which is right for a layer that
    /// treats each step alike; for an output without steps it ends by itself.
    fn output_mask(&self, _x: &Tensor<F>, _mask: &mut Mask) {}

    /// What the layer must remember to go on from one part of a sequence to the next. By default it needs the whole sequence.
    fn carry(&self) -> Carry {
        Carry::Everything
    }

    /// The regularizer and the constraint of the weight at this path, as [`Params`] of [`Layer::Weights`] names it. A model
    /// asks once, when it is built.
    fn weight_options(&self, _path: Path<'_>) -> WeightOptions {
        WeightOptions::default()
    }

    /// How many token ids the layer knows, if it takes token ids: 0 to one less than this.
    fn vocabulary(&self) -> Option<usize> {
        None
    }

    /// The layer without its type. Built-in layers have theirs made in the crate, where it is compiled.
    #[doc(hidden)]
    fn erase(self) -> Arc<dyn DynLayer<F>> {
        Arc::new(self)
    }
}

/// Gives a built-in layer its [`Layer::erase`].
macro_rules! erase_layer {
    ($number:ident, $layer:ty) => {
        fn erase(self) -> std::sync::Arc<dyn $crate::layer::DynLayer<$number>> {
            $crate::numeric::erased_here!(
                $number, self, $layer => std::sync::Arc<dyn $crate::layer::DynLayer<$number>>, std::sync::Arc::new
            )
        }
    };
}
pub(crate) use erase_layer;

/// What a layer must remember of the steps that it has seen, to go on with the next ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Carry {
    /// Nothing: it treats each step by itself.
    Nothing,
    /// A state with these widths, which a [`State`](crate::tensor::State) of the batch holds.
    State(Widths),
    /// Everything: it looks at the whole sequence, as one that goes backwards does.
    Everything,
}
