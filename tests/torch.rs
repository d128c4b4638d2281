//! Stacks of recurrent layers against PyTorch, with its weights: see `tests/torch/README.md`.

mod goldens;

use bptt::initializers::Init;
use bptt::layer::{Layer, Params, Pass, Path};
use bptt::layers::weights::BidirectionalCache;
use bptt::numeric::Scalar;
use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::{Cell, Rnn, RnnCache};
use bptt::tensor::{State, Tensor};
use ndarray::{Array2, Array3, ArrayD, Axis, Ix3, concatenate, s};
use serde_json::Value;

use goldens::{expect_close, golden, tensor};

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

fn load<F: Scalar>(weights: &mut dyn Params<F>, case: &Value, suffix: &str) {
    let values = translate(&case["weights"], case["class"].as_str().unwrap(), suffix, false);
    weights.visit_mut(Path::root(""), &mut |path, mut weight| {
        let (_, value) = values.iter().find(|(name, _)| *name == path.name()).unwrap();
        weight.assign(&value.mapv(F::of));
    });
}

fn check_gradients<F: Scalar>(gradients: &dyn Params<F>, case: &Value, suffix: &str, tolerance: f64) {
    let values = translate(&case["dweights"], case["class"].as_str().unwrap(), suffix, true);
    let mut count = 0;
    gradients.visit(Path::root(""), &mut |path, gradient| {
        let (_, value) = values.iter().find(|(name, _)| *name == path.name()).unwrap();
        expect_close(&gradient.to_owned(), value, tolerance, &format!("{}: {path}_{suffix}", case["name"]));
        count += 1;
    });
    assert_eq!(count, 3);
}

/// Batch first to time first, or back.
fn swapped<F: Scalar>(values: ArrayD<F>) -> Array3<F> {
    let values: Array3<F> = values.into_dimensionality().unwrap();
    values.permuted_axes([1, 0, 2]).as_standard_layout().into_owned()
}

fn read<F: Scalar>(value: &Value) -> Tensor<F> {
    Tensor::Sequence(swapped(tensor(value).mapv(F::of)))
}

/// The states of each layer and direction: PyTorch has them in one array for each kind of state.
fn states<F: Scalar>(value: &Value) -> Vec<State<F>> {
    let kinds: Vec<Array3<f64>> =
        value.as_array().unwrap().iter().map(|kind| tensor(kind).into_dimensionality::<Ix3>().unwrap()).collect();
    let part = |kind: &Array3<f64>, number: usize| -> Array2<F> { kind.slice(s![number, .., ..]).mapv(F::of) };
    (0..kinds[0].dim().0).map(|number| State { parts: kinds.iter().map(|kind| part(kind, number)).collect() }).collect()
}

