//! Going on from a state: streams, windows of truncated backpropagation, and the state as a value.

use bptt::instructions;
use bptt::layers::{Activate, GlobalAveragePooling1D, LayerNormalization, RepeatVector, Residual, TimeDistributed};
use bptt::models::{Predictor, Window};
use bptt::numeric::Scalar;
use bptt::prelude::*;
use bptt::recurrent::{Rnn, Stacked};
use ndarray::{Array2, Array3, ArrayD, Axis, s};

fn sequences<F: Scalar>(samples: usize, steps: usize, features: usize) -> Array3<F> {
    Array3::from_shape_fn((samples, steps, features), |(n, t, d)| F::of(((7 * n + 3 * t + d) as f64 * 0.7).sin()))
}

/// Every cell, and every layer that goes on from a state, in a stack, with and without an output for each step.
fn stack<F: Scalar>(return_sequences: bool, steps: Option<usize>) -> Model<F> {
    Sequential::default()
        .add(Lstm::new(8).return_sequences(true))
        .add(Dense::new(5))
        .add(Gru::new(6).return_sequences(true))
        .add(LayerNormalization::new())
        .add(Residual::new(Gru::new(6).reset_after(false).return_sequences(true)))
        .add(TimeDistributed::new(Dense::new(4)))
        .add(Activate::new(Activation::Tanh))
        .add(Rnn::from_cell(Stacked::new(Lstm::new(3).into_cell(), Gru::new(5).into_cell())).return_sequences(true))
        .add(SimpleRnn::new(7).return_sequences(return_sequences))
        .add(Dense::new(2))
        .build(Form::sequence(steps, 3), 11)
        .unwrap()
}

fn close<F: Scalar>(streamed: &ArrayD<F>, whole: &ArrayD<F>, tolerance: f64, what: &str) {
    assert_eq!(streamed.shape(), whole.shape(), "{what}");
    for (streamed, whole) in streamed.iter().zip(whole) {
        let difference = (streamed.widen() - whole.widen()).abs();
        assert!(difference <= tolerance, "{what}: {streamed} instead of {whole}");
    }
}

#[test]
fn a_stream_ends_where_the_whole_sequence_ends() {
    // The reference path does the same sums in the same order; the fast ones have one of their own for few samples.
    let tolerance = if instructions() == "reference" { 0.0 } else { 1e-6 };
    for samples in [1, 2, 5, 70] {
        for return_sequences in [false, true] {
            let model = stack::<f32>(return_sequences, None);
            let x = sequences(samples, 9, 3);
            let whole = model.predict(&x).unwrap();
            for part in [1, 2, 4] {
                let mut state = model.state(samples).unwrap();
                let mut outputs = Vec::new();
                for x in x.axis_chunks_iter(Axis(1), part) {
                    outputs.push(model.step(&x.to_owned(), &mut state).unwrap());
                }
                let what = format!("{samples} samples in parts of {part}");
                if return_sequences {
                    let views: Vec<_> = outputs.iter().map(|part| part.view()).collect();
                    close(&ndarray::concatenate(Axis(1), &views).unwrap(), &whole, tolerance, &what);
                } else {
                    close(outputs.last().unwrap(), &whole, tolerance, &what);
                }
            }
        }
    }
}

#[test]
fn a_long_prediction_is_cut_without_a_trace() {
    let model = stack::<f64>(true, None);
    let x = sequences(2, 2_500, 3);
    let mut state = model.state(2).unwrap();
    let mut parts = Vec::new();
    for x in x.axis_chunks_iter(Axis(1), 700) {
        parts.push(model.step(&x.to_owned(), &mut state).unwrap());
    }
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    close(&model.predict(&x).unwrap(), &ndarray::concatenate(Axis(1), &views).unwrap(), 1e-12, "2500 steps");
}

