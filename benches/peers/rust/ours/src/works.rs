//! How the crate does each kind of work.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bptt::initializers::{Init, Initializer};
use bptt::layer::{Backward, Forward, Layer, Params, Pass, Path as Name};
use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::{Rnn, RnnCache};
use bptt::tensor::{State, Tensor};
use harness::{
    Answer, BATCH, Cell, Experiment, FEATURES, Failure, Optimizer, Options, RESET_BEFORE, Ready, Reviews, STREAM_STEPS,
    Tensors, Trainer, UNITS, Work, sum_of_squares, train_epochs,
};
use ndarray::{Array2, Array3, ArrayD, ArrayViewD, ArrayViewMutD, Axis, Slice};
use rayon::prelude::*;

use crate::write::{TOKENS, VOCABULARY};

/// What a layer's recurrent kernel holds until the file's takes its place. The default, an orthogonal matrix, takes long to
/// make for a wide layer.
const PLACEHOLDER: Initializer = Initializer::Zeros;
/// Samples that one thread takes at a time, as in a model.
const SHARD: usize = 32;

/// Answers to a work.
pub fn prepare(work: Work, options: &Options) -> Result<Answer, Failure> {
    match work {
        Work::Epoch(experiment) => {
            let reviews = Arc::new(Reviews::read(&options.files)?);
            let model = || model(experiment);
            let answer = train_epochs("", |rule| Epochs::new(model()?, rule, options, Arc::clone(&reviews)))?;
            Ok(match answer {
                Answer::Ready(mut ready) if experiment == Experiment::Gru => {
                    let mut epochs = Epochs::new(reset_before(&model()?)?, Optimizer::PROOF, options, reviews)?;
                    ready.checks.push((RESET_BEFORE, epochs.epoch()?));
                    Answer::Ready(ready)
                }
                answer => answer,
            })
        }
        Work::Train(cell, units) => {
            let file = format!("train-{}-{units}", cell.name());
            match cell {
                Cell::Lstm => train(Lstm::new(units).recurrent_initializer(PLACEHOLDER), &file, options),
                Cell::Gru => train(Gru::new(units).recurrent_initializer(PLACEHOLDER), &file, options),
                Cell::SimpleRnn => train(SimpleRnn::new(units).recurrent_initializer(PLACEHOLDER), &file, options),
            }
        }
        Work::Stream(cell, units) => {
            let (file, files) = (format!("stream-{}-{units}", cell.name()), &options.files);
            match cell {
                Cell::Lstm => stream(Lstm::new(units).recurrent_initializer(PLACEHOLDER), &file, files),
                Cell::Gru => stream(Gru::new(units).recurrent_initializer(PLACEHOLDER), &file, files),
                Cell::SimpleRnn => stream(SimpleRnn::new(units).recurrent_initializer(PLACEHOLDER), &file, files),
            }
        }
        Work::Product(_) => Ok(Answer::Cannot("products are ndarray's, on one thread")),
    }
}

/// The model of an experiment, with its initial weights.
pub fn model(experiment: Experiment) -> Result<Model, Failure> {
    let rate = experiment.dropout();
    let model = Sequential::new().add(Embedding::new(VOCABULARY, FEATURES));
    let model = match experiment {
        Experiment::Lstm | Experiment::Dropout => model.add(Lstm::new(UNITS).dropout(rate)),
        Experiment::Stacked => {
            model.add(Lstm::new(UNITS).dropout(rate).return_sequences(true)).add(Lstm::new(UNITS).dropout(rate))
        }
        Experiment::Gru => model.add(Gru::new(UNITS)),
    };
    let model = model.add(Dense::new(1).activation(Activation::Sigmoid));
    Ok(model.build(Form::tokens(TOKENS), 42)?)
}

/// The model of the GRU with the reset gate before the product, as some peers have it, and the same weights: only to prove
/// that they do that work right.
fn reset_before(model: &Model) -> Result<Model, Failure> {
    let mut other = Sequential::new()
        .add(Embedding::new(VOCABULARY, FEATURES))
        .add(Gru::new(UNITS).reset_after(false))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(TOKENS), 42)?;
    for name in model.weight_names() {
        let weight = model.weight(&name)?;
        // Both rows of biases start from zero; this form has one.
        if name == "gru/bias" {
            other.set_weight(&name, &weight.index_axis(Axis(0), 0))?;
        } else {
            other.set_weight(&name, &weight)?;
        }
    }
    Ok(other)
}

struct Epochs {
    model: Model,
    tokens: Array2<u32>,
    reviews: Arc<Reviews>,
}

impl Epochs {
    fn new(mut model: Model, optimizer: Optimizer, options: &Options, reviews: Arc<Reviews>) -> Result<Self, Failure> {
        match optimizer {
            Optimizer::Sgd { rate } => model.compile(Sgd::new(rate), BinaryCrossentropy::new()),
            Optimizer::RmsProp { rate, rho, epsilon } => {
                model.compile(RmsProp::new(rate).rho(rho).epsilon(epsilon), BinaryCrossentropy::new())
            }
        };
        model.set_threads(options.threads)?;
        let tokens = Array2::from_shape_vec((reviews.labels.len(), reviews.steps), reviews.tokens.clone())?;
        Ok(Epochs { model, tokens, reviews })
    }
}

impl Trainer for Epochs {
    fn epoch(&mut self) -> Result<f64, Failure> {
        let fit = Fit::new().epochs(1).batch_size(BATCH).shuffle(false);
        let history = self.model.fit(&self.tokens, &self.reviews.labels, fit)?;
        Ok(history.get("loss")[0])
    }
}

