//! Stack of layers: the description of a model, without weights.

use std::sync::Arc;

use super::{Model, WEIGHTS, once};
use crate::error::{Error, Result};
use crate::layer::{AnyWeights, DynLayer, Layer};
use crate::network::{Network, Node};
use crate::numeric::checks::check_count;
use crate::numeric::{Scalar, instructions};
use crate::random::Key;
use crate::tensor::Form;
use crate::weights::initializers::Init;
use crate::weights::{Params, Path};

/// Stack of layers, from which a [`Model`] is built.
///
/// ```
/// use bptt::prelude::*;
/// use ndarray::{Array1, Array2};
///
/// // Which token comes last?
/// let x = Array2::<u32>::from_shape_fn((64, 5), |(n, t)| ((7 * n + 3 * t) % 10) as u32);
/// let y: Array1<f32> = x.outer_iter().map(|tokens| if tokens[4] < 5 { 0.0 } else { 1.0 }).collect();
///
/// let mut model = Sequential::new()
///     .add(Embedding::new(10, 4))
///     .add(Lstm::new(4))
///     .add(Dense::new(1).activation(Activation::Sigmoid))
///     .build(Form::tokens(5), 42)?;
/// model.compile(Adam::new(0.05), BinaryCrossentropy::new());
/// let history = model.fit(&x, &y, Fit::new().epochs(20))?;
/// let loss = history.get("loss");
/// assert!(loss[19] < loss[0]);
/// # Ok::<(), bptt::Error>(())
/// ```
///
/// | Method | Meaning |
/// | --- | --- |
/// | [`new`](Sequential::new) | Empty stack for `f32`; `Sequential::<f64>::default()` is one for `f64` |
/// | [`add`](Sequential::add) | Adds a layer on top |
/// | [`add_named`](Sequential::add_named) | Adds a layer on top, with a name of its own |
/// | [`build`](Sequential::build) | Checks all shapes, makes the weights and returns the model |
///
/// # Shapes
///
/// [`build`](Sequential::build) takes the shape of one sample, without the batch:
///
/// | Form | Samples for `fit` and `predict` |
/// | --- | --- |
/// | `Form::tokens(T)` | token ids (N, T) |
/// | `Form::vector(D)` | vectors (N, D) |
/// | `Form::sequence(T, D)` | sequences (N, T, D) |
///
/// `None` in the place of T admits sequences of any length.
///
/// # Errors
///
/// [`build`](Sequential::build) returns an [`Error::Layer`] that names the layer which does not fit, an [`Error::Empty`]
/// without layers, or an [`Error::Name`] for a name that is empty, used twice or contains a slash.
pub struct Sequential<F: Scalar = f32> {
    layers: Vec<(Option<String>, Arc<dyn DynLayer<F>>)>,
}

impl Sequential<f32> {
    /// Returns an empty stack in single precision.
    pub fn new() -> Self {
        Sequential::default()
    }
}

impl<F: Scalar> Default for Sequential<F> {
    fn default() -> Self {
        Sequential { layers: Vec::new() }
    }
}

impl<F: Scalar> std::fmt::Debug for Sequential<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.layers.iter().map(|(_, layer)| layer)).finish()
    }
}

impl<F: Scalar> Sequential<F> {
    /// Adds a layer on top.
    ///
    /// Its name is its kind in snake case, with a number from the second on: `lstm`, `lstm_1`.
    #[allow(clippy::should_implement_trait, reason = "the name that Keras' users know; it is no sum")]
    pub fn add<L: Layer<F>>(mut self, layer: L) -> Self {
        self.layers.push((None, layer.erase()));
        self
    }

    /// Adds a layer on top, with a name of its own.
    pub fn add_named<L: Layer<F>>(mut self, name: impl Into<String>, layer: L) -> Self {
        self.layers.push((Some(name.into()), layer.erase()));
        self
    }

    /// Checks all shapes, makes the weights and returns the model, for inputs of the form `input`.
    ///
    /// The seed decides the initial weights, shuffling and dropout.
    ///
    /// # Errors
    ///
    /// [`Error::Layer`] with the name of a layer and its error as source, such as [`Error::Form`] or
    /// [`Error::InvalidOption`]; [`Error::Empty`] without layers; [`Error::Name`] for a name that is empty, used twice or
    /// contains a slash.
    pub fn build(self, input: Form, seed: u64) -> Result<Model<F>> {
        let key = Key::new(seed);
        once::build(self, input, seed, &mut |layer| Init::new(key.fold(WEIGHTS).fold(layer as u64)))
    }

