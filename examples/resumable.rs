//! A training that may be interrupted at any moment: started again, it goes on where it was, and its results are those of
//! one that was never interrupted, to the bit.
//!
//! `cargo run --release --example resumable`; press Ctrl-C to end it early but in order, or kill the process and start it
//! again. `-- --help` shows the options. What the library tells on the way is shown by a logger.

#[path = "program/arguments.rs"]
mod arguments;
#[path = "program/outcome.rs"]
mod outcome;

use std::path::PathBuf;

use arguments::{Value, or_exit, read};
use bptt::callbacks::{CsvLogger, StopOnInterrupt};
use bptt::datasets::Synthetic;
use bptt::models::BackupAndRestore;
use bptt::prelude::*;
use bptt::preprocessing::pad_sequences;
use ndarray::Array1;
use outcome::{Outcome, prepare};

/// Writes what is logged to standard error.
struct Stderr;

impl log::Log for Stderr {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        eprintln!("{}: {}", record.level(), record.args());
    }
    fn flush(&self) {}
}

const USAGE: &str = "Trains a model in a way that may be interrupted at any moment.\n\n\
    \x20 --epochs N      at most this many epochs (default 6)\n\
    \x20 --patience N    epochs without getting better after which it ends (default 3)\n\
    \x20 --out DIR       where backup, models and figures go (default target/resumable)";

fn main() -> Outcome {
    log::set_logger(&Stderr)?;
    log::set_max_level(log::LevelFilter::Info);
    let (mut out, mut epochs, mut patience) = (PathBuf::from("target/resumable"), 6, 3);
    let set = |name: &str, value: &mut Value<'_>| {
        match name {
            "--epochs" => epochs = value.number(1)? as usize,
            "--patience" => patience = value.number(0)? as usize,
            "--out" => out = value.path()?,
            _ => return Ok(false),
        }
        Ok(true)
    };
    or_exit(read(std::env::args_os().skip(1), set), USAGE);
    prepare(&out, &[])?;

    let corpus = Synthetic::new(7).train(2_000).test(500).generate()?;
    let x = pad_sequences(&corpus.train.sequences, 60);
    let y: Array1<f32> = corpus.train.labels.iter().map(|&label| f32::from(label)).collect();

    let mut model = Sequential::new()
        .add(Embedding::new(500, 16))
        .add(Lstm::new(16).dropout(0.2))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(60), 42)?;
    model.compile(Adam::new(0.003), BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());

    let mut best = ModelCheckpoint::new(out.join("best.safetensors")).save_best_only(true);
    let mut early_stopping = EarlyStopping::new().patience(patience).restore_best_weights(true);
    let mut figures = CsvLogger::new(out.join("training.csv"));
    let mut interrupt = StopOnInterrupt::new()?;
    // Written after every fifth batch and after every epoch; all of it is taken up again, the callbacks' state too.
    let backup = BackupAndRestore::new(out.join("backup.safetensors")).save_freq(5);
    let fit = Fit::new().epochs(epochs).batch_size(32).validation_split(0.2).backup(backup);
    let fit = fit.callback(&mut best).callback(&mut early_stopping).callback(&mut figures).callback(&mut interrupt);
    let history = model.fit(&x, &y, fit)?;
    model.save(out.join("final.safetensors"))?;

    let best_epoch = early_stopping.best_epoch().unwrap_or(0);
    let best_loss = early_stopping.best().unwrap_or(f64::NAN);
    println!(
        "result: epochs={} best_epoch={best_epoch} val_loss={best_loss:.4} interrupted={}",
        history.epochs(),
        interrupt.interrupted()
    );
    Ok(())
}
