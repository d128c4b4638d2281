//! Nothing is allocated in steady state: per batch of `fit`, per call of `train_batch`, of a `Predictor` and of a layer's
//! `step`.
//!
//! The allocator of this program counts what the watched threads allocate: a test's own, and those of its pool. On one thread
//! the count is exactly zero. With a pool rayon itself allocates, two small jobs for each thread that is asked to help and
//! now and then a block of its queue; that is bounded here, and ours is told from it by not growing with the shards.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bptt::Result;
use bptt::callbacks::Callback;
use bptt::callbacks::Training;
use bptt::constraints::Constraint;
use bptt::data::Targets;
use bptt::initializers::Init;
use bptt::layer::{Backward, Describe, Forward, Layer, Pass};
use bptt::layers::{
    Activate, GlobalAveragePooling1D, GlobalMaxPooling1D, LayerNormalization, Merge, RepeatVector, Residual,
    TimeDistributed,
};
use bptt::metrics::{Auc, F1Score};
use bptt::models::{Logs, Predictor};
use bptt::numeric::Lane;
use bptt::optimizers::{Clip, CosineDecay, Ema, Nadam, Optimizer};
use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::{Gated, Gates, Rnn, RnnCache, Stacked};
use bptt::regularizers::Regularizer;
use bptt::tensor::{State, Tensor};
use ndarray::{Array1, Array2, Array3, ArrayD, Axis};
use serde::{Deserialize, Serialize};

use super::{ALLOCATIONS, WATCHED};

/// Watches the thread it is made on, one test at a time.
struct Watch(#[allow(dead_code, reason = "held, not read")] MutexGuard<'static, ()>);

impl Watch {
    fn new() -> Self {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        WATCHED.set(true);
        Watch(guard)
    }

    fn allocations(&self, work: impl FnOnce()) -> usize {
        let before = ALLOCATIONS.load(Ordering::SeqCst);
        work();
        ALLOCATIONS.load(Ordering::SeqCst) - before
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHED.set(false);
    }
}

/// Notes the count at the end of each batch.
struct Ends(Vec<(usize, usize)>);

impl Callback for Ends {
    fn on_batch_end(&mut self, batch: usize, _: &Logs, _: &mut Training<'_>) -> Result<()> {
        self.0.push((batch, ALLOCATIONS.load(Ordering::SeqCst)));
        Ok(())
    }
}

impl Ends {
    fn new() -> Self {
        Ends(Vec::with_capacity(1000))
    }

    /// What each batch allocated, but for the first of each epoch.
    fn per_batch(&self) -> Vec<usize> {
        self.0.windows(2).filter(|pair| pair[1].0 > 1).map(|pair| pair[1].1 - pair[0].1).collect()
    }
}

const SAMPLES: usize = 203;
const STEPS: usize = 20;

/// Samples of which some have many different tokens and some have few.
fn tokens() -> Array2<u32> {
    Array2::from_shape_fn((SAMPLES, STEPS), |(n, t)| ((n * 31 + t * 17) % (3 + n % 24)) as u32)
}

fn labels() -> Array1<f32> {
    Array1::from_shape_fn(SAMPLES, |n| (n % 2) as f32)
}

fn sequences(samples: usize, steps: usize) -> Array3<f32> {
    Array3::from_shape_fn((samples, steps, 6), |(n, t, d)| ((n * 7 + t * 3 + d) as f32).sin())
}

/// A rule as a user writes it: h' = h + σ(a)·(tanh(b) − h).
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Leaky;

impl Describe for Leaky {
    fn kind() -> &'static str {
        "allocation::Leaky"
    }
}

impl Gates for Leaky {
    type Blocks<L: Lane> = [L; 2];
    type States<L: Lane> = [L; 1];

    #[inline(always)]
    fn forward<L: Lane>(&self, [a, b]: [L; 2], [h]: [L; 1]) -> ([L; 2], [L; 1]) {
        let (a, b) = (a.sigmoid(), b.tanh());
        ([a, b], [h + a * (b - h)])
    }

    #[inline(always)]
    fn backward<L: Lane>(&self, [a, b]: [L; 2], [h]: [L; 1], _: [L; 1], [d]: [L; 1]) -> ([L; 2], [L; 1]) {
        let one = a.splat(1.0);
        ([d * (b - h) * a * (one - a), d * a * (one - b * b)], [d * (one - a)])
    }
}

fn leaky(units: usize) -> Rnn<Gated<Leaky>> {
    Rnn::from_cell(Gated::new(Leaky, units))
}

