//! An LSTM with peepholes measures the time between two events, which is what they are for (Gers et al. 2002).
//!
//! The cell is in `cells/peephole_lstm.rs`. `cargo run --release --example peephole_lstm`

#[path = "cells/peephole_lstm.rs"]
mod peephole;

use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::Rnn;
use ndarray::{Array1, Array3};
use ndarray_rand::rand::Rng;
use peephole::PeepholeLstm;

const STEPS: usize = 30;

/// Two spikes in a silent sequence; the target is the time between them, as a part of all steps.
fn spikes(samples: usize, seed: u64) -> (Array3<f32>, Array1<f32>) {
    let mut generator = Key::new(seed).generator();
    let (mut x, mut y) = (Array3::zeros((samples, STEPS, 1)), Array1::zeros(samples));
    for sample in 0..samples {
        let first = generator.random_range(0..STEPS - 1);
        let second = generator.random_range(first + 1..STEPS);
        x[[sample, first, 0]] = 1.0;
        x[[sample, second, 0]] = 1.0;
        y[sample] = (second - first) as f32 / STEPS as f32;
    }
    (x, y)
}

fn main() -> bptt::Result<()> {
    let ((x, y), (x_test, y_test)) = (spikes(1000, 1), spikes(300, 2));
    let layer = Rnn::from_cell(PeepholeLstm { units: 8 });
    let mut model = Sequential::new().add(layer).add(Dense::new(1)).build(Form::sequence(STEPS, 1), 42)?;
    model.compile(Adam::new(0.01), MeanSquaredError);
    let history = model.fit(&x, &y, Fit::new().epochs(60).batch_size(32))?;
    for epoch in [0, 19, 39, 59] {
        println!("epoch {:2}: loss {:.5}", epoch + 1, history.get("loss")[epoch]);
    }

    let outputs = model.predict(&x_test)?;
    for (output, target) in outputs.iter().zip(&y_test).take(5) {
        println!("{:2} steps between the spikes: measured {:4.1}", target * STEPS as f32, output * STEPS as f32);
    }
    let off = outputs.iter().zip(&y_test).map(|(output, target)| (output - target).abs()).sum::<f32>();
    println!("on average {:.2} steps off", off / y_test.len() as f32 * STEPS as f32);
    println!("peepholes have learnt: {:.2}", model.weight("peephole_lstm/peepholes")?);
    Ok(())
}
