//! The smallest program that trains: a stack of built-in layers and `fit`.
//! `benches/compile_times.py` builds it, edits the line of `SEED` and builds it again.

use bptt::prelude::*;
use ndarray::{Array1, Array2, s};

const SEED: u64 = 0;

fn main() -> bptt::Result<()> {
    // Does the first half hold the larger words?
    let x = Array2::<u32>::from_shape_fn((96, 12), |(n, t)| ((n * 31 + t * 17 + n * t) % 50) as u32);
    let y: Array1<f32> =
        x.outer_iter().map(|row| f32::from(row.slice(s![..6]).sum() > row.slice(s![6..]).sum())).collect();
    let mut model = Sequential::new()
        .add(Embedding::new(50, 8))
        .add(Bidirectional::new(Lstm::new(4)))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(12), SEED)?;
    model.compile(Adam::new(0.01), BinaryCrossentropy::new());
    let history = model.fit(&x, &y, Fit::new().epochs(3))?;
    println!("{:?}", history.get("loss"));
    Ok(())
}
