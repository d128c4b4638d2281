//! The laws of `bptt::conformance`, held by the built-in cells and by those of the examples; and what is not for every
//! cell: other widths, inputs as rows of a table, states that do not fit.

use bptt::initializers::Init;
use bptt::layer::{Backward, Describe, Forward, Layer, Params, Pass, Path};
use bptt::numeric::Lane;
use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::{Gated, GatedWeights, Gates, Rnn, RnnCache, Stacked};
use bptt::tensor::{Lookup, State, Tensor};
use bptt::testing::{conformance, gradcheck};
use coupled_lstm::CoupledLstm;
use layer_norm_lstm::LayerNormLstm;
use min_gru::MinGru;
use minimal_unit::MinimalUnit;
use ndarray::{Array2, Array3, ArrayD, Axis, s};
use peephole_lstm::PeepholeLstm;
use serde::{Deserialize, Serialize};
use zoneout::Zoneout;

#[path = "../../examples/cells/coupled_lstm.rs"]
mod coupled_lstm;
#[path = "../../examples/cells/layer_norm_lstm.rs"]
mod layer_norm_lstm;
#[path = "../../examples/cells/min_gru.rs"]
mod min_gru;
#[path = "../../examples/cells/minimal_unit.rs"]
mod minimal_unit;
#[path = "../../examples/cells/normalization.rs"]
mod normalization;
#[path = "../../examples/cells/peephole_lstm.rs"]
mod peephole_lstm;
#[path = "../../examples/cells/zoneout.rs"]
mod zoneout;

fn zoned_out(units: usize, rate: f64) -> Rnn<Zoneout<Gated<bptt::recurrent::LstmGates>>> {
    Rnn::from_cell(Zoneout { cell: Lstm::new(units).cell().clone(), rate })
}

bptt::conformance!(simple_rnn, SimpleRnn::new(5));
bptt::conformance!(lstm, Lstm::new(5));
bptt::conformance!(gru, Gru::new(5));
bptt::conformance!(gru_with_reset_before, Gru::new(5).reset_after(false));
bptt::conformance!(a_coupled_lstm, Rnn::from_cell(Gated::new(CoupledLstm, 5)));
bptt::conformance!(a_minimal_unit, Rnn::from_cell(MinimalUnit { units: 5 }));
bptt::conformance!(a_layer_norm_lstm, Rnn::from_cell(LayerNormLstm { units: 5 }));
bptt::conformance!(a_peephole_lstm, Rnn::from_cell(PeepholeLstm { units: 5 }));
bptt::conformance!(a_min_gru, Rnn::from_cell(MinGru { units: 5 }));
bptt::conformance!(
    a_stack,
    Rnn::from_cell(Stacked::new(Gru::new(6).reset_after(false).into_cell(), Lstm::new(5).into_cell()))
);
bptt::conformance!(zoneout_at_rest, zoned_out(5, 0.0));

/// With its masks zoneout differs in training from inference, and from step to step; all other laws hold.
#[test]
fn zoneout_keeps_the_laws_that_do_not_go_by_the_step() {
    let broken: Vec<_> = conformance::violations(&zoned_out(5, 0.3)).into_iter().map(|broken| broken.law).collect();
    assert_eq!(broken, ["inference_is_training", "two_parts_are_one_sequence", "padding_changes_nothing"]);
}

/// What a cell drops by itself is drawn for each direction, and again the same on the way back.
#[test]
fn two_directions_of_zoneout_have_the_gradients_of_their_own_masks() {
    let layer = Bidirectional::new(zoned_out(3, 0.4).return_sequences(true));
    let report = gradcheck::layer(&layer, Form::sequence(5, FEATURES), 2, Pass::training(Key::new(3))).unwrap();
    assert!(report.error() < gradcheck::TOLERANCE, "{report}");
}