/// Models on tokens with every kind of layer.
fn models() -> [Model; 6] {
    let stacks = [
        Sequential::new().add(Embedding::new(50, 16)).add(Lstm::new(8)),
        Sequential::new()
            .add(Embedding::new(50, 16))
            .add(Lstm::new(8).dropout(0.3).return_sequences(true))
            .add(Lstm::new(5)),
        Sequential::new()
            .add(Embedding::new(50, 6).embeddings_constraint(Constraint::MaxNorm { max_value: 1.0, axis: 1 }))
            .add(Gru::new(20).dropout(0.2).return_sequences(true).bias_constraint(Constraint::NonNeg))
            .add(Dropout::new(0.1))
            .add(Dense::new(12).activation(Activation::Relu).kernel_regularizer(Regularizer::l1_l2(1e-3, 1e-3)))
            .add(SimpleRnn::new(33).recurrent_constraint(Constraint::unit_norm())),
        Sequential::new()
            .add(Embedding::new(50, 6).mask_zero(true))
            .add(Bidirectional::new(Lstm::new(5).dropout(0.2).return_sequences(true)))
            .add(LayerNormalization::new())
            .add(Residual::new(Gru::new(10).return_sequences(true)))
            .add(TimeDistributed::new(Dense::new(7)))
            .add(Activate::new(Activation::Tanh))
            .add(GlobalAveragePooling1D::new())
            .add(RepeatVector::new(4))
            .add(GlobalMaxPooling1D::new()),
        Sequential::new()
            .add(Embedding::new(50, 6))
            .add(Rnn::from_cell(Stacked::new(Lstm::new(8).into_cell(), Gru::new(5).into_cell())).return_sequences(true))
            .add(Bidirectional::new(Gru::new(4)).merge_mode(Merge::Mul)),
        Sequential::new()
            .add(Embedding::new(50, 6))
            .add(Lstm::new(8).recurrent_dropout(0.2).return_sequences(true))
            .add(Gru::new(20).dropout(0.2).recurrent_dropout(0.2).return_sequences(true))
            .add(SimpleRnn::new(33).recurrent_dropout(0.2).return_sequences(true))
            .add(Gru::new(7).reset_after(false).recurrent_dropout(0.2).return_sequences(true))
            .add(Gru::new(16).reset_after(false).return_sequences(true))
            .add(leaky(10).recurrent_dropout(0.2)),
    ];
    let optimizers = [
        Optimizer::new(RmsProp::new(1e-3)),
        Optimizer::new(Adam::new(1e-3)),
        Optimizer::new(Nadam::new(1e-3))
            .schedule(CosineDecay::new(1e-3, 50))
            .gradient_accumulation_steps(3)
            .clip(Clip::GlobalNorm(1.0))
            .weight_decay(0.01)
            .exclude_from_weight_decay(["bias"])
            .ema(Ema::new().overwrite_frequency(2)),
        Optimizer::new(Adam::new(1e-3)),
        Optimizer::new(Adam::new(1e-3)),
        Optimizer::new(Adam::new(1e-3)),
    ];
    let mut optimizers = optimizers.into_iter();
    stacks.map(|stack| {
        let stack = stack.add(Dense::new(1).activation(Activation::Sigmoid));
        let mut model = stack.build(Form::tokens(STEPS), 42).unwrap();
        let optimizer = optimizers.next().unwrap();
        let compiled = model.compile(optimizer, BinaryCrossentropy::new());
        compiled.metric(MeanMetric::binary_accuracy()).metric(F1Score::new()).weighted_metric(Auc::roc());
        model
    })
}

#[test]
fn a_batch_of_fit_allocates_nothing() {
    let watch = Watch::new();
    let (tokens, labels, weights) = (tokens(), labels(), labels() + 0.5);
    for mut model in models() {
        model.set_threads(1).unwrap();
        for targets in [Targets::from(&labels), (&labels, &weights).into()] {
            let mut ends = Ends::new();
            let all = watch.allocations(|| {
                model.fit(&tokens, targets, Fit::new().epochs(3).batch_size(64).callback(&mut ends)).unwrap();
            });
            assert!(all > 0, "the allocator does not count");
            let per_batch = ends.per_batch();
            assert_eq!(per_batch.len(), 9);
            assert!(per_batch.iter().all(|&count| count == 0), "{per_batch:?}\n{}", model.summary());
        }
    }
}

#[test]
fn with_a_pool_a_batch_allocates_no_more_than_rayons_jobs() {
    let watch = Watch::new();
    let (tokens, labels) = (tokens(), labels());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).start_handler(|_| WATCHED.set(true)).build().unwrap();
    let pool = Arc::new(pool);
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    for mut model in models() {
        model.set_pool(Arc::clone(&pool));
        let mut ends = Ends::new();
        model.fit(&tokens, &labels, Fit::new().epochs(40).batch_size(64).callback(&mut ends)).unwrap();
        // A batch of 64 is two shards, so one thread is asked: a job for the shard, one to look out for the next batch, and
        // now and then the queue's block for 31 of them.
        let per_batch = ends.per_batch();
        assert!(per_batch.iter().all(|&count| count <= 5), "{per_batch:?}");
        let mean = per_batch.iter().sum::<usize>() as f64 / per_batch.len() as f64;
        assert!(mean <= 2.2, "{mean}");
    }
    assert!(watch.allocations(|| ()) == 0 && ALLOCATIONS.load(Ordering::SeqCst) > before);
}

