//! Laws that every recurrent layer keeps, whoever wrote its cell: the built-in ones, and a user's own rule and cell.
//!
//! The fused run is held against the loop over single steps, inference against training, a batch against its shards, one
//! long sequence against two short ones, a used cache against a fresh one; and no steps, or no samples, are no accident.

use bptt::{
    Cell, Describe, Form, Gated, Gates, Gru, Init, Initializer, Key, Lane, Layer, Lookup, Lstm, Params, Pass, Path,
    Result, Rnn, RnnCache, Scalar, SimpleRnn, Stacked, State, Step, StepBack, Tensor, Views, ViewsMut, Widths,
    gradcheck,
};
use ndarray::{Array, Array1, Array2, Array3, ArrayD, Axis, Dimension, IntoDimension, Slice, concatenate};
use ndarray_rand::rand::Rng;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A user's rule: an LSTM whose forget gate is what the input gate leaves.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Coupled;

impl Describe for Coupled {
    fn kind() -> &'static str {
        "tests::Coupled"
    }
}

impl Gates for Coupled {
    type Blocks<L: Lane> = [L; 3];
    type States<L: Lane> = [L; 2];

    #[inline(always)]
    fn forward<L: Lane>(&self, [i, g, o]: [L; 3], [_, c]: [L; 2]) -> ([L; 3], [L; 2]) {
        let (i, g, o) = (i.sigmoid(), g.tanh(), o.sigmoid());
        let c = c + i * (g - c);
        ([i, g, o], [o * c.tanh(), c])
    }

    #[inline(always)]
    fn backward<L: Lane>(
        &self,
        [i, g, o]: [L; 3],
        [_, c]: [L; 2],
        [_, c_next]: [L; 2],
        [dh, dc]: [L; 2],
    ) -> ([L; 3], [L; 2]) {
        let one = i.splat(1.0);
        let out = c_next.tanh();
        let dc = dc + dh * o * (one - out * out);
        let di = dc * (g - c) * i * (one - i);
        ([di, dc * i * (one - g * g), dh * out * o * (one - o)], [one.splat(0.0), dc * (one - i)])
    }
}

/// A user's cell: the minimal gated unit, f = σ(x·W_f + h·U_f + b_f), g = tanh(x·W_g + (f·h)·U_g + b_g),
/// h' = h + f·(g − h).
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Minimal {
    units: usize,
}

#[derive(Clone, Debug)]
struct MinimalWeights<F> {
    wf: Array2<F>,
    uf: Array2<F>,
    bf: Array1<F>,
    wg: Array2<F>,
    ug: Array2<F>,
    bg: Array1<F>,
}
bptt::params!(MinimalWeights { wf, uf, bf, wg, ug, bg });

impl Describe for Minimal {
    fn kind() -> &'static str {
        "tests::Minimal"
    }
}

impl<F: Scalar> Cell<F> for Minimal {
    type Weights = MinimalWeights<F>;
    /// f, g and f·h.
    type Cache = [Array2<F>; 3];
    type Workspace = ();

    fn states(&self) -> Widths {
        Widths::new(&[self.units])
    }

