//! The callbacks beside early stopping and checkpoints of whole models, which the goldens of Keras look at, and when
//! validation is run.

use std::fs;
use std::path::{Path, PathBuf};

use bptt::Result;
use bptt::callbacks::Training;
use bptt::callbacks::{
    Callback, CsvLogger, LambdaCallback, LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau, TerminateOnNaN,
};
use bptt::models::{BackupAndRestore, Logs};
use bptt::optimizers::{ExponentialDecay, Optimizer};
use bptt::prelude::*;
use ndarray::{Array1, Array2, array};

fn model(optimizer: impl Into<Optimizer<f64>>) -> Model<f64> {
    let mut model = Sequential::<f64>::default().add(Dense::new(1)).build(Form::vector(1), 1).unwrap();
    model.compile(optimizer, MeanSquaredError);
    model
}

fn data() -> (Array2<f64>, Array1<f64>) {
    (array![[0.0], [1.0], [2.0], [3.0], [4.0]], array![1.0, 3.0, 5.0, 7.0, 9.0])
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn rates_follow_a_function_of_the_epoch() {
    let (x, y) = data();
    let mut scheduler = LearningRateScheduler::new(|epoch, rate| if epoch == 1 { 0.25 } else { rate / 2.0 });
    let mut model = model(Optimizer::new(Sgd::new(0.1)).schedule(ExponentialDecay::new(1.0, 1, 0.5)));
    let history = model.fit(&x, &y, Fit::new().epochs(3).callback(&mut scheduler)).unwrap();
    assert_eq!(history.get("learning_rate"), [0.25, 0.125, 0.0625]);
    assert_eq!(model.optimizer().unwrap().learning_rate(), 0.0625);
    let mut wrong = LearningRateScheduler::new(|_, _| f64::NAN);
    let error = model.fit(&x, &y, Fit::new().callback(&mut wrong)).unwrap_err();
    assert_eq!(error.to_string(), "learning_rate is NaN, but must be a finite number, at least 0");
}

#[test]
fn options_of_a_plateau_are_checked_before_training() {
    let (x, y) = data();
    for (mut reduce, message) in [
        (ReduceLROnPlateau::new().factor(1.0), "factor is 1, but must be at least 0 and below 1"),
        (ReduceLROnPlateau::new().min_lr(-1.0), "min_lr is -1, but must be a finite number, at least 0"),
    ] {
        let error = model(Sgd::new(0.1)).fit(&x, &y, Fit::new().callback(&mut reduce)).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn training_ends_with_the_first_loss_that_is_no_number() {
    let (x, y) = data();
    let mut terminate = TerminateOnNaN::new();
    // Each step makes the weights some 1e200 times as large.
    let fit = Fit::new().epochs(9).batch_size(1).shuffle(false).callback(&mut terminate);
    let history = model(Sgd::new(1e200)).fit(&x, &y, fit).unwrap();
    assert_eq!(history.epochs(), 1);
    assert!(!history.get("loss")[0].is_finite());
    assert!(terminate.batch().is_some_and(|batch| batch < 5), "{:?}", terminate.batch());
    let history = model(Sgd::new(0.01)).fit(&x, &y, Fit::new().epochs(2).callback(&mut terminate)).unwrap();
    assert_eq!((history.epochs(), terminate.batch()), (2, None));
}

/// Trains two epochs of one batch each, with this at the end of the first; gives the model with what training gave.
fn change_after_the_first_epoch(
    change: impl Fn(&mut Training<'_>) -> Result<()>,
) -> (Model<f64>, Result<bptt::models::History>) {
    let (x, y) = data();
    let mut model = model(Sgd::new(0.01));
    let mut callback = LambdaCallback::new().on_epoch_end(|epoch, _, training| match epoch {
        1 => change(training),
        _ => Ok(()),
    });
    let result = model.fit(&x, &y, Fit::new().epochs(2).shuffle(false).callback(&mut callback));
    drop(callback);
    (model, result)
}

#[test]
fn a_callback_changes_the_model_that_training_goes_on_with() {
    let kernel = |model: &Model<f64>| model.weight("dense/kernel").unwrap()[[0, 0]];
    let (plain, history) = change_after_the_first_epoch(|_| Ok(()));
    let (one, two) = {
        let loss = history.unwrap();
        (loss.get("loss")[0], loss.get("loss")[1])
    };
    assert!(two < one);
    // Back to where training began: the second epoch is the first again.
    let start = model(Sgd::new(0.01));
    let at_start = [kernel(&start), 0.0];
    let (back, history) = change_after_the_first_epoch(|training| {
        assert_eq!((training.epochs(), training.batches(), training.learning_rate()), (2, Some(1), 0.01));
        assert_eq!(training.history().epochs(), 0, "the epoch is not over before its callbacks");
        let seen = training.model::<f64>().unwrap();
        assert!(training.model::<f32>().is_none());
        assert_eq!(training.weights()[0], kernel(seen));
        training.set_weights(&at_start)
    });
    assert_eq!(history.unwrap().get("loss"), [one, one]);
    let (named, history) = change_after_the_first_epoch(|training| {
        training.set_weight("dense/kernel", array![[at_start[0]]].view().into_dyn())?;
        training.set_weight("dense/bias", array![0.0].view().into_dyn())
    });
    assert_eq!(history.unwrap().get("loss"), [one, one]);
    assert_eq!(kernel(&named), kernel(&back));
    let (frozen, history) = change_after_the_first_epoch(|training| training.set_trainable("dense", false));
    assert_eq!(history.unwrap().get("loss"), [one, two]);
    let (slower, _) = change_after_the_first_epoch(|training| training.set_learning_rate(0.0));
    assert_eq!(kernel(&frozen), kernel(&slower));
    assert_ne!(kernel(&frozen), kernel(&plain));
    let (path, weights) = (file("callbacks-model"), file("callbacks-weights"));
    let (saved, _) = change_after_the_first_epoch(|training| {
        training.set_learning_rate(0.0)?;
        training.save(&path)?;
        training.save_weights(&weights)
    });
    assert_eq!(kernel(&Model::load(&path).unwrap()), kernel(&saved));
    let mut loaded = model(Sgd::new(0.1));
    loaded.load_weights(&weights).unwrap();
    assert_eq!(kernel(&loaded), kernel(&saved));
}

#[test]
fn what_a_callback_cannot_change_is_an_error_that_ends_training() {
    type Change = fn(&mut Training<'_>) -> Result<()>;
    let cases: [(Change, &str); 7] = [
        (
            |training| training.set_weights(&[1.0]),
            "there are 1 numbers but 2 weights of the model; pass one for each of the other",
        ),
        (
            |training| training.set_weights(&[1.0; 3]),
            "there are 3 numbers but 2 weights of the model; pass one for each of the other",
        ),
        (
            |training| training.set_weight("lstm/kernel", array![[1.0]].view().into_dyn()),
            "there is no weight \"lstm/kernel\"; there are dense/kernel, dense/bias",
        ),
        (
            |training| training.set_weight("dense/kernel", array![1.0, 2.0].view().into_dyn()),
            "weight \"dense/kernel\" has shape [1, 1], not [2]; pass an array of its shape",
        ),
        (|training| training.set_trainable("lstm", false), "there is no layer \"lstm\"; there are dense"),
        (
            |training| training.set_learning_rate(f64::NAN),
            "learning_rate is NaN, but must be a finite number, at least 0",
        ),
        (|training| training.set_learning_rate(-0.1), "learning_rate is -0.1, but must be a finite number, at least 0"),
    ];
    let (frozen, _) = change_after_the_first_epoch(|training| training.set_trainable("dense", false));
    for (change, message) in cases {
        let (model, result) = change_after_the_first_epoch(change);
        assert_eq!(result.unwrap_err().to_string(), message);
        for name in model.weight_names() {
            assert_eq!(model.weight(&name).unwrap(), frozen.weight(&name).unwrap(), "{message}: {name}");
        }
    }
}

/// Sets a figure of its own from the second epoch on.
struct Late;

impl Callback for Late {
    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Logs, _: &mut Training<'_>) -> Result<()> {
        if epoch > 1 {
            logs.set("late", epoch as f64);
        }
        Ok(())
    }
}

#[test]
fn the_log_file_is_the_history_after_every_epoch() {
    let (x, y) = data();
    let path = file("callbacks-log.csv");
    let mut logger = CsvLogger::new(&path);
    let (mut lines, mut late) = (Vec::new(), Late);
    let mut look = LambdaCallback::new().on_epoch_end(|_, _, _| {
        lines.push(fs::read_to_string(&path).unwrap().lines().count());
        Ok(())
    });
    let fit = Fit::new().epochs(3).callback(&mut logger).callback(&mut look).callback(&mut late);
    let history = model(Adam::new(0.1)).fit(&x, &y, fit).unwrap();
    drop(look);
    assert_eq!(lines, [2, 3, 4]);
    assert_eq!(fs::read_to_string(&path).unwrap(), history.to_csv());
    assert_eq!(history.names(), ["loss", "late"]);
    let mut nowhere = CsvLogger::new(file("callbacks-none/log.csv"));
    let error = model(Sgd::new(0.1)).fit(&x, &y, Fit::new().callback(&mut nowhere)).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot write {}: ", file("callbacks-none/log.csv").display())), "{error}");
}

#[test]
fn checkpoints_are_named_after_epochs_and_figures() {
    let (x, y) = data();
    let folder = file("callbacks-names");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    let names = || {
        let mut names: Vec<String> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let mut whole = ModelCheckpoint::new(folder.join("{epoch:02d}-{loss:.2f}.safetensors"));
    let mut weights = ModelCheckpoint::new(folder.join("weights")).save_weights_only(true);
    let fit = Fit::new().epochs(2).shuffle(false).callback(&mut whole).callback(&mut weights);
    let mut trained = model(Sgd::new(0.01));
    let history = trained.fit(&x, &y, fit).unwrap();
    let loss = history.get("loss");
    assert_eq!(
        names(),
        [format!("01-{:.2}.safetensors", loss[0]), format!("02-{:.2}.safetensors", loss[1]), "weights".into()]
    );
    assert_eq!(whole.last_path(), Some(&*folder.join(format!("02-{:.2}.safetensors", loss[1]))));
    let mut other = model(Sgd::new(0.1));
    other.load_weights(folder.join("weights")).unwrap();
    assert_eq!(other.weight("dense/kernel").unwrap(), trained.weight("dense/kernel").unwrap());
    let error = Model::<f64>::load(folder.join("weights")).unwrap_err().to_string();
    assert!(
        error.ends_with("it does not describe its layers; for weights alone, build the model and use load_weights")
    );

    // Every third of five batches an epoch, counted on from epoch to epoch: epochs 1, 2, 2, 3, 3.
    let mut frequent = ModelCheckpoint::new(folder.join("frequent")).save_freq(3);
    let fit = Fit::new().epochs(3).batch_size(1).callback(&mut frequent);
    model(Sgd::new(0.01)).fit(&x, &y, fit).unwrap();
    assert_eq!(frequent.saved_epochs(), [1, 2, 2, 3, 3]);

    for (path, message) in [
        ("{val_loss}", "there is no figure \"val_loss\" to name the file after; there are epoch, loss"),
        ("{epoch", "path is "),
    ] {
        let mut wrong = ModelCheckpoint::new(folder.join(path));
        let error = model(Sgd::new(0.01)).fit(&x, &y, Fit::new().callback(&mut wrong)).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn the_last_samples_are_kept_back_and_looked_at_when_asked() {
    let (x, y) = data();
    let mut split = model(Sgd::new(0.01));
    let fit = Fit::new().epochs(4).shuffle(false).validation_split(0.4).validation_freq(2);
    let history = split.fit(&x, &y, fit).unwrap();
    let mut given = model(Sgd::new(0.01));
    let (first, last) = (x.slice(ndarray::s![..3, ..]).to_owned(), x.slice(ndarray::s![3.., ..]).to_owned());
    let (y_first, y_last) = (array![1.0, 3.0, 5.0], array![7.0, 9.0]);
    let fit = Fit::new().epochs(4).shuffle(false).validation(&last, &y_last);
    let expected = given.fit(&first, &y_first, fit).unwrap();
    assert_eq!(history.get("loss"), expected.get("loss"));
    let validated: Vec<bool> =
        (1..=history.epochs()).map(|epoch| history.epoch(epoch).get("val_loss").is_some()).collect();
    assert_eq!(validated, [false, true, false, true]);
    assert_eq!(history.get("val_loss")[3], expected.get("val_loss")[3]);
    for share in [0.0, 1.0, 1e-30, -0.5, f64::NAN] {
        let error = split.fit(&x, &y, Fit::new().validation_split(share)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("validation_split is {share}, but must be")), "{error}");
    }
    let error = split.fit(&x, &y, Fit::new().validation_freq(0)).unwrap_err().to_string();
    assert_eq!(error, "validation_freq is 0, but must be at least 1 and at most 2³¹");
    let error = split.fit(&x, &y, Fit::new().validation(&x, &y_last)).unwrap_err().to_string();
    assert!(error.starts_with("in the validation data: the targets have shape [2]"), "{error}");
    let backup = BackupAndRestore::new(file("callbacks-backup")).save_freq(0);
    let error = split.fit(&x, &y, Fit::new().backup(backup)).unwrap_err().to_string();
    assert_eq!(error, "save_freq is 0, but must be at least 1 and at most 2³¹");
}
