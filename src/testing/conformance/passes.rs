//! Laws of a single pass: sizes, caches and gradients.

use ndarray::{Array3, ArrayD, Dimension};

use super::problem::{
    FEATURES, Options, Outcome, Problem, add_state, equal, forward, gaps, random, random_weights, train, train_into,
    training,
};
use super::{Checked, Verdict, hold};
use crate::layer::{Layer, Pass};
use crate::numeric::Scalar;
use crate::random::Key;
use crate::recurrent::StateSeries;
use crate::recurrent::{Cell, Rnn, RnnCache, Step, StepBack};
use crate::tensor::Form;
use crate::tensor::State;
use crate::testing::gradcheck;
use crate::weights::{Params, Path, zeros_like};

/// Returns the names and shapes of weights, or of their gradients.
fn shapes<W: Params<f64>>(weights: &W) -> Vec<(String, Vec<usize>)> {
    let mut shapes = Vec::new();
    weights.visit(Path::root(""), &mut |path, tensor| shapes.push((path.to_string(), tensor.shape().to_vec())));
    shapes
}

/// Runs one step and its backward step. Returns the gradients of states, input and products, which start from `start`,
/// and those of the weights.
fn step_back<C: Cell<f64>>(
    cell: &C,
    weights: &C::Weights,
    problem: &Problem<f64>,
    start: f64,
    cache: &mut C::Cache,
) -> (Outcome<f64>, C::Weights) {
    let (widths, batch) = (cell.states(), problem.x.dim().1);
    let mut states = StateSeries::default();
    states.reset(1, batch, widths, true, Some(&problem.initial));
    let mut series = states.view_mut();
    let (previous, next) = series.around(0);
    let at = Step { x: problem.x.view(), h: None, masks: None, previous, t: 0, pass: training().masked(None) };
    cell.step(weights, &at, next, cache);

    let mut gradients = zeros_like(weights);
    let mut dprevious = State::zeros(batch, widths);
    dprevious.parts.iter_mut().for_each(|part| part.fill(start));
    let mut dx = Array3::from_elem((1, batch, FEATURES), start);
    let mut dh = Array3::from_elem((1, batch, widths.as_slice()[0]), start);
    let at = Step {
        x: problem.x.view(),
        h: None,
        masks: None,
        previous: states.view().before(0),
        t: 0,
        pass: training().masked(None),
    };
    let (dnext, dprevious_to) = (problem.dlast.views(), dprevious.views_mut());
    let next = states.view().before(1);
    let back = StepBack { next, dnext, dprevious: dprevious_to, dx: dx.view_mut(), dh: dh.view_mut() };
    cell.step_back(weights, &at, back, cache, &mut gradients);
    let mut outcome = vec![("dx".to_string(), dx.into_dyn()), ("dh".to_string(), dh.into_dyn())];
    add_state(&mut outcome, "dprevious", dprevious);
    (outcome, gradients)
}

/// Checks that a step writes every number of every state of [`Cell::states`], that a backward step keeps the shapes of
/// the weights' gradients, and that weights are in standard layout.
pub fn steps_keep_sizes<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    hold("steps_keep_sizes", |case| {
        let cell = layer.cell();
        let widths = layer.states::<f64>();
        Layer::<f64>::output_form(layer, Form::sequence(1, FEATURES)).map_err(|error| error.to_string())?;
        for batch in [1, 3] {
            *case = format!("one step of B={batch} D={FEATURES}, states of the widths {:?}", widths.as_slice());
            let weights = random_weights::<f64, C>(cell)?;
            let mut scattered = None;
            weights.visit(Path::root(""), &mut |path, tensor| {
                if !tensor.is_standard_layout() {
                    scattered = Some(path.to_string());
                }
            });
            if let Some(name) = scattered {
                return Err(format!("weight {name} is not in standard layout; make it by Init::tensor"));
            }

            let problem = Problem::<f64>::new(widths, 1, batch);
            let mut states = StateSeries::default();
            states.reset(1, batch, widths, true, Some(&problem.initial));
            let mut series = states.view_mut();
            let (previous, mut next) = series.around(0);
            (0..widths.as_slice().len()).for_each(|part| next.slice_mut(part).fill(f64::NAN));
            let mut cache = <C as Cell<f64>>::Cache::default();
            let at = Step { x: problem.x.view(), h: None, masks: None, previous, t: 0, pass: training().masked(None) };
            cell.step(&weights, &at, next, &mut cache);
            for part in 0..widths.as_slice().len() {
                let written = states.view().before(1);
                if let Some((index, _)) = written.view(part).indexed_iter().find(|(_, value)| value.is_nan()) {
                    return Err(format!(
                        "step leaves state {part} unwritten at {index:?}, or writes NaN; it has to write all of `next`"
                    ));
                }
            }

            let (_, gradients) = step_back(cell, &weights, &problem, 0.0, &mut cache);
            let (needs, got) = (shapes(&weights), shapes(&gradients));
            if needs != got {
                return Err(format!("step_back leaves gradients {got:?}, but the weights are {needs:?}"));
            }
        }
        Ok(())
    })
}

