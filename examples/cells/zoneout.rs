//! Zoneout around any cell (Krueger et al. 2017): in training a unit's state now and then stays what it was.
//!
//! ```text
//! s' = m·s + (1 − m)·f(x, s)        m = 1 with probability p in training, for each sample, state, step and unit
//! s' = p·s + (1 − p)·f(x, s)        otherwise
//! ```

use bptt::Result;
use bptt::initializers::Init;
use bptt::layer::{Describe, MaskKind};
use bptt::numeric::Scalar;
use bptt::recurrent::{Cell, Step, StepBack};
use bptt::tensor::{State, ViewsMut, Widths};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// The cell: the one inside, and p.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "C: Describe")]
pub struct Zoneout<C> {
    pub cell: C,
    pub rate: f64,
}

/// What a step keeps: what the cell inside keeps and gave, and room for gradients. The way back draws m again.
#[derive(Debug, Default)]
pub struct ZoneoutStep<F, S> {
    inside: S,
    next: State<F>,
    dnext: State<F>,
}

impl<C: Describe> Describe for Zoneout<C> {
    fn kind() -> &'static str {
        "examples::Zoneout"
    }
}

/// m for one state (B, width).
fn stay<F: Scalar>(rate: f64, at: &Step<'_, F>, state: usize) -> Array2<F> {
    let mut stay = Array2::from_elem(at.previous.view(state).raw_dim(), F::of(rate));
    if at.pass.training {
        for (sample, mut row) in stay.rows_mut().into_iter().enumerate() {
            let row = row.as_slice_mut().expect("new arrays are in standard layout");
            // Zero with probability `rate`; the same again for the same pass, whichever shard the sample is in.
            at.pass.dropout_mask(rate, MaskKind::Cell, state, at.t, sample, row);
            row.iter_mut().for_each(|m| *m = if *m == F::zero() { F::one() } else { F::zero() });
        }
    }
    stay
}

impl<F: Scalar, C: Cell<F>> Cell<F> for Zoneout<C> {
    type Weights = C::Weights;
    type Cache = ZoneoutStep<F, C::Cache>;
    type Workspace = ();

    fn states(&self) -> Widths {
        self.cell.states()
    }

    fn masks(&self) -> usize {
        self.cell.masks()
    }

    fn dropped_width(&self) -> usize {
        self.cell.dropped_width()
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<C::Weights> {
        self.cell.build(inputs, init)
    }

    fn step(&self, w: &C::Weights, at: &Step<'_, F>, mut next: ViewsMut<'_, F>, cache: &mut Self::Cache) {
        let widths = self.cell.states();
        cache.next = State::zeros(at.x(0).nrows(), widths);
        self.cell.step(w, at, cache.next.views_mut(), &mut cache.inside);
        for (state, inside) in cache.next.parts.iter().enumerate() {
            let m = stay(self.rate, at, state);
            next.view_mut(state).assign(&(inside + &(m * &(&at.previous.view(state) - inside))));
        }
    }

    fn step_back(
        &self,
        w: &C::Weights,
        at: &Step<'_, F>,
        mut back: StepBack<'_, F>,
        cache: &mut Self::Cache,
        gradients: &mut C::Weights,
    ) {
        let ZoneoutStep { inside, next, dnext } = cache;
        dnext.parts.clear();
        for state in 0..self.cell.states().as_slice().len() {
            let m = stay(self.rate, at, state);
            back.dprevious.view_mut(state).scaled_add(F::one(), &(&m * &back.dnext.view(state)));
            dnext.parts.push(m.mapv(|m| F::one() - m) * back.dnext.view(state));
        }
        self.cell.step_back(w, at, back.inside(next.views(), dnext.views()), inside, gradients);
    }
}
