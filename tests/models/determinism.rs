//! The same seed gives the same bits: twice in a row, and whatever the number of threads.
//!
//! Dropout masks are held against what they promise: mean 1, the rate within binomial bounds, one mask for all steps or one
//! for each, one for each gate, and the same for a sample whichever shard it is in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

use bptt::callbacks::ModelCheckpoint;
use bptt::initializers::Init;
use bptt::layer::{Backward, Describe, Forward, Layer, MaskKind, Pass};
use bptt::layers::{Merge, Residual, TimeDistributed};
use bptt::numeric::Scalar;
use bptt::optimizers::{Clip, Ema, Optimizer};
use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::{Cell, Rnn, Stacked, Step, StepBack};
use bptt::tensor::{Tensor, ViewsMut, Widths};
use ndarray::{Array1, Array2, Array3, ArrayD, ArrayView1, Axis};
use ndarray_rand::rand::Rng;
use serde::{Deserialize, Serialize};

/// Three shards in a batch of 70, and a last batch of 43.
const SAMPLES: usize = 183;

fn data() -> (Array2<u32>, Array1<f32>) {
    let mut generator = Key::new(11).generator();
    let tokens = Array2::from_shape_simple_fn((SAMPLES, 9), || generator.random_range(0..20));
    let labels = tokens.map_axis(Axis(1), |ids| f32::from(u8::from(ids[2] < 10)));
    (tokens, labels)
}

fn model(seed: u64) -> Model {
    let mut model = Sequential::new()
        .add(Embedding::new(20, 6))
        .add(Lstm::new(5).dropout(0.3).recurrent_dropout(0.2))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(9), seed)
        .unwrap();
    let optimizer = Optimizer::new(Adam::new(0.01))
        .gradient_accumulation_steps(2)
        .clip(Clip::GlobalNorm(0.5))
        .weight_decay(0.01)
        .ema(Ema::new().momentum(0.5).overwrite_frequency(3));
    model.compile(optimizer, BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());
    model
}

/// Trains, and gives the saved file and the history.
fn train(seed: u64, threads: Option<usize>, name: &str) -> (Vec<u8>, String) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (tokens, labels) = data();
    let mut model = model(seed);
    if let Some(threads) = threads {
        model.set_threads(threads).unwrap();
    }
    let mut checkpoint = ModelCheckpoint::new(&path);
    let fit = Fit::new().epochs(3).batch_size(70).validation(&tokens, &labels).callback(&mut checkpoint);
    let history = model.fit(&tokens, &labels, fit).unwrap();
    assert_eq!(checkpoint.saved_epochs(), [1, 2, 3]);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    (bytes, history.to_csv())
}

#[test]
fn training_twice_or_on_any_number_of_threads_gives_the_same_bytes() {
    let (file, csv) = train(42, None, "determinism-first");
    assert_eq!(csv.lines().count(), 4);
    for (threads, name) in [(None, "again"), (Some(1), "one"), (Some(2), "two"), (Some(4), "four")] {
        let (other_file, other_csv) = train(42, threads, &format!("determinism-{name}"));
        assert_eq!(csv, other_csv, "{name}");
        assert!(file == other_file, "{name}: the files differ");
    }
    let (other_file, other_csv) = train(43, None, "determinism-seed");
    assert!(file != other_file && csv != other_csv);
}

#[test]
fn evaluate_and_predict_drop_nothing_and_repeat_themselves() {
    let (tokens, labels) = data();
    let dropping = model(42);
    let mut plain = Sequential::new()
        .add(Embedding::new(20, 6))
        .add(Lstm::new(5))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(9), 42)
        .unwrap();
    plain.compile(Adam::new(0.01), BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());
    let figures = dropping.evaluate(&tokens, &labels).unwrap();
    assert_eq!(figures, dropping.evaluate(&tokens, &labels).unwrap());
    assert_eq!(figures, plain.evaluate(&tokens, &labels).unwrap());
    assert_eq!(dropping.predict(&tokens).unwrap(), plain.predict(&tokens).unwrap());
}

#[test]
fn one_model_predicts_on_several_threads_at_once() {
    let (tokens, _) = data();
    let model = model(42);
    let expected = model.predict(&tokens).unwrap();
    let outputs: Vec<ArrayD<f32>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| model.predict(&tokens).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(outputs.iter().all(|output| output == expected));
}

fn mask(pass: Pass<'_>, kind: MaskKind, gate: usize, step: usize, sample: usize, width: usize) -> Vec<f64> {
    let mut row = vec![0.0; width];
    pass.dropout_mask(0.3, kind, gate, step, sample, &mut row);
    row
}

