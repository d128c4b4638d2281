//! Options of a training, and `fit` itself. The loop is in `epochs.rs`.

use std::collections::BTreeMap;
use std::thread;

use super::backup::BackupAndRestore;
use super::callback::Callback;
use super::epochs::{Validation, train};
use super::feed::{ArrayFeed, Loader, SourceFeed, Supply};
use super::once;
use crate::data::{ArrangedTargets, Batches, Samples, Targets};
use crate::error::{Error, Result};
use crate::history::History;
use crate::model::Model;
use crate::numeric::Scalar;
use crate::numeric::checks::check_count;

/// Options of a training: everything that [`Model::fit`] takes besides the data.
///
/// ```
/// use bptt::prelude::*;
/// use ndarray::{Array1, Array3};
///
/// let x = Array3::<f32>::from_shape_fn((80, 5, 1), |(n, t, _)| ((n * 5 + t) as f32 * 1.7).sin());
/// let y: Array1<f32> = x.outer_iter().map(|steps| steps.sum() / 5.0).collect();
///
/// let mut model = Sequential::new().add(Gru::new(4)).add(Dense::new(1)).build(Form::sequence(5, 1), 42)?;
/// model.compile(Adam::new(0.02), MeanSquaredError);
///
/// let mut stopping = EarlyStopping::new().patience(3);
/// let options = Fit::new().epochs(20).batch_size(16).validation_split(0.2).callback(&mut stopping);
/// let history = model.fit(&x, &y, options)?;
/// let loss = history.get("loss");
/// assert!(loss[loss.len() - 1] < loss[0]);
/// # Ok::<(), bptt::Error>(())
/// ```
///
/// # Options
///
/// | Option | Default | Meaning |
/// | --- | --- | --- |
/// | [`epochs`](Fit::epochs) | 1 | Number of passes over the data |
/// | [`batch_size`](Fit::batch_size) | 32 | Samples per step of the optimizer; the last batch may be smaller |
/// | [`shuffle`](Fit::shuffle) | true | Whether each epoch takes the samples in a new order |
/// | [`steps_per_epoch`](Fit::steps_per_epoch) | all | Number of batches after which an epoch ends |
/// | [`truncated`](Fit::truncated) | none | Windows of long sequences: truncated backpropagation through time |
/// | [`class_weight`](Fit::class_weight) | 1 for each class | Weights of the classes in the loss |
/// | [`validation`](Fit::validation) | none | Validation data |
/// | [`validation_split`](Fit::validation_split) | none | Fraction of the samples, the last ones, to validate on |
/// | [`validation_freq`](Fit::validation_freq) | 1 | Number of epochs between validations |
/// | [`callback`](Fit::callback) | none | Callback to call during training; may be given several times |
/// | [`backup`](Fit::backup) | none | File from which an interrupted training continues |
///
/// # Errors
///
/// Options out of range are an [`Error::InvalidOption`] of [`Model::fit`] and [`Model::fit_batches`].
pub struct Fit<'a, F = f32> {
    pub(super) epochs: usize,
    batch_size: Option<usize>,
    shuffle: Option<bool>,
    pub(super) steps_per_epoch: Option<usize>,
    pub(super) truncated: Option<(usize, usize)>,
    class_weight: BTreeMap<usize, f64>,
    validation: Option<(Samples<'a, F>, Targets<'a>)>,
    validation_split: Option<f64>,
    pub(super) validation_freq: usize,
    pub(super) callbacks: Vec<&'a mut dyn Callback>,
    pub(super) backup: Option<BackupAndRestore>,
}

impl<F> std::fmt::Debug for Fit<'_, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fit")
            .field("epochs", &self.epochs)
            .field("batch_size", &self.batch_size)
            .field("callbacks", &self.callbacks.len())
            .finish_non_exhaustive()
    }
}

impl<F: Scalar> Default for Fit<'_, F> {
    fn default() -> Self {
        Fit::new()
    }
}

impl<'a, F: Scalar> Fit<'a, F> {
    /// Returns the defaults: one epoch in batches of 32.
    pub fn new() -> Self {
        Fit {
            epochs: 1,
            batch_size: None,
            shuffle: None,
            steps_per_epoch: None,
            truncated: None,
            class_weight: BTreeMap::new(),
            validation: None,
            validation_split: None,
            validation_freq: 1,
            callbacks: Vec::new(),
            backup: None,
        }
    }

    /// Sets the number of passes over the data, 1 by default.
    pub fn epochs(self, epochs: usize) -> Self {
        Fit { epochs, ..self }
    }

    /// Sets the number of samples per step of the optimizer, 32 by default.
    pub fn batch_size(self, batch_size: usize) -> Self {
        Fit { batch_size: Some(batch_size), ..self }
    }

    /// Sets whether each epoch takes the samples in a new order, true by default.
    pub fn shuffle(self, shuffle: bool) -> Self {
        Fit { shuffle: Some(shuffle), ..self }
    }

    /// Ends an epoch after this number of batches, or earlier if there are no more. The next epoch starts the data from the
    /// beginning.
    pub fn steps_per_epoch(self, batches: usize) -> Self {
        Fit { steps_per_epoch: Some(batches), ..self }
    }

