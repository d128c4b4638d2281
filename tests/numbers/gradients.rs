//! Every backward pass against central differences in f64, in every configuration: see `bptt::gradcheck`.

use std::cell::Cell as Counter;
use std::io::Write;

use bptt::initializers::Initializer;
use bptt::layer::{Layer, Pass};
use bptt::layers::{
    Activate, GlobalAveragePooling1D, GlobalMaxPooling1D, LayerNormalization, Masking, Merge, RepeatVector, Residual,
    TimeDistributed,
};
use bptt::losses::{CategoricalCrossentropy, Huber, Loss, MeanAbsoluteError, Poisson};
use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::{Cell, Rnn, Stacked};
use bptt::regularizers::Regularizer;
use bptt::testing::gradcheck;
use ndarray::{Array2, array};

thread_local! {
    static CONFIGURATIONS: Counter<usize> = const { Counter::new(0) };
}

const ELEMENTWISE: [Activation; 8] = [
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::Linear,
    Activation::Relu,
    Activation::HardSigmoid,
    Activation::Softplus,
    Activation::Softsign,
    Activation::Elu,
];

fn expect_close(report: &gradcheck::Report, what: &str) {
    assert!(report.error() < gradcheck::TOLERANCE, "{what}: {report}");
    assert!(report.compared > 0, "{what}: nothing was compared");
    CONFIGURATIONS.set(CONFIGURATIONS.get() + 1);
}

fn expect(report: gradcheck::Report, what: &str) {
    expect_close(&report, what);
    assert!(report.zero.is_empty(), "{what}: no gradient for {:?}", report.zero);
}

