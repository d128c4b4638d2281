//! Addition as a translation of text: an encoder reads "535+61", a decoder writes "596" (Sutskever et al. 2014).
//!
//! A training loop of one's own over layers that no model holds: the gradient of the decoder's initial state is that of the
//! encoder's final one. The model is in `model.rs`, the text in `sums.rs`.
//! `cargo run --release --example seq2seq_addition`

#[path = "../program/arguments.rs"]
mod arguments;
mod model;
#[path = "../program/outcome.rs"]
#[expect(dead_code, reason = "this example leaves no files")]
mod outcome;
mod sums;

use std::collections::HashSet;
use std::time::Instant;

use arguments::{Value, or_exit, read};
use bptt::layer::{Params, Path, zeros_like};
use bptt::optimizers::{Adam, Clip, CosineDecay, Optimizer};
use bptt::random::Key;
use model::{Seq2Seq, Weights, Workspace};
use ndarray::Axis;
use outcome::Outcome;
use rayon::prelude::*;
use sums::{ANSWER, Pair};

const UNITS: usize = 128;
/// Samples that one thread takes at a time, and those of a batch: sums in parts of this size are the same on any threads.
const SHARD: usize = 32;
const BATCH: usize = 2 * SHARD;
const HELD_OUT: usize = 2000;

const USAGE: &str = "Learns to add numbers of three digits.\n\n\
    \x20 --batches N    batches of 64 to learn from (default 10000)\n\
    \x20 --seed S       of weights and numbers (default 42)\n\
    \x20 --quiet        no progress, only the result line";

struct Options {
    batches: u64,
    seed: u64,
    quiet: bool,
}

fn options() -> Options {
    let mut options = Options { batches: 10_000, seed: 42, quiet: false };
    let set = |name: &str, value: &mut Value<'_>| {
        match name {
            "--batches" => options.batches = value.number(1)?,
            "--seed" => options.seed = value.number(0)?,
            "--quiet" => options.quiet = true,
            _ => return Ok(false),
        }
        Ok(true)
    };
    or_exit(read(std::env::args_os().skip(1), set), USAGE);
    options
}

/// What a thread works in: room for the passes over a shard, and its gradients.
type Worker = (Workspace<f32>, Weights<f32>);

/// The gradients of a batch's mean loss, in the first worker's place, and that loss.
fn gradients(model: &Seq2Seq, weights: &Weights<f32>, pairs: &[Pair], workers: &mut [Worker]) -> f64 {
    let shards = workers.par_iter_mut().zip(pairs.par_chunks(SHARD));
    let train = |((workspace, gradients), pairs): (&mut Worker, &[Pair])| {
        model.train(weights, &sums::batch(pairs), workspace, gradients)
    };
    let losses: Vec<f64> = shards.map(train).collect();
    let symbols = pairs.len() * ANSWER;
    let [(_, sum), others @ ..] = workers else { return 0.0 };
    for (_, other) in others {
        sum.visit_pair(other, Path::root(""), &mut |_, mut sum, other| sum += &other);
        other.visit_mut(Path::root(""), &mut |_, mut other| other.fill(0.0));
    }
    sum.visit_mut(Path::root(""), &mut |_, mut sum| sum /= symbols as f32);
    losses.iter().sum::<f64>() / symbols as f64
}

/// What the model answers to each question.
fn answers(model: &Seq2Seq, weights: &Weights<f32>, pairs: &[Pair]) -> Vec<String> {
    let symbols = model.answer(weights, &sums::questions(pairs), sums::START, ANSWER);
    symbols.axis_iter(Axis(1)).map(|symbols| sums::text(symbols.iter().copied())).collect()
}

fn main() -> Outcome {
    let options = options();
    let key = Key::new(options.seed);
    let held_out = sums::draw(HELD_OUT, &HashSet::new(), &mut key.fold(0).generator());
    let never_seen: HashSet<Pair> = held_out.iter().copied().collect();

    let model = Seq2Seq::new(sums::CLASSES, UNITS);
    let mut weights = model.build(key.fold(1))?;
    let schedule = CosineDecay::new(4e-4, options.batches).warmup(4e-3, options.batches / 20);
    let mut optimizer = Optimizer::new(Adam::new(4e-3)).schedule(schedule).clip(Clip::GlobalNorm(1.0));
    let worker = || (Workspace::new(&model, SHARD), zeros_like(&weights));
    let mut workers: Vec<Worker> = (0..BATCH / SHARD).map(|_| worker()).collect();

    let started = Instant::now();
    let mut generator = key.fold(2).generator();
    for batch in 1..=options.batches {
        let pairs = sums::draw(BATCH, &never_seen, &mut generator);
        let loss = gradients(&model, &weights, &pairs, &mut workers);
        optimizer.step(&mut weights, &mut workers[0].1)?;
        if !options.quiet && batch % 1000 == 0 {
            let (pair, answers) = (held_out[0], answers(&model, &weights, &held_out[..1]));
            eprintln!("batch {batch:5}: loss {loss:.4}, {}={}", sums::question(pair), answers[0]);
        }
    }
    let seconds = started.elapsed().as_secs_f64();

    let answers = answers(&model, &weights, &held_out);
    let checked: Vec<_> =
        held_out.iter().zip(&answers).map(|(&pair, answer)| (pair, answer, sums::answer(pair))).collect();
    let right = checked.iter().filter(|(_, answer, truth)| *answer == truth).count();
    if !options.quiet {
        // Ten as they come, and what is wrong.
        let wrong = checked.iter().skip(10).filter(|(_, answer, truth)| *answer != truth).take(5);
        for (pair, answer, truth) in checked.iter().take(10).chain(wrong) {
            let verdict = if *answer == truth { "right".into() } else { format!("wrong, it is {truth}") };
            println!("{:>7} = {answer:<4} {verdict}", sums::question(*pair));
        }
    }
    println!(
        "result: example=seq2seq_addition seed={} batches={} held_out={HELD_OUT} exact_match={:.4} train_seconds={seconds:.1}",
        options.seed,
        options.batches,
        right as f64 / HELD_OUT as f64,
    );
    Ok(())
}
