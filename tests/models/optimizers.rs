//! What all optimizers share, told from outside: accumulation, averages, weight decay and schedules, with frozen layers,
//! callbacks and dropout. The numbers themselves are held against Keras in `tests/numbers/keras`.

use bptt::callbacks::Callback;
use bptt::callbacks::Training;
use bptt::models::Logs;
use bptt::optimizers::{
    Adagrad, AdamW, CosineDecay, CosineDecayRestarts, Ema, ExponentialDecay, InverseTimeDecay, Nadam, OneCycle,
    Optimizer, PiecewiseConstantDecay, PolynomialDecay, Schedule,
};
use bptt::prelude::*;
use bptt::{Error, Result};
use ndarray::{Array1, Array2, ArrayD, s};

const NAMES: [&str; 4] = ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"];

fn data() -> (Array2<f64>, Array1<f64>) {
    let x = Array2::from_shape_fn((12, 3), |(n, d)| ((n * 3 + d) as f64 * 1.3).sin());
    let y = x.map_axis(ndarray::Axis(1), |row| row[0] - 2.0 * row[2] + 0.5);
    (x, y)
}

fn model(optimizer: impl Into<Optimizer<f64>>) -> Model<f64> {
    let stack = Sequential::<f64>::default().add(Dense::new(2)).add(Dense::new(1));
    let mut model = stack.build(Form::vector(3), 7).unwrap();
    model.compile(optimizer, MeanSquaredError);
    model
}

fn weights(model: &Model<f64>) -> Vec<ArrayD<f64>> {
    NAMES.iter().map(|name| model.weight(name).unwrap()).collect()
}

/// A step on rows of the data.
fn step(model: &mut Model<f64>, from: usize, to: usize) {
    let (x, y) = data();
    model.train_batch(&x.slice(s![from..to, ..]).to_owned(), &y.slice(s![from..to]).to_owned()).unwrap();
}

#[test]
fn accumulated_batches_are_one_large_batch() {
    let (mut large, mut small) =
        (model(Adam::new(0.01)), model(Optimizer::new(Adam::new(0.01)).gradient_accumulation_steps(3)));
    let start = weights(&small);
    for round in 0..4 {
        step(&mut large, 0, 12);
        let before = weights(&small);
        for part in 0..3 {
            assert_eq!(weights(&small), before, "weights change only after the last batch of a group");
            assert_eq!(small.optimizer().unwrap().iterations(), round);
            step(&mut small, 4 * part, 4 * part + 4);
        }
        for (large, small) in weights(&large).iter().zip(weights(&small)) {
            assert!(large.iter().zip(&small).all(|(a, b)| (a - b).abs() < 1e-12), "{large} {small}");
        }
    }
    assert_ne!(weights(&small), start);
    assert_eq!(large.optimizer().unwrap().iterations(), 4);
}

#[test]
fn a_layer_frozen_within_a_group_of_batches_takes_nothing_over_into_the_next() {
    let optimizer = || Optimizer::new(Sgd::new(0.1)).gradient_accumulation_steps(2);
    let (mut model, mut fresh) = (model(optimizer()), model(optimizer()));
    let start = weights(&model);
    step(&mut model, 0, 4);
    for layer in ["dense", "dense_1"] {
        model.set_trainable(layer, false).unwrap();
    }
    step(&mut model, 4, 8);
    assert_eq!(weights(&model), start);
    for layer in ["dense", "dense_1"] {
        model.set_trainable(layer, true).unwrap();
    }
    for model in [&mut model, &mut fresh] {
        step(model, 8, 12);
        step(model, 0, 4);
    }
    assert_ne!(weights(&model), start);
    assert_eq!(weights(&model), weights(&fresh));
}

#[test]
fn each_accumulated_batch_draws_dropout_masks_of_its_own() {
    let stack = Sequential::<f64>::default().add(Dropout::new(0.5)).add(Dense::new(1));
    let mut model = stack.build(Form::vector(3), 7).unwrap();
    model.compile(Optimizer::new(Sgd::new(0.1)).gradient_accumulation_steps(4), MeanSquaredError);
    let (x, y) = data();
    let losses: Vec<f64> = (0..4).map(|_| model.train_batch(&x, &y).unwrap()).collect();
    assert!((1..4).all(|batch| losses[batch] != losses[0]), "{losses:?}");
}

