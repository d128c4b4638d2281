//! The LSTM of `imdb_lstm`, with 30% of its inputs dropped while it trains.
//!
//! `cargo run --release --example imdb_lstm_dropout`; `-- --help` shows the options.

mod common;

use bptt::prelude::*;
use common::{Experiment, Outcome};

fn main() -> Outcome {
    let experiment = Experiment::start("dropout")?;

    let mut model = Sequential::new()
        .add(Embedding::new(500, 16))
        .add(Lstm::new(8).dropout(0.3))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(100), experiment.options.seed)?;
    experiment.show(&model.summary());

    let rmsprop = RmsProp::new(1e-4);
    model.compile(rmsprop, BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());
    if let Some(threads) = experiment.options.threads {
        model.set_threads(threads)?;
    }

    let file = experiment.options.out.join("best-drop-model.safetensors");
    let mut checkpoint = ModelCheckpoint::new(file).save_best_only(true);
    let mut early_stopping = EarlyStopping::new().patience(3).restore_best_weights(true);
    let mut progress = experiment.progress();
    let reviews = &experiment.reviews;
    let history = model.fit(
        &reviews.train,
        &reviews.train_labels,
        Fit::new()
            .epochs(experiment.options.epochs)
            .batch_size(64)
            .validation(&reviews.validation, &reviews.validation_labels)
            .callback(&mut checkpoint)
            .callback(&mut early_stopping)
            .callback(&mut progress),
    )?;

    let test = model.evaluate(&reviews.test, &reviews.test_labels)?;
    experiment.finish(&history, &early_stopping, &test)
}
