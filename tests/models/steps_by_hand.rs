//! [`Optimizer::step`] on weights that no model holds: the same bits as a model's training, and what it refuses.

use bptt::initializers::Init;
use bptt::layer::{Backward, Forward, Layer, Params, Pass, Path, zeros_like};
use bptt::layers::weights::{DenseCache, DenseWeights};
use bptt::losses::Loss;
use bptt::optimizers::{Clip, CosineDecay, Ema, Nadam, Optimizer};
use bptt::prelude::*;
use bptt::random::Key;
use bptt::tensor::Tensor;
use bptt::{Error, params};
use ndarray::{Array2, ArrayD, ShapeBuilder, array};

#[derive(Clone, Debug)]
struct Weights<F> {
    dense: DenseWeights<F>,
    dense_1: DenseWeights<F>,
}
params!(Weights { dense, dense_1 });

/// One shard of samples: those of a model with more are summed one after the other, which rounds otherwise.
fn data() -> (Array2<f64>, Array2<f64>) {
    let x = Array2::from_shape_fn((8, 3), |(n, d)| ((n * 3 + d) as f64 * 1.3).sin());
    let y = Array2::from_shape_fn((8, 1), |(n, _)| x[[n, 0]] - 2.0 * x[[n, 2]] + 0.5);
    (x, y)
}

fn layers() -> (Dense, Dense) {
    (Dense::new(2).activation(bptt::activations::Activation::Tanh), Dense::new(1))
}

/// All tensors, to be compared.
fn tensors(weights: &impl Params<f64>) -> Vec<ArrayD<f64>> {
    let mut all = Vec::new();
    weights.visit(Path::root(""), &mut |_, tensor| all.push(tensor.to_owned()));
    all
}

/// The weights that the model starts with, by their names in it.
fn weights_of(model: &Model<f64>) -> Weights<f64> {
    let (first, second) = layers();
    let init = &mut Init::new(Key::new(0));
    let mut weights = Weights {
        dense: first.build(Form::vector(3), init).unwrap(),
        dense_1: second.build(Form::vector(2), init).unwrap(),
    };
    weights.visit_mut(Path::root(""), &mut |path, mut tensor| {
        tensor.assign(&model.weight(&path.to_string()).unwrap());
    });
    weights
}

fn model(optimizer: Optimizer<f64>) -> Model<f64> {
    let (first, second) = layers();
    let mut model = Sequential::<f64>::default().add(first).add(second).build(Form::vector(3), 7).unwrap();
    model.compile(optimizer, MeanSquaredError);
    model
}

/// A training loop of one's own.
fn train(weights: &mut Weights<f64>, optimizer: &mut Optimizer<f64>, batches: usize) {
    let ((first, second), (x, targets)) = (layers(), data());
    let (x, rows) = (Tensor::Vector(x), targets.nrows());
    let [mut h, mut dh, mut y, mut dy]: [Tensor<f64>; 4] = Default::default();
    let mut caches: [DenseCache<f64>; 2] = Default::default();
    let mut gradients = zeros_like(weights);
    let pass = Pass::training(Key::new(0));
    for _ in 0..batches {
        first.forward(&weights.dense, Forward::new(&x, &mut h, &mut caches[0], pass));
        second.forward(&weights.dense_1, Forward::new(&h, &mut y, &mut caches[1], pass));
        let dy_rows = dy.as_vector(rows, 1);
        MeanSquaredError.sum(y.rows(), targets.view(), false, Some(dy_rows.view_mut()));
        let backward = Backward::new((&h, &y), &dy, &mut caches[1], &mut gradients.dense_1, pass);
        second.backward(&weights.dense_1, backward.dx(&mut dh));
        let backward = Backward::new((&x, &h), &dh, &mut caches[0], &mut gradients.dense, pass);
        first.backward(&weights.dense, backward);
        // As a model does: of the mean.
        gradients.visit_mut(Path::root(""), &mut |_, mut gradient| gradient *= 1.0 / rows as f64);
        optimizer.step(weights, &mut gradients).unwrap();
        assert_eq!(tensors(&gradients), tensors(&zeros_like(weights)));
    }
}

