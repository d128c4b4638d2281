//! Holds written-out gradients against central differences, in `f64`.
//!
//! For a scalar L = Σ R ∘ y with random R, every component g of a gradient is compared with
//! n = (L(p + h) − L(p − h)) / 2h at h = 10⁻⁵. The error is |g − n| / max(1, |g|, |n|); a right gradient stays below
//! 10⁻⁶ (rounding gives about 10⁻¹⁰), a wrong one is off by far more. Keep away from kinks: a rectified sum near zero has
//! no derivative.
//!
//! ```
//! use bptt::{Form, Lstm, Pass, Key, gradcheck};
//! let report = gradcheck::recurrent(&Lstm::new(3), Form::sequence(4, 2), 2, Pass::training(Key::new(0)))?;
//! assert!(report.error() < gradcheck::TOLERANCE, "{report}");
//! # Ok::<(), bptt::Error>(())
//! ```

use std::fmt;

use ndarray::{Array2, ArrayD};
use ndarray_rand::rand::Rng;

use crate::error::Result;
use crate::initializer::Init;
use crate::layer::{Layer, Pass};
use crate::loss::Loss;
use crate::params::{PairVisitor, Params, Path, Visitor, VisitorMut, set_zero};
use crate::random::Key;
use crate::recurrent::{Cell, Rnn, State};
use crate::tensor::{Form, Tensor};

/// The error below which a gradient counts as right.
pub const TOLERANCE: f64 = 1e-6;

/// The step h of the differences: their error of order h² and the rounding of order 10⁻¹⁶ / h are both near 10⁻¹⁰.
const STEP: f64 = 1e-5;

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many components were compared.
    pub compared: usize,
    /// The component that is furthest off.
    pub worst: Option<Component>,
    /// Tensors whose gradient is zero throughout, which often means that it was forgotten.
    pub zero: Vec<String>,
}

/// One component of a gradient.
#[derive(Clone, Debug)]
pub struct Component {
    /// The tensor, such as `weights/recurrent_kernel`, `input` or `initial_state/1`.
    pub tensor: String,
    /// Its place in the tensor, counted in memory order.
    pub index: usize,
    /// What the backward pass says.
    pub gradient: f64,
    /// What the differences say.
    pub difference: f64,
    /// |gradient − difference| / max(1, |gradient|, |difference|).
    pub error: f64,
}

impl Report {
    /// The largest error; infinite if it is not a number.
    pub fn error(&self) -> f64 {
        self.worst.as_ref().map_or(0.0, |worst| if worst.error.is_nan() { f64::INFINITY } else { worst.error })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.worst {
            None => write!(f, "nothing to compare"),
            Some(Component { tensor, index, gradient, difference, error }) => write!(
                f,
                "{} components compared; the worst is {tensor}[{index}]: gradient {gradient}, difference {difference}, \
                 error {error:e}",
                self.compared
            ),
        }
    }
}

/// Everything a pass depends on: its gradients are a value of the same type.
#[derive(Clone)]
struct Point<W> {
    weights: W,
    input: Tensor<f64>,
    initial_state: Vec<Array2<f64>>,
}

const INITIAL: [&str; crate::recurrent::MAX_STATES] = ["0", "1", "2", "3"];

impl<W: Params<f64>> Params<f64> for Point<W> {
    fn visit<'a>(&'a self, path: Path<'_>, visitor: Visitor<'_, 'a, f64>) {
        self.weights.visit(path.child("weights"), visitor);
        match &self.input {
            Tensor::Tokens(_) => {}
            Tensor::Lookup(lookup) => visitor(path.child("input"), lookup.table.view().into_dyn()),
            Tensor::Vector(rows) => visitor(path.child("input"), rows.view().into_dyn()),
            Tensor::Sequence(steps) => visitor(path.child("input"), steps.view().into_dyn()),
        }
        for (name, part) in INITIAL.iter().zip(&self.initial_state) {
            visitor(path.child("initial_state").child(name), part.view().into_dyn());
        }
    }

    fn visit_mut<'a>(&'a mut self, path: Path<'_>, visitor: VisitorMut<'_, 'a, f64>) {
        self.weights.visit_mut(path.child("weights"), visitor);
        match &mut self.input {
            Tensor::Tokens(_) => {}
            Tensor::Lookup(lookup) => visitor(path.child("input"), lookup.table.view_mut().into_dyn()),
            Tensor::Vector(rows) => visitor(path.child("input"), rows.view_mut().into_dyn()),
            Tensor::Sequence(steps) => visitor(path.child("input"), steps.view_mut().into_dyn()),
        }
        for (name, part) in INITIAL.iter().zip(&mut self.initial_state) {
            visitor(path.child("initial_state").child(name), part.view_mut().into_dyn());
        }
    }

    fn visit_pair<'a>(&'a mut self, other: &'a Self, path: Path<'_>, visitor: PairVisitor<'_, 'a, f64>) {
        let mut others = Vec::new();
        other.visit(path, &mut |_, tensor| others.push(tensor));
        let mut others = others.into_iter();
        self.visit_mut(path, &mut |path, tensor| {
            if let Some(other) = others.next() {
                visitor(path, tensor, other);
            }
        });
    }
}

