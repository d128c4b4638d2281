//! One test for each thing that a user can get wrong in many ways or places, on the whole text of the message: what was wrong,
//! where, and how to mend it. Single mistakes are in `wrong_programs`.
//!
//! Nothing here may panic, and nothing may train before it fails.

use bptt::Result;
use bptt::callbacks::ModelCheckpoint;
use bptt::constraints::Constraint;
use bptt::data::Targets;
use bptt::layer::Layer;
use bptt::losses::{CategoricalCrossentropy, Huber, Loss, Poisson};
use bptt::metrics::{Auc, F1Score, Metric, Precision, Recall};
use bptt::optimizers::{Clip, Optimizer};
use bptt::prelude::*;
use bptt::regularizers::Regularizer;
use ndarray::{Array1, Array2, Array3, array};

#[track_caller]
fn expect<T>(result: Result<T>, message: &str) {
    match result {
        Ok(_) => panic!("no error, but expected: {message}"),
        Err(error) => assert_eq!(error.to_string(), message),
    }
}

fn compiled(layer: impl Layer<f32>, form: Form, loss: impl Loss<f32> + 'static) -> Model {
    let mut model = Sequential::new().add(layer).build(form, 1).unwrap();
    model.compile(Sgd::new(0.1), loss);
    model
}

fn dense(loss: impl Loss<f32> + 'static) -> Model {
    compiled(Dense::new(3), Form::vector(2), loss)
}

fn line() -> Model {
    compiled(Dense::new(1), Form::vector(1), MeanSquaredError)
}

#[test]
fn token_ids_outside_the_vocabulary() {
    let mut model = Sequential::new().add(Embedding::new(5, 2)).add(Gru::new(1)).build(Form::tokens(3), 1).unwrap();
    model.compile(Sgd::new(0.1), MeanSquaredError);
    for id in [5, 77] {
        let message = format!(
            "token id {id} at sample 1, step 2 is not below the vocabulary of 5; give the Embedding a larger input_dim, \
             or load the data with num_words = 5"
        );
        let tokens = array![[0, 1, 4], [2, 3, id]];
        expect(model.predict(&tokens), &message);
        expect(model.evaluate(&tokens, &array![0.0, 1.0]), &message);
        expect(model.fit(&tokens, &array![0.0, 1.0], Fit::new()), &message);
    }
}

#[test]
fn inputs_that_are_not_finite() {
    let mut model = dense(MeanSquaredError);
    for (value, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let message = format!("the samples hold {text} at [1, 0]; replace or drop values that are not finite");
        expect(model.fit(&array![[1.0, 2.0], [value, 0.0]], &Array2::<f32>::zeros((2, 3)), Fit::new()), &message);
    }
    let model = Sequential::new().add(Lstm::new(1)).build(Form::sequence(2, 1), 1).unwrap();
    let message = "the samples hold NaN at [0, 1, 0]; replace or drop values that are not finite";
    expect(model.predict(&array![[[1.0], [f32::NAN]]]), message);
}

#[test]
fn targets_that_the_loss_cannot_use() {
    let x = Array2::<f32>::zeros((2, 2));
    let message = "the target of sample 1 is 1.5; binary cross-entropy takes labels from 0 to 1";
    expect(dense(BinaryCrossentropy::new()).fit(&x, &array![[0.0, 0.0, 1.0], [0.0, 1.5, 0.0]], Fit::new()), message);
    let message = "the target of sample 0 is NaN; binary cross-entropy takes labels from 0 to 1";
    expect(dense(BinaryCrossentropy::new()).evaluate(&x, &Array2::from_elem((2, 3), f32::NAN)), message);
    let message = "the target of sample 1 is 3; it must be a class number from 0 to 2";
    expect(dense(SparseCategoricalCrossentropy::new()).fit(&x, &array![2, 3], Fit::new()), message);
    let message = "the target of sample 0 is -1; it must be a class number from 0 to 2";
    expect(dense(SparseCategoricalCrossentropy::new()).fit(&x, &array![-1, 0], Fit::new()), message);
    let message = "the target of sample 0 is 0.5; it must be a class number from 0 to 2";
    expect(dense(SparseCategoricalCrossentropy::new()).fit(&x, &array![0.5, 0.0], Fit::new()), message);
    let message = "the target of sample 1 holds -1; categorical cross-entropy takes probabilities from 0 to 1";
    let targets = array![[0.0, 0.0, 1.0], [0.0, -1.0, 0.0]];
    expect(dense(CategoricalCrossentropy::new()).fit(&x, &targets, Fit::new()), message);
    let message = "the target of sample 0 is inf; it must be a finite number";
    expect(dense(MeanSquaredError).fit(&x, &Array2::from_elem((2, 3), f32::INFINITY), Fit::new()), message);
}

