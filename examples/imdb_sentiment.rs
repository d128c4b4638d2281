//! Whether a sentence about a film is positive, by the model that `imdb_lstm` saved.
//!
//! `cargo run --release --example imdb_sentiment -- "What a wonderful film!"`; `-- --help` shows the options.

#[path = "program/arguments.rs"]
#[expect(dead_code, reason = "this example takes no numbers")]
mod arguments;
#[path = "program/outcome.rs"]
mod outcome;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use arguments::{Stop, or_exit, read};
use bptt::Result;
use bptt::callbacks::ProgressBar;
use bptt::datasets::download;
use bptt::datasets::imdb::{LoadData, WordIndex};
use bptt::prelude::*;
use bptt::preprocessing::pad_sequences;
use outcome::{Outcome, prepare};

const NUM_WORDS: u32 = 500;
const MAXLEN: usize = 100;

const USAGE: &str = "\
Tells whether a sentence about a film is positive: imdb_sentiment [OPTIONS] SENTENCE

  --model FILE       a model that imdb_lstm saved (default target/imdb/best-lstm-model.safetensors); if there is no such
                     file, a model is trained for a few epochs and saved there
  --word-index FILE  Keras' imdb_word_index.json (default: Keras' folder, the cache, a download)
  --data FILE        the reviews to train on, in the layout of Keras' imdb.npz (default: likewise)";

/// What the command line says.
struct Options {
    sentence: String,
    model: PathBuf,
    word_index: Option<PathBuf>,
    data: Option<PathBuf>,
}

fn main() -> Outcome {
    let options = or_exit(parse(std::env::args_os().skip(1)), USAGE);
    match probability(&options)? {
        positive if positive > 0.5 => println!("positive, probability {positive:.4}"),
        positive => println!("negative, probability {:.4}", 1.0 - positive),
    }
    Ok(())
}

/// The options that these arguments set.
fn parse(arguments: impl Iterator<Item = OsString>) -> std::result::Result<Options, Stop> {
    let model = PathBuf::from("target/imdb/best-lstm-model.safetensors");
    let mut options = Options { sentence: String::new(), model, word_index: None, data: None };
    let problem = |text: &str| Stop::Problem(text.into());
    read(arguments, |name, value| {
        match name {
            "--model" => options.model = value.path()?,
            "--word-index" => options.word_index = Some(value.path()?),
            "--data" => options.data = Some(value.path()?),
            _ if name.starts_with("--") => return Ok(false),
            _ if options.sentence.is_empty() => options.sentence = name.into(),
            _ => return Err(problem("there is more than one sentence; put it in quotation marks")),
        }
        Ok(true)
    })?;
    if options.sentence.is_empty() { Err(problem("there is no sentence")) } else { Ok(options) }
}

/// The probability that the sentence is positive.
fn probability(options: &Options) -> Result<f32> {
    let words = WordIndex::load(download::locate_word_index(options.word_index.as_deref())?)?;
    let model = if options.model.exists() { Model::load(&options.model)? } else { train(options)? };
    let ids = LoadData::new().num_words(NUM_WORDS).encode(&words, &options.sentence)?;
    let probabilities = model.predict(&pad_sequences(&[ids], MAXLEN))?;
    Ok(probabilities[[0, 0]])
}

/// The model of `imdb_lstm`, at ten times its learning rate for fewer epochs.
fn train(options: &Options) -> Result<Model> {
    let reviews = LoadData::new().num_words(NUM_WORDS).load(download::locate(options.data.as_deref())?)?.train;
    prepare(options.model.parent().unwrap_or(Path::new("")), &[])?;
    eprintln!("There is no {}: training a model.", options.model.display());

    let mut model = Sequential::new()
        .add(Embedding::new(NUM_WORDS as usize, 16))
        .add(Lstm::new(8))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(MAXLEN), 42)?;
    model.compile(RmsProp::new(1e-3), BinaryCrossentropy::new());
    let x = pad_sequences(&reviews.sequences, MAXLEN);
    let mut progress = ProgressBar::new();
    model.fit(&x, &reviews.labels, Fit::new().epochs(5).batch_size(64).callback(&mut progress))?;
    model.save(&options.model)?;
    Ok(model)
}
