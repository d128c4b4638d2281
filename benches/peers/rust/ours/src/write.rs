//! Writes what all programs start from: the reviews, the initial weights of the experiments, and inputs and weights of the
//! single layers. Everything follows from fixed seeds.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use bptt::datasets::Synthetic;
use bptt::datasets::imdb::LoadData;
use bptt::preprocessing::{pad_sequences, train_test_split};
use harness::{BATCH, Cell, Experiment, Failure, Work};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::works;

const SEED: u64 = 42;
/// Words that are told apart, and tokens of each review.
pub const VOCABULARY: usize = 500;
pub const TOKENS: usize = 100;

/// `--files DIR [--data FILE] [--reviews N] [WORK …]`: the folder to write to, Keras' imdb.npz (a made-up corpus without
/// it), how many reviews to train on, and the works whose files are wanted.
pub fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Failure> {
    let (mut files, mut data, mut reviews, mut names) = (None, None, 20_000, Vec::new());
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--files" => files = Some(PathBuf::from(value()?)),
            "--data" => data = Some(PathBuf::from(value()?)),
            "--reviews" => reviews = value()?.parse()?,
            _ => names.push(name),
        }
    }
    let files = files.ok_or("--files is missing")?;
    fs::create_dir_all(&files)?;
    write_reviews(&files, data.as_deref(), reviews)?;
    for name in names {
        match Work::parse(&name)? {
            Work::Epoch(experiment) => write_model(&files, experiment)?,
            Work::Train(cell, units) => write_layer(&files.join(file_name("train", cell, units)), cell, units, BATCH)?,
            Work::Stream(cell, units) => write_layer(&files.join(file_name("stream", cell, units)), cell, units, 1)?,
            Work::Product(_) => {}
        }
    }
    Ok(())
}

fn file_name(kind: &str, cell: Cell, units: usize) -> String {
    format!("{kind}-{}-{units}.safetensors", cell.name())
}

fn write_reviews(files: &Path, data: Option<&Path>, count: usize) -> Result<(), Failure> {
    let corpus = match data {
        Some(file) => LoadData::new().num_words(VOCABULARY as u32).load(file)?,
        None => Synthetic::new(SEED).num_words(VOCABULARY as u32).generate()?,
    };
    let split = train_test_split(&corpus.train.sequences, &corpus.train.labels, 0.2, SEED as u32)?;
    let count = count.min(split.train_labels.len());
    let tokens = pad_sequences(&split.train_samples[..count], TOKENS);
    let labels: Vec<f32> = split.train_labels[..count].iter().map(|&label| f32::from(label)).collect();
    let tokens: Vec<u8> = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
    save(
        &files.join("reviews.safetensors"),
        vec![("tokens", Dtype::U32, vec![count, TOKENS], tokens), ("labels", Dtype::F32, vec![count], bytes(&labels))],
    )
}

fn write_model(files: &Path, experiment: Experiment) -> Result<(), Failure> {
    let model = works::model(experiment)?;
    Ok(model.save(files.join(format!("epoch-{}.safetensors", experiment.name())))?)
}

/// Inputs, weights and the gradient of the last output of a layer whose inputs are as wide as its state.
fn write_layer(path: &Path, cell: Cell, units: usize, batch: usize) -> Result<(), Failure> {
    let steps = match (batch, units) {
        (1, _) => 1,
        (_, 1024..) => 20,
        (_, 512..) => 50,
        _ => 100,
    };
    let columns = cell.gates() * units;
    let bias = if cell == Cell::Gru { vec![2, columns] } else { vec![columns] };
    // As wide as what usual initialisers draw: states neither die out nor saturate.
    let limit = (units as f32).sqrt().recip();
    let tensors = [
        ("x", vec![steps, batch, units], 1.0),
        ("dy", vec![batch, units], 1.0),
        ("kernel", vec![units, columns], limit),
        ("recurrent_kernel", vec![units, columns], limit),
        ("bias", bias, limit),
    ];
    let tensors = tensors.into_iter().enumerate().map(|(index, (name, shape, limit))| {
        let values = uniform(SEED + index as u64, shape.iter().product(), limit);
        (name, Dtype::F32, shape, bytes(&values))
    });
    save(path, tensors.collect())
}

/// Numbers between −limit and limit from a seed (SplitMix64).
fn uniform(seed: u64, count: usize, limit: f32) -> Vec<f32> {
    let mut state = seed;
    let draw = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        limit * ((z >> 40) as f32 / (1 << 23) as f32 - 1.0)
    };
    std::iter::repeat_with(draw).take(count).collect()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn save(path: &Path, tensors: Vec<(&str, Dtype, Vec<usize>, Vec<u8>)>) -> Result<(), Failure> {
    let mut views = HashMap::new();
    for (name, dtype, shape, bytes) in &tensors {
        views.insert(*name, TensorView::new(*dtype, shape.clone(), bytes)?);
    }
    Ok(safetensors::serialize_to_file(views, None, path)?)
}