#[test]
fn tokens_stream_too() {
    let layers = Sequential::new().add(Embedding::new(6, 4)).add(Lstm::new(8)).add(Dense::new(1));
    let model = layers.build(Form::tokens(5), 3).unwrap();
    let tokens = Array2::from_shape_fn((3, 5), |(n, t)| ((n + 2 * t) % 6) as u32);
    let (mut state, mut predictor, mut output) = (model.state(3).unwrap(), Predictor::new(), ArrayD::default(vec![0]));
    for t in 0..5 {
        let step = tokens.slice(s![.., t..t + 1]).to_owned();
        predictor.step(&model, &step, &mut state, &mut output).unwrap();
    }
    close(&output, &model.predict(&tokens).unwrap(), 1e-6, "tokens");
}

#[test]
fn the_output_of_a_step_that_does_not_count_is_that_before_it() {
    let layers = Sequential::new().add(Embedding::new(6, 4).mask_zero(true)).add(Lstm::new(8).return_sequences(true));
    let output = layers.build(Form::tokens(3), 3).unwrap().predict(&Array2::from(vec![[3, 0, 2]])).unwrap();
    let at = |t| output.index_axis(Axis(1), t);
    assert_eq!(at(1), at(0));
    assert_ne!(at(2), at(0));
}

#[test]
fn a_state_is_a_value() {
    let model = stack::<f32>(false, None);
    let x = sequences(3, 4, 3);
    let mut state = model.state(3).unwrap();
    model.step(&x, &mut state).unwrap();
    let path = std::env::temp_dir().join(format!("bptt-state-{}.safetensors", std::process::id()));
    state.save(&path).unwrap();
    let mut loaded = model.state(3).unwrap();
    loaded.load(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(state, loaded);

    let (mut one, mut other) = (state.clone(), state.clone());
    assert_eq!(model.step(&x, &mut one).unwrap(), model.step(&x, &mut other).unwrap());
    assert_ne!(state, one);

    other.reset_sample(1).unwrap();
    let fresh = model.predict(&x).unwrap();
    let output = model.step(&x, &mut other).unwrap();
    close(
        &output.slice(s![1..2, ..]).to_owned().into_dyn(),
        &fresh.slice(s![1..2, ..]).to_owned().into_dyn(),
        1e-6,
        "",
    );
    assert!((&output - &fresh).row_difference(0) > 1e-4, "sample 0 was reset as well");
    one.reset();
    assert_eq!(one, model.state(3).unwrap());
}

trait RowDifference {
    fn row_difference(&self, row: usize) -> f32;
}

impl RowDifference for ArrayD<f32> {
    fn row_difference(&self, row: usize) -> f32 {
        self.index_axis(Axis(0), row).iter().fold(0.0, |largest, difference| difference.abs().max(largest))
    }
}

fn small<F: Scalar>() -> Model<F> {
    let layers = Sequential::default().add(Lstm::new(3).return_sequences(true)).add(Dense::new(1));
    layers.build(Form::sequence(None, 2), 5).unwrap()
}

#[test]
fn one_window_is_the_whole_sequence() {
    let (x, y) = (sequences::<f32>(40, 12, 2), sequences::<f32>(40, 12, 1));
    let train = |fit: Fit<'_, f32>| {
        let mut model = small();
        model.compile(Adam::new(0.01), MeanSquaredError);
        let history = model.fit(&x, &y, fit.epochs(3)).unwrap();
        (history.get("loss").to_vec(), model.weight("lstm/recurrent_kernel").unwrap())
    };
    assert_eq!(train(Fit::new()), train(Fit::new().truncated(12, 12)));
    assert_ne!(train(Fit::new()), train(Fit::new().truncated(6, 12)));
}

#[test]
fn fit_and_the_plain_loop_agree() {
    let (x, y) = (sequences::<f64>(5, 23, 2), sequences::<f64>(5, 23, 1));
    for (every, through) in [(1, 1), (4, 4), (4, 7), (5, 40)] {
        let (mut fitted, mut looped) = (small(), small());
        for model in [&mut fitted, &mut looped] {
            model.compile(Sgd::new(0.1), MeanSquaredError);
        }
        fitted.fit(&x, &y, Fit::new().shuffle(false).truncated(every, through)).unwrap();
        let mut state = looped.state(5).unwrap();
        for window in Window::all(23, every, through).unwrap() {
            looped.train_window(&x, &y, &window, &mut state).unwrap();
        }
        for name in fitted.weight_names() {
            assert_eq!(fitted.weight(&name).unwrap(), looped.weight(&name).unwrap(), "{name}, {every} and {through}");
        }
    }
}

