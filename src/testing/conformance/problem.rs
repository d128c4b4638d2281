//! Passes that the laws run, with random inputs, states and gradients, and comparison of their results.

use std::ops::Range;

use ndarray::{Array, Array2, Array3, ArrayD, Axis, Dimension, IntoDimension, Slice};
use ndarray_rand::rand::Rng;
use serde::{Deserialize, Serialize};

use super::Checked;
use crate::error::Result;
use crate::layer::{Backward, Describe, Forward, Layer, Pass};
use crate::numeric::Scalar;
use crate::random::Key;
use crate::recurrent::{Cell, Rnn, RnnCache, Step, StepBack};
use crate::tensor::Tensor;
use crate::tensor::{State, ViewsMut, Widths};
use crate::weights::initializers::Init;
use crate::weights::{Params, Path};

/// Number of features of each input.
pub(super) const FEATURES: usize = 4;

/// Returns the pass of training that all laws use.
pub(super) fn training() -> Pass<'static> {
    Pass::training(Key::new(5))
}

/// Cell with the default `run`, `run_back` and `advance`, which use only its steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "C: Describe")]
pub(super) struct Stepwise<C>(pub(super) C);

impl<C: Describe> Describe for Stepwise<C> {
    fn kind() -> &'static str {
        "bptt::testing::conformance::Stepwise"
    }
}

impl<F: Scalar, C: Cell<F>> Cell<F> for Stepwise<C> {
    type Weights = C::Weights;
    type Cache = C::Cache;
    type Workspace = ();

    fn states(&self) -> Widths {
        self.0.states()
    }
    fn masks(&self) -> usize {
        self.0.masks()
    }
    fn dropped_width(&self) -> usize {
        self.0.dropped_width()
    }
    fn build(&self, inputs: usize, init: &mut Init) -> Result<C::Weights> {
        self.0.build(inputs, init)
    }
    fn step(&self, w: &C::Weights, at: &Step<'_, F>, next: ViewsMut<'_, F>, cache: &mut C::Cache) {
        self.0.step(w, at, next, cache);
    }
    fn step_back(
        &self,
        w: &C::Weights,
        at: &Step<'_, F>,
        back: StepBack<'_, F>,
        cache: &mut C::Cache,
        gradients: &mut C::Weights,
    ) {
        self.0.step_back(w, at, back, cache, gradients);
    }
}

/// Options of a layer besides its cell.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    pub(super) dropout: f64,
    pub(super) recurrent_dropout: f64,
    pub(super) per_step: bool,
    pub(super) sequences: bool,
    pub(super) backwards: bool,
    pub(super) zero: bool,
}

impl Options {
    /// Returns options without dropout, and with each kind of dropout.
    pub(super) fn all_rates() -> [Options; 5] {
        [(0.0, 0.0, false), (0.3, 0.0, false), (0.3, 0.0, true), (0.0, 0.3, false), (0.3, 0.3, true)].map(
            |(dropout, recurrent_dropout, per_step)| Options {
                dropout,
                recurrent_dropout,
                per_step,
                ..Options::default()
            },
        )
    }

    /// Returns these options with the last output only, and with the outputs of all steps.
    pub(super) fn both_outputs(self) -> [Options; 2] {
        [false, true].map(|sequences| Options { sequences, ..self })
    }

    /// Returns the layer of a cell with these options.
    pub(super) fn layer<C: Describe>(self, cell: &C) -> Rnn<C> {
        Rnn::from_cell(cell.clone())
            .dropout(self.dropout)
            .recurrent_dropout(self.recurrent_dropout)
            .dropout_per_step(self.per_step)
            .return_sequences(self.sequences)
            .go_backwards(self.backwards)
            .zero_output_for_mask(self.zero)
    }

    /// Returns a description of the case for messages.
    pub(super) fn case<F: Scalar>(self, steps: usize, batch: usize) -> String {
        let Options { dropout, recurrent_dropout, per_step, sequences, backwards, zero } = self;
        let mut case = format!("T={steps} B={batch} D={FEATURES} in {:?}", F::DTYPE);
        if dropout > 0.0 {
            case += &format!(", dropout {dropout}{}", if per_step { " per step" } else { "" });
        }
        if recurrent_dropout > 0.0 {
            case += &format!(", recurrent dropout {recurrent_dropout}");
        }
        let flags = [(sequences, "return_sequences"), (backwards, "go_backwards"), (zero, "zero_output_for_mask")];
        flags.into_iter().filter(|(set, _)| *set).for_each(|(_, name)| case += &format!(", {name}"));
        case
    }
}