    /// Trains with truncated backpropagation: a step of the optimizer `every` k₁ time steps, on the newest k₁ outputs, with
    /// gradients that go back `through` the last k₂ time steps. See [`Window`](crate::models::Window).
    ///
    /// States are zero at the start of each batch and are carried from window to window. The model needs an output for each
    /// time step.
    #[doc(alias = "stateful")]
    pub fn truncated(self, every: usize, through: usize) -> Self {
        Fit { truncated: Some((every, through)), ..self }
    }

    /// Sets weights of the classes in the loss, as in `[(0, 1.0), (1, 3.0)]`. Other classes have the weight 1.
    ///
    /// As in Keras, the class of a row is its class number, the largest value of a one-hot row, or a label 0 or 1,
    /// rounded; a row of zeros has none. Weights are finite and at least 0. They multiply those of the [`Targets`], which
    /// Keras refuses, and do not apply to validation data. Targets without a class are an [`Error::Target`].
    ///
    /// ```
    /// use bptt::metrics::Recall;
    /// use bptt::prelude::*;
    /// use ndarray::array;
    /// let layers = Sequential::new().add(Dense::new(1).activation(Activation::Sigmoid));
    /// let mut model = layers.build(Form::vector(1), 42)?;
    /// model.compile(Sgd::new(0.1), BinaryCrossentropy::new()).metric(Recall::new());
    /// // One of four is true: it counts as much as the others together.
    /// let (x, y) = (array![[-1.0_f32], [0.0], [1.0], [1.0]], array![0, 0, 0, 1]);
    /// let history = model.fit(&x, &y, Fit::new().epochs(200).class_weight([(1, 3.0)]))?;
    /// assert_eq!(history.get("recall")[199], 1.0);
    /// # Ok::<(), bptt::Error>(())
    /// ```
    pub fn class_weight(self, weights: impl IntoIterator<Item = (usize, f64)>) -> Self {
        Fit { class_weight: weights.into_iter().collect(), ..self }
    }

    /// Sets validation data, evaluated after each epoch. Their figures have `val_` before the name.
    pub fn validation(self, samples: impl Into<Samples<'a, F>>, targets: impl Into<Targets<'a>>) -> Self {
        Fit { validation: Some((samples.into(), targets.into())), ..self }
    }

    /// Validates on this fraction of the samples, above 0 and below 1: as in Keras the last ones, whatever `shuffle` says.
    /// Training uses the first ⌊n·(1 − share)⌋ of n samples.
    ///
    /// ```
    /// use bptt::prelude::*;
    /// use ndarray::{Array1, Array2};
    /// let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(1), 1)?;
    /// model.compile(Sgd::new(0.1), MeanSquaredError);
    /// let x = Array2::<f32>::ones((10, 1));
    /// let history = model.fit(&x, &Array1::<f32>::ones(10), Fit::new().validation_split(0.2))?;
    /// assert_eq!(history.names(), ["loss", "val_loss"]);
    /// # Ok::<(), bptt::Error>(())
    /// ```
    pub fn validation_split(self, share: f64) -> Self {
        Fit { validation_split: Some(share), ..self }
    }

    /// Sets the number of epochs between validations: 1 by default, at least 1. Other epochs have no `val_` figures.
    pub fn validation_freq(self, epochs: usize) -> Self {
        Fit { validation_freq: epochs, ..self }
    }

    /// Adds a callback, to be called after those added before.
    pub fn callback(mut self, callback: &'a mut dyn Callback) -> Self {
        self.callbacks.push(callback);
        self
    }

    /// Keeps a backup file from which the same call continues after an interruption, with the same bits as without one.
    pub fn backup(self, backup: BackupAndRestore) -> Self {
        Fit { backup: Some(backup), ..self }
    }

    /// Returns an error for numbers out of range.
    fn check(&self) -> Result<()> {
        let counts = [
            ("batch_size", self.batch_size),
            ("steps_per_epoch", self.steps_per_epoch),
            ("validation_freq", Some(self.validation_freq)),
        ];
        counts.into_iter().try_for_each(|(option, count)| count.map_or(Ok(()), |count| check_count(option, count)))
    }
}

