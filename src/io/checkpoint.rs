//! Model in one file, written atomically and read strictly.
//!
//! It is a safetensors file. Its tensors are the weights under their names, `lstm/kernel`. Its metadata has the single key
//! `bptt`, with the description as JSON with sorted keys, because the order of several metadata keys would vary:
//!
//! ```text
//! {"format":2,"input":{"tokens":{"steps":100}},"layers":[{"kind":"Lstm","name":"lstm","options":{…},"trainable":true}, …],
//!  "seed":42}
//! ```
//!
//! Files are not trusted: the tensors must be exactly those of the description, and no more memory is allocated than the
//! file has numbers.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Registry, once};
use crate::error::{CheckpointProblem, Error, Result};
use crate::files::tensors::{NewTensors, ReadTensors, Reading, VisitMut};
use crate::model::{Model, ModelState, Sequential};
use crate::network::Network;
use crate::numeric::Scalar;
use crate::tensor::Form;
use crate::weights::initializers::Init;

/// Format that is written and read. Format 1 had no seed.
const FORMAT: u64 = 2;

#[derive(Serialize, Deserialize)]
struct ModelDescription {
    format: u64,
    input: Form,
    /// Seed of shuffling and dropout.
    seed: u64,
    layers: Vec<LayerDescription>,
}

#[derive(Serialize, Deserialize)]
struct LayerDescription {
    kind: String,
    name: String,
    options: Value,
    trainable: bool,
}

/// Writes a model.
pub(super) fn save<F: Scalar>(model: &Model<F>, path: &Path) -> Result<()> {
    let network = &model.network;
    let mut layers = Vec::new();
    for node in &network.nodes {
        layers.push(LayerDescription {
            kind: node.layer.kind().into(),
            name: node.name.clone(),
            options: node.layer.options()?,
            trainable: node.trainable,
        });
    }
    let description = ModelDescription { format: FORMAT, input: network.input, seed: model.draws.seed, layers };
    let json = serde_json::to_value(description).map_err(|source| Error::options("the model", source))?;
    weights(network).write(path, Some(json))
}

/// Writes only the weights.
pub(super) fn save_weights<F: Scalar>(network: &Network<F>, path: &Path) -> Result<()> {
    weights(network).write(path, None)
}

fn weights<F: Scalar>(network: &Network<F>) -> NewTensors<'_> {
    let mut tensors = NewTensors::default();
    network.visit(|path, tensor| tensors.add(path.to_string(), tensor));
    tensors
}

/// Reads a model.
pub(super) fn load<F: Scalar>(path: &Path, registry: &Registry<F>) -> Result<Model<F>> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let problem = |problem| Error::Checkpoint { path: path.into(), problem };
    let tensors = ReadTensors::new(&bytes).map_err(problem)?;
    let description = tensors.metadata(FORMAT).map_err(problem)?;
    let invalid = |error: serde_json::Error| problem(CheckpointProblem::Description(error.to_string()));
    let description: ModelDescription = serde_json::from_value(description).map_err(invalid)?;

    let mut sequential = Sequential::default();
    let mut trainable = Vec::new();
    for layer in description.layers {
        let made = registry.layer_of(&layer.kind, layer.options)?;
        sequential.push(layer.name, Arc::clone(made.pointer()));
        trainable.push(layer.trainable);
    }
    // A description with more numbers than the file is wrong, however much memory there is.
    let numbers = bytes.len() / size_of::<F>();
    let mut model = sequential.build_with(description.input, description.seed, &mut |_| Init::zeros(numbers))?;
    for (node, trainable) in model.network.nodes.iter_mut().zip(trainable) {
        node.trainable = trainable;
    }
    read_weights(&tensors, &mut model.network).map_err(problem)?;
    Ok(model)
}

/// Reads a file's weights into a network.
pub(super) fn load_weights<F: Scalar>(network: &mut Network<F>, path: &Path) -> Result<()> {
    load_tensors(path, |tensors| read_weights(tensors, network))
}

fn read_weights<F: Scalar>(tensors: &ReadTensors<'_>, network: &mut Network<F>) -> Reading<()> {
    tensors.read_all(|visit: VisitMut<'_, F>| network.visit_mut(|path, tensor| visit(path.to_string(), tensor)))
}

/// Opens a file for `read`.
pub(super) fn load_tensors(path: &Path, read: impl FnOnce(&ReadTensors<'_>) -> Reading<()>) -> Result<()> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let problem = |problem| Error::Checkpoint { path: path.into(), problem };
    ReadTensors::new(&bytes).and_then(|tensors| read(&tensors)).map_err(problem)
}

/// Implements [`ModelState::save`].
pub(super) fn save_state<F: Scalar>(state: &ModelState<F>, path: &Path) -> Result<()> {
    let mut tensors = NewTensors::default();
    state.parts().for_each(|(name, part)| tensors.add(name, part.view().into_dyn()));
    tensors.write(path, None)
}

/// Implements [`ModelState::load`].
pub(super) fn load_state<F: Scalar>(state: &mut ModelState<F>, path: &Path) -> Result<()> {
    load_tensors(path, |tensors| {
        tensors.read_all(|visit: VisitMut<'_, F>| {
            state.parts_mut().for_each(|(name, part)| visit(name, part.view_mut().into_dyn()));
        })
    })
}

impl<F: Scalar> Model<F> {
    /// Writes the model to one file: layers, names, frozen flags, seed and weights. Equal models give equal files. A file is
    /// written whole or not at all: to a temporary file, which is then renamed. Through a symbolic link, its target is
    /// replaced, not the link; a device or a pipe is written to directly.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        once::save(self, path.as_ref())
    }

    /// Writes only the weights, without the description of the layers, for [`Model::load_weights`] of a model built in code.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be written.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        once::save_weights(&self.network, path.as_ref())
    }

    /// Reads a model of built-in layers from a file, with the seed of its build. Compile it again before training.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Checkpoint`] if the file is incomplete or no such model, [`Error::UnknownKind`] if it has
    /// custom layers: see [`Model::load_with`].
    #[doc(alias = "load_model")]
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Model::load_with(path, &Registry::new())
    }

    /// Reads a model with custom layers, whose types are in the registry.
    ///
    /// # Errors
    ///
    /// Those of [`Model::load`].
    pub fn load_with(path: impl AsRef<Path>, registry: &Registry<F>) -> Result<Self> {
        once::load(path.as_ref(), registry)
    }

    /// Reads the weights of a file into this model, whose layers must have the same names and shapes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Checkpoint`]; the model is then unchanged.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        once::load_weights(&mut self.network, path.as_ref())
    }
}

impl<F: Scalar> ModelState<F> {
    /// Writes the state to a file: one tensor for each part, named by layer and number, such as `lstm/0`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        once::save_state(self, path.as_ref())
    }

    /// Reads a file of [`ModelState::save`]. `self` must be a state of the same model and number of samples.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Checkpoint`]; the state is then unchanged.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<()> {
        once::load_state(self, path.as_ref())
    }
}
