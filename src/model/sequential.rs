//! The description of a model: layers in order, no numbers.

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

/// A stack of layers to be built.
///
/// ```
/// use bptt::prelude::*;
/// let model = Sequential::new()
///     .add(Embedding::new(500, 16))
///     .add(Lstm::new(8))
///     .add(Dense::new(1).activation(Activation::Sigmoid))
///     .build(Form::tokens(100), 42)?;
/// assert_eq!(model.parameters(), 8_809);
/// # Ok::<(), bptt::Error>(())
/// ```
///
/// `new` is for `f32`; `Sequential::<f64>::default()` starts one in double precision.
pub struct Sequential<F: Scalar = f32> {
    layers: Vec<(Option<String>, Arc<dyn DynLayer<F>>)>,
}

impl Sequential<f32> {
    /// An empty stack in single precision.
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
    /// Puts a layer on top. Its name is its kind in lower case, with a number from the second on: `lstm`, `lstm_1`.
    #[allow(clippy::should_implement_trait, reason = "the name that Keras' users know; it is no sum")]
    pub fn add<L: Layer<F>>(mut self, layer: L) -> Self {
        self.layers.push((None, layer.erase()));
        self
    }

    /// Puts a layer with a name of its own on top.
    pub fn add_named<L: Layer<F>>(mut self, name: impl Into<String>, layer: L) -> Self {
        self.layers.push((Some(name.into()), layer.erase()));
        self
    }

    /// Checks every shape and makes the weights, for inputs of the form `input`. `seed` decides initial weights,
    /// shuffling and dropout.
    ///
    /// # Errors
    ///
    /// [`Error::Layer`], which names the layer, around what is wrong with it: [`Error::Form`] or
    /// [`Error::InvalidOption`]. [`Error::Empty`] without layers, [`Error::Name`] if two have the same name.
    pub fn build(self, input: Form, seed: u64) -> Result<Model<F>> {
        let key = Key::new(seed);
        once::build(self, input, seed, &mut |layer| Init::new(key.fold(WEIGHTS).fold(layer as u64)))
    }

    /// Puts a layer without its type on top.
    pub(crate) fn push(&mut self, name: String, layer: Arc<dyn DynLayer<F>>) {
        self.layers.push((Some(name), layer));
    }

    /// [`Sequential::build`] with weights of the caller's.
    pub(crate) fn build_with(self, input: Form, seed: u64, init: &mut dyn FnMut(usize) -> Init) -> Result<Model<F>> {
        once::build(self, input, seed, init)
    }
}

/// Checks every shape and makes the weights.
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

/// Refuses weights that are not in one piece, as kernels and optimizers take them.
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

/// `SimpleRnn` to `simple_rnn`; of `my_crate::Mgu` the last part.
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