    fn masks(&self) -> usize {
        2
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<MinimalWeights<F>> {
        let (input, state) = (Initializer::GlorotUniform, Initializer::orthogonal());
        Ok(MinimalWeights {
            wf: init.tensor(input, (inputs, self.units))?,
            uf: init.tensor(state, (self.units, self.units))?,
            bf: init.tensor(Initializer::Zeros, self.units)?,
            wg: init.tensor(input, (inputs, self.units))?,
            ug: init.tensor(state, (self.units, self.units))?,
            bg: init.tensor(Initializer::Zeros, self.units)?,
        })
    }

    fn step(&self, w: &MinimalWeights<F>, at: &Step<'_, F>, mut next: ViewsMut<'_, F>, cache: &mut [Array2<F>; 3]) {
        let h = at.previous.view(0);
        let f = (at.x(0).dot(&w.wf) + at.h(0).dot(&w.uf) + &w.bf).mapv_into(Lane::sigmoid);
        let fh = &f * &at.h(1);
        let g = (at.x(1).dot(&w.wg) + fh.dot(&w.ug) + &w.bg).mapv_into(Lane::tanh);
        next.view_mut(0).assign(&(&h + &f * (&g - &h)));
        *cache = [f, g, fh];
    }

    fn step_back(
        &self,
        w: &MinimalWeights<F>,
        at: &Step<'_, F>,
        _: Views<'_, F>,
        mut back: StepBack<'_, F>,
        [f, g, fh]: &mut [Array2<F>; 3],
        gradients: &mut MinimalWeights<F>,
    ) {
        let (h, d) = (at.previous.view(0), back.dnext.view(0));
        let rest = f.mapv(|f| F::one() - f);
        back.dprevious.view_mut(0).zip_mut_with(&(&d * &rest), |sum, &d| *sum += d);
        let dg = &d * &*f * g.mapv(|g| F::one() - g * g);
        let dfh = dg.dot(&w.ug.t());
        let df = (&d * (&*g - &h) + &dfh * &at.h(1)) * &*f * &rest;
        let mut dh = back.dh(1);
        dh += &(&dfh * &*f);
        let mut dh = back.dh(0);
        dh += &df.dot(&w.uf.t());
        let mut dx = back.dx(0);
        dx += &df.dot(&w.wf.t());
        let mut dx = back.dx(1);
        dx += &dg.dot(&w.wg.t());
        gradients.wf += &at.x(0).t().dot(&df);
        gradients.uf += &at.h(0).t().dot(&df);
        gradients.bf += &df.sum_axis(Axis(0));
        gradients.wg += &at.x(1).t().dot(&dg);
        gradients.ug += &fh.t().dot(&dg);
        gradients.bg += &dg.sum_axis(Axis(0));
    }
}

/// The same cell with nothing but its steps: `run` and `run_back` are the defaults.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "C: Describe")]
struct Stepwise<C>(C);

impl<C: Describe> Describe for Stepwise<C> {
    fn kind() -> &'static str {
        "tests::Stepwise"
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
        next: Views<'_, F>,
        back: StepBack<'_, F>,
        cache: &mut C::Cache,
        gradients: &mut C::Weights,
    ) {
        self.0.step_back(w, at, next, back, cache, gradients);
    }
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
        let $layer = Rnn::from_cell(Gated::new(Coupled, units));
        $check;
        let $layer = Rnn::from_cell(Minimal { units });
        $check;
        let $layer = Rnn::from_cell(Stacked::new(Gru::new(units + 1).into_cell(), Lstm::new(units).into_cell()));
        $check;
    }};
}

fn random<F: Scalar, D: Dimension>(shape: impl IntoDimension<Dim = D>, key: Key) -> Array<F, D> {
    let mut generator = key.generator();
    // Numbers that both precisions hold, so that runs in both start from the same.
    Array::from_shape_simple_fn(shape.into_dimension(), || F::of(f64::from(generator.random_range(-0.7_f32..0.7))))
}

fn random_weights<F: Scalar, C: Cell<F>>(cell: &C, features: usize) -> C::Weights {
    let mut weights = cell.build(features, &mut Init::new(Key::new(1))).unwrap();
    let mut number = 0;
    weights.visit_mut(Path::root(""), &mut |_, mut tensor| {
        number += 1;
        // Smaller for wide layers, as initialisers make them: else rounding grows by itself over the steps. Powers of two
        // keep the numbers those that both precisions hold.
        let halvings = (tensor.shape()[0] / 8).checked_ilog2().map_or(0, |power| power.div_ceil(2));
        let scale = F::of(0.5_f64.powi(halvings as i32));
        let values = random::<F, _>(tensor.raw_dim(), Key::new(2).fold(number));
        tensor.assign(&(values * scale));
    });
    weights
}

/// What a pass gets from outside, time first.
#[derive(Clone)]
struct Problem<F> {
    x: Array3<F>,
    initial: State<F>,
    dy: Array3<F>,
    dlast: State<F>,
}

const FEATURES: usize = 4;

