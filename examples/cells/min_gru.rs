//! The minGRU (Feng et al. 2024): a diagonal linear recurrence. Gate and candidate see the input alone, so each unit's
//! state is carried by itself, with no product between steps.
//!
//! ```text
//! z = σ(x·W_z + b_z)        g = x·W_g + b_g        h' = (1 − z)·h + z·g
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
pub struct MinGru {
    pub units: usize,
}

/// Its weights, and their gradients.
#[derive(Clone, Debug)]
pub struct MinGruWeights<F> {
    wz: Array2<F>,
    bz: Array1<F>,
    wg: Array2<F>,
    bg: Array1<F>,
}
bptt::params!(MinGruWeights { wz, bz, wg, bg });

impl Describe for MinGru {
    fn kind() -> &'static str {
        "examples::MinGru"
    }
}

impl<F: Scalar> Cell<F> for MinGru {
    type Weights = MinGruWeights<F>;
    /// z and g.
    type Cache = [Array2<F>; 2];
    type Workspace = ();

    fn states(&self) -> Widths {
        Widths::new(&[self.units])
    }

    fn masks(&self) -> usize {
        2
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<MinGruWeights<F>> {
        Ok(MinGruWeights {
            wz: init.tensor(Initializer::GlorotUniform, (inputs, self.units))?,
            // Gates that open seldom at first remember some 20 steps.
            bz: init.tensor(Initializer::Constant(-3.0), self.units)?,
            wg: init.tensor(Initializer::GlorotUniform, (inputs, self.units))?,
            bg: init.tensor(Initializer::Zeros, self.units)?,
        })
    }

    fn step(&self, w: &MinGruWeights<F>, at: &Step<'_, F>, mut next: ViewsMut<'_, F>, cache: &mut [Array2<F>; 2]) {
        let h = at.previous.view(0);
        let z = (at.x(0).dot(&w.wz) + &w.bz).mapv_into(Lane::sigmoid);
        let g = at.x(1).dot(&w.wg) + &w.bg;
        next.view_mut(0).assign(&(&h + &z * (&g - &h)));
        *cache = [z, g];
    }

    fn step_back(
        &self,
        w: &MinGruWeights<F>,
        at: &Step<'_, F>,
        mut back: StepBack<'_, F>,
        [z, g]: &mut [Array2<F>; 2],
        gradients: &mut MinGruWeights<F>,
    ) {
        let (h, d) = (at.previous.view(0), back.dnext.view(0));
        let rest = z.mapv(|z| F::one() - z);
        back.dprevious.view_mut(0).scaled_add(F::one(), &(&d * &rest));
        let dg = &d * &*z;
        let dz = &dg * (&*g - &h) * &rest;
        back.dx(0).scaled_add(F::one(), &dz.dot(&w.wz.t()));
        back.dx(1).scaled_add(F::one(), &dg.dot(&w.wg.t()));
        gradients.wz += &at.x(0).t().dot(&dz);
        gradients.bz += &dz.sum_axis(Axis(0));
        gradients.wg += &at.x(1).t().dot(&dg);
        gradients.bg += &dg.sum_axis(Axis(0));
    }
}