#[test]
fn frozen_layers_are_neither_decayed_nor_averaged() {
    let ema = Ema::new().momentum(0.5).overwrite_frequency(2);
    let mut model = model(Optimizer::new(Sgd::new(0.1)).weight_decay(0.5).ema(ema));
    step(&mut model, 0, 12);
    step(&mut model, 0, 12);
    step(&mut model, 0, 12);
    // The first layer has averages now, which are not its weights.
    model.set_trainable("dense", false).unwrap();
    let before = weights(&model);
    step(&mut model, 0, 12);
    step(&mut model, 0, 12);
    model.use_averages().unwrap();
    let after = weights(&model);
    assert_eq!(before[..2], after[..2]);
    assert!(before[2] != after[2] && before[3] != after[3]);
}

#[test]
fn the_average_of_a_layer_that_is_thawed_late_begins_with_its_weights() {
    let mut model = model(Optimizer::new(Sgd::new(0.1)).ema(Ema::new().momentum(0.9)));
    model.set_trainable("dense", false).unwrap();
    step(&mut model, 0, 12);
    model.set_trainable("dense", true).unwrap();
    step(&mut model, 0, 12);
    let trained = weights(&model);
    model.use_averages().unwrap();
    let averaged = weights(&model);
    assert_eq!(trained[..2], averaged[..2]);
    assert_ne!(trained[2], averaged[2]);
}

/// What the weights are at the last hooks.
#[derive(Default)]
struct Ends {
    epoch: Vec<ArrayD<f64>>,
    train: Vec<ArrayD<f64>>,
}

impl Callback for Ends {
    fn on_epoch_end(&mut self, _: usize, _: &mut Logs, training: &mut Training<'_>) -> Result<()> {
        self.epoch = weights(training.model().unwrap());
        Ok(())
    }
    fn on_train_end(&mut self, _: &Logs, training: &mut Training<'_>) -> Result<()> {
        self.train = weights(training.model().unwrap());
        Ok(())
    }
}

#[test]
fn fit_ends_with_the_averages() {
    let (x, y) = data();
    let mut model = model(Optimizer::new(Sgd::new(0.1)).ema(Ema::new()));
    let mut ends = Ends::default();
    model.fit(&x, &y, Fit::new().epochs(2).batch_size(4).callback(&mut ends)).unwrap();
    assert_ne!(ends.epoch, ends.train);
    assert_eq!(ends.train, weights(&model));
}

#[test]
fn adamw_is_adam_with_weight_decay() {
    let optimizers: [Optimizer<f64>; 4] = [
        AdamW::new(0.01).into(),
        Optimizer::new(Adam::new(0.01)).weight_decay(0.004),
        Adam::new(0.01).into(),
        Optimizer::new(AdamW::of(Adam::new(0.01))).exclude_from_weight_decay(["kernel", "dense_1/", "dense/bias"]),
    ];
    let [adamw, decayed, adam, excluded] = optimizers.map(|optimizer| {
        let mut model = model(optimizer);
        (0..5).for_each(|_| step(&mut model, 0, 12));
        weights(&model)
    });
    assert_eq!(adamw, decayed);
    assert_ne!(adamw, adam);
    assert_eq!(excluded, adam);
}

#[test]
fn a_rate_that_is_set_ends_the_schedule() {
    let mut model = model(Optimizer::new(Sgd::new(0.1)).schedule(ExponentialDecay::new(0.2, 1, 0.5)));
    let rate = |model: &mut Model<f64>| model.optimizer().unwrap().learning_rate();
    assert_eq!(rate(&mut model), 0.2);
    step(&mut model, 0, 12);
    assert_eq!(rate(&mut model), 0.1);
    model.optimizer().unwrap().set_learning_rate(0.05);
    step(&mut model, 0, 12);
    step(&mut model, 0, 12);
    assert_eq!(rate(&mut model), 0.05);
}

/// No number from the second step on.
#[derive(Debug)]
struct Broken;

impl Schedule for Broken {
    fn rate(&self, step: u64) -> f64 {
        if step == 0 { 0.1 } else { f64::NAN }
    }
}

#[test]
fn a_rate_that_is_no_number_is_an_error_and_changes_nothing() {
    let (x, y) = data();
    let mut model = model(Optimizer::new(Sgd::new(0.1)).schedule(Broken));
    step(&mut model, 0, 12);
    let before = weights(&model);
    let error = model.fit(&x, &y, Fit::new()).unwrap_err().to_string();
    assert_eq!(error, "learning_rate is NaN, but must be a finite number, at least 0");
    assert_eq!(weights(&model), before);
}

