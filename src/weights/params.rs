//! Weights are plain structs of arrays; their tensors are listed in exactly one place.
//!
//! [`params!`](crate::params) writes [`Params`] for a struct from one list of its fields, by destructuring without `..`,
//! so a field left out does not compile. Gradients are values of the same struct. Everything that treats weights alike
//! is then written once, here or in the optimizers: filling, adding, scaling, counting, saving, loading, checking.
//!
//! Tensors have paths: a struct passes a [`Path`] down and each field adds its name, without allocating.

use std::any::Any;
use std::fmt;

use ndarray::{Array, ArrayViewD, ArrayViewMutD, Dimension};

use crate::numeric::Scalar;

/// Where a tensor stands: `kernel`, or `forward/kernel` inside another struct. Displays with slashes.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    name: &'a str,
}

impl<'a> Path<'a> {
    /// The path of the outermost struct, for example a layer's name; empty for none.
    pub fn root(name: &'a str) -> Self {
        Path { parent: None, name }
    }

    /// The path of a part of what this one names.
    pub fn child<'b>(&'b self, name: &'b str) -> Path<'b> {
        Path { parent: Some(self), name }
    }

    /// Calls `then` with the first part, and the path of the rest without it: how a layer made of others hands on which of
    /// its weights it is asked for.
    pub(crate) fn split_first<R>(&self, then: impl FnOnce(&str, Path<'_>) -> R) -> R {
        fn descend<R>(path: Path<'_>, parts: &[&str], then: impl FnOnce(Path<'_>) -> R) -> R {
            match parts {
                [] => then(path),
                [part, rest @ ..] => descend(path.child(part), rest, then),
            }
        }
        let mut parts: Vec<&str> =
            std::iter::successors(Some(self), |path| path.parent).map(|path| path.name).collect();
        parts.reverse();
        // The outermost struct has a name of its own only inside a model.
        match parts.iter().position(|part| !part.is_empty()) {
            Some(first) => descend(Path::root(""), &parts[first + 1..], |rest| then(parts[first], rest)),
            None => then("", Path::root("")),
        }
    }

    /// The last part.
    pub fn name(&self) -> &'a str {
        self.name
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent.filter(|parent| parent.parent.is_some() || !parent.name.is_empty()) {
            write!(f, "{parent}/")?;
        }
        f.write_str(self.name)
    }
}

/// What is called with each tensor of some weights.
pub type Visitor<'v, 'a, F> = &'v mut dyn FnMut(Path<'_>, ArrayViewD<'a, F>);
/// The same for tensors that may be changed.
pub type VisitorMut<'v, 'a, F> = &'v mut dyn FnMut(Path<'_>, ArrayViewMutD<'a, F>);
/// What is called with each tensor of some weights and its fellow in other weights of the same layer.
pub type PairVisitor<'v, 'a, F> = &'v mut dyn FnMut(Path<'_>, ArrayViewMutD<'a, F>, ArrayViewD<'a, F>);

/// A struct of tensors: the weights of a layer, or their gradients. Write it with [`params!`](crate::params).
pub trait Params<F: Scalar>: Any + Send + Sync {
    /// Calls `visitor` with each tensor, in the order of the list.
    fn visit<'a>(&'a self, path: Path<'_>, visitor: Visitor<'_, 'a, F>);
    /// Calls `visitor` with each tensor, to be changed.
    fn visit_mut<'a>(&'a mut self, path: Path<'_>, visitor: VisitorMut<'_, 'a, F>);
    /// Calls `visitor` with each tensor and its fellow in `other`, which has the same tensors.
    fn visit_pair<'a>(&'a mut self, other: &'a Self, path: Path<'_>, visitor: PairVisitor<'_, 'a, F>)
    where
        Self: Sized;
}

impl<F: Scalar, D: Dimension + 'static> Params<F> for Array<F, D> {
    fn visit<'a>(&'a self, path: Path<'_>, visitor: Visitor<'_, 'a, F>) {
        visitor(path, self.view().into_dyn());
    }
    fn visit_mut<'a>(&'a mut self, path: Path<'_>, visitor: VisitorMut<'_, 'a, F>) {
        visitor(path, self.view_mut().into_dyn());
    }
    fn visit_pair<'a>(&'a mut self, other: &'a Self, path: Path<'_>, visitor: PairVisitor<'_, 'a, F>) {
        visitor(path, self.view_mut().into_dyn(), other.view().into_dyn());
    }
}

/// A tensor that an option may leave out, such as a bias.
impl<F: Scalar, P: Params<F>> Params<F> for Option<P> {
    fn visit<'a>(&'a self, path: Path<'_>, visitor: Visitor<'_, 'a, F>) {
        if let Some(params) = self {
            params.visit(path, visitor);
        }
    }
    fn visit_mut<'a>(&'a mut self, path: Path<'_>, visitor: VisitorMut<'_, 'a, F>) {
        if let Some(params) = self {
            params.visit_mut(path, visitor);
        }
    }
    fn visit_pair<'a>(&'a mut self, other: &'a Self, path: Path<'_>, visitor: PairVisitor<'_, 'a, F>) {
        if let (Some(params), Some(other)) = (self, other) {
            params.visit_pair(other, path, visitor);
        }
    }
}