fn check_states<F: Scalar>(got: &[State<F>], golden: &Value, tolerance: f64, what: &str) {
    let golden = states::<f64>(golden);
    assert_eq!(got.len(), golden.len(), "{what}");
    for (got, golden) in got.iter().zip(golden) {
        for (got, golden) in got.parts.iter().zip(golden.parts) {
            expect_close(&got.clone().into_dyn(), &golden.into_dyn(), tolerance, what);
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
    check_states(&last, &case["last"], tolerance, &format!("{name}: last"));
    check_states(&dinitial, &case["dinitial"], tolerance, &format!("{name}: dinitial"));
}

fn one_direction<F: Scalar, C: Cell<F>>(layer: Rnn<C>, case: &Value, tolerance: f64) {
    let (layer, pass) = (layer.return_sequences(true), Pass::training(Key::new(0)));
    let (initial, dlast) = (states::<F>(&case["initial"]), states::<F>(&case["dlast"]));
    let (mut last, mut dinitial) = (initial.clone(), initial.clone());
    let mut caches = [RnnCache::default(), RnnCache::default()];
    let (mut activations, mut weights) = (vec![read::<F>(&case["x"])], Vec::new());
    for number in 0..2 {
        let x = &activations[number];
        let form = Form::sequence(None, x.rows().ncols());
        let mut w = layer.build(form, &mut Init::new(Key::new(0))).unwrap();
        load(&mut w, case, &format!("l{number}"));
        let mut y = Tensor::default();
        let to = Some(&mut last[number]);
        layer.forward_from(&w, x, Some(&initial[number]), &mut y, to, &mut caches[number], pass);
        weights.push(w);
        activations.push(y);
    }
    let mut dy = read::<F>(&case["dy"]);
    for number in (0..2).rev() {
        let (w, x, to) = (&weights[number], &activations[number], Some(&mut dinitial[number]));
        let (mut dx, mut gradients) = (Tensor::default(), zero_of(w));
        let cache = &mut caches[number];
        layer.backward_from(w, x, &dy, Some(&dlast[number]), Some(&mut dx), to, cache, &mut gradients, pass);
        check_gradients(&gradients, case, &format!("l{number}"), tolerance);
        dy = dx;
    }
    compare(Outcome { y: activations.pop().unwrap(), dx: dy, last, dinitial }, case, tolerance);
}

/// The states of both directions of a layer.
fn pair<F>(states: &mut [State<F>], layer: usize) -> [Option<&mut State<F>>; 2] {
    let mut states = states[2 * layer..].iter_mut();
    [states.next(), states.next()]
}

fn both_directions<F: Scalar, C: Cell<F>>(layer: Rnn<C>, case: &Value, tolerance: f64) {
    let layer: Bidirectional<C> = Bidirectional::new(layer.return_sequences(true));
    let pass = Pass::training(Key::new(0));
    let (initial, dlast) = (states::<F>(&case["initial"]), states::<F>(&case["dlast"]));
    let (mut last, mut dinitial) = (initial.clone(), initial.clone());
    let mut caches: [BidirectionalCache<F, C, C>; 2] = Default::default();
    let (mut activations, mut weights) = (vec![read::<F>(&case["x"])], Vec::new());
    for number in 0..2 {
        let x = &activations[number];
        let form = Form::sequence(None, x.rows().ncols());
        let mut w = Layer::<F>::build(&layer, form, &mut Init::new(Key::new(0))).unwrap();
        load(&mut w.forward, case, &format!("l{number}"));
        load(&mut w.backward, case, &format!("l{number}_reverse"));
        let mut y = Tensor::default();
        let from = [Some(&initial[2 * number]), Some(&initial[2 * number + 1])];
        layer.forward_from(&w, x, from, &mut y, pair(&mut last, number), &mut caches[number], pass);
        weights.push(w);
        activations.push(y);
    }
    let mut dy = read::<F>(&case["dy"]);
    for number in (0..2).rev() {
        let (w, x, to) = (&weights[number], &activations[number], pair(&mut dinitial, number));
        let (mut dx, mut gradients) = (Tensor::default(), zero_of(w));
        let from = [Some(&dlast[2 * number]), Some(&dlast[2 * number + 1])];
        layer.backward_from(w, x, &dy, from, Some(&mut dx), to, &mut caches[number], &mut gradients, pass);
        check_gradients(&gradients.forward, case, &format!("l{number}"), tolerance);
        check_gradients(&gradients.backward, case, &format!("l{number}_reverse"), tolerance);
        dy = dx;
    }
    compare(Outcome { y: activations.pop().unwrap(), dx: dy, last, dinitial }, case, tolerance);
}

fn run<F: Scalar>(case: &Value, tolerance: f64) {
    const UNITS: usize = 4;
    match (case["class"].as_str().unwrap(), case["bidirectional"].as_bool().unwrap()) {
        ("LSTM", false) => one_direction::<F, _>(Lstm::new(UNITS), case, tolerance),
        ("LSTM", true) => both_directions::<F, _>(Lstm::new(UNITS), case, tolerance),
        ("GRU", false) => one_direction::<F, _>(Gru::new(UNITS), case, tolerance),
        ("GRU", true) => both_directions::<F, _>(Gru::new(UNITS), case, tolerance),
        ("RNN", false) => one_direction::<F, _>(SimpleRnn::new(UNITS), case, tolerance),
        ("RNN", true) => both_directions::<F, _>(SimpleRnn::new(UNITS), case, tolerance),
        class => panic!("no layer for {class:?}"),
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
