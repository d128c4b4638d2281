//! Checks of parts of a layer: a rule, and one step of a cell.

use ndarray::{Array3, ArrayD};

use super::{Point, Report, check_pass, compare, matrix, random_like, random_state, randomize, weighted_state};
use crate::error::Result;
use crate::layer::{AnyWeights, DynCache, Pass};
use crate::numeric::checks::check_count;
use crate::random::Key;
use crate::recurrent::erased::DynCell;
use crate::recurrent::{Block, Cell, Gates, Step, StepBack};
use crate::tensor::State;
use crate::weights::initializers::Init;
use crate::weights::zeros_like;

/// Checks the derivative of a rule, at random sums and states of 16 units. The report names a component
/// `sums[unit, block]` or `previous[unit, state]`, which shows the wrong line of [`Gates::backward`].
///
/// ```
/// use bptt::layer::Describe;
/// use bptt::numeric::Lane;
/// use bptt::recurrent::Gates;
/// use bptt::testing::gradcheck;
/// # use serde::{Deserialize, Serialize};
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Leaky;
/// # impl Describe for Leaky {
/// #     fn kind() -> &'static str {
/// #         "docs::Leaky"
/// #     }
/// # }
///
/// impl Gates for Leaky {
///     type Blocks<L: Lane> = [L; 2];
///     type States<L: Lane> = [L; 1];
///
///     #[inline(always)]
///     fn forward<L: Lane>(&self, [a, b]: [L; 2], [h]: [L; 1]) -> ([L; 2], [L; 1]) {
///         let (a, b) = (a.sigmoid(), b.tanh());
///         ([a, b], [h + a * (b - h)])
///     }
///
///     #[inline(always)]
///     fn backward<L: Lane>(&self, [a, b]: [L; 2], [h]: [L; 1], _: [L; 1], [d]: [L; 1]) -> ([L; 2], [L; 1]) {
///         let one = a.splat(1.0);
///         // Forgotten: the sigmoid's slope a·(1 − a).
///         ([d * (b - h), d * a * (one - b * b)], [d * (one - a)])
///     }
/// }
///
/// let worst = gradcheck::gates(&Leaky).worst.unwrap();
/// assert!(worst.error > gradcheck::TOLERANCE);
/// assert_eq!((worst.tensor.as_str(), worst.index[1]), ("sums", 0));
/// ```
pub fn gates<G: Gates>(gates: &G) -> Report {
    const UNITS: usize = 16;
    let (blocks, states) = (<G::Blocks<f64> as Block<f64>>::COUNT, <G::States<f64> as Block<f64>>::COUNT);
    let (sums, previous) = (random_like(&[UNITS, blocks], Key::new(7)), random_like(&[UNITS, states], Key::new(9)));
    let by = matrix(&random_like(&[UNITS, states], Key::new(10)));
    let others = vec![("sums".into(), sums), ("previous".into(), previous)];
    let mut point = Point { weights: AnyWeights::new(()), others };
    let mut gradients = point.clone();

    let rows = |tensor: &ArrayD<f64>, unit: usize| matrix(tensor).row(unit).to_vec();
    let run = |point: &Point, unit: usize| {
        let (sums, previous) = (rows(&point.others[0].1, unit), rows(&point.others[1].1, unit));
        let previous = G::States::<f64>::from_fn(|state| previous[state]);
        let (saved, next) = gates.forward(G::Blocks::<f64>::from_fn(|block| sums[block]), previous);
        (saved, previous, gates.finish(next))
    };
    for unit in 0..UNITS {
        let (saved, previous, next) = run(&point, unit);
        let dnext = G::States::<f64>::from_fn(|state| by[[unit, state]]);
        let (dsums, dprevious) = gates.backward(saved, previous, next, dnext);
        (0..blocks).for_each(|block| gradients.others[0].1[[unit, block]] = dsums.get(block));
        (0..states).for_each(|state| gradients.others[1].1[[unit, state]] = dprevious.get(state));
    }
    compare(&mut point, &gradients, &mut |point| {
        let loss = |unit: usize| {
            let (_, _, next) = run(point, unit);
            (0..states).map(|state| next.get(state) * by[[unit, state]]).sum::<f64>()
        };
        (0..UNITS).map(loss).sum()
    })
}

