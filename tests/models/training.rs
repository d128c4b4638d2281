//! Training from outside: what is learnt and what is frozen, a user's own loss, rule, metric and callback, the order of
//! calls, and figures that agree with each other.
//!
//! Also the counts of weights that Keras prints for the small models of the examples.

use std::sync::{Arc, Mutex};

use bptt::Result;
use bptt::callbacks::Callback;
use bptt::callbacks::Training;
use bptt::losses::Loss;
use bptt::metrics::Metric;
use bptt::models::Logs;
use bptt::optimizers::{Optimizer, Rule};
use bptt::prelude::*;
use bptt::random::Key;
use ndarray::{Array1, Array2, Array3, Axis, array};
use ndarray_rand::rand::Rng;

fn tokens(samples: usize) -> (Array2<u32>, Array1<f32>) {
    let mut generator = Key::new(5).generator();
    let tokens = Array2::from_shape_simple_fn((samples, 6), || generator.random_range(0..10));
    let labels = tokens.map_axis(Axis(1), |ids| f32::from(u8::from(ids[5] < 5)));
    (tokens, labels)
}

fn reviews(seed: u64) -> Model {
    let mut model = Sequential::new()
        .add(Embedding::new(10, 4))
        .add(Lstm::new(4))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(6), seed)
        .unwrap();
    model.compile(Adam::new(0.02), BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());
    model
}

fn line<R: Into<Optimizer<f64>>>(rule: R, loss: impl Loss<f64> + 'static) -> Model<f64> {
    let mut model = Sequential::<f64>::default().add(Dense::new(1)).build(Form::vector(1), 1).unwrap();
    model.compile(rule, loss);
    model.set_weight("dense/kernel", &array![[0.0]]).unwrap();
    model
}

#[test]
fn a_frozen_layer_stays_as_it_is_while_the_others_learn() {
    let (x, y) = tokens(40);
    for frozen in ["embedding", "lstm", "dense"] {
        let mut model = reviews(1);
        let vectors = Array2::from_shape_fn((10, 4), |(id, feature)| (id as f32 - 4.5) * (feature as f32 + 1.0) / 20.0);
        model.set_weight("embedding/embeddings", &vectors).unwrap();
        assert_eq!(model.weight("embedding/embeddings").unwrap(), vectors.into_dyn());
        model.set_trainable(frozen, false).unwrap();
        let before: Vec<_> =
            model.weight_names().into_iter().map(|name| (model.weight(&name).unwrap(), name)).collect();
        model.fit(&x, &y, Fit::new().epochs(2)).unwrap();
        for (weight, name) in before {
            let same = model.weight(&name).unwrap() == weight;
            assert_eq!(same, name.starts_with(frozen), "{name} with {frozen} frozen");
        }
    }
}

#[test]
fn a_small_model_learns() {
    let (x, y) = tokens(200);
    let mut model = reviews(1);
    let history = model.fit(&x, &y, Fit::new().epochs(40)).unwrap();
    let loss = history.get("loss");
    assert!(loss[0] > 0.5 && loss[39] < 0.1, "{loss:?}");
    assert!(model.evaluate(&x, &y).unwrap().get("accuracy").unwrap() > 0.97);
}

#[test]
fn gradient_descent_finds_a_line() {
    let mut model = line(Sgd::new(0.2), MeanSquaredError);
    let (x, y) = (array![[-1.0], [0.0], [1.0], [2.0]], array![-1.0, 1.0, 3.0, 5.0]);
    model.fit(&x, &y, Fit::new().epochs(300).batch_size(4)).unwrap();
    assert!((model.weight("dense/kernel").unwrap()[[0, 0]] - 2.0).abs() < 1e-9);
    assert!((model.weight("dense/bias").unwrap()[[0]] - 1.0).abs() < 1e-9);
}

/// Σ (p − t)⁴.
#[derive(Debug)]
struct Quartic;

