//! Gradient check: comparison of gradients with central differences, in `f64`.
//!
//! For a scalar L = Σ R ∘ y with random R, every component g of a gradient is compared with n = (L(p + h) − L(p − h)) /
//! 2h at h = 10⁻⁵. The error is |g − n| / max(1, |g|, |n|). It stays below 10⁻⁶ for a correct gradient (rounding gives
//! about 10⁻¹⁰) and is much larger for a wrong one. Avoid kinks: the rectifier has no derivative at zero.
//!
//! | checked | function | gradients of |
//! | --- | --- | --- |
//! | rule | [`gates`] | sums and previous states |
//! | one step of a cell | [`cell`] | weights, each gate's x and h, previous states |
//! | recurrent layer | [`recurrent`]; [`recurrent_along`] for many of them | weights, input, initial states |
//! | any layer | [`layer`] | weights, input, and initial state if it carries one |
//! | [`Bidirectional`](crate::layers::Bidirectional) | [`layer_with_state`] | weights, input, given initial states |
//! | loss | [`loss`] | predictions |
//!
//! Start with the smallest part: its report names the wrong term, while that of a whole layer names only its effects.
//! Dropout masks are those of the pass and stay fixed; the mask of time steps is also that of the pass
//! ([`Pass::masked`]).
//!
//! ```
//! use bptt::layer::Pass;
//! use bptt::layers::Lstm;
//! use bptt::random::Key;
//! use bptt::tensor::Form;
//! use bptt::testing::gradcheck;
//! let report = gradcheck::recurrent(&Lstm::new(3), Form::sequence(4, 2), 2, Pass::training(Key::new(0)))?;
//! assert!(report.error() < gradcheck::TOLERANCE, "{report}");
//! # Ok::<(), bptt::Error>(())
//! ```

mod step;

use std::fmt;

use ndarray::{Array2, ArrayD, Dimension};
use ndarray_rand::rand::Rng;

use crate::error::{Error, Result};
use crate::layer::{AnyWeights, Backward, Carry, DynCache, DynLayer, Forward, Layer, Pass};
use crate::losses::{Loss, Rows, sum_rows};
use crate::numeric::checks::check_count;
use crate::random::Key;
use crate::recurrent::{Cell, Rnn};
use crate::tensor::{Form, State, Tensor};
use crate::weights::initializers::Init;
use crate::weights::{PairVisitor, Params, Path, Visitor, VisitorMut, set_zero};

pub use step::{cell, gates};

/// Error below which a gradient is accepted as correct.
pub const TOLERANCE: f64 = 1e-6;

/// Number of time steps for sequences of any length.
const STEPS: usize = 3;

/// Step h of the differences. Their error of order h² and the rounding of order 10⁻¹⁶ / h are both near 10⁻¹⁰.
const STEP: f64 = 1e-5;

/// Report of a gradient check.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Number of components that were compared.
    pub compared: usize,
    /// Component with the largest error.
    pub worst: Option<Component>,
    /// Tensors whose gradient is zero in all components, often because it was forgotten.
    pub zero: Vec<String>,
}

/// Component of a gradient.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Component {
    /// Tensor, such as `weights/recurrent_kernel`, `input` or `initial_state/1`.
    pub tensor: String,
    /// Index in the tensor.
    pub index: Vec<usize>,
    /// Value from the backward pass.
    pub gradient: f64,
    /// Value from the differences.
    pub difference: f64,
    /// Error, |gradient − difference| / max(1, |gradient|, |difference|).
    pub error: f64,
}

impl Report {
    /// Returns the largest error; infinite if it is NaN.
    pub fn error(&self) -> f64 {
        self.worst.as_ref().map_or(0.0, |worst| if worst.error.is_nan() { f64::INFINITY } else { worst.error })
    }

