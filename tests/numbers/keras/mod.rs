//! Layers, losses, optimizers, metrics and callbacks against what Keras 3 computes on JAX: see `tests/keras/README.md`.
//!
//! In f64 to 1e-9 and in f32 to 1e-5, each relative to the larger of 1 and the golden.

mod layers;
mod metrics;
mod states;
mod tokenizer;

use std::collections::HashMap;
use std::fs;

use bptt::Result;
use bptt::callbacks::{Callback, EarlyStopping, LambdaCallback, Mode, ModelCheckpoint, ReduceLROnPlateau, Training};
use bptt::data::{Samples, Targets};
use bptt::layer::{MaskKind, MaskSite, Pass};
use bptt::losses::{CategoricalCrossentropy, Huber, MeanAbsoluteError, Poisson};
use bptt::models::{Compiled, Logs};
use bptt::numeric::Scalar;
use bptt::optimizers::{
    Adagrad, AdamW, Clip, CosineDecay, CosineDecayRestarts, Ema, ExponentialDecay, InverseTimeDecay, Nadam, OneCycle,
    Optimizer, PiecewiseConstantDecay, PolynomialDecay, Schedule,
};
use bptt::prelude::*;
use bptt::random::Key;
use bptt::testing;
use ndarray::{Array2, Array3, Axis};
use serde_json::Value;

use crate::goldens::{self, expect_close, number, numbers, tensor};
use layers::add;

fn golden(file: &str) -> Value {
    goldens::golden(&format!("keras/goldens/{file}"))
}

fn optimizer<F: Scalar>(options: &Value) -> Optimizer<F> {
    let get = |key: &str, default: f64| options[key].as_f64().unwrap_or(default);
    let flag = |key: &str| options[key].as_bool().unwrap_or(false);
    let rate = options["learning_rate"].as_f64().unwrap();
    let adam = || {
        Adam::new(rate)
            .beta_1(get("beta_1", 0.9))
            .beta_2(get("beta_2", 0.999))
            .epsilon(get("epsilon", 1e-7))
            .amsgrad(flag("amsgrad"))
    };
    let mut optimizer: Optimizer<F> = match options["class"].as_str().unwrap() {
        "SGD" => Sgd::new(rate).momentum(get("momentum", 0.0)).nesterov(flag("nesterov")).into(),
        "RMSprop" => RmsProp::new(rate)
            .rho(get("rho", 0.9))
            .momentum(get("momentum", 0.0))
            .epsilon(get("epsilon", 1e-7))
            .centered(flag("centered"))
            .into(),
        "Adam" => adam().into(),
        "AdamW" => AdamW::of(adam()).into(),
        "Nadam" => Nadam::new(rate)
            .beta_1(get("beta_1", 0.9))
            .beta_2(get("beta_2", 0.999))
            .epsilon(get("epsilon", 1e-7))
            .into(),
        "Adagrad" => Adagrad::new(rate)
            .initial_accumulator_value(get("initial_accumulator_value", 0.1))
            .epsilon(get("epsilon", 1e-7))
            .into(),
        class => panic!("no optimizer for {class}"),
    };
    let number = |key: &str| options[key].as_f64();
    let count = |key: &str| options[key].as_u64().map(|count| count as usize);
    let clip = number("clipvalue")
        .map(Clip::Value)
        .or(number("clipnorm").map(Clip::Norm))
        .or(number("global_clipnorm").map(Clip::GlobalNorm));
    if let Some(clip) = clip {
        optimizer = optimizer.clip(clip);
    }
    if let Some(decay) = number("weight_decay") {
        optimizer = optimizer.weight_decay(decay);
    }
    if let Some(names) = options["exclude"].as_array() {
        optimizer = optimizer.exclude_from_weight_decay(names.iter().map(|name| name.as_str().unwrap()));
    }
    if flag("use_ema") {
        let ema = Ema::new().momentum(get("ema_momentum", 0.99));
        optimizer = optimizer.ema(count("ema_overwrite_frequency").map_or(ema, |steps| ema.overwrite_frequency(steps)));
    }
    if let Some(batches) = count("gradient_accumulation_steps") {
        optimizer = optimizer.gradient_accumulation_steps(batches);
    }
    if options["schedule"].is_object() {
        let schedule = schedule(&options["schedule"], rate);
        optimizer = optimizer.schedule(schedule);
    }
    optimizer
}

