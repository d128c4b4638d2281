//! Typed layers as objects.
//!
//! A layer's weights, cache and gradients have types of their own. Here they disappear behind two traits, before building
//! and after. The only `dyn Any` of the crate is the workspace: one downcast per layer and shard.

use std::any::Any;
use std::fmt::Debug;

use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::initializer::Init;
use crate::layer::{Carry, Layer, Pass};
use crate::mask::Mask;
use crate::params::{PairVisitor, Params, Path, set_zero, zeros_like};
use crate::recurrent::State;
use crate::scalar::Scalar;
use crate::tensor::{Form, Tensor};
use crate::weight_options::WeightOptions;

/// A layer before building.
pub(crate) trait Description<F: Scalar>: Debug + Send + Sync {
    fn kind(&self) -> &'static str;
    fn output_form(&self, input: Form) -> Result<Form>;
    fn build(&self, input: Form, init: &mut Init) -> Result<Box<dyn Built<F>>>;
}

/// A layer with its weights.
pub(crate) trait Built<F: Scalar>: Debug + Send + Sync {
    fn kind(&self) -> &'static str;
    /// The name of its kind in files.
    fn full_kind(&self) -> String;
    /// Its options as they are saved.
    fn options(&self) -> Result<serde_json::Value>;
    fn final_activation(&self) -> Activation;
    fn vocabulary(&self) -> Option<usize>;
    fn takes_lookups(&self, pass: Pass<'_>) -> bool;
    fn output_mask(&self, x: &Tensor<F>, mask: &mut Mask);
    fn carry(&self) -> Carry;
    fn weight_options(&self, path: Path<'_>) -> WeightOptions;
    fn weights(&self) -> &dyn Params<F>;
    fn weights_mut(&mut self) -> &mut dyn Params<F>;
    /// A new cache, and room for gradients.
    fn workspace(&self) -> LayerWorkspace;
    fn forward(&self, x: &Tensor<F>, y: &mut Tensor<F>, workspace: &mut LayerWorkspace, pass: Pass<'_>);
    fn resume(
        &self,
        x: &Tensor<F>,
        y: &mut Tensor<F>,
        state: &mut State<F>,
        kept: usize,
        workspace: &mut LayerWorkspace,
        pass: Pass<'_>,
    );
    #[allow(clippy::too_many_arguments, reason = "those of Layer::backward")]
    fn backward(
        &self,
        x: &Tensor<F>,
        y: &Tensor<F>,
        dy: &Tensor<F>,
        dx: Option<&mut Tensor<F>>,
        workspace: &mut LayerWorkspace,
        pass: Pass<'_>,
    );
    /// Sets the gradients to zero.
    fn clear_gradients(&self, workspace: &mut LayerWorkspace);
    /// Whether [`Built::workspace`] of a layer like this made it.
    fn fits(&self, workspace: &LayerWorkspace) -> bool;
    /// Adds the gradients of `from` to those of `into`, and multiplies the sums by `scale`.
    fn add_gradients(&self, into: &mut LayerWorkspace, from: &LayerWorkspace, scale: F);
    /// Visits each gradient with its weight, if there are gradients yet.
    fn visit_gradients<'a>(
        &'a self,
        workspace: &'a mut LayerWorkspace,
        path: Path<'_>,
        visitor: PairVisitor<'_, 'a, F>,
    );
    /// Visits each weight with its gradient.
    fn visit_with_gradients<'a>(
        &'a mut self,
        path: Path<'_>,
        workspace: &'a LayerWorkspace,
        visitor: PairVisitor<'_, 'a, F>,
    );
}

/// What one shard's pass through one layer changes.
pub(crate) type LayerWorkspace = Box<dyn Any + Send>;

struct Typed<F: Scalar, L: Layer<F>> {
    cache: L::Cache,
    /// Made when first needed: running a model needs none.
    gradients: Option<L::Weights>,
}

#[derive(Debug)]
struct WithWeights<L, W> {
    layer: L,
    weights: W,
}

/// Erases a layer's types.
pub(crate) fn describe<F: Scalar, L: Layer<F>>(layer: L) -> Box<dyn Description<F>> {
    Box::new(Unbuilt(layer))
}

#[derive(Debug)]
struct Unbuilt<L>(L);

impl<F: Scalar, L: Layer<F>> Description<F> for Unbuilt<L> {
    fn kind(&self) -> &'static str {
        L::kind()
    }

    fn output_form(&self, input: Form) -> Result<Form> {
        self.0.output_form(input)
    }