    /// Adds a comparison. `component` is called only if it is the worst one.
    fn add(&mut self, gradient: f64, difference: f64, component: impl FnOnce() -> (String, Vec<usize>)) {
        let error = (gradient - difference).abs() / gradient.abs().max(difference.abs()).max(1.0);
        self.compared += 1;
        // NaN must not go unnoticed.
        if self.worst.is_none() || error > self.error() || error.is_nan() {
            let (tensor, index) = component();
            self.worst = Some(Component { tensor, index, gradient, difference, error });
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.worst {
            None => write!(f, "nothing to compare"),
            Some(Component { tensor, index, gradient, difference, error }) => write!(
                f,
                "{} components compared; the worst is {tensor}{index:?}: gradient {gradient}, difference {difference}, \
                 error {error:e}",
                self.compared
            ),
        }
    }
}

/// All tensors on which the checked function depends, weights and others. Its gradients have the same type.
///
/// Weights, layers and cells are without their types, so that this module is compiled once.
#[derive(Clone)]
struct Point {
    weights: AnyWeights<f64>,
    others: Vec<(String, ArrayD<f64>)>,
}

impl Point {
    fn get(&self, name: &str) -> Option<&ArrayD<f64>> {
        self.others.iter().find(|(known, _)| known == name).map(|(_, tensor)| tensor)
    }

    fn add_state(&mut self, name: &str, state: State<f64>) {
        let parts = state.parts.into_iter().enumerate();
        self.others.extend(parts.map(|(number, part)| (format!("{name}/{number}"), part.into_dyn())));
    }

    /// Returns the state that was added under this name.
    fn state(&self, name: &str) -> State<f64> {
        let parts =
            self.others.iter().filter(|(known, _)| known.strip_prefix(name).is_some_and(|rest| rest.starts_with('/')));
        State { parts: parts.map(|(_, part)| matrix(part)).collect() }
    }
}

/// Returns a copy of a tensor as a matrix.
fn matrix(tensor: &ArrayD<f64>) -> Array2<f64> {
    tensor.clone().into_dimensionality().expect("it was made from a matrix")
}

impl Params<f64> for Point {
    fn visit<'a>(&'a self, path: Path<'_>, visitor: Visitor<'_, 'a, f64>) {
        self.weights.visit(path.child("weights"), visitor);
        self.others.iter().for_each(|(name, tensor)| visitor(path.child(name), tensor.view()));
    }

    fn visit_mut<'a>(&'a mut self, path: Path<'_>, visitor: VisitorMut<'_, 'a, f64>) {
        self.weights.visit_mut(path.child("weights"), visitor);
        self.others.iter_mut().for_each(|(name, tensor)| visitor(path.child(name), tensor.view_mut()));
    }

    fn visit_pair<'a>(&'a mut self, other: &'a Self, path: Path<'_>, visitor: PairVisitor<'_, 'a, f64>) {
        self.weights.visit_pair(&other.weights, path.child("weights"), visitor);
        for ((name, tensor), (_, other)) in self.others.iter_mut().zip(&other.others) {
            visitor(path.child(name), tensor.view_mut(), other.view());
        }
    }
}

/// Returns random numbers within ±1, the same for the same key.
fn random_like(shape: &[usize], key: Key) -> ArrayD<f64> {
    let mut generator = key.generator();
    ArrayD::from_shape_simple_fn(shape, || generator.random_range(-1.0..1.0))
}

/// Returns random states of these widths.
fn random_state(batch: usize, widths: &[usize], key: Key) -> State<f64> {
    let parts = widths.iter().enumerate();
    State { parts: parts.map(|(part, &width)| matrix(&random_like(&[batch, width], key.fold(part as u64)))).collect() }
}

/// Sets all weights to random numbers, including biases.
fn randomize(weights: &mut dyn Params<f64>, key: Key) {
    let mut number = 1;
    weights.visit_mut(Path::root(""), &mut |_, mut tensor| {
        let shape = tensor.shape().to_vec();
        // Within ±½, because large weights make a linear recurrence grow until the differences lose their digits.
        tensor.assign(&(random_like(&shape, key.fold(number)) * 0.5));
        number += 1;
    });
}