/// Any schedule, with Keras' or PyTorch's options.
#[derive(Debug)]
struct AnySchedule(Box<dyn Schedule>);

impl Schedule for AnySchedule {
    fn rate(&self, step: u64) -> f64 {
        self.0.rate(step)
    }
    fn check(&self) -> Result<()> {
        self.0.check()
    }
}

/// The schedule of these options, which starts at `rate` unless they tell.
fn schedule(options: &Value, rate: f64) -> AnySchedule {
    let get = |key: &str, default: f64| options[key].as_f64().unwrap_or(default);
    let flag = |key: &str| options[key].as_bool().unwrap_or(false);
    let count = |key: &str| options[key].as_u64().unwrap();
    let initial = get("initial_learning_rate", rate);
    let decay = || get("decay_rate", f64::NAN);
    AnySchedule(match options["class"].as_str().unwrap() {
        "ExponentialDecay" => {
            Box::new(ExponentialDecay::new(initial, count("decay_steps"), decay()).staircase(flag("staircase")))
        }
        "InverseTimeDecay" => {
            Box::new(InverseTimeDecay::new(initial, count("decay_steps"), decay()).staircase(flag("staircase")))
        }
        "PolynomialDecay" => Box::new(
            PolynomialDecay::new(initial, count("decay_steps"))
                .end_learning_rate(get("end_learning_rate", 1e-4))
                .power(get("power", 1.0))
                .cycle(flag("cycle")),
        ),
        "PiecewiseConstantDecay" => {
            let boundaries: Vec<u64> = numbers(&options["boundaries"]).into_iter().map(|step| step as u64).collect();
            Box::new(PiecewiseConstantDecay::new(boundaries, numbers(&options["values"])))
        }
        "CosineDecay" => {
            let decay = CosineDecay::new(initial, count("decay_steps")).alpha(get("alpha", 0.0));
            match options["warmup_target"].as_f64() {
                Some(target) => Box::new(decay.warmup(target, count("warmup_steps"))),
                None => Box::new(decay),
            }
        }
        "CosineDecayRestarts" => Box::new(
            CosineDecayRestarts::new(initial, count("first_decay_steps"))
                .t_mul(get("t_mul", 2.0))
                .m_mul(get("m_mul", 1.0))
                .alpha(get("alpha", 0.0)),
        ),
        "OneCycle" => Box::new(
            OneCycle::new(get("max_learning_rate", f64::NAN), count("total_steps"))
                .pct_start(get("pct_start", 0.3))
                .div_factor(get("div_factor", 25.0))
                .final_div_factor(get("final_div_factor", 1e4)),
        ),
        class => panic!("no schedule for {class}"),
    })
}

fn compile<F: Scalar>(model: &mut Model<F>, case: &Value) {
    compile_with(model, optimizer(&case["optimizer"]), &case["loss"]);
}

fn compile_with<'m, F: Scalar>(model: &'m mut Model<F>, optimizer: Optimizer<F>, loss: &Value) -> &'m mut Compiled<F> {
    let logits = loss["from_logits"].as_bool().unwrap_or(false);
    let smoothing = loss["label_smoothing"].as_f64().unwrap_or(0.0);
    match loss["class"].as_str().unwrap() {
        "mean_squared_error" => model.compile(optimizer, MeanSquaredError),
        "mean_absolute_error" => model.compile(optimizer, MeanAbsoluteError),
        "huber" => model.compile(optimizer, Huber::new().delta(loss["delta"].as_f64().unwrap_or(1.0))),
        "poisson" => model.compile(optimizer, Poisson),
        "binary_crossentropy" => {
            model.compile(optimizer, BinaryCrossentropy::new().from_logits(logits).label_smoothing(smoothing))
        }
        "categorical_crossentropy" => {
            model.compile(optimizer, CategoricalCrossentropy::new().from_logits(logits).label_smoothing(smoothing))
        }
        "sparse_categorical_crossentropy" => {
            model.compile(optimizer, SparseCategoricalCrossentropy::new().from_logits(logits))
        }
        class => panic!("no loss for {class}"),
    }
}

fn expect_number(got: f64, golden: f64, tolerance: f64, what: &str) {
    expect_close(&ndarray::arr0(got).into_dyn(), &ndarray::arr0(golden).into_dyn(), tolerance, what);
}

