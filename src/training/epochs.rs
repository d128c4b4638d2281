//! The training loop: epochs of batches, validation after them, callbacks in between.
//!
//! The order of calls is in the documentation of [`callbacks`](crate::callbacks). The weights' moving averages, if there are
//! any, take their place before `on_train_end`.
//!
//! All that changes from batch to batch, besides the model and its optimizer, is in [`Session`]: `backup.rs` writes it to a
//! file and takes it up again.

use std::ops::Range;
use std::time::Instant;

use super::backup::{BackupAndRestore, Saved};
use super::callback::Callback;
use super::evaluate::evaluate;
use super::feed::{Feed, Rows};
use super::figures::Figures;
use super::fit::Fit;
use super::single::check_windows;
use super::step::{Work, apply_gradients, run_batch};
use super::view::Training;
use super::window::Window;
use crate::data::{ArrangedTargets, Samples};
use crate::error::{Error, Result};
use crate::history::{History, Logs};
use crate::logging::tell;
use crate::model::Model;
use crate::network::Workspace;
use crate::numeric::Scalar;

/// What to look at after epochs without learning from it: some rows of samples.
pub(super) struct Validation<'v, F> {
    pub(super) samples: Samples<'v, F>,
    pub(super) targets: &'v ArrangedTargets<F>,
    pub(super) rows: Range<usize>,
}

impl<'v, F: Scalar> Validation<'v, F> {
    /// All rows.
    pub(super) fn new(samples: Samples<'v, F>, targets: &'v ArrangedTargets<F>) -> Self {
        Validation { rows: 0..samples.len(), samples, targets }
    }
}

/// A training under way.
pub(super) struct Session<'m, 'c, F: Scalar> {
    pub(super) model: &'m mut Model<F>,
    pub(super) callbacks: Vec<&'c mut dyn Callback>,
    pub(super) history: History,
    /// Epochs that are over.
    pub(super) epoch: usize,
    /// Batches of the next one that are over; none before it begins.
    pub(super) batch: usize,
    /// The figures of these batches.
    pub(super) figures: Figures<F>,
    /// Whether a callback has ended training,
    pub(super) stop: bool,
    /// and not for good.
    pub(super) interrupted: bool,
    epochs: usize,
    pub(super) batches: Option<usize>,
    workspaces: Vec<Workspace<F>>,
    windows: Windows,
}

/// The windows in which a model learns from long sequences, made anew only for sequences of another length.
struct Windows {
    truncated: Option<(usize, usize)>,
    steps: usize,
    windows: Vec<Option<Window>>,
}

impl Windows {
    /// Those of sequences with so many steps: the whole of them if training is not truncated.
    fn of(&mut self, steps: usize) -> Result<&[Option<Window>]> {
        match self.truncated {
            Some((every, through)) if self.steps != steps || self.windows.is_empty() => {
                self.windows = Window::all(steps, every, through)?.map(Some).collect();
                self.steps = steps;
            }
            None if self.windows.is_empty() => self.windows.push(None),
            _ => {}
        }
        Ok(&self.windows)
    }
}

/// Trains a model on what a feed brings.
pub(super) fn train<F: Scalar>(
    model: &mut Model<F>,
    feed: &mut dyn Feed<F>,
    validation: Option<Validation<'_, F>>,
    fit: Fit<'_, F>,
) -> Result<History> {
    let started = Instant::now();
    model.compiled.as_ref().ok_or(Error::NotCompiled)?.optimizer.check()?;
    if let Some((every, through)) = fit.truncated {
        check_windows(model)?;
        // Refuses wrong ones before the first step.
        drop(Window::all(1, every, through)?);
    }
    let limit = fit.steps_per_epoch.unwrap_or(usize::MAX);
    let mut session = Session {
        figures: Figures::new(&model.network, model.compiled.as_ref().ok_or(Error::NotCompiled)?)?,
        model,
        callbacks: fit.callbacks,
        history: History::default(),
        epoch: 0,
        batch: 0,
        stop: false,
        interrupted: false,
        epochs: fit.epochs,
        batches: feed.batches().map(|batches| batches.min(limit)).or(fit.steps_per_epoch),
        workspaces: Vec::new(),
        windows: Windows { truncated: fit.truncated, steps: 0, windows: Vec::new() },
    };
    let backup = fit.backup.as_ref();
    let saved = match backup {
        Some(backup) => backup.read(&session)?,
        None => None,
    };
    session.each(|callback, training| callback.on_train_begin(training))?;
    if let Some(saved) = saved {
        session.take_up(saved)?;
    }
    let mut validation_workspaces = Vec::new();
    while session.epoch < session.epochs && !session.stop {
        let epoch_started = Instant::now();
        let mut logs = session.epoch(feed, limit, backup)?;
        if session.interrupted {
            break;
        }
        let seconds = epoch_started.elapsed().as_secs_f64();
        if let Some(Validation { samples, targets, rows }) = &validation
            && (session.epoch + 1).is_multiple_of(fit.validation_freq)
        {
            let Model { network, compiled, threads, .. } = &*session.model;
            let compiled = compiled.as_ref().ok_or(Error::NotCompiled)?;
            let workspaces = &mut validation_workspaces;
            let figures = evaluate(network, compiled, threads, workspaces, samples, targets, rows.clone())?;
            figures.iter().for_each(|(name, value)| logs.set(&format!("val_{name}"), value));
        }
        let epoch = session.epoch + 1;
        session.each(|callback, training| callback.on_epoch_end(epoch, &mut logs, training))?;
        tell!(debug, "epoch {epoch}: {logs:?} in {seconds:.3} s");
        session.history.push(&logs, seconds);
        session.epoch += 1;
        session.batch = 0;
        if let Some(backup) = backup {
            backup.write(&session)?;
        }
    }
    session.model.use_averages()?;
    let logs = session.history.epoch(session.history.epochs());
    session.each(|callback, training| callback.on_train_end(&logs, training))?;
    if let Some(backup) = backup
        && !session.interrupted
    {
        backup.finish()?;
    }
    session.history.set_total_seconds(started.elapsed().as_secs_f64());
    Ok(session.history)
}

