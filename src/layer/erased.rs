//! Layers without their types: how a model and the layers that are made of others hold them.
//!
//! A layer's weights, cache and gradients have types of their own. Here they disappear: [`DynLayer`] is [`Layer`] with weights
//! behind [`DynWeights`] and caches behind [`DynCache`], one downcast each a pass. [`AnyLayer`] is such a layer for either number
//! type, as descriptions have none.

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;

use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::parts::{SavedPart, deserialize_part};
use super::{Backward, Carry, Forward, Layer, Pass};
use crate::activations::Activation;
use crate::error::{Error, Result};
use crate::numeric::{Both, Scalar};
use crate::tensor::{Form, Mask, Tensor};
use crate::weights::initializers::Init;
use crate::weights::{PairVisitor, Params, Path, Visitor, VisitorMut, WeightOptions};

/// A cache of any layer.
pub(crate) type DynCache = dyn Any + Send;

/// Weights of any layer.
pub(crate) trait DynWeights<F: Scalar>: Params<F> {
    /// Weights whose type can be asked for.
    fn as_any(&self) -> &dyn Any;
    /// The same, to be changed.
    fn as_any_mut(&mut self) -> &mut dyn Any;
    /// A copy.
    fn boxed_clone(&self) -> Box<dyn DynWeights<F>>;
    /// [`Params::visit_pair`] with other weights of the same type.
    fn visit_with<'a>(&'a mut self, other: &'a dyn DynWeights<F>, path: Path<'_>, visitor: PairVisitor<'_, 'a, F>);
}

impl<F: Scalar, W: Params<F> + Clone> DynWeights<F> for W {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn boxed_clone(&self) -> Box<dyn DynWeights<F>> {
        Box::new(self.clone())
    }

    fn visit_with<'a>(&'a mut self, other: &'a dyn DynWeights<F>, path: Path<'_>, visitor: PairVisitor<'_, 'a, F>) {
        self.visit_pair(typed(other), path, visitor);
    }
}

/// Why a downcast does not fail.
const SAME_LAYER: &str = "weights, gradients and caches stay with the layer that made them";

fn typed<F: Scalar, W: Any>(weights: &dyn DynWeights<F>) -> &W {
    weights.as_any().downcast_ref().expect(SAME_LAYER)
}

/// Weights, or gradients, of a layer whose type was erased, as those of the parts of a wrapper such as
/// [`Bidirectional`](crate::layers::Bidirectional) are.
///
/// ```
/// use bptt::initializers::Init;
/// use bptt::layer::Layer;
/// use bptt::layers::weights::DenseWeights;
/// use bptt::layers::{Dense, Residual};
/// use bptt::random::Key;
/// use bptt::tensor::Form;
/// let weights = Layer::<f32>::build(&Residual::new(Dense::new(3)), Form::vector(3), &mut Init::new(Key::new(1)))?;
/// let dense: &DenseWeights<f32> = weights.downcast_ref().unwrap();
/// assert_eq!(dense.kernel.dim(), (3, 3));
/// # Ok::<(), bptt::Error>(())
/// ```
pub struct AnyWeights<F: Scalar>(Box<dyn DynWeights<F>>);

impl<F: Scalar> AnyWeights<F> {
    /// These weights without their type.
    pub(crate) fn new<W: Params<F> + Clone>(weights: W) -> Self {
        AnyWeights(Box::new(weights))
    }

    /// The weights of a layer that says what type they have.
    pub(crate) fn typed<W: Any>(&self) -> &W {
        typed(&*self.0)
    }

    /// The same, to be changed.
    pub(crate) fn typed_mut<W: Any>(&mut self) -> &mut W {
        self.downcast_mut().expect(SAME_LAYER)
    }

    /// The weights, if this is their type.
    pub fn downcast_ref<W: Any>(&self) -> Option<&W> {
        self.0.as_any().downcast_ref()
    }

    /// The same, to be changed.
    pub fn downcast_mut<W: Any>(&mut self) -> Option<&mut W> {
        self.0.as_any_mut().downcast_mut()
    }
}

