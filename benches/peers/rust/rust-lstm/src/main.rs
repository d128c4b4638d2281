//! rust-lstm: the four experiments, written with its embedding, networks, linear layer and optimizers.
//!
//! It has no binary cross-entropy on logits and no trainer that ends in a linear layer, so these few lines are here. It
//! computes in f64 and on one thread. Its GRU applies the reset gate before the product and has z and 1 − z the other way
//! round, so the weights of z change their sign.

use std::rc::Rc;

use harness::{Answer, Experiment, FEATURES, Failure, Optimizer, Reviews, Tensors, Trainer, UNITS, Work, train_epochs};
use ndarray::{Array1, Array2, Axis, s};
use rust_lstm::optimizers::Optimizer as Rule;
use rust_lstm::{
    CharacterEmbedding, GRUCell, GRUCellGradients, GRUNetwork, GRUNetworkCache, LSTMCell, LSTMCellGradients,
    LSTMNetwork, LSTMNetworkCache, LinearLayer, RMSprop, SGD,
};

const NOTE: &str = "f64, one thread";
const GRU_NOTE: &str = "f64, one thread; its GRU resets before the product";

fn main() -> Result<(), Failure> {
    harness::serve(|work, options| {
        let Work::Epoch(experiment) = work else { return Ok(Answer::Cannot("only epochs are compared")) };
        let note = if experiment == Experiment::Gru { GRU_NOTE } else { NOTE };
        let reviews = Rc::new(Reviews::read(&options.files)?);
        let answer = train_epochs(note, |optimizer| {
            let tensors = Tensors::of(&options.files, experiment)?;
            let model = Model::new(experiment, &tensors)?;
            let rule: Box<dyn Rule> = match optimizer {
                Optimizer::Sgd { rate } => Box::new(SGD::new(rate)),
                Optimizer::RmsProp { rate, rho, epsilon } => Box::new(RMSprop::with_params(rate, rho, epsilon)),
            };
            Ok(Epochs { model, rule: AnyRule(rule), reviews: Rc::clone(&reviews) })
        })?;
        Ok(if experiment == Experiment::Gru { answer.resetting_before() } else { answer })
    })
}

/// rust-lstm takes optimizers by type; this is the one of either.
struct AnyRule(Box<dyn Rule>);

impl Rule for AnyRule {
    fn update(&mut self, name: &str, weights: &mut Array2<f64>, gradient: &Array2<f64>) {
        self.0.update(name, weights, gradient);
    }
    fn reset(&mut self) {
        self.0.reset();
    }
    fn set_learning_rate(&mut self, rate: f64) {
        self.0.set_learning_rate(rate);
    }
    fn get_learning_rate(&self) -> f64 {
        self.0.get_learning_rate()
    }
}

/// A network, with what its backward pass needs. All matrices are (features, B).
enum Recurrent {
    Lstm(LSTMNetwork, Vec<LSTMNetworkCache>),
    Gru(GRUNetwork, Vec<GRUNetworkCache>),
}

enum Gradients {
    Lstm(Vec<LSTMCellGradients>),
    Gru(Vec<GRUCellGradients>),
}

impl Recurrent {
    /// The last output.
    fn forward(&mut self, sequence: &[Array2<f64>]) -> Option<Array2<f64>> {
        match self {
            Recurrent::Lstm(network, caches) => {
                let (mut outputs, new) = network.forward_sequence_with_cache(sequence);
                *caches = new;
                outputs.pop().map(|(h, _)| h)
            }
            Recurrent::Gru(network, caches) => {
                let (mut outputs, new) = network.forward_sequence_with_cache(sequence);
                *caches = new;
                outputs.pop().map(|(h, _)| h)
            }
        }
    }

    fn backward(&self, doutputs: &[Array2<f64>]) -> (Gradients, Vec<Array2<f64>>) {
        match self {
            Recurrent::Lstm(network, caches) => {
                let (mut gradients, dinputs) = network.backward_sequence(doutputs, caches);
                // Ours has one bias.
                gradients.iter_mut().for_each(|gradient| gradient.b_hh.fill(0.0));
                (Gradients::Lstm(gradients), dinputs)
            }
            Recurrent::Gru(network, caches) => {
                let (mut gradients, dinputs) = network.backward_sequence(doutputs, caches);
                for gradient in &mut gradients {
                    for bias in [&mut gradient.b_hr, &mut gradient.b_hz, &mut gradient.b_hh] {
                        bias.fill(0.0);
                    }
                }
                (Gradients::Gru(gradients), dinputs)
            }
        }
    }

    fn update(&mut self, gradients: &Gradients, rule: &mut AnyRule) {
        match (self, gradients) {
            (Recurrent::Lstm(network, _), Gradients::Lstm(gradients)) => network.update_parameters(gradients, rule),
            (Recurrent::Gru(network, _), Gradients::Gru(gradients)) => network.update_parameters(gradients, rule),
            _ => unreachable!("gradients are those of the same network"),
        }
    }
}

struct Model {
    embedding: CharacterEmbedding,
    recurrent: Recurrent,
    dense: LinearLayer,
}