/// Says how many there were, past the test harness, which shows nothing of tests that pass.
fn print_count(family: &str) {
    let line = format!("gradients of {family}: {} configurations\n", CONFIGURATIONS.get());
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// A mask of padding before, after and in between, and of a sample that does not count at all.
fn mask(steps: usize, batch: usize) -> Array2<bool> {
    Array2::from_shape_fn((steps, batch), |(t, b)| match b {
        0 => t % 3 != 1,
        1 => t > 0 && t < 6,
        _ => false,
    })
}

/// Whether there is a mask, whether the last step comes first, and whether what does not count puts out zero.
const ORDERS: [(bool, bool, bool); 6] = [
    (false, false, false),
    (true, true, true),
    (false, true, false),
    (true, false, false),
    (true, false, true),
    (true, true, false),
];

/// Dropout of inputs, of states, and whether it is drawn anew for each step.
const DROPOUTS: [(f64, f64, bool); 6] =
    [(0.0, 0.0, false), (0.3, 0.0, false), (0.0, 0.3, false), (0.3, 0.3, false), (0.3, 0.0, true), (0.3, 0.3, true)];

/// Calls `check` with the layer in each of these orders × T × B × dropout in all its forms × return_sequences, with the form
/// of its input, B and the pass.
fn each_option<C: Cell<f64>>(
    layer: &Rnn<C>,
    orders: &[(bool, bool, bool)],
    mut check: impl FnMut(&Rnn<C>, Form, usize, Pass<'_>),
) {
    for (steps, batch) in [(1, 1), (1, 3), (2, 1), (2, 3), (7, 1), (7, 3)] {
        let mask = mask(steps, batch);
        for &(masked, backwards, zero) in orders {
            let pass = Pass::training(Key::new(3)).masked(masked.then(|| mask.view()));
            for (dropout, recurrent_dropout, per_step) in DROPOUTS {
                for return_sequences in [false, true] {
                    let layer = layer
                        .clone()
                        .go_backwards(backwards)
                        .zero_output_for_mask(zero)
                        .dropout(dropout)
                        .recurrent_dropout(recurrent_dropout)
                        .dropout_per_step(per_step)
                        .return_sequences(return_sequences);
                    check(&layer, Form::sequence(steps, 4), batch, pass);
                }
            }
        }
    }
}

/// These options, each component of each gradient.
fn recurrent_grid<C: Cell<f64>>(name: &str, layer: &Rnn<C>, orders: &[(bool, bool, bool)]) {
    each_option(layer, orders, |layer, form, batch, pass| {
        let report = gradcheck::recurrent(layer, form, batch, pass).unwrap();
        let what = format!("{name} {form} B={batch} masked={} {layer:?}", pass.mask.is_some());
        expect_close(&report, &what);
        // A rectifier that is off, or a mask that drops a whole row, makes a gradient rightly zero.
        let may_vanish = ["Relu", "masked=true", "dropout: 0.3"].iter().any(|reason| what.contains(reason));
        assert!(may_vanish || report.zero.is_empty(), "{what}: no gradient for {:?}", report.zero);
    });
}

/// All options, the gradients along two directions.
fn recurrent_product<C: Cell<f64>>(name: &str, layer: &Rnn<C>) {
    each_option(layer, &ORDERS, |layer, form, batch, pass| {
        let report = gradcheck::recurrent_along(layer, form, batch, pass, 2).unwrap();
        let is_right = report.compared == 2 && report.error() < gradcheck::TOLERANCE;
        assert!(is_right, "{name} {form} B={batch} masked={} {layer:?}: {report}", pass.mask.is_some());
        CONFIGURATIONS.set(CONFIGURATIONS.get() + 1);
    });
}

/// Calls `check` with each pair of activations and whether there is a bias.
fn every_pair(mut check: impl FnMut(Activation, Activation, bool)) {
    for activation in ELEMENTWISE {
        for recurrent_activation in ELEMENTWISE {
            [true, false].into_iter().for_each(|use_bias| check(activation, recurrent_activation, use_bias));
        }
    }
}

fn simple_rnns(mut check: impl FnMut(&SimpleRnn, Activation)) {
    for activation in ELEMENTWISE {
        for use_bias in [true, false] {
            check(&SimpleRnn::new(3).activation(activation).use_bias(use_bias), activation);
        }
    }
}

fn lstms(mut check: impl FnMut(&Lstm, Activation, Activation)) {
    every_pair(|activation, recurrent_activation, use_bias| {
        let layer = Lstm::new(3).activation(activation).recurrent_activation(recurrent_activation);
        check(&layer.use_bias(use_bias), activation, recurrent_activation);
    });
}

fn grus(reset_after: bool, mut check: impl FnMut(&Gru, Activation, Activation)) {
    every_pair(|activation, recurrent_activation, use_bias| {
        let layer = Gru::new(3).activation(activation).recurrent_activation(recurrent_activation);
        check(&layer.use_bias(use_bias).reset_after(reset_after), activation, recurrent_activation);
    });
}

#[test]
fn every_option_of_simple_rnn_and_lstm() {
    simple_rnns(|layer, _| recurrent_product("simple_rnn", layer));
    lstms(|layer, _, _| recurrent_product("lstm", layer));
    print_count("simple_rnn and lstm along directions, every option");
}

#[test]
fn every_option_of_gru_with_reset_after() {
    grus(true, |layer, _, _| recurrent_product("gru", layer));
    print_count("gru with reset_after along directions, every option");
}

#[test]
fn every_option_of_gru_with_reset_before() {
    grus(false, |layer, _, _| recurrent_product("gru", layer));
    print_count("gru without reset_after along directions, every option");
}

/// All orders for a layer with its default activations; for others the plain one and the one with everything.
fn orders(defaults: bool) -> &'static [(bool, bool, bool)] {
    if defaults { &ORDERS } else { &ORDERS[..2] }
}

/// Component by component what takes long to compare: each activation with the default of the other.
fn gated_grid<C: Cell<f64>>(name: &str, layer: &Rnn<C>, activation: Activation, recurrent_activation: Activation) {
    let defaults = (activation == Activation::Tanh, recurrent_activation == Activation::Sigmoid);
    if defaults.0 || defaults.1 {
        recurrent_grid(name, layer, orders(defaults.0 && defaults.1));
    }
}

#[test]
fn simple_rnn() {
    simple_rnns(|layer, activation| recurrent_grid("simple_rnn", layer, orders(activation == Activation::Tanh)));
    print_count("simple_rnn");
}

#[test]
fn lstm() {
    lstms(|layer, activation, recurrent_activation| gated_grid("lstm", layer, activation, recurrent_activation));
    print_count("lstm");
}

#[test]
fn gru() {
    for reset_after in [true, false] {
        grus(reset_after, |layer, activation, recurrent_activation| {
            gated_grid("gru", layer, activation, recurrent_activation);
        });
    }
    print_count("gru");
}

#[test]
fn stacked() {
    let (lstm, gru) = (|| Lstm::new(3).into_cell(), || Gru::new(2).into_cell());
    let before = || Gru::new(4).reset_after(false).into_cell();
    recurrent_grid("stacked", &Rnn::from_cell(Stacked::new(lstm(), gru())), &ORDERS);
    recurrent_grid("stacked", &Rnn::from_cell(Stacked::new(before(), lstm())), &ORDERS[..2]);
    let three = Stacked::new(Stacked::new(lstm(), SimpleRnn::new(4).into_cell()), before());
    recurrent_grid("stacked", &Rnn::from_cell(three), &ORDERS[..2]);
    let three = Stacked::new(gru(), Stacked::new(lstm(), SimpleRnn::new(4).into_cell()));
    recurrent_grid("stacked", &Rnn::from_cell(three), &ORDERS[..2]);
    print_count("stacked");
}

const MERGES: [Merge; 4] = [Merge::Concat, Merge::Sum, Merge::Mul, Merge::Average];

/// T × B × dropout × return_sequences × merge modes, masked and not, from states.
fn bidirectional_grid<A, B>(forward: &Rnn<A>, backward: &Rnn<B>, merges: &[Merge])
where
    A: Cell<f32> + Cell<f64>,
    B: Cell<f32> + Cell<f64>,
{
    let widths = [forward.states::<f64>().as_slice(), backward.states::<f64>().as_slice()].concat();
    for (steps, batch) in [(1, 1), (1, 3), (2, 1), (2, 3), (7, 1), (7, 3)] {
        for (dropout, recurrent_dropout) in [(0.0, 0.0), (0.3, 0.0), (0.3, 0.3)] {
            for sequences in [false, true] {
                let forward = forward.clone().dropout(dropout).recurrent_dropout(recurrent_dropout);
                let backward = backward.clone().dropout(dropout).recurrent_dropout(recurrent_dropout);
                let layer = Bidirectional::new(forward.return_sequences(sequences))
                    .backward_layer(backward.return_sequences(sequences));
                for &merge in merges {
                    for masked in [false, true] {
                        let layer = layer.clone().merge_mode(merge);
                        let what = format!("T={steps} B={batch} masked={masked} {layer:?}");
                        let mask = mask(steps, batch);
                        let pass = Pass::training(Key::new(3)).masked(masked.then(|| mask.view()));
                        let form = Form::sequence(steps, 4);
                        let report = gradcheck::layer_with_state(&layer, &widths, form, batch, pass).unwrap();
                        expect_close(&report, &what);
                        // A mask may drop all.
                        let may_vanish = masked || dropout > 0.0;
                        assert!(may_vanish || report.zero.is_empty(), "{what}: no gradient for {:?}", report.zero);
                    }
                }
            }
        }
    }
}

#[test]
fn bidirectional() {
    bidirectional_grid(&Lstm::new(3), &Lstm::new(3), &MERGES);
    bidirectional_grid(&Gru::new(3), &Gru::new(3).reset_after(false), &MERGES);
    bidirectional_grid(&SimpleRnn::new(3), &SimpleRnn::new(3), &MERGES);
    bidirectional_grid(&SimpleRnn::new(2), &Lstm::new(3).use_bias(false), &MERGES[..1]);
    bidirectional_grid(&Gru::new(3), &Lstm::new(3), &MERGES);
    print_count("bidirectional");
}

#[test]
fn dense() {
    for activation in ELEMENTWISE.into_iter().chain([Activation::Softmax]) {
        for use_bias in [true, false] {
            for form in [Form::vector(4), Form::sequence(1, 4), Form::sequence(2, 4), Form::sequence(7, 4)] {
                for batch in [1, 3] {
                    for absorbed in [false, true] {
                        let layer = Dense::new(3).activation(activation).use_bias(use_bias);
                        let mut pass = Pass::training(Key::new(0));
                        pass.absorbed = absorbed;
                        expect(gradcheck::layer(&layer, form, batch, pass).unwrap(), &format!("{layer:?} {form}"));
                    }
                }
            }
        }
    }
    print_count("dense");
}

#[test]
fn embedding_masking_and_dropout() {
    for (steps, batch) in [(1, 1), (1, 3), (2, 1), (2, 3), (7, 1), (7, 3)] {
        let report = gradcheck::layer(&Embedding::new(4, 3), Form::tokens(steps), batch, Pass::training(Key::new(0)));
        expect(report.unwrap(), "embedding");
        let report = gradcheck::layer(&Masking::new(0.0), Form::sequence(steps, 3), batch, Pass::training(Key::new(0)));
        expect(report.unwrap(), "masking");
        for form in [Form::vector(6), Form::sequence(steps, 6)] {
            for rate in [0.0, 0.5] {
                let report = gradcheck::layer(&Dropout::new(rate), form, batch, Pass::training(Key::new(1))).unwrap();
                expect(report, "dropout");
            }
        }
    }
    print_count("embedding, masking and dropout");
}

/// A rule alone, and one step of a cell alone.
#[test]
fn rules_and_steps() {
    for activation in ELEMENTWISE {
        for recurrent_activation in ELEMENTWISE {
            let lstm = Lstm::new(3).activation(activation).recurrent_activation(recurrent_activation);
            let gru = Gru::new(3).activation(activation).recurrent_activation(recurrent_activation);
            let what = format!("{activation:?} {recurrent_activation:?}");
            expect_close(&gradcheck::gates(lstm.cell().gates()), &what);
            expect_close(&gradcheck::gates(gru.cell().gates()), &what);
        }
        expect_close(&gradcheck::gates(SimpleRnn::new(3).activation(activation).cell().gates()), "simple_rnn");
    }
    fn check<C: Cell<f64>>(layer: &Rnn<C>) {
        for batch in [1, 3] {
            let report = gradcheck::cell(layer.cell(), 4, batch, Pass::training(Key::new(3))).unwrap();
            expect_close(&report, &format!("{layer:?}"));
        }
    }
    check(&SimpleRnn::new(3));
    check(&Lstm::new(3));
    check(&Gru::new(3));
    check(&Gru::new(3).reset_after(false).use_bias(false));
    print_count("rules and steps");
}

/// Each T × B, masked and not, in training and with what the loss takes over left out; from states if it carries them.
fn layer_grid<L: Layer<f64>>(layer: &L, features: usize) {
    let check = |form: Form, batch: usize, pass: Pass<'_>| gradcheck::layer(layer, form, batch, pass);
    each_size(features, &format!("{layer:?}"), &check);
}

/// The same from states of these widths, for a layer that carries none.
fn state_grid<L: Layer<f64>>(layer: &L, widths: &[usize], features: usize) {
    let check =
        |form: Form, batch: usize, pass: Pass<'_>| gradcheck::layer_with_state(layer, widths, form, batch, pass);
    each_size(features, &format!("{layer:?}"), &check);
}

type Check<'a> = dyn Fn(Form, usize, Pass<'_>) -> bptt::Result<gradcheck::Report> + 'a;

