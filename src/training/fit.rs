//! The training loop: epochs of shuffled batches, validation after each, callbacks in between.
//!
//! Order of calls: `on_train_begin`; for each epoch `on_epoch_begin`, for each batch `on_batch_end`, validation,
//! `on_epoch_end`; last, after the weights' moving averages, if there are any, have taken their place, `on_train_end`.
//! Callbacks are called in the order in which they were added, and share one [`Logs`], which then goes into [`History`].

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::data::Samples;
use super::evaluate::evaluate;
use super::history::{History, Logs};
use super::step::{Batch, Room, apply_gradients, rows_of, run_batch};
use super::targets::{ArrangedTargets, Targets};
use super::window::Window;
use crate::callbacks::Callback;
use crate::error::{Error, Result};
use crate::layer::{Pass, check_count};
use crate::loss::mean;
use crate::scalar::Scalar;
use crate::sequential::{Compiled, Model, ModelState};
use crate::tensor::Form;

/// How to train: everything that [`Model::fit`] wants to know besides the data.
///
/// | option | default | purpose |
/// | --- | --- | --- |
/// | `epochs` | 1 | how often to go through the data |
/// | `batch_size` | 32 | samples for each step of the optimizer; the last batch may be smaller |
/// | `shuffle` | true | a new order of the samples for each epoch |
/// | `truncated` | none | learn from windows of long sequences: truncated backpropagation through time |
/// | `class_weight` | 1 for each | how much the rows of a class count |
/// | `validation` | none | data for the `val_` figures |
/// | `callback` | none | what to call along the way; may be given several times |
#[derive(Default)]
pub struct Fit<'a, F> {
    epochs: Option<usize>,
    batch_size: Option<usize>,
    keep_order: bool,
    truncated: Option<(usize, usize)>,
    class_weight: BTreeMap<usize, f64>,
    validation: Option<(Samples<'a, F>, Targets<'a>)>,
    callbacks: Vec<&'a mut dyn Callback<F>>,
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

impl<'a, F: Scalar> Fit<'a, F> {
    /// One epoch in batches of 32.
    pub fn new() -> Self {
        Fit {
            epochs: None,
            batch_size: None,
            keep_order: false,
            truncated: None,
            class_weight: BTreeMap::new(),
            validation: None,
            callbacks: Vec::new(),
        }
    }

    /// How often to go through the data.
    pub fn epochs(self, epochs: usize) -> Self {
        Fit { epochs: Some(epochs), ..self }
    }

    /// Samples for each step of the optimizer.
    pub fn batch_size(self, batch_size: usize) -> Self {
        Fit { batch_size: Some(batch_size), ..self }
    }

    /// Whether each epoch takes the samples in a new order.
    pub fn shuffle(self, shuffle: bool) -> Self {
        Fit { keep_order: !shuffle, ..self }
    }

    /// Learns `every` k₁ steps from the newest k₁ outputs, with gradients that go back `through` the last k₂ steps: see
    /// [`Window`]. States start at zero with each batch and are carried from window to window; the model needs an output
    /// for each step.
    #[doc(alias = "stateful")]
    pub fn truncated(self, every: usize, through: usize) -> Self {
        Fit { truncated: Some((every, through)), ..self }
    }

    /// How much the rows of a class count, 1 for classes that are left out: `[(0, 1.0), (1, 3.0)]`. The class is told from
    /// the targets as in Keras: a class number, the largest of a one-hot row, or a label 0 or 1, rounded; a row of zeros
    /// has none. These weights multiply those of the [`Targets`]; validation data have none.
    ///
    /// ```
    /// use bptt::{Activation, BinaryCrossentropy, Dense, Fit, Form, Recall, Sequential, Sgd};
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

    /// Data to look at after each epoch, without learning from it.
    pub fn validation(self, samples: impl Into<Samples<'a, F>>, targets: impl Into<Targets<'a>>) -> Self {
        Fit { validation: Some((samples.into(), targets.into())), ..self }
    }

    /// Adds a callback after those that are there.
    pub fn callback(mut self, callback: &'a mut dyn Callback<F>) -> Self {
        self.callbacks.push(callback);
        self
    }
}

/// Training as a callback sees it.
#[derive(Debug)]
pub struct Training<'a, F: Scalar> {
    /// The model, between two steps.
    pub model: &'a mut Model<F>,
    /// How many epochs are planned.
    pub epochs: usize,
    /// How many batches an epoch has.
    pub batches: usize,
    stop: &'a mut bool,
}

impl<F: Scalar> Training<'_, F> {
    /// Ends training: from the end of a batch the epoch is cut short, but its validation and callbacks still run.
    pub fn stop(&mut self) {
        *self.stop = true;
    }
}