#[test]
fn weights_that_do_not_fit() {
    let (x, y) = (Array2::<f32>::zeros((2, 2)), Array2::<f32>::zeros((2, 3)));
    let mut model = dense(MeanSquaredError);
    let message = "the weights have shape [3], but must be one for each sample, [2]";
    expect(model.fit(&x, (&y, &array![1.0, 2.0, 3.0]), Fit::new()), message);
    let message = "the weights have shape [2, 1], but must be one for each sample, [2]";
    expect(model.train_batch(&x, (&y, &array![[1.0], [2.0]])), message);
    for (value, text) in [(-0.5, "-0.5"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let message = format!("the weight of sample 1 is {text}; weights must be finite numbers of at least 0");
        expect(model.fit(&x, (&y, &vec![0.0, value]), Fit::new()), &message);
        expect(model.evaluate(&x, (&y, &array![0.0, value])), &message);
        let in_validation = format!("in the validation data: {message}");
        expect(model.fit(&x, &y, Fit::new().validation(&x, (&y, &array![0.0, value]))), &in_validation);
    }
    let model = compiled(Lstm::new(1).return_sequences(true), Form::sequence(4, 2), MeanSquaredError);
    let (x, y) = (Array3::<f32>::zeros((2, 4, 2)), Array2::<f32>::zeros((2, 4)));
    let message = "the weights have shape [2, 3], but must be one for each sample, [2], or one for each step of each sample, \
                   [2, 4]";
    expect(model.evaluate(&x, (&y, &Array2::<f32>::ones((2, 3)))), message);
    let mut weights = Array2::<f64>::ones((2, 4));
    weights[[1, 2]] = -1.0;
    let message = "the weight of sample 1 is -1; weights must be finite numbers of at least 0";
    expect(model.evaluate(&x, (&y, &weights)), message);
}

#[test]
fn weights_of_classes_that_do_not_fit() {
    let x = Array2::<f32>::zeros((2, 2));
    for (value, text) in
        [(-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf"), (1e300, &format!("1{}", "0".repeat(300)))]
    {
        let message = format!("class_weight is {text} for class 1, but must be a finite number of at least 0");
        let fit = Fit::new().class_weight([(0, 1.0), (1, value)]);
        expect(dense(SparseCategoricalCrossentropy::new()).fit(&x, &array![0, 1], fit), &message);
    }
    let weighted = || Fit::new().class_weight([(0, 2.0)]);
    let needs = "class_weight needs labels 0 and 1, class numbers, or rows with one largest value";
    let message = format!("the target of sample 1 holds its largest value 2 times and tells no class; {needs}");
    let targets = array![[0.0, 0.0, 1.0], [1.0, 1.0, 0.0]];
    expect(dense(BinaryCrossentropy::new()).fit(&x, &targets, weighted()), &message);
    let message = format!("the target of sample 0 is -2 and tells no class; {needs}");
    expect(line().fit(&array![[1.0_f32]], &array![-1.6], weighted()), &message);
}

#[test]
fn options_of_losses_out_of_range() {
    let x = Array2::<f32>::zeros((1, 2));
    for (value, text) in [(-0.1, "-0.1"), (1.5, "1.5"), (f64::NAN, "NaN")] {
        let message = format!("label_smoothing is {text}, but must be a number from 0 to 1");
        let y = array![[1.0, 0.0, 0.0]];
        expect(dense(BinaryCrossentropy::new().label_smoothing(value)).fit(&x, &y, Fit::new()), &message);
        expect(dense(CategoricalCrossentropy::new().label_smoothing(value)).evaluate(&x, &y), &message);
    }
    for (value, text) in [(0.0, "0"), (-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let message = format!("delta is {text}, but must be a finite number above 0");
        let y = array![[1.0, 0.0, 0.0]];
        expect(dense(Huber::new().delta(value)).train_batch(&x, &y), &message);
    }
    let message = "the target of sample 0 is -1; Poisson loss takes finite counts or rates of at least 0";
    expect(dense(Poisson).fit(&x, &array![[1.0, -1.0, 0.0]], Fit::new()), message);
}

#[test]
fn metrics_that_do_not_fit() {
    type Data<'a> = (&'a Array2<f32>, Targets<'a>);
    fn with(metric: impl Metric<f32> + 'static, loss: impl Loss<f32> + 'static, (x, y): Data<'_>, message: &str) {
        let mut model = Sequential::new().add(Dense::new(3)).build(Form::vector(2), 1).unwrap();
        model.compile(Sgd::new(0.1), loss).metric(metric);
        let before = model.weight("dense/kernel").unwrap();
        expect(model.fit(x, y.clone(), Fit::new()), message);
        expect(model.evaluate(x, y), message);
        assert_eq!(model.weight("dense/kernel").unwrap(), before, "found out before training");
    }
    let sparse = SparseCategoricalCrossentropy::new;
    let (x, class, row) = (Array2::<f32>::zeros((1, 2)), vec![1_u8], array![[0.0_f32, 1.0, 0.0]]);
    let each = |name: &str| {
        format!(
            "the metric {name:?} compares each output with a target of its own, but for 3 outputs the loss takes rows of 1; \
             use a metric for class numbers"
        )
    };
    with(MeanMetric::categorical_accuracy(), sparse(), (&x, (&class).into()), &each("accuracy"));
    with(MeanMetric::mean_squared_error(), sparse(), (&x, (&class).into()), &each("mean_squared_error"));
    with(Precision::new().named("p"), sparse(), (&x, (&class).into()), &each("p"));
    with(F1Score::new(), sparse(), (&x, (&class).into()), &each("f1_score"));
    with(Auc::pr(), sparse(), (&x, (&class).into()), &each("auc"));
    let message = "the metric \"accuracy\" takes one class number for each row, but the loss takes rows of 3; use one without \
                   `sparse`";
    with(MeanMetric::sparse_categorical_accuracy(), MeanSquaredError, (&x, (&row).into()), message);
    for k in [0, 4] {
        let problem = format!("looks at the top {k} of 3 outputs; k must be from 1 to 3");
        let message = format!("the metric \"top_k_categorical_accuracy\" {problem}");
        with(MeanMetric::top_k_categorical_accuracy(k), MeanSquaredError, (&x, (&row).into()), &message);
        let message = format!("the metric \"sparse_top_k_categorical_accuracy\" {problem}");
        with(MeanMetric::sparse_top_k_categorical_accuracy(k), sparse(), (&x, (&class).into()), &message);
    }
    for (threshold, text) in [(-0.1, "-0.1"), (1.1, "1.1"), (f64::NAN, "NaN")] {
        let problem = format!("has the threshold {text}; it must be a number from 0 to 1");
        let message = format!("the metric \"recall\" {problem}");
        with(Recall::new().threshold(threshold), MeanSquaredError, (&x, (&row).into()), &message);
        let message = format!("the metric \"f1_score\" {problem}");
        with(F1Score::new().threshold(threshold), MeanSquaredError, (&x, (&row).into()), &message);
    }
    let message = "the metric \"accuracy\" has the threshold NaN; give it a number";
    with(MeanMetric::binary_accuracy_at(f64::NAN), MeanSquaredError, (&x, (&row).into()), message);
}

#[test]
fn no_data() {
    let message = "the data is empty; pass at least one sample";
    expect(line().fit(&Array2::<f32>::zeros((0, 1)), &Array1::<f32>::zeros(0), Fit::new()), message);
    expect(line().evaluate(&Array2::<f32>::zeros((0, 1)), &Array1::<f32>::zeros(0)), message);
    expect(line().predict(&Array2::<f32>::zeros((0, 1))), message);
    expect(line().train_batch(&Array2::<f32>::zeros((0, 1)), &Array1::<f32>::zeros(0)), message);
}

#[test]
fn dropout_rates_out_of_range() {
    let build = |model: Sequential| model.build(Form::sequence(2, 2), 1);
    for (rate, text) in [(1.0, "1"), (-0.1, "-0.1"), (f64::NAN, "NaN"), (2.5, "2.5"), (f64::INFINITY, "inf")] {
        let message =
            |layer, option| format!("layer {layer:?}: {option} is {text}, but must be at least 0 and below 1");
        expect(build(Sequential::new().add(Dropout::new(rate))), &message("dropout", "rate"));
        expect(build(Sequential::new().add(Lstm::new(1).dropout(rate))), &message("lstm", "dropout"));
        let recurrent = Gru::new(1).recurrent_dropout(rate);
        expect(build(Sequential::new().add(recurrent)), &message("gru", "recurrent_dropout"));
    }
}

#[test]
fn regularizers_and_constraints_out_of_range() {
    let build = |model: Sequential| model.build(Form::sequence(2, 2), 1);
    for (value, text) in [(-0.1, "-0.1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let message =
            |option| format!("layer \"gru\": {option} for recurrent_kernel, but must be a finite number of at least 0");
        let gru = |regularizer| Sequential::new().add(Gru::new(1).recurrent_regularizer(regularizer));
        expect(build(gru(Regularizer::l1(value))), &message(format!("l1 is {text}")));
        expect(build(gru(Regularizer::l1_l2(0.1, value))), &message(format!("l2 is {text}")));
        let lstm = Lstm::new(1).bias_constraint(Constraint::max_norm(value));
        let message = format!("layer \"lstm\": max_value is {text} for bias, but must be a finite number above 0");
        expect(build(Sequential::new().add(lstm)), &message);
    }
    let dense = Dense::new(1).kernel_constraint(Constraint::min_max_norm(3.0, 2.0));
    let message = "layer \"dense\": min_value is 3 for kernel, but must be at least 0 and at most max_value";
    expect(build(Sequential::new().add(dense)), message);
    // An LSTM's bias is a vector; that of a GRU has two rows.
    let axis = Constraint::UnitNorm { axis: 1 };
    let message = "layer \"lstm\": axis is 1 for bias, but must be an axis of the weight, counted from 0";
    expect(build(Sequential::new().add(Lstm::new(1).bias_constraint(axis))), message);
    assert!(build(Sequential::new().add(Gru::new(1).bias_constraint(axis))).is_ok());
    // Without a bias there is nothing to hold.
    assert!(build(Sequential::new().add(Lstm::new(1).bias_constraint(axis).use_bias(false))).is_ok());
}

#[test]
fn sizes_of_zero() {
    let build = |model: Sequential| model.build(Form::sequence(2, 2), 1);
    expect(
        build(Sequential::new().add(Lstm::new(0))),
        "layer \"lstm\": units is 0, but must be at least 1 and at most 2³¹",
    );
    expect(
        build(Sequential::new().add(Gru::new(0))),
        "layer \"gru\": units is 0, but must be at least 1 and at most 2³¹",
    );
    expect(
        build(Sequential::new().add(SimpleRnn::new(0))),
        "layer \"simple_rnn\": units is 0, but must be at least 1 and at most 2³¹",
    );
    expect(
        build(Sequential::new().add(Dense::new(0))),
        "layer \"dense\": units is 0, but must be at least 1 and at most 2³¹",
    );
    let build = |layer| Sequential::new().add(layer).build(Form::tokens(2), 1);
    expect(build(Embedding::new(0, 2)), "layer \"embedding\": input_dim is 0, but must be at least 1 and at most 2³¹");
    expect(build(Embedding::new(2, 0)), "layer \"embedding\": output_dim is 0, but must be at least 1 and at most 2³¹");
}

#[test]
fn softmax_inside_a_recurrent_layer() {
    let message = |layer: &str, option: &str| {
        format!(
            "layer {layer:?}: {option} is softmax, but must be a function of single elements (softmax needs a whole row: \
             use it on a Dense layer)"
        )
    };
    let build = |model: Sequential| model.build(Form::sequence(2, 2), 1);
    let layer = Lstm::new(1).recurrent_activation(Activation::Softmax);
    expect(build(Sequential::new().add(layer)), &message("lstm", "recurrent_activation"));
    let layer = Gru::new(1).activation(Activation::Softmax);
    expect(build(Sequential::new().add(layer)), &message("gru", "activation"));
    let layer = Gru::new(1).reset_after(false).recurrent_activation(Activation::Softmax);
    expect(build(Sequential::new().add(layer)), &message("gru", "recurrent_activation"));
    let layer = SimpleRnn::new(1).activation(Activation::Softmax);
    expect(build(Sequential::new().add(layer)), &message("simple_rnn", "activation"));
}

#[test]
fn a_model_that_is_not_compiled() {
    let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(1), 1).unwrap();
    let (x, y) = (array![[1.0_f32]], array![1.0]);
    let message = "the model is not compiled; call model.compile(optimizer, loss) first";
    expect(model.evaluate(&x, &y), message);
    expect(model.gradients(&x, &y), message);
    expect(model.train_batch(&x, &y), message);
}

#[test]
fn optimizer_options_out_of_range() {
    let (x, y) = (array![[1.0_f32]], array![1.0]);
    for (value, text) in [(0.0, "0"), (-0.5, "-0.5"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let mut model = line();
        model.compile(Sgd::new(value), MeanSquaredError);
        let message = format!("learning_rate is {text}, but must be a finite number above 0");
        expect(model.fit(&x, &y, Fit::new()), &message);
        expect(model.train_batch(&x, &y), &message);
        for clip in [Clip::Value(value), Clip::Norm(value), Clip::GlobalNorm(value)] {
            model.compile(Optimizer::new(Sgd::new(0.1)).clip(clip), MeanSquaredError);
            let message = format!("clip is {text}, but must be a finite number above 0");
            expect(model.fit(&x, &y, Fit::new()), &message);
        }
    }
    let mut model = line();
    model.compile(Sgd::new(0.1).momentum(1.0), MeanSquaredError);
    expect(model.fit(&x, &y, Fit::new()), "momentum is 1, but must be at least 0 and below 1");
}

#[test]
fn a_gradient_that_is_not_finite() {
    for clip in [Clip::Value(1.0), Clip::Norm(1.0), Clip::GlobalNorm(1.0)] {
        let mut model = line();
        model.compile(Optimizer::new(Sgd::new(0.1)).clip(clip), MeanSquaredError);
        model.set_weight("dense/kernel", &array![[1e38_f32]]).unwrap();
        let message = "the gradient of dense/kernel is not finite; lower the learning rate, or look for extreme inputs";
        expect(model.fit(&array![[1e30_f32]], &array![0.0], Fit::new()), message);
        assert_eq!(model.weight("dense/kernel").unwrap()[[0, 0]], 1e38, "the step is not made");
    }
}

#[test]
fn a_checkpoint_in_a_folder_that_is_not_there() {
    let mut model = line();
    let before = model.weight("dense/kernel").unwrap();
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-such-folder").join("model.safetensors");
    let mut checkpoint = ModelCheckpoint::new(&path);
    let result = model.fit(&array![[1.0_f32]], &array![9.0], Fit::new().callback(&mut checkpoint));
    expect(result, &format!("cannot write {}: No such file or directory (os error 2)", path.display()));
    assert_eq!(model.weight("dense/kernel").unwrap(), before, "found out before training");
}

#[test]
fn a_checkpoint_in_the_place_of_a_folder() {
    let mut model = line();
    let before = model.weight("dense/kernel").unwrap();
    let mut checkpoint = ModelCheckpoint::new(env!("CARGO_TARGET_TMPDIR"));
    let result = model.fit(&array![[1.0_f32]], &array![9.0], Fit::new().callback(&mut checkpoint));
    expect(result, &format!("cannot write {}: is a directory", env!("CARGO_TARGET_TMPDIR")));
    assert_eq!(model.weight("dense/kernel").unwrap(), before, "found out before training");
}

#[test]
fn validation_data_is_looked_at_before_training() {
    let mut model = line();
    let before = model.weight("dense/kernel").unwrap();
    let (x, y) = (array![[1.0_f32], [2.0]], array![9.0_f32, 8.0]);
    let broken = array![[1.0], [f32::NAN]];
    let message = "in the validation data: the samples hold NaN at [1, 0]; replace or drop values that are not finite";
    expect(model.fit(&x, &y, Fit::new().validation(&broken, &y)), message);
    let message = "in the validation data: the targets have shape [1], but samples, model and loss need [2, 1]; pass an array \
                   of that shape";
    expect(model.fit(&x, &y, Fit::new().validation(&x, &array![1.0_f32])), message);
    assert_eq!(model.weight("dense/kernel").unwrap(), before);
}

#[test]
fn names_that_cannot_be() {
    let message = |name: &str| {
        format!("a layer cannot be named {name:?}; use a name that is not empty, has no slash and is not taken yet")
    };
    for name in ["", "a/b"] {
        expect(Sequential::new().add_named(name, Dense::new(1)).build(Form::vector(1), 1), &message(name));
    }
}
