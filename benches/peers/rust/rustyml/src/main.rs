//! rustyml: the four experiments, written with its layers.
//!
//! Its recurrent layers have no dropout of their own; SpatialDropout1D before them drops the same features at all time
//! steps, which is what ours does. Its GRU applies the reset gate before the product and has one row of biases.

use harness::{Answer, Experiment, FEATURES, Failure, Optimizer, Reviews, Tensors, Trainer, UNITS, Work, train_epochs};
use ndarray::{Array2, ArrayD};
use rustyml::neural_network::layers::{Activation, Dense, Embedding, GRU, LSTM, SpatialDropout1D};
use rustyml::neural_network::losses::BinaryCrossEntropy;
use rustyml::neural_network::optimizers::{RMSprop, SGD};
use rustyml::neural_network::sequential::{Sequential, SequentialBuilder};
use rustyml::neural_network::traits::UnaryLayer;
use rustyml::neural_network::{Shape, Tensor};

const GRU_NOTE: &str = "its GRU resets before the product";

fn main() -> Result<(), Failure> {
    harness::serve(|work, options| {
        let Work::Epoch(experiment) = work else { return Ok(Answer::Cannot("only epochs are compared")) };
        let note = if experiment == Experiment::Gru { GRU_NOTE } else { "" };
        let answer = train_epochs(note, |optimizer| {
            let tensors = Tensors::of(&options.files, experiment)?;
            let reviews = Reviews::read(&options.files)?;
            let mut model = model(experiment, &tensors, reviews.steps)?;
            match optimizer {
                Optimizer::Sgd { rate } => {
                    model.compile(SGD::new(rate as f32, 0.0, false, 0.0)?, BinaryCrossEntropy::new());
                }
                Optimizer::RmsProp { rate, rho, epsilon } => {
                    let rule = RMSprop::new(rate as f32, rho as f32, epsilon as f32, 0.0)?;
                    model.compile(rule, BinaryCrossEntropy::new());
                }
            }
            Epochs::new(model, &reviews)
        })?;
        Ok(if experiment == Experiment::Gru { answer.resetting_before() } else { answer })
    })
}

/// A weight as a matrix: a bias as its first row.
fn matrix(tensors: &Tensors, name: &str) -> Result<Array2<f32>, Failure> {
    let (shape, values) = tensors.floats(name)?;
    let columns = shape[shape.len() - 1];
    let rows = if name.ends_with("/bias") { 1 } else { shape[0] };
    Ok(Array2::from_shape_vec((rows, columns), values[..rows * columns].to_vec())?)
}

fn model(experiment: Experiment, tensors: &Tensors, steps: usize) -> Result<Sequential, Failure> {
    let weight = |name: &str| matrix(tensors, name);
    let input = Shape::new(vec![None, Some(steps)]);
    let embeddings = weight("embedding/embeddings")?;
    let mut embedding = Embedding::new(embeddings.nrows(), FEATURES)?;
    embedding.build(&input)?;
    embedding.set_weights(embeddings)?;
    let mut builder = SequentialBuilder::new().add(embedding);
    let mut features = FEATURES;
    for (number, layer) in experiment.layers().iter().enumerate() {
        if experiment.dropout() > 0.0 {
            builder = builder.add(SpatialDropout1D::new(experiment.dropout() as f32)?);
        }
        let shape = Shape::new(vec![None, Some(steps), Some(features)]);
        let kernel = weight(&format!("{layer}/kernel"))?;
        let recurrent = weight(&format!("{layer}/recurrent_kernel"))?;
        let bias = weight(&format!("{layer}/bias"))?;
        builder = if experiment == Experiment::Gru {
            let mut gru = GRU::new(UNITS, Activation::Tanh)?;
            gru.build(&shape)?;
            gru.set_weights(kernel, recurrent, bias)?;
            builder.add(gru)
        } else {
            let all = number + 1 < experiment.layers().len();
            let mut lstm = LSTM::new(UNITS, Activation::Tanh)?.with_return_sequences(all);
            lstm.build(&shape)?;
            lstm.set_weights(kernel, recurrent, bias)?;
            builder.add(lstm)
        };
        features = UNITS;
    }
    let mut dense = Dense::new(1, Activation::Sigmoid)?;
    dense.build(&Shape::new(vec![None, Some(UNITS)]))?;
    dense.set_weights(weight("dense/kernel")?, weight("dense/bias")?)?;
    Ok(builder.add(dense).build(&input)?)
}

struct Epochs {
    model: Sequential,
    batches: Vec<(Tensor, Tensor)>,
}

impl Epochs {
    fn new(model: Sequential, reviews: &Reviews) -> Result<Self, Failure> {
        let mut batches = Vec::new();
        for (tokens, labels) in reviews.batches() {
            let ids = tokens.iter().map(|&token| token as f32).collect();
            let tokens = ArrayD::from_shape_vec(vec![labels.len(), reviews.steps], ids)?;
            batches.push((tokens, ArrayD::from_shape_vec(vec![labels.len(), 1], labels.to_vec())?));
        }
        Ok(Epochs { model, batches })
    }
}

impl Trainer for Epochs {
    fn epoch(&mut self) -> Result<f64, Failure> {
        let (mut sum, mut samples) = (0.0, 0);
        for (tokens, labels) in &self.batches {
            let rows = labels.len();
            sum += f64::from(self.model.train_batch(tokens, labels)?) * rows as f64;
            samples += rows;
        }
        Ok(sum / samples as f64)
    }
}
