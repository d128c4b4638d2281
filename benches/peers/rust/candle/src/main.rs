//! candle: the four experiments, written with candle-nn, and the matrix product.
//!
//! candle-nn has no RMSprop, so it is written here as one of its optimizers.

use std::time::Instant;

use candle_core::backprop::GradStore;
use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::loss::binary_cross_entropy_with_logit;
use candle_nn::optim::{Optimizer as _, SGD};
use candle_nn::rnn::{GRU, GRUConfig, LSTM, LSTMConfig, RNN, gru, lstm};
use candle_nn::{Embedding, Linear, Module, VarBuilder, VarMap};
use harness::{
    Answer, Experiment, FEATURES, Failure, Optimizer, Ready, Reviews, Tensors, Trainer, UNITS, Work, sum_of_squares,
    train_epochs,
};

fn main() -> Result<(), Failure> {
    harness::serve(|work, options| match work {
        Work::Epoch(experiment) => train_epochs("RMSprop through the trait of candle-nn's optimizers", |optimizer| {
            let tensors = Tensors::of(&options.files, experiment)?;
            Epochs::new(experiment, optimizer, &tensors, &Reviews::read(&options.files)?)
        }),
        Work::Product(size) => product(size),
        _ => Ok(Answer::Cannot("only epochs are compared")),
    })
}

fn product(size: usize) -> Result<Answer, Failure> {
    let wave = |phase: f32| {
        let values: Vec<f32> = (0..size * size).map(|index| (index as f32 * 0.37 + phase).sin()).collect();
        Tensor::from_vec(values, (size, size), &Device::Cpu)
    };
    let (a, b) = (wave(0.0)?, wave(1.0)?);
    let checks = vec![("product", sum_of_squares(&a.matmul(&b)?.flatten_all()?.to_vec1::<f32>()?))];
    let run = Box::new(move || {
        let started = Instant::now();
        std::hint::black_box(a.matmul(&b)?);
        Ok(started.elapsed().as_secs_f64())
    });
    Ok(Answer::Ready(Ready { checks, note: "", run }))
}

enum Recurrent {
    Lstm(LSTM),
    Gru(GRU),
}

struct Model {
    embedding: Embedding,
    layers: Vec<Recurrent>,
    dense: Linear,
    dropout: f64,
}

impl Model {
    /// The model, and the variables that an optimizer changes.
    fn new(experiment: Experiment, tensors: &Tensors) -> Result<(Self, Vec<Var>), Failure> {
        let mut variables = VarMap::new();
        let builder = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        let (shape, embeddings) = tensors.floats("embedding/embeddings")?;
        let embedding = candle_nn::embedding(shape[0], shape[1], builder.pp("embedding"))?;
        let dense = candle_nn::linear(UNITS, 1, builder.pp("dense"))?;
        let mut layers = Vec::new();
        let mut weights = vec![
            ("embedding.weight".to_string(), Tensor::from_slice(embeddings, shape.as_slice(), &Device::Cpu)?),
            ("dense.weight".to_string(), transposed(tensors, "dense/kernel", &[0])?),
            ("dense.bias".to_string(), Tensor::new(tensors.floats("dense/bias")?.1.as_slice(), &Device::Cpu)?),
        ];
        let mut features = FEATURES;
        for &layer in experiment.layers() {
            // candle's GRU keeps its gates as r, z, n.
            let (order, recurrent): (&[usize], _) = if experiment == Experiment::Gru {
                (&[1, 0, 2], Recurrent::Gru(gru(features, UNITS, GRUConfig::default(), builder.pp(layer))?))
            } else {
                let config = LSTMConfig { b_hh_init: None, ..LSTMConfig::default() };
                (&[0, 1, 2, 3], Recurrent::Lstm(lstm(features, UNITS, config, builder.pp(layer))?))
            };
            layers.push(recurrent);
            let name = |weight: &str| format!("{layer}/{weight}");
            weights.push((format!("{layer}.weight_ih_l0"), transposed(tensors, &name("kernel"), order)?));
            weights.push((format!("{layer}.weight_hh_l0"), transposed(tensors, &name("recurrent_kernel"), order)?));
            let biases = tensors.gate_blocks(&name("bias"), order.len())?;
            for (row, bias) in ["bias_ih_l0", "bias_hh_l0"].into_iter().take(biases[0].0[0]).enumerate() {
                let values: Vec<f32> =
                    order.iter().flat_map(|&gate| &biases[gate].1[row * UNITS..][..UNITS]).copied().collect();
                weights.push((format!("{layer}.{bias}"), Tensor::new(values.as_slice(), &Device::Cpu)?));
            }
            features = UNITS;
        }
        variables.set(weights.into_iter())?;
        Ok((Model { embedding, layers, dense, dropout: experiment.dropout() }, variables.all_vars()))
    }