/// The weights of a layer that has none.
impl<F: Scalar> Params<F> for () {
    fn visit<'a>(&'a self, _: Path<'_>, _: Visitor<'_, 'a, F>) {}
    fn visit_mut<'a>(&'a mut self, _: Path<'_>, _: VisitorMut<'_, 'a, F>) {}
    fn visit_pair<'a>(&'a mut self, _: &'a Self, _: Path<'_>, _: PairVisitor<'_, 'a, F>) {}
}

/// Lists the tensors of a struct with one type parameter, once and for all; or the parts of a struct whose type parameters
/// are themselves [`Params`]: `params!(PairWeights<A, B> { first, second })`.
///
/// A field is an array, an `Option` of one, or another struct with [`Params`]. Its name is the tensor's name in
/// saved files and in [`Model::set_weight`](crate::models::Model::set_weight).
///
/// ```
/// use bptt::layer::{Params, Path};
/// use bptt::params;
/// use ndarray::{Array1, Array2};
///
/// #[derive(Clone, Debug)]
/// struct AffineWeights<F> {
///     kernel: Array2<F>,
///     bias: Option<Array1<F>>,
/// }
/// params!(AffineWeights { kernel, bias });
///
/// let weights = AffineWeights { kernel: Array2::<f32>::zeros((2, 3)), bias: None };
/// let mut names = Vec::new();
/// weights.visit(Path::root("affine"), &mut |path, tensor| names.push((path.to_string(), tensor.len())));
/// assert_eq!(names, [("affine/kernel".to_string(), 6)]);
/// ```
#[macro_export]
macro_rules! params {
    ($weights:ident { $($field:ident),+ $(,)? }) => {
        $crate::params!(@ [] [F] $weights { $($field),+ });
    };
    ($weights:ident<$($part:ident),+> { $($field:ident),+ $(,)? }) => {
        $crate::params!(@ [$($part: $crate::layer::Params<F>),+] [$($part),+] $weights { $($field),+ });
    };
    (@ [$($bounds:tt)*] [$($parameters:tt)*] $weights:ident { $($field:ident),+ }) => {
        impl<F: $crate::numeric::Scalar, $($bounds)*> $crate::layer::Params<F> for $weights<$($parameters)*> {
            fn visit<'a>(&'a self, path: $crate::layer::Path<'_>, visitor: $crate::layer::Visitor<'_, 'a, F>) {
                let $weights { $($field),+ } = self;
                $($crate::layer::Params::visit($field, path.child(stringify!($field)), visitor);)+
            }
            fn visit_mut<'a>(&'a mut self, path: $crate::layer::Path<'_>, visitor: $crate::layer::VisitorMut<'_, 'a, F>) {
                let $weights { $($field),+ } = self;
                $($crate::layer::Params::visit_mut($field, path.child(stringify!($field)), visitor);)+
            }
            fn visit_pair<'a>(
                &'a mut self,
                other: &'a Self,
                path: $crate::layer::Path<'_>,
                visitor: $crate::layer::PairVisitor<'_, 'a, F>,
            ) {
                let $weights { $($field),+ } = self;
                $($crate::layer::Params::visit_pair($field, &other.$field, path.child(stringify!($field)), visitor);)+
            }
        }
    };
}

/// Sets every number to zero: where they lie in one piece, as memory is cleared, for this is done at each batch.
pub(crate) fn set_zero<F: Scalar>(params: &mut dyn Params<F>) {
    params.visit_mut(Path::root(""), &mut |_, mut tensor| match tensor.as_slice_mut() {
        Some(numbers) => numbers.fill(F::zero()),
        None => tensor.fill(F::zero()),
    });
}

/// Gradients of zero for these weights, to which backward passes add.
///
/// ```
/// use bptt::initializers::Init;
/// use bptt::layer::{Layer, zeros_like};
/// use bptt::layers::Dense;
/// use bptt::layers::weights::DenseWeights;
/// use bptt::random::Key;
/// use bptt::tensor::Form;
/// let weights: DenseWeights<f32> = Dense::new(2).build(Form::vector(3), &mut Init::new(Key::new(1)))?;
/// let gradients = zeros_like(&weights);
/// assert!(gradients.kernel.iter().all(|&g| g == 0.0));
/// # Ok::<(), bptt::Error>(())
/// ```
pub fn zeros_like<F: Scalar, P: Params<F> + Clone>(params: &P) -> P {
    let mut zeros = params.clone();
    set_zero(&mut zeros);
    zeros
}