#[test]
fn a_loop_of_ones_own_has_the_bits_of_a_model() {
    let optimizers: [fn() -> Optimizer<f64>; 5] = [
        || Adam::new(0.01).into(),
        || Optimizer::new(Nadam::new(0.01)).clip(Clip::GlobalNorm(0.1)).schedule(CosineDecay::new(0.1, 9)),
        || Optimizer::new(RmsProp::new(0.01)).clip(Clip::Norm(0.2)).gradient_accumulation_steps(3),
        || Optimizer::new(Sgd::new(0.1).momentum(0.9)).weight_decay(0.1).exclude_from_weight_decay(["dense_1/bias"]),
        || Optimizer::new(Adam::new(0.02)).clip(Clip::Value(0.01)).ema(Ema::new().momentum(0.8)),
    ];
    for optimizer in optimizers {
        let mut model = model(optimizer());
        let (mut weights, mut by_hand) = (weights_of(&model), optimizer());
        let start = weights.clone();
        let (x, y) = data();
        for batches in [1, 6] {
            for _ in 0..batches {
                model.train_batch(&x, &y).unwrap();
            }
            train(&mut weights, &mut by_hand, batches);
            assert_eq!(tensors(&weights), tensors(&weights_of(&model)), "{by_hand:?}");
        }
        assert_ne!(tensors(&weights), tensors(&start));
        assert_eq!(by_hand.iterations(), model.optimizer().unwrap().iterations());
        let trained = weights.clone();
        model.use_averages().unwrap();
        by_hand.use_averages(&mut weights).unwrap();
        assert_eq!(tensors(&weights), tensors(&weights_of(&model)), "{by_hand:?}");
        assert_eq!(tensors(&weights) != tensors(&trained), format!("{by_hand:?}").contains("ema: Some"));
    }
}

/// Expects that the step is refused with this message and changes nothing.
#[track_caller]
fn refused<P: Params<f64> + Clone>(mut optimizer: Optimizer<f64>, weights: &P, gradients: &P, message: &str) {
    let (mut after, mut given) = (weights.clone(), gradients.clone());
    let error = optimizer.step(&mut after, &mut given).unwrap_err();
    assert_eq!(error.to_string(), message);
    assert_eq!(tensors(weights), tensors(&after));
    assert_eq!(optimizer.iterations(), 0);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let sgd = || Optimizer::new(Sgd::new(0.1));
    let weights = weights_of(&model(sgd()));
    let ones = weights.clone();

    let mut wide = ones.clone();
    wide.dense_1.kernel = Array2::zeros((3, 1));
    let message = "the optimizer cannot change dense_1/kernel: its shape is [2, 1], that of its gradient [3, 1]; start the \
                   gradients from zeros_like(&weights)";
    refused(sgd(), &weights, &wide, message);

    let mut turned = ones.clone();
    turned.dense.kernel = Array2::zeros((3, 2).f());
    let message = "the optimizer cannot change dense/kernel: its gradient is not in standard layout; start the gradients \
                   from zeros_like(&weights)";
    refused(sgd(), &weights, &turned, message);
    let message = "the optimizer cannot change dense/kernel: it is not in standard layout; make it so with \
                   as_standard_layout().into_owned()";
    refused(sgd(), &turned, &ones, message);

    let mut bare = ones.clone();
    bare.dense.bias = None;
    let message = "the optimizer cannot change these weights: they are 4 tensors, their gradients 3; start the gradients \
                   from zeros_like(&weights)";
    refused(sgd(), &weights, &bare, message);

    refused(Sgd::new(-1.0).into(), &weights, &ones, "learning_rate is -1, but must be a finite number above 0");
    let mut broken = ones.clone();
    broken.dense_1.kernel[[0, 0]] = f64::NAN;
    let message = "the gradient of dense_1/kernel is not finite; lower the learning rate, or look for extreme inputs";
    refused(sgd().clip(Clip::Norm(1.0)), &weights, &broken, message);
}

#[test]
fn an_optimizer_stays_with_its_weights() {
    let (mut adam, mut weights) = (Optimizer::new(Adam::new(0.1)), array![[1.0, 2.0]]);
    adam.step(&mut weights, &mut array![[1.0, 1.0]]).unwrap();
    let (mut other, mut gradients) = (array![[1.0, 2.0, 3.0]], array![[1.0, 1.0, 1.0]]);
    let message = "the optimizer cannot change these weights: it has changed weights of other sizes before; take a new optimizer for \
                   these";
    for result in [adam.step(&mut other, &mut gradients), adam.use_averages(&mut other)] {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Step { .. }));
        assert_eq!(error.to_string(), message);
    }
    let mut more = Some(array![1.0]);
    adam.use_averages(&mut more).unwrap_err();
    assert_eq!(other, array![[1.0, 2.0, 3.0]]);
}
