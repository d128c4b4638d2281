//! Recurrent layers from given states, held against Keras' `initial_state` and `return_state`.

use bptt::initializers::Init;
use bptt::layer::{Backward, Forward, Layer, Params, Pass, Path};
use bptt::layers::Bidirectional;
use bptt::numeric::Scalar;
use bptt::random::Key;
use bptt::recurrent::{Cell, Rnn};
use bptt::tensor::{Form, State, Tensor};
use ndarray::{Array2, Array3, ArrayD, Axis, concatenate};
use serde_json::Value;

use super::layers::{gru, lstm, merge, simple_rnn};
use crate::goldens::{expect_close, golden, tensor};

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

/// A state of the file: in both directions the parts of the layer that runs forwards come first.
fn state<F: Scalar>(value: &Value) -> State<F> {
    let parts = value.as_array().unwrap().iter();
    State { parts: parts.map(|part| tensor(part).mapv(F::of).into_dimensionality().unwrap()).collect() }
}

/// Outputs side by side, as `Merge::Concat` has them.
fn side_by_side<F: Scalar>(outputs: &[Tensor<F>]) -> Tensor<F> {
    let rows: Vec<_> = outputs.iter().map(Tensor::rows).collect();
    let rows = concatenate(Axis(1), &rows).unwrap();
    let mut whole = Tensor::default();
    whole.like(&outputs[0], rows.ncols());
    whole.rows_mut().assign(&rows);
    whole
}

/// The same taken apart again, `count` of equal width.
fn apart<F: Scalar>(whole: &Tensor<F>, count: usize) -> Vec<Tensor<F>> {
    let rows = whole.rows();
    let width = rows.ncols() / count;
    let columns = rows.axis_chunks_iter(Axis(1), width).map(|columns| {
        let mut output = Tensor::default();
        output.like(whole, width);
        output.rows_mut().assign(&columns);
        output
    });
    columns.collect()
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
    last: State<F>,
    dx: Tensor<F>,
    dinitial: State<F>,
    gradients: &'a dyn Params<F>,
}

fn compare<F: Scalar>(outcome: Outcome<'_, F>, case: &Value, tolerance: f64) {
    let name = case["name"].as_str().unwrap();
    let list = |key: &str| case[key].as_array().unwrap();
    assert_eq!(outcome.outputs.len(), list("outputs").len(), "{name}");
    for (output, golden) in outcome.outputs.into_iter().zip(list("outputs")) {
        expect_close(&write(output), &tensor(golden), tolerance, &format!("{name}: output"));
    }
    for (key, state) in [("last", outcome.last), ("dinitial", outcome.dinitial)] {
        assert_eq!(state.parts.len(), list(key).len(), "{name}");
        for (part, golden) in state.parts.into_iter().zip(list(key)) {
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

fn check<F: Scalar, L: Layer<F>>(layer: &L, case: &Value, tolerance: f64) {
    let (x, mask) = (read::<F>(&case["x"]), mask_of(case));
    let pass = Pass::training(Key::new(0)).masked(mask.as_ref().map(|mask| mask.view()));
    let form = Form::sequence(None, x.sequence().len_of(Axis(2)));
    let mut weights = layer.build(form, &mut Init::new(Key::new(0))).unwrap();
    load(&mut weights, case);
    let (mut last, mut dinitial) = (state(&case["initial"]), state(&case["dlast"]));
    let doutputs: Vec<Tensor<F>> = case["doutputs"].as_array().unwrap().iter().map(read).collect();
    let dy = side_by_side(&doutputs);
    let (mut y, mut dx, mut cache) = (Tensor::default(), Tensor::default(), L::Cache::default());
    let mut gradients = zero_of(&weights);
    layer.forward(&weights, Forward::new(&x, &mut y, &mut cache, pass).state(&mut last));
    let backward = Backward::new((&x, &y), &dy, &mut cache, &mut gradients, pass);
    layer.backward(&weights, backward.dx(&mut dx).dstate(&mut dinitial));
    let outputs = apart(&y, doutputs.len());
    compare(Outcome { outputs, last, dx, dinitial, gradients: &gradients }, case, tolerance);
}

/// Keras' `Bidirectional` of this layer.
fn both_directions<C: Cell<f32> + Cell<f64>>(layer: Rnn<C>, options: &Value) -> Bidirectional {
    Bidirectional::new(layer).merge_mode(merge(options))
}

fn run<F: Scalar>(case: &Value, tolerance: f64) {
    let (options, inner) = (&case["layer"], &case["layer"]["layer"]);
    match (options["class"].as_str().unwrap(), inner["class"].as_str()) {
        ("SimpleRNN", None) => check::<F, _>(&simple_rnn(options), case, tolerance),
        ("LSTM", None) => check::<F, _>(&lstm(options), case, tolerance),
        ("GRU", None) => check::<F, _>(&gru(options), case, tolerance),
        ("Bidirectional", Some("SimpleRNN")) => {
            check::<F, _>(&both_directions(simple_rnn(inner), options), case, tolerance)
        }
        ("Bidirectional", Some("LSTM")) => check::<F, _>(&both_directions(lstm(inner), options), case, tolerance),
        ("Bidirectional", Some("GRU")) => check::<F, _>(&both_directions(gru(inner), options), case, tolerance),
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