fn each_size(features: usize, layer: &str, check: &Check<'_>) {
    for (steps, batch) in [(1, 1), (1, 3), (2, 1), (2, 3), (7, 1), (7, 3)] {
        for masked in [false, true] {
            for absorbed in [false, true] {
                let mask = mask(steps, batch);
                let mut pass = Pass::training(Key::new(3)).masked(masked.then(|| mask.view()));
                pass.absorbed = absorbed;
                let report = check(Form::sequence(steps, features), batch, pass).unwrap();
                let what = format!("T={steps} B={batch} masked={masked} {layer}");
                expect_close(&report, &what);
                assert!(masked || report.zero.is_empty(), "{what}: no gradient for {:?}", report.zero);
            }
        }
    }
}

/// The same for a layer that takes vectors.
fn vector_grid<L: Layer<f64>>(layer: &L, features: usize) {
    for batch in [1, 3] {
        for absorbed in [false, true] {
            let mut pass = Pass::training(Key::new(3));
            pass.absorbed = absorbed;
            let report = gradcheck::layer(layer, Form::vector(features), batch, pass).unwrap();
            expect(report, &format!("B={batch} {layer:?}"));
        }
    }
}

#[test]
fn layers_without_recurrence() {
    for activation in ELEMENTWISE.into_iter().chain([Activation::Softmax]) {
        layer_grid(&Activate::new(activation), 4);
        vector_grid(&Activate::new(activation), 4);
        layer_grid(&TimeDistributed::new(Dense::new(3).activation(activation)), 4);
    }
    for (center, scale) in [(true, true), (true, false), (false, true), (false, false)] {
        for epsilon in [1e-3, 0.5] {
            let layer = LayerNormalization::new().epsilon(epsilon).center(center).scale(scale);
            layer_grid(&layer, 4);
            vector_grid(&layer, 4);
            layer_grid(&TimeDistributed::new(layer), 4);
        }
    }
    layer_grid(&GlobalAveragePooling1D::new(), 3);
    layer_grid(&GlobalMaxPooling1D::new(), 3);
    layer_grid(&TimeDistributed::new(Dropout::new(0.5)), 6);
    vector_grid(&RepeatVector::new(1), 3);
    vector_grid(&RepeatVector::new(4), 3);
    print_count("layers without recurrence");
}