impl<F: Scalar> Model<F> {
    /// Trains on samples and targets, and returns the loss and the metrics of each epoch.
    ///
    /// # Errors
    ///
    /// [`Error::NotCompiled`] before [`Model::compile`]; [`Error::Empty`], [`Error::Samples`], [`Error::Mask`],
    /// [`Error::Token`], [`Error::NotFinite`], [`Error::Targets`], [`Error::Target`], [`Error::Weights`] or
    /// [`Error::Weight`] for data that do not fit, within [`Error::Validation`] for such validation data;
    /// [`Error::Metric`] for a metric that does not; [`Error::InvalidOption`] for options out of range;
    /// [`Error::Windows`], or [`Error::Layer`] with [`Error::WholeSequence`], if [`Fit::truncated`] is asked for and
    /// the model cannot do it; [`Error::Backup`], [`Error::CallbackState`] or [`Error::OptimizerState`] for a backup of
    /// another training, with other callbacks or of another optimizer. All these before the first step.
    ///
    /// Later [`Error::InvalidOption`] if a schedule or a callback gives a learning rate that is negative or not finite;
    /// [`Error::Gradient`] if clipping meets a gradient that is not finite; [`Error::Io`] if the backup cannot be
    /// written; and what callbacks return.
    pub fn fit<'a>(
        &mut self,
        samples: impl Into<Samples<'a, F>>,
        targets: impl Into<Targets<'a>>,
        fit: Fit<'_, F>,
    ) -> Result<History> {
        once::fit(self, samples.into(), targets.into(), fit)
    }

    /// Trains on the batches of a source, such as data that do not fit in memory, and returns the figures of each epoch.
    ///
    /// A second thread prepares the next batch while the model learns from one, unless the model uses one thread only.
    /// Results do not depend on it.
    ///
    /// # Errors
    ///
    /// Those of [`Model::fit`], for each batch when it comes, and those of the source; [`Error::InvalidOption`] for
    /// `batch_size`, `shuffle` and `validation_split`, which are for arrays; [`Error::Empty`] if an epoch has no batch.
    #[doc(alias = "fit_generator")]
    pub fn fit_batches(&mut self, source: &mut dyn Batches<F>, fit: Fit<'_, F>) -> Result<History> {
        once::fit_batches(self, source, fit)
    }
}

/// Implements [`Model::fit`].
pub(super) fn fit<F: Scalar>(
    model: &mut Model<F>,
    samples: Samples<'_, F>,
    targets: Targets<'_>,
    mut fit: Fit<'_, F>,
) -> Result<History> {
    fit.check()?;
    let compiled = model.compiled.as_ref().ok_or(Error::NotCompiled)?;
    samples.check(&model.network)?;
    let targets = ArrangedTargets::new(&targets, &samples, model.network.output(), &*compiled.loss)?;
    // A copy, because class weights do not apply to the validation samples.
    let weighed = (!fit.class_weight.is_empty()).then(|| targets.weighed(&fit.class_weight)).transpose()?;
    let given = arrange_validation(model, &mut fit)?;
    let mut validation = given.as_ref().map(|(samples, targets)| Validation::new(samples.view(), targets));
    let mut learnt = samples.len();
    if let Some(share) = fit.validation_split {
        learnt = (samples.len() as f64 * (1.0 - share)).floor() as usize;
        if validation.is_some() || !(1..samples.len()).contains(&learnt) {
            let allowed = "above 0 and below 1, leave samples on both sides, and not stand beside validation data";
            return Err(Error::InvalidOption { option: "validation_split", value: share.to_string(), allowed });
        }
        validation = Some(Validation { rows: learnt..samples.len(), ..Validation::new(samples.view(), &targets) });
    }
    let (batch_size, shuffle) = (fit.batch_size.unwrap_or(32), fit.shuffle.unwrap_or(true));
    train(
        model,
        &mut ArrayFeed::new(samples.view(), weighed.as_ref().unwrap_or(&targets), learnt, batch_size, shuffle),
        validation,
        fit,
    )
}

/// Implements [`Model::fit_batches`].
pub(super) fn fit_batches<F: Scalar>(
    model: &mut Model<F>,
    source: &mut dyn Batches<F>,
    mut fit: Fit<'_, F>,
) -> Result<History> {
    fit.check()?;
    let for_arrays = [
        ("batch_size", fit.batch_size.is_some()),
        ("shuffle", fit.shuffle.is_some()),
        ("validation_split", fit.validation_split.is_some()),
    ];
    if let Some(&(option, _)) = for_arrays.iter().find(|(_, given)| *given) {
        let allowed = "left out: batches are as the source makes them";
        return Err(Error::InvalidOption { option, value: "given".into(), allowed });
    }
    let given = arrange_validation(model, &mut fit)?;
    let validation = given.as_ref().map(|(samples, targets)| Validation::new(samples.view(), targets));
    let (batches, class_weight) = (source.count(), fit.class_weight.clone());
    if model.threads.is_single() {
        return train(model, &mut SourceFeed::new(Supply::Here(source), batches, class_weight), validation, fit);
    }
    thread::scope(|scope| {
        let loader = Loader::start_in(scope, source);
        train(model, &mut SourceFeed::new(Supply::Loader(loader), batches, class_weight), validation, fit)
    })
}

/// Checks and arranges the validation data.
fn arrange_validation<'v, F: Scalar>(
    model: &Model<F>,
    fit: &mut Fit<'v, F>,
) -> Result<Option<(Samples<'v, F>, ArrangedTargets<F>)>> {
    let Some((samples, targets)) = fit.validation.take() else { return Ok(None) };
    let compiled = model.compiled.as_ref().ok_or(Error::NotCompiled)?;
    let arranged = samples
        .check(&model.network)
        .and_then(|()| ArrangedTargets::new(&targets, &samples, model.network.output(), &*compiled.loss));
    let arranged = arranged.map_err(|cause| Error::Validation { cause: Box::new(cause) })?;
    Ok(Some((samples, arranged)))
}