pub(super) fn random<F: Scalar, D: Dimension>(shape: impl IntoDimension<Dim = D>, key: Key) -> Array<F, D> {
    let mut generator = key.generator();
    // Numbers that are exact in both precisions, so that runs in both start from the same ones.
    Array::from_shape_simple_fn(shape.into_dimension(), || F::of(f64::from(generator.random_range(-0.7_f32..0.7))))
}

pub(super) fn random_weights<F: Scalar, C: Cell<F>>(cell: &C) -> std::result::Result<C::Weights, String> {
    let built = cell.build(FEATURES, &mut Init::new(Key::new(1)));
    let mut weights = built.map_err(|error| format!("the cell cannot be built: {error}"))?;
    let mut number = 0;
    weights.visit_mut(Path::root(""), &mut |_, mut tensor| {
        number += 1;
        // Smaller for wide layers, as from initializers, because rounding would otherwise grow over the steps. With
        // powers of two, the numbers stay exact in both precisions.
        let rows = tensor.shape().first().copied().unwrap_or(1);
        let halvings = (rows / 8).checked_ilog2().map_or(0, |power| power.div_ceil(2));
        let scale = F::of(0.5_f64.powi(halvings as i32));
        let values = random::<F, _>(tensor.raw_dim(), Key::new(2).fold(number));
        tensor.assign(&(values * scale));
    });
    Ok(weights)
}

/// Inputs, states and gradients that a pass receives, time first.
#[derive(Clone)]
pub(super) struct Problem<F> {
    pub(super) x: Array3<F>,
    pub(super) mask: Option<Array2<bool>>,
    pub(super) initial: State<F>,
    /// Gradient of all outputs. A layer that returns only the last output uses the last of them.
    pub(super) dy: Array3<F>,
    pub(super) dlast: State<F>,
}

impl<F: Scalar> Problem<F> {
    pub(super) fn new(widths: Widths, steps: usize, batch: usize) -> Self {
        let key = Key::new(3);
        let state = |key: Key| {
            let parts = widths.as_slice().iter().enumerate();
            State { parts: parts.map(|(part, &width)| random((batch, width), key.fold(part as u64))).collect() }
        };
        Problem {
            x: random((steps, batch, FEATURES), key.fold(0)),
            mask: None,
            initial: state(key.fold(1)),
            // At least one, because the gradient of the last output is one of these.
            dy: random((steps.max(1), batch, widths.as_slice()[0]), key.fold(2)),
            dlast: state(key.fold(3)),
        }
    }

    pub(super) fn masked(self, mask: Array2<bool>) -> Self {
        Problem { mask: Some(mask), ..self }
    }

    pub(super) fn samples(&self, range: Range<usize>) -> Self {
        let range = Slice::from(range);
        let cut = |a: &Array3<F>| a.slice_axis(Axis(1), range).as_standard_layout().into_owned();
        let state = |s: &State<F>| State {
            parts: s.parts.iter().map(|p| p.slice_axis(Axis(0), range).as_standard_layout().into_owned()).collect(),
        };
        let mask = self.mask.as_ref().map(|m| m.slice_axis(Axis(1), range).as_standard_layout().into_owned());
        Problem { x: cut(&self.x), mask, initial: state(&self.initial), dy: cut(&self.dy), dlast: state(&self.dlast) }
    }

    pub(super) fn steps(&self, range: Range<usize>) -> Self {
        let cut = |a: &Array3<F>| a.slice_axis(Axis(0), range.clone().into()).to_owned();
        let mask = self.mask.as_ref().map(|m| m.slice_axis(Axis(0), range.clone().into()).to_owned());
        Problem { x: cut(&self.x), mask, dy: cut(&self.dy), ..self.clone() }
    }
}

/// Returns a mask with steps left out in between for the first sample, before and after for the second, and all of them
/// for the third, and so on.
pub(super) fn gaps(steps: usize, batch: usize) -> Array2<bool> {
    Array2::from_shape_fn((steps, batch), |(t, b)| match b % 3 {
        0 => t % 3 != 1,
        1 => t > 0 && t < 6,
        _ => false,
    })
}

/// Result of a pass: named outputs, states and gradients.
pub(super) type Outcome<F> = Vec<(String, ArrayD<F>)>;

pub(super) fn add_state<F: Scalar>(outcome: &mut Outcome<F>, name: &str, state: State<F>) {
    outcome.extend(state.parts.into_iter().enumerate().map(|(i, part)| (format!("{name}/{i}"), part.into_dyn())));
}

pub(super) fn get<'a, F>(outcome: &'a Outcome<F>, name: &str) -> &'a ArrayD<F> {
    &outcome.iter().find(|(known, _)| known == name).expect("a law asks for what there is").1
}