#[test]
fn options_out_of_range() {
    let plain = || Optimizer::<f64>::new(Sgd::new(0.1));
    let cases = [
        (plain().weight_decay(-0.1), "weight_decay is -0.1, but must be a finite number, at least 0"),
        (plain().ema(Ema::new().momentum(1.5)), "momentum of Ema is 1.5, but must be between 0 and 1"),
        (
            plain().ema(Ema::new().overwrite_frequency(0)),
            "overwrite_frequency is 0, but must be at least 1 and at most 2³¹",
        ),
        (
            plain().gradient_accumulation_steps(0),
            "gradient_accumulation_steps is 0, but must be at least 1 and at most 2³¹",
        ),
        (AdamW::of(Adam::new(0.1).beta_2(1.0)).into(), "beta_2 is 1, but must be at least 0 and below 1"),
        (
            Adagrad::new(0.1).initial_accumulator_value(f64::NAN).into(),
            "initial_accumulator_value is NaN, but must be a finite number, at least 0",
        ),
        (Nadam::new(0.1).epsilon(0.0).into(), "epsilon is 0, but must be a finite number above 0"),
        (plain().schedule(ExponentialDecay::new(0.1, 0, 0.5)), "decay_steps is 0, but must be a finite number above 0"),
        (
            plain().schedule(InverseTimeDecay::new(0.1, 1, -0.5)),
            "decay_rate is -0.5, but must be a finite number, at least 0",
        ),
        (plain().schedule(PolynomialDecay::new(0.1, 10).power(0.0)), "power is 0, but must be a finite number above 0"),
        (
            plain().schedule(CosineDecay::new(0.0, 10)),
            "initial_learning_rate is 0, but must be a finite number above 0",
        ),
        (plain().schedule(CosineDecay::new(0.1, 10).alpha(2.0)), "alpha is 2, but must be between 0 and 1"),
        (
            plain().schedule(CosineDecayRestarts::new(0.1, 10).t_mul(0.5)),
            "t_mul is 0.5, but must be a finite number, at least 1",
        ),
        (plain().schedule(OneCycle::new(0.1, 1)), "total_steps is 1, but must be at least 2"),
        (plain().schedule(OneCycle::new(0.1, 10).pct_start(1.0)), "pct_start is 1, but must be at least 0 and below 1"),
        (
            plain().schedule(PiecewiseConstantDecay::new([1, 2], [0.1])),
            "values is [0.1], but must be one longer than boundaries",
        ),
        (
            plain().schedule(PiecewiseConstantDecay::new([2, 2], [0.1, 0.2, 0.3])),
            "boundaries is [2, 2], but must be rising",
        ),
    ];
    let (x, y) = data();
    for (optimizer, message) in cases {
        assert_eq!(optimizer.iterations(), 0);
        let mut model = model(optimizer);
        let before = weights(&model);
        for error in [model.fit(&x, &y, Fit::new()).map(|_| ()), model.train_batch(&x, &y).map(|_| ())] {
            let error = error.unwrap_err();
            assert!(matches!(error, Error::InvalidOption { .. }));
            assert_eq!(error.to_string(), message);
        }
        assert_eq!(weights(&model), before);
    }
}

#[test]
fn schedules_end_where_they_should_at_any_step() {
    let far = [1_000, 1_000_000, u64::MAX];
    for step in far {
        assert_eq!(CosineDecay::new(0.1, 10).alpha(0.5).warmup(0.2, 5).rate(step), 0.1);
        assert!((OneCycle::new(1.0, 10).rate(step) - 4e-6).abs() < 1e-15);
        assert_eq!(PolynomialDecay::new(0.1, 10).rate(step), 1e-4);
    }
    // Each restart is at its very step, whatever the logarithm of the period rounds to.
    for t_mul in [1.0, 2.0, 3.0, 10.0] {
        let schedule = CosineDecayRestarts::new(1.0, 10).t_mul(t_mul);
        let (mut start, mut length) = (0.0, 10.0);
        for _ in 0..15 {
            assert!((schedule.rate(start as u64) - 1.0).abs() < 1e-9, "{t_mul} {start}");
            start += length;
            length *= t_mul;
        }
    }
}
