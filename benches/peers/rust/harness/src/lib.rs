//! What the Rust programs of the comparison share.
//!
//! A program is started once with `--threads N --files DIR` and then told what to do, a line at a time on standard input:
//! `prepare WORK` builds the work from the files, runs it once and answers with figures that prove that it is the same
//! work; `measure SECONDS` runs it again and again for about that long and answers with the median time of one unit. An
//! answer is one line, `reply` and JSON, on standard output. [`serve`] is this loop. So two programs can be measured in
//! turn without starting either anew.

mod tensors;
mod work;

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;

pub use tensors::{Reviews, Tensors};
pub use work::{Cell, Experiment, Work};

/// What goes wrong in a program is told to whoever started it, as text.
pub type Failure = Box<dyn Error>;

/// Samples for each step of the optimizer in an epoch.
pub const BATCH: usize = 64;
/// Units and features of the experiments.
pub const UNITS: usize = 8;
pub const FEATURES: usize = 16;
/// Time steps of one run of a streaming work: enough that reading the clock costs nothing.
pub const STREAM_STEPS: usize = 100;

/// How an epoch changes the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// The same formula everywhere, so that losses agree to print precision and prove that the gradients do.
    Sgd { rate: f64 },
    /// What is measured. Libraries differ in whether epsilon stands inside the root or beside it.
    RmsProp { rate: f64, rho: f64, epsilon: f64 },
}

impl Optimizer {
    /// The one that proves equal work.
    pub const PROOF: Optimizer = Optimizer::Sgd { rate: 0.1 };
    /// The one that is measured.
    pub const MEASURED: Optimizer = Optimizer::RmsProp { rate: 1e-4, rho: 0.9, epsilon: 1e-7 };
}

/// What a program was started with.
pub struct Options {
    /// Threads to use.
    pub threads: usize,
    /// The folder of data and weights.
    pub files: PathBuf,
}

/// What a program says to a work.
pub enum Answer {
    /// It is ready to be measured.
    Ready(Ready),
    /// The library has no means for it, and why.
    Cannot(&'static str),
}

impl Answer {
    /// Names the losses those of a GRU whose reset gate comes before the product: another function than ours by default.
    pub fn resetting_before(mut self) -> Answer {
        if let Answer::Ready(ready) = &mut self {
            ready.checks = ready.checks.iter().map(|&(_, value)| (RESET_BEFORE, value)).take(1).collect();
        }
        self
    }
}

/// The name of the figure that proves equal work of such a GRU.
pub const RESET_BEFORE: &str = "sgd_loss_reset_before";

/// A work that is ready to be measured.
pub struct Ready {
    /// Figures that must agree with those of the other programs.
    pub checks: Vec<(&'static str, f64)>,
    /// What a reader of the table should know.
    pub note: &'static str,
    /// Runs it once; the seconds of one unit (an epoch, a training step, a time step).
    pub run: Box<dyn FnMut() -> Result<f64, Failure>>,
}

/// A model of one of the experiments in training.
pub trait Trainer {
    /// Trains for one epoch, the samples in order; the mean loss over it.
    fn epoch(&mut self) -> Result<f64, Failure>;
}

/// The answer to an experiment: proves with [`Optimizer::PROOF`], then measures with [`Optimizer::MEASURED`], each from
/// the initial weights.
pub fn train_epochs<T: Trainer + 'static>(
    note: &'static str,
    make: impl Fn(Optimizer) -> Result<T, Failure>,
) -> Result<Answer, Failure> {
    let proof = make(Optimizer::PROOF)?.epoch()?;
    let mut trainer = make(Optimizer::MEASURED)?;
    let first = trainer.epoch()?;
    let run = Box::new(move || {
        let started = Instant::now();
        trainer.epoch()?;
        Ok(started.elapsed().as_secs_f64())
    });
    Ok(Answer::Ready(Ready { checks: vec![("sgd_loss", proof), ("rmsprop_loss", first)], note, run }))
}

/// Reads the command line and answers until standard input ends.
pub fn serve(prepare: impl Fn(Work, &Options) -> Result<Answer, Failure>) -> Result<(), Failure> {
    serve_with(std::env::args().skip(1), prepare)
}

/// [`serve`] with these arguments.
pub fn serve_with(
    arguments: impl Iterator<Item = String>,
    prepare: impl Fn(Work, &Options) -> Result<Answer, Failure>,
) -> Result<(), Failure> {
    let options = options(arguments)?;
    let mut ready: Option<Ready> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let reply = match line.split_once(' ') {
            Some(("prepare", name)) => {
                // Frees the work before, so that two never take memory at once.
                ready = None;
                match Work::parse(name).and_then(|work| prepare(work, &options)) {
                    Ok(Answer::Ready(work)) => {
                        let checks: serde_json::Map<_, _> =
                            work.checks.iter().map(|(name, value)| ((*name).to_string(), (*value).into())).collect();
                        let note = work.note;
                        ready = Some(work);
                        serde_json::json!({ "checks": checks, "note": note })
                    }
                    Ok(Answer::Cannot(reason)) => serde_json::json!({ "cannot": reason }),
                    Err(failure) => serde_json::json!({ "error": failure.to_string() }),
                }
            }
            Some(("measure", seconds)) => match (&mut ready, seconds.parse()) {
                (Some(ready), Ok(seconds)) => match measure(ready, seconds) {
                    Ok((median, runs)) => serde_json::json!({ "seconds": median, "runs": runs }),
                    Err(failure) => serde_json::json!({ "error": failure.to_string() }),
                },
                _ => serde_json::json!({ "error": format!("nothing is prepared for: {line}") }),
            },
            _ => serde_json::json!({ "error": format!("no such command: {line}") }),
        };
        println!("reply {reply}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn measure(ready: &mut Ready, seconds: f64) -> Result<(f64, usize), Failure> {
    let started = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || started.elapsed().as_secs_f64() < seconds {
        times.push((ready.run)()?);
    }
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    let median = if times.len() % 2 == 1 { times[middle] } else { (times[middle - 1] + times[middle]) / 2.0 };
    Ok((median, times.len()))
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let (mut threads, mut files) = (None, None);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--threads" => threads = Some(value.parse()?),
            "--files" => files = Some(value.into()),
            _ => return Err(format!("no such option: {name}").into()),
        }
    }
    Ok(Options { threads: threads.ok_or("--threads is missing")?, files: files.ok_or("--files is missing")? })
}

/// Σ v², in f64: the same for whatever order a library keeps its gates in.
pub fn sum_of_squares<'a>(values: impl IntoIterator<Item = &'a f32>) -> f64 {
    values.into_iter().map(|&value| f64::from(value) * f64::from(value)).sum()
}
