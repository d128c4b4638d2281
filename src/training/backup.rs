//! Backup file of a training, from which it continues with the same bits as without interruption.
//!
//! It is a safetensors file, written whole or not at all. Its tensors:
//!
//! | name | meaning |
//! | --- | --- |
//! | `weights/lstm/kernel` | the weights |
//! | `optimizer/3/slot1`, `…/average`, `…/accumulated` | the optimizer's buffers for tensor 3 of the model |
//! | `figures` | the sums behind the figures of an unfinished epoch |
//! | `callbacks/0/wait` | the states of the callbacks, in their order |
//! | `history/0` | epochs and values, in turn, of the figure with this number; `history/seconds` |
//!
//! Counters and the keys of random draws are in the metadata. So is the position in the shuffled order, which follows from
//! the key.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use ndarray::{Array1, ArrayView1};
use serde::{Deserialize, Serialize};

use super::CallbackState;
use super::epochs::Session;
use crate::error::{CheckpointProblem, Error, Result};
use crate::files::tensors::{NewTensors, ReadTensors, Reading};
use crate::files::whole::{check_writable, remove};
use crate::history::{Figure, History};
use crate::logging::tell;
use crate::model::Draws;
use crate::numeric::Scalar;
use crate::numeric::checks::check_count;
use crate::optimizers::OptimizerState;

/// Format that is written and read. Format 1 had the key of random draws in place of the seed.
const FORMAT: u64 = 2;

/// Backup file, written during training, from which the same call of `fit` continues after any interruption of the process.
/// The results are those of an uninterrupted training, to the bit.
///
/// | option | default | purpose |
/// | --- | --- | --- |
/// | `save_freq` | none | number of batches after which to write it within an epoch, besides epoch ends |
/// | `delete_checkpoint` | true | whether to remove it when training ends as planned |
///
/// It holds weights, the optimizer's state, the position in the epoch and in its shuffled order, the keys of random draws,
/// the state of callbacks and the history. The caller must provide the rest as before: the data, the model and how it is
/// compiled, the options, the callbacks in the same order. `epochs` may be larger, to extend a training. A training stopped
/// by a callback has ended as planned.
///
/// `fit` returns [`Error::Io`] if the file cannot be read or written, and [`Error::Backup`] if it is damaged or belongs to
/// another training; a `save_freq` of 0 is an [`Error::InvalidOption`].
///
/// Pass it to [`Fit::backup`](crate::models::Fit::backup). The file `run.backup` exists only until the first call ends:
///
/// ```
/// use bptt::models::BackupAndRestore;
/// use bptt::prelude::*;
/// use ndarray::array;
/// # let file = std::env::temp_dir().join(format!("bptt-doc-{}.backup", std::process::id()));
///
/// let (x, y) = (array![[0.0_f32], [1.0]], array![1.0_f32, 3.0]);
/// let train = |epochs| {
///     let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(1), 42)?;
///     model.compile(Adam::new(0.1), MeanSquaredError);
///     let backup = BackupAndRestore::new(&file).delete_checkpoint(false);
///     model.fit(&x, &y, Fit::new().epochs(epochs).backup(backup))?;
///     model.weight("dense/kernel")
/// };
/// train(3)?;
/// // Goes on with epoch 4.
/// let continued = train(5)?;
/// # std::fs::remove_file(&file).unwrap();
/// assert_eq!(continued, train(5)?);
/// # std::fs::remove_file(&file).unwrap();
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BackupAndRestore {
    path: PathBuf,
    save_freq: Option<usize>,
    delete_checkpoint: bool,
}