impl Loss<f64> for Quartic {
    fn row(&self, prediction: &[f64], target: &[f64], _: bool, gradient: Option<&mut [f64]>) -> f64 {
        let errors = prediction.iter().zip(target).map(|(p, t)| p - t);
        if let Some(gradient) = gradient {
            gradient.iter_mut().zip(errors.clone()).for_each(|(g, error)| *g = 4.0 * error.powi(3));
        }
        errors.map(|error| error.powi(4)).sum()
    }
}

/// Moves by the sign of the gradient, and counts its steps in a slot.
#[derive(Debug)]
struct SignDescent(Arc<Mutex<Vec<(u64, f64)>>>);

impl Rule<f64> for SignDescent {
    fn name(&self) -> &'static str {
        "SignDescent"
    }
    fn slots(&self) -> usize {
        1
    }
    fn learning_rate(&self) -> f64 {
        0.5
    }
    fn update(&self, rate: f64, iteration: u64, weights: &mut [f64], gradients: &[f64], slots: &mut [Vec<f64>]) {
        for ((weight, gradient), slot) in weights.iter_mut().zip(gradients).zip(&mut slots[0]) {
            *weight -= rate * gradient.signum();
            *slot += 1.0;
        }
        self.0.lock().unwrap().push((iteration, slots[0][0]));
    }
}

/// The largest error so far.
#[derive(Debug)]
struct LargestError;

impl Metric<f64> for LargestError {
    fn name(&self) -> &str {
        "largest_error"
    }
    fn counters(&self, _: usize) -> usize {
        1
    }
    fn update(&self, counters: &mut [f64], prediction: &[f64], target: &[f64], _: f64) {
        counters[0] = counters[0].max((prediction[0] - target[0]).abs());
    }
    fn result(&self, counters: &[f64]) -> f64 {
        counters[0]
    }
}

#[test]
fn a_loss_a_rule_and_a_metric_of_ones_own() {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let mut model = line(Optimizer::new(SignDescent(Arc::clone(&steps))), Quartic);
    model.compile(Optimizer::new(SignDescent(Arc::clone(&steps))), Quartic).metric(LargestError);
    let history = model.fit(&array![[1.0], [1.0]], &array![2.0, 4.0], Fit::new().epochs(2)).unwrap();
    // p = 0, then 1: the kernel and the bias move by ½ each.
    assert_eq!(history.get("loss"), [(16.0 + 256.0) / 2.0, (1.0 + 81.0) / 2.0]);
    assert_eq!(history.get("largest_error"), [4.0, 3.0]);
    assert_eq!(*steps.lock().unwrap(), [(1, 1.0), (1, 1.0), (2, 2.0), (2, 2.0)]);
    assert_eq!(model.evaluate(&array![[1.0]], &array![2.0]).unwrap().get("largest_error"), Some(0.0));
}

/// Writes down every call, with its figures.
struct Diary<'a> {
    name: &'static str,
    calls: &'a Mutex<Vec<String>>,
    seen: Vec<Logs>,
    stop_at: Option<usize>,
}

impl<'a> Diary<'a> {
    fn new(name: &'static str, calls: &'a Mutex<Vec<String>>) -> Self {
        Diary { name, calls, seen: Vec::new(), stop_at: None }
    }
    fn note(&self, call: impl std::fmt::Display) {
        self.calls.lock().unwrap().push(format!("{} {call}", self.name));
    }
}

impl Callback for Diary<'_> {
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        self.note(format!("begin {} epochs of {}", training.epochs(), training.batches().unwrap()));
        Ok(())
    }
    fn on_epoch_begin(&mut self, epoch: usize, _: &mut Training<'_>) -> Result<()> {
        self.note(format!("epoch {epoch}"));
        Ok(())
    }
    fn on_batch_end(&mut self, batch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        assert!(logs.get("loss").is_some() && logs.get("val_loss").is_none());
        self.note(format!("batch {batch}"));
        if self.stop_at == Some(batch) {
            training.stop();
        }
        Ok(())
    }
    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Logs, _: &mut Training<'_>) -> Result<()> {
        self.note(format!("end of {epoch}"));
        logs.set(self.name, epoch as f64);
        self.seen.push(logs.clone());
        Ok(())
    }
    fn on_train_end(&mut self, logs: &Logs, _: &mut Training<'_>) -> Result<()> {
        assert_eq!(self.seen.last().unwrap().get("loss"), logs.get("loss"));
        self.note("end");
        Ok(())
    }
}