impl Model {
    fn new(experiment: Experiment, tensors: &Tensors) -> Result<Self, Failure> {
        let recurrent = if experiment == Experiment::Gru {
            let mut network = GRUNetwork::new(FEATURES, UNITS, 1);
            set_gru(&mut network.get_cells_mut()[0], tensors)?;
            Recurrent::Gru(network, Vec::new())
        } else {
            let mut network = LSTMNetwork::new(FEATURES, UNITS, experiment.layers().len());
            if experiment.dropout() > 0.0 {
                network = network.with_input_dropout(experiment.dropout(), true);
            }
            for (cell, layer) in network.get_cells_mut().iter_mut().zip(experiment.layers()) {
                set_lstm(cell, layer, tensors)?;
            }
            Recurrent::Lstm(network, Vec::new())
        };
        Ok(Model {
            embedding: CharacterEmbedding::from_weights(matrix(tensors, "embedding/embeddings")?),
            recurrent,
            dense: LinearLayer::from_weights(matrix(tensors, "dense/kernel")?.reversed_axes(), bias(tensors, "dense")?),
        })
    }

    /// Changes the weights by one batch; the sum of its samples' losses.
    fn train(&mut self, tokens: &[u32], labels: &[f32], steps: usize, rule: &mut AnyRule) -> Result<f64, Failure> {
        let batch = labels.len();
        // Time first, so that the rows of a step lie together.
        let ids: Vec<usize> =
            (0..steps).flat_map(|step| (0..batch).map(move |sample| tokens[sample * steps + step] as usize)).collect();
        let rows = self.embedding.forward(&ids);
        let sequence: Vec<Array2<f64>> =
            rows.axis_chunks_iter(Axis(0), batch).map(|step| step.t().to_owned()).collect();
        let last = self.recurrent.forward(&sequence).ok_or("the sequence has no steps")?;
        let logits = self.dense.forward(&last);

        let targets = Array1::from_iter(labels.iter().map(|&label| f64::from(label))).insert_axis(Axis(0));
        // The loss is softplus(z) − t·z, its gradient σ(z) − t.
        let loss = logits.mapv(|z| z.max(0.0) + (-z.abs()).exp().ln_1p()).sum() - (&logits * &targets).sum();
        let dlogits = (logits.mapv(|z| 1.0 / (1.0 + (-z).exp())) - &targets) / batch as f64;

        let (dense, dlast) = self.dense.backward(&dlogits);
        let mut doutputs = vec![Array2::zeros(dlast.raw_dim()); steps];
        doutputs[steps - 1] = dlast;
        let (gradients, dinputs) = self.recurrent.backward(&doutputs);
        let mut drows = Array2::zeros(rows.raw_dim());
        for (step, dinput) in dinputs.iter().enumerate() {
            drows.slice_mut(s![step * batch..(step + 1) * batch, ..]).assign(&dinput.t());
        }
        let embedding = self.embedding.backward(&drows);
        self.embedding.update_parameters(&embedding, rule, "embedding");
        self.recurrent.update(&gradients, rule);
        self.dense.update_parameters(&dense, rule, "dense");
        Ok(loss)
    }
}

fn matrix(tensors: &Tensors, name: &str) -> Result<Array2<f64>, Failure> {
    let (shape, values) = tensors.floats(name)?;
    let (rows, columns) = (shape[0], values.len() / shape[0]);
    Ok(Array2::from_shape_vec((rows, columns), values.iter().map(|&value| f64::from(value)).collect())?)
}

/// The first row of a layer's bias as a column.
fn bias(tensors: &Tensors, layer: &str) -> Result<Array2<f64>, Failure> {
    let (shape, values) = tensors.floats(&format!("{layer}/bias"))?;
    let width = shape[shape.len() - 1];
    Ok(Array2::from_shape_vec((width, 1), values[..width].iter().map(|&value| f64::from(value)).collect())?)
}

fn set_lstm(cell: &mut LSTMCell, layer: &str, tensors: &Tensors) -> Result<(), Failure> {
    cell.w_ih = matrix(tensors, &format!("{layer}/kernel"))?.reversed_axes().as_standard_layout().into_owned();
    cell.w_hh =
        matrix(tensors, &format!("{layer}/recurrent_kernel"))?.reversed_axes().as_standard_layout().into_owned();
    cell.b_ih = bias(tensors, layer)?;
    Ok(())
}

fn set_gru(cell: &mut GRUCell, tensors: &Tensors) -> Result<(), Failure> {
    let (kernel, recurrent) = (matrix(tensors, "gru/kernel")?, matrix(tensors, "gru/recurrent_kernel")?);
    let bias = bias(tensors, "gru")?;
    let gate = |gate: usize, sign: f64| {
        let columns = s![.., gate * UNITS..(gate + 1) * UNITS];
        let turned = |matrix: &Array2<f64>| (sign * &matrix.slice(columns).t()).as_standard_layout().into_owned();
        (turned(&kernel), turned(&recurrent), sign * &bias.slice(s![gate * UNITS..(gate + 1) * UNITS, ..]))
    };
    (cell.w_iz, cell.w_hz, cell.b_iz) = gate(0, -1.0);
    (cell.w_ir, cell.w_hr, cell.b_ir) = gate(1, 1.0);
    (cell.w_ih, cell.w_hh, cell.b_ih) = gate(2, 1.0);
    Ok(())
}

struct Epochs {
    model: Model,
    rule: AnyRule,
    reviews: Rc<Reviews>,
}

impl Trainer for Epochs {
    fn epoch(&mut self) -> Result<f64, Failure> {
        let mut sum = 0.0;
        for (tokens, labels) in self.reviews.batches() {
            sum += self.model.train(tokens, labels, self.reviews.steps, &mut self.rule)?;
        }
        Ok(sum / self.reviews.labels.len() as f64)
    }
}
