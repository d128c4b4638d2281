//! View of a training for callbacks.

use std::any::Any;
use std::fmt::{self, Debug};
use std::path::Path;

use ndarray::ArrayViewD;

use crate::error::{Error, Result};
use crate::history::History;
use crate::model::Model;
use crate::numeric::Scalar;
use crate::numeric::checks::check_not_negative;

/// View of a training for a [`Callback`](super::Callback), between two steps.
///
/// It gives read access to the model, and can change weights, the learning rate, and which layers are frozen.
pub struct Training<'a> {
    pub(super) model: &'a mut dyn Trained,
    pub(super) epochs: usize,
    pub(super) batches: Option<usize>,
    pub(super) history: &'a History,
    pub(super) stop: &'a mut bool,
    pub(super) interrupted: &'a mut bool,
}

impl Debug for Training<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Training").field("epochs", &self.epochs).field("batches", &self.batches).finish_non_exhaustive()
    }
}

impl Training<'_> {
    /// Returns the number of planned epochs.
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// Returns the number of batches of an epoch, if known.
    pub fn batches(&self) -> Option<usize> {
        self.batches
    }

    /// Returns the figures of the finished epochs.
    pub fn history(&self) -> &History {
        self.history
    }

    /// Returns the model, if it has this number type: `training.model::<f32>()`.
    pub fn model<F: Scalar>(&self) -> Option<&Model<F>> {
        self.model.as_any().downcast_ref()
    }

    /// Returns the learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.model.learning_rate()
    }

    /// Sets the learning rate from the next step on, and ends a schedule.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] if it is negative or not finite.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        check_not_negative("learning_rate", rate)?;
        self.model.set_learning_rate(rate);
        Ok(())
    }

    /// Returns all weights as one vector, for [`Training::set_weights`].
    pub fn weights(&self) -> Vec<f64> {
        self.model.weights()
    }

    /// Sets all weights from one slice.
    ///
    /// # Errors
    ///
    /// [`Error::LengthMismatch`] if their number is not that of the model.
    pub fn set_weights(&mut self, weights: &[f64]) -> Result<()> {
        let (left_length, right_length) = (weights.len(), self.model.parameters());
        if left_length != right_length {
            let (left, right) = ("numbers", "weights of the model");
            return Err(Error::LengthMismatch { left, left_length, right, right_length });
        }
        self.model.set_weights(weights);
        Ok(())
    }

    /// Replaces one weight, as [`Model::set_weight`].
    ///
    /// # Errors
    ///
    /// Those of [`Model::set_weight`].
    pub fn set_weight(&mut self, name: &str, value: ArrayViewD<'_, f64>) -> Result<()> {
        self.model.set_weight(name, value)
    }

    /// Freezes or unfreezes a layer, as [`Model::set_trainable`].
    ///
    /// # Errors
    ///
    /// Those of [`Model::set_trainable`].
    pub fn set_trainable(&mut self, layer: &str, trainable: bool) -> Result<()> {
        self.model.set_trainable(layer, trainable)
    }

    /// Writes the model to a file, as [`Model::save`].
    ///
    /// # Errors
    ///
    /// Those of [`Model::save`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.model.save(path.as_ref())
    }

    /// Writes the weights alone, as [`Model::save_weights`].
    ///
    /// # Errors
    ///
    /// Those of [`Model::save_weights`].
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        self.model.save_weights(path.as_ref())
    }

    /// Ends training: after a batch the epoch is cut short, but its validation and callbacks still run.
    pub fn stop(&mut self) {
        *self.stop = true;
    }

    /// Interrupts training at once. An unfinished epoch is left out of the history, without validation and `on_epoch_end`;
    /// `on_train_end` is called. A [backup](super::Fit::backup) is written and stays, so that the same call of `fit`
    /// continues with the next batch as if there had been no interruption.
    pub fn interrupt(&mut self) {
        *self.stop = true;
        *self.interrupted = true;
    }
}

/// Model in training, without its number type.
pub(super) trait Trained {
    fn as_any(&self) -> &dyn Any;
    fn learning_rate(&self) -> f64;
    fn set_learning_rate(&mut self, rate: f64);
    fn parameters(&self) -> usize;
    fn weights(&self) -> Vec<f64>;
    /// Sets the weights, one for each parameter.
    fn set_weights(&mut self, weights: &[f64]);
    fn set_weight(&mut self, name: &str, value: ArrayViewD<'_, f64>) -> Result<()>;
    fn set_trainable(&mut self, layer: &str, trainable: bool) -> Result<()>;
    fn save(&self, path: &Path) -> Result<()>;
    fn save_weights(&self, path: &Path) -> Result<()>;
}

impl<F: Scalar> Trained for Model<F> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn learning_rate(&self) -> f64 {
        self.compiled.as_ref().map_or(0.0, |compiled| compiled.optimizer.learning_rate())
    }

    fn set_learning_rate(&mut self, rate: f64) {
        if let Some(optimizer) = self.optimizer() {
            optimizer.set_learning_rate(rate);
        }
    }

    fn parameters(&self) -> usize {
        Model::parameters(self)
    }

    fn weights(&self) -> Vec<f64> {
        let mut all = Vec::with_capacity(Model::parameters(self));
        self.network.visit(|_, tensor| all.extend(tensor.iter().map(|value| value.widen())));
        all
    }

    fn set_weights(&mut self, weights: &[f64]) {
        let mut values = weights.iter();
        self.network.visit_mut(|_, mut tensor| {
            tensor.iter_mut().zip(&mut values).for_each(|(weight, &value)| *weight = F::of(value));
        });
    }

    fn set_weight(&mut self, name: &str, value: ArrayViewD<'_, f64>) -> Result<()> {
        Model::set_weight(self, name, &value.mapv(F::of))
    }

    fn set_trainable(&mut self, layer: &str, trainable: bool) -> Result<()> {
        Model::set_trainable(self, layer, trainable)
    }

    fn save(&self, path: &Path) -> Result<()> {
        Model::save(self, path)
    }

    fn save_weights(&self, path: &Path) -> Result<()> {
        Model::save_weights(self, path)
    }
}