/// Random numbers within ±1, the same for the same key.
fn random_like(shape: &[usize], key: Key) -> ArrayD<f64> {
    let mut generator = key.generator();
    ArrayD::from_shape_simple_fn(shape, || generator.random_range(-1.0..1.0))
}

/// Compares each component of `gradients` with the difference of `loss` around `point`.
fn compare<P: Params<f64>>(point: &mut P, gradients: &P, mut loss: impl FnMut(&P) -> f64) -> Report {
    let mut tensors: Vec<(String, Vec<f64>)> = Vec::new();
    gradients.visit(Path::root(""), &mut |path, tensor| {
        tensors.push((path.to_string(), tensor.iter().copied().collect()));
    });
    let mut report = Report::default();
    for (number, (tensor, values)) in tensors.into_iter().enumerate() {
        if values.iter().all(|&value| value == 0.0) {
            report.zero.push(tensor.clone());
        }
        for (index, gradient) in values.into_iter().enumerate() {
            let mut at = |by: f64| {
                nudge(point, number, index, by);
                let value = loss(point);
                nudge(point, number, index, -by);
                value
            };
            let difference = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            let error = (gradient - difference).abs() / gradient.abs().max(difference.abs()).max(1.0);
            report.compared += 1;
            // A NaN must not slip through.
            if report.worst.is_none() || error > report.error() || error.is_nan() {
                report.worst = Some(Component { tensor: tensor.clone(), index, gradient, difference, error });
            }
        }
    }
    report
}

/// Adds to one component.
fn nudge<P: Params<f64>>(point: &mut P, number: usize, index: usize, by: f64) {
    let mut seen = 0;
    point.visit_mut(Path::root(""), &mut |_, mut tensor| {
        if seen == number
            && let Some(value) = tensor.iter_mut().nth(index)
        {
            *value += by;
        }
        seen += 1;
    });
}

/// A random input of this form, and weights of the layer that are random throughout, biases too.
fn random_point<L: Layer<f64>>(layer: &L, form: Form, batch: usize, key: Key) -> Result<Point<L::Weights>> {
    layer.output_form(form)?;
    let mut weights = layer.build(form, &mut Init::new(key.fold(0)))?;
    let mut number = 1;
    weights.visit_mut(Path::root(""), &mut |_, mut tensor| {
        let shape = tensor.shape().to_vec();
        // Within ±½: large weights blow a linear recurrence up until the differences lose their digits.
        tensor.assign(&(random_like(&shape, key.fold(number)) * 0.5));
        number += 1;
    });
    let key = key.fold(1000);
    let mut input = Tensor::default();
    match form {
        Form::Tokens { steps } => {
            let vocabulary = layer.vocabulary().unwrap_or(1) as u32;
            let mut generator = key.generator();
            input.as_tokens(steps.unwrap_or(3), batch).mapv_inplace(|_| generator.random_range(0..vocabulary));
        }
        Form::Vector { features } => {
            input.as_vector(batch, features);
        }
        Form::Sequence { steps, features } => {
            input.as_sequence(steps.unwrap_or(3), batch, features);
        }
    }
    if !matches!(input, Tensor::Tokens(_)) {
        let mut rows = input.rows_mut();
        let random = random_like(rows.shape(), key);
        rows.assign(&random);
    }
    Ok(Point { weights, input, initial_state: Vec::new() })
}