impl<F: Scalar> Clone for AnyWeights<F> {
    fn clone(&self) -> Self {
        AnyWeights(self.0.boxed_clone())
    }
}

impl<F: Scalar> Debug for AnyWeights<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tensors = f.debug_map();
        self.0.visit(Path::root(""), &mut |path, tensor| {
            tensors.entry(&path.to_string(), &tensor.shape());
        });
        tensors.finish()
    }
}

impl<F: Scalar> Params<F> for AnyWeights<F> {
    fn visit<'a>(&'a self, path: Path<'_>, visitor: Visitor<'_, 'a, F>) {
        self.0.visit(path, visitor);
    }
    fn visit_mut<'a>(&'a mut self, path: Path<'_>, visitor: VisitorMut<'_, 'a, F>) {
        self.0.visit_mut(path, visitor);
    }
    fn visit_pair<'a>(&'a mut self, other: &'a Self, path: Path<'_>, visitor: PairVisitor<'_, 'a, F>) {
        self.0.visit_with(&*other.0, path, visitor);
    }
}

/// A cache of a layer whose type was erased; made when it is first used.
#[derive(Default)]
pub(crate) struct AnyCache(Option<Box<DynCache>>);

impl Debug for AnyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyCache").finish_non_exhaustive()
    }
}

impl AnyCache {
    /// The cache of this layer.
    pub(crate) fn of<F: Scalar>(&mut self, layer: &dyn DynLayer<F>) -> &mut DynCache {
        self.get_or_make(|| layer.cache())
    }

    /// The cache, made by this when it is first asked for.
    pub(crate) fn get_or_make(&mut self, make: impl FnOnce() -> Box<DynCache>) -> &mut DynCache {
        &mut **self.0.get_or_insert_with(make)
    }

    /// Whether it is one of this layer's, or none yet.
    pub(crate) fn fits<F: Scalar>(&self, layer: &dyn DynLayer<F>) -> bool {
        self.0.as_ref().is_none_or(|cache| layer.fits(&**cache))
    }
}

