//! One sample at a time through whole models, as it comes: how long a step takes, and that it allocates nothing.
//!
//! `cargo run --release --example stream`; `-- --help` shows the options.

mod counting;
#[path = "../program/mod.rs"]
#[expect(dead_code, unused_imports, reason = "this example leaves no files")]
mod program;

use std::time::Instant;

use bptt::Result;
use bptt::models::Predictor;
use bptt::prelude::*;
use bptt::random::Key;
use counting::allocations;
use ndarray::{Array3, ArrayD, Axis, s};
use ndarray_rand::rand::Rng;
use program::{Outcome, Program};

const PROGRAM: Program = Program {
    name: "stream",
    about: "Streams samples through models of one LSTM and one dense layer, and measures each step.",
    rounds: ("steps", 50_000),
    files: &[],
};
const UNITS: [usize; 3] = [8, 64, 256];
const FEATURES: usize = 8;

/// What a stream was like.
struct Report {
    /// Of each step in nanoseconds, in ascending order.
    latencies: Vec<u64>,
    /// During all steps.
    allocations: usize,
    /// The largest between the outputs of the stream and those for the whole sequence.
    difference: f32,
}

fn stream(units: usize, steps: usize, seed: u64) -> Result<Report> {
    let mut generator = Key::new(seed).generator();
    let sequence = Array3::from_shape_fn((1, steps, FEATURES), |_| generator.random_range(-1.0..1.0));

    // An output for each step, so that every one can be compared. A stream would not need `return_sequences`.
    let mut model = Sequential::new()
        .add(Lstm::new(units).return_sequences(true))
        .add(Dense::new(1))
        .build(Form::sequence(None, FEATURES), seed)?;
    // The threads of a pool would only wait.
    model.set_threads(1)?;

    // All that a step needs is here before the first one: its input and output, the memory it works in, the state.
    let mut sample = Array3::<f32>::zeros((1, 1, FEATURES));
    let (mut output, mut predictor) = (ArrayD::default(vec![1, 1, 1]), Predictor::new());
    let mut state = model.state(1)?;
    predictor.step(&model, &sample, &mut state, &mut output)?;
    state.reset();

    let mut outputs = Vec::with_capacity(steps);
    let mut latencies = Vec::with_capacity(steps);
    let before = allocations();
    for values in sequence.index_axis(Axis(0), 0).rows() {
        let started = Instant::now();
        sample.slice_mut(s![0, 0, ..]).assign(&values);
        predictor.step(&model, &sample, &mut state, &mut output)?;
        latencies.push(started.elapsed().as_nanos() as u64);
        outputs.push(output[[0, 0, 0]]);
    }
    let allocations = allocations() - before;

    latencies.sort_unstable();
    let whole = model.predict(&sequence)?;
    let difference = whole.iter().zip(&outputs).map(|(whole, output)| (whole - output).abs()).fold(0.0, f32::max);
    Ok(Report { latencies, allocations, difference })
}

impl Report {
    /// The latency that this part of the steps, in thousandths, keeps below, in microseconds.
    fn percentile(&self, thousandths: usize) -> f64 {
        let rank = (self.latencies.len() * thousandths).div_ceil(1000);
        self.latencies[rank.max(1) - 1] as f64 / 1000.0
    }

    fn steps_per_second(&self) -> f64 {
        self.latencies.len() as f64 * 1e9 / self.latencies.iter().sum::<u64>() as f64
    }
}

fn main() -> Outcome {
    let options = PROGRAM.options();
    if !options.quiet {
        println!("µs a step |     p50     p90     p99   p99.9       max | steps a second | allocations | difference");
    }
    let (mut allocations, mut difference, mut figures) = (0, 0.0_f32, String::new());
    for units in UNITS {
        let report = stream(units, options.rounds, options.seed)?;
        let [p50, p90, p99, p999, max] = [500, 900, 990, 999, 1000].map(|thousandths| report.percentile(thousandths));
        if !options.quiet {
            println!(
                "LSTM {units:>4} | {p50:>7.2} {p90:>7.2} {p99:>7.2} {p999:>7.2} {max:>9.2} \
                 | {:>14.0} | {:>11} | {:.1e}",
                report.steps_per_second(),
                report.allocations,
                report.difference
            );
        }
        allocations += report.allocations;
        difference = difference.max(report.difference);
        figures += &format!(" p50_us_{units}={p50:.3} p99_us_{units}={p99:.3}");
    }
    println!(
        "result: example={} seed={} steps={} allocations={allocations} difference={difference:e}{figures}",
        PROGRAM.name, options.seed, options.rounds
    );
    Ok(())
}
