//! Laws of masks and of the order of time.

use ndarray::{Array2, Axis, Slice};

use super::problem::{
    FEATURES, Options, Outcome, Problem, equal, forward, gaps, get, random, random_weights, train, training,
};
use super::{Checked, Verdict, hold};
use crate::layer::Pass;
use crate::numeric::{Number, Scalar};
use crate::random::Key;
use crate::recurrent::{Cell, Rnn, RnnCache};

/// Checks that a step that the mask leaves out keeps the bits of every state and gives its input no gradient.
pub fn masked_steps_leave_the_state<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    fn check<F: Scalar, C: Cell<F>>(layer: &Rnn<C>, case: &mut String) -> Checked {
        let (steps, batch) = (8, 3);
        let weights = random_weights::<F, C>(layer.cell())?;
        for options in Options::all_rates() {
            let options = Options { sequences: true, ..options };
            *case = options.case::<F>(steps, batch) + ", a mask";
            let layer = options.layer(layer.cell());
            let mut mask = gaps(steps, batch);
            mask.slice_axis_mut(Axis(0), Slice::from(6..)).fill(false);
            let problem = Problem::<F>::new(layer.states(), steps, batch).masked(mask.clone());
            let outcome = train(&layer, &weights, &problem, &mut RnnCache::default(), training());
            let (y, dx) = (get(&outcome, "y"), get(&outcome, "dx"));
            for ((t, b), _) in mask.indexed_iter().filter(|(_, counts)| !**counts) {
                let after = y.index_axis(Axis(0), t).index_axis_move(Axis(0), b).to_owned();
                let before = match t {
                    0 => problem.initial.parts[0].row(b).into_dyn().to_owned(),
                    _ => y.index_axis(Axis(0), t - 1).index_axis_move(Axis(0), b).to_owned(),
                };
                if after != before {
                    return Err(format!(
                        "step {t} of sample {b} is left out, but the output goes from {before} to {after}"
                    ));
                }
                if dx.index_axis(Axis(0), t).index_axis(Axis(0), b).iter().any(|&d| d != F::zero()) {
                    return Err(format!("step {t} of sample {b} is left out, but its input has a gradient"));
                }
            }
            // States that are not output must be the final ones of a run without the last steps.
            let whole = forward(&layer, &weights, &problem, &mut RnnCache::default(), training());
            let part = forward(&layer, &weights, &problem.steps(0..6), &mut RnnCache::default(), training());
            let tolerance = if F::DTYPE == <f64 as Number>::DTYPE { 1e-12 } else { 1e-6 };
            equal(("after steps left out", &whole[1..].to_vec()), ("before them", &part[1..].to_vec()), tolerance)?;
        }
        Ok(())
    }
    hold("masked_steps_leave_the_state", |case| {
        check::<f64, C>(layer, case)?;
        check::<f32, C>(layer, case)
    })
}

/// Checks that a mask by which all steps count does not change any bit.
pub fn a_mask_of_all_steps_is_no_mask<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    fn check<F: Scalar, C: Cell<F>>(layer: &Rnn<C>, case: &mut String) -> Checked {
        let weights = random_weights::<F, C>(layer.cell())?;
        for options in Options::all_rates().into_iter().flat_map(Options::both_outputs) {
            *case = options.case::<F>(7, 3);
            let layer = options.layer(layer.cell());
            let problem = Problem::<F>::new(layer.states(), 7, 3);
            let without = train(&layer, &weights, &problem, &mut RnnCache::default(), training());
            let problem = problem.masked(Array2::from_elem((7, 3), true));
            let with = train(&layer, &weights, &problem, &mut RnnCache::default(), training());
            equal(("with a mask of all steps", &with), ("without one", &without), 0.0)?;
            let run = forward(&layer, &weights, &problem, &mut RnnCache::default(), Pass::inference());
            let problem = Problem { mask: None, ..problem };
            let plain = forward(&layer, &weights, &problem, &mut RnnCache::default(), Pass::inference());
            equal(("with a mask of all steps", &run), ("without one", &plain), 0.0)?;
        }
        Ok(())
    }
    hold("a_mask_of_all_steps_is_no_mask", |case| {
        check::<f64, C>(layer, case)?;
        check::<f32, C>(layer, case)
    })
}