#[test]
fn a_step_of_training_allocates_nothing() {
    let watch = Watch::new();
    let (tokens, labels) = (tokens(), labels());
    let integers: Vec<u8> = labels.iter().map(|&label| label as u8).collect();
    for mut model in models() {
        model.set_threads(1).unwrap();
        model.train_batch(&tokens, &labels).unwrap();
        let count = watch.allocations(|| {
            model.train_batch(&tokens, &labels).unwrap();
            model.train_batch(&tokens, &integers).unwrap();
        });
        assert_eq!(count, 0, "{}", model.summary());
    }
}

#[test]
fn a_predictor_allocates_nothing() {
    let watch = Watch::new();
    let tokens = tokens();
    let (mut predictor, mut outputs) = (Predictor::new(), ArrayD::default(vec![0]));
    for mut model in models() {
        model.set_threads(1).unwrap();
        predictor.predict_into(&model, &tokens, &mut outputs).unwrap();
        let few = tokens.slice(ndarray::s![..7, ..]).to_owned();
        let count = watch.allocations(|| {
            predictor.predict_into(&model, &tokens, &mut outputs).unwrap();
            predictor.predict_into(&model, &few, &mut outputs).unwrap();
            predictor.predict_into(&model, &tokens, &mut outputs).unwrap();
        });
        assert_eq!(count, 0, "{}", model.summary());
        assert_eq!(outputs, model.predict(&tokens).unwrap());
    }
    // Sequences in and out, of any length up to the longest before.
    let stack = Sequential::new().add(Gru::new(9).return_sequences(true)).add(Dense::new(2));
    let mut model = stack.build(Form::sequence(None, 6), 1).unwrap();
    model.compile(Adam::new(0.1), MeanSquaredError);
    model.set_threads(1).unwrap();
    let (long, short) = (sequences(40, 30), sequences(33, 8));
    predictor.predict_into(&model, &long, &mut outputs).unwrap();
    let count = watch.allocations(|| {
        predictor.predict_into(&model, &short, &mut outputs).unwrap();
        predictor.predict_into(&model, &long, &mut outputs).unwrap();
    });
    assert_eq!(count, 0);
    assert_eq!(outputs, model.predict(&long).unwrap());
}

#[test]
fn a_layers_step_and_its_passes_allocate_nothing() {
    let watch = Watch::new();
    let x = sequences(STEPS, 3);
    passes(&watch, Lstm::new(8), x.view().permuted_axes([1, 0, 2]).as_standard_layout().into_owned());
    passes(&watch, Gru::new(40).dropout(0.5), x.clone());
    let stacked = Stacked::new(Gru::new(8).into_cell(), Lstm::new(5).into_cell());
    passes(&watch, Rnn::from_cell(stacked.clone()), x.clone());
    passes(&watch, Rnn::from_cell(stacked.clone()).dropout(0.2).go_backwards(true), x.clone());
    passes(&watch, Rnn::from_cell(stacked).dropout(0.2).recurrent_dropout(0.2), x.clone());
    passes(&watch, Lstm::new(8).recurrent_dropout(0.2), x.clone());
    passes(&watch, Gru::new(40).dropout(0.5).dropout_per_step(true).recurrent_dropout(0.2), x.clone());
    passes(&watch, leaky(33).recurrent_dropout(0.2), x.clone());
    passes(&watch, Gru::new(40).reset_after(false), x.clone());
    passes(&watch, Gru::new(8).reset_after(false), x.view().permuted_axes([1, 0, 2]).as_standard_layout().into_owned());
    passes(&watch, Gru::new(8).reset_after(false).dropout(0.2).recurrent_dropout(0.2), x.clone());
    passes(&watch, SimpleRnn::new(130).return_sequences(true).recurrent_dropout(0.2), x.clone());
    passes(&watch, SimpleRnn::new(130).return_sequences(true), x);
}

/// A stream and three passes of training, the first to fill the memory.
fn passes<C: bptt::recurrent::Cell<f32>>(watch: &Watch, layer: Rnn<C>, x: Array3<f32>) {
    let (steps, batch, features) = x.dim();
    let weights = layer.build(Form::sequence(steps, features), &mut Init::new(Key::new(1))).unwrap();
    let (mut state, mut cache) = (State::zeros(batch, layer.states::<f32>()), RnnCache::default());
    let mut stream = || {
        for x in x.axis_iter(Axis(0)) {
            layer.step(&weights, x, &mut state, &mut cache);
        }
    };
    stream();
    assert_eq!(watch.allocations(stream), 0, "step of {layer:?}");

    let tensor = Tensor::Sequence(x);
    let (mut y, mut dx, mut gradients) = (Tensor::default(), Tensor::default(), weights.clone());
    let mut dy = Tensor::default();
    let mut train = |key: u64| {
        let pass = Pass::training(Key::new(key));
        layer.forward(&weights, Forward::new(&tensor, &mut y, &mut cache, pass));
        if dy.batch() == 0 {
            dy = y.clone();
        }
        let backward = Backward::new((&tensor, &y), &dy, &mut cache, &mut gradients, pass);
        layer.backward(&weights, backward.dx(&mut dx));
    };
    train(1);
    assert_eq!(watch.allocations(|| train(2)), 0, "passes of {layer:?}");
}
