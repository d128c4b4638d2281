//! A cell of one's own: a minimal gated unit remembers what it was told to.
//!
//! The cell is in `cells/minimal_unit.rs`: a product inside the step, which no gates rule can have.
//! `cargo run --release --example custom_cell`

#[path = "cells/minimal_unit.rs"]
mod minimal_unit;

use bptt::layer::Pass;
use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::Rnn;
use bptt::testing::gradcheck;
use minimal_unit::MinimalUnit;
use ndarray::{Array1, Array3};
use ndarray_rand::rand::Rng;

const STEPS: usize = 20;

/// Noise, of which the second feature marks one step in the first half; the label is whether its number is positive.
fn marked_sign(samples: usize, seed: u64) -> (Array3<f32>, Array1<f32>) {
    let mut generator = Key::new(seed).generator();
    let (mut x, mut y) = (Array3::zeros((samples, STEPS, 2)), Array1::zeros(samples));
    for sample in 0..samples {
        (0..STEPS).for_each(|step| x[[sample, step, 0]] = generator.random_range(-1.0..1.0));
        let marked = generator.random_range(0..STEPS / 2);
        x[[sample, marked, 1]] = 1.0;
        y[sample] = f32::from(u8::from(x[[sample, marked, 0]] > 0.0));
    }
    (x, y)
}

fn main() -> bptt::Result<()> {
    // First of all: is its backward pass right?
    let layer = Rnn::from_cell(MinimalUnit { units: 8 });
    let report = gradcheck::recurrent(&layer, Form::sequence(5, 3), 2, Pass::training(Key::new(0)))?;
    println!("gradients: {report}");

    let ((x, y), (x_test, y_test)) = (marked_sign(2000, 1), marked_sign(500, 2));
    let mut model = Sequential::new()
        .add(layer)
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::sequence(STEPS, 2), 42)?;
    model.compile(Adam::new(0.01), BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());
    let history = model.fit(&x, &y, Fit::new().epochs(20).batch_size(32))?;
    let (loss, accuracy) = (history.get("loss"), history.get("accuracy"));
    for epoch in [0, 4, 9, 14, 19] {
        println!("epoch {:2}: loss {:.4}, accuracy {:.3}", epoch + 1, loss[epoch], accuracy[epoch]);
    }
    let accuracy = model.evaluate(&x_test, &y_test)?.get("accuracy").unwrap_or(f64::NAN);
    println!("accuracy on new sequences: {accuracy:.3}, where guessing has 0.5");
    Ok(())
}
