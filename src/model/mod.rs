//! Models: stacks of layers, built, with what training adds to them. What is done with one is on the floors above: files in
//! `io`, training and predictions in `training`.

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

/// What the model's key is folded with for each of its uses.
const WEIGHTS: u64 = 0;
const SHUFFLE: u64 = 1;
const DROPOUT: u64 = 2;

/// A stack of layers with weights: what [`Sequential::build`](crate::models::Sequential::build) and [`Model::load`] give.
///
/// Running it takes `&self` and works from many threads at once; training takes `&mut self`.
///
/// ```
/// use bptt::prelude::*;
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
    pub(crate) seed: u64,
    /// Epochs that were shuffled, so that a second `fit` goes on where the first ended.
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

    /// Sets how to train: an optimizer (or its rule alone), a loss, and by [`Compiled::metric`] what to report.
    pub fn compile(&mut self, optimizer: impl Into<Optimizer<F>>, loss: impl Loss<F> + 'static) -> &mut Compiled<F> {
        let (optimizer, loss) = (optimizer.into(), loss.boxed());
        self.compiled.insert(Compiled { optimizer, loss, metrics: Metrics::default(), room: Mutex::default() })
    }

    /// The optimizer, once compiled: to read or set its learning rate.
    pub fn optimizer(&mut self) -> Option<&mut Optimizer<F>> {
        self.compiled.as_mut().map(|compiled| &mut compiled.optimizer)
    }

    /// Number of threads: 1 is the caller's alone, n the caller's and a pool of n − 1.
    ///
    /// By default as many as rayon's global pool has, in a pool that all models share; or, if the caller is in a rayon pool,
    /// that pool's. Results do not depend on the number, and what is not worth sharing stays on the caller's thread.
    ///
    /// A batch feeds as many threads as it is cut into shards: two if it has 9 to 64 samples, from there on one for every 32.
    /// Threads that helped with one stay awake for up to 100 µs to wait for the next, but for those of a pool that the caller
    /// is in.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for 0 and for more than 1024, [`Error::Threads`] if they cannot be started.
    pub fn set_threads(&mut self, count: usize) -> Result<()> {
        self.threads = Threads::new(count)?;
        Ok(())
    }

    /// Works on as many threads as this pool has: the caller's and, but for one, the pool's. Several models may share it.
    ///
    /// Its threads then stay awake for up to 100 µs after a batch, as those of [`set_threads`](Model::set_threads) do. A pool
    /// that has other things to do is better entered: `pool.install(|| model.fit(…))`.
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
        once::summary(&self.network)
    }

    /// The state from which a sequence starts, for so many samples: all zero.
    ///
    /// # Errors
    ///
    /// [`Error::Layer`] with [`Error::WholeSequence`] if one of the layers needs the whole sequence at once, as one that goes
    /// backwards does.
    pub fn state(&self, samples: usize) -> Result<ModelState<F>> {
        once::zero_state(&self.network, samples)
    }

    /// The names of all weights: the layer's, a slash, the tensor's.
    pub fn weight_names(&self) -> Vec<String> {
        once::weight_names(&self.network)
    }

    /// A copy of one weight, such as `"lstm/kernel"`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownWeight`], which lists the names there are.
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

    /// Sets the seed from which shuffling and dropout of later trainings follow, as [`Sequential::build`] did. It is saved with the
    /// model. Weights stay what they are.
    pub fn set_seed(&mut self, seed: u64) {
        self.draws = Draws { seed, shuffles: 0 };
    }

    /// Puts the moving averages that the optimizer keeps ([`Ema`](crate::optimizers::Ema)) in the place of the weights, but for those
    /// of frozen layers. Without averages nothing changes. [`Model::fit`] does it at its end.
    ///
    /// # Errors
    ///
    /// [`Error::NotCompiled`] before [`Model::compile`].
    #[doc(alias = "finalize_variable_values")]
    pub fn use_averages(&mut self) -> Result<()> {
        once::use_averages(self)
    }

    /// Begins the next epoch's order of the samples.
    pub(crate) fn begin_shuffle(&mut self) {
        self.draws.shuffles += 1;
    }

    /// The key of that order.
    pub(crate) fn shuffle_key(&self) -> Key {
        self.draws.key().fold(SHUFFLE).fold(self.draws.shuffles)
    }

    /// The pass of the next step.
    pub(crate) fn training_pass(&self) -> Result<Pass<'static>> {
        let compiled = self.compiled.as_ref().ok_or(Error::NotCompiled)?;
        Ok(Pass::training(self.draws.key().fold(DROPOUT).fold(compiled.optimizer.batches())))
    }
}