fn numbers<F: Scalar>(tensor: Tensor<F>) -> ArrayD<F> {
    match tensor {
        Tensor::Sequence(steps) => steps.into_dyn(),
        other => other.rows().to_owned().into_dyn(),
    }
}

/// Runs a forward pass, with the results `y` and `last/…`.
pub(super) fn forward<F: Scalar, C: Cell<F>>(
    layer: &Rnn<C>,
    weights: &C::Weights,
    problem: &Problem<F>,
    cache: &mut RnnCache<F, C>,
    pass: Pass<'_>,
) -> Outcome<F> {
    let pass = pass.masked(problem.mask.as_ref().map(|mask| mask.view()));
    let mut last = problem.initial.clone();
    let (x, mut y) = (Tensor::Sequence(problem.x.clone()), Tensor::default());
    layer.forward(weights, Forward::new(&x, &mut y, cache, pass).state(&mut last));
    let mut outcome = vec![("y".to_string(), numbers(y))];
    add_state(&mut outcome, "last", last);
    outcome
}

/// Runs a forward and a backward pass, with the further results `dx`, `dinitial/…` and, added to `gradients`, `dw/…`.
pub(super) fn train_into<F: Scalar, C: Cell<F>>(
    layer: &Rnn<C>,
    weights: &C::Weights,
    problem: &Problem<F>,
    cache: &mut RnnCache<F, C>,
    pass: Pass<'_>,
    mut gradients: C::Weights,
) -> Outcome<F> {
    let mut outcome = forward(layer, weights, problem, cache, pass);
    let pass = pass.masked(problem.mask.as_ref().map(|mask| mask.view()));
    let steps = problem.x.dim().0;
    let dy = if outcome[0].1.ndim() == 3 {
        Tensor::Sequence(problem.dy.slice_axis(Axis(0), (..steps).into()).to_owned())
    } else {
        Tensor::Vector(problem.dy.index_axis(Axis(0), steps.max(1) - 1).to_owned())
    };
    let (x, mut dx) = (Tensor::Sequence(problem.x.clone()), Tensor::default());
    let mut dinitial = problem.dlast.clone();
    // A recurrent layer does not read its output.
    let y = Tensor::default();
    let backward = Backward::new((&x, &y), &dy, cache, &mut gradients, pass).dx(&mut dx).dstate(&mut dinitial);
    layer.backward(weights, backward);
    outcome.push(("dx".into(), numbers(dx)));
    add_state(&mut outcome, "dinitial", dinitial);
    gradients.visit(Path::root("dw"), &mut |path, tensor| outcome.push((path.to_string(), tensor.to_owned())));
    outcome
}

/// Runs [`train_into`] with gradients that start from zero.
pub(super) fn train<F: Scalar, C: Cell<F>>(
    layer: &Rnn<C>,
    weights: &C::Weights,
    problem: &Problem<F>,
    cache: &mut RnnCache<F, C>,
    pass: Pass<'_>,
) -> Outcome<F> {
    train_into(layer, weights, problem, cache, pass, crate::weights::zeros_like(weights))
}

/// Compares two outcomes, each with words for how it was obtained. Differences are relative to values above 1 and
/// absolute otherwise. The two may differ in precision.
pub(super) fn equal<F: Scalar, G: Scalar>(
    (way, left): (&str, &Outcome<F>),
    (other_way, right): (&str, &Outcome<G>),
    tolerance: f64,
) -> Checked {
    let shapes = |names: Vec<(&String, &[usize])>| format!("{names:?}");
    let left_shapes = shapes(left.iter().map(|(name, a)| (name, a.shape())).collect());
    let right_shapes = shapes(right.iter().map(|(name, a)| (name, a.shape())).collect());
    if left_shapes != right_shapes {
        return Err(format!("{way} it gives {left_shapes}, but {other_way} {right_shapes}"));
    }
    let mut worst = (tolerance, None);
    for ((name, a), (_, b)) in left.iter().zip(right) {
        for ((index, a), b) in a.indexed_iter().zip(b) {
            let (a, b) = (a.widen(), b.widen());
            let error = if a == b { 0.0 } else { (a - b).abs() / b.abs().max(1.0) };
            // NaN must not go unnoticed.
            if error.is_nan() || error > worst.0 {
                worst = (error, Some((name, index.slice().to_vec(), a, b)));
            }
        }
    }
    match worst {
        (_, None) => Ok(()),
        (error, Some((name, index, a, b))) => Err(format!(
            "{name}{index:?} is {a} {way}, but {b} {other_way}, {error:e} apart where {tolerance:e} is allowed"
        )),
    }
}