/// Compares each component of `gradients` with the difference of `loss` around `point`.
fn compare(point: &mut Point, gradients: &Point, loss: &mut dyn FnMut(&Point) -> f64) -> Report {
    let mut tensors = Vec::new();
    gradients.visit(Path::root(""), &mut |path, tensor| tensors.push((path.to_string(), tensor)));
    let mut report = Report::default();
    for (number, (tensor, values)) in tensors.into_iter().enumerate() {
        if values.iter().all(|&value| value == 0.0) {
            report.zero.push(tensor.clone());
        }
        for (place, (index, &gradient)) in values.indexed_iter().enumerate() {
            let mut at = |by: f64| {
                nudge(point, number, place, by);
                let value = loss(point);
                nudge(point, number, place, -by);
                value
            };
            let difference = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            report.add(gradient, difference, || (tensor.clone(), index.slice().to_vec()));
        }
    }
    report
}

/// Compares the slopes that `gradients` give along some directions with those of `loss` around `point`.
fn along(point: &mut Point, gradients: &Point, directions: usize, loss: &mut dyn FnMut(&Point) -> f64) -> Report {
    let mut report = Report::default();
    for number in 0..directions {
        let mut direction = gradients.clone();
        randomize(&mut direction, Key::new(11).fold(number as u64));
        let mut slope = 0.0;
        direction.visit_pair(gradients, Path::root(""), &mut |_, d, g| slope += (&g * &d).sum());
        let difference = settled(|by| {
            shift(point, &direction, by);
            let value = loss(point);
            shift(point, &direction, -by);
            value
        });
        report.add(slope, difference, || ("direction".into(), vec![number]));
    }
    report
}

/// Returns the derivative at 0 of a function that is differentiable there, from differences with smaller and smaller
/// steps until two of them agree to far less than [`TOLERANCE`]. Returns NaN if they never do.
fn settled(mut function: impl FnMut(f64) -> f64) -> f64 {
    let mut difference = |step: f64| (function(step) - function(-step)) / (2.0 * step);
    let mut step = STEP;
    let mut last = difference(step);
    // Below this step only rounding is left.
    while step > 1e-9 {
        step /= 4.0;
        let next = difference(step);
        if (next - last).abs() < 0.1 * TOLERANCE * next.abs().max(1.0) {
            return next;
        }
        last = next;
    }
    f64::NAN
}

/// Moves the point along a direction.
fn shift(point: &mut Point, direction: &Point, by: f64) {
    point.visit_pair(direction, Path::root(""), &mut |_, mut tensor, d| tensor.scaled_add(by, &d));
}

/// Adds to one component.
fn nudge(point: &mut Point, number: usize, place: usize, by: f64) {
    let mut seen = 0;
    point.visit_mut(Path::root(""), &mut |_, mut tensor| {
        if seen == number
            && let Some(value) = tensor.iter_mut().nth(place)
        {
            *value += by;
        }
        seen += 1;
    });
}

/// Returns a point of random weights and, unless the form is tokens, a random input, and a tensor for the input. Tokens
/// are already in the tensor.
fn random_point(layer: &dyn DynLayer<f64>, form: Form, batch: usize, key: Key) -> Result<(Point, Tensor<f64>)> {
    layer.output_form(form)?;
    let mut weights = layer.build(form, &mut Init::new(key.fold(0)))?;
    randomize(&mut weights, key);
    let key = key.fold(1000);
    let mut input = Tensor::default();
    match form {
        Form::Tokens { steps } => {
            let vocabulary = layer.vocabulary().unwrap_or(1).clamp(1, u32::MAX as usize) as u32;
            let mut generator = key.generator();
            input.as_tokens(steps.unwrap_or(STEPS), batch).mapv_inplace(|_| generator.random_range(0..vocabulary));
            return Ok((Point { weights, others: Vec::new() }, input));
        }
        Form::Vector { features } => {
            input.as_vector(batch, features);
        }
        Form::Sequence { steps, features } => {
            input.as_sequence(steps.unwrap_or(STEPS), batch, features);
        }
    }
    let random = match &input {
        Tensor::Sequence(steps) => random_like(steps.shape(), key),
        rows => random_like(rows.rows().shape(), key),
    };
    Ok((Point { weights, others: vec![(INPUT.into(), random)] }, input))
}

