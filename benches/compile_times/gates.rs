//! The program of `stack.rs` with gates of its own in the place of the LSTM's: h' = h + f·(g − h), a unit that forgets by an
//! amount that it computes.

use bptt::Result;
use bptt::io::Registry;
use bptt::layer::Describe;
use bptt::numeric::Lane;
use bptt::prelude::*;
use bptt::recurrent::{Gated, Gates, Rnn};
use ndarray::{Array1, Array2, s};
use serde::{Deserialize, Serialize};

const SEED: u64 = 0;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Leaky;

impl Describe for Leaky {
    fn kind() -> &'static str {
        "compile_times::Leaky"
    }
}

impl Gates for Leaky {
    type Blocks<L: Lane> = [L; 2];
    type States<L: Lane> = [L; 1];

    #[inline(always)]
    fn forward<L: Lane>(&self, [f, g]: [L; 2], [h]: [L; 1]) -> ([L; 2], [L; 1]) {
        let (f, g) = (f.sigmoid(), g.tanh());
        ([f, g], [h + f * (g - h)])
    }

    #[inline(always)]
    fn backward<L: Lane>(&self, [f, g]: [L; 2], [h]: [L; 1], _: [L; 1], [d]: [L; 1]) -> ([L; 2], [L; 1]) {
        let one = f.splat(1.0);
        let (df, dg, dh) = (d * (g - h), d * f, d * (one - f));
        ([df * f * (one - f), dg * (one - g * g)], [dh])
    }
}

fn main() -> Result<()> {
    // Does the first half hold the larger words?
    let x = Array2::<u32>::from_shape_fn((96, 12), |(n, t)| ((n * 31 + t * 17 + n * t) % 50) as u32);
    let y: Array1<f32> =
        x.outer_iter().map(|row| f32::from(row.slice(s![..6]).sum() > row.slice(s![6..]).sum())).collect();
    let (train, validation) = (x.slice(s![..64, ..]).to_owned(), x.slice(s![64.., ..]).to_owned());
    let (train_labels, validation_labels) = (y.slice(s![..64]).to_owned(), y.slice(s![64..]).to_owned());

    let mut model = Sequential::new()
        .add(Embedding::new(50, 8))
        .add(Bidirectional::new(Rnn::from_cell(Gated::new(Leaky, 4))))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(12), SEED)?;
    model.compile(Adam::new(0.01), BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());

    let folder = std::env::temp_dir();
    let best = folder.join(format!("compile-times-{}-best.safetensors", std::process::id()));
    let last = folder.join(format!("compile-times-{}-last.safetensors", std::process::id()));
    let mut early_stopping = EarlyStopping::new().patience(2).restore_best_weights(true);
    let mut checkpoint = ModelCheckpoint::new(&best).save_best_only(true);
    let fit = Fit::new()
        .epochs(3)
        .batch_size(16)
        .validation(&validation, &validation_labels)
        .callback(&mut early_stopping)
        .callback(&mut checkpoint);
    let history = model.fit(&train, &train_labels, fit)?;

    let figures = model.evaluate(&validation, &validation_labels)?;
    model.save(&last)?;
    let loaded: Model = Model::load_with(&last, &Registry::new().gates::<Leaky>())?;
    let predictions = loaded.predict(&validation)?;
    println!(
        "{:?} {:?} {:?} {:?}",
        history.get("val_loss"),
        figures.get("loss"),
        predictions.shape(),
        checkpoint.best()
    );
    for file in [best, last] {
        let _ = std::fs::remove_file(file);
    }
    Ok(())
}