#[test]
fn callbacks_are_called_in_order_and_history_is_what_they_saw() {
    let calls = Mutex::new(Vec::new());
    let (mut a, mut b) = (Diary::new("a", &calls), Diary::new("b", &calls));
    let (x, y) = (array![[1.0], [2.0], [3.0]], array![1.0, 2.0, 3.0]);
    let fit = Fit::new().epochs(2).batch_size(2).validation(&x, &y).callback(&mut a).callback(&mut b);
    let history = line(Sgd::new(0.01), MeanSquaredError).fit(&x, &y, fit).unwrap();
    let one = ["begin 2 epochs of 2"];
    let epochs = [["epoch 1", "batch 1", "batch 2", "end of 1"], ["epoch 2", "batch 1", "batch 2", "end of 2"]];
    let expected: Vec<String> = one
        .into_iter()
        .chain(epochs.into_iter().flatten())
        .chain(["end"])
        .flat_map(|call| [format!("a {call}"), format!("b {call}")])
        .collect();
    assert_eq!(*calls.lock().unwrap(), expected);
    assert_eq!(history.names(), ["loss", "val_loss", "a", "b"]);
    for name in history.names() {
        // The last callback saw everything.
        let seen: Vec<f64> = b.seen.iter().map(|logs| logs.get(name).unwrap()).collect();
        assert_eq!(history.get(name), seen, "{name}");
    }
    assert_eq!(history.get("a"), [1.0, 2.0]);
    assert_eq!((history.epochs(), history.seconds().len()), (2, 2));
}

#[test]
fn stopping_at_a_batch_ends_the_epoch_with_its_validation() {
    let calls = Mutex::new(Vec::new());
    let mut diary = Diary { stop_at: Some(1), ..Diary::new("a", &calls) };
    let (x, y) = (array![[1.0], [2.0], [3.0]], array![1.0, 2.0, 3.0]);
    let fit = Fit::new().epochs(5).batch_size(1).validation(&x, &y).callback(&mut diary);
    let history = line(Sgd::new(0.01), MeanSquaredError).fit(&x, &y, fit).unwrap();
    assert_eq!(history.epochs(), 1);
    assert_eq!(history.get("val_loss").len(), 1);
    assert_eq!(*calls.lock().unwrap(), ["a begin 5 epochs of 3", "a epoch 1", "a batch 1", "a end of 1", "a end"]);
}

/// The predictions' targets in the order in which they were seen.
#[derive(Debug)]
struct Order(Arc<Mutex<Vec<f64>>>);

impl Metric<f64> for Order {
    fn name(&self) -> &str {
        "order"
    }
    fn counters(&self, _: usize) -> usize {
        0
    }
    fn update(&self, _: &mut [f64], _: &[f64], target: &[f64], _: f64) {
        self.0.lock().unwrap().extend(target);
    }
    fn result(&self, _: &[f64]) -> f64 {
        0.0
    }
}

#[test]
fn samples_come_in_order_without_shuffling_and_each_once_with_it() {
    let y: Array1<f64> = (0..50).map(f64::from).collect();
    let x = y.clone().insert_axis(Axis(1));
    for shuffle in [false, true] {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut model = line(Sgd::new(1e-9), MeanSquaredError);
        model.compile(Sgd::new(1e-9), MeanSquaredError).metric(Order(Arc::clone(&order)));
        model.fit(&x, &y, Fit::new().epochs(2).batch_size(8).shuffle(shuffle)).unwrap();
        let order = order.lock().unwrap();
        let (first, second) = order.split_at(50);
        assert_eq!(first == y.to_vec(), !shuffle);
        assert_eq!(first == second, !shuffle, "each epoch has an order of its own");
        for epoch in [first, second] {
            let mut sorted = epoch.to_vec();
            sorted.sort_by(f64::total_cmp);
            assert_eq!(sorted, y.to_vec());
        }
    }
}

