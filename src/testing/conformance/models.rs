//! Laws of a layer in a model: saving and loading, and training on several threads.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array1, Array3, Dimension};

use super::problem::{FEATURES, Options, random};
use super::{Verdict, hold};
use crate::io::Registry;
use crate::layers::Dense;
use crate::losses::MeanSquaredError;
use crate::model::{Model, Sequential};
use crate::optimizers::Adam;
use crate::random::Key;
use crate::recurrent::{Cell, Rnn};
use crate::tensor::Form;
use crate::training::Fit;

/// Temporary file of this process, which is removed on drop.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let (process, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Scratch(std::env::temp_dir().join(format!("bptt-conformance-{process}-{number}.safetensors")))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The file does not exist if it could not be written; the law then returns that error.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Checks that a model with the layer, saved and loaded through a [`Registry`], has the same options and the same bits
/// of outputs, so that the serialized cell is complete.
pub fn a_saved_model_gives_the_same_outputs<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    hold("a_saved_model_gives_the_same_outputs", |case| {
        *case = format!("kind {:?}, T=5 B=3 D={FEATURES} in F32", C::kind());
        let text = |error: crate::Error| error.to_string();
        let layers = Sequential::new().add(layer.clone().return_sequences(true)).add(Dense::new(1));
        let model = layers.build(Form::sequence(5, FEATURES), 1).map_err(text)?;
        let x: Array3<f32> = random((3, 5, FEATURES), Key::new(13));
        let file = Scratch::new();
        model.save(&file.0).map_err(text)?;
        let registry = Registry::<f32>::new().cell::<C>();
        let loaded = Model::load_with(&file.0, &registry).map_err(text)?;
        let (saved, read) = (model.predict(&x).map_err(text)?, loaded.predict(&x).map_err(text)?);
        if let Some(place) = saved.iter().zip(&read).position(|(a, b)| a.to_bits() != b.to_bits()) {
            let (a, b) = (saved.iter().nth(place), read.iter().nth(place));
            return Err(format!("output {place} is {a:?} before saving and {b:?} after"));
        }
        let written = serde_json::to_string(layer).map_err(|error| error.to_string())?;
        let options = serde_json::from_str(&written).map_err(|error| error.to_string())?;
        // Only a registry knows the parts of a cell made of others.
        let again = registry.layer_of(C::kind(), options).map_err(text)?;
        if format!("{layer:?}") != format!("{again:?}") {
            return Err(format!("{layer:?} is read back as {again:?}"));
        }
        Ok(())
    })
}

/// Checks that training on 1, 2 and 4 threads gives the same bits of every weight, with dropout and batches of several
/// shards.
pub fn threads_change_no_bit<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    /// One batch of four shards, the last of them small, and one of two.
    const SAMPLES: usize = 164;
    const BATCH: usize = 100;
    hold("threads_change_no_bit", |case| {
        let text = |error: crate::Error| error.to_string();
        let options = Options { dropout: 0.2, recurrent_dropout: 0.2, ..Options::default() };
        let layer = options.layer(layer.cell());
        let build = |steps: usize| {
            let layers = Sequential::new().add(layer.clone()).add(Dense::new(1));
            layers.build(Form::sequence(steps, FEATURES), 1).map_err(text)
        };
        // Enough steps that even the smaller batch is shared between threads.
        let steps = (600_000 / (3 * build(1)?.parameters() * (SAMPLES - BATCH))).max(3);
        *case = options.case::<f32>(steps, SAMPLES);
        let x: Array3<f32> = random((SAMPLES, steps, FEATURES), Key::new(14));
        let y: Array1<f32> = random(SAMPLES, Key::new(15));
        let train = |threads: usize| {
            let mut model = build(steps)?;
            model.compile(Adam::new(0.01), MeanSquaredError);
            model.set_threads(threads).map_err(text)?;
            model.fit(&x, &y, Fit::new().epochs(2).batch_size(BATCH)).map_err(text)?;
            Ok::<_, String>(model)
        };
        let alone = train(1)?;
        for threads in [2, 4] {
            let shared = train(threads)?;
            for name in alone.weight_names() {
                let (a, b) = (alone.weight(&name).map_err(text)?, shared.weight(&name).map_err(text)?);
                for ((index, a), b) in a.indexed_iter().zip(&b) {
                    if a.to_bits() != b.to_bits() {
                        let index = index.slice();
                        return Err(format!("{name}{index:?} is {a} on one thread, but {b} on {threads}"));
                    }
                }
            }
        }
        Ok(())
    })
}
