//! Layers without their types, as models and wrappers hold them.
//!
//! A layer's weights, cache and gradients have types of their own. [`DynLayer`] is [`Layer`] with weights behind
//! [`DynWeights`] and caches behind [`DynCache`], at the cost of one downcast each a pass. [`AnyLayer`] is such a layer for
//! either number type, because descriptions have none.

use std::any::Any;
use std::fmt::{self, Debug};

use serde_json::Value;

use super::{Backward, Carry, Forward, Layer, Pass};
use crate::activations::Activation;
use crate::error::{Error, Result};
use crate::numeric::Scalar;
use crate::tensor::{Form, Mask, Tensor};
use crate::weights::initializers::Init;
use crate::weights::{PairVisitor, Params, Path, Visitor, VisitorMut, WeightOptions};

/// Cache of any layer.
pub(crate) type DynCache = dyn Any + Send;

/// Weights of any layer.
pub(crate) trait DynWeights<F: Scalar>: Params<F> {
    /// Returns the weights as `Any`.
    fn as_any(&self) -> &dyn Any;
    /// Returns the weights as `Any`, mutably.
    fn as_any_mut(&mut self) -> &mut dyn Any;
    /// Returns a copy.
    fn boxed_clone(&self) -> Box<dyn DynWeights<F>>;
    /// Calls [`Params::visit_pair`] with other weights of the same type.
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

/// Reason why a downcast does not fail.
const SAME_LAYER: &str = "weights, gradients and caches stay with the layer that made them";

fn typed<F: Scalar, W: Any>(weights: &dyn DynWeights<F>) -> &W {
    weights.as_any().downcast_ref().expect(SAME_LAYER)
}

/// Weights or gradients of a type-erased layer, such as those of the parts of a wrapper like
/// [`Bidirectional`](crate::layers::Bidirectional).
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
    /// Returns these weights without their type.
    pub(crate) fn new<W: Params<F> + Clone>(weights: W) -> Self {
        AnyWeights(Box::new(weights))
    }

    /// Returns the weights of a layer that knows their type.
    pub(crate) fn typed<W: Any>(&self) -> &W {
        typed(&*self.0)
    }

    /// Returns the weights mutably, of a layer that knows their type.
    pub(crate) fn typed_mut<W: Any>(&mut self) -> &mut W {
        self.downcast_mut().expect(SAME_LAYER)
    }

    /// Returns the weights, if they have this type.
    pub fn downcast_ref<W: Any>(&self) -> Option<&W> {
        self.0.as_any().downcast_ref()
    }

    /// Returns the weights mutably, if they have this type.
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

/// Cache of a type-erased layer, made on first use.
#[derive(Default)]
pub(crate) struct AnyCache(Option<Box<DynCache>>);

impl Debug for AnyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyCache").finish_non_exhaustive()
    }
}

impl AnyCache {
    /// Returns the cache of this layer.
    pub(crate) fn of<F: Scalar>(&mut self, layer: &dyn DynLayer<F>) -> &mut DynCache {
        self.get_or_make(|| layer.cache())
    }

    /// Returns the cache, made by `make` on first use.
    pub(crate) fn get_or_make(&mut self, make: impl FnOnce() -> Box<DynCache>) -> &mut DynCache {
        &mut **self.0.get_or_insert_with(make)
    }

    /// Whether the cache is one of this layer's, or not made yet.
    pub(crate) fn fits<F: Scalar>(&self, layer: &dyn DynLayer<F>) -> bool {
        self.0.as_ref().is_none_or(|cache| layer.fits(&**cache))
    }
}