impl<F: Scalar> Problem<F> {
    fn new(widths: Widths, steps: usize, batch: usize) -> Self {
        let key = Key::new(3);
        let state = |key: Key| {
            let parts = widths.as_slice().iter().enumerate();
            State { parts: parts.map(|(part, &width)| random((batch, width), key.fold(part as u64))).collect() }
        };
        Problem {
            x: random((steps, batch, FEATURES), key.fold(0)),
            initial: state(key.fold(1)),
            // One more than no steps: the gradient of the last output is one of these.
            dy: random((steps.max(1), batch, widths.as_slice()[0]), key.fold(2)),
            dlast: state(key.fold(3)),
        }
    }

    fn samples(&self, range: Range<usize>) -> Self {
        let range = Slice::from(range);
        let cut = |a: &Array3<F>| a.slice_axis(Axis(1), range).as_standard_layout().into_owned();
        let state = |s: &State<F>| State {
            parts: s.parts.iter().map(|p| p.slice_axis(Axis(0), range).as_standard_layout().into_owned()).collect(),
        };
        Problem { x: cut(&self.x), initial: state(&self.initial), dy: cut(&self.dy), dlast: state(&self.dlast) }
    }

    fn steps(&self, range: Range<usize>) -> Self {
        let cut = |a: &Array3<F>| a.slice_axis(Axis(0), range.clone().into()).to_owned();
        Problem { x: cut(&self.x), dy: cut(&self.dy), ..self.clone() }
    }
}

/// What a pass gives: outputs, states and gradients, named.
type Outcome<F> = Vec<(String, ArrayD<F>)>;

fn add_state<F: Scalar>(outcome: &mut Outcome<F>, name: &str, state: State<F>) {
    outcome.extend(state.parts.into_iter().enumerate().map(|(i, part)| (format!("{name}/{i}"), part.into_dyn())));
}

fn numbers<F: Scalar>(tensor: Tensor<F>) -> ArrayD<F> {
    match tensor {
        Tensor::Sequence(steps) => steps.into_dyn(),
        other => other.rows().to_owned().into_dyn(),
    }
}

fn forward<F: Scalar, C: Cell<F>>(
    layer: &Rnn<C>,
    weights: &C::Weights,
    problem: &Problem<F>,
    cache: &mut RnnCache<F, C>,
    pass: Pass<'_>,
) -> Outcome<F> {
    let mut last = State::zeros(problem.x.dim().1, layer.states());
    let (x, mut y) = (Tensor::Sequence(problem.x.clone()), Tensor::default());
    layer.forward_from(weights, &x, Some(&problem.initial), &mut y, Some(&mut last), cache, pass);
    let mut outcome = vec![("y".to_string(), numbers(y))];
    add_state(&mut outcome, "last", last);
    outcome
}

/// Forward and back.
fn train<F: Scalar, C: Cell<F>>(
    layer: &Rnn<C>,
    weights: &C::Weights,
    problem: &Problem<F>,
    cache: &mut RnnCache<F, C>,
    pass: Pass<'_>,
) -> Outcome<F> {
    let mut outcome = forward(layer, weights, problem, cache, pass);
    let (steps, batch, _) = problem.x.dim();
    let dy = if outcome[0].1.ndim() == 3 {
        Tensor::Sequence(problem.dy.slice_axis(Axis(0), (..steps).into()).to_owned())
    } else {
        Tensor::Vector(problem.dy.index_axis(Axis(0), steps.max(1) - 1).to_owned())
    };
    let mut gradients = weights.clone();
    gradients.visit_mut(Path::root(""), &mut |_, mut tensor| tensor.fill(F::zero()));
    let (x, mut dx) = (Tensor::Sequence(problem.x.clone()), Tensor::default());
    let mut dinitial = State::zeros(batch, layer.states());
    let (dlast, to) = (Some(&problem.dlast), Some(&mut dinitial));
    layer.backward_from(weights, &x, &dy, dlast, Some(&mut dx), to, cache, &mut gradients, pass);
    outcome.push(("dx".into(), numbers(dx)));
    add_state(&mut outcome, "dinitial", dinitial);
    gradients.visit(Path::root("dw"), &mut |path, tensor| outcome.push((path.to_string(), tensor.to_owned())));
    outcome
}

