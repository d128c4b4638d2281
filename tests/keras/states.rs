//! Recurrent layers from given states, held against Keras' `initial_state` and `return_state`.

use bptt::initializers::Init;
use bptt::layer::{Layer, Params, Pass, Path};
use bptt::layers::Bidirectional;
use bptt::layers::weights::{BidirectionalCache, BidirectionalWeights};
use bptt::numeric::Scalar;
use bptt::random::Key;
use bptt::recurrent::{Cell, Rnn, RnnCache};
use bptt::tensor::{Form, State, Tensor};
use ndarray::{Array2, Array3, ArrayD, Axis};
use serde_json::Value;

use crate::goldens::{expect_close, golden, tensor};
use crate::layers::{gru, lstm, merge, simple_rnn};

/// A tensor of the file, time first if it has steps.
fn read<F: Scalar>(value: &Value) -> Tensor<F> {
    let values = tensor(value).mapv(F::of);
    match values.ndim() {
        2 => Tensor::Vector(values.into_dimensionality().unwrap()),
        _ => {
            let sequence: Array3<F> = values.into_dimensionality().unwrap();
            Tensor::Sequence(sequence.permuted_axes([1, 0, 2]).as_standard_layout().into_owned())
        }
    }
}

/// The same back: batch first.
fn write<F: Scalar>(tensor: Tensor<F>) -> ArrayD<F> {
    match tensor {
        Tensor::Vector(rows) => rows.into_dyn(),
        Tensor::Sequence(sequence) => sequence.permuted_axes([1, 0, 2]).into_dyn(),
        _ => panic!("a layer put out tokens"),
    }
}

/// States of the file, as many as each direction has.
fn states<F: Scalar>(value: &Value, each: usize) -> Vec<State<F>> {
    let parts: Vec<Array2<F>> =
        value.as_array().unwrap().iter().map(|part| tensor(part).mapv(F::of).into_dimensionality().unwrap()).collect();
    parts.chunks(each).map(|parts| State { parts: parts.to_vec() }).collect()
}

fn load<F: Scalar>(weights: &mut dyn Params<F>, case: &Value) {
    weights.visit_mut(Path::root("").child("layer"), &mut |path, mut weight| {
        weight.assign(&find(&case["weights"], &path.to_string()).mapv(F::of));
    });
}

/// The weight under Keras' layer name and this path below it.
fn find(weights: &Value, path: &str) -> ArrayD<f64> {
    let below = |name: &str| name.split_once('/').unwrap().1.to_string();
    let mut all = weights.as_object().unwrap().iter();
    tensor(all.find(|(name, _)| below(name) == below(path)).unwrap_or_else(|| panic!("no weight {path}")).1)
}

/// What a case is compared by.
struct Outcome<'a, F> {
    outputs: Vec<Tensor<F>>,
    last: Vec<State<F>>,
    dx: Tensor<F>,
    dinitial: Vec<State<F>>,
    gradients: &'a dyn Params<F>,
}

fn compare<F: Scalar>(outcome: Outcome<'_, F>, case: &Value, tolerance: f64) {
    let name = case["name"].as_str().unwrap();
    let list = |key: &str| case[key].as_array().unwrap();
    assert_eq!(outcome.outputs.len(), list("outputs").len(), "{name}");
    for (output, golden) in outcome.outputs.into_iter().zip(list("outputs")) {
        expect_close(&write(output), &tensor(golden), tolerance, &format!("{name}: output"));
    }
    for (key, states) in [("last", outcome.last), ("dinitial", outcome.dinitial)] {
        let parts: Vec<_> = states.into_iter().flat_map(|state| state.parts).collect();
        assert_eq!(parts.len(), list(key).len(), "{name}");
        for (part, golden) in parts.into_iter().zip(list(key)) {
            expect_close(&part.into_dyn(), &tensor(golden), tolerance, &format!("{name}: {key}"));
        }
    }
    expect_close(&write(outcome.dx), &tensor(&case["dx"]), tolerance, &format!("{name}: dx"));
    let mut count = 0;
    outcome.gradients.visit(Path::root("").child("layer"), &mut |path, gradient| {
        let golden = find(&case["dweights"], &path.to_string());
        expect_close(&gradient.to_owned(), &golden, tolerance, &format!("{name}: gradient of {path}"));
        count += 1;
    });
    assert_eq!(count, case["dweights"].as_object().unwrap().len(), "{name}");
}

/// The mask of a case, time first.
fn mask_of(case: &Value) -> Option<Array2<bool>> {
    let rows = case["mask"].as_array()?;
    let steps = rows[0].as_array().unwrap().len();
    Some(Array2::from_shape_fn((steps, rows.len()), |(t, b)| rows[b][t].as_bool().unwrap()))
}

fn zero_of<F: Scalar, P: Params<F> + Clone>(weights: &P) -> P {
    let mut zero = weights.clone();
    zero.visit_mut(Path::root(""), &mut |_, mut tensor| tensor.fill(F::zero()));
    zero
}

