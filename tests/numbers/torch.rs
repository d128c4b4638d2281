//! Stacks of recurrent layers against PyTorch, with its weights: see `tests/torch/README.md`.

use bptt::initializers::Init;
use bptt::layer::{Backward, Forward, Layer, Params, Pass, Path};
use bptt::numeric::Scalar;
use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::{Cell, Rnn};
use bptt::tensor::{State, Tensor};
use ndarray::{Array2, Array3, ArrayD, Axis, Ix3, concatenate, s};
use serde_json::Value;

use crate::goldens::{expect_close, golden, tensor};

/// PyTorch's tensors of one layer and direction in Keras' layout, by our names; of weights or of their gradients.
fn translate(tensors: &Value, class: &str, suffix: &str, gradients: bool) -> [(&'static str, ArrayD<f64>); 3] {
    let get = |name: &str| {
        let values = tensor(&tensors[format!("{name}_{suffix}")]);
        if class != "GRU" {
            return values;
        }
        // r, z, n to z, r, h.
        let units = values.shape()[0] / 3;
        let block = |number: usize| values.slice_axis(Axis(0), (number * units..(number + 1) * units).into());
        concatenate![Axis(0), block(1), block(0), block(2)]
    };
    let transposed = |name: &str| get(name).reversed_axes();
    let bias = match class {
        "GRU" => ndarray::stack![Axis(0), get("bias_ih"), get("bias_hh")],
        // Each has the gradient of their sum.
        _ if gradients => get("bias_ih"),
        _ => get("bias_ih") + get("bias_hh"),
    };
    [("kernel", transposed("weight_ih")), ("recurrent_kernel", transposed("weight_hh")), ("bias", bias)]
}

/// PyTorch's name of a layer and of the direction that a weight belongs to.
fn suffix(layer: usize, path: &Path<'_>) -> String {
    let reverse = if path.to_string().contains("backward") { "_reverse" } else { "" };
    format!("l{layer}{reverse}")
}

fn load<F: Scalar>(weights: &mut dyn Params<F>, case: &Value, layer: usize) {
    weights.visit_mut(Path::root(""), &mut |path, mut weight| {
        let values = translate(&case["weights"], case["class"].as_str().unwrap(), &suffix(layer, &path), false);
        let (_, value) = values.iter().find(|(name, _)| *name == path.name()).unwrap();
        weight.assign(&value.mapv(F::of));
    });
}

fn check_gradients<F: Scalar>(gradients: &dyn Params<F>, case: &Value, layer: usize, tolerance: f64) {
    let mut count = 0;
    gradients.visit(Path::root(""), &mut |path, gradient| {
        let suffix = suffix(layer, &path);
        let values = translate(&case["dweights"], case["class"].as_str().unwrap(), &suffix, true);
        let (_, value) = values.iter().find(|(name, _)| *name == path.name()).unwrap();
        expect_close(&gradient.to_owned(), value, tolerance, &format!("{}: {path}_{suffix}", case["name"]));
        count += 1;
    });
    assert_eq!(count, 3 * directions(case));
}

fn directions(case: &Value) -> usize {
    if case["bidirectional"].as_bool().unwrap() { 2 } else { 1 }
}

/// Batch first to time first, or back.
fn swapped<F: Scalar>(values: ArrayD<F>) -> Array3<F> {
    let values: Array3<F> = values.into_dimensionality().unwrap();
    values.permuted_axes([1, 0, 2]).as_standard_layout().into_owned()
}

fn read<F: Scalar>(value: &Value) -> Tensor<F> {
    Tensor::Sequence(swapped(tensor(value).mapv(F::of)))
}

/// The state of each layer, of both directions if there are two: PyTorch has those of all in one array for each kind of state.
fn states<F: Scalar>(value: &Value, directions: usize) -> Vec<State<F>> {
    let kinds: Vec<Array3<f64>> =
        value.as_array().unwrap().iter().map(|kind| tensor(kind).into_dimensionality::<Ix3>().unwrap()).collect();
    let parts: Vec<Vec<Array2<F>>> = (0..kinds[0].dim().0)
        .map(|number| kinds.iter().map(|kind| kind.slice(s![number, .., ..]).mapv(F::of)).collect())
        .collect();
    parts.chunks(directions).map(|parts| State { parts: parts.concat() }).collect()
}

fn check_states<F: Scalar>(got: &[State<F>], case: &Value, key: &str, tolerance: f64) {
    let golden = states::<f64>(&case[key], directions(case));
    let what = format!("{}: {key}", case["name"]);
    assert_eq!(got.len(), golden.len(), "{what}");
    for (got, golden) in got.iter().zip(golden) {
        assert_eq!(got.parts.len(), golden.parts.len(), "{what}");
        for (got, golden) in got.parts.iter().zip(golden.parts) {
            expect_close(&got.clone().into_dyn(), &golden.into_dyn(), tolerance, &what);
        }
    }
}

fn zero_of<F: Scalar, P: Params<F> + Clone>(weights: &P) -> P {
    let mut zero = weights.clone();
    zero.visit_mut(Path::root(""), &mut |_, mut tensor| tensor.fill(F::zero()));
    zero
}

/// What the layers put out and hand back.
struct Outcome<F> {
    y: Tensor<F>,
    dx: Tensor<F>,
    last: Vec<State<F>>,
    dinitial: Vec<State<F>>,
}

fn compare<F: Scalar>(outcome: Outcome<F>, case: &Value, tolerance: f64) {
    let name = case["name"].as_str().unwrap();
    let Outcome { y, dx, last, dinitial } = outcome;
    for (got, key) in [(y, "y"), (dx, "dx")] {
        let got = swapped(got.sequence().clone().into_dyn()).into_dyn();
        expect_close(&got, &tensor(&case[key]), tolerance, &format!("{name}: {key}"));
    }
    check_states(&last, case, "last", tolerance);
    check_states(&dinitial, case, "dinitial", tolerance);
}

fn check<F: Scalar, L: Layer<F>>(layer: &L, case: &Value, tolerance: f64) {
    let pass = Pass::training(Key::new(0));
    let mut last = states::<F>(&case["initial"], directions(case));
    let mut dinitial = states::<F>(&case["dlast"], directions(case));
    let mut caches = [L::Cache::default(), L::Cache::default()];
    let (mut activations, mut weights) = (vec![read::<F>(&case["x"])], Vec::new());
    for number in 0..2 {
        let x = &activations[number];
        let form = Form::sequence(None, x.rows().ncols());
        let mut w = layer.build(form, &mut Init::new(Key::new(0))).unwrap();
        load(&mut w, case, number);
        let mut y = Tensor::default();
        layer.forward(&w, Forward::new(x, &mut y, &mut caches[number], pass).state(&mut last[number]));
        weights.push(w);
        activations.push(y);
    }
    let mut dy = read::<F>(&case["dy"]);
    for number in (0..2).rev() {
        let (w, x, y) = (&weights[number], &activations[number], &activations[number + 1]);
        let (mut dx, mut gradients) = (Tensor::default(), zero_of(w));
        let backward = Backward::new((x, y), &dy, &mut caches[number], &mut gradients, pass);
        layer.backward(w, backward.dx(&mut dx).dstate(&mut dinitial[number]));
        check_gradients(&gradients, case, number, tolerance);
        dy = dx;
    }
    compare(Outcome { y: activations.pop().unwrap(), dx: dy, last, dinitial }, case, tolerance);
}

/// In one direction or in both, as the case has it.
fn check_directions<F: Scalar, C>(layer: Rnn<C>, case: &Value, tolerance: f64)
where
    C: Cell<f32> + Cell<f64> + Cell<F>,
{
    let layer = layer.return_sequences(true);
    match directions(case) {
        1 => check::<F, _>(&layer, case, tolerance),
        _ => check::<F, _>(&Bidirectional::new(layer), case, tolerance),
    }
}

fn run<F: Scalar>(case: &Value, tolerance: f64) {
    const UNITS: usize = 4;
    match case["class"].as_str().unwrap() {
        "LSTM" => check_directions::<F, _>(Lstm::new(UNITS), case, tolerance),
        "GRU" => check_directions::<F, _>(Gru::new(UNITS), case, tolerance),
        "RNN" => check_directions::<F, _>(SimpleRnn::new(UNITS), case, tolerance),
        class => panic!("no layer for {class}"),
    }
}

#[test]
fn stacks_of_two_layers_are_those_of_pytorch() {
    let golden = golden("torch/goldens/rnn");
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        run::<f64>(case, 1e-9);
        run::<f32>(case, 1e-5);
    }
}
