//! Memory follows the formula at the top of `src/recurrent/gated.rs`, and running a layer takes no more for more steps.
//!
//! The allocator of this program keeps the most that was held at once.

use bptt::initializers::Init;
use bptt::layer::{Backward, Forward, Layer, Pass};
use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::{Cell, Rnn, RnnCache};
use bptt::tensor::Tensor;
use ndarray::Array3;

use super::peak_of;

/// The most that `work` held at once beyond what was held before, in numbers of four bytes.
fn peak(work: impl FnOnce()) -> f64 {
    peak_of(work).0 as f64 / 4.0
}

struct Sizes {
    steps: usize,
    batch: usize,
    features: usize,
    units: usize,
}

fn input(sizes: &Sizes) -> Tensor<f32> {
    Tensor::Sequence(Array3::from_elem((sizes.steps, sizes.batch, sizes.features), 0.1))
}

/// Holds the peak of a step of training against the formula; `blocks` and `kernel_blocks` are its N and K.
fn train<C: Cell<f32>>(layer: &Rnn<C>, sizes: &Sizes, blocks: usize, kernel_blocks: usize, states: usize) {
    let &Sizes { steps, batch, features, units } = sizes;
    let weights = layer.build(Form::sequence(steps, features), &mut Init::new(Key::new(1))).unwrap();
    let mut gradients = weights.clone();
    let x = input(sizes);
    let (mut y, mut dx) = (Tensor::default(), Tensor::default());
    // What the caller holds is no part of the layer's.
    y.as_vector(batch, units);
    dx.as_sequence(steps, batch, features);
    let dy = y.clone();
    let pass = Pass::training(Key::new(1));
    let peak = peak(|| {
        let mut cache = RnnCache::default();
        layer.forward(&weights, Forward::new(&x, &mut y, &mut cache, pass));
        let backward = Backward::new((&x, &y), &dy, &mut cache, &mut gradients, pass);
        layer.backward(&weights, backward.dx(&mut dx));
    });

    let kept = steps * batch * blocks * units + (steps + 1) * batch * units * states;
    let (columns, vectors) = (kernel_blocks * units, |width: usize| width.next_multiple_of(16));
    let packed = [units, features].map(|rows| (rows * vectors(columns)).max(columns * vectors(rows)));
    // Rows of z that are as wide as a tile are multiplied where they are.
    let whole = blocks == kernel_blocks && columns <= 48 && columns % 8 == 0;
    let panel = if whole { 0 } else { 48.min(vectors(columns)) };
    let wide = [units, features].into_iter().filter(|&width| width > 64).max().unwrap_or(0);
    let room = packed[0] + packed[1] + 1024 * (panel + wide) + 2 * states * batch * units;
    println!("H={units} T={steps} B={batch} N={blocks}: {peak}, of them {kept} kept; at most {}", kept + room);
    assert!(peak >= kept as f64, "{layer:?}: {peak} of {kept}");
    assert!(peak <= 1.03 * (kept + room) as f64, "{layer:?}: {peak} of {kept} and {room}");
}

/// The peak of running the layer over so many steps.
fn run<C: Cell<f32>>(layer: &Rnn<C>, sizes: &Sizes) -> f64 {
    let weights = layer.build(Form::sequence(sizes.steps, sizes.features), &mut Init::new(Key::new(1))).unwrap();
    let x = input(sizes);
    let mut y = Tensor::default();
    // Outputs of all steps, if the layer gives them, are the caller's.
    layer.forward(&weights, Forward::new(&x, &mut y, &mut RnnCache::default(), Pass::inference()));
    peak(|| {
        let mut cache = RnnCache::default();
        layer.forward(&weights, Forward::new(&x, &mut y, &mut cache, Pass::inference()));
    })
}

#[test]
fn training_takes_what_the_formula_says_and_running_no_more_for_more_steps() {
    for (units, features) in [(8, 16), (33, 20), (128, 128)] {
        for (steps, batch) in [(100, 32), (300, 8), (40, 64)] {
            let sizes = Sizes { steps, batch, features, units };
            train(&Lstm::new(units), &sizes, 4, 4, 2);
            train(&Gru::new(units), &sizes, 4, 3, 1);
            train(&SimpleRnn::new(units), &sizes, 1, 1, 1);
        }
    }
    for (batch, units) in [(1, 8), (16, 8), (3, 130)] {
        for sequences in [false, true] {
            let sizes = |steps| Sizes { steps, batch, features: 12, units };
            let lstm = Lstm::new(units).return_sequences(sequences);
            assert_eq!(run(&lstm, &sizes(2_000)), run(&lstm, &sizes(20_000)), "{lstm:?} of {batch}");
            let gru = Gru::new(units).return_sequences(sequences);
            assert_eq!(run(&gru, &sizes(2_000)), run(&gru, &sizes(20_000)), "{gru:?} of {batch}");
            let rnn = SimpleRnn::new(units).return_sequences(sequences);
            assert_eq!(run(&rnn, &sizes(2_000)), run(&rnn, &sizes(20_000)), "{rnn:?} of {batch}");
        }
    }
}