#[test]
fn a_smaller_last_batch_weighs_by_its_samples() {
    // A rate so small that the weights stay: p = 0 throughout.
    let mut model = line(Sgd::new(1e-300), MeanSquaredError);
    let (x, y) = (array![[0.0], [0.0], [0.0], [0.0]], array![1.0, 1.0, 1.0, 3.0]);
    let history = model.fit(&x, &y, Fit::new().batch_size(3).shuffle(false)).unwrap();
    assert_eq!(history.get("loss"), [(1.0 + 1.0 + 1.0 + 9.0) / 4.0]);
    // Its step, however, is that of its own mean.
    let mut model = line(Sgd::new(0.125), MeanSquaredError);
    model.fit(&x, &y, Fit::new().batch_size(3).shuffle(false)).unwrap();
    let after_first = 0.125 * 2.0;
    let after_second = after_first + 0.125 * 2.0 * (3.0 - after_first);
    assert_eq!(model.weight("dense/bias").unwrap()[[0]], after_second);
}

#[test]
fn weights_of_one_change_no_bit_and_a_weight_of_two_counts_a_row_twice() {
    let (x, y) = tokens(70);
    let (mut plain, mut weighted) = (reviews(2), reviews(2));
    let before = plain.fit(&x, &y, Fit::new().epochs(2)).unwrap();
    let after = weighted.fit(&x, (&y, &Array1::<f32>::ones(70)), Fit::new().epochs(2)).unwrap();
    assert_eq!(before.get("loss"), after.get("loss"));
    assert_eq!(plain.predict(&x).unwrap(), weighted.predict(&x).unwrap());
    // Three rows, one of which counts twice and one not at all: the sum is that of three rows, the count stays.
    let (x, y, weights) = (array![[1.0], [2.0], [3.0]], array![1.0, 5.0, 7.0], array![2.0, 0.0, 1.0]);
    let model = line(Sgd::new(0.1), MeanSquaredError);
    let gradients = model.gradients(&x, (&y, &weights)).unwrap();
    let twice = model.gradients(&array![[1.0], [1.0], [3.0]], &array![1.0, 1.0, 7.0]).unwrap();
    assert_eq!(gradients.loss, twice.loss);
    assert_eq!(gradients.weights, twice.weights);
    assert_eq!(gradients.samples.unwrap()[[1, 0]], 0.0);
}

#[test]
fn weights_of_classes_multiply_those_of_samples_in_training_alone() {
    let (x, y, weights) = (array![[0.0], [0.0], [0.0], [0.0]], array![0.0, 1.0, 2.0, 1.2], array![1.0, 1.0, 1.0, 5.0]);
    let mut model = line(Sgd::new(1e-300), MeanSquaredError);
    let targets = MeanMetric::new("mean_target", |_: &[f64], t: &[f64]| t[0]);
    model.compile(Sgd::new(1e-300), MeanSquaredError).weighted_metric(targets);
    // The last of two weights for a class holds; 1.2 is rounded to class 1; class 0 keeps its weight.
    let fit = Fit::new().class_weight([(1, 9.0), (1, 0.5), (2, 3.0)]).validation(&x, (&y, &weights));
    let history = model.fit(&x, (&y, &weights), fit).unwrap();
    let close = |figure: &str, value: f64| assert!((history.get(figure)[0] - value).abs() < 1e-12, "{figure}");
    close("loss", (0.5 + 3.0 * 4.0 + 2.5 * 1.44) / 4.0);
    close("mean_target", (0.5 + 3.0 * 2.0 + 2.5 * 1.2) / (1.0 + 0.5 + 3.0 + 2.5));
    close("val_loss", (1.0 + 4.0 + 5.0 * 1.44) / 4.0);
    close("val_mean_target", (1.0 + 2.0 + 5.0 * 1.2) / 8.0);
}

