//! Models that are a stack of layers.
//!
//! [`Sequential`] is the description: layers in order, no numbers. [`Sequential::build`] checks every shape once and gives a
//! [`Model`], which has weights, and is compiled, trained, run and saved; [`ModelState`] is what it goes on from. `erased` turns typed layers into objects;
//! `network` runs them; `registry` makes them from a saved file.

mod counted;
mod erased;
mod model;
mod model_state;
mod network;
mod registry;
mod summary;

pub(crate) use erased::Description;
pub(crate) use network::{Network, Part, Workspace};

pub(crate) use model::Draws;
pub use model::{Compiled, Model};
pub use model_state::ModelState;
pub use registry::Registry;

use crate::error::{Error, Result};
use crate::initializer::Init;
use crate::kernels;
use crate::layer::{Layer, check_count};
use crate::random::Key;
use crate::scalar::Scalar;
use crate::tensor::Form;
use network::Node;

/// A stack of layers to be built.
///
/// ```
/// use bptt::{Activation, Dense, Embedding, Form, Lstm, Sequential};
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
pub struct Sequential<F = f32> {
    layers: Vec<(Option<String>, Box<dyn Description<F>>)>,
}

impl Sequential<f32> {
    /// An empty stack in single precision.
    pub fn new() -> Self {
        Sequential::default()
    }
}

impl<F> Default for Sequential<F> {
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
        self.layers.push((None, erased::describe(layer)));
        self
    }

    /// Puts a layer with a name of its own on top.
    pub fn add_named<L: Layer<F>>(mut self, name: impl Into<String>, layer: L) -> Self {
        self.layers.push((Some(name.into()), erased::describe(layer)));
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
        self.build_with(input, key, |layer| Init::new(key.fold(model::WEIGHTS).fold(layer as u64)))
    }

    pub(crate) fn push(&mut self, name: String, layer: Box<dyn Description<F>>) {
        self.layers.push((Some(name), layer));
    }

    pub(crate) fn build_with(self, input: Form, key: Key, mut init: impl FnMut(usize) -> Init) -> Result<Model<F>> {
        kernels::path::check()?;
        if self.layers.is_empty() {
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
        let mut nodes: Vec<Node<F>> = Vec::with_capacity(self.layers.len());
        let mut form = input;
        for (number, (name, description)) in self.layers.into_iter().enumerate() {
            let taken = |name: &str| nodes.iter().any(|node| node.name == name);
            let name = match name {
                Some(name) if name.is_empty() || name.contains('/') || taken(&name) => {
                    return Err(Error::Name { name });
                }
                Some(name) => name,
                None => {
                    let base = lower_case(description.kind());
                    let numbered = (1..).map(|number| format!("{base}_{number}"));
                    let mut names = std::iter::once(base.clone()).chain(numbered);
                    names.find(|name| !taken(name)).unwrap_or(base)
                }
            };
            let in_layer = |source| Error::Layer { layer: name.clone(), source: Box::new(source) };
            let output = description.output_form(form).map_err(in_layer)?;
            let layer = description.build(form, &mut init(number)).map_err(in_layer)?;
            let parameters = network::parameters(&*layer);
            let weight_options = network::weight_options(&*layer).map_err(in_layer)?;
            let first_tensor = nodes.last().map_or(0, |node| node.first_tensor + node.tensors());
            nodes.push(Node { name, trainable: true, layer, output, parameters, first_tensor, weight_options });
            form = output;
        }
        Ok(Model::new(Network { input, nodes }, key))
    }
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