#[test]
fn residual() {
    for sequences_of in [4, 3] {
        layer_grid(&Residual::new(Dense::new(sequences_of).activation(Activation::Tanh)), sequences_of);
        vector_grid(&Residual::new(Dense::new(sequences_of).activation(Activation::Tanh)), sequences_of);
        layer_grid(&Residual::new(Lstm::new(sequences_of).return_sequences(true)), sequences_of);
        let zero = Gru::new(sequences_of).return_sequences(true).zero_output_for_mask(true).go_backwards(true);
        state_grid(&Residual::new(zero), &[sequences_of], sequences_of);
        let both = Bidirectional::new(SimpleRnn::new(sequences_of).return_sequences(true)).merge_mode(Merge::Sum);
        state_grid(&Residual::new(both), &[sequences_of; 2], sequences_of);
        layer_grid(&Residual::new(Residual::new(LayerNormalization::new())), sequences_of);
    }
    print_count("residual");
}

/// Wrappers in wrappers: a state goes through all of them, or past those that have none.
#[test]
fn states_of_layers_made_of_others() {
    let lstm = || Lstm::new(3).return_sequences(true);
    let stack = || Stacked::new(Gru::new(2).into_cell(), Lstm::new(3).into_cell());
    let dropping = lstm().dropout(0.3).recurrent_dropout(0.3);
    state_grid(&Bidirectional::new(Rnn::from_cell(stack())), &[3, 3, 2, 3, 3, 2], 3);
    layer_grid(&Residual::new(dropping.clone()), 3);
    layer_grid(&Residual::new(Residual::new(lstm())), 3);
    layer_grid(&Residual::new(Rnn::from_cell(stack()).return_sequences(true)), 3);
    state_grid(&Residual::new(Bidirectional::new(dropping).merge_mode(Merge::Average)), &[3; 4], 3);
    state_grid(&TimeDistributed::new(Dense::new(2).activation(Activation::Tanh)), &[3], 3);
    state_grid(&Residual::new(TimeDistributed::new(Dense::new(3))), &[2, 3], 3);
    print_count("states of layers made of others");
}