/// The loss of a window's newest outputs, from a state.
fn window_loss(
    model: &Model<f64>,
    x: &Array3<f64>,
    y: &Array3<f64>,
    window: &Window,
    state: &bptt::models::ModelState<f64>,
) -> f64 {
    let output = model.step(&x.slice(s![.., window.steps.clone(), ..]).to_owned(), &mut state.clone()).unwrap();
    let newest = window.steps.len() - window.newest;
    let y = y.slice(s![.., window.steps.clone(), ..]);
    let difference = &output.slice(s![.., newest.., ..]) - &y.slice(s![.., newest.., ..]);
    difference.mapv(|d| d * d).mean().unwrap()
}

/// A step of plain descent on a window moves each weight by the slope of the loss that only that window has.
#[test]
fn a_window_has_the_gradient_of_its_newest_outputs() {
    let (x, y) = (sequences::<f64>(2, 9, 2), sequences::<f64>(2, 9, 1));
    let rate = 1e-3;
    for (number, window) in Window::all(9, 2, 5).unwrap().enumerate() {
        let mut model = small::<f64>();
        model.compile(Sgd::new(rate), MeanSquaredError);
        // The state that a run of the whole sequence has before this window.
        let mut state = model.state(2).unwrap();
        if window.steps.start > 0 {
            model.step(&x.slice(s![.., ..window.steps.start, ..]).to_owned(), &mut state).unwrap();
        }
        let before = small::<f64>();
        let mut after_kept = state.clone();
        if window.kept > 0 {
            let kept = window.steps.start..window.steps.start + window.kept;
            before.step(&x.slice(s![.., kept, ..]).to_owned(), &mut after_kept).unwrap();
        }
        let mut trained = state.clone();
        let loss = model.train_window(&x, &y, &window, &mut trained).unwrap();
        assert!((loss - window_loss(&before, &x, &y, &window, &state)).abs() < 1e-12, "window {number}");
        for (kept, expected) in
            trained.layer("lstm").unwrap().parts.iter().zip(&after_kept.layer("lstm").unwrap().parts)
        {
            assert!((kept - expected).iter().all(|difference| difference.abs() < 1e-12), "window {number}");
        }
        for name in before.weight_names() {
            let (old, new) = (before.weight(&name).unwrap(), model.weight(&name).unwrap());
            for index in 0..old.len() {
                let at = |by: f64| {
                    let mut moved = small::<f64>();
                    let mut weight = old.clone();
                    weight.as_slice_mut().unwrap()[index] += by;
                    moved.set_weight(&name, &weight).unwrap();
                    window_loss(&moved, &x, &y, &window, &state)
                };
                let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
                let moved = (old.as_slice().unwrap()[index] - new.as_slice().unwrap()[index]) / rate;
                assert!((slope - moved).abs() < 1e-7, "window {number}, {name}[{index}]: {moved} instead of {slope}");
            }
        }
    }
}

#[test]
fn layers_that_need_the_whole_sequence_say_so() {
    let stacks = [
        Sequential::new().add(Bidirectional::new(Lstm::new(3))),
        Sequential::new().add(GlobalAveragePooling1D::new()),
        Sequential::new().add(Lstm::new(3)).add(RepeatVector::new(2)).add(Lstm::new(3)),
        Sequential::new().add(Residual::new(Lstm::new(3).return_sequences(true).go_backwards(true))),
    ];
    for stack in stacks {
        let model = stack.build(Form::sequence(None, 3), 1).unwrap();
        let message = model.state(1).unwrap_err().to_string();
        assert!(message.contains("it looks at the whole sequence"), "{message}");
    }
}
