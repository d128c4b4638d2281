//! The files that all programs read: safetensors with Keras' names and layouts.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};

use crate::{Experiment, Failure};

/// A tensor: its shape and its numbers, row after row.
type Tensor<E> = (Vec<usize>, Vec<E>);

/// The tensors of one file.
pub struct Tensors {
    floats: HashMap<String, Tensor<f32>>,
    tokens: HashMap<String, Tensor<u32>>,
}

impl Tensors {
    /// Reads the file `NAME.safetensors` of the folder.
    pub fn read(files: &Path, name: &str) -> Result<Tensors, Failure> {
        let path = files.join(format!("{name}.safetensors"));
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut tensors = Tensors { floats: HashMap::new(), tokens: HashMap::new() };
        for (name, view) in SafeTensors::deserialize(&bytes)?.tensors() {
            let (words, _) = view.data().as_chunks::<4>();
            let shape = view.shape().to_vec();
            match view.dtype() {
                Dtype::F32 => {
                    let values = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
                    tensors.floats.insert(name, (shape, values));
                }
                Dtype::U32 => {
                    let values = words.iter().map(|&word| u32::from_le_bytes(word)).collect();
                    tensors.tokens.insert(name, (shape, values));
                }
                other => return Err(format!("{}: tensor {name} is of type {other:?}", path.display()).into()),
            }
        }
        Ok(tensors)
    }

    /// Reads the initial weights of an experiment.
    pub fn of(files: &Path, experiment: Experiment) -> Result<Tensors, Failure> {
        Tensors::read(files, &format!("epoch-{}", experiment.name()))
    }

    /// A tensor of numbers.
    pub fn floats(&self, name: &str) -> Result<&Tensor<f32>, Failure> {
        self.floats.get(name).ok_or_else(|| format!("the file has no tensor {name}").into())
    }

    /// The blocks of columns of a matrix (rows, gates·units), each (rows, units); of a bias, with one row or two.
    pub fn gate_blocks(&self, name: &str, gates: usize) -> Result<Vec<Tensor<f32>>, Failure> {
        let (shape, values) = self.floats(name)?;
        let columns = *shape.last().ok_or_else(|| format!("tensor {name} is a scalar"))?;
        let (rows, units) = (values.len() / columns, columns / gates);
        let block = |gate: usize| {
            let row = |row: usize| &values[row * columns + gate * units..][..units];
            (vec![rows, units], (0..rows).flat_map(row).copied().collect())
        };
        Ok((0..gates).map(block).collect())
    }
}

/// The reviews to train on.
pub struct Reviews {
    /// Token ids (N, T), row after row.
    pub tokens: Vec<u32>,
    /// 0 or 1 for each review.
    pub labels: Vec<f32>,
    /// Tokens of each review, T.
    pub steps: usize,
}

impl Reviews {
    /// Reads them from the folder.
    pub fn read(files: &Path) -> Result<Reviews, Failure> {
        let mut tensors = Tensors::read(files, "reviews")?;
        let (shape, tokens) = tensors.tokens.remove("tokens").ok_or("the reviews have no tokens")?;
        let (_, labels) = tensors.floats.remove("labels").ok_or("the reviews have no labels")?;
        Ok(Reviews { tokens, labels, steps: shape[1] })
    }

    /// The batches in order: tokens (B, T), row after row, and labels.
    pub fn batches(&self) -> impl Iterator<Item = (&[u32], &[f32])> {
        self.tokens.chunks(crate::BATCH * self.steps).zip(self.labels.chunks(crate::BATCH))
    }
}
