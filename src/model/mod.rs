//! Models: stacks of layers with weights, and what training adds to them.
//!
//! Files are in `io`, training and prediction in `training`.

mod compiled;
mod once;
mod sequential;
mod state;
mod summary;
mod weights;

pub use compiled::Compiled;
pub(crate) use compiled::Room;
pub use sequential::Sequential;
pub use state::ModelState;

#[cfg(feature = "rayon")]
use std::sync::Arc;
use std::sync::Mutex;

use ndarray::{ArrayBase, ArrayD, Data, Dimension};

use crate::error::{Error, Result};
use crate::layer::Pass;
use crate::losses::Loss;
use crate::metrics::Metrics;
use crate::network::Network;
use crate::numeric::Scalar;
use crate::optimizers::Optimizer;
use crate::random::Key;
use crate::tensor::Form;
use crate::threads::Threads;

/// Parts that are folded into the model's key, one for each use.
const WEIGHTS: u64 = 0;
const SHUFFLE: u64 = 1;
const DROPOUT: u64 = 2;

/// Stack of layers with weights, which can be trained, run and saved.
///
/// [`Sequential::build`] makes one, [`Model::load`] reads one from a file. `Model` is `Model<f32>`; `Model<f64>` computes
/// in double precision.
///
/// ```
/// use bptt::prelude::*;
/// use ndarray::array;
///
/// let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(1), 42)?;
/// model.compile(Sgd::new(0.1), MeanSquaredError);
///
/// // y = 2·x + 1
/// let (x, y) = (array![[0.0_f32], [1.0], [2.0]], array![1.0_f32, 3.0, 5.0]);
/// let history = model.fit(&x, &y, Fit::new().epochs(200))?;
/// let loss = history.get("loss");
/// assert!(loss[199] < loss[0]);
///
/// let output = model.predict(&array![[3.0_f32]])?;
/// assert!((output[[0, 0]] - 7.0).abs() < 0.01);
/// # Ok::<(), bptt::Error>(())
/// ```
///
/// | Task | Methods |
/// | --- | --- |
/// | train | [`compile`](Model::compile), then [`fit`](Model::fit) or [`fit_batches`](Model::fit_batches) |
/// | train step by step | [`train_batch`](Model::train_batch), [`train_window`](Model::train_window) |
/// | compute gradients | [`gradients`](Model::gradients) |
/// | evaluate | [`evaluate`](Model::evaluate) |
/// | predict | [`predict`](Model::predict); streams: [`state`](Model::state), [`step`](Model::step) |
/// | weights | [`weight_names`](Model::weight_names), [`weight`](Model::weight), [`set_weight`](Model::set_weight) |
/// | freeze layers | [`set_trainable`](Model::set_trainable) |
/// | save and load | [`save`](Model::save), [`load`](Model::load) |
/// | save and load weights | [`save_weights`](Model::save_weights), [`load_weights`](Model::load_weights) |
/// | inspect | [`summary`](Model::summary), [`parameters`](Model::parameters) |
/// | shapes | [`input_form`](Model::input_form), [`output_form`](Model::output_form) |
/// | options | [`set_threads`](Model::set_threads), `set_pool` (feature `rayon`), [`set_seed`](Model::set_seed) |
///
/// Prediction takes `&self` and works from many threads at once; training takes `&mut self`.
///
/// # Shapes
///
/// Arrays have the batch first. Samples are (N, T) token ids, (N, D) vectors or (N, T, D) sequences, as the model was built
/// for; outputs are (N, K), or (N, T, K) if the last layer returns sequences.
///
/// # Errors
///
/// Data that do not fit the model are an error before the first step, never a panic. Each method lists its errors.
///
/// [`Sequential::build`]: crate::models::Sequential::build
#[derive(Debug)]
pub struct Model<F: Scalar = f32> {
    pub(crate) network: Network<F>,
    pub(crate) compiled: Option<Compiled<F>>,
    pub(crate) threads: Threads,
    pub(crate) draws: Draws,
}

/// Seed of a model's random draws, and how often it has shuffled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws {
    pub(crate) seed: u64,
    /// Number of epochs that were shuffled, so that a second `fit` continues where the first ended.
    pub(crate) shuffles: u64,
}

impl Draws {
    fn key(self) -> Key {
        Key::new(self.seed)
    }
}

impl<F: Scalar> Model<F> {
    pub(crate) fn new(network: Network<F>, seed: u64) -> Self {
        Model { network, compiled: None, threads: Threads::default(), draws: Draws { seed, shuffles: 0 } }
    }

    /// Sets the optimizer (or its rule alone) and the loss. [`Compiled::metric`] of the result adds metrics.
    pub fn compile(&mut self, optimizer: impl Into<Optimizer<F>>, loss: impl Loss<F> + 'static) -> &mut Compiled<F> {
        let (optimizer, loss) = (optimizer.into(), loss.boxed());
        self.compiled.insert(Compiled { optimizer, loss, metrics: Metrics::default(), room: Mutex::default() })
    }

