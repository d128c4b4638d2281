//! Zoneout around an LSTM: with few samples and much noise it keeps the layer from learning them by heart.
//!
//! The cell is in `cells/zoneout.rs` and goes around any other. `cargo run --release --example zoneout`

#[path = "cells/zoneout.rs"]
mod cell;

use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::Rnn;
use cell::Zoneout;
use ndarray::{Array1, Array3};
use ndarray_rand::rand::Rng;

const STEPS: usize = 20;

/// Noise that leans a little to one side, and to which one.
fn leaning(samples: usize, seed: u64) -> (Array3<f32>, Array1<f32>) {
    let mut generator = Key::new(seed).generator();
    let y = Array1::from_shape_simple_fn(samples, || f32::from(u8::from(generator.random_bool(0.5))));
    let x = Array3::from_shape_fn((samples, STEPS, 2), |(sample, _, _)| {
        generator.random_range(-1.0..1.0) + 0.15 * (y[sample] - 0.5)
    });
    (x, y)
}

fn main() -> bptt::Result<()> {
    let ((x, y), (x_test, y_test)) = (leaning(200, 1), leaning(2000, 2));
    for rate in [0.0, 0.2, 0.4] {
        let layer = Rnn::from_cell(Zoneout { cell: Lstm::new(16).into_cell(), rate });
        let mut model = Sequential::new()
            .add(layer)
            .add(Dense::new(1).activation(Activation::Sigmoid))
            .build(Form::sequence(STEPS, 2), 42)?;
        model.compile(Adam::new(0.005), BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());
        model.fit(&x, &y, Fit::new().epochs(40).batch_size(32))?;
        let [seen, new] = [model.evaluate(&x, &y)?, model.evaluate(&x_test, &y_test)?]
            .map(|logs| ["loss", "accuracy"].map(|name| logs.get(name).unwrap_or(f64::NAN)));
        println!(
            "zoneout {rate}: loss {:.3} on what it saw, {:.3} on new sequences (accuracy {:.3} and {:.3})",
            seen[0], new[0], seen[1], new[1]
        );
    }
    Ok(())
}
