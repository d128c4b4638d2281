//! Laws of sequences: results do not depend on how sequences are run, split or joined.

use std::ops::Range;

use ndarray::{ArrayD, Axis, concatenate};

use super::problem::{
    FEATURES, Options, Outcome, Problem, Stepwise, add_state, equal, forward, get, random_weights, train, training,
};
use super::{Checked, Verdict, hold};
use crate::layer::Pass;
use crate::numeric::Scalar;
use crate::recurrent::{Cell, Rnn, RnnCache};
use crate::tensor::State;

/// Checks that [`Cell::run`] and [`Cell::run_back`] agree with the loop over [`Cell::step`] and [`Cell::step_back`] in
/// `f64`, whose own rounding is negligible: to 10⁻¹² in `f64` and to 10⁻⁵ in `f32`. For the default implementations it
/// checks only the precision.
pub fn run_is_the_loop_over_steps<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    fn check<F: Scalar, C: Cell<F> + Cell<f64>>(layer: &Rnn<C>, tolerance: f64, case: &mut String) -> Checked {
        let weights = random_weights::<F, C>(layer.cell())?;
        let exact_weights = random_weights::<f64, C>(layer.cell())?;
        let stepwise = Stepwise(layer.cell().clone());
        for options in Options::all_rates().into_iter().flat_map(Options::both_outputs) {
            for (steps, batch) in [(1, 1), (2, 3), (7, 3), (3, 37)] {
                *case = options.case::<F>(steps, batch);
                let widths = layer.states::<F>();
                let (run, steps_alone) = (options.layer(layer.cell()), options.layer(&stepwise));
                let problem = Problem::<F>::new(widths, steps, batch);
                let whole = train(&run, &weights, &problem, &mut RnnCache::default(), training());
                let problem = Problem::<f64>::new(widths, steps, batch);
                let exact = train(&steps_alone, &exact_weights, &problem, &mut RnnCache::default(), training());
                equal(("by run", &whole), ("by the loop over steps in F64", &exact), tolerance)?;
            }
        }
        Ok(())
    }
    hold("run_is_the_loop_over_steps", |case| {
        check::<f64, C>(layer, 1e-12, case)?;
        check::<f32, C>(layer, 1e-5, case)
    })
}

/// Checks that inference gives the results of training without dropout and ignores the layer's dropout rates: to 10⁻¹²
/// in `f64`, 10⁻⁵ in `f32`.
pub fn inference_is_training<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    fn check<F: Scalar, C: Cell<F>>(layer: &Rnn<C>, tolerance: f64, case: &mut String) -> Checked {
        let weights = random_weights::<F, C>(layer.cell())?;
        for options in Options::default().both_outputs() {
            let dropping = Options { dropout: 0.5, recurrent_dropout: 0.5, ..options }.layer(layer.cell());
            let layer = options.layer(layer.cell());
            for (steps, batch) in [(1, 2), (31, 2), (32, 1), (33, 2), (64, 3), (100, 2)] {
                *case = options.case::<F>(steps, batch);
                let problem = Problem::new(layer.states(), steps, batch);
                let trained = forward(&layer, &weights, &problem, &mut RnnCache::default(), training());
                let run = forward(&dropping, &weights, &problem, &mut RnnCache::default(), Pass::inference());
                equal(("in inference", &run), ("in training", &trained), tolerance)?;
            }
        }
        Ok(())
    }
    hold("inference_is_training", |case| {
        check::<f64, C>(layer, 1e-12, case)?;
        check::<f32, C>(layer, 1e-5, case)
    })
}