/// What carries a state is checked from one.
#[test]
fn reports_of_layers_count_their_states() {
    let (form, pass) = (Form::sequence(2, 3), Pass::training(Key::new(1)));
    let compared = |report: bptt::Result<gradcheck::Report>| report.unwrap().compared;
    let (batch, units) = (2, 3);
    let weights = units * 4 * (3 + units + 1);
    let residual = Residual::new(Lstm::new(units).return_sequences(true));
    assert_eq!(compared(gradcheck::layer(&residual, form, batch, pass)), weights + 2 * batch * 3 + 2 * batch * units);
    let both = Bidirectional::new(Lstm::new(units));
    assert_eq!(compared(gradcheck::layer(&both, form, batch, pass)), 2 * weights + 2 * batch * 3);
    let from_state = compared(gradcheck::layer_with_state(&both, &[units; 4], form, batch, pass));
    assert_eq!(from_state, 2 * weights + 2 * batch * 3 + 4 * batch * units);
}

#[test]
#[should_panic(expected = "matrices of the sizes [(2, 3)], but layer and batch need [(2, 3), (2, 3)]")]
fn a_check_from_a_state_of_other_widths_is_refused() {
    let (layer, pass) = (Bidirectional::new(Lstm::new(3)), Pass::training(Key::new(1)));
    let _ = gradcheck::layer_with_state(&layer, &[3, 3, 3], Form::sequence(2, 3), 2, pass);
}