/// Samples of any kind, owned.
enum Input<F> {
    Tokens(Array2<u32>),
    Vectors(Array2<F>),
    Sequences(Array3<F>),
}

impl<F: Scalar> Input<F> {
    fn new(value: &Value) -> Self {
        let values = tensor(value);
        match value["kind"].as_str().unwrap() {
            "tokens" => Input::Tokens(values.mapv(|id| id as u32).into_dimensionality().unwrap()),
            "vector" => Input::Vectors(values.mapv(F::of).into_dimensionality().unwrap()),
            _ => Input::Sequences(values.mapv(F::of).into_dimensionality().unwrap()),
        }
    }

    fn samples(&self) -> Samples<'_, F> {
        match self {
            Input::Tokens(tokens) => tokens.into(),
            Input::Vectors(rows) => rows.into(),
            Input::Sequences(sequences) => sequences.into(),
        }
    }

    fn form(&self) -> Form {
        match self {
            Input::Tokens(tokens) => Form::tokens(tokens.ncols()),
            Input::Vectors(rows) => Form::vector(rows.ncols()),
            Input::Sequences(sequences) => Form::sequence(sequences.dim().1, sequences.dim().2),
        }
    }
}

/// Which steps of the samples count, if the case says so.
fn mask_of(case: &Value) -> Option<Array2<bool>> {
    let rows = case["mask"].as_array()?;
    let steps = rows[0].as_array().unwrap().len();
    // Keras' own tests have them as 0 and 1.
    Some(Array2::from_shape_fn((rows.len(), steps), |(n, t)| number(&rows[n][t]) != 0.0))
}

/// The recorded dropout masks of one step, found again by where they are used.
fn replay(case: &Value, step: usize) -> impl Fn(MaskSite) -> f64 + Sync {
    let names: Vec<String> =
        case["layers"].as_array().unwrap().iter().map(|layer| layer["name"].as_str().unwrap().to_string()).collect();
    let mut masks = HashMap::new();
    for mask in case["masks"][step].as_array().into_iter().flatten() {
        let layer = names.iter().position(|name| name == mask["layer"].as_str().unwrap()).unwrap();
        let kind = if mask["kind"] == "input" { MaskKind::Input } else { MaskKind::State };
        let part = mask["part"].as_u64().unwrap_or(0) as usize;
        masks.insert((layer, part, kind, mask["gate"].as_u64().unwrap() as usize), tensor(mask));
    }
    let drops = case.get("masks").is_some();
    move |site: MaskSite| {
        if !drops {
            // Recorded with dropout off.
            return 1.0;
        }
        let mask = &masks[&(site.layer, site.part, site.kind, site.gate)];
        match mask.ndim() {
            2 => mask[[site.sample, site.feature]],
            _ => mask[[site.sample, site.step, site.feature]],
        }
    }
}