/// A layer with the weights of a file.
fn weights<L: Layer<f32>>(layer: &L, tensors: &Tensors) -> Result<L::Weights, Failure> {
    let (shape, _) = tensors.floats("kernel")?;
    let mut weights = layer.build(Form::sequence(None, shape[0]), &mut Init::new(Key::new(0)))?;
    let mut problem = None;
    weights.visit_mut(Name::root(""), &mut |path, mut tensor| match array(tensors, path.name()) {
        Ok(values) => tensor.assign(&values),
        Err(failure) => problem = Some(failure),
    });
    problem.map_or(Ok(weights), Err)
}

fn array(tensors: &Tensors, name: &str) -> Result<ArrayD<f32>, Failure> {
    let (shape, values) = tensors.floats(name)?;
    Ok(ArrayD::from_shape_vec(shape.clone(), values.clone())?)
}

/// What a thread works on: some samples of the batch, with all that their passes write.
struct Shard<L: Layer<f32>> {
    x: Tensor<f32>,
    dy: Tensor<f32>,
    y: Tensor<f32>,
    dx: Tensor<f32>,
    cache: L::Cache,
    gradients: L::Weights,
}

/// A training step as a model makes it: shards on threads, their gradients added in order.
struct Training<L: Layer<f32>> {
    layer: L,
    weights: L::Weights,
    shards: Vec<Shard<L>>,
    /// None for a single thread: the caller's.
    pool: Option<rayon::ThreadPool>,
}

impl<L: Layer<f32>> Training<L> {
    fn step(&mut self) {
        let Training { layer, weights, shards, pool } = self;
        let pass = Pass::training(Key::new(0));
        let work = |shard: &mut Shard<L>| {
            let Shard { x, dy, y, dx, cache, gradients } = shard;
            gradients.visit_mut(Name::root(""), &mut |_, mut tensor| tensor.fill(0.0));
            layer.forward(weights, Forward::new(x, y, cache, pass));
            layer.backward(weights, Backward::new((x, y), dy, cache, gradients, pass).dx(dx));
        };
        match pool {
            Some(pool) => pool.install(|| shards.par_iter_mut().for_each(work)),
            None => shards.iter_mut().for_each(work),
        }
        let Some((sum, others)) = shards.split_first_mut() else { return };
        for other in others {
            let add = &mut |_: Name<'_>, mut sum: ArrayViewMutD<'_, f32>, other: ArrayViewD<'_, f32>| sum += &other;
            sum.gradients.visit_pair(&other.gradients, Name::root(""), add);
        }
    }

    fn checks(&self) -> Vec<(&'static str, f64)> {
        let over = |part: fn(&Shard<L>) -> &Tensor<f32>| {
            self.shards.iter().map(|shard| sum_of_squares(&part(shard).rows())).sum::<f64>()
        };
        let mut checks = vec![("y", over(|shard| &shard.y)), ("dx", over(|shard| &shard.dx))];
        self.shards[0].gradients.visit(Name::root(""), &mut |path, gradient| {
            let name = match path.name() {
                "kernel" => "dkernel",
                "recurrent_kernel" => "drecurrent_kernel",
                _ => "dbias",
            };
            checks.push((name, sum_of_squares(&gradient)));
        });
        checks
    }
}

fn train<L: Layer<f32>>(layer: L, file: &str, options: &Options) -> Result<Answer, Failure> {
    let tensors = Tensors::read(&options.files, file)?;
    let weights = weights(&layer, &tensors)?;
    let x: Array3<f32> = array(&tensors, "x")?.into_dimensionality()?;
    let dy: Array2<f32> = array(&tensors, "dy")?.into_dimensionality()?;
    let shard = |first: usize| {
        let samples = Slice::from(first..first + SHARD);
        Shard {
            x: Tensor::Sequence(x.slice_axis(Axis(1), samples).to_owned()),
            dy: Tensor::Vector(dy.slice_axis(Axis(0), samples).to_owned()),
            y: Tensor::default(),
            dx: Tensor::default(),
            cache: L::Cache::default(),
            gradients: weights.clone(),
        }
    };
    let shards = (0..dy.nrows()).step_by(SHARD).map(shard).collect();
    let pool = match options.threads {
        1 => None,
        threads => Some(rayon::ThreadPoolBuilder::new().num_threads(threads).build()?),
    };
    let mut training = Training { layer, weights, shards, pool };
    training.step();
    let checks = training.checks();
    let run = Box::new(move || {
        let started = Instant::now();
        training.step();
        Ok(started.elapsed().as_secs_f64())
    });
    Ok(Answer::Ready(Ready { checks, note: "", run }))
}

/// Single steps of one sample: a layer run over sequences of one step, from the state that the step before left.
fn stream<C>(layer: Rnn<C>, file: &str, files: &Path) -> Result<Answer, Failure>
where
    C: bptt::recurrent::Cell<f32>,
{
    let tensors = Tensors::read(files, file)?;
    let weights = weights(&layer, &tensors)?;
    // (1, 1, D) in the file, for peers that run a sequence of one step.
    let x = array(&tensors, "x")?.into_dimensionality::<ndarray::Ix3>()?.index_axis_move(Axis(0), 0);
    let mut state = State::zeros(1, layer.states());
    let mut cache = RnnCache::default();
    let mut steps = move || {
        for _ in 0..STREAM_STEPS {
            layer.step(&weights, x.view(), &mut state, &mut cache);
        }
        sum_of_squares(&state.parts[0])
    };
    let checks = vec![("h", steps())];
    let run = Box::new(move || {
        let started = Instant::now();
        std::hint::black_box(steps());
        Ok(started.elapsed().as_secs_f64() / STREAM_STEPS as f64)
    });
    Ok(Answer::Ready(Ready { checks, note: "", run }))
}
