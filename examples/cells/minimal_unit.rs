//! The minimal gated unit (Zhou et al. 2016), with its second product inside the step, which needs the gate first.
//!
//! ```text
//! f = σ(x·W_f + h·U_f + b_f)        g = tanh(x·W_g + (f·h)·U_g + b_g)        h' = h + f·(g − h)
//! ```

use bptt::Result;
use bptt::initializers::{Init, Initializer};
use bptt::layer::Describe;
use bptt::numeric::{Lane, Scalar};
use bptt::recurrent::{Cell, Step, StepBack};
use bptt::tensor::{ViewsMut, Widths};
use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};

/// The cell: its options.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MinimalUnit {
    pub units: usize,
}

/// Its weights, and their gradients.
#[derive(Clone, Debug)]
pub struct MinimalUnitWeights<F> {
    wf: Array2<F>,
    uf: Array2<F>,
    bf: Array1<F>,
    wg: Array2<F>,
    ug: Array2<F>,
    bg: Array1<F>,
}
bptt::params!(MinimalUnitWeights { wf, uf, bf, wg, ug, bg });

impl Describe for MinimalUnit {
    fn kind() -> &'static str {
        "examples::MinimalUnit"
    }
}

impl<F: Scalar> Cell<F> for MinimalUnit {
    type Weights = MinimalUnitWeights<F>;
    /// f, g and f·h.
    type Cache = [Array2<F>; 3];
    type Workspace = ();

    fn states(&self) -> Widths {
        Widths::new(&[self.units])
    }

    /// Dropout has a mask for each gate, as Keras' layers have.
    fn masks(&self) -> usize {
        2
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<MinimalUnitWeights<F>> {
        let (input, state) = (Initializer::GlorotUniform, Initializer::orthogonal());
        Ok(MinimalUnitWeights {
            wf: init.tensor(input, (inputs, self.units))?,
            uf: init.tensor(state, (self.units, self.units))?,
            bf: init.tensor(Initializer::Zeros, self.units)?,
            wg: init.tensor(input, (inputs, self.units))?,
            ug: init.tensor(state, (self.units, self.units))?,
            bg: init.tensor(Initializer::Zeros, self.units)?,
        })
    }

    fn step(&self, w: &MinimalUnitWeights<F>, at: &Step<'_, F>, mut next: ViewsMut<'_, F>, cache: &mut [Array2<F>; 3]) {
        let h = at.previous.view(0);
        let f = (at.x(0).dot(&w.wf) + at.h(0).dot(&w.uf) + &w.bf).mapv_into(Lane::sigmoid);
        let fh = &f * &at.h(1);
        let g = (at.x(1).dot(&w.wg) + fh.dot(&w.ug) + &w.bg).mapv_into(Lane::tanh);
        next.view_mut(0).assign(&(&h + &f * (&g - &h)));
        *cache = [f, g, fh];
    }

    fn step_back(
        &self,
        w: &MinimalUnitWeights<F>,
        at: &Step<'_, F>,
        mut back: StepBack<'_, F>,
        [f, g, fh]: &mut [Array2<F>; 3],
        gradients: &mut MinimalUnitWeights<F>,
    ) {
        let (h, d) = (at.previous.view(0), back.dnext.view(0));
        let rest = f.mapv(|f| F::one() - f);
        back.dprevious.view_mut(0).scaled_add(F::one(), &(&d * &rest));
        let dg = &d * &*f * g.mapv(|g| F::one() - g * g);
        let dfh = dg.dot(&w.ug.t());
        let df = (&d * (&*g - &h) + &dfh * &at.h(1)) * &*f * &rest;
        back.dh(0).scaled_add(F::one(), &df.dot(&w.uf.t()));
        back.dh(1).scaled_add(F::one(), &(&dfh * &*f));
        back.dx(0).scaled_add(F::one(), &df.dot(&w.wf.t()));
        back.dx(1).scaled_add(F::one(), &dg.dot(&w.wg.t()));
        gradients.wf += &at.x(0).t().dot(&df);
        gradients.uf += &at.h(0).t().dot(&df);
        gradients.bf += &df.sum_axis(Axis(0));
        gradients.wg += &at.x(1).t().dot(&dg);
        gradients.ug += &fh.t().dot(&dg);
        gradients.bg += &dg.sum_axis(Axis(0));
    }
}
