//! What `fit` costs beside the steps of training themselves: an epoch of the LSTM experiment with everything that people
//! ask for (a metric, early stopping, checkpoints, a log file, a progress bar, history), against the same batches given to
//! `train_batch` one by one, in turn.
//!
//! `cargo bench --bench overhead` prints the median of the ratios of 21 pairs and their quartiles. The progress bar draws
//! only on a terminal.

use std::path::Path;
use std::time::Instant;

use bptt::callbacks::{CsvLogger, ProgressBar};
use bptt::datasets::Synthetic;
use bptt::prelude::*;
use bptt::preprocessing::pad_sequences;
use ndarray::{Array1, Array2, Axis};

const PAIRS: usize = 21;

fn model() -> bptt::Result<Model> {
    let mut model = Sequential::new()
        .add(Embedding::new(500, 16))
        .add(Lstm::new(8))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(100), 42)?;
    model.compile(RmsProp::new(1e-4), BinaryCrossentropy::new());
    model.set_threads(1)?;
    Ok(model)
}

fn main() -> bptt::Result<()> {
    let corpus = Synthetic::new(42).train(20_000).test(0).generate()?;
    let x = pad_sequences(&corpus.train.sequences, 100);
    let y: Array1<f32> = corpus.train.labels.iter().map(|&label| f32::from(label)).collect();
    let batches: Vec<(Array2<u32>, Array1<f32>)> = x
        .axis_chunks_iter(Axis(0), 64)
        .zip(y.axis_chunks_iter(Axis(0), 64))
        .map(|(x, y)| (x.to_owned(), y.to_owned()))
        .collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));

    let (mut bare, mut whole) = (model()?, model()?);
    whole.compile(RmsProp::new(1e-4), BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());
    let mut ratios = Vec::new();
    // One pair more, to begin with, that does not count.
    for _ in 0..=PAIRS {
        let started = Instant::now();
        for (x, y) in &batches {
            bare.train_batch(x, y)?;
        }
        let alone = started.elapsed().as_secs_f64();

        let mut early_stopping = EarlyStopping::new().monitor("loss").restore_best_weights(true);
        let mut checkpoint = ModelCheckpoint::new(folder.join("overhead")).monitor("loss").save_best_only(true);
        let (mut log, mut progress) = (CsvLogger::new(folder.join("overhead.csv")), ProgressBar::new());
        let fit = Fit::new().batch_size(64).shuffle(false).callback(&mut early_stopping).callback(&mut checkpoint);
        let started = Instant::now();
        whole.fit(&x, &y, fit.callback(&mut log).callback(&mut progress))?;
        ratios.push(started.elapsed().as_secs_f64() / alone);
    }
    ratios.remove(0);
    ratios.sort_by(f64::total_cmp);
    let at = |share: f64| ratios[(share * (PAIRS - 1) as f64) as usize];
    println!("fit / steps alone: {:.3} ({:.3} to {:.3})", at(0.5), at(0.25), at(0.75));
    Ok(())
}
