//! One step, in the order that all optimizers share, on weights wherever they are: in a model, or in a user's hands.

use super::Optimizer;
use crate::error::{Error, Result};
use crate::numeric::Scalar;
use crate::weights::{Params, Path, set_zero};

/// What is called with a tensor's number and path, its gradient to be changed.
pub(crate) type VisitGradients<'v, F> = &'v mut dyn FnMut(usize, Path<'_>, &mut [F]);
/// What is called with a tensor's number and path, the tensor to be changed, and its gradient.
pub(crate) type VisitWeights<'v, F> = &'v mut dyn FnMut(usize, Path<'_>, &mut [F], &[F]);

/// Weights with their gradients. Each tensor has a number that stays its own.
pub(crate) trait Learner<F> {
    /// Visits the gradient of each tensor.
    fn visit_gradients(&mut self, visit: VisitGradients<'_, F>);
    /// Visits each tensor with its gradient.
    fn visit_weights(&mut self, visit: VisitWeights<'_, F>);
}

impl<F: Scalar> Optimizer<F> {
    /// One batch. After an error it can be tried again, for it is not counted.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] if a schedule or a callback gives a rate that is negative or not finite;
    /// [`Error::Gradient`] if clipping meets a gradient that is not finite.
    pub(crate) fn apply(&mut self, learner: &mut dyn Learner<F>) -> Result<()> {
        let step = self.begin_batch()?;
        if self.accumulation > 1 {
            learner.visit_gradients(&mut |tensor, _, gradient| self.accumulate(step, tensor, gradient));
        }
        if let Some(clip) = self.clip.filter(|_| step.updates) {
            clip.apply(learner)?;
        }
        learner.visit_weights(&mut |tensor, path, weights, gradient| {
            self.update(step, tensor, path, weights, gradient);
        });
        self.batches += 1;
        Ok(())
    }

    /// One step on weights that no [`Model`](crate::models::Model) holds, for a training loop of one's own: all that the table of
    /// [`Optimizer`] lists, but nothing of [regularizers](crate::regularizers::Regularizer) and [constraints](crate::constraints::Constraint), which
    /// are a model's. `gradients` are those of a batch's mean loss; afterwards they are zero, so that the next backward
    /// passes can add to them. Weights of several layers go into one struct with [`params!`](crate::params!): the example
    /// `seq2seq_addition` trains an encoder and a decoder.
    ///
    /// ```
    /// use bptt::initializers::Init;
    /// use bptt::layer::{Backward, Forward, Layer, Pass, zeros_like};
    /// use bptt::losses::Loss;
    /// use bptt::optimizers::Optimizer;
    /// use bptt::prelude::*;
    /// use bptt::random::Key;
    /// use bptt::tensor::Tensor;
    /// use ndarray::array;
    ///
    /// let layer = Dense::new(1);
    /// let mut weights = Layer::<f64>::build(&layer, Form::vector(1), &mut Init::new(Key::new(1)))?;
    /// let (mut gradients, mut optimizer) = (zeros_like(&weights), Optimizer::new(Sgd::new(0.1)));
    ///
    /// // y = 2x + 1
    /// let (x, targets) = (Tensor::Vector(array![[0.0], [1.0], [2.0]]), array![[1.0], [3.0], [5.0]]);
    /// let (mut y, mut dy, mut cache) = (Tensor::default(), Tensor::default(), Default::default());
    /// let pass = Pass::training(Key::new(2));
    /// for _ in 0..200 {
    ///     layer.forward(&weights, Forward::new(&x, &mut y, &mut cache, pass));
    ///     let dy_rows = dy.as_vector(3, 1);
    ///     MeanSquaredError.sum(y.rows(), targets.view(), false, Some(dy_rows.view_mut()));
    ///     *dy_rows /= 3.0; // of the mean instead of the sum
    ///     layer.backward(&weights, Backward::new((&x, &y), &dy, &mut cache, &mut gradients, pass));
    ///     optimizer.step(&mut weights, &mut gradients)?;
    /// }
    /// assert!((weights.kernel[[0, 0]] - 2.0).abs() < 1e-3);
    /// # Ok::<(), bptt::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for options out of range; [`Error::Step`] if the gradients are not those of the weights, if
    /// a tensor is not in standard layout, or if the optimizer has run on other weights; [`Error::Gradient`] if clipping
    /// meets a gradient that is not finite. The weights are unchanged then.
    #[doc(alias = "apply_gradients")]
    pub fn step<P: Params<F>>(&mut self, weights: &mut P, gradients: &mut P) -> Result<()> {
        self.check()?;
        self.check_weights(weights)?;
        check_gradients(weights, gradients)?;
        self.apply(&mut Given { weights, gradients })?;
        set_zero(gradients);
        Ok(())
    }

    /// Puts the moving averages ([`Ema`](crate::optimizers::Ema)) in the place of the weights that [`Optimizer::step`] has changed.
    /// Without averages nothing changes.
    ///
    /// # Errors
    ///
    /// [`Error::Step`] if the optimizer has run on other weights, or if a tensor is not in standard layout.
    pub fn use_averages<P: Params<F>>(&self, weights: &mut P) -> Result<()> {
        self.check_weights(weights)?;
        let mut tensor = 0;
        weights.visit_mut(Path::root(""), &mut |_, mut weights| {
            if let (Some(average), Some(weights)) = (self.average(tensor), weights.as_slice_mut()) {
                weights.copy_from_slice(average);
            }
            tensor += 1;
        });
        Ok(())
    }

    /// Refuses weights on which it cannot have run.
    fn check_weights<P: Params<F>>(&self, weights: &P) -> Result<()> {
        let (mut tensor, mut wrong) = (0, None);
        weights.visit(Path::root(""), &mut |path, weights| {
            let problem = if !weights.is_standard_layout() {
                Some("it is not in standard layout; make it so with as_standard_layout().into_owned()")
            } else if !self.tensors.get(tensor).is_none_or(|state| state.fits(weights.len())) {
                Some(OTHER_WEIGHTS)
            } else {
                None
            };
            wrong = wrong.take().or(problem.map(|problem| refuse(path, problem)));
            tensor += 1;
        });
        if !self.tensors.is_empty() && self.tensors.len() != tensor {
            wrong = wrong.or(Some(refuse(Path::root(""), OTHER_WEIGHTS)));
        }
        wrong.map_or(Ok(()), Err)
    }
}

const OTHER_WEIGHTS: &str = "it has changed weights of other sizes before; take a new optimizer for these";

/// The error about one tensor, or about all if it has no name.
fn refuse(tensor: Path<'_>, problem: impl Into<String>) -> Error {
    let tensor = Some(tensor.to_string()).filter(|name| !name.is_empty());
    Error::Step { tensor: tensor.unwrap_or("these weights".into()), problem: problem.into() }
}

/// Refuses gradients that are not those of these weights.
fn check_gradients<F: Scalar, P: Params<F>>(weights: &mut P, gradients: &P) -> Result<()> {
    let (mut tensors, mut others, mut pairs, mut wrong) = (0, 0, 0, None);
    weights.visit(Path::root(""), &mut |_, _| tensors += 1);
    gradients.visit(Path::root(""), &mut |_, _| others += 1);
    weights.visit_pair(gradients, Path::root(""), &mut |path, weights, gradient| {
        let (needs, got) = (weights.shape(), gradient.shape());
        let problem = if needs != got {
            Some(format!("its shape is {needs:?}, that of its gradient {got:?}; {MEND}"))
        } else if !gradient.is_standard_layout() {
            Some(format!("its gradient is not in standard layout; {MEND}"))
        } else {
            None
        };
        wrong = wrong.take().or(problem.map(|problem| refuse(path, problem)));
        pairs += 1;
    });
    if pairs != tensors || pairs != others {
        wrong = wrong
            .or(Some(refuse(Path::root(""), format!("they are {tensors} tensors, their gradients {others}; {MEND}"))));
    }
    wrong.map_or(Ok(()), Err)
}

const MEND: &str = "start the gradients from zeros_like(&weights)";

/// Weights and gradients in a user's hands, looked at before.
struct Given<'a, P> {
    weights: &'a mut P,
    gradients: &'a mut P,
}

impl<F: Scalar, P: Params<F>> Learner<F> for Given<'_, P> {
    fn visit_gradients(&mut self, visit: VisitGradients<'_, F>) {
        let mut tensors = 0..;
        self.gradients.visit_mut(Path::root(""), &mut |path, mut gradient| {
            if let (Some(tensor), Some(gradient)) = (tensors.next(), gradient.as_slice_mut()) {
                visit(tensor, path, gradient);
            }
        });
    }

    fn visit_weights(&mut self, visit: VisitWeights<'_, F>) {
        let mut tensors = 0..;
        self.weights.visit_pair(self.gradients, Path::root(""), &mut |path, mut weights, gradient| {
            if let (Some(tensor), Some(weights), Some(gradient)) =
                (tensors.next(), weights.as_slice_mut(), gradient.as_slice())
            {
                visit(tensor, path, weights, gradient);
            }
        });
    }
}