/// Runs a check on a layer of each cell.
macro_rules! each_layer {
    ($units:expr, |$layer:ident| $check:expr) => {{
        let ($layer, units) = (SimpleRnn::new($units), $units);
        $check;
        let $layer = Lstm::new(units);
        $check;
        let $layer = Gru::new(units);
        $check;
        let $layer = Gru::new(units).reset_after(false);
        $check;
        let $layer = Rnn::from_cell(Gated::new(CoupledLstm, units));
        $check;
        let $layer = Rnn::from_cell(Stacked::new(Gru::new(units + 1).into_cell(), Lstm::new(units).into_cell()));
        $check;
    }};
}

#[test]
fn runs_and_streams_hold_for_every_width() {
    // Widths that fill no vector, one of each kind, and several; with 2 all blocks of a GRU fill one vector.
    for units in [1, 2, 3, 8, 16, 33] {
        each_layer!(units, |layer| {
            conformance::run_is_the_loop_over_steps(&layer).unwrap();
            conformance::streaming_is_the_whole_run(&layer).unwrap();
        });
    }
}

const FEATURES: usize = 4;

/// Outputs, gradients of weights by name, and the gradient of the input.
fn pass<L: Layer<f64>>(layer: &L, x: &Tensor<f64>, pass: Pass<'_>) -> (Vec<(String, ArrayD<f64>)>, Tensor<f64>) {
    let weights = layer.build(Form::sequence(None, FEATURES), &mut Init::new(Key::new(1))).unwrap();
    let (mut y, mut cache) = (Tensor::default(), L::Cache::default());
    // What an earlier pass has left there must not show.
    let mut dx = Tensor::Sequence(Array3::from_elem((1, ROWS, FEATURES), f64::NAN));
    layer.forward(&weights, Forward::new(x, &mut y, &mut cache, pass));
    let mut outcome = vec![("y".to_string(), y.rows().to_owned().into_dyn())];
    if pass.training {
        let mut gradients = weights.clone();
        gradients.visit_mut(Path::root(""), &mut |_, mut tensor| tensor.fill(0.0));
        let dy = Tensor::Vector(Array2::from_shape_fn(y.rows().dim(), |(b, h)| ((3 * b + h) as f64).cos()));
        let backward = Backward::new((x, &y), &dy, &mut cache, &mut gradients, pass);
        layer.backward(&weights, backward.dx(&mut dx));
        gradients.visit(Path::root("dw"), &mut |path, g| outcome.push((path.to_string(), g.to_owned())));
    }
    (outcome, dx)
}

/// The rows of a table of inputs.
const ROWS: usize = 5;

/// Inputs as rows of a table give what the sequence of these rows gives, and the table gets the gradients of its rows.
fn lookup_is_the_sequence<L: Layer<f64> + std::fmt::Debug>(layer: &L) {
    let close = |a: &ArrayD<f64>, b: &ArrayD<f64>, what: &str| {
        assert_eq!(a.shape(), b.shape(), "{layer:?} {what}");
        assert!(
            a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs().max(1.0)),
            "{layer:?} {what}: {a} and {b}"
        );
    };
    let table = Array3::from_shape_fn((1, ROWS, FEATURES), |(_, v, d)| ((7 * v + 3 * d) as f64 * 0.6).sin());
    // The last has more rows than are multiplied in one go.
    for (steps, batch) in [(0, 2), (1, 1), (2, 3), (7, 3), (3, 37), (7, 300)] {
        // Rows that come often, once and never; of two steps a sample sees none twice.
        let tokens = Array2::from_shape_fn((steps, batch), |(t, b)| (1 + (t * t + b) % (ROWS - 1)) as u32);
        let sequence =
            Array3::from_shape_fn((steps, batch, FEATURES), |(t, b, d)| table[[0, tokens[[t, b]] as usize, d]]);
        for training in [false, true] {
            let kind = if training { Pass::training(Key::new(5)) } else { Pass::inference() };
            assert!(layer.takes_lookups(kind), "{layer:?}");
            let lookup = Tensor::Lookup(Lookup { tokens: tokens.clone(), table: table.clone() });
            let (looked_up, dtable) = pass(layer, &lookup, kind);
            let (whole, dx) = pass(layer, &Tensor::Sequence(sequence.clone()), kind);
            for ((name, a), (_, b)) in looked_up.iter().zip(&whole) {
                close(a, b, name);
            }
            if training {
                let mut sums = Array3::<f64>::zeros((1, ROWS, FEATURES));
                for ((t, b), &token) in tokens.indexed_iter() {
                    let mut row = sums.slice_mut(s![0, token as usize, ..]);
                    row += &dx.sequence().slice(s![t, b, ..]);
                }
                close(&dtable.sequence().clone().into_dyn(), &sums.into_dyn(), "dtable");
            }
        }
    }
}