/// [`Layer`] without its types.
pub trait DynLayer<F: Scalar>: Debug + Send + Sync {
    /// [`Describe::kind`].
    fn kind(&self) -> &'static str;
    /// The options as they are saved.
    fn options(&self) -> Result<Value>;
    /// [`Layer::output_form`].
    fn output_form(&self, input: Form) -> Result<Form>;
    /// [`Layer::build`].
    fn build(&self, input: Form, init: &mut Init) -> Result<AnyWeights<F>>;
    /// A new cache.
    fn cache(&self) -> Box<DynCache>;
    /// Whether [`DynLayer::cache`] of a layer of this type made it.
    fn fits(&self, cache: &DynCache) -> bool;
    /// [`Layer::forward`].
    fn forward(&self, weights: &AnyWeights<F>, forward: Forward<'_, F, DynCache>);
    /// [`Layer::backward`].
    fn backward(&self, weights: &AnyWeights<F>, backward: Backward<'_, F, DynCache, AnyWeights<F>>);
    /// [`Layer::final_activation`].
    fn final_activation(&self) -> Activation;
    /// [`Layer::takes_lookups`].
    fn takes_lookups(&self, pass: Pass<'_>) -> bool;
    /// [`Layer::output_mask`].
    fn output_mask(&self, x: &Tensor<F>, mask: &mut Mask);
    /// [`Layer::carry`].
    fn carry(&self) -> Carry;
    /// [`Layer::weight_options`].
    fn weight_options(&self, path: Path<'_>) -> WeightOptions;
    /// [`Layer::vocabulary`].
    fn vocabulary(&self) -> Option<usize>;
}

impl<F: Scalar, L: Layer<F>> DynLayer<F> for L {
    fn kind(&self) -> &'static str {
        L::kind()
    }

    fn options(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(|source| Error::options(L::kind(), source))
    }

    fn output_form(&self, input: Form) -> Result<Form> {
        Layer::output_form(self, input)
    }

    fn build(&self, input: Form, init: &mut Init) -> Result<AnyWeights<F>> {
        Ok(AnyWeights::new(Layer::build(self, input, init)?))
    }

    fn cache(&self) -> Box<DynCache> {
        Box::new(L::Cache::default())
    }

    fn fits(&self, cache: &DynCache) -> bool {
        cache.is::<L::Cache>()
    }

    fn forward(&self, weights: &AnyWeights<F>, forward: Forward<'_, F, DynCache>) {
        let forward = forward.with_cache(|cache| cache.downcast_mut().expect(SAME_LAYER));
        Layer::forward(self, weights.typed(), forward);
    }

    fn backward(&self, weights: &AnyWeights<F>, backward: Backward<'_, F, DynCache, AnyWeights<F>>) {
        let backward = backward.with(|cache| cache.downcast_mut().expect(SAME_LAYER), AnyWeights::typed_mut);
        Layer::backward(self, weights.typed(), backward);
    }

    fn final_activation(&self) -> Activation {
        Layer::final_activation(self)
    }

    fn takes_lookups(&self, pass: Pass<'_>) -> bool {
        Layer::takes_lookups(self, pass)
    }

    fn output_mask(&self, x: &Tensor<F>, mask: &mut Mask) {
        Layer::output_mask(self, x, mask);
    }

    fn carry(&self) -> Carry {
        Layer::carry(self)
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        Layer::weight_options(self, path)
    }

    fn vocabulary(&self) -> Option<usize> {
        Layer::vocabulary(self)
    }
}

/// A layer without its types: for either number type, or, read from a file, for that of the model alone.
#[derive(Clone)]
pub(crate) struct AnyLayer {
    single: Option<Arc<dyn DynLayer<f32>>>,
    double: Option<Arc<dyn DynLayer<f64>>>,
}

impl Debug for AnyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.single, &self.double) {
            (Some(layer), _) => Debug::fmt(layer, f),
            (None, layer) => Debug::fmt(layer, f),
        }
    }
}

impl Both for AnyLayer {
    type For<F: Scalar> = Option<Arc<dyn DynLayer<F>>>;
    fn single(&self) -> &Option<Arc<dyn DynLayer<f32>>> {
        &self.single
    }
    fn double(&self) -> &Option<Arc<dyn DynLayer<f64>>> {
        &self.double
    }
}

impl AnyLayer {
    /// A layer for either number type.
    pub(crate) fn new<L: Layer<f32> + Layer<f64>>(layer: L) -> Self {
        AnyLayer { single: Some(Layer::<f32>::erase(layer.clone())), double: Some(Layer::<f64>::erase(layer)) }
    }

    /// A layer for one number type.
    pub(crate) fn of<F: Scalar>(layer: Arc<dyn DynLayer<F>>) -> Self {
        let layer: &dyn Any = &layer;
        AnyLayer { single: layer.downcast_ref().cloned(), double: layer.downcast_ref().cloned() }
    }

    /// The layer for this number type.
    pub(crate) fn get<F: Scalar>(&self) -> &dyn DynLayer<F> {
        &**self.pointer()
    }

    /// The same behind a pointer of its own.
    pub(crate) fn pointer<F: Scalar>(&self) -> &Arc<dyn DynLayer<F>> {
        F::choose(self).as_ref().expect("a layer is read from a file for the number type of its model")
    }
}

/// Saved as a [`SavedPart`].
impl Serialize for AnyLayer {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let (kind, options) = match (&self.single, &self.double) {
            (Some(layer), _) => (layer.kind(), layer.options()),
            (None, Some(layer)) => (layer.kind(), layer.options()),
            (None, None) => return Err(S::Error::custom("a layer is there for one number type at least")),
        };
        SavedPart { kind: kind.into(), options: options.map_err(S::Error::custom)? }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AnyLayer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserialize_part(deserializer)
    }
}