/// Checks that single steps ([`Rnn::step`], [`Cell::advance`]) give the results of the whole sequence, for 1, 2 and 9
/// samples: to 10⁻¹² in `f64`, 10⁻⁶ in `f32`.
pub fn streaming_is_the_whole_run<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    fn check<F: Scalar, C: Cell<F>>(layer: &Rnn<C>, tolerance: f64, case: &mut String) -> Checked {
        let weights = random_weights::<F, C>(layer.cell())?;
        let layer = Options::default().layer(layer.cell());
        for batch in [1, 2, 9] {
            *case = Options::default().case::<F>(7, batch);
            let problem = Problem::<F>::new(layer.states(), 7, batch);
            let whole = forward(&layer, &weights, &problem, &mut RnnCache::default(), Pass::inference());
            let (mut state, mut cache) = (problem.initial.clone(), RnnCache::default());
            for (t, x) in problem.x.axis_iter(Axis(0)).enumerate() {
                // Every second view is not in standard layout.
                let columns = x.t().as_standard_layout().into_owned();
                layer.step(&weights, if t % 2 == 0 { x } else { columns.t() }, &mut state, &mut cache);
            }
            let mut streamed = vec![("y".to_string(), state.parts[0].clone().into_dyn())];
            add_state(&mut streamed, "last", state);
            equal(("step by step", &streamed), ("as a whole", &whole), tolerance)?;
        }
        Ok(())
    }
    hold("streaming_is_the_whole_run", |case| {
        check::<f64, C>(layer, 1e-12, case)?;
        check::<f32, C>(layer, 1e-6, case)
    })
}

/// Checks that a batch gives the outputs of its shards and the sum of their gradients. So samples do not affect each
/// other, and dropout depends on the sample.
pub fn a_batch_is_the_sum_of_its_shards<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    hold("a_batch_is_the_sum_of_its_shards", |case| {
        let weights = random_weights::<f64, C>(layer.cell())?;
        for options in Options::all_rates() {
            let options = Options { sequences: true, ..options };
            *case = options.case::<f64>(6, 5);
            let layer = options.layer(layer.cell());
            let problem = Problem::<f64>::new(layer.states::<f64>(), 6, 5);
            let whole = train(&layer, &weights, &problem, &mut RnnCache::default(), training());
            let shard = |range: Range<usize>| {
                let pass = training().from_sample(range.start);
                train(&layer, &weights, &problem.samples(range), &mut RnnCache::default(), pass)
            };
            let joined = shard(0..2).into_iter().zip(shard(2..5)).map(|((name, a), (_, b))| {
                let axis = Axis(usize::from(name == "y" || name == "dx"));
                let joined = if name.starts_with("dw") { a + b } else { concatenate![axis, a, b] };
                (name, joined)
            });
            equal(("as one batch", &whole), ("in two shards", &joined.collect()), 1e-12)?;
        }
        Ok(())
    })
}

/// Checks that two parts of a sequence, the second from the final state of the first, give the results of the whole,
/// and the same gradients, with that of the state passed back from the second to the first.
pub fn two_parts_are_one_sequence<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    hold("two_parts_are_one_sequence", |case| {
        let weights = random_weights::<f64, C>(layer.cell())?;
        // Only dropout masks that all steps share are the same in both parts.
        for options in Options::all_rates().into_iter().filter(|options| !options.per_step) {
            let options = Options { sequences: true, ..options };
            *case = options.case::<f64>(9, 2);
            let layer = options.layer(layer.cell());
            let widths = layer.states::<f64>();
            let state = |outcome: &Outcome<f64>, name: &str| State {
                parts: (0..widths.as_slice().len())
                    .map(|i| {
                        get(outcome, &format!("{name}/{i}")).clone().into_dimensionality().expect("it is a matrix")
                    })
                    .collect(),
            };
            let problem = Problem::<f64>::new(widths, 9, 2);
            let run = |problem: &Problem<f64>| train(&layer, &weights, problem, &mut RnnCache::default(), training());
            let whole = run(&problem);
            let (mut first, mut second) = (problem.steps(0..4), problem.steps(4..9));
            second.initial = state(&run(&first), "last");
            let after = run(&second);
            first.dlast = state(&after, "dinitial");
            let joined = run(&first).into_iter().zip(after).map(|((name, a), (_, b))| {
                let joined = match &name {
                    name if name.starts_with("dw") => a + b,
                    name if name.starts_with("last") => b,
                    name if name.starts_with("dinitial") => a,
                    _ => concatenate![Axis(0), a, b],
                };
                (name, joined)
            });
            equal(("as a whole", &whole), ("in two parts", &joined.collect()), 1e-12)?;
        }
        Ok(())
    })
}

