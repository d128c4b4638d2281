//! Single steps of training, for loops of one's own: a batch, or a window of long sequences.

use std::sync::{Mutex, PoisonError};

use super::once;
use super::step::{Work, apply_gradients, rows_of, run_batch};
use super::window::Window;
use crate::data::{Samples, Targets};
use crate::error::{Error, Result};
use crate::layer::Pass;
use crate::losses::mean;
use crate::model::{Compiled, Model, ModelState, Room};
use crate::numeric::Scalar;
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
        let pass = self.training_pass()?;
        once::train_batch(self, samples.into(), targets.into(), pass)
    }

    /// One step of the optimizer on one window of long sequences, going on from a state and leaving in it the one from which
    /// the next window starts; the loss of the window's newest outputs before the step.
    /// [`Fit::truncated`](crate::models::Fit::truncated) as a plain loop:
    ///
    /// ```
    /// use bptt::models::Window;
    /// use bptt::prelude::*;
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
        once::train_window(self, samples.into(), targets.into(), window, state)
    }
}

/// [`Model::train_window`].
pub(super) fn train_window<F: Scalar>(
    model: &mut Model<F>,
    samples: Samples<'_, F>,
    targets: Targets<'_>,
    window: &Window,
    state: &mut ModelState<F>,
) -> Result<f64> {
    check_windows(model)?;
    samples.check_part(&model.network)?;
    state.check(&model.network, samples.len())?;
    let Window { steps, newest, kept } = window;
    if steps.is_empty() || steps.end > samples.steps() || *newest > steps.len() || *kept > steps.len() {
        let allowed = "some of the steps that the samples have";
        return Err(Error::InvalidOption { option: "window", value: format!("{window:?}"), allowed });
    }
    let pass = model.training_pass()?;
    train_part(model, samples, targets, Some((window, state)), pass)
}

/// Refuses windows for a model without an output for each step, or with layers that need the whole sequence.
pub(super) fn check_windows<F: Scalar>(model: &Model<F>) -> Result<()> {
    let output = model.network.output();
    if !matches!(output, Form::Sequence { .. }) {
        return Err(Error::Windows { got: output.to_string() });
    }
    model.state(0).map(drop)
}

/// [`Model::train_batch`] with a pass of the caller's.
pub(super) fn train_batch<F: Scalar>(
    model: &mut Model<F>,
    samples: Samples<'_, F>,
    targets: Targets<'_>,
    pass: Pass<'_>,
) -> Result<f64> {
    samples.check(&model.network)?;
    train_part(model, samples, targets, None, pass)
}

fn train_part<F: Scalar>(
    model: &mut Model<F>,
    samples: Samples<'_, F>,
    targets: Targets<'_>,
    part: Option<(&Window, &mut ModelState<F>)>,
    pass: Pass<'_>,
) -> Result<f64> {
    let Compiled { optimizer, loss, room, .. } = model.compiled.as_mut().ok_or(Error::NotCompiled)?;
    optimizer.check()?;
    let Room { workspaces, targets: arranged, rows } = room.get_mut().unwrap_or_else(PoisonError::into_inner);
    let output = model.network.output();
    let output = if part.is_some() { output.any_length() } else { output };
    arranged.arrange(&targets, &samples, output, &**loss)?;
    rows.clear();
    rows.extend(0..samples.len());
    let (window, state) = part.map(|(window, state)| (window, Mutex::new(state))).unzip();
    let work = Work { samples: samples.view(), targets: arranged, rows, window, state: state.as_ref() };
    let shards = run_batch(&model.network, &**loss, &model.threads, workspaces, work, pass);
    let sum: f64 = shards.iter().map(|shard| shard.loss).sum();
    let loss = mean(sum, rows_of(shards)) + model.network.penalty();
    apply_gradients(&mut model.network, optimizer, shards)?;
    Ok(loss)
}
