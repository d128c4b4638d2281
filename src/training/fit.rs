//! `fit`: what training can be asked for, and where its data come from. The loop itself is `epochs.rs`.

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

/// How to train: everything that [`Model::fit`] wants to know besides the data.
///
/// | option | default | purpose |
/// | --- | --- | --- |
/// | `epochs` | 1 | how often to go through the data |
/// | `batch_size` | 32 | samples for each step of the optimizer; the last batch may be smaller |
/// | `shuffle` | true | a new order of the samples for each epoch |
/// | `steps_per_epoch` | all | batches after which an epoch ends |
/// | `truncated` | none | learn from windows of long sequences: truncated backpropagation through time |
/// | `class_weight` | 1 for each | how much the rows of a class count |
/// | `validation` | none | data for the `val_` figures |
/// | `validation_split` | none | the last part of the samples for them instead |
/// | `validation_freq` | 1 | epochs from one validation to the next |
/// | `callback` | none | what to call along the way; may be given several times |
/// | `backup` | none | a file from which an interrupted training goes on |
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
    /// One epoch in batches of 32.
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

    /// How often to go through the data: once by default.
    pub fn epochs(self, epochs: usize) -> Self {
        Fit { epochs, ..self }
    }

    /// Samples for each step of the optimizer: 32 by default.
    pub fn batch_size(self, batch_size: usize) -> Self {
        Fit { batch_size: Some(batch_size), ..self }
    }

    /// Whether each epoch takes the samples in a new order, as it does by default.
    pub fn shuffle(self, shuffle: bool) -> Self {
        Fit { shuffle: Some(shuffle), ..self }
    }

    /// Ends an epoch after so many batches, or when there are no more. The next epoch starts its data anew.
    pub fn steps_per_epoch(self, batches: usize) -> Self {
        Fit { steps_per_epoch: Some(batches), ..self }
    }

    /// Learns `every` k₁ steps from the newest k₁ outputs, with gradients that go back `through` the last k₂ steps: see
    /// [`Window`](crate::models::Window). States start at zero with each batch and are carried from window to window; the model needs
    /// an output for each step.
    #[doc(alias = "stateful")]
    pub fn truncated(self, every: usize, through: usize) -> Self {
        Fit { truncated: Some((every, through)), ..self }
    }

    /// How much the rows of a class count, 1 for classes that are left out: `[(0, 1.0), (1, 3.0)]`. The class is told from
    /// the targets as in Keras: a class number, the largest of a one-hot row, or a label 0 or 1, rounded; a row of zeros
    /// has none. Weights are finite and at least 0. They multiply those of the [`Targets`], which Keras refuses to do;
    /// validation data have none. Targets that tell no class are an [`Error::Target`].
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

    /// Data to look at after each epoch, without learning from it: their figures are called as those of training with
    /// `val_` before.
    pub fn validation(self, samples: impl Into<Samples<'a, F>>, targets: impl Into<Targets<'a>>) -> Self {
        Fit { validation: Some((samples.into(), targets.into())), ..self }
    }

    /// Keeps this share of the samples back for validation, above 0 and below 1: as in Keras the last ones, whatever
    /// `shuffle` says. The first ⌊n·(1 − share)⌋ of n are learnt from.
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

    /// Validates only after each so many epochs: 1 by default, at least 1. Epochs between have no `val_` figures.
    pub fn validation_freq(self, epochs: usize) -> Self {
        Fit { validation_freq: epochs, ..self }
    }

    /// Adds a callback after those that are there.
    pub fn callback(mut self, callback: &'a mut dyn Callback) -> Self {
        self.callbacks.push(callback);
        self
    }

    /// Keeps a file from which the same call goes on after an interruption, to the bit as if there had been none.
    pub fn backup(self, backup: BackupAndRestore) -> Self {
        Fit { backup: Some(backup), ..self }
    }

    /// Refuses numbers out of range.
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
    /// Trains on samples and targets, and returns the figures of each epoch.
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

    /// Trains on the batches of a source, and returns the figures of each epoch: for data that do not fit in memory.
    ///
    /// Another thread has the next batch made while the model learns from one, unless the model works on one thread alone.
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

/// [`Model::fit`].
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
    // A copy, for the samples that are kept back for validation have no weights of classes.
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

/// [`Model::fit_batches`].
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

/// The validation data, checked and taken out of the options.
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