fn run_case<F: Scalar>(case: &Value, tolerance: f64) {
    let name = case["name"].as_str().unwrap();
    let input = Input::<F>::new(&case["input"]);
    let stack = case["layers"].as_array().unwrap().iter().fold(Sequential::<F>::default(), add);
    let mut model = stack.build(input.form(), 1).unwrap_or_else(|error| panic!("{name}: {error}"));
    let weights = case["weights"].as_object().unwrap();
    assert_eq!(model.weight_names().len(), weights.len(), "{name}: {:?}", model.weight_names());
    for (weight, value) in weights {
        model.set_weight(weight, &tensor(value).mapv(F::of)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    compile(&mut model, case);
    let pass = Pass::training(Key::new(0));
    let mask = mask_of(case);
    let samples = mask.as_ref().map_or(input.samples(), |mask| (input.samples(), mask).into());
    let output = tensor(&case["output"]);

    // Without dropout, running and training give the same.
    if case.get("masks").is_none() {
        expect_close(&model.predict(samples).unwrap(), &output, tolerance, &format!("{name}: predict"));
    }
    let target = tensor(&case["target"]);
    let row_weights = case["sample_weight"].is_object().then(|| tensor(&case["sample_weight"]));
    let targets = || row_weights.as_ref().map_or(Targets::from(&target), |weights| (&target, weights).into());
    let masks = replay(case, 0);
    let gradients = testing::gradients(&model, samples, targets(), pass.replaying(&masks)).unwrap();
    expect_close(&gradients.outputs, &output, tolerance, &format!("{name}: output"));
    expect_number(gradients.loss, number(&case["loss_value"]), tolerance, &format!("{name}: loss"));
    assert_eq!(gradients.weights.len(), weights.len(), "{name}");
    for (weight, gradient) in &gradients.weights {
        let golden = tensor(&case["gradients"][weight.as_str()]);
        expect_close(gradient, &golden, tolerance, &format!("{name}: gradient of {weight}"));
    }
    if case["input_gradient"].is_object() {
        let golden = tensor(&case["input_gradient"]);
        expect_close(&gradients.samples.unwrap(), &golden, tolerance, &format!("{name}: gradient of the input"));
    }
    let losses = numbers(&case["losses"]);
    assert_eq!(losses.len(), 20);
    for (step, golden) in losses.into_iter().enumerate() {
        let masks = replay(case, step);
        let loss = testing::train_batch(&mut model, samples, targets(), pass.replaying(&masks)).unwrap();
        expect_number(loss, golden, tolerance, &format!("{name}: loss of step {step}"));
    }
    for (weight, golden) in case["final_weights"].as_object().unwrap() {
        let what = format!("{name}: {weight} after 20 steps");
        expect_close(&model.weight(weight).unwrap(), &tensor(golden), tolerance, &what);
    }
}

fn run_file(file: &str) {
    let golden = golden(file);
    let cases = golden["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        run_case::<f64>(case, 1e-9);
        run_case::<f32>(case, 1e-5);
    }
    println!("{file}: {} cases in f64 and f32", cases.len());
}

macro_rules! files {
    ($($file:ident),+) => {$(
        #[test]
        fn $file() {
            run_file(stringify!($file));
        }
    )+};
}
files!(
    bidirectional,
    compositions,
    constraints,
    dense,
    dropout,
    embedding,
    gru,
    losses,
    lstm,
    masks,
    optimizers,
    regularizers,
    simple_rnn,
    stacks
);

#[test]
fn schedules() {
    let golden = golden("schedules");
    let cases = golden["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let schedule = schedule(&case["schedule"], number(&case["learning_rate"]));
        schedule.check().unwrap();
        for (step, golden) in numbers(&case["rates"]).into_iter().enumerate() {
            let rate = schedule.rate(step as u64);
            // Rates are small: relative to themselves, but for those that are nothing but rounding.
            let error = (rate - golden).abs() / golden.abs().max(1e-6);
            assert!(error <= 1e-9, "{} at step {step}: {rate}, but should be {golden}", case["name"]);
        }
    }
}

fn run_trajectory<F: Scalar>(case: &Value, tolerance: f64) {
    let name = case["name"].as_str().unwrap();
    let rows = |key: &str| -> Array2<f64> { tensor(&case[key]).into_dimensionality().unwrap() };
    let (x, y, batch) = (rows("input").mapv(F::of), rows("target"), case["batch"].as_u64().unwrap() as usize);
    let stack = case["layers"].as_array().unwrap().iter().fold(Sequential::<F>::default(), add);
    let mut model = stack.build(Form::vector(x.ncols()), 1).unwrap();
    for (weight, value) in case["weights"].as_object().unwrap() {
        model.set_weight(weight, &tensor(value).mapv(F::of)).unwrap();
    }
    compile(&mut model, case);
    let losses = numbers(&case["losses"]);
    assert_eq!(losses.len(), 50);
    for (step, golden) in losses.into_iter().enumerate() {
        let from = step * batch % x.nrows();
        let part = ndarray::s![from..from + batch, ..];
        let loss = model.train_batch(&x.slice(part).to_owned(), &y.slice(part).to_owned()).unwrap();
        expect_number(loss, golden, tolerance, &format!("{name}: loss of step {step}"));
    }
    let expect_weights = |model: &Model<F>, key: &str| {
        for (weight, golden) in case[key].as_object().into_iter().flatten() {
            let what = format!("{name}: {weight} in {key}");
            expect_close(&model.weight(weight).unwrap(), &tensor(golden), tolerance, &what);
        }
    };
    expect_weights(&model, "final_weights");
    model.use_averages().unwrap();
    expect_weights(&model, if case["averages"].is_object() { "averages" } else { "final_weights" });
}

#[test]
fn trajectories() {
    let golden = golden("trajectories");
    let cases = golden["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        run_trajectory::<f64>(case, 1e-9);
        run_trajectory::<f32>(case, 1e-5);
    }
    println!("trajectories: {} cases in f64 and f32", cases.len());
}

#[test]
fn anchors_of_keras_own_tests() {
    let golden = golden("anchors");
    let mut compared = 0;
    for case in golden["cases"].as_array().unwrap() {
        let options = &case["layer"];
        let shape: Vec<usize> = numbers(&case["input_shape"]).into_iter().map(|size| size as usize).collect();
        let count = shape.iter().product::<usize>();
        let x = Array3::from_shape_vec((shape[0], shape[1], shape[2]), (0..count).map(|i| i as f64).collect()).unwrap();
        let mut full = serde_json::json!({
            "name": "layer", "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": true,
            "unit_forget_bias": true, "return_sequences": false, "reset_after": true,
        });
        for (key, value) in options.as_object().unwrap() {
            full[key] = value.clone();
        }
        let mut model = add(Sequential::<f64>::default(), &full).build(Form::sequence(shape[1], shape[2]), 0).unwrap();
        for (weight, constant) in case["constants"].as_object().unwrap() {
            let name = format!("layer/{}", weight.rsplit('/').next().unwrap());
            let Ok(value) = model.weight(&name) else { continue };
            let mut value = value.mapv(|_| number(constant));
            if name.ends_with("/bias") && full["class"] == "LSTM" && full["unit_forget_bias"] == true {
                let units = value.len() / 4;
                value.slice_axis_mut(Axis(0), (units..2 * units).into()).fill(1.0);
            }
            model.set_weight(&name, &value).unwrap();
        }
        let mask = mask_of(case);
        let samples = mask.as_ref().map_or(Samples::from(&x), |mask| (&x, mask).into());
        let output = model.predict(samples).unwrap();
        // One value for each row, or for each row and step: all units are equal.
        let values: Vec<f64> = match &case["values"][0] {
            Value::Array(_) => case["values"].as_array().unwrap().iter().flat_map(numbers).collect(),
            _ => numbers(&case["values"]),
        };
        let units = output.len() / values.len();
        assert_eq!(units, full["units"].as_u64().unwrap() as usize, "{}", case["name"]);
        for (index, &value) in output.iter().enumerate() {
            expect_number(value, values[index / units], 1e-6, &case["name"].to_string());
        }
        compared += 1;
    }
    println!("anchors: {compared} cases");
    assert_eq!(compared, 15);
}

/// Puts the scripted figure where a callback looks for it, and marks the weights with the epoch.
struct Script<'a> {
    sequence: &'a [Option<f64>],
}

impl Callback for Script<'_> {
    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Logs, training: &mut Training<'_>) -> Result<()> {
        if let Some(value) = self.sequence[epoch - 1] {
            logs.set("val_loss", value);
        }
        training.set_weight("dense/bias", ndarray::arr1(&[epoch as f64]).view().into_dyn())
    }
}