#[test]
fn weights_of_steps_follow_their_steps_through_windows_and_masks() {
    let layer = Gru::new(2).return_sequences(true);
    let mut model = Sequential::<f64>::default().add(layer).build(Form::sequence(7, 2), 3).unwrap();
    let error = MeanMetric::mean_absolute_error;
    model.compile(Sgd::new(1e-300), MeanSquaredError).metric(error()).weighted_metric(error());
    let x = Array3::from_shape_fn((40, 7, 2), |(n, t, d)| ((n * 5 + t * 3 + d) as f64).sin());
    let y = Array3::from_shape_fn((40, 7, 2), |(n, t, d)| ((n + t * 2 + d) as f64).cos());
    let weights = Array2::from_shape_fn((40, 7), |(n, t)| ((n + t * t) % 5) as f64);
    let mask = Array2::from_shape_fn((40, 7), |(n, t)| (n + t) % 3 != 0);
    let counted = Array2::from_shape_fn((40, 7), |at| if mask[at] { weights[at] } else { 0.0 });
    for fit in [Fit::new().batch_size(16), Fit::new().batch_size(16).truncated(3, 5)] {
        let history = model.fit((&x, &mask), (&y, &weights), fit).unwrap();
        let figures = model.evaluate((&x, &mask), (&y, &weights)).unwrap();
        let outputs = model.predict((&x, &mask)).unwrap();
        let (mut sum, mut absolute) = (0.0, 0.0);
        for ((n, t, d), &target) in y.indexed_iter() {
            let error = outputs[[n, t, d]] - target;
            sum += counted[[n, t]] * error * error / 2.0;
            absolute += counted[[n, t]] * error.abs() / 2.0;
        }
        let rows = mask.iter().filter(|counts| **counts).count() as f64;
        let expected = [("loss", sum / rows), ("weighted_mean_absolute_error", absolute / counted.sum())];
        for (figure, value) in expected {
            assert!((history.get(figure)[0] - value).abs() < 1e-12, "{figure}");
            assert!((figures.get(figure).unwrap() - value).abs() < 1e-12, "{figure}");
        }
    }
}

#[test]
fn metrics_of_one_name_are_told_apart() {
    let accuracy = MeanMetric::binary_accuracy;
    let mut model = line(Sgd::new(0.1), MeanSquaredError);
    let compiled = model.compile(Sgd::new(0.1), MeanSquaredError);
    compiled.weighted_metric(accuracy()).weighted_metric(accuracy()).weighted_metric(accuracy().named("right"));
    compiled.metric(accuracy()).metric(accuracy());
    let history = model.fit(&array![[1.0]], &array![1.0], Fit::new()).unwrap();
    let names = ["loss", "accuracy", "accuracy_1", "weighted_accuracy", "weighted_accuracy_1", "right"];
    assert_eq!(history.names(), names);
}

#[test]
fn validation_figures_are_those_of_evaluate() {
    let ((x, y), (vx, vy)) = (tokens(70), tokens(45));
    let mut model = reviews(3);
    for _ in 0..2 {
        let history = model.fit(&x, &y, Fit::new().validation(&vx, &vy)).unwrap();
        let figures = model.evaluate(&vx, &vy).unwrap();
        assert_eq!(history.get("val_loss"), [figures.get("loss").unwrap()]);
        assert_eq!(history.get("val_accuracy"), [figures.get("accuracy").unwrap()]);
    }
}

#[test]
fn summaries_count_as_keras_does() {
    let start = || Sequential::new().add(Embedding::new(500, 16));
    let models = [
        (start().add(Lstm::new(8)), "8,809"),
        (start().add(Lstm::new(8).return_sequences(true)).add(Lstm::new(8)), "9,353"),
        (start().add(Gru::new(8)), "8,633"),
    ];
    for (model, total) in models {
        let mut model = model.add(Dense::new(1)).build(Form::tokens(100), 1).unwrap();
        let summary = model.summary();
        for line in [
            format!(" Total params: {total}"),
            format!(" Trainable params: {total}"),
            " Non-trainable params: 0".into(),
        ] {
            assert!(summary.lines().any(|known| known == line), "{summary}");
        }
        model.set_trainable("embedding", false).unwrap();
        assert!(model.summary().contains(" Non-trainable params: 8,000\n"));
    }
}