#[test]
fn rows_of_a_table_are_the_sequence_that_they_stand_for() {
    // The loop over steps knows no tables.
    if bptt::instructions() == "reference" {
        return assert!(!Layer::<f64>::takes_lookups(&Lstm::new(3), Pass::inference()));
    }
    for units in [3, 8] {
        lookup_is_the_sequence(&SimpleRnn::new(units));
        lookup_is_the_sequence(&Lstm::new(units));
        lookup_is_the_sequence(&Gru::new(units));
        lookup_is_the_sequence(&Gru::new(units).reset_after(false));
        lookup_is_the_sequence(&Rnn::from_cell(Gated::new(CoupledLstm, units)));
        let stacked = Rnn::from_cell(Stacked::new(Lstm::new(units).into_cell(), MinimalUnit { units: 3 }));
        lookup_is_the_sequence(&stacked);
        lookup_is_the_sequence(&Lstm::new(units).go_backwards(true));
        lookup_is_the_sequence(&Lstm::new(units).recurrent_dropout(0.3));
        // Rows that each sample sees through a mask of its own.
        lookup_is_the_sequence(&SimpleRnn::new(units).dropout(0.3));
        lookup_is_the_sequence(&Lstm::new(units).dropout(0.3).go_backwards(true));
        lookup_is_the_sequence(&Gru::new(units).dropout(0.3));
        lookup_is_the_sequence(&Gru::new(units).reset_after(false).dropout(0.3).go_backwards(true));
        lookup_is_the_sequence(&stacked.dropout(0.3));
        lookup_is_the_sequence(&Bidirectional::new(Gru::new(units)));
        lookup_is_the_sequence(&Bidirectional::new(Lstm::new(units).dropout(0.3)));
    }
    // Who cannot make use of a table is not offered one.
    let unit = || MinimalUnit { units: 3 };
    assert!(!Layer::<f64>::takes_lookups(&Rnn::from_cell(unit()), Pass::inference()));
    let stack = Rnn::from_cell(Stacked::new(unit(), Lstm::new(3).into_cell()));
    assert!(!Layer::<f64>::takes_lookups(&stack, Pass::inference()));
    let (lstm, unit) = (Lstm::new(3), Rnn::from_cell(unit()));
    assert!(!Layer::<f64>::takes_lookups(
        &Bidirectional::new(lstm.clone()).backward_layer(unit.clone()),
        Pass::inference()
    ));
    assert!(!Layer::<f64>::takes_lookups(&Bidirectional::new(unit).backward_layer(lstm), Pass::inference()));
    let dropping = Lstm::new(3).dropout(0.1);
    for dropping in [dropping.clone().dropout_per_step(true), dropping.recurrent_dropout(0.1)] {
        assert!(!Layer::<f64>::takes_lookups(&dropping, Pass::training(Key::new(1))));
        assert!(Layer::<f64>::takes_lookups(&dropping, Pass::inference()));
    }
}