/// Checks that a cache that was used for other sizes, with and without dropout, in training and inference, gives the
/// same bits as a new one.
pub fn a_used_cache_is_as_a_fresh_one<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    fn check<F: Scalar, C: Cell<F>>(layer: &Rnn<C>, case: &mut String) -> Checked {
        let weights = random_weights::<F, C>(layer.cell())?;
        let mut used = RnnCache::default();
        // Sizes up and down, dropout and masks on and off, inference in between.
        for (round, (steps, batch)) in [(40, 6), (3, 2), (7, 5), (1, 1), (50, 7)].into_iter().enumerate() {
            for options in Options::all_rates() {
                let options = Options { sequences: round % 2 == 0, ..options };
                *case = options.case::<F>(steps, batch);
                let layer = options.layer(layer.cell());
                let mut problem = Problem::new(layer.states(), steps, batch);
                problem.mask = (round % 3 == 1).then(|| gaps(steps, batch));
                let pass = Pass::training(Key::new(round as u64));
                let fresh = train(&layer, &weights, &problem, &mut RnnCache::default(), pass);
                let again = train(&layer, &weights, &problem, &mut used, pass);
                equal(("with a used cache", &again), ("with a fresh one", &fresh), 0.0)?;
                let fresh = forward(&layer, &weights, &problem, &mut RnnCache::default(), Pass::inference());
                let again = forward(&layer, &weights, &problem, &mut used, Pass::inference());
                equal(("with a used cache", &again), ("with a fresh one", &fresh), 0.0)?;
            }
        }
        Ok(())
    }
    hold("a_used_cache_is_as_a_fresh_one", |case| {
        check::<f64, C>(layer, case)?;
        check::<f32, C>(layer, case)
    })
}

/// Checks that gradients are added to the present values: those of weights, for the sum over steps and shards, and
/// those of states, inputs and products, for a cell around another one.
pub fn gradients_are_added<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    hold("gradients_are_added", |case| {
        let weights = random_weights::<f64, C>(layer.cell())?;
        *case = format!("one step back of B=3 D={FEATURES}");
        let problem = Problem::<f64>::new(layer.states::<f64>(), 1, 3);
        // The second run uses the cache of the first.
        let mut cache = <C as Cell<f64>>::Cache::default();
        let (from_zero, _) = step_back(layer.cell(), &weights, &problem, 0.0, &mut cache);
        let (from_half, _) = step_back(layer.cell(), &weights, &problem, 0.5, &mut cache);
        let expected = from_zero.into_iter().map(|(name, gradient)| (name, gradient + 0.5)).collect();
        equal(("in gradients that are ½", &from_half), ("added to them", &expected), 1e-12)?;
        for options in Options::all_rates() {
            *case = options.case::<f64>(1, 3);
            let layer = options.layer(layer.cell());
            let problem = Problem::<f64>::new(layer.states::<f64>(), 1, 3);
            let alone = train(&layer, &weights, &problem, &mut RnnCache::default(), training());
            let mut before = weights.clone();
            let mut number = 0;
            before.visit_mut(Path::root(""), &mut |_, mut tensor| {
                number += 1;
                let values: ArrayD<f64> = random(tensor.raw_dim(), Key::new(11).fold(number));
                tensor.assign(&values);
            });
            let sum = train_into(&layer, &weights, &problem, &mut RnnCache::default(), training(), before.clone());
            let mut expected: Outcome<f64> = alone;
            before.visit(Path::root("dw"), &mut |path, tensor| {
                let name = path.to_string();
                expected.iter_mut().filter(|(known, _)| *known == name).for_each(|(_, sum)| *sum += &tensor);
            });
            equal(("in gradients that are not zero", &sum), ("added to them", &expected), 1e-12)?;
        }
        Ok(())
    })
}

/// Checks that every weight gets a gradient other than zero, with random inputs over 7 steps of 3 samples.
pub fn every_parameter_gets_a_gradient<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    hold("every_parameter_gets_a_gradient", |case| {
        let options = Options { sequences: true, ..Options::default() };
        *case = options.case::<f64>(7, 3);
        let weights = random_weights::<f64, C>(layer.cell())?;
        let layer = options.layer(layer.cell());
        let problem = Problem::<f64>::new(layer.states::<f64>(), 7, 3);
        let outcome = train(&layer, &weights, &problem, &mut RnnCache::default(), training());
        for (name, gradient) in outcome.iter().filter(|(name, _)| name.starts_with("dw")) {
            if let Some((index, _)) = gradient.indexed_iter().find(|&(_, &g)| g == 0.0) {
                return Err(format!("{name}{:?} is zero; step_back lacks a term", index.slice()));
            }
        }
        Ok(())
    })
}

/// Checks that gradients of weights, inputs and initial states agree with central differences in `f64`
/// ([`gradcheck::recurrent`]): with every kind of dropout, with masks of gaps and of whole samples, in both orders of
/// time, with outputs set to zero by the mask, and for the last output and all outputs.
pub fn gradients_are_right<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    /// Whether there is a mask, whether the layer goes backwards, and whether masked steps output zero.
    const ORDERS: [(bool, bool, bool); 5] =
        [(false, false, false), (true, true, true), (false, true, false), (true, false, false), (true, false, true)];
    hold("gradients_are_right", |case| {
        for (number, rates) in Options::all_rates().into_iter().enumerate() {
            for (order, (masked, backwards, zero)) in ORDERS.into_iter().enumerate() {
                let options = Options { sequences: (number + order) % 2 == 0, backwards, zero, ..rates };
                for (steps, batch) in [(1, 1), (7, 3)] {
                    *case = options.case::<f64>(steps, batch) + if masked { ", a mask" } else { "" };
                    let mask = masked.then(|| gaps(steps, batch));
                    let pass = training().masked(mask.as_ref().map(|mask| mask.view()));
                    let layer = options.layer(layer.cell());
                    let report = gradcheck::recurrent(&layer, Form::sequence(steps, FEATURES), batch, pass)
                        .map_err(|error| error.to_string())?;
                    // Written so that NaN fails as well.
                    if !(report.compared > 0 && report.error() < gradcheck::TOLERANCE) {
                        return Err(report.to_string());
                    }
                }
            }
        }
        Ok(())
    })
}
