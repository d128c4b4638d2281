//! Regularizers and constraints from outside: in which figures a penalty is, what a frozen layer keeps, the same bits on any
//! number of threads, saved options, and a cell of one's own.
//!
//! Their formulas are held against Keras in `tests/numbers/keras`, the gradients against differences in
//! `tests/numbers/gradients.rs`.

use std::fs;
use std::path::{Path as FilePath, PathBuf};

use bptt::Result;
use bptt::constraints::Constraint;
use bptt::initializers::{Init, Initializer};
use bptt::io::Registry;
use bptt::layer::{Describe, Path, WeightOptions};
use bptt::layers::{Residual, TimeDistributed};
use bptt::numeric::Scalar;
use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::{Cell, Rnn, Stacked, Step, StepBack};
use bptt::regularizers::Regularizer;
use bptt::tensor::{ViewsMut, Widths};
use ndarray::{Array1, Array2, Array3, Axis, array};
use ndarray_rand::rand::Rng;
use serde::{Deserialize, Serialize};

/// Three shards in a batch of 70, and a last batch of 43.
const SAMPLES: usize = 183;

fn data() -> (Array2<u32>, Array1<f32>) {
    let mut generator = Key::new(11).generator();
    let tokens = Array2::from_shape_simple_fn((SAMPLES, 6), || generator.random_range(0..20));
    let labels = tokens.map_axis(Axis(1), |ids| f32::from(u8::from(ids[2] < 10)));
    (tokens, labels)
}

fn plain(embedding: Embedding, lstm: Lstm, dense: Dense) -> Model {
    let stack = Sequential::new().add(embedding).add(lstm).add(dense.activation(Activation::Sigmoid));
    let mut model = stack.build(Form::tokens(6), 3).unwrap();
    model.compile(Adam::new(0.01), BinaryCrossentropy::new());
    model
}

const L1: Regularizer = Regularizer::l1(0.01);
const L2: Regularizer = Regularizer::l2(0.02);

fn held() -> Model {
    plain(
        Embedding::new(20, 4).embeddings_regularizer(L2).embeddings_constraint(Constraint::max_norm(0.03)),
        Lstm::new(5).kernel_regularizer(L1).recurrent_constraint(Constraint::unit_norm()).dropout(0.2),
        Dense::new(1).kernel_regularizer(L1).bias_constraint(Constraint::NonNeg),
    )
}

fn without() -> Model {
    plain(Embedding::new(20, 4), Lstm::new(5).dropout(0.2), Dense::new(1))
}

/// Σ|w| and Σw² of a weight.
fn sums(model: &Model, name: &str) -> (f64, f64) {
    let weight = model.weight(name).unwrap().mapv(f64::from);
    (weight.mapv(f64::abs).sum(), weight.mapv(|w| w * w).sum())
}

#[test]
fn every_reported_loss_has_the_penalty_once() {
    let (x, y) = data();
    // Without constraints, which move weights by themselves.
    let mut model = plain(
        Embedding::new(20, 4).embeddings_regularizer(L2),
        Lstm::new(5).kernel_regularizer(L1).dropout(0.2),
        Dense::new(1).kernel_regularizer(L1),
    );
    let mut other = without();
    let penalty = 0.02 * sums(&model, "embedding/embeddings").1
        + 0.01 * sums(&model, "lstm/kernel").0
        + 0.01 * sums(&model, "dense/kernel").0;
    assert!(penalty > 0.1, "{penalty}");
    let expect = |with: f64, without: f64, what: &str| {
        assert!((with - without - penalty).abs() < 1e-12, "{what}: {with}, but {without} without {penalty}");
    };
    let loss = |model: &Model| model.evaluate(&x, &y).unwrap().get("loss").unwrap();
    expect(loss(&model), loss(&other), "evaluate");
    expect(model.gradients(&x, &y).unwrap().loss, other.gradients(&x, &y).unwrap().loss, "gradients");
    // Weights that do not move: a figure of an epoch is the mean over samples, in batches of unequal size too.
    for model in [&mut model, &mut other] {
        model.compile(Sgd::new(1e-30), BinaryCrossentropy::new());
    }
    let fit = || Fit::new().batch_size(70).validation(&x, &y);
    let (with, without) = (model.fit(&x, &y, fit()).unwrap(), other.fit(&x, &y, fit()).unwrap());
    expect(with.get("loss")[0], without.get("loss")[0], "loss");
    expect(with.get("val_loss")[0], without.get("val_loss")[0], "val_loss");
    expect(model.train_batch(&x, &y).unwrap(), other.train_batch(&x, &y).unwrap(), "train_batch");
}