/// Without steps, or without samples, there is little to compare, and nothing to trip over.
#[test]
fn nothing_to_do() {
    let pass = Pass::training(Key::new(1));
    for (steps, batch) in [(0, 0), (0, 2), (3, 0)] {
        let form = Form::sequence(steps, 4);
        for report in [
            gradcheck::layer(&Embedding::new(4, 3), Form::tokens(steps), batch, pass),
            gradcheck::layer(&Dense::new(2).activation(Activation::Softmax), form, batch, pass),
            gradcheck::layer(&Dense::new(2), Form::vector(4), 0, pass),
            gradcheck::layer(&Dropout::new(0.5), form, batch, pass),
            gradcheck::layer(&Dropout::new(0.5), Form::vector(4), 0, pass),
            gradcheck::recurrent(&SimpleRnn::new(3), form, batch, pass),
            gradcheck::recurrent(&Lstm::new(3).dropout(0.5).return_sequences(true), form, batch, pass),
            gradcheck::recurrent(&Gru::new(3).recurrent_dropout(0.5), form, batch, pass),
            gradcheck::recurrent(&Gru::new(3).reset_after(false), form, batch, pass),
            gradcheck::layer(&Bidirectional::new(Lstm::new(3)), form, batch, pass),
            gradcheck::layer(&Bidirectional::new(Gru::new(3).return_sequences(true)), form, batch, pass),
            gradcheck::layer(&Residual::new(Lstm::new(4).return_sequences(true)), form, batch, pass),
            gradcheck::layer(&TimeDistributed::new(Dense::new(2)), form, batch, pass),
            gradcheck::layer(&LayerNormalization::new(), form, batch, pass),
            gradcheck::layer(&Activate::new(Activation::Softmax), form, batch, pass),
            gradcheck::layer(&GlobalAveragePooling1D::new(), form, batch, pass),
            gradcheck::layer(&GlobalMaxPooling1D::new(), form, batch, pass),
            gradcheck::layer(&RepeatVector::new(3), Form::vector(4), 0, pass),
        ] {
            let report = report.unwrap();
            assert!(report.error() < gradcheck::TOLERANCE, "T={steps} B={batch}: {report}");
        }
    }
}