fn marked_model() -> Model<f64> {
    let mut model = Sequential::<f64>::default().add(Dense::new(1)).build(Form::vector(1), 0).unwrap();
    model.compile(Sgd::new(1e-9), MeanSquaredError);
    model
}

fn sequence(case: &Value) -> Vec<Option<f64>> {
    let sequence = case["sequence"].as_array().unwrap().iter();
    sequence.map(|value| (!value.is_null()).then(|| number(value))).collect()
}

fn mode(options: &Value) -> Mode {
    match options["mode"].as_str() {
        Some("max") => Mode::Max,
        Some("min") => Mode::Min,
        _ => Mode::Auto,
    }
}

/// Trains a model for as many epochs as the script has, unless the callback stops it; how many were run.
fn play(model: &mut Model<f64>, sequence: &[Option<f64>], callback: &mut dyn Callback) -> usize {
    let (x, y) = (Array2::<f64>::ones((1, 1)), vec![0.0_f64]);
    let mut script = Script { sequence };
    let fit = Fit::new().epochs(sequence.len()).callback(&mut script).callback(callback);
    model.fit(&x, &y, fit).unwrap().epochs()
}

#[test]
fn early_stopping() {
    let golden = golden("early_stopping");
    let cases = golden["cases"].as_array().unwrap();
    for case in cases {
        let (name, options) = (&case["name"], &case["options"]);
        let mut callback = EarlyStopping::new()
            .patience(options["patience"].as_u64().unwrap_or(0) as usize)
            .min_delta(options["min_delta"].as_f64().unwrap_or(0.0))
            .mode(mode(options))
            .restore_best_weights(options["restore_best_weights"].as_bool().unwrap_or(false))
            .start_from_epoch(options["start_from_epoch"].as_u64().unwrap_or(0) as usize);
        if let Some(baseline) = options["baseline"].as_f64() {
            callback = callback.baseline(baseline);
        }
        let sequence = sequence(case);
        let mut model = marked_model();
        let epochs = play(&mut model, &sequence, &mut callback);
        assert_eq!(Some(epochs as u64), case["epochs_run"].as_u64(), "{name}");
        // Keras counts them from 0.
        let epoch = |key: &str| case[key].as_u64().map(|epoch| epoch as usize + 1);
        assert_eq!(callback.stopped_epoch(), epoch("stop_epoch"), "{name}");
        // Nothing restored: the weights are those of the last epoch.
        let left = model.weight("dense/bias").unwrap()[[0]];
        assert_eq!(left, epoch("restored_epoch").unwrap_or(epochs) as f64, "{name}");
        match &case["best"] {
            Value::Null => assert_eq!(callback.best(), None, "{name}"),
            best => assert_eq!(callback.best().map(f64::to_bits), Some(number(best).to_bits()), "{name}"),
        }
    }
    println!("early_stopping: {} cases", cases.len());
}