#[test]
fn masks_drop_at_the_rate_and_keep_the_mean() {
    for (seed, rate) in [(1, 0.1), (2, 0.3), (3, 0.5), (4, 0.9)] {
        let count = 200_000;
        let mut row = vec![0.0_f64; count];
        Pass::training(Key::new(seed)).dropout_mask(rate, MaskKind::Input, 0, 0, 0, &mut row);
        let kept = 1.0 / (1.0 - rate);
        assert!(row.iter().all(|&m| m == 0.0 || m == kept));
        let dropped = row.iter().filter(|&&m| m == 0.0).count() as f64;
        let deviation = (count as f64 * rate * (1.0 - rate)).sqrt();
        assert!((dropped - count as f64 * rate).abs() < 5.0 * deviation, "{rate}: {dropped} of {count}");
        let mean = row.iter().sum::<f64>() / count as f64;
        assert!((mean - 1.0).abs() < 5.0 * deviation * kept / count as f64, "{rate}: mean {mean}");
    }
}

#[test]
fn masks_differ_by_gate_step_sample_kind_layer_and_key() {
    let pass = Pass::training(Key::new(1));
    let width = 10_000;
    let first = mask(pass, MaskKind::Input, 0, 0, 0, width);
    let others = [
        mask(pass, MaskKind::Input, 1, 0, 0, width),
        mask(pass, MaskKind::Input, 0, 1, 0, width),
        mask(pass, MaskKind::Input, 0, 0, 1, width),
        mask(pass, MaskKind::State, 0, 0, 0, width),
        mask(pass.for_layer(1), MaskKind::Input, 0, 0, 0, width),
        mask(Pass::training(Key::new(2)), MaskKind::Input, 0, 0, 0, width),
    ];
    // Independent masks at rate r drop the same place with probability r².
    let (expected, deviation) = (width as f64 * 0.09, (width as f64 * 0.09 * 0.91).sqrt());
    for (number, other) in others.iter().enumerate() {
        let both = first.iter().zip(other).filter(|&(&a, &b)| a == 0.0 && b == 0.0).count() as f64;
        assert!((both - expected).abs() < 5.0 * deviation, "mask {number}: {both} places dropped by both");
    }
}

#[test]
fn a_sample_has_the_same_mask_in_every_shard() {
    let pass = Pass::training(Key::new(1));
    for (first, sample) in [(0, 69), (32, 37), (64, 5), (69, 0)] {
        for kind in [MaskKind::Input, MaskKind::State] {
            let here = mask(pass.from_sample(first), kind, 2, 3, sample, 50);
            assert_eq!(here, mask(pass, kind, 2, 3, 69, 50), "shard from {first}");
        }
    }
}

/// The masks that an LSTM puts on inputs of ones, told from the gradient of the input: where a feature of a sample is
/// dropped at a step, nothing comes back.
fn dropped_inputs(layer: &Lstm) -> Array3<bool> {
    let (steps, batch, features) = (6, 4, 40);
    let form = Form::sequence(steps, features);
    let weights = Layer::<f64>::build(layer, form, &mut bptt::initializers::Init::new(Key::new(4))).unwrap();
    let pass = Pass::training(Key::new(9));
    let (x, mut y, mut dx) =
        (Tensor::Sequence(Array3::ones((steps, batch, features))), Tensor::default(), Tensor::default());
    let (mut cache, mut gradients) = (Default::default(), weights.clone());
    Layer::<f64>::forward(layer, &weights, Forward::new(&x, &mut y, &mut cache, pass));
    let dy = y.clone();
    layer.backward(&weights, Backward::new((&x, &y), &dy, &mut cache, &mut gradients, pass).dx(&mut dx));
    dx.sequence().mapv(|d| d == 0.0)
}

#[test]
fn steps_share_their_mask_unless_told_otherwise() {
    let layer = Lstm::new(3).dropout(0.5);
    let shared = dropped_inputs(&layer);
    let first = shared.index_axis(Axis(0), 0);
    assert!(shared.outer_iter().all(|step| step == first));
    assert!(first.iter().any(|&dropped| dropped) && !first.iter().all(|&dropped| dropped));
    assert!(first.outer_iter().skip(1).all(|sample| sample != first.row(0)), "samples have masks of their own");

    let each = dropped_inputs(&layer.dropout_per_step(true));
    let first = each.index_axis(Axis(0), 0);
    assert!(each.outer_iter().skip(1).all(|step| step != first));
}

#[test]
fn with_recurrent_dropout_each_gate_has_its_own_mask() {
    // A feature is without any gradient only if all four gates drop it: 1/16 of them, not 1/2.
    let none = dropped_inputs(&Lstm::new(3).dropout(0.5).recurrent_dropout(0.2));
    // Not the first step, whose forget gate has no cell state to act on.
    let first = none.index_axis(Axis(0), 1);
    assert!(none.outer_iter().skip(1).all(|step| step == first));
    let count = first.iter().filter(|&&dropped| dropped).count();
    assert!((1..30).contains(&count), "{count} of 160, where 10 are expected");
}