const INPUT: &str = "input";
const INITIAL_STATE: &str = "initial_state";

/// Returns an error for a pass of inference, inputs without features, or a mask of another shape.
fn check_inputs(form: Form, batch: usize, pass: Pass<'_>) -> Result<()> {
    check_pass(pass)?;
    if let Form::Vector { features } | Form::Sequence { features, .. } = form {
        check_count("input features", features)?;
    }
    let (Form::Tokens { steps } | Form::Sequence { steps, .. }) = form else { return Ok(()) };
    match pass.mask.map(|mask| mask.dim()) {
        Some(got) if got != (steps.unwrap_or(STEPS), batch) => Err(Error::InvalidOption {
            option: "mask",
            value: format!("of the shape {got:?}"),
            allowed: "a value for each step of each sample, (T, B)",
        }),
        _ => Ok(()),
    }
}

/// Returns an error for a pass of inference, which keeps nothing for a backward pass.
fn check_pass(pass: Pass<'_>) -> Result<()> {
    if pass.training {
        return Ok(());
    }
    let allowed =
        "one of training, such as Pass::training(Key::new(0)), for only that keeps what a backward pass needs";
    Err(Error::InvalidOption { option: "pass", value: "one of inference".into(), allowed })
}

/// Writes the numbers of an array into a tensor, row by row.
fn fill(tensor: &mut Tensor<f64>, values: Option<&ArrayD<f64>>) {
    if let Some(values) = values {
        tensor.rows_mut().iter_mut().zip(values).for_each(|(to, &value)| *to = value);
    }
}

/// Returns Σ R ∘ y.
fn weighted<'a>(y: impl IntoIterator<Item = &'a f64>, by: impl IntoIterator<Item = &'a f64>) -> f64 {
    y.into_iter().zip(by).map(|(y, r)| y * r).sum()
}

/// Returns Σ R ∘ s over all parts of a state.
fn weighted_state(state: &State<f64>, by: &State<f64>) -> f64 {
    state.parts.iter().zip(&by.parts).map(|(s, r)| weighted(s, r)).sum()
}

/// Returns a tensor like `y` with these numbers.
fn like(y: &Tensor<f64>, values: &ArrayD<f64>) -> Tensor<f64> {
    let mut like = y.clone();
    fill(&mut like, Some(values));
    like
}

/// Returns the gradients of a point, from those of its weights and of the input.
fn gradients_of(point: &Point, weights: AnyWeights<f64>, dx: &Tensor<f64>) -> Point {
    let mut gradients = Point { weights, others: Vec::new() };
    if let Some(input) = point.get(INPUT) {
        let mut dinput = input.clone();
        dinput.iter_mut().zip(dx.rows()).for_each(|(to, &d)| *to = d);
        gradients.others.push((INPUT.into(), dinput));
    }
    gradients
}

/// Checks a layer's gradients of weights, input and, if the layer [carries](Layer::carry) a state, initial state. It
/// uses a batch of random samples of this form, and a loss on output and final state. The masks of `pass` stay fixed.
///
/// # Errors
///
/// [`Error::InvalidOption`] if the pass is one of inference, if its mask has another shape, or if the inputs have no
/// features; those of [`Layer::output_form`] and [`Layer::build`].
pub fn layer<L: Layer<f64>>(layer: &L, form: Form, batch: usize, pass: Pass<'_>) -> Result<Report> {
    let widths = match layer.carry() {
        Carry::State(widths) => widths.as_slice().to_vec(),
        _ => Vec::new(),
    };
    layer_with_state(layer, &widths, form, batch, pass)
}

