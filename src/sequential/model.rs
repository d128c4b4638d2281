//! A built model: layers with their weights, and after compiling an optimizer, a loss and metrics.

use std::fmt;
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex};

use ndarray::{ArrayBase, ArrayD, Data, Dimension, IxDyn};

use super::model_state::ModelState;
use super::network::Network;
use super::registry::Registry;
use super::summary::summarize;
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::layer::Pass;
use crate::loss::Loss;
use crate::metrics::{Metric, Metrics, Running};
use crate::optimizer::Optimizer;
use crate::random::Key;
use crate::scalar::Scalar;
use crate::tensor::Form;
use crate::training::{ArrangedTargets, Logs, Predictor, Room, Samples, Targets, Threads, evaluate};

/// What the model's key is folded with for each of its uses.
pub(crate) const WEIGHTS: u64 = 0;
const SHUFFLE: u64 = 1;
const DROPOUT: u64 = 2;

/// A stack of layers with weights: what [`Sequential::build`](super::Sequential::build) and [`Model::load`] give.
///
/// Running it takes `&self` and works from many threads at once; training takes `&mut self`.
///
/// ```
/// use bptt::{BinaryCrossentropy, Dense, Fit, Form, MeanSquaredError, Sequential, Sgd};
/// use ndarray::array;
///
/// let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(1), 42)?;
/// model.compile(Sgd::new(0.1), MeanSquaredError);
/// let (x, y) = (array![[0.0_f32], [1.0], [2.0]], array![1.0_f32, 3.0, 5.0]);
/// model.fit(&x, &y, Fit::new().epochs(200))?;
/// let output = model.predict(&array![[3.0_f32]])?;
/// assert!((output[[0, 0]] - 7.0).abs() < 0.01);
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Debug)]
pub struct Model<F: Scalar = f32> {
    pub(crate) network: Network<F>,
    pub(crate) compiled: Option<Compiled<F>>,
    pub(crate) threads: Threads,
    pub(crate) draws: Draws,
}

/// What a model's random draws come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws {
    pub(crate) key: Key,
    /// Epochs that were shuffled, so that a second `fit` goes on where the first ended.
    pub(crate) shuffles: u64,
}

/// What [`Model::compile`] adds to a model.
pub struct Compiled<F> {
    pub(crate) optimizer: Optimizer<F>,
    pub(crate) loss: Box<dyn Loss<F>>,
    pub(crate) metrics: Metrics<F>,
    /// In a mutex only so that threads may share the model: training, which has it for itself, never locks it.
    pub(crate) room: Mutex<Room<F>>,
}

impl<F: Scalar> fmt::Debug for Compiled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled")
            .field("optimizer", &self.optimizer)
            .field("loss", &self.loss)
            .field("metrics", &self.metrics)
            .finish_non_exhaustive()
    }
}

impl<F: Scalar> Compiled<F> {
    /// Adds a metric, whose figures stand under its name.
    pub fn metric(&mut self, metric: impl Metric<F> + 'static) -> &mut Self {
        self.metrics.plain.push(Arc::new(metric));
        self
    }

    /// Adds a metric in which rows count by their weights: those of [`Targets`], and in training those of
    /// [`Fit::class_weight`](crate::Fit::class_weight). If another one has its name, its figures stand under `weighted_` and
    /// the name, as in Keras.
    #[doc(alias = "weighted_metrics")]
    pub fn weighted_metric(&mut self, metric: impl Metric<F> + 'static) -> &mut Self {
        self.metrics.weighted.push(Arc::new(metric));
        self
    }

    /// The metrics at the start of an epoch.
    pub(crate) fn start_metrics(&self, output: Form) -> Result<Running<F>> {
        let outputs = output.features()?;
        self.metrics.start(outputs, self.loss.target_width(outputs))
    }
}

impl<F: Scalar> Model<F> {
    pub(crate) fn new(network: Network<F>, key: Key) -> Self {
        Model { network, compiled: None, threads: Threads::default(), draws: Draws { key, shuffles: 0 } }
    }

