//! A single look at a model's gradients, without changing it.

use ndarray::ArrayD;

use super::once;
use super::step::left_out;
use crate::data::{ArrangedTargets, Samples, Targets, batch_first};
use crate::error::{Error, Result};
use crate::layer::Pass;
use crate::losses::mean;
use crate::model::Model;
use crate::numeric::Scalar;

/// What [`Model::gradients`] finds for a batch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Gradients<F> {
    /// The mean loss, with the penalties of [regularizers](crate::regularizers::Regularizer).
    pub loss: f64,
    /// The model's outputs, batch first: (N, K) or (N, T, K).
    pub outputs: ArrayD<F>,
    /// The gradient of this loss for each weight of a trainable layer, under its name and of its shape.
    pub weights: Vec<(String, ArrayD<F>)>,
    /// The gradient of this loss for the samples, of their shape; `None` for token ids.
    pub samples: Option<ArrayD<F>>,
}

impl<F: Scalar> Model<F> {
    /// The loss of a batch and its gradients, in training mode, with the dropout masks of the next step.
    ///
    /// ```
    /// use bptt::prelude::*;
    /// use ndarray::array;
    /// let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(2), 42)?;
    /// model.compile(Sgd::new(0.1), MeanSquaredError);
    /// model.set_weight("dense/kernel", &array![[1.0_f32], [1.0]])?;
    /// let gradients = model.gradients(&array![[1.0_f32, 2.0]], &array![2.0_f32])?;
    /// assert_eq!(gradients.loss, 1.0);
    /// assert_eq!(gradients.weights[0].1, array![[2.0_f32], [4.0]].into_dyn());
    /// # Ok::<(), bptt::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Model::fit`].
    pub fn gradients<'a>(
        &self,
        samples: impl Into<Samples<'a, F>>,
        targets: impl Into<Targets<'a>>,
    ) -> Result<Gradients<F>> {
        once::gradients(self, samples.into(), targets.into(), self.training_pass()?)
    }
}

/// [`Model::gradients`] with a pass of the caller's.
pub(super) fn gradients<F: Scalar>(
    model: &Model<F>,
    samples: Samples<'_, F>,
    targets: Targets<'_>,
    pass: Pass<'_>,
) -> Result<Gradients<F>> {
    let compiled = model.compiled.as_ref().ok_or(Error::NotCompiled)?;
    samples.check(&model.network)?;
    let targets = ArrangedTargets::new(&targets, &samples, model.network.output(), &*compiled.loss)?;
    let left_out = left_out(&model.network, &*compiled.loss);
    let rows: Vec<usize> = (0..samples.len()).collect();
    let mut workspace = model.network.workspace();
    samples.load(0..samples.len(), 0..samples.steps(), &mut workspace);
    targets.load(&rows, None, &mut workspace);
    model.network.forward(&mut workspace, left_out.is_some(), None, pass);
    model.network.backward(&mut workspace, &*compiled.loss, left_out.is_some(), true, pass);

    let output_rows = workspace.rows();
    let scale = F::of(1.0 / output_rows.max(1) as f64);
    let mut weights = Vec::new();
    model.network.for_each_gradient(&mut workspace, |_, _, mut gradient| gradient.mapv_inplace(|g| g * scale));
    model.network.add_penalty_gradients(&mut workspace);
    model.network.for_each_gradient(&mut workspace, |_, path, gradient| {
        weights.push((path.to_string(), gradient.to_owned()));
    });
    let samples =
        if samples.are_tokens() { None } else { Some(batch_first(&workspace.gradients[0]).mapv(|g| g * scale)) };
    workspace.finish_outputs(left_out);
    let output = workspace.activations.last().map(batch_first);
    let outputs = output.ok_or(Error::Empty { what: "the model", mend: "add at least one layer" })?;
    let loss = mean(workspace.loss, output_rows) + model.network.penalty();
    Ok(Gradients { loss, outputs, weights, samples })
}
