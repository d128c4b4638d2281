//! Named tensors in a safetensors file, written completely or not at all, and read strictly.
//!
//! Metadata, if there is any, is JSON with sorted keys under the single key `bptt`, so equal contents give equal files
//! (several metadata keys would be written in varying order).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use ndarray::{ArrayViewMutD, CowArray, Ix1, IxDyn};
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors, View};
use serde_json::Value;

use super::whole::WholeFile;
use crate::error::{CheckpointProblem, Error, Result};
use crate::numeric::Scalar;

/// Only key of the metadata.
const METADATA_KEY: &str = "bptt";

/// Result of reading the contents of a file. The caller knows the path and chooses the error.
pub(crate) type Reading<T> = std::result::Result<T, CheckpointProblem>;

/// Visitor that receives the name of each tensor of a file to be read, and the tensor.
pub(crate) type VisitMut<'v, F> = &'v mut dyn FnMut(String, ArrayViewMutD<'_, F>);

/// Tensors to write to a file. Borrowed ones are copied only while they are written, one by one.
#[derive(Default)]
pub(crate) struct NewTensors<'a> {
    tensors: Vec<(String, NewTensor<'a>)>,
}

struct NewTensor<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Box<dyn Fn() -> Vec<u8> + 'a>,
}

impl View for NewTensor<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        (self.bytes)().into()
    }
    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * (self.dtype.bitsize() / 8)
    }
}

impl<'a> NewTensors<'a> {
    /// Adds a tensor.
    pub(crate) fn add<F: Scalar>(&mut self, name: String, tensor: impl Into<CowArray<'a, F, IxDyn>>) {
        let tensor = tensor.into();
        let shape = tensor.shape().to_vec();
        let bytes = move || {
            let mut bytes = Vec::with_capacity(tensor.len() * size_of::<F>());
            tensor.iter().for_each(|value| value.push_bytes(&mut bytes));
            bytes
        };
        self.tensors.push((name, NewTensor { dtype: F::DTYPE, shape, bytes: Box::new(bytes) }));
    }

    /// Adds a tensor of one dimension.
    pub(crate) fn add_row<F: Scalar>(&mut self, name: String, row: impl Into<CowArray<'a, F, Ix1>>) {
        self.add(name, row.into().into_dyn());
    }

    /// Writes the file.
    pub(crate) fn write(self, path: &Path, metadata: Option<Value>) -> Result<()> {
        let metadata = metadata.map(|json| HashMap::from([(METADATA_KEY.to_string(), sorted(json).to_string())]));
        let file = WholeFile::create(path)?;
        safetensors::serialize_to_file(self.tensors, metadata, file.temporary()).map_err(|error| match error {
            SafeTensorError::IoError(source) => Error::io("write", path)(source),
            other => Error::Checkpoint { path: path.into(), problem: CheckpointProblem::Format(other.to_string()) },
        })?;
        file.finish()
    }
}

/// Returns the same JSON with sorted keys.
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

/// Tensors of a file whose bytes are in memory.
pub(crate) struct ReadTensors<'b> {
    tensors: SafeTensors<'b>,
    metadata: Option<String>,
}

impl<'b> ReadTensors<'b> {
    /// Finds the tensors in the bytes of a file.
    pub(crate) fn new(bytes: &'b [u8]) -> Reading<Self> {
        let format = |error: SafeTensorError| CheckpointProblem::Format(error.to_string());
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(format)?;
        let metadata = metadata.metadata().as_ref().and_then(|keys| keys.get(METADATA_KEY)).cloned();
        Ok(ReadTensors { tensors: SafeTensors::deserialize(bytes).map_err(format)?, metadata })
    }

    /// Returns the metadata of a file of this format.
    pub(crate) fn metadata(&self, known: u64) -> Reading<Value> {
        let json = self.metadata.as_deref().ok_or(CheckpointProblem::NoDescription)?;
        let metadata: Value =
            serde_json::from_str(json).map_err(|error| CheckpointProblem::Description(error.to_string()))?;
        match metadata.get("format").and_then(Value::as_u64) {
            Some(format) if format == known => Ok(metadata),
            Some(format) if format > known => Err(CheckpointProblem::Newer { format, known }),
            Some(format) if format > 0 => Err(CheckpointProblem::Older { format, known }),
            _ => Err(CheckpointProblem::Description("it has no known format".into())),
        }
    }

    /// Returns whether there is a tensor with this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.tensor(name).is_ok()
    }

    /// Returns the numbers of a tensor, which must have this shape if one is given.
    pub(crate) fn numbers<F: Scalar>(&self, name: &str, shape: Option<&[usize]>) -> Reading<Vec<F>> {
        let tensor = self.tensors.tensor(name).map_err(|_| CheckpointProblem::Missing(vec![name.into()]))?;
        if tensor.dtype() != F::DTYPE {
            let (got, needs) = (format!("{:?}", tensor.dtype()), format!("{:?}", F::DTYPE));
            return Err(CheckpointProblem::Precision { name: name.into(), got, needs });
        }
        if let Some(needs) = shape
            && tensor.shape() != needs
        {
            let (got, needs) = (tensor.shape().to_vec(), needs.to_vec());
            return Err(CheckpointProblem::Shape { name: name.into(), got, needs });
        }
        Ok(tensor.data().chunks_exact(size_of::<F>()).map(F::from_bytes).collect())
    }

    /// Reads the file into the tensors that `each` visits, which must be exactly those of the file. After an error none
    /// is changed.
    pub(crate) fn read_all<F: Scalar>(&self, mut each: impl FnMut(VisitMut<'_, F>)) -> Reading<()> {
        let mut expected = Vec::new();
        each(&mut |name, tensor| expected.push((name, tensor.shape().to_vec())));
        let mut missing: Vec<String> = expected.iter().map(|(name, _)| name.clone()).collect();
        missing.retain(|name| !self.has(name));
        if !missing.is_empty() {
            return Err(CheckpointProblem::Missing(missing));
        }
        let mut extra: Vec<String> = self.tensors.names().into_iter().map(String::from).collect();
        extra.retain(|name| !expected.iter().any(|(known, _)| known == name));
        if !extra.is_empty() {
            extra.sort_unstable();
            return Err(CheckpointProblem::Extra(extra));
        }
        for (name, shape) in &expected {
            self.numbers::<F>(name, Some(shape))?;
        }
        each(&mut |name, mut to| {
            if let Ok(values) = self.numbers::<F>(&name, None) {
                to.iter_mut().zip(values).for_each(|(to, value)| *to = value);
            }
        });
        Ok(())
    }
}