#[test]
fn what_has_no_gradients_is_refused() {
    let training = Pass::training(Key::new(1));
    let message = |report: bptt::Result<gradcheck::Report>| report.unwrap_err().to_string();
    let (form, inference) = (Form::sequence(3, 2), Pass::inference());
    let needs_training = "pass is one of inference, but must be one of training, such as Pass::training(Key::new(0)), for only \
                          that keeps what a backward pass needs";
    assert_eq!(message(gradcheck::recurrent(&Lstm::new(3), form, 2, inference)), needs_training);
    assert_eq!(message(gradcheck::recurrent_along(&Gru::new(3), form, 2, inference, 1)), needs_training);
    assert_eq!(message(gradcheck::layer(&Bidirectional::new(Lstm::new(3)), form, 2, inference)), needs_training);
    assert_eq!(message(gradcheck::cell(Lstm::new(3).cell(), 2, 2, inference)), needs_training);
    let no_features = "input features is 0, but must be at least 1 and at most 2³¹";
    assert_eq!(message(gradcheck::recurrent(&Lstm::new(3), Form::sequence(3, 0), 2, training)), no_features);
    assert_eq!(message(gradcheck::layer(&LayerNormalization::new(), Form::vector(0), 2, training)), no_features);
    let no_samples = "batch is 0, but must be at least 1 and at most 2³¹";
    let stacked = Stacked::new(Lstm::new(2).into_cell(), Gru::new(3).into_cell());
    assert_eq!(message(gradcheck::cell(&stacked, 2, 0, training)), no_samples);
    let mask = Array2::from_elem((2, 2), true);
    let other_mask = "mask is of the shape (2, 2), but must be a value for each step of each sample, (T, B)";
    let masked = Pass::training(Key::new(1)).masked(Some(mask.view()));
    assert_eq!(message(gradcheck::recurrent(&Lstm::new(3), form, 2, masked)), other_mask);
}

#[test]
fn losses() {
    let logits = array![[0.3, -1.2, 0.8], [2.0, 0.1, -0.7]];
    let probabilities = array![[0.2, 0.5, 0.3], [0.7, 0.2, 0.6]];
    let targets = array![[0.0, 1.0, 0.0], [0.3, 0.5, 0.2]];
    let classes = array![[2.0], [0.0]];
    let smooth_binary = BinaryCrossentropy::new().label_smoothing(0.3);
    let smooth = CategoricalCrossentropy::new().label_smoothing(0.3);
    type Case<'a> = (&'a str, &'a dyn Loss<f64>, &'a Array2<f64>, &'a Array2<f64>, bool);
    let counts = array![[2.0, 0.0, 1.0], [0.0, 3.0, 1.0]];
    let cases: [Case<'_>; 19] = [
        ("mse", &MeanSquaredError, &logits, &targets, false),
        ("bce", &BinaryCrossentropy::new(), &probabilities, &targets, false),
        ("bce absorbed", &BinaryCrossentropy::new(), &logits, &targets, true),
        ("bce logits", &BinaryCrossentropy::new().from_logits(true), &logits, &targets, false),
        ("cce", &CategoricalCrossentropy::new(), &probabilities, &targets, false),
        ("cce absorbed", &CategoricalCrossentropy::new(), &logits, &targets, true),
        ("cce logits", &CategoricalCrossentropy::new().from_logits(true), &logits, &targets, false),
        ("sparse", &SparseCategoricalCrossentropy::new(), &probabilities, &classes, false),
        ("sparse absorbed", &SparseCategoricalCrossentropy::new(), &logits, &classes, true),
        ("sparse logits", &SparseCategoricalCrossentropy::new().from_logits(true), &logits, &classes, false),
        ("bce smoothed", &smooth_binary, &probabilities, &targets, false),
        ("bce smoothed absorbed", &smooth_binary, &logits, &targets, true),
        ("cce smoothed", &smooth, &probabilities, &targets, false),
        ("cce smoothed absorbed", &smooth, &logits, &targets, true),
        ("mae", &MeanAbsoluteError, &logits, &targets, false),
        ("huber", &Huber::new(), &logits, &targets, false),
        ("huber linear", &Huber::new().delta(0.1), &logits, &targets, false),
        ("poisson", &Poisson, &probabilities, &counts, false),
        ("poisson fractions", &Poisson, &probabilities, &targets, false),
    ];
    for (name, loss, predictions, targets, absorbed) in cases {
        expect(gradcheck::loss(loss, predictions, targets, absorbed).unwrap(), name);
    }
    print_count("losses");
}