/// [`Layer`] without its types.
pub trait DynLayer<F: Scalar>: Debug + Send + Sync {
    /// Returns [`Describe::kind`].
    fn kind(&self) -> &'static str;
    /// Returns the options as they are saved.
    fn options(&self) -> Result<Value>;
    /// Calls [`Layer::output_form`].
    fn output_form(&self, input: Form) -> Result<Form>;
    /// Calls [`Layer::build`].
    fn build(&self, input: Form, init: &mut Init) -> Result<AnyWeights<F>>;
    /// Returns a new cache.
    fn cache(&self) -> Box<DynCache>;
    /// Whether [`DynLayer::cache`] of a layer of this type made the cache.
    fn fits(&self, cache: &DynCache) -> bool;
    /// Calls [`Layer::forward`].
    fn forward(&self, weights: &AnyWeights<F>, forward: Forward<'_, F, DynCache>);
    /// Calls [`Layer::backward`].
    fn backward(&self, weights: &AnyWeights<F>, backward: Backward<'_, F, DynCache, AnyWeights<F>>);
    /// Calls [`Layer::final_activation`].
    fn final_activation(&self) -> Activation;
    /// Calls [`Layer::takes_lookups`].
    fn takes_lookups(&self, pass: Pass<'_>) -> bool;
    /// Calls [`Layer::output_mask`].
    fn output_mask(&self, x: &Tensor<F>, mask: &mut Mask);
    /// Calls [`Layer::carry`].
    fn carry(&self) -> Carry;
    /// Calls [`Layer::weight_options`].
    fn weight_options(&self, path: Path<'_>) -> WeightOptions;
    /// Calls [`Layer::vocabulary`].
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

/// Defines a layer or cell without its types: for both number types, or, read from a file, for that of the model alone.
/// It is saved as a [`SavedPart`].
macro_rules! erased_part {
    ($(#[$attribute:meta])* $any:ident, $erased:ident, $typed:ident) => {
        $(#[$attribute])*
        #[derive(Clone)]
        pub(crate) struct $any {
            single: Option<std::sync::Arc<dyn $erased<f32>>>,
            double: Option<std::sync::Arc<dyn $erased<f64>>>,
        }

        impl std::fmt::Debug for $any {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match (&self.single, &self.double) {
                    (Some(part), _) => std::fmt::Debug::fmt(part, f),
                    (None, part) => std::fmt::Debug::fmt(part, f),
                }
            }
        }

        impl $crate::numeric::Both for $any {
            type For<F: Scalar> = Option<std::sync::Arc<dyn $erased<F>>>;
            fn single(&self) -> &Option<std::sync::Arc<dyn $erased<f32>>> {
                &self.single
            }
            fn double(&self) -> &Option<std::sync::Arc<dyn $erased<f64>>> {
                &self.double
            }
        }

        impl $any {
            /// The part for both number types.
            pub(crate) fn new<T: $typed<f32> + $typed<f64>>(part: T) -> Self {
                $any { single: Some($typed::<f32>::erase(part.clone())), double: Some($typed::<f64>::erase(part)) }
            }

            /// The part for one number type.
            pub(crate) fn of<F: Scalar>(part: std::sync::Arc<dyn $erased<F>>) -> Self {
                let part: &dyn std::any::Any = &part;
                $any { single: part.downcast_ref().cloned(), double: part.downcast_ref().cloned() }
            }

            /// The part for this number type.
            pub(crate) fn get<F: Scalar>(&self) -> &dyn $erased<F> {
                &**self.pointer()
            }

            /// The same behind its pointer.
            pub(crate) fn pointer<F: Scalar>(&self) -> &std::sync::Arc<dyn $erased<F>> {
                F::choose(self).as_ref().expect("a part is read from a file for the number type of its model")
            }
        }

        impl serde::Serialize for $any {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                let (kind, options) = match (&self.single, &self.double) {
                    (Some(part), _) => (part.kind(), part.options()),
                    (None, Some(part)) => (part.kind(), part.options()),
                    (None, None) => return Err(serde::ser::Error::custom("a part is there for one number type at least")),
                };
                let options = options.map_err(serde::ser::Error::custom)?;
                $crate::layer::SavedPart { kind: kind.into(), options }.serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $any {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                $crate::layer::deserialize_part(deserializer)
            }
        }
    };
}
pub(crate) use erased_part;

erased_part! {
    /// A layer without its types.
    AnyLayer, DynLayer, Layer
}
