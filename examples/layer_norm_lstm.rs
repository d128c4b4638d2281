//! A layer-normalised LSTM tells tones apart whose loudness varies by a factor of a thousand, beside the plain LSTM.
//!
//! The cell is in `cells/layer_norm_lstm.rs`. `cargo run --release --example layer_norm_lstm`

#[path = "cells/layer_norm_lstm.rs"]
mod layer_norm;
#[path = "cells/normalization.rs"]
mod normalization;

use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::{Cell, Rnn};
use layer_norm::LayerNormLstm;
use ndarray::{Array1, Array3};
use ndarray_rand::rand::Rng;

const STEPS: usize = 20;

/// A tone, sine and cosine, with amplitudes from 0.1 to 100; the label is whether it is the higher of two pitches.
fn tones(samples: usize, seed: u64) -> (Array3<f32>, Array1<f32>) {
    let mut generator = Key::new(seed).generator();
    let (mut x, mut y) = (Array3::zeros((samples, STEPS, 2)), Array1::zeros(samples));
    for sample in 0..samples {
        let high = generator.random_bool(0.5);
        let pitch = if high { generator.random_range(0.6..0.9) } else { generator.random_range(0.3..0.6) };
        let amplitude = 10.0_f32.powf(generator.random_range(-1.0..2.0));
        let phase: f32 = generator.random_range(0.0..std::f32::consts::TAU);
        for step in 0..STEPS {
            let (sine, cosine) = (pitch * step as f32 + phase).sin_cos();
            x[[sample, step, 0]] = amplitude * sine;
            x[[sample, step, 1]] = amplitude * cosine;
        }
        y[sample] = f32::from(u8::from(high));
    }
    (x, y)
}

/// Trains a layer, and gives its accuracy on new tones.
fn accuracy<C: Cell<f32>>(layer: Rnn<C>) -> bptt::Result<f64> {
    let ((x, y), (x_test, y_test)) = (tones(1000, 1), tones(500, 2));
    let mut model = Sequential::new()
        .add(layer)
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::sequence(STEPS, 2), 42)?;
    model.compile(Adam::new(0.01), BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());
    model.fit(&x, &y, Fit::new().epochs(30).batch_size(32))?;
    Ok(model.evaluate(&x_test, &y_test)?.get("accuracy").unwrap_or(f64::NAN))
}

fn main() -> bptt::Result<()> {
    println!("plain LSTM:            accuracy {:.3}", accuracy(Lstm::new(8))?);
    println!("layer-normalised LSTM: accuracy {:.3}", accuracy(Rnn::from_cell(LayerNormLstm { units: 8 }))?);
    println!("guessing:              accuracy 0.5");
    Ok(())
}