impl<F: Scalar> Session<'_, '_, F> {
    /// Calls each callback.
    fn each(&mut self, mut call: impl FnMut(&mut dyn Callback, &mut Training<'_>) -> Result<()>) -> Result<()> {
        let Session { model, callbacks, history, stop, interrupted, epochs, batches, .. } = self;
        let mut training =
            Training { model: &mut **model, epochs: *epochs, batches: *batches, history, stop, interrupted };
        callbacks.iter_mut().try_for_each(|callback| call(&mut **callback, &mut training))
    }

    /// Goes on from a backup instead of from the start.
    fn take_up(&mut self, saved: Saved<F>) -> Result<()> {
        if saved.batch > 0 {
            // It was called for this epoch, before the state was saved that callbacks now take up.
            let epoch = saved.epoch + 1;
            self.each(|callback, training| callback.on_epoch_begin(epoch, training))?;
        }
        saved.apply(self)
    }

    /// Runs the batches of an epoch, or those that are left of it.
    fn epoch(&mut self, feed: &mut dyn Feed<F>, limit: usize, backup: Option<&BackupAndRestore>) -> Result<Logs> {
        if self.batch == 0 {
            let epoch = self.epoch + 1;
            self.each(|callback, training| callback.on_epoch_begin(epoch, training))?;
            self.model.begin_shuffle();
            self.figures.reset();
        }
        feed.start(self.model.shuffle_key(), self.batch)?;
        let mut logs = Logs::default();
        while self.batch < limit && !self.stop {
            let Model { network, compiled, .. } = &*self.model;
            let compiled = compiled.as_ref().ok_or(Error::NotCompiled)?;
            let Some(rows) = feed.next(network, &*compiled.loss)? else { break };
            self.learn(rows)?;
            self.batch += 1;
            self.figures.write(&mut logs);
            let batch = self.batch;
            self.each(|callback, training| callback.on_batch_end(batch, &logs, training))?;
            // After a stop for good, the epoch's end is what is written.
            if let Some(backup) = backup
                && (self.interrupted || backup.is_due(self.batch) && !self.stop)
            {
                backup.write(self)?;
            }
        }
        if self.batch == 0 {
            return Err(Error::Empty { what: "the epoch", mend: "let the source of batches make at least one" });
        }
        self.figures.write(&mut logs);
        Ok(logs)
    }

    /// One step of the optimizer on each window of a batch.
    fn learn(&mut self, Rows { samples, targets, rows }: Rows<'_, F>) -> Result<()> {
        for window in self.windows.of(samples.steps())? {
            let pass = self.model.training_pass()?;
            let Model { network, compiled, threads, .. } = &mut *self.model;
            let compiled = compiled.as_mut().ok_or(Error::NotCompiled)?;
            let work = Work { samples: samples.view(), targets, rows, window: window.as_ref(), state: None };
            let shards = run_batch(network, &*compiled.loss, threads, &mut self.workspaces, work, pass);
            self.figures.add(shards, network.penalty());
            apply_gradients(network, &mut compiled.optimizer, shards)?;
        }
        Ok(())
    }
}
