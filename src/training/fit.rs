//! The training loop: epochs of shuffled batches, validation after each, callbacks in between.
//!
//! Order of calls: `on_train_begin`; for each epoch `on_epoch_begin`, for each batch `on_batch_end`, validation,
//! `on_epoch_end`; last `on_train_end`. Callbacks are called in the order in which they were added, and share one
//! [`Logs`], which then goes into [`History`].

use std::sync::PoisonError;
use std::time::Instant;

use super::data::Samples;
use super::evaluate::evaluate;
use super::history::{History, Logs};
use super::step::{Batch, Room, apply_gradients, run_batch};
use super::targets::{ArrangedTargets, Targets};
use crate::callbacks::Callback;
use crate::error::{Error, Result};
use crate::layer::{Pass, check_count};
use crate::scalar::Scalar;
use crate::sequential::{Compiled, Model};

/// How to train: everything that [`Model::fit`] wants to know besides the data.
///
/// | option | default | purpose |
/// | --- | --- | --- |
/// | `epochs` | 1 | how often to go through the data |
/// | `batch_size` | 32 | samples for each step of the optimizer; the last batch may be smaller |
/// | `shuffle` | true | a new order of the samples for each epoch |
/// | `validation` | none | data for the `val_` figures |
/// | `callback` | none | what to call along the way; may be given several times |
#[derive(Default)]
pub struct Fit<'a, F> {
    epochs: Option<usize>,
    batch_size: Option<usize>,
    keep_order: bool,
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
        Fit { epochs: None, batch_size: None, keep_order: false, validation: None, callbacks: Vec::new() }
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
    /// [`Error::NotFinite`], [`Error::Targets`] or [`Error::Target`] for data that do not fit, validation data too;
    /// [`Error::InvalidOption`] for options out of range; [`Error::Gradient`] if clipping meets a gradient that is not
    /// finite; and what callbacks return. All but the last two before the first step.
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
        let targets = ArrangedTargets::new(&targets.into(), &samples, output, &*compiled.loss)?;
        let validation = match fit.validation {
            Some((samples, targets)) => {
                samples.check(&self.network)?;
                Some((samples, ArrangedTargets::new(&targets, &samples, output, &*compiled.loss)?))
            }
            None => None,
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
            let mut metrics: Vec<_> = self.metrics()?.iter().map(|metric| metric.fresh()).collect();
            logs = Logs::default();
            let (mut sum, mut rows_seen) = (0.0, 0);
            for (batch, rows) in order.chunks(batch_size).enumerate() {
                let pass = self.training_pass()?;
                let Model { network, compiled, threads, .. } = self;
                let compiled = compiled.as_mut().ok_or(Error::NotCompiled)?;
                let work = Batch { samples: &samples, targets: &targets, rows };
                let shards = run_batch(network, &*compiled.loss, threads, &mut workspaces, work, pass);
                for shard in shards.iter() {
                    sum += shard.loss;
                    metrics.iter_mut().for_each(|metric| metric.update(shard.output_rows(), shard.targets.view()));
                }
                let output_rows = rows.len() * targets.rows_per_sample();
                rows_seen += output_rows;
                sum += network.penalty() * output_rows as f64;
                apply_gradients(network, &mut compiled.optimizer, shards, output_rows)?;
                logs.set("loss", sum / rows_seen as f64);
                metrics.iter().for_each(|metric| logs.set(metric.name(), metric.result()));
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
                let (loss, metrics) = (&*compiled.loss, &compiled.metrics);
                let workspaces = &mut validation_workspaces;
                let figures = evaluate(&self.network, loss, metrics, &self.threads, workspaces, samples, targets)?;
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

    /// [`Model::train_batch`] with a pass of the caller's.
    #[doc(hidden)]
    pub fn train_batch_with(&mut self, samples: Samples<'_, F>, targets: Targets<'_>, pass: Pass<'_>) -> Result<f64> {
        let Compiled { optimizer, loss, room, .. } = self.compiled.as_mut().ok_or(Error::NotCompiled)?;
        optimizer.check()?;
        samples.check(&self.network)?;
        let Room { workspaces, targets: arranged, rows } = room.get_mut().unwrap_or_else(PoisonError::into_inner);
        arranged.arrange(&targets, &samples, self.network.output(), &**loss)?;
        rows.clear();
        rows.extend(0..samples.len());
        let batch = Batch { samples: &samples, targets: arranged, rows };
        let shards = run_batch(&self.network, &**loss, &self.threads, workspaces, batch, pass);
        let sum: f64 = shards.iter().map(|shard| shard.loss).sum();
        let output_rows = rows.len() * arranged.rows_per_sample();
        let loss = crate::loss::mean(sum, output_rows)? + self.network.penalty();
        apply_gradients(&mut self.network, optimizer, shards, output_rows)?;
        Ok(loss)
    }
}