/// The loss of a whole model with its penalties, against differences of what it reports as its loss.
fn regularized_loss(layer: impl Layer<f64>) {
    let what = format!("{layer:?}");
    let (l1, l2) = (Regularizer::l1(0.07), Regularizer::l2(0.05));
    let head = Dense::new(2).kernel_regularizer(l2).bias_regularizer(l1).bias_initializer(Initializer::uniform());
    let stack = Sequential::<f64>::default().add(Embedding::new(5, 3).embeddings_regularizer(l1)).add(layer).add(head);
    let mut model = stack.build(Form::tokens(3), 5).unwrap();
    model.compile(Sgd::new(0.1), MeanSquaredError);
    // Token 3 does not come: its row has the gradient of the penalty alone.
    let (tokens, targets) = (array![[0, 1, 4], [2, 1, 1]], array![[0.5, -1.0], [0.2, 0.9]]);
    let gradients = model.gradients(&tokens, &targets).unwrap();
    let mut compared = 0;
    for (name, gradient) in gradients.weights {
        let weight = model.weight(&name).unwrap();
        for (index, &g) in gradient.indexed_iter() {
            let mut at = |by: f64| {
                let mut moved = weight.clone();
                moved[&index] += by;
                model.set_weight(&name, &moved).unwrap();
                model.gradients(&tokens, &targets).unwrap().loss
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((g - difference).abs() < gradcheck::TOLERANCE, "{what}: {name} {index:?}: {g}, not {difference}");
            assert!(g != 0.0, "{what}: no gradient of {name} {index:?}");
            compared += 1;
        }
        model.set_weight(&name, &weight).unwrap();
    }
    assert_eq!(compared, model.parameters());
    CONFIGURATIONS.set(CONFIGURATIONS.get() + 1);
}

#[test]
fn regularized_losses() {
    let (l1, l2, both) = (Regularizer::l1(0.04), Regularizer::l2(0.06), Regularizer::l1_l2(0.02, 0.03));
    macro_rules! each {
        ($($layer:expr),+) => {$(
            for [kernel, recurrent, bias] in [[l1, l2, both], [both, l1, l2], [l2, both, l1]] {
                for dropout in [0.0, 0.2] {
                    let layer = $layer.bias_initializer(Initializer::uniform()).dropout(dropout);
                    let layer = layer.kernel_regularizer(kernel).recurrent_regularizer(recurrent);
                    regularized_loss(layer.bias_regularizer(bias));
                }
            }
        )+};
    }
    each!(SimpleRnn::new(2), Lstm::new(2), Gru::new(2), Gru::new(2).reset_after(false));
    print_count("regularized losses");
}

/// The check itself finds a gradient that is wrong.
#[test]
fn a_wrong_gradient_is_found() {
    #[derive(Debug)]
    struct Wrong;
    impl Loss<f64> for Wrong {
        fn row(&self, prediction: &[f64], _: &[f64], _: bool, gradient: Option<&mut [f64]>) -> f64 {
            let p = prediction[0];
            if let Some(gradient) = gradient {
                gradient[0] = 2.0 * p + if p == 0.5 { 1e-5 } else { 0.0 };
            }
            p * p
        }
    }
    let report = gradcheck::loss(&Wrong, &array![[0.3], [0.5]], &array![[0.0], [0.0]], false).unwrap();
    let message = gradcheck::loss(&Wrong, &array![[0.3], [0.5]], &array![[0.0]], false).unwrap_err().to_string();
    assert!(message.starts_with("the targets have shape [1, 1], but samples, model and loss need [2, 1]"), "{message}");
    assert!(report.error() > gradcheck::TOLERANCE);
    assert_eq!(report.worst.as_ref().unwrap().index, [1, 0]);
    let text = report.to_string();
    assert!(text.starts_with("2 components compared; the worst is predictions[1, 0]: gradient 1.00001"), "{text}");
    let dense = Dense::new(2);
    assert!(Layer::<f64>::output_form(&dense, Form::tokens(3)).is_err());
}