/// Checks the gradients of [`layer`] from an initial state whose parts have these widths. It is for layers that take a
/// state although they do not [carry](Layer::carry) one from one part of a sequence to the next, because they need the
/// whole sequence.
///
/// A [`Bidirectional`](crate::layers::Bidirectional) layer has the parts of its forward layer, then those of its
/// backward layer:
///
/// ```
/// use bptt::layer::Pass;
/// use bptt::layers::{Bidirectional, Gru, Lstm};
/// use bptt::random::Key;
/// use bptt::tensor::Form;
/// use bptt::testing::gradcheck;
/// let layer = Bidirectional::new(Lstm::new(3)).backward_layer(Gru::new(2));
/// let pass = Pass::training(Key::new(0));
/// let report = gradcheck::layer_with_state(&layer, &[3, 3, 2], Form::sequence(4, 2), 2, pass)?;
/// assert!(report.error() < gradcheck::TOLERANCE, "{report}");
/// # Ok::<(), bptt::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`layer`].
///
/// # Panics
///
/// If the layer's state has other widths.
pub fn layer_with_state<L: Layer<f64>>(
    layer: &L,
    widths: &[usize],
    form: Form,
    batch: usize,
    pass: Pass<'_>,
) -> Result<Report> {
    with_layer(&*layer.clone().erase(), widths, form, batch, pass, &mut compare)
}

/// Checks a recurrent layer's gradients of weights, input and initial state, with a loss on output and final state. The
/// masks of `pass` stay fixed.
///
/// # Errors
///
/// Those of [`layer`].
pub fn recurrent<C: Cell<f64>>(layer: &Rnn<C>, form: Form, batch: usize, pass: Pass<'_>) -> Result<Report> {
    layer_with_state(layer, layer.cell().states().as_slice(), form, batch, pass)
}

/// Checks the gradients of [`recurrent`] along random directions through all components at once, instead of one by one.
/// It needs only about four runs of the layer for each direction, for any number of components, so it suits grids of
/// thousands of options.
///
/// For a direction d with components within ±½, the slope Σ g ∘ d is compared with the difference of the loss along d.
/// The step of the difference is reduced until two differences agree, which they do not if a step crosses a kink or is
/// too long for a loss that grows fast. The worst component of the report is `direction` and its number; use
/// [`recurrent`] to find the tensor.
///
/// ```
/// use bptt::layer::Pass;
/// use bptt::layers::Gru;
/// use bptt::random::Key;
/// use bptt::tensor::Form;
/// use bptt::testing::gradcheck;
/// let report = gradcheck::recurrent_along(&Gru::new(3), Form::sequence(4, 2), 2, Pass::training(Key::new(0)), 2)?;
/// assert!(report.error() < gradcheck::TOLERANCE, "{report}");
/// # Ok::<(), bptt::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`recurrent`].
pub fn recurrent_along<C: Cell<f64>>(
    layer: &Rnn<C>,
    form: Form,
    batch: usize,
    pass: Pass<'_>,
    directions: usize,
) -> Result<Report> {
    let widths = layer.cell().states();
    let mut check = |point: &mut Point, gradients: &Point, loss: &mut dyn FnMut(&Point) -> f64| {
        along(point, gradients, directions, loss)
    };
    with_layer(&*layer.clone().erase(), widths.as_slice(), form, batch, pass, &mut check)
}

/// Function that compares gradients at a point with a loss around it.
type Check<'a> = dyn FnMut(&mut Point, &Point, &mut dyn FnMut(&Point) -> f64) -> Report + 'a;

