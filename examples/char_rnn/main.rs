//! A character model of the crate's own source: an LSTM learns it in windows (truncated backpropagation through time), is
//! measured on its end in bits per character beside a trigram model, and writes on.
//!
//! `cargo run --release --example char_rnn -- --text FILE --temperature 0.7`

#[path = "../program/arguments.rs"]
mod arguments;
#[path = "../program/outcome.rs"]
#[expect(dead_code, reason = "this example leaves no files")]
mod outcome;
mod text;
mod trigram;

use std::f64::consts::LN_2;
use std::path::{Path, PathBuf};
use std::time::Instant;

use arguments::{Value, or_exit, read};
use bptt::Result;
use bptt::models::Predictor;
use bptt::optimizers::{Clip, CosineDecay, Optimizer};
use bptt::prelude::*;
use bptt::random::Key;
use ndarray::{Array2, ArrayD};
use ndarray_rand::rand::Rng;
use outcome::Outcome;
use text::{Text, streams};
use trigram::Trigram;

/// Parts of the text that are read side by side, and how many characters of each are learnt from at a time.
const STREAMS: usize = 64;
const WINDOW: usize = 32;
/// How much is written at the end.
const SAMPLE: usize = 500;

const USAGE: &str = "Learns a text character by character and writes on.\n\n\
    \x20 --text FILE        the text (default: the source and documents of this crate)\n\
    \x20 --epochs N         how often to read it (default 6)\n\
    \x20 --temperature T    how freely to write: 0 always takes what is likeliest (default 0.7)\n\
    \x20 --seed S           of weights and of what is written (default 42)\n\
    \x20 --quiet            only the result line";

struct Options {
    text: Option<PathBuf>,
    epochs: usize,
    temperature: f64,
    seed: u64,
    quiet: bool,
}

fn options() -> Options {
    let mut options = Options { text: None, epochs: 6, temperature: 0.7, seed: 42, quiet: false };
    let set = |name: &str, value: &mut Value<'_>| {
        match name {
            "--text" => options.text = Some(value.path()?),
            "--epochs" => options.epochs = value.number(1)? as usize,
            "--temperature" => options.temperature = value.real(0.0)?,
            "--seed" => options.seed = value.number(0)?,
            "--quiet" => options.quiet = true,
            _ => return Ok(false),
        }
        Ok(true)
    };
    or_exit(read(std::env::args_os().skip(1), set), USAGE);
    options
}

/// Draws a character with probabilities pᵢ^(1/T), or takes the likeliest if T is 0.
fn draw(probabilities: &ArrayD<f32>, temperature: f64, generator: &mut impl Rng) -> u32 {
    let largest = probabilities.fold(0.0_f32, |a, &p| a.max(p));
    let weight = |&p: &f32| if p == largest { 1.0 } else { (f64::from(p / largest).ln() / temperature).exp() };
    let mut left = generator.random::<f64>() * probabilities.iter().map(weight).sum::<f64>();
    let place = probabilities.iter().position(|p| {
        left -= weight(p);
        left < 0.0
    });
    place.unwrap_or(0) as u32
}

/// What the model writes from a new line on: each character is drawn and fed back.
fn write(model: &Model, text: &Text, temperature: f64, key: Key) -> Result<String> {
    let (mut predictor, mut state, mut outputs) = (Predictor::new(), model.state(1)?, ArrayD::default(vec![0]));
    let (mut generator, mut next, mut written) = (key.generator(), text.number('\n'), String::new());
    for _ in 0..SAMPLE {
        predictor.step(model, &Array2::from_elem((1, 1), next), &mut state, &mut outputs)?;
        next = draw(&outputs, temperature, &mut generator);
        written.push(text.letter(next));
    }
    Ok(written)
}

fn main() -> Outcome {
    let options = options();
    // By default the text is this crate itself.
    let text = Text::load(options.text.as_deref().unwrap_or(Path::new(env!("CARGO_MANIFEST_DIR"))))?;
    let (characters, vocabulary) = (text.train.len() + text.held_out.len(), text.vocabulary());
    if !options.quiet {
        eprintln!(
            "{characters} characters, {vocabulary} different ones; the last {} are held out",
            text.held_out.len()
        );
    }
    let ((x, y), (x_held_out, y_held_out)) = (streams(&text.train, STREAMS), streams(&text.held_out, 1));

    let mut model = Sequential::new()
        .add(Embedding::new(vocabulary, 32))
        .add(Lstm::new(256).return_sequences(true))
        .add(Dense::new(vocabulary).activation(Activation::Softmax))
        .build(Form::tokens(None), options.seed)?;
    let windows = (options.epochs * x.ncols().div_ceil(WINDOW)) as u64;
    let schedule = CosineDecay::new(2e-4, windows).warmup(4e-3, windows / 20);
    let optimizer = Optimizer::new(Adam::new(4e-3)).schedule(schedule).clip(Clip::GlobalNorm(1.0));
    model.compile(optimizer, SparseCategoricalCrossentropy::new());

    let started = Instant::now();
    for epoch in 1..=options.epochs {
        let history = model.fit(&x, &y, Fit::new().batch_size(STREAMS).truncated(WINDOW, WINDOW))?;
        if !options.quiet {
            eprintln!("epoch {epoch}: {:.3} bits per character", history.get("loss")[0] / LN_2);
        }
    }
    let seconds = started.elapsed().as_secs_f64();

    let bits = model.evaluate(&x_held_out, &y_held_out)?.get("loss").unwrap_or(f64::NAN) / LN_2;
    let trigram = Trigram::learn(&text.train, vocabulary).bits(&text.held_out);
    if !options.quiet {
        println!("{}\n", write(&model, &text, options.temperature, Key::new(options.seed))?);
        println!("held out: {bits:.3} bits per character, where a trigram model has {trigram:.3}");
    }
    println!(
        "result: example=char_rnn seed={} characters={characters} vocabulary={vocabulary} epochs={} \
         bits_per_character={bits:.4} trigram_bits_per_character={trigram:.4} train_seconds={seconds:.1}",
        options.seed, options.epochs,
    );
    Ok(())
}