/// A cell that puts out ones and notes under its number what is dropped on the way to it, from its output, and by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Noting {
    number: usize,
}

/// As wide as everything in the model of these cells, so that no two masks are likely to be the same by chance.
const WIDTH: usize = 40;

/// The number of the cell, what is dropped out, gate, step and sample.
type Site = (usize, &'static str, usize, usize, usize);

/// What was dropped at each site.
static NOTED: Mutex<BTreeMap<Site, Vec<bool>>> = Mutex::new(BTreeMap::new());

impl Noting {
    fn note<F: Scalar>(&self, from: &'static str, gate: usize, t: usize, sample: usize, row: ArrayView1<'_, F>) {
        // A residual layer adds to what is left, so what is dropped is not always zero.
        let lowest = row.iter().map(|value| value.widen()).fold(f64::INFINITY, f64::min);
        let dropped: Vec<bool> = row.iter().map(|value| value.widen() == lowest).collect();
        if !dropped.iter().all(|&dropped| dropped) {
            let mut noted = NOTED.lock().unwrap();
            let before = noted.insert((self.number, from, gate, t, sample), dropped.clone());
            assert!(before.is_none_or(|before| before == dropped), "the same again");
        }
    }
}

impl Describe for Noting {
    fn kind() -> &'static str {
        "tests::Noting"
    }
}

impl<F: Scalar> Cell<F> for Noting {
    type Weights = ();
    type Cache = ();
    type Workspace = ();

    fn states(&self) -> Widths {
        Widths::new(&[WIDTH])
    }

    fn build(&self, _: usize, _: &mut Init) -> bptt::Result<()> {
        Ok(())
    }

    fn step(&self, (): &(), at: &Step<'_, F>, mut next: ViewsMut<'_, F>, (): &mut ()) {
        let (x, h) = (at.x(0), at.h(0));
        for sample in 0..x.nrows() {
            match at.t {
                0 => self.note("input", 0, 0, sample, x.row(sample)),
                // The first output that is dropped is not zero, and all steps share the mask.
                1 => self.note("output", 0, 0, sample, h.row(sample)),
                _ => {}
            }
            for gate in 0..2 {
                let mut row = Array1::<F>::zeros(WIDTH);
                at.pass.dropout_mask(0.5, MaskKind::Cell, gate, at.t, sample, row.as_slice_mut().unwrap());
                self.note("cell", gate, at.t, sample, row.view());
            }
        }
        next.view_mut(0).fill(F::one());
    }

    fn step_back(&self, (): &(), _: &Step<'_, F>, _: StepBack<'_, F>, (): &mut (), (): &mut ()) {}
}

#[test]
fn nested_layers_draw_different_masks() {
    let cell = |number| Noting { number };
    let two = |first| Stacked::new(cell(first), cell(first + 1));
    fn all<C>(cell: C) -> Rnn<C> {
        Rnn::from_cell(cell).return_sequences(true).recurrent_dropout(0.5)
    }
    let both = |forward, backward| {
        Bidirectional::new(all(two(forward)).dropout(0.5))
            .backward_layer(all(two(backward)).dropout(0.5))
            .merge_mode(Merge::Sum)
    };
    let mut model = Sequential::new()
        .add(Dropout::new(0.5))
        .add(all(Stacked::new(two(0), two(2))))
        .add(both(4, 6))
        .add(both(8, 10))
        .add(Residual::new(Dropout::new(0.5)))
        .add(all(Stacked::new(cell(12), two(13))))
        .add(TimeDistributed::new(Dropout::new(0.5)))
        .add(Bidirectional::new(all(cell(15))).backward_layer(all(cell(16))).merge_mode(Merge::Sum))
        .add(Residual::new(all(Stacked::new(two(17), cell(19))).dropout(0.5)))
        .add(all(cell(20)).dropout(0.5))
        .add(Dense::new(1))
        .build(Form::sequence(3, WIDTH), 1)
        .unwrap();
    model.compile(Sgd::new(0.1), MeanSquaredError);
    model.train_batch(&Array3::ones((2, 3, WIDTH)), &Array3::<f32>::zeros((2, 3, 1))).unwrap();

    let noted = NOTED.lock().unwrap();
    let count = |from| noted.keys().filter(|site| site.1 == from).count();
    // Of each cell two gates, three steps and two samples; of each the output; and at each layer the input.
    assert_eq!((count("cell"), count("output"), count("input")), (21 * 12, 21 * 2, 10 * 2));
    let different: BTreeSet<_> = noted.values().collect();
    let (masks, different) = (noted.len(), different.len());
    assert_eq!(masks, different, "{} masks are those of others", masks - different);
}