#[test]
fn constraints_hold_after_training() {
    let (x, y) = data();
    let mut model = held();
    model.fit(&x, &y, Fit::new().epochs(3).batch_size(16)).unwrap();
    let norms = |name: &str| model.weight(name).unwrap().mapv(|w| w * w).sum_axis(Axis(0)).mapv(f32::sqrt);
    let lengths = norms("embedding/embeddings");
    assert!(
        lengths.iter().all(|&norm| norm < 0.03 + 1e-6) && lengths.iter().any(|&norm| norm > 0.03 - 1e-6),
        "{lengths}"
    );
    assert!(norms("lstm/recurrent_kernel").iter().all(|&norm| (norm - 1.0).abs() < 1e-6));
    assert!(model.weight("dense/bias").unwrap()[[0]] >= 0.0);
}

/// As in Keras, where penalty and constraint belong to the weights that are trained.
#[test]
fn a_frozen_layer_has_no_penalty_and_is_not_constrained() {
    let (x, y) = data();
    let (mut model, mut other) = (held(), without());
    for layer in ["embedding", "lstm", "dense"] {
        model.set_trainable(layer, false).unwrap();
        other.set_trainable(layer, false).unwrap();
    }
    assert_eq!(model.evaluate(&x, &y).unwrap(), other.evaluate(&x, &y).unwrap());
    let before = model.weight("lstm/recurrent_kernel").unwrap();
    assert_eq!(model.train_batch(&x, &y).unwrap(), other.train_batch(&x, &y).unwrap());
    assert_eq!(model.weight("lstm/recurrent_kernel").unwrap(), before);
    model.set_trainable("lstm", true).unwrap();
    model.train_batch(&x, &y).unwrap();
    assert_ne!(model.weight("lstm/recurrent_kernel").unwrap(), before);
}

fn file(name: &str) -> PathBuf {
    FilePath::new(env!("CARGO_TARGET_TMPDIR")).join(format!("weight-options-{name}"))
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (x, y) = data();
    let train = |threads: usize| {
        let mut model = held();
        model.set_threads(threads).unwrap();
        let history = model.fit(&x, &y, Fit::new().epochs(2).batch_size(70).validation(&x, &y)).unwrap();
        let path = file(&format!("threads-{threads}"));
        model.save(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        (history.to_csv(), bytes)
    };
    let one = train(1);
    assert!(one == train(2));
    assert!(one == train(4));
}

#[test]
fn saved_options_come_back_and_unset_ones_leave_no_trace() {
    let (x, y) = data();
    let path = file("saved");
    let mut model = held();
    model.save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let mut back = Model::<f32>::load(&path).unwrap();
    back.save(&path).unwrap();
    assert!(bytes == fs::read(&path).unwrap());
    back.compile(Sgd::new(0.1), BinaryCrossentropy::new());
    model.compile(Sgd::new(0.1), BinaryCrossentropy::new());
    assert_eq!(model.evaluate(&x, &y).unwrap(), back.evaluate(&x, &y).unwrap());

    without().save(&path).unwrap();
    let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
    let expected = r#"{\"kind\":\"Dense\",\"name\":\"dense\",\"options\":{\"activation\":\"sigmoid\",\"bias_initializer\":\"zeros\",\"kernel_initializer\":\"glorot_uniform\",\"units\":1,\"use_bias\":true}"#;
    assert!(text.contains(expected), "{}", &text[..1500]);
    assert!(!text.contains("regularizer") && !text.contains("constraint"));
    fs::remove_file(&path).unwrap();
}

/// A user's cell: h' = h + x·W, whose one weight is held.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Adding {
    units: usize,
    #[serde(default, skip_serializing_if = "WeightOptions::is_empty")]
    kernel: WeightOptions,
}

#[derive(Clone, Debug)]
struct AddingWeights<F> {
    kernel: Array2<F>,
    offset: Array1<F>,
}
bptt::params!(AddingWeights { kernel, offset });

impl Describe for Adding {
    fn kind() -> &'static str {
        "tests::Adding"
    }
}

impl<F: Scalar> Cell<F> for Adding {
    type Weights = AddingWeights<F>;
    type Cache = ();
    type Workspace = ();