#[test]
fn recurrent_dropout_drops_in_every_cell() {
    let x = Tensor::Sequence(Array3::from_shape_fn((3, 2, FEATURES), |(t, b, d)| ((t + 3 * b + 5 * d) as f64).sin()));
    let training = Pass::training(Key::new(5));
    each_layer!(5, |layer| {
        let dropping = layer.clone().recurrent_dropout(0.5);
        assert_ne!(pass(&dropping, &x, training).0[0], pass(&layer, &x, training).0[0], "{layer:?}");
    });
    // One that leaves the number of masks to the library.
    let layer = Rnn::from_cell(PeepholeLstm { units: 5 });
    assert_ne!(pass(&layer.clone().recurrent_dropout(0.5), &x, training).0[0], pass(&layer, &x, training).0[0]);
}

fn masks_are_drawn_once_or_for_each_step<C>(layer: Rnn<C>)
where
    C: bptt::recurrent::Cell<f64, Weights = GatedWeights<f64>> + Clone,
{
    let x = Tensor::Sequence(Array3::from_elem((6, 2, FEATURES), 1.0));
    for per_step in [false, true] {
        for recurrent_dropout in [0.0, 0.5] {
            let layer = layer.clone().return_sequences(true).dropout(0.5).dropout_per_step(per_step);
            let layer = layer.recurrent_dropout(recurrent_dropout);
            let mut weights = layer.build(Form::sequence(None, FEATURES), &mut Init::new(Key::new(1))).unwrap();
            // Without a state an output tells which inputs were dropped.
            weights.recurrent_kernel.fill(0.0);
            let mut y = Tensor::default();
            let mut cache = RnnCache::default();
            layer.forward(&weights, Forward::new(&x, &mut y, &mut cache, Pass::training(Key::new(5))));
            let steps: Vec<_> = y.sequence().outer_iter().collect();
            let as_asked = steps.windows(2).all(|pair| (pair[0] != pair[1]) == per_step);
            assert!(as_asked, "per step {per_step}, recurrent dropout {recurrent_dropout}: {steps:?}");
        }
    }
}

#[test]
fn masks_of_the_input_are_drawn_once_or_for_each_step() {
    // Rules of one block and of two whose outputs do not depend on the state by themselves.
    masks_are_drawn_once_or_for_each_step(SimpleRnn::new(3));
    masks_are_drawn_once_or_for_each_step(Rnn::from_cell(Gated::new(Biased, 3)));
}

#[test]
fn cells_of_a_stack_draw_masks_of_their_own() {
    let zoned_out = || Zoneout { cell: SimpleRnn::new(16).into_cell(), rate: 0.5 };
    let layer = Rnn::from_cell(Stacked::new(zoned_out(), zoned_out()));
    let weights = layer.build(Form::sequence(None, FEATURES), &mut Init::new(Key::new(1))).unwrap();
    let x = Tensor::Sequence(Array3::from_elem((1, 1, FEATURES), 1.0));
    let (mut y, mut last) = (Tensor::default(), State::zeros(1, bptt::recurrent::Cell::<f64>::states(layer.cell())));
    let pass = Pass::training(Key::new(5));
    layer.forward(&weights, Forward::new(&x, &mut y, &mut RnnCache::default(), pass).state(&mut last));
    // From a state of zero, what stays is zero.
    let stayed = |part: usize| last.parts[part].mapv(|value: f64| value == 0.0);
    assert!(stayed(0).iter().any(|&stayed| stayed) && stayed(1).iter().any(|&stayed| stayed));
    assert_ne!(stayed(0), stayed(1));
}

/// A rule whose blocks start with biases of their own.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Biased;

impl Describe for Biased {
    fn kind() -> &'static str {
        "conformance::Biased"
    }
}

impl Gates for Biased {
    type Blocks<L: Lane> = [L; 2];
    type States<L: Lane> = [L; 1];