/// Σ R ∘ y.
fn weighted(y: &Tensor<f64>, by: &ArrayD<f64>) -> f64 {
    y.rows().iter().zip(by).map(|(y, r)| y * r).sum()
}

fn like(y: &Tensor<f64>, values: &ArrayD<f64>) -> Tensor<f64> {
    let mut like = y.clone();
    like.rows_mut().iter_mut().zip(values).for_each(|(to, &value)| *to = value);
    like
}

/// Checks a layer's gradients of weights and input, for a batch of random samples of this form. The dropout masks of
/// `pass` are held fixed.
///
/// # Errors
///
/// Those of [`Layer::output_form`] and [`Layer::build`].
pub fn layer<L: Layer<f64>>(layer: &L, form: Form, batch: usize, pass: Pass<'_>) -> Result<Report> {
    let mut point = random_point(layer, form, batch, Key::new(7))?;
    let (mut y, mut cache) = (Tensor::default(), L::Cache::default());
    layer.forward(&point.weights, &point.input, &mut y, &mut cache, pass);
    let by = random_like(y.rows().shape(), Key::new(8));
    let mut gradients = point.clone();
    set_zero(&mut gradients);
    let dx = if matches!(point.input, Tensor::Tokens(_)) { None } else { Some(&mut gradients.input) };
    let (weights, input) = (&point.weights, &point.input);
    layer.backward(weights, input, &y, &like(&y, &by), dx, &mut cache, &mut gradients.weights, pass);
    Ok(compare(&mut point, &gradients, |point| {
        layer.forward(&point.weights, &point.input, &mut y, &mut cache, pass);
        weighted(&y, &by)
    }))
}

/// Checks a recurrent layer's gradients of weights, input and initial state, with a loss on output and final state.
///
/// # Errors
///
/// Those of [`Layer::output_form`] and [`Layer::build`].
pub fn recurrent<C: Cell<f64>>(layer: &Rnn<C>, form: Form, batch: usize, pass: Pass<'_>) -> Result<Report> {
    let mut point = random_point(layer, form, batch, Key::new(7))?;
    let widths = layer.cell().states();
    let random_state = |key: Key| -> Vec<Array2<f64>> {
        let parts = widths.as_slice().iter().enumerate();
        parts
            .map(|(part, &width)| {
                let mut generator = key.fold(part as u64).generator();
                Array2::from_shape_simple_fn((batch, width), || generator.random_range(-1.0..1.0))
            })
            .collect()
    };
    point.initial_state = random_state(Key::new(9));
    let by_state = State { parts: random_state(Key::new(10)) };
    let (mut y, mut cache) = (Tensor::default(), <Rnn<C> as Layer<f64>>::Cache::default());
    let mut last = State::zeros(batch, widths);
    let run = |point: &Point<C::Weights>, y: &mut Tensor<f64>, last: &mut State<f64>, cache: &mut _| {
        let initial = State { parts: point.initial_state.clone() };
        layer.forward_from(&point.weights, &point.input, Some(&initial), y, Some(last), cache, pass);
    };
    run(&point, &mut y, &mut last, &mut cache);
    let by = random_like(y.rows().shape(), Key::new(8));
    let mut gradients = point.clone();
    set_zero(&mut gradients);
    let mut dinitial = State::zeros(batch, widths);
    layer.backward_from(
        &point.weights,
        &point.input,
        &like(&y, &by),
        Some(&by_state),
        Some(&mut gradients.input),
        Some(&mut dinitial),
        &mut cache,
        &mut gradients.weights,
        pass,
    );
    gradients.initial_state = dinitial.parts;
    Ok(compare(&mut point, &gradients, |point| {
        run(point, &mut y, &mut last, &mut cache);
        let state: f64 = last.parts.iter().zip(&by_state.parts).map(|(s, r)| (s * r).sum()).sum();
        weighted(&y, &by) + state
    }))
}

/// Checks a loss' gradient at these predictions.
pub fn loss<L: Loss<f64> + ?Sized>(
    loss: &L,
    predictions: &Array2<f64>,
    targets: &Array2<f64>,
    absorbed: bool,
) -> Report {
    let mut point = predictions.clone();
    let mut gradients = Array2::zeros(point.raw_dim());
    loss.sum(point.view(), targets.view(), absorbed, Some(gradients.view_mut()));
    compare(&mut point, &gradients, |point| loss.sum(point.view(), targets.view(), absorbed, None))
}