    fn build(&self, input: Form, init: &mut Init) -> Result<Box<dyn Built<F>>> {
        let weights = self.0.build(input, init)?;
        let mut standard = true;
        weights.visit(Path::root(""), &mut |_, tensor| standard &= tensor.is_standard_layout());
        if !standard {
            return Err(Error::InvalidOption {
                option: "weights",
                value: format!("those of {} are not in standard layout", L::kind()),
                allowed: "arrays in standard layout, such as Init::tensor makes",
            });
        }
        Ok(Box::new(WithWeights { layer: self.0.clone(), weights }))
    }
}

fn typed<F: Scalar, L: Layer<F>>(workspace: &mut LayerWorkspace) -> &mut Typed<F, L> {
    workspace.downcast_mut().expect("a workspace stays with the layer that made it")
}

impl<F: Scalar, L: Layer<F>> Built<F> for WithWeights<L, L::Weights> {
    fn kind(&self) -> &'static str {
        L::kind()
    }

    fn full_kind(&self) -> String {
        L::full_kind()
    }

    fn options(&self) -> Result<serde_json::Value> {
        serde_json::to_value(&self.layer).map_err(|source| Error::Options { kind: L::full_kind(), source })
    }

    fn final_activation(&self) -> Activation {
        self.layer.final_activation()
    }

    fn vocabulary(&self) -> Option<usize> {
        self.layer.vocabulary()
    }

    fn takes_lookups(&self, pass: Pass<'_>) -> bool {
        self.layer.takes_lookups(pass)
    }

    fn output_mask(&self, x: &Tensor<F>, mask: &mut Mask) {
        self.layer.output_mask(x, mask);
    }

    fn carry(&self) -> Carry {
        self.layer.carry()
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        self.layer.weight_options(path)
    }

    fn weights(&self) -> &dyn Params<F> {
        &self.weights
    }

    fn weights_mut(&mut self) -> &mut dyn Params<F> {
        &mut self.weights
    }

    fn workspace(&self) -> LayerWorkspace {
        Box::new(Typed::<F, L> { cache: L::Cache::default(), gradients: None })
    }

    fn forward(&self, x: &Tensor<F>, y: &mut Tensor<F>, workspace: &mut LayerWorkspace, pass: Pass<'_>) {
        self.layer.forward(&self.weights, x, y, &mut typed::<F, L>(workspace).cache, pass);
    }

    fn resume(
        &self,
        x: &Tensor<F>,
        y: &mut Tensor<F>,
        state: &mut State<F>,
        kept: usize,
        workspace: &mut LayerWorkspace,
        pass: Pass<'_>,
    ) {
        self.layer.resume(&self.weights, x, y, state, kept, &mut typed::<F, L>(workspace).cache, pass);
    }

    fn backward(
        &self,
        x: &Tensor<F>,
        y: &Tensor<F>,
        dy: &Tensor<F>,
        dx: Option<&mut Tensor<F>>,
        workspace: &mut LayerWorkspace,
        pass: Pass<'_>,
    ) {
        let Typed { cache, gradients } = typed::<F, L>(workspace);
        let gradients = gradients.get_or_insert_with(|| zeros_like(&self.weights));
        self.layer.backward(&self.weights, x, y, dy, dx, cache, gradients, pass);
    }

    fn clear_gradients(&self, workspace: &mut LayerWorkspace) {
        if let Some(gradients) = &mut typed::<F, L>(workspace).gradients {
            set_zero(gradients);
        }
    }

    fn fits(&self, workspace: &LayerWorkspace) -> bool {
        workspace.is::<Typed<F, L>>()
    }

    fn add_gradients(&self, into: &mut LayerWorkspace, from: &LayerWorkspace, scale: F) {
        let from = from.downcast_ref::<Typed<F, L>>().and_then(|from| from.gradients.as_ref());
        if let (Some(into), Some(from)) = (&mut typed::<F, L>(into).gradients, from) {
            into.visit_pair(from, Path::root(""), &mut |_, mut sum, more| {
                sum.zip_mut_with(&more, |sum, &more| *sum = (*sum + more) * scale);
            });
        }
    }

    fn visit_gradients<'a>(
        &'a self,
        workspace: &'a mut LayerWorkspace,
        path: Path<'_>,
        visitor: PairVisitor<'_, 'a, F>,
    ) {
        if let Some(gradients) = &mut typed::<F, L>(workspace).gradients {
            gradients.visit_pair(&self.weights, path, visitor);
        }
    }

    fn visit_with_gradients<'a>(
        &'a mut self,
        path: Path<'_>,
        workspace: &'a LayerWorkspace,
        visitor: PairVisitor<'_, 'a, F>,
    ) {
        let gradients = workspace.downcast_ref::<Typed<F, L>>().and_then(|typed| typed.gradients.as_ref());
        if let Some(gradients) = gradients {
            self.weights.visit_pair(gradients, path, visitor);
        }
    }
}