fn expect_equal<F: Scalar>(left: &Outcome<F>, right: &Outcome<F>, tolerance: f64, what: &str) {
    assert_eq!(left.len(), right.len(), "{what}");
    for ((name, a), (other, b)) in left.iter().zip(right) {
        assert_eq!((name, a.shape()), (other, b.shape()), "{what}");
        for (index, (a, b)) in a.iter().zip(b).enumerate() {
            let (a, b) = (a.widen(), b.widen());
            let error = (a - b).abs() / a.abs().max(1.0);
            assert!(error <= tolerance, "{what}: {name}[{index}] is {a} or {b}, {error:e} apart");
        }
    }
}

fn get<'a, F>(outcome: &'a Outcome<F>, name: &str) -> &'a ArrayD<F> {
    &outcome.iter().find(|(known, _)| known == name).unwrap().1
}

/// Without dropout, and with each kind of it.
const RATES: [(f64, f64, bool); 5] =
    [(0.0, 0.0, false), (0.3, 0.0, false), (0.3, 0.0, true), (0.0, 0.3, false), (0.3, 0.3, true)];

fn with_rates<C>(layer: Rnn<C>, (dropout, recurrent, per_step): (f64, f64, bool)) -> Rnn<C> {
    layer.dropout(dropout).recurrent_dropout(recurrent).dropout_per_step(per_step)
}

/// The largest error of an outcome against the exact one, relative to what is larger than 1, and where it is.
fn worst_error<F: Scalar>(outcome: &Outcome<F>, exact: &Outcome<f64>) -> (f64, String) {
    assert_eq!(outcome.len(), exact.len());
    let mut worst = (0.0, String::new());
    for ((name, values), (other, exact)) in outcome.iter().zip(exact) {
        assert_eq!((name, values.shape()), (other, exact.shape()));
        for (index, (value, &exact)) in values.iter().zip(exact).enumerate() {
            let error = (value.widen() - exact).abs() / exact.abs().max(1.0);
            if error.is_nan() || error > worst.0 {
                worst = (error, format!("{name}[{index}] is {value} instead of {exact}"));
            }
        }
    }
    worst
}

/// Holds the fused run against the loop over steps in f64, whose own rounding does not count.
fn fused_is_stepwise<F: Scalar, C: Cell<F> + Cell<f64>>(layer: &Rnn<C>, tolerance: f64) {
    let weights = random_weights::<F, C>(layer.cell(), FEATURES);
    let exact_weights = random_weights::<f64, C>(layer.cell(), FEATURES);
    let widths = layer.states::<F>();
    let pass = Pass::training(Key::new(5));
    for rates in RATES {
        for (steps, batch) in [(1, 1), (2, 3), (7, 3), (3, 37)] {
            for sequences in [false, true] {
                let fused = with_rates(layer.clone(), rates).return_sequences(sequences);
                let stepwise = with_rates(Rnn::from_cell(Stepwise(layer.cell().clone())), rates);
                let stepwise = stepwise.return_sequences(sequences);
                let problem = Problem::<F>::new(widths, steps, batch);
                let left = train(&fused, &weights, &problem, &mut RnnCache::default(), pass);
                let problem = Problem::<f64>::new(widths, steps, batch);
                let exact = train(&stepwise, &exact_weights, &problem, &mut RnnCache::default(), pass);
                let (error, place) = worst_error(&left, &exact);
                assert!(error <= tolerance, "{fused:?} T={steps} B={batch}: {place}, {error:e} off");
            }
        }
    }
}

#[test]
fn the_fused_run_is_the_loop_over_steps() {
    // Widths that fill no vector, one of each kind, and several; batches below and above a tile's rows. With 2 units all
    // blocks of the GRU fill one vector.
    for units in [1, 2, 3, 8, 16, 33] {
        each_layer!(units, |layer| {
            fused_is_stepwise::<f64, _>(&layer, 1e-12);
            fused_is_stepwise::<f32, _>(&layer, 1e-5);
        });
    }
}

