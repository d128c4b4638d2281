//! Single steps of training, for loops of one's own: a batch, or a window of long sequences.

use std::sync::{Mutex, PoisonError};

use super::data::Samples;
use super::step::{Room, Work, apply_gradients, rows_of, run_batch};
use super::targets::Targets;
use super::window::Window;
use crate::error::{Error, Result};
use crate::layer::Pass;
use crate::loss::mean;
use crate::scalar::Scalar;
use crate::sequential::{Compiled, Model, ModelState};
use crate::tensor::Form;

impl<F: Scalar> Model<F> {
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
    /// the next window starts; the loss of the window's newest outputs before the step.
    /// [`Fit::truncated`](crate::Fit::truncated) as a plain loop:
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
    pub(super) fn check_windows(&self) -> Result<()> {
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
        let work = Work { samples: samples.view(), targets: arranged, rows, window, state: state.as_ref() };
        let shards = run_batch(&self.network, &**loss, &self.threads, workspaces, work, pass);
        let sum: f64 = shards.iter().map(|shard| shard.loss).sum();
        let loss = mean(sum, rows_of(shards)) + self.network.penalty();
        apply_gradients(&mut self.network, optimizer, shards)?;
        Ok(loss)
    }
}
