//! Running a model on data without learning: the outputs.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use ndarray::{ArrayD, IxDyn};

use super::once;
use super::step::shard_of;
use crate::data::{Samples, write_batch_first};
use crate::error::Result;
use crate::layer::Pass;
use crate::model::{Model, ModelState};
use crate::network::{Part, Workspace};
use crate::numeric::Scalar;
use crate::tensor::{Form, resize, slice_mut};

/// The steps after which layers go on from their state, if they can, so that memory does not grow with the sequence.
const WINDOW: usize = 1024;

/// The memory that [`Model::predict`] works in, kept from call to call: predicting with one allocates nothing once it was
/// used with as many samples and steps.
///
/// It belongs to no model, and is remade when it meets one of other layers. Several threads take one each.
///
/// ```
/// use bptt::models::Predictor;
/// use bptt::prelude::*;
/// use ndarray::{Array3, ArrayD};
///
/// let model = Sequential::new().add(Lstm::new(4)).add(Dense::new(2)).build(Form::sequence(None, 3), 1)?;
/// let (mut predictor, mut outputs) = (Predictor::new(), ArrayD::default(vec![0]));
/// for steps in [20, 5, 12] {
///     let x = Array3::<f32>::ones((7, steps, 3));
///     predictor.predict_into(&model, &x, &mut outputs)?;
///     assert_eq!(outputs, model.predict(&x)?);
/// }
/// # Ok::<(), bptt::Error>(())
/// ```
pub struct Predictor<F: Scalar> {
    /// One for each thread that took part so far.
    workspaces: Vec<Workspace<F>>,
}

impl<F: Scalar> Default for Predictor<F> {
    fn default() -> Self {
        Predictor { workspaces: Vec::new() }
    }
}

impl<F: Scalar> fmt::Debug for Predictor<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Predictor").field("threads", &self.workspaces.len()).finish_non_exhaustive()
    }
}

impl<F: Scalar> Predictor<F> {
    /// Empty predictor.
    pub fn new() -> Self {
        Predictor::default()
    }

    /// [`Model::predict`] into an array, which gets the shape of the outputs and standard layout, in the memory
    /// that it has if that is enough.
    ///
    /// # Errors
    ///
    /// Those of [`Model::predict`]; the array is unchanged then.
    pub fn predict_into<'a>(
        &mut self,
        model: &Model<F>,
        samples: impl Into<Samples<'a, F>>,
        outputs: &mut ArrayD<F>,
    ) -> Result<()> {
        once::predict(self, model, samples.into(), None, outputs)
    }

    /// [`Model::step`] into an array.
    ///
    /// # Errors
    ///
    /// Those of [`Model::step`]; array and state are unchanged then.
    pub fn step<'a>(
        &mut self,
        model: &Model<F>,
        samples: impl Into<Samples<'a, F>>,
        state: &mut ModelState<F>,
        outputs: &mut ArrayD<F>,
    ) -> Result<()> {
        once::predict(self, model, samples.into(), Some(state), outputs)
    }
}

/// [`Predictor::predict_into`], or [`Predictor::step`] with a state.
pub(super) fn predict<F: Scalar>(
    predictor: &mut Predictor<F>,
    model: &Model<F>,
    samples: Samples<'_, F>,
    state: Option<&mut ModelState<F>>,
    outputs: &mut ArrayD<F>,
) -> Result<()> {
    let (network, threads) = (&model.network, &model.threads);
    let count = samples.len();
    match &state {
        Some(state) => {
            samples.check_part(network)?;
            state.check(network, count)?;
        }
        None => samples.check(network)?,
    }
    let (steps, features) = match network.output() {
        Form::Sequence { steps, features } => {
            (Some(steps.filter(|_| state.is_none()).unwrap_or(samples.steps())), features)
        }
        form => (None, form.features()?),
    };
    let (all, without_steps) = ([count, steps.unwrap_or(1), features], [count, features]);
    let shape = if steps.is_some() { &all[..] } else { &without_steps };
    if !outputs.is_standard_layout() {
        *outputs = ArrayD::zeros(shape);
    } else if outputs.shape() != shape {
        resize(outputs, IxDyn(shape));
    }
    if predictor.workspaces.iter().any(|workspace| !network.fits(workspace)) {
        predictor.workspaces.clear();
    }
    let shard_rows = shard_of(count);
    let workers = threads.count(network.work(samples.steps(), count)).min(count.div_ceil(shard_rows));
    while predictor.workspaces.len() < workers {
        predictor.workspaces.push(network.workspace());
    }
    let shards = slice_mut(outputs).chunks_mut(shard_rows * steps.unwrap_or(1) * features).enumerate();
    let length = samples.steps();
    let resumes = state.is_some() || (length > WINDOW && network.resumes());
    let window = if resumes { WINDOW } else { length };
    // Locked only to copy rows.
    let state = state.map(Mutex::new);
    let state = state.as_ref().map(|state| || state.lock().unwrap_or_else(PoisonError::into_inner));
    threads.share(&mut predictor.workspaces[..workers], shards, |workspace, (shard, outputs)| {
        let rows = shard * shard_rows..count.min((shard + 1) * shard_rows);
        match &state {
            Some(state) => state().load_into(rows.clone(), workspace),
            None if resumes => network.start(workspace, rows.len()),
            None => {}
        }
        for first in (0..length).step_by(window) {
            let steps = first..length.min(first + window);
            let part = resumes.then_some(Part { kept: steps.len(), newest: steps.len() });
            samples.load(rows.clone(), steps, workspace);
            network.forward(workspace, false, part, Pass::inference());
            write_batch_first(workspace.output(), first, outputs);
        }
        if let Some(state) = &state {
            state().take_from(rows, workspace);
        }
    });
    Ok(())
}

impl<F: Scalar> Model<F> {
    /// The outputs for all samples, batch first: (N, K), or (N, T, K) if the last layer puts out sequences.
    ///
    /// A [`Predictor`] does the same again and again in memory that it keeps.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`](crate::Error::Empty), [`Error::Samples`](crate::Error::Samples), [`Error::Mask`](crate::Error::Mask),
    /// [`Error::Token`](crate::Error::Token) or [`Error::NotFinite`](crate::Error::NotFinite) for data that do not fit.
    pub fn predict<'a>(&self, samples: impl Into<Samples<'a, F>>) -> Result<ArrayD<F>> {
        let mut outputs = ArrayD::default(IxDyn(&[0]));
        once::predict(&mut Predictor::new(), self, samples.into(), None, &mut outputs)?;
        Ok(outputs)
    }

    /// The outputs for the next steps of each sample's sequence, one or more, going on from a state and leaving the one after
    /// them in it. Without `return_sequences` it is the output after the last of them.
    ///
    /// A [`Predictor`] does the same again and again in memory that it keeps.
    ///
    /// ```
    /// use bptt::prelude::*;
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
    /// Those of [`Model::predict`]; [`Error::StateSize`](crate::Error::StateSize) or
    /// [`Error::ForeignState`](crate::Error::ForeignState) if the state does not fit.
    pub fn step<'a>(&self, samples: impl Into<Samples<'a, F>>, state: &mut ModelState<F>) -> Result<ArrayD<F>> {
        let mut outputs = ArrayD::default(IxDyn(&[0]));
        once::predict(&mut Predictor::new(), self, samples.into(), Some(state), &mut outputs)?;
        Ok(outputs)
    }
}
