//! A diagonal linear recurrence, the minGRU, remembers over two hundred steps: nothing multiplies its state but a gate.
//!
//! The cell is in `cells/min_gru.rs`. `cargo run --release --example min_gru`

#[path = "cells/min_gru.rs"]
mod cell;

use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::Rnn;
use cell::MinGru;
use ndarray::{Array1, Array3};
use ndarray_rand::rand::Rng;

const STEPS: usize = 200;

/// A sign at the beginning, marked by the second feature, then noise; and the sign.
fn sign_and_noise(samples: usize, seed: u64) -> (Array3<f32>, Array1<f32>) {
    let mut generator = Key::new(seed).generator();
    let y = Array1::from_shape_simple_fn(samples, || f32::from(u8::from(generator.random_bool(0.5))));
    let x = Array3::from_shape_fn((samples, STEPS, 2), |(sample, step, feature)| match (step, feature) {
        (0, 0) => 2.0 * y[sample] - 1.0,
        (0, 1) => 1.0,
        (_, 0) => generator.random_range(-1.0..1.0),
        _ => 0.0,
    });
    (x, y)
}

fn main() -> bptt::Result<()> {
    let ((x, y), (x_test, y_test)) = (sign_and_noise(500, 1), sign_and_noise(500, 2));
    // Gates that see nothing but their input: a stack of two lets the second see what the first has gathered.
    let mut model = Sequential::new()
        .add(Rnn::from_cell(MinGru { units: 16 }).return_sequences(true))
        .add(Rnn::from_cell(MinGru { units: 16 }))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::sequence(STEPS, 2), 42)?;
    model.compile(Adam::new(0.02), BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());
    let history = model.fit(&x, &y, Fit::new().epochs(20).batch_size(32))?;
    let (loss, accuracy) = (history.get("loss"), history.get("accuracy"));
    for epoch in [0, 4, 9, 14, 19] {
        println!("epoch {:2}: loss {:.4}, accuracy {:.3}", epoch + 1, loss[epoch], accuracy[epoch]);
    }
    let accuracy = model.evaluate(&x_test, &y_test)?.get("accuracy").unwrap_or(f64::NAN);
    println!("accuracy on new sequences of {STEPS} steps: {accuracy:.3}, where guessing has 0.5");
    Ok(())
}
