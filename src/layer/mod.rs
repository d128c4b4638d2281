//! Traits and types for layers of your own.
//!
//! | Item | Meaning |
//! | --- | --- |
//! | [`Layer`] | The trait of layers |
//! | [`Describe`] | The trait that layers, cells and gates share |
//! | [`Forward`], [`Backward`] | Arguments of a forward and of a backward pass |
//! | [`Pass`] | Mode of a pass: training or not, mask, source of dropout masks |
//! | [`Carry`] | State that a layer carries from one part of a sequence to the next |
//! | [`Params`], [`params!`](crate::params) | Weights as structs whose tensors are listed once |
//! | [`WeightOptions`] | Regularizer and constraint of a weight |
//!
//! A layer is a plain description (`Lstm::new(8).dropout(0.3)`): options, no numbers. It builds weights for an input
//! [`Form`] and computes with weights that are passed in. The caller owns what a pass changes: the output, the gradients,
//! and a cache that is reused for the next batch. So one model serves many threads.
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

/// Plain data that is saved under the name of its kind: what layers, cells and gates have in common.
///
/// To be loaded from a file, the type must be [registered](crate::io::Registry).
pub trait Describe: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Returns the unique name of the kind in files and summaries, such as `"Lstm"` or `"my_crate::Mgu"`.
    fn kind() -> &'static str;
}

/// Layer: computes outputs from inputs, and gradients from the gradient of the output.
///
/// Shapes are those of [`Tensor`]: time first. `forward` and `backward` may rely on inputs of the form that
/// [`output_form`](Layer::output_form) accepted, on token ids below [`vocabulary`](Layer::vocabulary), and on weights that
/// [`build`](Layer::build) made. A [`Model`](crate::models::Model) checks this and returns an error to its user; direct
/// callers must ensure it, as built-in layers panic otherwise. Zero time steps and zero samples are valid sizes.
pub trait Layer<F: Scalar>: Describe {
    /// Weights: a struct with [`params!`](crate::params), or `()`.
    type Weights: Params<F> + Clone + Debug;
    /// What the backward pass needs besides input, output and weights. It is reused from batch to batch.
    type Cache: Default + Send + 'static;

    /// Returns the form of the output for inputs of the form `input`.
    ///
    /// # Errors
    ///
    /// [`Error::Form`](crate::Error::Form) if the layer does not take such inputs;
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) if one of its own options is out of range.
    fn output_form(&self, input: Form) -> Result<Form>;

    /// Returns new weights for inputs of the form `input`, all in standard layout.
    ///
    /// # Errors
    ///
    /// Those of [`output_form`](Layer::output_form), and of the initializers.
    fn build(&self, input: Form, init: &mut Init) -> Result<Self::Weights>;

    /// Writes the output, and into the cache what the backward pass needs.
    ///
    /// A layer that [carries](Layer::carry) a state starts from [`Forward::state`], if there is one, and replaces it by the
    /// state after [`Forward::kept`] steps.
    fn forward(&self, weights: &Self::Weights, forward: Forward<'_, F, Self::Cache>);

    /// Adds the gradients of the weights to [`Backward::gradients`], and writes that of the input into [`Backward::dx`] if
    /// it is requested.
    ///
    /// A layer that carries a state takes the gradient of the last state from [`Backward::dstate`], if there is one, and
    /// replaces it by that of the first state.
    fn backward(&self, weights: &Self::Weights, backward: Backward<'_, F, Self::Cache, Self::Weights>);

    /// Returns the activation that the layer applies last, which a loss may take over: see [`Pass::absorbed`].
    fn final_activation(&self) -> Activation {
        Activation::Linear
    }

    /// Returns whether the layer takes a [`Tensor::Lookup`] instead of a sequence in this pass. If so, `dx` is the gradient
    /// of the table, as a sequence (1, V, D).
    fn takes_lookups(&self, _pass: Pass<'_>) -> bool {
        false
    }

    /// Changes the mask of the input to that of the output.
    ///
    /// By default it stays, which is right for a layer that treats each time step alike. For an output without time steps
    /// the mask ends anyway.
    fn output_mask(&self, _x: &Tensor<F>, _mask: &mut Mask) {}

    /// Returns what the layer carries from one part of a sequence to the next. By default it needs the whole sequence.
    fn carry(&self) -> Carry {
        Carry::Everything
    }

    /// Returns the regularizer and the constraint of the weight at this path, as [`Params`] of [`Layer::Weights`] names it.
    /// A model asks once, when it is built.
    fn weight_options(&self, _path: Path<'_>) -> WeightOptions {
        WeightOptions::default()
    }

    /// Returns the size of the vocabulary, if the layer takes token ids: they are below it.
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

/// What a layer carries from the time steps that it has seen to the next ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Carry {
    /// Nothing: each time step is independent.
    Nothing,
    /// A [`State`](crate::tensor::State) with these widths.
    State(Widths),
    /// Everything: the layer needs the whole sequence, for example because it goes backwards.
    Everything,
}