    /// Returns the optimizer, once compiled: to read or set its learning rate.
    pub fn optimizer(&mut self) -> Option<&mut Optimizer<F>> {
        self.compiled.as_mut().map(|compiled| &mut compiled.optimizer)
    }

    /// Sets the number of threads: 1 is the caller's alone, n the caller's and a pool of n − 1.
    ///
    /// By default it is the number of threads of rayon's global pool, in a pool that all models share; a caller in a rayon
    /// pool uses that pool. Results do not depend on the number. Work that is too small to share stays on the caller's thread.
    ///
    /// A batch of 9 to 64 samples feeds two threads, a larger one a thread for every 32 samples. Threads stay awake for up to
    /// 100 µs after a batch to wait for the next, except those of a pool that the caller is in.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for 0 and for more than 1024, [`Error::Threads`] if they cannot be started.
    pub fn set_threads(&mut self, count: usize) -> Result<()> {
        self.threads = Threads::new(count)?;
        Ok(())
    }

    /// Uses the threads of this pool: the caller's thread and all but one of the pool's. Models may share a pool.
    ///
    /// Its threads stay awake for up to 100 µs after a batch, as with [`set_threads`](Model::set_threads). For a pool with
    /// other work to do, prefer `pool.install(|| model.fit(…))`.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use bptt::prelude::*;
    ///
    /// let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build()?);
    /// let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(3), 42)?;
    /// model.set_pool(Arc::clone(&pool));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "rayon")]
    pub fn set_pool(&mut self, pool: Arc<rayon_core::ThreadPool>) {
        self.threads = Threads::of_pool(pool);
    }

    /// Returns the form of the inputs.
    pub fn input_form(&self) -> Form {
        self.network.input
    }

    /// Returns the form of the outputs.
    pub fn output_form(&self) -> Form {
        self.network.output()
    }

    /// Returns the number of parameters of all layers.
    pub fn parameters(&self) -> usize {
        self.network.nodes.iter().map(|node| node.parameters).sum()
    }

    /// Returns a table of the layers with their output shapes and numbers of parameters, as Keras prints it.
    pub fn summary(&self) -> String {
        once::summary(&self.network)
    }

    /// Returns the initial state of sequences for this number of samples: all zero.
    ///
    /// # Errors
    ///
    /// [`Error::Layer`] with [`Error::WholeSequence`] if a layer needs the whole sequence at once, such as one that goes
    /// backwards.
    pub fn state(&self, samples: usize) -> Result<ModelState<F>> {
        once::zero_state(&self.network, samples)
    }

    /// Returns the names of all weights: layer, slash, tensor, as in `lstm/kernel`.
    pub fn weight_names(&self) -> Vec<String> {
        once::weight_names(&self.network)
    }

    /// Returns a copy of one weight, such as `"lstm/kernel"`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownWeight`], which lists the known names.
    #[doc(alias = "get_weights")]
    pub fn weight(&self, name: &str) -> Result<ArrayD<F>> {
        once::weight(&self.network, name)
    }

    /// Replaces one weight.
    ///
    /// ```
    /// use bptt::prelude::*;
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
        once::set_weight(&mut self.network, name, value.view().into_dyn())
    }

    /// Freezes or unfreezes a layer: training does not change the weights of a frozen layer.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLayer`], which lists the known names.
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

    /// Sets the seed of shuffling and dropout in later trainings, as [`Sequential::build`] does. Weights do not change.
    ///
    /// The seed is saved with the model.
    pub fn set_seed(&mut self, seed: u64) {
        self.draws = Draws { seed, shuffles: 0 };
    }

    /// Replaces the weights by the moving averages that the optimizer keeps ([`Ema`](crate::optimizers::Ema)), except in frozen
    /// layers. Without averages it does nothing. [`Model::fit`] calls it at its end.
    ///
    /// # Errors
    ///
    /// [`Error::NotCompiled`] before [`Model::compile`].
    #[doc(alias = "finalize_variable_values")]
    pub fn use_averages(&mut self) -> Result<()> {
        once::use_averages(self)
    }

    /// Advances to the shuffling order of the next epoch.
    pub(crate) fn begin_shuffle(&mut self) {
        self.draws.shuffles += 1;
    }

    /// Returns the key of the current shuffling order.
    pub(crate) fn shuffle_key(&self) -> Key {
        self.draws.key().fold(SHUFFLE).fold(self.draws.shuffles)
    }

    /// Returns the pass of the next training step.
    pub(crate) fn training_pass(&self) -> Result<Pass<'static>> {
        let compiled = self.compiled.as_ref().ok_or(Error::NotCompiled)?;
        Ok(Pass::training(self.draws.key().fold(DROPOUT).fold(compiled.optimizer.batches())))
    }
}