fn inference_is_training<F: Scalar, C: Cell<F>>(layer: &Rnn<C>, tolerance: f64) {
    let weights = random_weights::<F, C>(layer.cell(), FEATURES);
    // A rate that inference must not use.
    let dropping = layer.clone().dropout(0.5).recurrent_dropout(0.5);
    for (steps, batch) in [(1, 2), (31, 2), (32, 1), (33, 2), (64, 3), (100, 2)] {
        for sequences in [false, true] {
            let (layer, dropping) =
                (layer.clone().return_sequences(sequences), dropping.clone().return_sequences(sequences));
            let problem = Problem::new(layer.states(), steps, batch);
            let pass = Pass::training(Key::new(5));
            let trained = forward(&layer, &weights, &problem, &mut RnnCache::default(), pass);
            let run = forward(&dropping, &weights, &problem, &mut RnnCache::default(), Pass::inference());
            expect_equal(&trained, &run, tolerance, &format!("{layer:?} T={steps} B={batch}"));
        }
    }
}

/// Inputs as rows of a table give what the sequence of these rows gives, and the table gets the gradients of its rows.
fn lookup_is_the_sequence<C: Cell<f64>>(layer: &Rnn<C>) {
    const ROWS: usize = 5;
    let weights = random_weights::<f64, C>(layer.cell(), FEATURES);
    let table = random::<f64, _>((1, ROWS, FEATURES), Key::new(9));
    for (steps, batch) in [(1, 1), (7, 3), (3, 37)] {
        // Rows that come often, once and never.
        let tokens = Array2::from_shape_fn((steps, batch), |(t, b)| ((t * t + b) % (ROWS - 1)) as u32);
        let sequence =
            Array3::from_shape_fn((steps, batch, FEATURES), |(t, b, d)| table[[0, tokens[[t, b]] as usize, d]]);
        for training in [false, true] {
            let pass = if training { Pass::training(Key::new(5)) } else { Pass::inference() };
            assert!(Layer::<f64>::takes_lookups(layer, pass), "{layer:?}");
            let run = |x: Tensor<f64>| {
                let (mut y, mut dx, mut cache) = (Tensor::default(), Tensor::default(), RnnCache::default());
                layer.forward(&weights, &x, &mut y, &mut cache, pass);
                let mut gradients = weights.clone();
                gradients.visit_mut(Path::root(""), &mut |_, mut tensor| tensor.fill(0.0));
                if training {
                    let dy = Tensor::Vector(Array2::from_shape_fn(y.rows().dim(), |(b, h)| ((3 * b + h) as f64).cos()));
                    layer.backward(&weights, &x, &y, &dy, Some(&mut dx), &mut cache, &mut gradients, pass);
                }
                let mut outcome = vec![("y".to_string(), numbers(y))];
                gradients.visit(Path::root("dw"), &mut |path, g| outcome.push((path.to_string(), g.to_owned())));
                (outcome, numbers(dx))
            };
            let lookup = Tensor::Lookup(Lookup { tokens: tokens.clone(), table: table.clone() });
            let (looked_up, dtable) = run(lookup);
            let (whole, dx) = run(Tensor::Sequence(sequence.clone()));
            let what = format!("{layer:?} T={steps} B={batch}");
            expect_equal(&looked_up, &whole, 1e-12, &what);
            if training {
                let mut sums = Array3::<f64>::zeros((1, ROWS, FEATURES));
                for ((t, b), &token) in tokens.indexed_iter() {
                    let mut row = sums.slice_mut(ndarray::s![0, token as usize, ..]);
                    row += &dx.slice(ndarray::s![t, b, ..]);
                }
                let named = |array: ArrayD<f64>| vec![("dtable".to_string(), array)];
                expect_equal(&named(dtable), &named(sums.into_dyn()), 1e-12, &what);
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
        lookup_is_the_sequence(&Rnn::from_cell(Gated::new(Coupled, units)));
    }
    // Who cannot make use of a table is not offered one.
    assert!(!Layer::<f64>::takes_lookups(&Gru::new(3).reset_after(false), Pass::inference()));
    assert!(!Layer::<f64>::takes_lookups(&Rnn::from_cell(Minimal { units: 3 }), Pass::inference()));
    for dropping in [Lstm::new(3).dropout(0.1), Lstm::new(3).recurrent_dropout(0.1)] {
        assert!(!Layer::<f64>::takes_lookups(&dropping, Pass::training(Key::new(1))));
        assert!(Layer::<f64>::takes_lookups(&dropping, Pass::inference()));
    }
}

/// Steps one at a time give what the whole sequence gives, for one sample and for more than are few.
fn streaming_is_the_whole_run<F: Scalar, C: Cell<F>>(layer: &Rnn<C>, tolerance: f64) {
    let weights = random_weights::<F, C>(layer.cell(), FEATURES);
    for batch in [1, 2, 9] {
        let problem = Problem::<F>::new(layer.states(), 7, batch);
        let whole = forward(layer, &weights, &problem, &mut RnnCache::default(), Pass::inference());
        let (mut state, mut cache) = (problem.initial.clone(), RnnCache::default());
        for (t, x) in problem.x.axis_iter(Axis(0)).enumerate() {
            // Also from a view whose rows do not lie one after the other.
            let columns = x.t().as_standard_layout().into_owned();
            layer.step(&weights, if t % 2 == 0 { x } else { columns.t() }, &mut state, &mut cache);
        }
        let mut streamed = vec![("y".to_string(), state.parts[0].clone().into_dyn())];
        add_state(&mut streamed, "last", state);
        expect_equal(&streamed, &whole, tolerance, &format!("{layer:?} B={batch}"));
    }
}

#[test]
fn steps_one_at_a_time_are_the_whole_run() {
    for units in [1, 3, 8, 16, 33] {
        each_layer!(units, |layer| {
            streaming_is_the_whole_run::<f64, _>(&layer, 1e-12);
            streaming_is_the_whole_run::<f32, _>(&layer, 1e-6);
        });
    }
}

#[test]
fn inference_gives_what_training_gives_without_dropout() {
    each_layer!(9, |layer| {
        inference_is_training::<f64, _>(&layer, 1e-12);
        inference_is_training::<f32, _>(&layer, 1e-5);
    });
}

fn batch_is_sum_of_shards<C: Cell<f64>>(layer: &Rnn<C>) {
    let weights = random_weights::<f64, C>(layer.cell(), FEATURES);
    for rates in RATES {
        let layer = with_rates(layer.clone(), rates).return_sequences(true);
        let problem = Problem::new(layer.states(), 6, 5);
        let pass = Pass::training(Key::new(5));
        let whole = train(&layer, &weights, &problem, &mut RnnCache::default(), pass);
        let shard = |range: Range<usize>| {
            let pass = pass.from_sample(range.start);
            train(&layer, &weights, &problem.samples(range), &mut RnnCache::default(), pass)
        };
        let joined = shard(0..2).into_iter().zip(shard(2..5)).map(|((name, a), (_, b))| {
            let axis = Axis(usize::from(name == "y" || name == "dx"));
            let joined = if name.starts_with("dw") { a + b } else { concatenate![axis, a, b] };
            (name, joined)
        });
        expect_equal(&whole, &joined.collect(), 1e-12, &format!("{layer:?}"));
    }
}

#[test]
fn the_gradient_of_a_batch_is_the_sum_over_its_shards() {
    each_layer!(3, |layer| batch_is_sum_of_shards(&layer));
}

fn two_parts_are_one_sequence<C: Cell<f64>>(layer: &Rnn<C>) {
    let weights = random_weights::<f64, C>(layer.cell(), FEATURES);
    // Masks that all steps share are the same in both parts.
    for rates in RATES.into_iter().filter(|&(_, _, per_step)| !per_step) {
        let layer = with_rates(layer.clone(), rates).return_sequences(true);
        let states = layer.states().as_slice().len();
        let (problem, pass) = (Problem::new(layer.states(), 9, 2), Pass::training(Key::new(5)));
        let whole = train(&layer, &weights, &problem, &mut RnnCache::default(), pass);
        let state = |outcome: &Outcome<f64>, name: &str| State {
            parts: (0..states)
                .map(|i| get(outcome, &format!("{name}/{i}")).clone().into_dimensionality().unwrap())
                .collect(),
        };
        let (mut first, mut second) = (problem.steps(0..4), problem.steps(4..9));
        second.initial = state(&forward(&layer, &weights, &first, &mut RnnCache::default(), pass), "last");
        let after = train(&layer, &weights, &second, &mut RnnCache::default(), pass);
        first.dlast = state(&after, "dinitial");
        let before = train(&layer, &weights, &first, &mut RnnCache::default(), pass);
        let joined = before.into_iter().zip(after).map(|((name, a), (_, b))| {
            let joined = match &name {
                name if name.starts_with("dw") => a + b,
                name if name.starts_with("last") => b,
                name if name.starts_with("dinitial") => a,
                _ => concatenate![Axis(0), a, b],
            };
            (name, joined)
        });
        expect_equal(&whole, &joined.collect(), 1e-12, &format!("{layer:?}"));
    }
}

#[test]
fn two_parts_with_the_state_carried_over_are_one_sequence() {
    each_layer!(3, |layer| two_parts_are_one_sequence(&layer));
}

fn without_steps_the_state_stays<C: Cell<f64>>(layer: &Rnn<C>) {
    let weights = random_weights::<f64, C>(layer.cell(), FEATURES);
    let states = layer.states::<f64>().as_slice().len();
    for rates in RATES {
        for sequences in [false, true] {
            let layer = with_rates(layer.clone(), rates).return_sequences(sequences);
            let problem = Problem::new(layer.states(), 0, 3);
            // After a pass with steps, whose traces must not come back.
            let mut cache = RnnCache::default();
            train(&layer, &weights, &Problem::new(layer.states(), 4, 3), &mut cache, Pass::training(Key::new(5)));
            let outcome = train(&layer, &weights, &problem, &mut cache, Pass::training(Key::new(5)));
            if sequences {
                assert_eq!(get(&outcome, "y").shape(), [0, 3, 3]);
            } else {
                assert_eq!(*get(&outcome, "y"), problem.initial.parts[0].clone().into_dyn());
            }
            assert_eq!(get(&outcome, "dx").shape(), [0, 3, FEATURES]);
            for state in 0..states {
                let last = get(&outcome, &format!("last/{state}"));
                assert_eq!(*last, problem.initial.parts[state].clone().into_dyn(), "{layer:?}");
                let mut expected = problem.dlast.parts[state].clone();
                if state == 0 && !sequences {
                    expected += &problem.dy.index_axis(Axis(0), 0);
                }
                assert_eq!(*get(&outcome, &format!("dinitial/{state}")), expected.into_dyn(), "{layer:?}");
            }
            for (name, gradient) in outcome.iter().filter(|(name, _)| name.starts_with("dw")) {
                assert!(gradient.iter().all(|&g| g == 0.0), "{layer:?}: {name}");
            }
            let run = forward(&layer, &weights, &problem, &mut cache, Pass::inference());
            assert_eq!(run, outcome[..run.len()], "{layer:?}");
        }
    }
}

#[test]
fn a_sequence_without_steps_leaves_the_state_as_it_is() {
    each_layer!(3, |layer| without_steps_the_state_stays(&layer));
}

fn nothing_comes_of_no_samples<C: Cell<f64>>(layer: &Rnn<C>) {
    let weights = random_weights::<f64, C>(layer.cell(), FEATURES);
    for rates in RATES {
        for (steps, sequences) in [(0, false), (0, true), (5, false), (5, true)] {
            let layer = with_rates(layer.clone(), rates).return_sequences(sequences);
            let problem = Problem::new(layer.states(), steps, 0);
            let outcome = train(&layer, &weights, &problem, &mut RnnCache::default(), Pass::training(Key::new(5)));
            let shape: &[usize] = if sequences { &[steps, 0, 3] } else { &[0, 3] };
            assert_eq!(get(&outcome, "y").shape(), shape, "{layer:?}");
            assert_eq!(get(&outcome, "dx").shape(), [steps, 0, FEATURES], "{layer:?}");
            for (name, gradient) in outcome.iter().filter(|(name, _)| name.starts_with("dw")) {
                assert!(gradient.iter().all(|&g| g == 0.0), "{layer:?}: {name}");
            }
            let run = forward(&layer, &weights, &problem, &mut RnnCache::default(), Pass::inference());
            assert_eq!(run, outcome[..run.len()], "{layer:?}");
        }
    }
}

#[test]
fn a_batch_without_samples_gives_nothing() {
    each_layer!(3, |layer| nothing_comes_of_no_samples(&layer));
}

#[test]
#[should_panic(expected = "matrices of the sizes [(2, 3)], but layer and batch need [(2, 3), (2, 3)]")]
fn a_state_that_lacks_a_part_is_refused() {
    let layer = Lstm::new(3);
    let weights = random_weights::<f64, _>(layer.cell(), FEATURES);
    let mut problem = Problem::<f64>::new(layer.states::<f64>(), 4, 2);
    problem.initial.parts.pop();
    forward(&layer, &weights, &problem, &mut RnnCache::default(), Pass::inference());
}

fn a_used_cache_is_as_a_fresh_one<F: Scalar, C: Cell<F>>(layer: &Rnn<C>) {
    let weights = random_weights::<F, C>(layer.cell(), FEATURES);
    let mut used = RnnCache::default();
    // Sizes up and down, dropout on and off, inference in between.
    for (round, (steps, batch)) in [(40, 6), (3, 2), (7, 5), (1, 1), (50, 7)].into_iter().enumerate() {
        for rates in RATES {
            let layer = with_rates(layer.clone(), rates).return_sequences(round % 2 == 0);
            let (problem, pass) = (Problem::new(layer.states(), steps, batch), Pass::training(Key::new(round as u64)));
            let what = format!("{layer:?} T={steps} B={batch}");
            let fresh = train(&layer, &weights, &problem, &mut RnnCache::default(), pass);
            expect_equal(&fresh, &train(&layer, &weights, &problem, &mut used, pass), 0.0, &what);
            let fresh = forward(&layer, &weights, &problem, &mut RnnCache::default(), Pass::inference());
            expect_equal(&fresh, &forward(&layer, &weights, &problem, &mut used, Pass::inference()), 0.0, &what);
        }
    }
}

#[test]
fn a_cache_that_was_used_for_other_sizes_gives_the_same_bits() {
    each_layer!(5, |layer| {
        a_used_cache_is_as_a_fresh_one::<f64, _>(&layer);
        a_used_cache_is_as_a_fresh_one::<f32, _>(&layer);
    });
}

#[test]
fn every_parameter_gets_a_gradient() {
    fn check<C: Cell<f64>>(layer: &Rnn<C>) {
        let weights = random_weights::<f64, C>(layer.cell(), FEATURES);
        let (problem, pass) = (Problem::new(layer.states(), 3, 2), Pass::training(Key::new(5)));
        for (name, tensor) in train(layer, &weights, &problem, &mut RnnCache::default(), pass) {
            assert!(tensor.iter().all(|&g| g != 0.0), "{layer:?}: {name} has zeros: {tensor}");
        }
    }
    each_layer!(3, |layer| check(&layer));
}

#[test]
fn cells_of_ones_own_have_right_gradients() {
    fn check<C: Cell<f64>>(layer: &Rnn<C>) {
        assert!(Layer::<f64>::output_form(layer, Form::sequence(2, 4)).is_ok());
        for (steps, batch) in [(1, 1), (1, 3), (2, 1), (2, 3), (7, 1), (7, 3)] {
            for rates in RATES {
                for sequences in [false, true] {
                    let layer = with_rates(layer.clone(), rates).return_sequences(sequences);
                    let pass = Pass::training(Key::new(3));
                    let report = gradcheck::recurrent(&layer, Form::sequence(steps, 4), batch, pass).unwrap();
                    assert!(report.error() < gradcheck::TOLERANCE, "{layer:?} T={steps} B={batch}: {report}");
                    assert!(report.compared > 0);
                }
            }
        }
    }
    check(&Rnn::from_cell(Gated::new(Coupled, 3)));
    check(&Rnn::from_cell(Minimal { units: 3 }));
}
