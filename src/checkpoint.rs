//! A model as one file, strict and atomic.
//!
//! The file is a safetensors file. Its tensors are the weights under their names, `lstm/kernel`; its metadata has the single
//! key `bptt`, with the description as JSON, keys sorted (several keys would come out in varying order):
//!
//! ```text
//! {"format":1,"input":{"tokens":{"steps":100}},"layers":[{"kind":"Lstm","name":"lstm","options":{…},"trainable":true}, …]}
//! ```
//!
//! Reading trusts nothing: tensors must be exactly those that the description asks for, and no more memory is taken than
//! the file has numbers.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{CheckpointProblem, Error, Result};
use crate::initializer::Init;
use crate::random::Key;
use crate::scalar::Scalar;
use crate::sequential::{Model, Network, Registry, Sequential};
use crate::tensor::Form;
use crate::tensor_file::{NewTensors, ReadTensors, Reading, VisitMut};

/// The version that this code writes, and the newest that it reads.
const FORMAT: u64 = 1;

#[derive(Serialize, Deserialize)]
struct ModelDescription {
    format: u64,
    input: Form,
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
pub(crate) fn save<F: Scalar>(network: &Network<F>, path: &Path) -> Result<()> {
    let mut layers = Vec::new();
    for node in &network.nodes {
        layers.push(LayerDescription {
            kind: node.layer.full_kind(),
            name: node.name.clone(),
            options: node.layer.options()?,
            trainable: node.trainable,
        });
    }
    let description = ModelDescription { format: FORMAT, input: network.input, layers };
    let broken = |source| Error::Options { kind: "the model".into(), source };
    let json = serde_json::to_value(description).map_err(broken)?;
    weights(network).write(path, Some(json))
}

/// Writes the weights alone.
pub(crate) fn save_weights<F: Scalar>(network: &Network<F>, path: &Path) -> Result<()> {
    weights(network).write(path, None)
}

fn weights<F: Scalar>(network: &Network<F>) -> NewTensors<'_> {
    let mut tensors = NewTensors::default();
    network.visit(|path, tensor| tensors.add(path.to_string(), tensor));
    tensors
}

/// Reads a model.
pub(crate) fn load<F: Scalar>(path: &Path, registry: &Registry<F>) -> Result<Model<F>> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let problem = |problem| Error::Checkpoint { path: path.into(), problem };
    let tensors = ReadTensors::new(&bytes).map_err(problem)?;
    let description = tensors.metadata(FORMAT).map_err(problem)?;
    let invalid = |error: serde_json::Error| problem(CheckpointProblem::Description(error.to_string()));
    let description: ModelDescription = serde_json::from_value(description).map_err(invalid)?;

    let mut sequential = Sequential::default();
    let mut trainable = Vec::new();
    for layer in description.layers {
        let made = registry.make(&layer.kind, layer.options)?;
        sequential.push(layer.name, made);
        trainable.push(layer.trainable);
    }
    // A description that asks for more numbers than the file has is wrong, however much memory there is.
    let numbers = bytes.len() / size_of::<F>();
    let mut model = sequential.build_with(description.input, Key::new(0), |_| Init::zeros(numbers))?;
    for (node, trainable) in model.network.nodes.iter_mut().zip(trainable) {
        node.trainable = trainable;
    }
    read_weights(&tensors, &mut model.network).map_err(problem)?;
    Ok(model)
}

/// Reads a file's weights into a network.
pub(crate) fn load_weights<F: Scalar>(network: &mut Network<F>, path: &Path) -> Result<()> {
    load_tensors(path, |tensors| read_weights(tensors, network))
}

fn read_weights<F: Scalar>(tensors: &ReadTensors<'_>, network: &mut Network<F>) -> Reading<()> {
    tensors.read_all(|visit: VisitMut<'_, F>| network.visit_mut(|path, tensor| visit(path.to_string(), tensor)))
}

/// Opens a file for `read`.
pub(crate) fn load_tensors(path: &Path, read: impl FnOnce(&ReadTensors<'_>) -> Reading<()>) -> Result<()> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let problem = |problem| Error::Checkpoint { path: path.into(), problem };
    ReadTensors::new(&bytes).and_then(|tensors| read(&tensors)).map_err(problem)
}