    /// Sets how to train: an optimizer (or its rule alone), a loss, and by [`Compiled::metric`] what to report.
    pub fn compile(&mut self, optimizer: impl Into<Optimizer<F>>, loss: impl Loss<F> + 'static) -> &mut Compiled<F> {
        let (optimizer, loss) = (optimizer.into(), Box::new(loss));
        self.compiled.insert(Compiled { optimizer, loss, metrics: Metrics::default(), room: Mutex::default() })
    }

    /// The optimizer, once compiled: to read or set its learning rate.
    pub fn optimizer(&mut self) -> Option<&mut Optimizer<F>> {
        self.compiled.as_mut().map(|compiled| &mut compiled.optimizer)
    }

    /// How many threads to use: 1 for the caller's alone, n for it and a pool of n − 1. By default rayon's global pool, or
    /// the pool that the caller is in. Results do not depend on it, and what is not worth sharing stays on the caller's.
    ///
    /// A batch feeds as many threads as it is cut into shards: two if it has 9 to 64 samples, from there on one for every 32.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for 0, [`Error::Threads`] if they cannot be started.
    pub fn set_threads(&mut self, count: usize) -> Result<()> {
        self.threads = Threads::new(count)?;
        Ok(())
    }

    /// Works on as many threads as this pool has: the caller's and, but for one, the pool's. Several models may share it.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use bptt::{Dense, Form, Sequential};
    /// let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build()?);
    /// let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(3), 42)?;
    /// model.set_pool(Arc::clone(&pool));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_pool(&mut self, pool: Arc<rayon_core::ThreadPool>) {
        self.threads = Threads::of_pool(pool);
    }

    /// The form of the inputs.
    pub fn input_form(&self) -> Form {
        self.network.input
    }

    /// The form of the outputs.
    pub fn output_form(&self) -> Form {
        self.network.output()
    }

    /// The count of all weights.
    pub fn parameters(&self) -> usize {
        self.network.nodes.iter().map(|node| node.parameters).sum()
    }

    /// A table of the layers with their output shapes and counts of weights, as Keras prints it.
    pub fn summary(&self) -> String {
        summarize(&self.network)
    }

    /// Loss and metrics over data, without dropout; the loss with the penalties of regularizers.
    ///
    /// # Errors
    ///
    /// [`Error::NotCompiled`] before [`Model::compile`], and those of [`Model::fit`] for data that do not fit.
    pub fn evaluate<'a>(&self, samples: impl Into<Samples<'a, F>>, targets: impl Into<Targets<'a>>) -> Result<Logs> {
        let compiled = self.compiled.as_ref().ok_or(Error::NotCompiled)?;
        let samples = samples.into();
        samples.check(&self.network)?;
        let targets = ArrangedTargets::new(&targets.into(), &samples, self.network.output(), &*compiled.loss)?;
        let rows = 0..samples.len();
        evaluate(&self.network, compiled, &self.threads, &mut Vec::new(), &samples, &targets, rows)
    }

    /// The outputs for all samples, batch first: (N, K), or (N, T, K) if the last layer puts out sequences.
    ///
    /// A [`Predictor`] does the same again and again in memory that it keeps.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`], [`Error::Samples`], [`Error::Mask`], [`Error::Token`] or [`Error::NotFinite`] for data that do
    /// not fit.
    pub fn predict<'a>(&self, samples: impl Into<Samples<'a, F>>) -> Result<ArrayD<F>> {
        let mut outputs = ArrayD::default(IxDyn(&[0]));
        Predictor::new().predict_into(self, samples, &mut outputs)?;
        Ok(outputs)
    }

    /// The state from which a sequence starts, for so many samples: all zero.
    ///
    /// # Errors
    ///
    /// [`Error::Layer`] with [`Error::WholeSequence`] if one of the layers needs the whole sequence at once, as one that goes
    /// backwards does.
    pub fn state(&self, samples: usize) -> Result<ModelState<F>> {
        ModelState::zeros(&self.network, samples)
    }

    /// The outputs for the next steps of each sample's sequence, one or more, going on from a state and leaving the one after
    /// them in it. Without `return_sequences` it is the output after the last of them.
    ///
    /// A [`Predictor`] does the same again and again in memory that it keeps.
    ///
    /// ```
    /// use bptt::{Dense, Form, Gru, Sequential};
    /// use ndarray::{Array3, s};
    ///
    /// let model = Sequential::new().add(Gru::new(4)).add(Dense::new(2)).build(Form::sequence(None, 3), 1)?;
    /// let x = Array3::from_shape_fn((1, 6, 3), |(_, t, d)| ((3 * t + d) as f32).sin());
    /// let whole = model.predict(&x)?;
    ///
    /// let mut state = model.state(1)?;
    /// for t in 0..6 {
    ///     let output = model.step(&x.slice(s![.., t..t + 1, ..]).to_owned(), &mut state)?;
    ///     if t == 5 {
    ///         assert!((output - &whole).iter().all(|difference| difference.abs() < 1e-6));
    ///     }
    /// }
    /// # Ok::<(), bptt::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Model::predict`]; [`Error::StateSize`] or [`Error::ForeignState`] if the state does not fit.
    pub fn step<'a>(&self, samples: impl Into<Samples<'a, F>>, state: &mut ModelState<F>) -> Result<ArrayD<F>> {
        let mut outputs = ArrayD::default(IxDyn(&[0]));
        Predictor::new().step(self, samples, state, &mut outputs)?;
        Ok(outputs)
    }

    /// The names of all weights: the layer's, a slash, the tensor's.
    pub fn weight_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.network.visit(|path, _| names.push(path.to_string()));
        names
    }

    /// A copy of one weight, such as `"lstm/kernel"`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownWeight`], which lists the names there are.
    #[doc(alias = "get_weights")]
    pub fn weight(&self, name: &str) -> Result<ArrayD<F>> {
        let mut found = None;
        self.network.visit(|path, tensor| {
            if path.to_string() == name {
                found = Some(tensor.to_owned());
            }
        });
        found.ok_or_else(|| self.unknown_weight(name))
    }

    /// Replaces one weight.
    ///
    /// ```
    /// use bptt::{Embedding, Form, Gru, Sequential};
    /// use ndarray::Array2;
    /// let mut model = Sequential::new().add(Embedding::new(10, 4)).add(Gru::new(2)).build(Form::tokens(5), 1)?;
    /// let vectors = Array2::<f32>::ones((10, 4));
    /// model.set_weight("embedding/embeddings", &vectors)?;
    /// model.set_trainable("embedding", false)?;
    /// # Ok::<(), bptt::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnknownWeight`], or [`Error::WeightShape`] if the shape is not that of the weight.
    #[doc(alias = "set_weights")]
    pub fn set_weight<S: Data<Elem = F>, D: Dimension>(&mut self, name: &str, value: &ArrayBase<S, D>) -> Result<()> {
        let mut outcome = None;
        self.network.visit_mut(|path, mut tensor| {
            if path.to_string() != name {
                return;
            }
            outcome = Some(if tensor.shape() == value.shape() {
                tensor.assign(&value.view().into_dyn());
                Ok(())
            } else {
                let (needs, got) = (tensor.shape().to_vec(), value.shape().to_vec());
                Err(Error::WeightShape { name: name.into(), needs, got })
            });
        });
        outcome.unwrap_or_else(|| Err(self.unknown_weight(name)))
    }

    fn unknown_weight(&self, name: &str) -> Error {
        Error::UnknownWeight { name: name.into(), known: self.weight_names() }
    }

    /// Freezes a layer, or thaws it: training leaves a frozen layer's weights as they are.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLayer`], which lists the names there are.
    pub fn set_trainable(&mut self, layer: &str, trainable: bool) -> Result<()> {
        match self.network.nodes.iter_mut().find(|node| node.name == layer) {
            Some(node) => {
                node.trainable = trainable;
                Ok(())
            }
            None => {
                let known = self.network.nodes.iter().map(|node| node.name.clone()).collect();
                Err(Error::UnknownLayer { name: layer.into(), known })
            }
        }
    }

    /// Writes the model to one file: layers, names, frozen flags and weights. Equal models give equal files; a file is
    /// whole or not there (it is written beside its place and then renamed).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be written.
    pub fn save(&self, path: impl AsRef<FilePath>) -> Result<()> {
        checkpoint::save(&self.network, path.as_ref())
    }

    /// Writes the weights alone, without what describes the layers: for [`Model::load_weights`] of a model that is built in
    /// code.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be written.
    pub fn save_weights(&self, path: impl AsRef<FilePath>) -> Result<()> {
        checkpoint::save_weights(&self.network, path.as_ref())
    }

    /// Reads a model of built-in layers from a file. It is to be compiled again before training.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Checkpoint`] if the file is no such model or not whole, [`Error::UnknownKind`] if it has
    /// layers of one's own: see [`Model::load_with`].
    #[doc(alias = "load_model")]
    pub fn load(path: impl AsRef<FilePath>) -> Result<Self> {
        Model::load_with(path, &Registry::new())
    }

    /// Reads a model with layers of one's own, whose types are in the registry.
    ///
    /// # Errors
    ///
    /// Those of [`Model::load`].
    pub fn load_with(path: impl AsRef<FilePath>, registry: &Registry<F>) -> Result<Self> {
        checkpoint::load(path.as_ref(), registry)
    }

    /// Reads the weights of a file into this model, whose layers must have the same names and shapes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Checkpoint`]; the model is unchanged then.
    pub fn load_weights(&mut self, path: impl AsRef<FilePath>) -> Result<()> {
        checkpoint::load_weights(&mut self.network, path.as_ref())
    }

    /// All weights in a row, to be put back by [`Model::restore`].
    pub(crate) fn snapshot(&self) -> Vec<f64> {
        let mut all = Vec::with_capacity(self.parameters());
        self.network.visit(|_, tensor| all.extend(tensor.iter().map(|value| value.widen())));
        all
    }

    pub(crate) fn restore(&mut self, snapshot: &[f64]) {
        let mut values = snapshot.iter();
        self.network.visit_mut(|_, mut tensor| {
            tensor.iter_mut().zip(&mut values).for_each(|(weight, &value)| *weight = F::of(value));
        });
    }

    /// Puts the moving averages that the optimizer keeps ([`Ema`](crate::Ema)) in the place of the weights, but for those
    /// of frozen layers. Without averages nothing changes. [`Model::fit`] does it at its end.
    ///
    /// # Errors
    ///
    /// [`Error::NotCompiled`] before [`Model::compile`].
    #[doc(alias = "finalize_variable_values")]
    pub fn use_averages(&mut self) -> Result<()> {
        let compiled = self.compiled.as_ref().ok_or(Error::NotCompiled)?;
        self.network.visit_trainable(|tensor, weights| {
            if let Some(average) = compiled.optimizer.average(tensor) {
                weights.copy_from_slice(average);
            }
        });
        Ok(())
    }

    /// Begins the next epoch's order of the samples.
    pub(crate) fn begin_shuffle(&mut self) {
        self.draws.shuffles += 1;
    }

    /// The key of that order.
    pub(crate) fn shuffle_key(&self) -> Key {
        self.draws.key.fold(SHUFFLE).fold(self.draws.shuffles)
    }

    /// The pass of the next step.
    pub(crate) fn training_pass(&self) -> Result<Pass<'static>> {
        let compiled = self.compiled.as_ref().ok_or(Error::NotCompiled)?;
        Ok(Pass::training(self.draws.key.fold(DROPOUT).fold(compiled.optimizer.batches())))
    }
}
