//! A training that is interrupted and called again ends as if it had not been interrupted: weights, history, callbacks and
//! their files, to the bit.

use std::fs;
use std::path::{Path, PathBuf};

use bptt::callbacks::Training;
use bptt::callbacks::{Callback, CallbackState, CsvLogger, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau};
use bptt::data::{Batch, from_iterator};
use bptt::models::{BackupAndRestore, History, Logs};
use bptt::optimizers::{Adagrad, AdamW, Ema, ExponentialDecay, Nadam, Optimizer};
use bptt::prelude::*;
use bptt::random::Key;
use bptt::{Error, Result};
use ndarray::{Array1, Array2, Axis, s};
use ndarray_rand::rand::Rng;

const SAMPLES: usize = 50;
const BATCHES: usize = 4;
const EPOCHS: usize = 4;

fn data() -> (Array2<u32>, Array1<f32>) {
    let mut generator = Key::new(3).generator();
    let tokens = Array2::from_shape_simple_fn((SAMPLES, 4), || generator.random_range(0..8));
    let labels = tokens.map_axis(Axis(1), |ids| f32::from(u8::from(ids[1] < 4)));
    (tokens, labels)
}

fn model(optimizer: Optimizer<f32>) -> Model {
    let mut model = Sequential::new()
        .add(Embedding::new(8, 3))
        .add(Gru::new(3).dropout(0.3).recurrent_dropout(0.2))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(4), 1)
        .unwrap();
    model.compile(optimizer, BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());
    model
}

/// Ends training after so many batches: with an error, as a process that is killed there, or in order.
struct Interruption {
    after: usize,
    in_order: bool,
}

impl Callback for Interruption {
    fn on_batch_end(&mut self, _: usize, _: &Logs, training: &mut Training<'_>) -> Result<()> {
        self.after = self.after.wrapping_sub(1);
        match (self.after, self.in_order) {
            (0, false) => return Err(Error::empty("the socket", "push the plug in")),
            (0, true) => training.interrupt(),
            _ => {}
        }
        Ok(())
    }
}

/// What a training leaves.
#[derive(Debug, PartialEq)]
struct Outcome {
    weights: Vec<u8>,
    history: String,
    files: Vec<String>,
    callbacks: String,
}

/// A folder of its own for a test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("resume").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// One call of the program, which is interrupted after so many of its batches, if it gets there.
fn call(
    folder: &Path,
    optimizer: Optimizer<f32>,
    save_freq: Option<usize>,
    interrupted: usize,
    in_order: bool,
) -> Option<Outcome> {
    let (x, y) = data();
    let mut model = model(optimizer);
    let mut early_stopping = EarlyStopping::new().monitor("loss").patience(2).restore_best_weights(true);
    let mut checkpoint =
        ModelCheckpoint::new(folder.join("best-{epoch}.safetensors")).monitor("val_loss").save_best_only(true);
    let mut csv = CsvLogger::new(folder.join("training.csv"));
    let mut reduce = ReduceLROnPlateau::new().monitor("accuracy").patience(1).factor(0.5);
    let mut interruption = Interruption { after: interrupted, in_order };
    let mut backup = BackupAndRestore::new(folder.join("backup"));
    if let Some(batches) = save_freq {
        backup = backup.save_freq(batches);
    }
    let fit = Fit::new()
        .epochs(EPOCHS)
        .batch_size(SAMPLES.div_ceil(BATCHES))
        .validation_split(0.1)
        .callback(&mut early_stopping)
        .callback(&mut checkpoint)
        .callback(&mut csv)
        .callback(&mut interruption);
    // A rate that a callback changes ends a schedule; one of the optimizers keeps its own.
    let scheduled = model.optimizer().unwrap().learning_rate() == 0.011;
    let fit = if scheduled { fit } else { fit.callback(&mut reduce) };
    let history = match model.fit(&x, &y, fit.backup(backup)) {
        Ok(history) => history,
        Err(error) => {
            assert_eq!(error.to_string(), "the socket is empty; push the plug in");
            return None;
        }
    };
    if in_order && interruption.after == 0 {
        assert!(folder.join("backup").exists(), "a training that was interrupted in order keeps its backup");
        return None;
    }
    assert!(!folder.join("backup").exists(), "a backup is removed when all is done");
    Some(left(folder, &model, &history, format!("{early_stopping:?} {:?}", checkpoint.saved_epochs())))
}