fn expect_zero_gradients(outcome: &Outcome<f64>) -> Checked {
    match outcome.iter().find(|(name, gradient)| name.starts_with("dw") && gradient.iter().any(|&g| g != 0.0)) {
        Some((name, _)) => Err(format!("{name} is not zero, with nothing to learn from")),
        None => Ok(()),
    }
}

fn expect_shape(outcome: &Outcome<f64>, name: &str, shape: &[usize]) -> Checked {
    let got = get(outcome, name).shape();
    if got == shape { Ok(()) } else { Err(format!("{name} has shape {got:?} instead of {shape:?}")) }
}

fn expect_same(outcome: &Outcome<f64>, name: &str, expected: ArrayD<f64>, why: &str) -> Checked {
    if *get(outcome, name) == expected { Ok(()) } else { Err(format!("{name} is not {why}")) }
}

/// Checks that a sequence without steps leaves the state and its gradient unchanged, whatever the cache was used for
/// before.
pub fn without_steps_the_state_stays<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    hold("without_steps_the_state_stays", |case| {
        let weights = random_weights::<f64, C>(layer.cell())?;
        let widths = layer.states::<f64>();
        for options in Options::all_rates().into_iter().flat_map(Options::both_outputs) {
            *case = options.case::<f64>(0, 3);
            let layer = options.layer(layer.cell());
            let problem = Problem::<f64>::new(widths, 0, 3);
            // A pass with steps first, whose values in the cache must have no effect.
            let mut cache = RnnCache::default();
            train(&layer, &weights, &Problem::new(widths, 4, 3), &mut cache, training());
            let outcome = train(&layer, &weights, &problem, &mut cache, training());
            if options.sequences {
                expect_shape(&outcome, "y", &[0, 3, widths.as_slice()[0]])?;
            } else {
                expect_same(&outcome, "y", problem.initial.parts[0].clone().into_dyn(), "the initial output")?;
            }
            expect_shape(&outcome, "dx", &[0, 3, FEATURES])?;
            for part in 0..widths.as_slice().len() {
                let initial = problem.initial.parts[part].clone().into_dyn();
                expect_same(&outcome, &format!("last/{part}"), initial, "the initial state")?;
                let mut expected = problem.dlast.parts[part].clone();
                if part == 0 && !options.sequences {
                    expected += &problem.dy.index_axis(Axis(0), 0);
                }
                let why = "the gradient of the last state";
                expect_same(&outcome, &format!("dinitial/{part}"), expected.into_dyn(), why)?;
            }
            expect_zero_gradients(&outcome)?;
            let run = forward(&layer, &weights, &problem, &mut cache, Pass::inference());
            equal(("in inference", &run), ("in training", &outcome[..run.len()].to_vec()), 0.0)?;
        }
        Ok(())
    })
}

/// Checks that a batch without samples gives outputs without rows, and zero gradients of weights.
pub fn without_samples_nothing_comes<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    hold("without_samples_nothing_comes", |case| {
        let weights = random_weights::<f64, C>(layer.cell())?;
        let widths = layer.states::<f64>();
        for options in Options::all_rates().into_iter().flat_map(Options::both_outputs) {
            for steps in [0, 5] {
                *case = options.case::<f64>(steps, 0);
                let layer = options.layer(layer.cell());
                let problem = Problem::<f64>::new(widths, steps, 0);
                let outcome = train(&layer, &weights, &problem, &mut RnnCache::default(), training());
                let units = widths.as_slice()[0];
                let shape = if options.sequences { vec![steps, 0, units] } else { vec![0, units] };
                expect_shape(&outcome, "y", &shape)?;
                expect_shape(&outcome, "dx", &[steps, 0, FEATURES])?;
                expect_zero_gradients(&outcome)?;
                let run = forward(&layer, &weights, &problem, &mut RnnCache::default(), Pass::inference());
                equal(("in inference", &run), ("in training", &outcome[..run.len()].to_vec()), 0.0)?;
            }
        }
        Ok(())
    })
}