    #[inline(always)]
    fn forward<L: Lane>(&self, [a, b]: [L; 2], _: [L; 1]) -> ([L; 2], [L; 1]) {
        ([a, b], [a * b])
    }

    #[inline(always)]
    fn backward<L: Lane>(&self, [a, b]: [L; 2], _: [L; 1], _: [L; 1], [d]: [L; 1]) -> ([L; 2], [L; 1]) {
        ([d * b, d * a], [d.splat(0.0)])
    }

    fn initial_bias(&self, block: usize) -> Option<f64> {
        Some([0.5, 2.0][block])
    }
}

fn initial_bias<C: bptt::recurrent::Cell<f64, Weights = GatedWeights<f64>>>(layer: Rnn<C>) -> Vec<f64> {
    let weights = layer.build(Form::sequence(None, FEATURES), &mut Init::new(Key::new(1))).unwrap();
    weights.bias.unwrap().into_iter().collect()
}

#[test]
fn biases_start_as_the_rule_says() {
    assert_eq!(initial_bias(Rnn::from_cell(Gated::new(Biased, 2))), [0.5, 0.5, 2.0, 2.0]);
    assert_eq!(initial_bias(Lstm::new(2)), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(initial_bias(Lstm::new(3))[2..7], [0.0, 1.0, 1.0, 1.0, 0.0]);
    assert_eq!(initial_bias(Lstm::new(2).unit_forget_bias(false)), [0.0; 8]);
    // A second row for the block apart.
    assert_eq!(initial_bias(Rnn::from_cell(Gated::new(Gru::new(2).cell().gates().clone(), 2))), [0.0; 2 * 6]);
}

/// A layer, its weights, and a state for two samples without its second part.
fn a_state_that_lacks_a_part() -> (Lstm, GatedWeights<f64>, State<f64>) {
    let layer = Lstm::new(3);
    let weights = layer.build(Form::sequence(None, FEATURES), &mut Init::new(Key::new(1))).unwrap();
    let mut state = State::<f64>::zeros(2, layer.states::<f64>());
    state.parts.pop();
    (layer, weights, state)
}

#[test]
#[should_panic(expected = "matrices of the sizes [(2, 3)], but layer and batch need [(2, 3), (2, 3)]")]
fn a_step_from_a_state_that_lacks_a_part_is_refused() {
    let (layer, weights, mut state) = a_state_that_lacks_a_part();
    let x = Array3::zeros((1, 2, FEATURES));
    layer.step(&weights, x.index_axis(Axis(0), 0), &mut state, &mut RnnCache::default());
}

#[test]
#[should_panic(expected = "matrices of the sizes [(2, 3)], but layer and batch need [(2, 3), (2, 3)]")]
fn a_sequence_from_a_state_that_lacks_a_part_is_refused() {
    let (layer, weights, mut state) = a_state_that_lacks_a_part();
    let x = Tensor::Sequence(Array3::zeros((2, 2, FEATURES)));
    let (mut y, mut cache) = (Tensor::default(), RnnCache::default());
    layer.forward(&weights, Forward::new(&x, &mut y, &mut cache, Pass::inference()).state(&mut state));
}

#[test]
#[should_panic(expected = "a backward pass needs a forward pass of training before it")]
fn the_way_back_of_a_run_without_training_is_refused() {
    let layer = Lstm::new(3);
    let weights = layer.build(Form::sequence(None, FEATURES), &mut Init::new(Key::new(1))).unwrap();
    let x = Tensor::Sequence(Array3::<f64>::zeros((1, 2, FEATURES)));
    let (mut y, mut cache, mut gradients) = (Tensor::default(), RnnCache::default(), weights.clone());
    layer.forward(&weights, Forward::new(&x, &mut y, &mut cache, Pass::inference()));
    let dy = y.clone();
    let training = Pass::training(Key::new(1));
    layer.backward(&weights, Backward::new((&x, &y), &dy, &mut cache, &mut gradients, training));
}