impl BackupAndRestore {
    /// Returns a backup in this file, written after each epoch.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        BackupAndRestore { path: path.into(), save_freq: None, delete_checkpoint: true }
    }

    /// Sets a number of batches after which to write it within an epoch, too.
    pub fn save_freq(self, batches: usize) -> Self {
        BackupAndRestore { save_freq: Some(batches), ..self }
    }

    /// Sets whether to remove it when training ends as planned. If not, the same call returns the same result at once, and a
    /// call with more epochs continues.
    pub fn delete_checkpoint(self, delete_checkpoint: bool) -> Self {
        BackupAndRestore { delete_checkpoint, ..self }
    }

    /// Whether it is to be written after this number of batches of an epoch.
    pub(super) fn is_due(&self, batches: usize) -> bool {
        self.save_freq.is_some_and(|save_freq| batches.is_multiple_of(save_freq))
    }

    /// Reads the file for this training, if there is one, and checks that it can be written.
    pub(super) fn read<F: Scalar>(&self, session: &Session<'_, '_, F>) -> Result<Option<Saved<F>>> {
        if let Some(batches) = self.save_freq {
            check_count("save_freq", batches)?;
        }
        check_writable(&self.path)?;
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &self.path)(error)),
        };
        let problem = |problem| Error::Backup { path: self.path.clone(), problem };
        let saved = ReadTensors::new(&bytes).and_then(|tensors| Saved::read(&tensors, session)).map_err(problem)?;
        tell!(
            info,
            "training goes on from {} after {} epochs and {} batches",
            self.path.display(),
            saved.epoch,
            saved.batch
        );
        Ok(Some(saved))
    }

    /// Writes the file.
    pub(super) fn write<F: Scalar>(&self, session: &Session<'_, '_, F>) -> Result<()> {
        let compiled = session.model.compiled.as_ref().ok_or(Error::NotCompiled)?;
        let mut tensors = NewTensors::default();
        session.model.network.visit(|path, tensor| tensors.add(format!("weights/{path}"), tensor));
        let optimizer = compiled.optimizer.state();
        for (number, buffers) in optimizer.tensors.iter().enumerate() {
            for (name, &buffer) in buffers {
                tensors.add_row(format!("optimizer/{number}/{name}"), ArrayView1::from(buffer));
            }
        }
        tensors.add_row("figures".into(), Array1::from(session.figures.numbers()));
        let mut callbacks = Vec::new();
        for (number, callback) in session.callbacks.iter().enumerate() {
            let mut names = Vec::new();
            for (name, numbers) in callback.state().into_entries() {
                if names.contains(&name) {
                    return Err(Error::DuplicateState { name });
                }
                tensors.add_row(format!("callbacks/{number}/{name}"), Array1::from(numbers));
                names.push(name);
            }
            callbacks.push(names);
        }
        for (number, figure) in session.history.figures().iter().enumerate() {
            let values = figure.values.iter().enumerate();
            let pairs = values.filter_map(|(epoch, value)| value.map(|value| [epoch as f64, value]));
            tensors.add_row(format!("history/{number}"), pairs.flatten().collect::<Array1<f64>>());
        }
        tensors.add_row("history/seconds".into(), ArrayView1::from(session.history.seconds()));
        let Draws { seed, shuffles } = session.model.draws;
        let description = Description {
            format: FORMAT,
            epoch: session.epoch as u64,
            batch: session.batch as u64,
            batches: session.batches.map(|batches| batches as u64),
            stop: session.stop && !session.interrupted,
            seed,
            shuffles,
            optimizer_batches: optimizer.batches,
            learning_rate: optimizer.learning_rate.map(f64::to_bits),
            optimizer: optimizer.tensors.iter().map(|buffers| buffers.keys().cloned().collect()).collect(),
            callbacks,
            figures: session.history.names().into_iter().map(String::from).collect(),
        };
        let description = serde_json::to_value(description).map_err(|source| Error::options("the training", source))?;
        tensors.write(&self.path, Some(description))?;
        tell!(debug, "wrote {} after {} epochs and {} batches", self.path.display(), session.epoch, session.batch);
        Ok(())
    }

    /// Removes the file, if requested, after a training that ended as planned.
    pub(super) fn finish(&self) -> Result<()> {
        if !self.delete_checkpoint {
            return Ok(());
        }
        remove(&self.path)
    }
}

/// Metadata of the file.
#[derive(Serialize, Deserialize)]
struct Description {
    format: u64,
    epoch: u64,
    batch: u64,
    /// Number of batches of an epoch, if known: with another number the position would be wrong.
    batches: Option<u64>,
    stop: bool,
    seed: u64,
    shuffles: u64,
    optimizer_batches: u64,
    /// Bits of the learning rate, unless a schedule determines it.
    learning_rate: Option<u64>,
    /// Names of each tensor's buffers.
    optimizer: Vec<Vec<String>>,
    /// Names in each callback's state.
    callbacks: Vec<Vec<String>>,
    figures: Vec<String>,
}