/// Calls `check` with a random point of a layer, the gradients there, and their loss; with a state if `widths` is not
/// empty.
fn with_layer(
    layer: &dyn DynLayer<f64>,
    widths: &[usize],
    form: Form,
    batch: usize,
    pass: Pass<'_>,
    check: &mut Check<'_>,
) -> Result<Report> {
    check_inputs(form, batch, pass)?;
    let (mut point, mut x) = random_point(layer, form, batch, Key::new(7))?;
    point.add_state(INITIAL_STATE, random_state(batch, widths, Key::new(9)));
    let by_state = random_state(batch, widths, Key::new(10));
    let (mut y, mut last, mut cache) = (Tensor::default(), State::default(), layer.cache());
    let run = |point: &Point, x: &mut Tensor<f64>, y: &mut Tensor<f64>, last: &mut State<f64>, cache: &mut DynCache| {
        fill(x, point.get(INPUT));
        *last = point.state(INITIAL_STATE);
        let forward = Forward::new(x, y, cache, pass);
        layer.forward(&point.weights, if widths.is_empty() { forward } else { forward.state(last) });
    };
    run(&point, &mut x, &mut y, &mut last, &mut *cache);
    let by = random_like(y.rows().shape(), Key::new(8));
    let (mut weights, mut dx) = (point.weights.clone(), Tensor::default());
    set_zero(&mut weights);
    let (dy, mut dinitial) = (like(&y, &by), by_state.clone());
    let mut backward = Backward::new((&x, &y), &dy, &mut *cache, &mut weights, pass);
    if point.get(INPUT).is_some() {
        backward = backward.dx(&mut dx);
    }
    if !widths.is_empty() {
        backward = backward.dstate(&mut dinitial);
    }
    layer.backward(&point.weights, backward);
    let mut gradients = gradients_of(&point, weights, &dx);
    gradients.add_state(INITIAL_STATE, dinitial);
    Ok(check(&mut point, &gradients, &mut |point| {
        run(point, &mut x, &mut y, &mut last, &mut *cache);
        weighted(y.rows(), &by) + weighted_state(&last, &by_state)
    }))
}

/// Checks the gradient of a loss at these predictions and targets.
///
/// # Errors
///
/// [`Error::Targets`] if there is not a row of targets for each row of predictions, of the width
/// [`Loss::target_width`].
pub fn loss<L: Loss<f64> + ?Sized>(
    loss: &L,
    predictions: &Array2<f64>,
    targets: &Array2<f64>,
    absorbed: bool,
) -> Result<Report> {
    let (rows, outputs) = predictions.dim();
    let needs = [rows, loss.target_width(outputs)];
    if targets.shape() != needs {
        return Err(Error::Targets { got: targets.shape().to_vec(), needs: needs.to_vec() });
    }
    let targets = targets.as_standard_layout();
    let predictions = predictions.as_standard_layout();
    let mut slopes = Array2::zeros(predictions.raw_dim());
    let rows = Rows { predictions: predictions.view(), targets: targets.view(), weights: &[] };
    sum_rows(loss, rows, absorbed, Some(slopes.view_mut()));
    let predictions_of =
        |values: ArrayD<f64>| Point { weights: AnyWeights::new(()), others: vec![("predictions".into(), values)] };
    let mut point = predictions_of(predictions.into_owned().into_dyn());
    Ok(compare(&mut point, &predictions_of(slopes.into_dyn()), &mut |point| {
        let predictions = matrix(&point.others[0].1);
        let rows = Rows { predictions: predictions.view(), targets: targets.view(), weights: &[] };
        sum_rows(loss, rows, absorbed, None)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recurrent::Lstm;

    #[test]
    fn a_direction_finds_one_wrong_component_of_any_tensor() {
        let (layer, form) = (Lstm::new(3), Form::sequence(5, 2));
        let pass = Pass::training(Key::new(0));
        let mut check = |point: &mut Point, gradients: &Point, loss: &mut dyn FnMut(&Point) -> f64| {
            let mut tensors = 0;
            gradients.visit(Path::root(""), &mut |_, _| tensors += 1);
            assert_eq!(tensors, 6, "kernel, recurrent kernel, bias, input and two states");
            for number in 0..tensors {
                let mut wrong = gradients.clone();
                nudge(&mut wrong, number, 1, 1e-4);
                let report = along(point, &wrong, 1, loss);
                assert!(report.error() > TOLERANCE, "tensor {number}: {report}");
            }
            along(point, gradients, 3, loss)
        };
        let report = with_layer(&*layer.erase(), &[3, 3], form, 2, pass, &mut check).unwrap();
        assert_eq!(report.compared, 3);
        assert!(report.error() < TOLERANCE, "{report}");
    }

    #[test]
    fn differences_settle_beside_a_kink_and_not_on_it() {
        let beside = settled(|by| (by + 3e-7).abs() + by.powi(3));
        assert!((beside - 1.0).abs() < 0.1 * TOLERANCE, "{beside}");
        assert!(settled(|by| if by > 0.0 { 1.0 } else { 0.0 }).is_nan());
    }
}
