//! What most programs use, compiled with the crate in builds that are not optimised for speed: the feature `instances`.
//!
//! Generic code is compiled where its types are named: layers, training and models anew in every program, which takes most
//! of the time that a program takes to compile. At low levels of optimisation, as in debug builds and in this crate's
//! tests, the compiler does not do again what a crate below has done, and so it is done here once: for one program a loss,
//! for thirty a gain. With high levels every program compiles its own, to inline it, and this would be of no use: hence only
//! with debug assertions.

use ndarray::{Array2, ArrayD};

use crate::callbacks::{CsvLogger, EarlyStopping, ModelCheckpoint};
use crate::{
    Adam, BackupAndRestore, BinaryCrossentropy, Fit, MeanMetric, MeanSquaredError, Model, Predictor, Registry, Result,
    RmsProp, Samples, Scalar, Sgd,
};

/// Is compiled, and called by nobody.
#[doc(hidden)]
pub fn instances() -> Result<()> {
    all::<f32>()?;
    all::<f64>()
}

fn all<F: Scalar>() -> Result<()> {
    // With this registry come all layers.
    let mut model = Model::<F>::load_with("", &Registry::new())?;
    model.compile(Adam::new(0.0), BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());
    model.compile(RmsProp::new(0.0), MeanSquaredError);
    model.compile(Sgd::new(0.0), MeanSquaredError);
    let (tokens, numbers, labels) = (Array2::<u32>::default((0, 0)), Array2::<F>::default((0, 0)), Vec::<f32>::new());
    let samples = Samples::from(&tokens);
    let mut callbacks = (ModelCheckpoint::new(""), EarlyStopping::new(), CsvLogger::new(""));
    let fit = Fit::new().backup(BackupAndRestore::new("")).callback(&mut callbacks.0).callback(&mut callbacks.1);
    model.fit(samples, &labels, fit.callback(&mut callbacks.2))?;
    model.train_batch(&numbers, &labels)?;
    let (mut state, mut outputs) = (model.state(0)?, ArrayD::default(vec![0]));
    Predictor::new().step(&model, samples, &mut state, &mut outputs)?;
    model.evaluate(samples, &labels)?;
    model.predict(samples)?;
    model.gradients(samples, &labels)?;
    model.save("")
}