/// Content of a backup file, read and checked.
pub(super) struct Saved<F> {
    pub(super) epoch: usize,
    pub(super) batch: usize,
    stop: bool,
    draws: Draws,
    weights: Vec<Vec<F>>,
    optimizer: OptimizerState<Vec<F>>,
    figures: Vec<f64>,
    callbacks: Vec<CallbackState>,
    history: History,
}

impl<F: Scalar> Saved<F> {
    fn read(tensors: &ReadTensors<'_>, session: &Session<'_, '_, F>) -> Reading<Self> {
        let description: Description = serde_json::from_value(tensors.metadata(FORMAT)?)
            .map_err(|error| CheckpointProblem::Description(error.to_string()))?;
        let same = |what, got: u64, needs: usize| {
            let needs = needs as u64;
            if got == needs { Ok(()) } else { Err(CheckpointProblem::Other { what, got, needs }) }
        };
        same("callbacks", description.callbacks.len() as u64, session.callbacks.len())?;
        if let (Some(got), Some(needs), true) = (description.batches, session.batches, description.batch > 0) {
            same("batches in an epoch", got, needs)?;
        }
        let mut weights: Vec<Vec<F>> = Vec::new();
        let mut read = Ok(());
        session.model.network.visit(|path, tensor| {
            match tensors.numbers(&format!("weights/{path}"), Some(tensor.shape())) {
                Ok(values) => weights.push(values),
                Err(problem) if read.is_ok() => read = Err(problem),
                Err(_) => {}
            }
        });
        read?;
        let mut optimizer = OptimizerState {
            batches: description.optimizer_batches,
            learning_rate: description.learning_rate.map(f64::from_bits),
            tensors: Vec::new(),
        };
        for (number, names) in description.optimizer.iter().enumerate() {
            let length = weights.get(number).map_or(0, Vec::len);
            let mut buffers = BTreeMap::new();
            for name in names {
                let buffer = tensors.numbers(&format!("optimizer/{number}/{name}"), Some(&[length]))?;
                buffers.insert(name.clone(), buffer);
            }
            optimizer.tensors.push(buffers);
        }
        let row = |name: String| tensors.numbers::<f64>(&name, None);
        let figures = tensors.numbers("figures", Some(&[session.figures.len()]))?;
        let mut callbacks = Vec::new();
        for (number, names) in description.callbacks.iter().enumerate() {
            let mut state = CallbackState::default();
            for name in names {
                state = state.with(name, row(format!("callbacks/{number}/{name}"))?);
            }
            callbacks.push(state);
        }
        let seconds = row("history/seconds".into())?;
        same("epochs in its history", seconds.len() as u64, description.epoch as usize)?;
        let mut kept = Vec::new();
        for (number, name) in description.figures.into_iter().enumerate() {
            let mut values = vec![None; seconds.len()];
            for pair in row(format!("history/{number}"))?.chunks_exact(2) {
                if let Some(value) = values.get_mut(pair[0] as usize) {
                    *value = Some(pair[1]);
                }
            }
            kept.push(Figure { name, values });
        }
        let history = History::new(kept, seconds);
        Ok(Saved {
            epoch: description.epoch as usize,
            batch: description.batch as usize,
            stop: description.stop,
            draws: Draws { seed: description.seed, shuffles: description.shuffles },
            weights,
            optimizer,
            figures,
            callbacks,
            history,
        })
    }

    /// Restores the training from it.
    pub(super) fn apply(self, session: &mut Session<'_, '_, F>) -> Result<()> {
        for (callback, state) in session.callbacks.iter_mut().zip(&self.callbacks) {
            callback.resume(state)?;
        }
        let model = &mut session.model;
        model.compiled.as_mut().ok_or(Error::NotCompiled)?.optimizer.take_up(self.optimizer)?;
        let mut weights = self.weights.into_iter();
        model.network.visit_mut(|_, mut tensor| {
            tensor.iter_mut().zip(weights.next().unwrap_or_default()).for_each(|(to, value)| *to = value);
        });
        model.draws = self.draws;
        session.figures.take_up(&self.figures);
        (session.epoch, session.batch, session.stop) = (self.epoch, self.batch, self.stop);
        session.history = self.history;
        Ok(())
    }
}