    /// Adds a type-erased layer on top.
    pub(crate) fn push(&mut self, name: String, layer: Arc<dyn DynLayer<F>>) {
        self.layers.push((Some(name), layer));
    }

    /// Builds the model like [`Sequential::build`], with weights from `init`.
    pub(crate) fn build_with(self, input: Form, seed: u64, init: &mut dyn FnMut(usize) -> Init) -> Result<Model<F>> {
        once::build(self, input, seed, init)
    }
}

/// Checks all shapes and makes the weights.
pub(super) fn build<F: Scalar>(
    layers: Sequential<F>,
    input: Form,
    seed: u64,
    init: &mut dyn FnMut(usize) -> Init,
) -> Result<Model<F>> {
    instructions::check()?;
    let layers = layers.layers;
    if layers.is_empty() {
        return Err(Error::Empty { what: "the model", mend: "add at least one layer" });
    }
    match input {
        Form::Tokens { steps } => check_count("input steps", steps.unwrap_or(1))?,
        Form::Vector { features } => check_count("input features", features)?,
        Form::Sequence { steps, features } => {
            check_count("input steps", steps.unwrap_or(1))?;
            check_count("input features", features)?;
        }
    }
    let mut nodes: Vec<Node<F>> = Vec::with_capacity(layers.len());
    let mut form = input;
    for (number, (name, layer)) in layers.into_iter().enumerate() {
        let taken = |name: &str| nodes.iter().any(|node| node.name == name);
        let name = match name {
            Some(name) if name.is_empty() || name.contains('/') || taken(&name) => {
                return Err(Error::Name { name });
            }
            Some(name) => name,
            None => {
                let base = lower_case(layer.kind());
                let numbered = (1..).map(|number| format!("{base}_{number}"));
                let mut names = std::iter::once(base.clone()).chain(numbered);
                names.find(|name| !taken(name)).unwrap_or(base)
            }
        };
        let in_layer = |source| Error::Layer { layer: name.clone(), cause: Box::new(source) };
        let output = layer.output_form(form).map_err(in_layer)?;
        let weights = layer.build(form, &mut init(number)).map_err(in_layer)?;
        expect_standard_layout(layer.kind(), &weights).map_err(in_layer)?;
        let first_tensor = nodes.last().map_or(0, |node| node.first_tensor + node.tensors());
        nodes.push(Node::new(name.clone(), layer, weights, output, first_tensor).map_err(in_layer)?);
        form = output;
    }
    Ok(Model::new(Network { input, nodes }, seed))
}

/// Returns an error for weights that are not in standard layout, as kernels and optimizers need it.
fn expect_standard_layout<F: Scalar>(kind: &str, weights: &AnyWeights<F>) -> Result<()> {
    let mut standard = true;
    weights.visit(Path::root(""), &mut |_, tensor| standard &= tensor.is_standard_layout());
    if standard {
        return Ok(());
    }
    Err(Error::InvalidOption {
        option: "weights",
        value: format!("those of {kind} are not in standard layout"),
        allowed: "arrays in standard layout, such as Init::tensor makes",
    })
}

/// Converts a kind to snake case: `SimpleRnn` to `simple_rnn`. Of `my_crate::Mgu` it takes the last part.
fn lower_case(kind: &str) -> String {
    let kind = kind.rsplit("::").next().unwrap_or(kind);
    let mut lower = String::new();
    for letter in kind.chars() {
        if letter.is_uppercase() && lower.ends_with(|last: char| !last.is_ascii_digit()) {
            lower.push('_');
        }
        lower.extend(letter.to_lowercase().filter(|letter| *letter != '/'));
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_keras_makes_them() {
        assert_eq!(lower_case("Lstm"), "lstm");
        assert_eq!(lower_case("SimpleRnn"), "simple_rnn");
        assert_eq!(lower_case("GlobalMaxPooling1D"), "global_max_pooling1d");
        assert_eq!(lower_case("my_crate::MinimalUnit"), "minimal_unit");
    }
}
