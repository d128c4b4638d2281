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

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use ndarray::{ArrayViewD, ArrayViewMutD};
use safetensors::tensor::{SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{CheckpointProblem, Error, Result};
use crate::initializer::Init;
use crate::random::Key;
use crate::scalar::Scalar;
use crate::sequential::{Model, Network, Registry, Sequential};
use crate::tensor::Form;
use crate::whole_file::WholeFile;

/// The version that this code writes, and the newest that it reads.
const FORMAT: u64 = 1;
/// The one key of the metadata.
const METADATA_KEY: &str = "bptt";

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
    let metadata = HashMap::from([(METADATA_KEY.to_string(), sorted(json).to_string())]);

    save_tensors(path, Some(metadata), |visit| network.visit(|path, tensor| visit(path.to_string(), tensor)))
}

/// What is called with each tensor and its name.
type Visit<'v, 'a, F> = &'v mut dyn FnMut(String, ArrayViewD<'a, F>);
/// The same for tensors to be written.
type VisitMut<'v, F> = &'v mut dyn FnMut(String, ArrayViewMutD<'_, F>);

/// Writes the tensors that `each` visits.
pub(crate) fn save_tensors<'a, F: Scalar>(
    path: &Path,
    metadata: Option<HashMap<String, String>>,
    each: impl FnOnce(Visit<'_, 'a, F>),
) -> Result<()> {
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    each(&mut |name, tensor| {
        let mut bytes = Vec::with_capacity(tensor.len() * size_of::<F>());
        tensor.iter().for_each(|value| value.push_bytes(&mut bytes));
        tensors.push((name, tensor.shape().to_vec(), bytes));
    });
    let in_file =
        |problem: String| Error::Checkpoint { path: path.into(), problem: CheckpointProblem::Format(problem) };
    let mut views = Vec::new();
    for (name, shape, bytes) in &tensors {
        let view = TensorView::new(F::DTYPE, shape.clone(), bytes).map_err(|error| in_file(error.to_string()))?;
        views.push((name.as_str(), view));
    }
    let bytes = safetensors::serialize(views, metadata).map_err(|error| in_file(error.to_string()))?;
    let mut file = WholeFile::create(path)?;
    file.write(&bytes)?;
    file.finish()
}

/// The same JSON with the keys of every object in order.
fn sorted(json: Value) -> Value {
    match json {
        Value::Object(map) => {
            let ordered: BTreeMap<String, Value> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(ordered.into_iter().collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// Refuses a path where no file could be written, without leaving anything there.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    WholeFile::create(path).map(drop)
}

/// Reads a model.
pub(crate) fn load<F: Scalar>(path: &Path, registry: &Registry<F>) -> Result<Model<F>> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let problem = |problem| Error::Checkpoint { path: path.into(), problem };
    let (_, metadata) =
        SafeTensors::read_metadata(&bytes).map_err(|error| problem(CheckpointProblem::Format(error.to_string())))?;
    let json = metadata.metadata().as_ref().and_then(|keys| keys.get(METADATA_KEY));
    let json = json.ok_or_else(|| problem(CheckpointProblem::NoDescription))?;
    let invalid = |error: serde_json::Error| problem(CheckpointProblem::Description(error.to_string()));
    let description: Value = serde_json::from_str(json).map_err(invalid)?;
    match description.get("format").and_then(Value::as_u64) {
        Some(FORMAT) => {}
        Some(format) if format > FORMAT => return Err(problem(CheckpointProblem::Newer { format, newest: FORMAT })),
        _ => return Err(problem(CheckpointProblem::Description("it has no known format".into()))),
    }
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
    read_tensors(&bytes, |visit| visit_weights(&mut model.network, visit)).map_err(problem)?;
    Ok(model)
}

/// Reads a file's weights into a network.
pub(crate) fn load_weights<F: Scalar>(network: &mut Network<F>, path: &Path) -> Result<()> {
    load_tensors(path, |visit| visit_weights(network, visit))
}

/// Reads a file into the tensors that `each` visits.
pub(crate) fn load_tensors<F: Scalar>(path: &Path, each: impl FnMut(VisitMut<'_, F>)) -> Result<()> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    read_tensors(&bytes, each).map_err(|problem| Error::Checkpoint { path: path.into(), problem })
}

fn visit_weights<F: Scalar>(network: &mut Network<F>, visit: VisitMut<'_, F>) {
    network.visit_mut(|path, tensor| visit(path.to_string(), tensor));
}

fn read_tensors<F: Scalar>(
    bytes: &[u8],
    mut each: impl FnMut(VisitMut<'_, F>),
) -> std::result::Result<(), CheckpointProblem> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| CheckpointProblem::Format(error.to_string()))?;
    let mut expected = Vec::new();
    each(&mut |name, tensor| expected.push((name, tensor.shape().to_vec())));

    let missing: Vec<String> =
        expected.iter().filter(|(name, _)| tensors.tensor(name).is_err()).map(|(name, _)| name.clone()).collect();
    if !missing.is_empty() {
        return Err(CheckpointProblem::Missing(missing));
    }
    let mut extra: Vec<String> = tensors.names().into_iter().map(String::from).collect();
    extra.retain(|name| !expected.iter().any(|(known, _)| known == name));
    if !extra.is_empty() {
        extra.sort_unstable();
        return Err(CheckpointProblem::Extra(extra));
    }
    for (name, shape) in &expected {
        let Ok(tensor) = tensors.tensor(name) else { continue };
        if tensor.dtype() != F::DTYPE {
            let (got, needs) = (format!("{:?}", tensor.dtype()), format!("{:?}", F::DTYPE));
            return Err(CheckpointProblem::Precision { name: name.clone(), got, needs });
        }
        if tensor.shape() != shape {
            let (got, needs) = (tensor.shape().to_vec(), shape.clone());
            return Err(CheckpointProblem::Shape { name: name.clone(), got, needs });
        }
    }
    // All is well, so nothing is left half read.
    each(&mut |name, mut to| {
        if let Ok(tensor) = tensors.tensor(&name) {
            let values = tensor.data().chunks_exact(size_of::<F>());
            to.iter_mut().zip(values).for_each(|(to, bytes)| *to = F::from_bytes(bytes));
        }
    });
    Ok(())
}
