//! Functions of training that are compiled once.

use ndarray::ArrayD;

use super::{Fit, Gradients, Predictor, Window, evaluate, fit, look, predict as predictor, single};
use crate::data::{Batches, Samples, Targets};
use crate::error::Result;
use crate::history::{History, Logs};
use crate::layer::Pass;
use crate::model::{Model, ModelState};
use crate::numeric::compiled_once;

compiled_once! { Trainings: TrainingFunctions {
    fit(model: &mut Model<F>, samples: Samples<'_, F>, targets: Targets<'_>, options: Fit<'_, F>) -> Result<History>
        = fit::fit;
    fit_batches(model: &mut Model<F>, source: &mut dyn Batches<F>, options: Fit<'_, F>) -> Result<History>
        = fit::fit_batches;
} }

compiled_once! { Looks: LookFunctions {
    evaluate(model: &Model<F>, samples: Samples<'_, F>, targets: Targets<'_>) -> Result<Logs> = evaluate::evaluate_model;
    predict(
        predictor: &mut Predictor<F>,
        model: &Model<F>,
        samples: Samples<'_, F>,
        state: Option<&mut ModelState<F>>,
        outputs: &mut ArrayD<F>,
    ) -> Result<()> = predictor::predict;
} }

compiled_once! { Steps: StepFunctions {
    train_batch(model: &mut Model<F>, samples: Samples<'_, F>, targets: Targets<'_>, pass: Pass<'_>) -> Result<f64>
        = single::train_batch;
    train_window(
        model: &mut Model<F>,
        samples: Samples<'_, F>,
        targets: Targets<'_>,
        window: &Window,
        state: &mut ModelState<F>,
    ) -> Result<f64> = single::train_window;
    gradients(model: &Model<F>, samples: Samples<'_, F>, targets: Targets<'_>, pass: Pass<'_>) -> Result<Gradients<F>>
        = look::gradients;
} }
