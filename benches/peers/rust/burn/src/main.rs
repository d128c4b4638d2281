//! burn: the four experiments, written with its own modules.
//!
//! Its recurrent layers keep a linear layer for each gate, for inputs and for the state. A bias that ours does not have is
//! left out.

use burn::module::{Module, Param};
use burn::nn::gru::{Gru, GruConfig};
use burn::nn::loss::{BinaryCrossEntropyLoss, BinaryCrossEntropyLossConfig};
use burn::nn::{Embedding, EmbeddingConfig, GateController, Linear, LinearConfig, Lstm, LstmConfig};
use burn::optim::{GradientsParams, ModuleOptimizer, RmsPropConfig, SgdConfig};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use harness::{Answer, Experiment, FEATURES, Failure, Optimizer, Reviews, Tensors, Trainer, UNITS, Work, train_epochs};

fn main() -> Result<(), Failure> {
    harness::serve(|work, options| match work {
        Work::Epoch(experiment) => train_epochs("", |optimizer| {
            let tensors = Tensors::of(&options.files, experiment)?;
            Epochs::new(experiment, optimizer, &tensors, &Reviews::read(&options.files)?)
        }),
        _ => Ok(Answer::Cannot("only epochs are compared")),
    })
}

#[derive(Module, Debug)]
struct Model {
    embedding: Embedding,
    lstms: Vec<Lstm>,
    gru: Option<Gru>,
    dense: Linear,
    dropout: f64,
}

impl Model {
    fn new(experiment: Experiment, tensors: &Tensors, device: &Device) -> Result<Self, Failure> {
        let (shape, embeddings) = tensors.floats("embedding/embeddings")?;
        let mut embedding = EmbeddingConfig::new(shape[0], shape[1]).init(device);
        embedding.weight = matrix((shape, embeddings), device);
        let mut lstms = Vec::new();
        let mut gru = None;
        let mut features = FEATURES;
        for layer in experiment.layers() {
            if experiment == Experiment::Gru {
                gru = Some(new_gru(tensors, layer, features, device)?);
            } else {
                lstms.push(new_lstm(tensors, layer, features, device)?);
            }
            features = UNITS;
        }
        let mut dense = LinearConfig::new(UNITS, 1).init(device);
        let (shape, kernel) = tensors.floats("dense/kernel")?;
        dense.weight = matrix((shape, kernel), device);
        dense.bias = Some(vector(&tensors.floats("dense/bias")?.1, device));
        Ok(Model { embedding, lstms, gru, dense, dropout: experiment.dropout() })
    }

    /// Logits (B, 1).
    fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<2> {
        let mut sequence = self.embedding.forward(tokens);
        for lstm in &self.lstms {
            sequence = lstm.forward(self.drop(sequence), None).0;
        }
        if let Some(gru) = &self.gru {
            sequence = gru.forward(sequence, None);
        }
        let [batch, steps, units] = sequence.dims();
        let last = sequence.slice([0..batch, steps - 1..steps, 0..units]).squeeze_dim(1);
        self.dense.forward(last)
    }

    /// Drops features of a sample at all time steps alike.
    fn drop(&self, sequence: Tensor<3>) -> Tensor<3> {
        if self.dropout == 0.0 {
            return sequence;
        }
        let kept = 1.0 - self.dropout;
        let [batch, _, features] = sequence.dims();
        let mask = Tensor::random([batch, 1, features], Distribution::Bernoulli(kept), &sequence.device());
        sequence * mask.div_scalar(kept)
    }
}

type Weights<'a> = (&'a Vec<usize>, &'a Vec<f32>);

fn matrix((shape, values): Weights<'_>, device: &Device) -> Param<Tensor<2>> {
    Param::from_tensor(Tensor::from_data(TensorData::new(values.clone(), shape.clone()), device))
}

fn vector(values: &[f32], device: &Device) -> Param<Tensor<1>> {
    Param::from_tensor(Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device))
}

