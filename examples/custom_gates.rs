//! A gates rule of one's own: an LSTM with coupled gates adds two numbers that are far apart.
//!
//! The rule is in `cells/coupled_lstm.rs`, some 25 lines. `cargo run --release --example custom_gates`

#[path = "cells/coupled_lstm.rs"]
mod coupled_lstm;

use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::{Gated, Rnn};
use coupled_lstm::CoupledLstm;
use ndarray::{Array1, Array3};
use ndarray_rand::rand::Rng;

const STEPS: usize = 30;

/// The adding problem (Hochreiter and Schmidhuber 1997): numbers in the first feature, two of them marked in the second;
/// the target is the sum of these two.
fn adding(samples: usize, seed: u64) -> (Array3<f32>, Array1<f32>) {
    let mut generator = Key::new(seed).generator();
    let (mut x, mut y) = (Array3::zeros((samples, STEPS, 2)), Array1::zeros(samples));
    for sample in 0..samples {
        let marked = [generator.random_range(0..STEPS / 2), generator.random_range(STEPS / 2..STEPS)];
        for step in 0..STEPS {
            x[[sample, step, 0]] = generator.random();
            if marked.contains(&step) {
                x[[sample, step, 1]] = 1.0;
                y[sample] += x[[sample, step, 0]];
            }
        }
    }
    (x, y)
}

fn main() -> bptt::Result<()> {
    let ((x, y), (x_test, y_test)) = (adding(2000, 1), adding(500, 2));

    // The rule becomes a cell, the cell a layer, with all that layers have.
    let layer = Rnn::from_cell(Gated::new(CoupledLstm, 16));
    let mut model = Sequential::new().add(layer).add(Dense::new(1)).build(Form::sequence(STEPS, 2), 42)?;
    print!("{}", model.summary());

    model.compile(Adam::new(0.01), MeanSquaredError);
    let history = model.fit(&x, &y, Fit::new().epochs(40).batch_size(32))?;
    for epoch in (0..40).step_by(8).chain([39]) {
        println!("epoch {:2}: loss {:.4}", epoch + 1, history.get("loss")[epoch]);
    }
    let loss = model.evaluate(&x_test, &y_test)?.get("loss").unwrap_or(f64::NAN);
    println!("squared error on new sequences: {loss:.4}, where the best guess without looking has {:.4}", 1.0 / 6.0);
    Ok(())
}