fn one_direction<F: Scalar, C: Cell<F>>(layer: Rnn<C>, case: &Value, tolerance: f64) {
    let (x, mask) = (read::<F>(&case["x"]), mask_of(case));
    let pass = Pass::training(Key::new(0)).masked(mask.as_ref().map(|mask| mask.view()));
    let form = Form::sequence(None, x.sequence().len_of(Axis(2)));
    let mut weights = layer.build(form, &mut Init::new(Key::new(0))).unwrap();
    load(&mut weights, case);
    let each = layer.states::<F>().as_slice().len();
    let (initial, dlast) = (states::<F>(&case["initial"], each), states::<F>(&case["dlast"], each));
    let (mut last, mut dinitial) = (initial.clone(), initial.clone());
    let (mut y, mut dx, mut cache) = (Tensor::default(), Tensor::default(), RnnCache::default());
    let mut gradients = zero_of(&weights);
    layer.forward_from(&weights, &x, Some(&initial[0]), &mut y, Some(&mut last[0]), &mut cache, pass);
    let (dy, dx_to, to) = (read(&case["doutputs"][0]), Some(&mut dx), Some(&mut dinitial[0]));
    layer.backward_from(&weights, &x, &dy, Some(&dlast[0]), dx_to, to, &mut cache, &mut gradients, pass);
    compare(Outcome { outputs: vec![y], last, dx, dinitial, gradients: &gradients }, case, tolerance);
}

fn both_directions<F: Scalar, A: Cell<F>>(layer: Rnn<A>, case: &Value, tolerance: f64) {
    let layer: Bidirectional<A> = Bidirectional::new(layer).merge_mode(merge(&case["layer"]));
    let (x, mask) = (read::<F>(&case["x"]), mask_of(case));
    let pass = Pass::training(Key::new(0)).masked(mask.as_ref().map(|mask| mask.view()));
    let form = Form::sequence(None, x.sequence().len_of(Axis(2)));
    let mut weights: BidirectionalWeights<_, _> = Layer::<F>::build(&layer, form, &mut Init::new(Key::new(0))).unwrap();
    load(&mut weights, case);
    let each = case["initial"].as_array().unwrap().len() / 2;
    let (initial, dlast) = (states::<F>(&case["initial"], each), states::<F>(&case["dlast"], each));
    let (mut last, mut dinitial) = (initial.clone(), initial.clone());
    let mut cache: BidirectionalCache<F, A, A> = BidirectionalCache::default();
    let (mut dx, mut gradients) = (Tensor::default(), zero_of(&weights));
    let from = [Some(&initial[0]), Some(&initial[1])];
    let dlast = [Some(&dlast[0]), Some(&dlast[1])];
    let doutputs: Vec<Tensor<F>> = case["doutputs"].as_array().unwrap().iter().map(read).collect();
    let mut outputs = vec![Tensor::default(); doutputs.len()];
    let (to, dto) = (pair(&mut last), pair(&mut dinitial));
    match (&mut outputs[..], &doutputs[..]) {
        ([y], [dy]) => {
            layer.forward_from(&weights, &x, from, y, to, &mut cache, pass);
            layer.backward_from(&weights, &x, dy, dlast, Some(&mut dx), dto, &mut cache, &mut gradients, pass);
        }
        ([y, z], [dy, dz]) => {
            layer.forward_apart(&weights, &x, from, [y, z], to, &mut cache, pass);
            layer.backward_apart(&weights, &x, [dy, dz], dlast, Some(&mut dx), dto, &mut cache, &mut gradients, pass);
        }
        _ => panic!("one output or two"),
    }
    compare(Outcome { outputs, last, dx, dinitial, gradients: &gradients }, case, tolerance);
}

/// The states of both directions, to be written.
fn pair<F>(states: &mut [State<F>]) -> [Option<&mut State<F>>; 2] {
    let mut states = states.iter_mut();
    [states.next(), states.next()]
}

fn run<F: Scalar>(case: &Value, tolerance: f64) {
    let (options, inner) = (&case["layer"], &case["layer"]["layer"]);
    match (options["class"].as_str().unwrap(), inner["class"].as_str()) {
        ("SimpleRNN", None) => one_direction::<F, _>(simple_rnn(options), case, tolerance),
        ("LSTM", None) => one_direction::<F, _>(lstm(options), case, tolerance),
        ("GRU", None) => one_direction::<F, _>(gru(options), case, tolerance),
        ("Bidirectional", Some("SimpleRNN")) => both_directions::<F, _>(simple_rnn(inner), case, tolerance),
        ("Bidirectional", Some("LSTM")) => both_directions::<F, _>(lstm(inner), case, tolerance),
        ("Bidirectional", Some("GRU")) => both_directions::<F, _>(gru(inner), case, tolerance),
        classes => panic!("no layer for {classes:?}"),
    }
}

#[test]
fn states_are_taken_and_given_as_in_keras() {
    let golden = golden("keras/goldens/states");
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 42);
    for case in cases {
        run::<f64>(case, 1e-9);
        run::<f32>(case, 1e-5);
    }
}