/// Gives the gates their blocks of the weights; a bias of one row is that of the inputs.
fn set_gates(
    gates: &mut [&mut GateController],
    tensors: &Tensors,
    layer: &str,
    device: &Device,
) -> Result<(), Failure> {
    let blocks = |name: &str| tensors.gate_blocks(&format!("{layer}/{name}"), gates.len());
    let (kernels, recurrent, biases) = (blocks("kernel")?, blocks("recurrent_kernel")?, blocks("bias")?);
    for (gate, controller) in gates.iter_mut().enumerate() {
        let (input, state) = (&mut controller.input_transform, &mut controller.hidden_transform);
        input.weight = matrix((&kernels[gate].0, &kernels[gate].1), device);
        state.weight = matrix((&recurrent[gate].0, &recurrent[gate].1), device);
        let mut rows = biases[gate].1.chunks(UNITS).map(|row| vector(row, device));
        (input.bias, state.bias) = (rows.next(), rows.next());
    }
    Ok(())
}

fn new_lstm(tensors: &Tensors, layer: &str, features: usize, device: &Device) -> Result<Lstm, Failure> {
    let mut lstm = LstmConfig::new(features, UNITS, true).init(device);
    let forget = lstm.forget_gate.as_mut().ok_or("this LSTM has no forget gate")?;
    let mut gates = [&mut lstm.input_gate, forget, &mut lstm.cell_gate, &mut lstm.output_gate];
    set_gates(&mut gates, tensors, layer, device)?;
    Ok(lstm)
}

fn new_gru(tensors: &Tensors, layer: &str, features: usize, device: &Device) -> Result<Gru, Failure> {
    let mut gru = GruConfig::new(features, UNITS, true).init(device);
    let mut gates = [&mut gru.update_gate, &mut gru.reset_gate, &mut gru.new_gate];
    set_gates(&mut gates, tensors, layer, device)?;
    Ok(gru)
}

struct Epochs {
    /// None only while a step replaces it.
    model: Option<Model>,
    optimizer: ModuleOptimizer,
    rate: f64,
    loss: BinaryCrossEntropyLoss,
    batches: Vec<(Tensor<2, Int>, Tensor<2, Int>)>,
}

impl Epochs {
    fn new(
        experiment: Experiment,
        optimizer: Optimizer,
        tensors: &Tensors,
        reviews: &Reviews,
    ) -> Result<Self, Failure> {
        let device = Device::flex().autodiff();
        let (optimizer, rate) = match optimizer {
            Optimizer::Sgd { rate } => (SgdConfig::new().init(), rate),
            Optimizer::RmsProp { rate, rho, epsilon } => {
                let config = RmsPropConfig::new().with_alpha(rho as f32).with_momentum(0.0);
                (config.with_epsilon(epsilon as f32).init(), rate)
            }
        };
        let batch = |(tokens, labels): (&[u32], &[f32])| {
            let ids: Vec<i32> = tokens.iter().map(|&token| token as i32).collect();
            let labels: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
            let rows = labels.len();
            (
                Tensor::from_data(TensorData::new(ids, [rows, reviews.steps]), &device),
                Tensor::from_data(TensorData::new(labels, [rows, 1]), &device),
            )
        };
        Ok(Epochs {
            model: Some(Model::new(experiment, tensors, &device)?),
            optimizer,
            rate,
            loss: BinaryCrossEntropyLossConfig::new().with_logits(true).init(&device),
            batches: reviews.batches().map(batch).collect(),
        })
    }
}

impl Trainer for Epochs {
    fn epoch(&mut self) -> Result<f64, Failure> {
        let (mut sum, mut samples) = (0.0, 0);
        for (tokens, labels) in &self.batches {
            let model = self.model.take().ok_or("an earlier step failed")?;
            let loss = self.loss.forward(model.forward(tokens.clone()), labels.clone());
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            self.model = Some(self.optimizer.step(self.rate, model, gradients));
            let rows = labels.dims()[0];
            sum += f64::from(loss.into_scalar::<f32>()) * rows as f64;
            samples += rows;
        }
        Ok(sum / samples as f64)
    }
}