    fn states(&self) -> Widths {
        Widths::new(&[self.units])
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<AddingWeights<F>> {
        let kernel = init.tensor(Initializer::GlorotUniform, (inputs, self.units))?;
        Ok(AddingWeights { kernel, offset: init.tensor(Initializer::Constant(-1.0), self.units)? })
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        if path.name() == "kernel" { self.kernel } else { WeightOptions::default() }
    }

    fn step(&self, w: &AddingWeights<F>, at: &Step<'_, F>, mut next: ViewsMut<'_, F>, (): &mut ()) {
        next.view_mut(0).assign(&(&at.previous.view(0) + &at.x(0).dot(&w.kernel) + &w.offset));
    }

    fn step_back(
        &self,
        w: &AddingWeights<F>,
        at: &Step<'_, F>,
        mut back: StepBack<'_, F>,
        (): &mut (),
        gradients: &mut AddingWeights<F>,
    ) {
        let d = back.dnext.view(0).to_owned();
        back.dprevious.view_mut(0).zip_mut_with(&d, |sum, &d| *sum += d);
        let dx = d.dot(&w.kernel.t());
        back.dx(0).zip_mut_with(&dx, |sum, &d| *sum += d);
        gradients.kernel += &at.x(0).t().dot(&d);
        gradients.offset += &d.sum_axis(Axis(0));
    }
}

#[test]
fn a_cell_of_ones_own_names_its_weights() {
    let kernel = WeightOptions { regularizer: Some(L2), constraint: Some(Constraint::NonNeg) };
    let build = |kernel| {
        let stack = Sequential::new().add(Rnn::from_cell(Adding { units: 1, kernel }));
        let mut model = stack.build(Form::sequence(3, 2), 1).unwrap();
        model.compile(Sgd::new(0.1), MeanSquaredError);
        model.set_weight("adding/kernel", &array![[2.0_f32], [-1.0]]).unwrap();
        model
    };
    let (mut model, other) = (build(kernel), build(WeightOptions::default()));
    let (x, y) = (Array3::from_elem((4, 3, 2), 0.5_f32), Array1::from_elem(4, -1.0_f32));
    let (with, without) = (model.gradients(&x, &y).unwrap(), other.gradients(&x, &y).unwrap());
    assert!((with.loss - without.loss - 0.02 * 5.0).abs() < 1e-12);
    for (feature, by) in [0.08, -0.04].into_iter().enumerate() {
        assert!((with.weights[0].1[[feature, 0]] - without.weights[0].1[[feature, 0]] - by).abs() < 1e-6);
    }
    assert_eq!(with.weights[1].1, without.weights[1].1);
    model.train_batch(&x, &y).unwrap();
    assert_eq!(model.weight("adding/kernel").unwrap()[[1, 0]], 0.0);
    assert!(model.weight("adding/offset").unwrap()[[0]] < 0.0);

    let path = file("cell");
    model.save(&path).unwrap();
    let mut back = Model::load_with(&path, &Registry::new().cell::<Adding>()).unwrap();
    fs::remove_file(&path).unwrap();
    back.compile(Sgd::new(0.1), MeanSquaredError);
    assert_eq!(model.evaluate(&x, &y).unwrap(), back.evaluate(&x, &y).unwrap());
}

/// Layers and cells made of others hand on whose weights are meant, however deep they stand.
#[test]
fn layers_made_of_others_hold_the_weights_of_each() {
    let stacked = Stacked::new(
        Gru::new(3).kernel_constraint(Constraint::max_norm(0.1)).into_cell(),
        Stacked::new(
            SimpleRnn::new(4).recurrent_constraint(Constraint::max_norm(0.2)).into_cell(),
            Lstm::new(2).kernel_constraint(Constraint::max_norm(0.3)).into_cell(),
        ),
    );
    let both = Bidirectional::new(Lstm::new(2).kernel_constraint(Constraint::max_norm(0.4)).return_sequences(true))
        .backward_layer(Gru::new(2).recurrent_constraint(Constraint::max_norm(0.5)).return_sequences(true));
    let dense = Dense::new(4).kernel_constraint(Constraint::max_norm(0.6));
    let stack = Sequential::<f64>::default()
        .add(both)
        .add(Residual::new(TimeDistributed::new(dense)))
        .add(Rnn::from_cell(stacked));
    let mut model = stack.build(Form::sequence(5, 3), 1).unwrap();
    model.compile(Sgd::new(1e-6), MeanSquaredError);
    model.train_batch(&Array3::ones((2, 5, 3)), &Array2::<f64>::ones((2, 2))).unwrap();
    let largest = |name: &str| {
        let weight = model.weight(name).unwrap();
        weight
            .map_axis(Axis(0), |column| column.iter().map(|w| w * w).sum::<f64>().sqrt())
            .into_iter()
            .fold(0.0, f64::max)
    };
    for (name, limit) in [
        ("bidirectional/forward/kernel", 0.4),
        ("bidirectional/backward/recurrent_kernel", 0.5),
        ("residual/kernel", 0.6),
        ("stacked/first/kernel", 0.1),
        ("stacked/second/first/recurrent_kernel", 0.2),
        ("stacked/second/second/kernel", 0.3),
    ] {
        assert!((largest(name) - limit).abs() < 1e-4, "{name}: {}", largest(name));
    }
    assert!(largest("bidirectional/forward/recurrent_kernel") > 0.7);
    assert!(largest("stacked/first/recurrent_kernel") > 0.7);
}