#[test]
fn model_checkpoint() {
    let folder = std::env::temp_dir().join(format!("bptt-keras-checkpoint-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for case in golden("model_checkpoint")["cases"].as_array().unwrap() {
        let options = &case["options"];
        let path = folder.join("model.safetensors");
        let mut callback = ModelCheckpoint::new(&path)
            .save_best_only(options["save_best_only"].as_bool().unwrap_or(false))
            .mode(mode(options));
        if let Some(threshold) = options["initial_value_threshold"].as_f64() {
            callback = callback.initial_value_threshold(threshold);
        }
        play(&mut marked_model(), &sequence(case), &mut callback);
        let saved: Vec<f64> = callback.saved_epochs().iter().map(|&epoch| epoch as f64).collect();
        // Keras counts them from 0.
        let golden: Vec<f64> = numbers(&case["saved_epochs"]).into_iter().map(|epoch| epoch + 1.0).collect();
        assert_eq!(saved, golden, "{}", case["name"]);
        if let Some(&last) = saved.last() {
            let model = Model::<f64>::load(&path).unwrap();
            assert_eq!(model.weight("dense/bias").unwrap()[[0]], last, "{}", case["name"]);
        }
        let _ = fs::remove_file(&path);
    }
    fs::remove_dir(&folder).unwrap();
}

#[test]
fn reduce_lr_on_plateau() {
    let golden = golden("reduce_lr_on_plateau");
    let cases = golden["cases"].as_array().unwrap();
    for case in cases {
        let (name, options) = (&case["name"], &case["options"]);
        let count = |key: &str| options[key].as_u64().unwrap() as usize;
        let mut callback = ReduceLROnPlateau::new()
            .factor(number(&options["factor"]))
            .patience(count("patience"))
            .mode(mode(options))
            .min_delta(number(&options["min_delta"]))
            .cooldown(count("cooldown"))
            .min_lr(number(&options["min_lr"]));
        let mut rates = Vec::new();
        let mut look = LambdaCallback::new().on_epoch_end(|_, _, training| {
            rates.push(training.learning_rate());
            Ok(())
        });
        let sequence = sequence(case);
        let mut script = Script { sequence: &sequence };
        let mut model = marked_model();
        model.optimizer().unwrap().set_learning_rate(1.0);
        let fit = Fit::new().epochs(sequence.len()).callback(&mut script).callback(&mut callback).callback(&mut look);
        let history = model.fit(&Array2::<f64>::ones((1, 1)), &vec![0.0_f64], fit).unwrap();
        drop(look);
        assert_eq!(rates, numbers(&case["rates"]), "{name}");
        // The history has the rate with which each epoch was run.
        let before: Vec<f64> = [1.0].into_iter().chain(rates).take(sequence.len()).collect();
        assert_eq!(history.get("learning_rate"), before, "{name}");
    }
    println!("reduce_lr_on_plateau: {} cases", cases.len());
}