/// Checks that a sequence padded before and after with steps that do not count gives the outputs, states and gradients
/// of the sequence alone, in both orders of time.
pub fn padding_changes_nothing<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    const BEFORE: usize = 2;
    const STEPS: usize = 5;
    const AFTER: usize = 3;
    hold("padding_changes_nothing", |case| {
        let (steps, batch) = (BEFORE + STEPS + AFTER, 3);
        let weights = random_weights::<f64, C>(layer.cell())?;
        // Only dropout masks that all steps share do not depend on the padding.
        for rates in Options::all_rates().into_iter().filter(|options| !options.per_step) {
            for (sequences, backwards, zero) in
                [(false, false, false), (true, false, false), (true, true, false), (true, false, true)]
            {
                let options = Options { sequences, backwards, zero, ..rates };
                *case = options.case::<f64>(STEPS, batch) + &format!(" and padding of {BEFORE} and {AFTER} steps");
                let layer = options.layer(layer.cell());
                let alone = Problem::<f64>::new(layer.states::<f64>(), STEPS, batch);
                let real = BEFORE..BEFORE + STEPS;
                // Outputs are in the order in which the layer processes the steps.
                let put_out = if backwards { AFTER..AFTER + STEPS } else { real.clone() };
                let mut padded = Problem::<f64>::new(layer.states::<f64>(), steps, batch);
                padded.x = random((steps, batch, FEATURES), Key::new(12));
                padded.x.slice_axis_mut(Axis(0), real.clone().into()).assign(&alone.x);
                if !zero {
                    padded.dy.fill(0.0);
                }
                padded.dy.slice_axis_mut(Axis(0), put_out.clone().into()).assign(&alone.dy);
                if !sequences {
                    padded.dy.index_axis_mut(Axis(0), steps - 1).assign(&alone.dy.index_axis(Axis(0), STEPS - 1));
                }
                (padded.initial, padded.dlast) = (alone.initial.clone(), alone.dlast.clone());
                let padded = padded.masked(Array2::from_shape_fn((steps, batch), |(t, _)| real.contains(&t)));

                let mut with = train(&layer, &weights, &padded, &mut RnnCache::default(), training());
                for (name, values) in &mut with {
                    let kept = match name.as_str() {
                        "y" if sequences => put_out.clone(),
                        "dx" => real.clone(),
                        _ => continue,
                    };
                    *values = values.slice_axis(Axis(0), kept.into()).to_owned();
                }
                let without: Outcome<f64> = train(&layer, &weights, &alone, &mut RnnCache::default(), training());
                equal(("with padding", &with), ("without it", &without), 1e-12)?;
            }
        }
        Ok(())
    })
}

/// Checks that with `go_backwards` the layer gives the results of the sequence with its steps and their mask in reverse
/// order.
pub fn backwards_is_the_reversed_sequence<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Verdict {
    hold("backwards_is_the_reversed_sequence", |case| {
        let weights = random_weights::<f64, C>(layer.cell())?;
        for options in Options::all_rates().into_iter().flat_map(Options::both_outputs) {
            *case = options.case::<f64>(7, 3) + ", a mask";
            let problem = Problem::<f64>::new(layer.states::<f64>(), 7, 3).masked(gaps(7, 3));
            let mut reversed = problem.clone();
            reversed.x.invert_axis(Axis(0));
            reversed.x = reversed.x.as_standard_layout().into_owned();
            let mut mask = gaps(7, 3);
            mask.invert_axis(Axis(0));
            let reversed = reversed.masked(mask.as_standard_layout().into_owned());
            let forwards = options.layer(layer.cell());
            let backwards = Options { backwards: true, ..options }.layer(layer.cell());
            let left = train(&backwards, &weights, &problem, &mut RnnCache::default(), training());
            let mut right = train(&forwards, &weights, &reversed, &mut RnnCache::default(), training());
            right.iter_mut().filter(|(name, _)| name == "dx").for_each(|(_, dx)| dx.invert_axis(Axis(0)));
            equal(("backwards", &left), ("over the reversed sequence", &right), 0.0)?;
        }
        Ok(())
    })
}