impl<F: Scalar> Model<F> {
    /// Trains on samples and targets, and returns the figures of each epoch.
    ///
    /// # Errors
    ///
    /// [`Error::NotCompiled`] before [`Model::compile`]; [`Error::Empty`], [`Error::Samples`], [`Error::Token`],
    /// [`Error::NotFinite`], [`Error::Targets`], [`Error::Target`], [`Error::Weights`] or [`Error::Weight`] for data that do
    /// not fit, validation data too; [`Error::Metric`] for a metric that does not;
    /// [`Error::InvalidOption`] for options out of range; the same if a schedule or a callback gives a learning rate that
    /// is negative or not finite; [`Error::Gradient`] if clipping meets a gradient that is not finite; and what callbacks
    /// return. All but the last three before the first step.
    pub fn fit<'a>(
        &mut self,
        samples: impl Into<Samples<'a, F>>,
        targets: impl Into<Targets<'a>>,
        fit: Fit<'_, F>,
    ) -> Result<History> {
        let fit_started = Instant::now();
        let samples = samples.into();
        let (epochs, batch_size) = (fit.epochs.unwrap_or(1), fit.batch_size.unwrap_or(32));
        check_count("batch_size", batch_size)?;
        let compiled = self.compiled.as_ref().ok_or(Error::NotCompiled)?;
        compiled.optimizer.check()?;
        samples.check(&self.network)?;
        let output = self.network.output();
        let mut metrics = compiled.start_metrics(output)?;
        let mut targets = ArrangedTargets::new(&targets.into(), &samples, output, &*compiled.loss)?;
        targets.weigh_classes(&fit.class_weight)?;
        let validation = match fit.validation {
            Some((samples, targets)) => {
                samples.check(&self.network)?;
                Some((samples, ArrangedTargets::new(&targets, &samples, output, &*compiled.loss)?))
            }
            None => None,
        };
        let windows = match fit.truncated {
            Some((every, through)) => {
                self.check_windows()?;
                Window::all(samples.steps(), every, through)?.map(Some).collect()
            }
            None => vec![None],
        };
        let mut callbacks = fit.callbacks;
        let mut history = History::default();
        let (mut workspaces, mut validation_workspaces) = (Vec::new(), Vec::new());
        let batches = samples.len().div_ceil(batch_size);
        let mut stop = false;

        let mut logs = Logs::default();
        for callback in &mut callbacks {
            callback.on_train_begin(&mut Training { model: self, epochs, batches, stop: &mut stop })?;
        }
        for epoch in 0..epochs {
            for callback in &mut callbacks {
                callback.on_epoch_begin(epoch, &mut Training { model: self, epochs, batches, stop: &mut stop })?;
            }
            let started = Instant::now();
            let order = if fit.keep_order { (0..samples.len()).collect() } else { self.shuffled(samples.len()) };
            metrics.reset();
            logs = Logs::default();
            let (mut sum, mut rows_seen) = (0.0, 0);
            for (batch, rows) in order.chunks(batch_size).enumerate() {
                for window in &windows {
                    let pass = self.training_pass()?;
                    let Model { network, compiled, threads, .. } = self;
                    let compiled = compiled.as_mut().ok_or(Error::NotCompiled)?;
                    let window = window.as_ref();
                    let work = Batch { samples: &samples, targets: &targets, rows, window, state: None };
                    let shards = run_batch(network, &*compiled.loss, threads, &mut workspaces, work, pass);
                    for shard in shards.iter() {
                        sum += shard.loss;
                        metrics.update(shard.results());
                    }
                    let rows = rows_of(shards);
                    rows_seen += rows;
                    sum += network.penalty() * rows as f64;
                    apply_gradients(network, &mut compiled.optimizer, shards)?;
                }
                logs.set("loss", mean(sum, rows_seen));
                metrics.write(&mut logs);
                for callback in &mut callbacks {
                    let mut training = Training { model: self, epochs, batches, stop: &mut stop };
                    callback.on_batch_end(batch, &logs, &mut training)?;
                }
                if stop {
                    break;
                }
            }
            let seconds = started.elapsed().as_secs_f64();
            if let Some((samples, targets)) = &validation {
                let compiled = self.compiled.as_ref().ok_or(Error::NotCompiled)?;
                let workspaces = &mut validation_workspaces;
                let figures = evaluate(&self.network, compiled, &self.threads, workspaces, samples, targets)?;
                for (name, value) in figures.iter() {
                    logs.set(&format!("val_{name}"), value);
                }
            }
            for callback in &mut callbacks {
                let mut training = Training { model: self, epochs, batches, stop: &mut stop };
                callback.on_epoch_end(epoch, &mut logs, &mut training)?;
            }
            history.push(logs.clone(), seconds);
            if stop {
                break;
            }
        }
        self.use_averages()?;
        for callback in &mut callbacks {
            callback.on_train_end(&logs, &mut Training { model: self, epochs, batches, stop: &mut stop })?;
        }
        history.set_total_seconds(fit_started.elapsed().as_secs_f64());
        Ok(history)
    }

    /// One step of the optimizer on one batch, in the order given; the batch's loss before the step, with penalties.
    ///
    /// The model keeps the memory of the step for the next one, until it is compiled anew.
    ///
    /// # Errors
    ///
    /// Those of [`Model::fit`].
    #[doc(alias = "train_on_batch")]
    pub fn train_batch<'a>(
        &mut self,
        samples: impl Into<Samples<'a, F>>,
        targets: impl Into<Targets<'a>>,
    ) -> Result<f64> {
        let samples = samples.into();
        let pass = self.training_pass()?;
        self.train_batch_with(samples, targets.into(), pass)
    }

    /// One step of the optimizer on one window of long sequences, going on from a state and leaving in it the one from which
    /// the next window starts; the loss of the window's newest outputs before the step. [`Fit::truncated`] as a plain loop:
    ///
    /// ```
    /// use bptt::{Adam, Dense, Form, Lstm, MeanSquaredError, Sequential, Window};
    /// use ndarray::Array3;
    ///
    /// let layers = Sequential::new().add(Lstm::new(4).return_sequences(true)).add(Dense::new(1));
    /// let mut model = layers.build(Form::sequence(None, 2), 1)?;
    /// model.compile(Adam::new(0.01), MeanSquaredError);
    /// let (x, y) = (Array3::<f32>::ones((3, 100, 2)), Array3::<f32>::zeros((3, 100, 1)));
    ///
    /// let mut state = model.state(3)?;
    /// for window in Window::all(100, 10, 20)? {
    ///     model.train_window(&x, &y, &window, &mut state)?;
    /// }
    /// # Ok::<(), bptt::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Model::fit`]; [`Error::StateSize`] or [`Error::ForeignState`] if the state does not fit;
    /// [`Error::InvalidOption`] if the window does not lie within the sequences.
    pub fn train_window<'a>(
        &mut self,
        samples: impl Into<Samples<'a, F>>,
        targets: impl Into<Targets<'a>>,
        window: &Window,
        state: &mut ModelState<F>,
    ) -> Result<f64> {
        let samples = samples.into();
        self.check_windows()?;
        samples.check_part(&self.network)?;
        state.check(&self.network, samples.len())?;
        let Window { steps, newest, kept } = window;
        if steps.is_empty() || steps.end > samples.steps() || *newest > steps.len() || *kept > steps.len() {
            let allowed = "some of the steps that the samples have";
            return Err(Error::InvalidOption { option: "window", value: format!("{window:?}"), allowed });
        }
        let pass = self.training_pass()?;
        self.train_part(samples, targets.into(), Some((window, state)), pass)
    }

    /// Refuses windows for a model without an output for each step, or with layers that need the whole sequence.
    fn check_windows(&self) -> Result<()> {
        let output = self.network.output();
        if !matches!(output, Form::Sequence { .. }) {
            return Err(Error::Windows { got: output });
        }
        self.state(0).map(drop)
    }

    /// [`Model::train_batch`] with a pass of the caller's.
    #[doc(hidden)]
    pub fn train_batch_with(&mut self, samples: Samples<'_, F>, targets: Targets<'_>, pass: Pass<'_>) -> Result<f64> {
        samples.check(&self.network)?;
        self.train_part(samples, targets, None, pass)
    }

    fn train_part(
        &mut self,
        samples: Samples<'_, F>,
        targets: Targets<'_>,
        part: Option<(&Window, &mut ModelState<F>)>,
        pass: Pass<'_>,
    ) -> Result<f64> {
        let Compiled { optimizer, loss, room, .. } = self.compiled.as_mut().ok_or(Error::NotCompiled)?;
        optimizer.check()?;
        let Room { workspaces, targets: arranged, rows } = room.get_mut().unwrap_or_else(PoisonError::into_inner);
        let output = self.network.output();
        let output = if part.is_some() { output.any_length() } else { output };
        arranged.arrange(&targets, &samples, output, &**loss)?;
        rows.clear();
        rows.extend(0..samples.len());
        let (window, state) = part.map(|(window, state)| (window, Mutex::new(state))).unzip();
        let batch = Batch { samples: &samples, targets: arranged, rows, window, state: state.as_ref() };
        let shards = run_batch(&self.network, &**loss, &self.threads, workspaces, batch, pass);
        let sum: f64 = shards.iter().map(|shard| shard.loss).sum();
        let loss = mean(sum, rows_of(shards)) + self.network.penalty();
        apply_gradients(&mut self.network, optimizer, shards)?;
        Ok(loss)
    }
}