    /// Logits (B).
    fn forward(&self, tokens: &Tensor) -> Result<Tensor, Failure> {
        let mut sequence = self.embedding.forward(tokens)?;
        let mut last = None;
        for layer in &self.layers {
            sequence = self.drop(sequence)?;
            match layer {
                Recurrent::Lstm(lstm) => {
                    let states = lstm.seq(&sequence)?;
                    last = states.last().map(|state| state.h.clone());
                    sequence = lstm.states_to_tensor(&states)?;
                }
                Recurrent::Gru(gru) => last = gru.seq(&sequence)?.last().map(|state| state.h.clone()),
            }
        }
        let last = last.ok_or("the sequence has no steps")?;
        Ok(self.dense.forward(&last)?.squeeze(D::Minus1)?)
    }

    /// Drops features of a sample at all time steps alike.
    fn drop(&self, sequence: Tensor) -> Result<Tensor, Failure> {
        if self.dropout == 0.0 {
            return Ok(sequence);
        }
        let (batch, _, features) = sequence.dims3()?;
        let ones = Tensor::ones((batch, 1, features), DType::F32, &Device::Cpu)?;
        Ok(sequence.broadcast_mul(&candle_nn::ops::dropout(&ones, self.dropout as f32)?)?)
    }
}

/// A matrix (rows, gates·units) with its gates in another order, as candle keeps it: (gates·units, rows).
fn transposed(tensors: &Tensors, name: &str, order: &[usize]) -> Result<Tensor, Failure> {
    let blocks = tensors.gate_blocks(name, order.len())?;
    let mut rows = Vec::new();
    for &gate in order {
        let (shape, values) = &blocks[gate];
        rows.push(Tensor::from_slice(values, shape.as_slice(), &Device::Cpu)?.t()?);
    }
    Ok(Tensor::cat(&rows, 0)?.contiguous()?)
}

enum Rule {
    Sgd(SGD),
    RmsProp(RmsProp),
}

struct RmsProp {
    variables: Vec<(Var, Tensor)>,
    rate: f64,
    rho: f64,
    epsilon: f64,
}

impl RmsProp {
    fn step(&mut self, gradients: &GradStore) -> Result<(), Failure> {
        for (variable, average) in &mut self.variables {
            let Some(gradient) = gradients.get(variable) else { continue };
            *average = ((&*average * self.rho)? + (gradient.sqr()? * (1.0 - self.rho))?)?;
            let update = (gradient / (&*average + self.epsilon)?.sqrt()?)?;
            variable.set(&(variable.as_tensor() - (update * self.rate)?)?)?;
        }
        Ok(())
    }
}

struct Epochs {
    model: Model,
    rule: Rule,
    batches: Vec<(Tensor, Tensor)>,
}

impl Epochs {
    fn new(
        experiment: Experiment,
        optimizer: Optimizer,
        tensors: &Tensors,
        reviews: &Reviews,
    ) -> Result<Self, Failure> {
        let (model, variables) = Model::new(experiment, tensors)?;
        let rule = match optimizer {
            Optimizer::Sgd { rate } => Rule::Sgd(SGD::new(variables, rate)?),
            Optimizer::RmsProp { rate, rho, epsilon } => {
                let with_average = |variable: Var| Ok((variable.clone(), variable.zeros_like()?));
                let variables = variables.into_iter().map(with_average).collect::<Result<_, Failure>>()?;
                Rule::RmsProp(RmsProp { variables, rate, rho, epsilon })
            }
        };
        let mut batches = Vec::new();
        for (tokens, labels) in reviews.batches() {
            let tokens = Tensor::from_slice(tokens, (labels.len(), reviews.steps), &Device::Cpu)?;
            batches.push((tokens, Tensor::new(labels, &Device::Cpu)?));
        }
        Ok(Epochs { model, rule, batches })
    }
}

impl Trainer for Epochs {
    fn epoch(&mut self) -> Result<f64, Failure> {
        let (mut sum, mut samples) = (0.0, 0);
        for (tokens, labels) in &self.batches {
            let loss = binary_cross_entropy_with_logit(&self.model.forward(tokens)?, labels)?;
            let gradients = loss.backward()?;
            match &mut self.rule {
                Rule::Sgd(sgd) => sgd.step(&gradients)?,
                Rule::RmsProp(rmsprop) => rmsprop.step(&gradients)?,
            }
            let rows = labels.dim(0)?;
            sum += f64::from(loss.to_scalar::<f32>()?) * rows as f64;
            samples += rows;
        }
        Ok(sum / samples as f64)
    }
}