/// Checks one step of a cell and its backward step, for a batch of random samples with `inputs` features. The report
/// distinguishes gradients that a run adds up: `x[gate, sample, feature]` and `h[gate, sample, unit]`, the [`Step::x`]
/// and [`Step::h`] of each gate, and `previous/0` and so on, the states as they are carried.
///
/// ```
/// use bptt::layer::Pass;
/// use bptt::layers::Gru;
/// use bptt::random::Key;
/// use bptt::testing::gradcheck;
/// let layer = Gru::new(3).reset_after(false);
/// let report = gradcheck::cell(layer.cell(), 4, 2, Pass::training(Key::new(0)))?;
/// assert!(report.error() < gradcheck::TOLERANCE, "{report}");
/// # Ok::<(), bptt::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`Cell::build`], and [`Error::InvalidOption`](crate::Error::InvalidOption) if the pass is one of inference,
/// if there are no samples, or if the cell has no states or more than [`MAX_STATES`](crate::tensor::MAX_STATES).
pub fn cell<C: Cell<f64>>(cell: &C, inputs: usize, batch: usize, pass: Pass<'_>) -> Result<Report> {
    step(&*cell.clone().erase(), inputs, batch, pass)
}

/// Checks one step of a cell without its type.
fn step(cell: &dyn DynCell<f64>, inputs: usize, batch: usize, pass: Pass<'_>) -> Result<Report> {
    check_pass(pass)?;
    check_count("batch", batch)?;
    let widths = cell.states();
    widths.check()?;
    let mut weights = cell.build(inputs, &mut Init::new(Key::new(7)))?;
    randomize(&mut weights, Key::new(7));
    let x = random_like(&[cell.masks(), batch, inputs], Key::new(11));
    let h = random_like(&[cell.masks(), batch, widths.as_slice()[0]], Key::new(12));
    let mut point = Point { weights, others: vec![("x".into(), x), ("h".into(), h)] };
    point.add_state("previous", random_state(batch, widths.as_slice(), Key::new(9)));
    let by = random_state(batch, widths.as_slice(), Key::new(10));

    let cube = |tensor: &ArrayD<f64>| -> Array3<f64> {
        tensor.clone().into_dimensionality().expect("it has gates, samples and numbers")
    };
    let mut cache = cell.cache();
    let run = |point: &Point, next: &mut State<f64>, cache: &mut DynCache| {
        let (x, h, previous) = (cube(&point.others[0].1), cube(&point.others[1].1), point.state("previous"));
        let pass = pass.masked(None);
        let at = Step { x: x.view(), h: Some(h.view()), masks: None, previous: previous.views(), t: 0, pass };
        cell.step(&point.weights, &at, next.views_mut(), cache);
    };
    let mut next = State::zeros(batch, widths);
    run(&point, &mut next, &mut *cache);

    let (x, h, previous) = (cube(&point.others[0].1), cube(&point.others[1].1), point.state("previous"));
    let (mut dx, mut dh) = (Array3::zeros(x.raw_dim()), Array3::zeros(h.raw_dim()));
    let (mut dprevious, mut dweights) = (State::zeros(batch, widths), zeros_like(&point.weights));
    let at =
        Step { x: x.view(), h: Some(h.view()), masks: None, previous: previous.views(), t: 0, pass: pass.masked(None) };
    let (dnext, dprevious_to) = (by.views(), dprevious.views_mut());
    let back = StepBack { next: next.views(), dnext, dprevious: dprevious_to, dx: dx.view_mut(), dh: dh.view_mut() };
    cell.step_back(&point.weights, &at, back, &mut *cache, &mut dweights);
    let others = vec![("x".into(), dx.into_dyn()), ("h".into(), dh.into_dyn())];
    let mut gradients = Point { weights: dweights, others };
    gradients.add_state("previous", dprevious);
    Ok(compare(&mut point, &gradients, &mut |point| {
        run(point, &mut next, &mut *cache);
        weighted_state(&next, &by)
    }))
}