fn left(folder: &Path, model: &Model, history: &History, callbacks: String) -> Outcome {
    let path = folder.join("final");
    model.save(&path).unwrap();
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| format!("{} {:?}", path.file_name().unwrap().display(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    Outcome { weights: fs::read(&path).unwrap(), history: history.to_csv(), files, callbacks }
}

type MakeOptimizer = fn() -> Optimizer<f32>;

fn optimizers() -> Vec<(&'static str, MakeOptimizer)> {
    vec![
        ("sgd", || Sgd::new(0.1).momentum(0.9).into()),
        ("rmsprop", || RmsProp::new(0.01).momentum(0.5).centered(true).into()),
        ("adam", || Adam::new(0.02).amsgrad(true).into()),
        ("adamw", || AdamW::new(0.02).into()),
        ("nadam", || Nadam::new(0.02).into()),
        ("adagrad", || Adagrad::new(0.1).into()),
        ("scheduled", || Optimizer::new(Adam::new(0.02)).schedule(ExponentialDecay::new(0.011, 3, 0.5))),
        ("averaged", || {
            Optimizer::new(Adam::new(0.02)).gradient_accumulation_steps(3).ema(Ema::new().overwrite_frequency(5))
        }),
    ]
}

#[test]
fn every_optimizer_goes_on_as_if_nothing_had_been() {
    for (name, optimizer) in optimizers() {
        let whole = call(&folder(name), optimizer(), Some(1), usize::MAX, false).unwrap();
        assert!(whole.history.lines().count() > 2, "there are epochs to interrupt: {}", whole.history);
        for (save_freq, interrupted, in_order) in [
            (None, 2, false),
            (None, 6, false),
            (None, 9, false),
            (Some(1), 3, false),
            (Some(2), 7, false),
            (Some(3), 5, false),
            (None, 3, true),
            (Some(5), 4, true),
        ] {
            let folder = folder(name);
            // Interrupted again and again, until it gets to the end.
            let mut calls = 0;
            let result = loop {
                calls += 1;
                // With backups of whole epochs alone it must get through one to get on at all.
                let later = interrupted.max(if save_freq.is_none() && !in_order { BATCHES + 1 } else { 0 });
                let batches = if calls == 1 { interrupted } else { later };
                if let Some(result) = call(&folder, optimizer(), save_freq, batches, in_order) {
                    break result;
                }
                assert!(calls < 30, "{name} {save_freq:?} {interrupted} does not end");
            };
            assert!(calls > 1, "{name} {save_freq:?} {interrupted} was not interrupted");
            assert_eq!(result, whole, "{name} {save_freq:?} {interrupted}");
        }
    }
}

#[test]
fn a_kept_backup_goes_on_for_more_epochs() {
    let (x, y) = data();
    let folder = folder("more");
    let train = |epochs: usize, backup: Option<BackupAndRestore>| {
        let mut model = model(Adam::new(0.02).into());
        let fit = Fit::new().epochs(epochs);
        let fit = if let Some(backup) = backup { fit.backup(backup) } else { fit };
        let history = model.fit(&x, &y, fit).unwrap();
        let result = left(&folder, &model, &history, String::new());
        (result.weights, result.history)
    };
    let backup = || Some(BackupAndRestore::new(folder.join("backup")).delete_checkpoint(false));
    assert_eq!(train(2, backup()), train(2, None));
    assert_eq!(train(2, backup()), train(2, None), "nothing is left to do");
    assert_eq!(train(5, backup()), train(5, None));
}

#[test]
fn batches_of_a_source_go_on_where_they_were() {
    let (x, y) = data();
    let folder = folder("source");
    let train = |interrupted: usize, name: &str| {
        let mut model = model(RmsProp::new(0.01).into());
        let mut source = from_iterator(|key: Key| {
            let mut generator = key.generator();
            let (x, y) = (&x, &y);
            (0..5).map(move |_| {
                let first = generator.random_range(0..40);
                let rows = s![first..first + 10];
                Ok(Batch::new(x.slice(s![first..first + 10, ..]).to_owned(), y.slice(rows).mapv(f64::from)))
            })
        });
        let mut interruption = Interruption { after: interrupted, in_order: false };
        let backup = BackupAndRestore::new(folder.join(name)).save_freq(1);
        let fit = Fit::new().epochs(3).callback(&mut interruption).backup(backup);
        model.fit_batches(&mut source, fit).map(|history| {
            let result = left(&folder, &model, &history, String::new());
            (result.weights, result.history)
        })
    };
    let whole = train(usize::MAX, "whole").unwrap();
    assert!(train(8, "parts").is_err());
    assert!(train(2, "parts").is_err());
    assert_eq!(train(usize::MAX, "parts").unwrap(), whole);
}

#[test]
fn a_file_of_something_else_is_refused_and_nothing_is_changed() {
    let (x, y) = data();
    let folder = folder("refused");
    let path = folder.join("backup");
    let before = |optimizer: Optimizer<f32>| model(optimizer).weight("dense/kernel").unwrap();
    // In the middle of the second epoch.
    let mut interruption = Interruption { after: 8, in_order: false };
    let mut interrupted = model(Adam::new(0.02).into());
    let fit = Fit::new().epochs(2).batch_size(10).callback(&mut interruption);
    interrupted.fit(&x, &y, fit.backup(BackupAndRestore::new(&path).save_freq(1))).unwrap_err();

    let attempt = |optimizer: Optimizer<f32>, batch_size: usize, callbacks: usize| {
        let mut model = model(optimizer);
        let (mut one, mut two) = (Interruption { after: usize::MAX, in_order: false }, EarlyStopping::new());
        let mut fit = Fit::new().epochs(2).batch_size(batch_size).backup(BackupAndRestore::new(&path));
        if callbacks > 0 {
            fit = fit.callback(&mut one);
        }
        if callbacks > 1 {
            fit = fit.callback(&mut two);
        }
        let error = model.fit(&x, &y, fit).unwrap_err();
        assert_eq!(model.weight("dense/kernel").unwrap(), before(Sgd::new(0.1).into()));
        error.to_string().replace(&path.display().to_string(), "FILE")
    };
    let mend = "; call it as it was called before, or remove the file to start anew";
    assert_eq!(
        attempt(Adam::new(0.02).into(), 10, 2),
        format!("this training cannot go on from FILE: it is of a training with 1 callbacks, and this one has 2{mend}")
    );
    assert_eq!(
        attempt(Adam::new(0.02).into(), 25, 1),
        format!(
            "this training cannot go on from FILE: it is of a training with 5 batches in an epoch, and this one has 2{mend}"
        )
    );
    assert_eq!(
        attempt(Sgd::new(0.02).into(), 10, 1),
        "the state is that of another optimizer; compile the model with the rule and the schedule that it had before"
    );
    model(Sgd::new(0.1).into()).save(&path).unwrap();
    let message = attempt(Adam::new(0.02).into(), 10, 1);
    assert!(message.starts_with("this training cannot go on from FILE: its description cannot be read"), "{message}");
    fs::write(&path, "no tensors").unwrap();
    let message = attempt(Adam::new(0.02).into(), 10, 1);
    assert!(message.contains("it is not a whole safetensors file"), "{message}");
    // In another order, a callback gets what another one left.
    fs::remove_file(&path).unwrap();
    let mut order = [EarlyStopping::new(), EarlyStopping::new()];
    let [first, second] = &mut order;
    let mut interruption = Interruption { after: 6, in_order: false };
    let fit = Fit::new().epochs(2).batch_size(10).callback(&mut interruption).callback(first).callback(second);
    model(Adam::new(0.02).into()).fit(&x, &y, fit.backup(BackupAndRestore::new(&path))).unwrap_err();
    let [first, second] = &mut order;
    let mut interruption = Interruption { after: 6, in_order: false };
    let fit = Fit::new().epochs(2).batch_size(10).callback(first).callback(second).callback(&mut interruption);
    let error = model(Adam::new(0.02).into()).fit(&x, &y, fit.backup(BackupAndRestore::new(&path))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the state has no \"wait\"; pass the callbacks in the order in which they were passed before"
    );
}

/// A callback whose state has one name twice.
struct Twice;

impl Callback for Twice {
    fn state(&self) -> CallbackState {
        CallbackState::default().with("wait", [1.0]).with("best", None).with("wait", [2.0])
    }
}

#[test]
fn a_state_with_one_name_twice_is_refused_when_it_is_written() {
    let (x, y) = data();
    let path = folder("twice").join("backup");
    let mut model = model(Adam::new(0.02).into());
    let mut twice = Twice;
    let fit = Fit::new().callback(&mut twice).backup(BackupAndRestore::new(&path).save_freq(1));
    let error = model.fit(&x, &y, fit).unwrap_err();
    assert!(matches!(&error, Error::DuplicateState { name, .. } if name == "wait"), "{error}");
    let message = "the state of a callback has the name \"wait\" twice; give each of its numbers a name of its own";
    assert_eq!(error.to_string(), message);
    assert!(!path.exists());
    // Without a backup nobody asks for it.
    model.fit(&x, &y, Fit::new().callback(&mut Twice)).unwrap();
    // Two callbacks may have the same names.
    let (mut first, mut second) = (EarlyStopping::new().monitor("loss"), EarlyStopping::new().monitor("loss"));
    let fit = Fit::new().callback(&mut first).callback(&mut second).backup(BackupAndRestore::new(&path));
    model.fit(&x, &y, fit).unwrap();
}
