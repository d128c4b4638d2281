//! An LSTM whose gates see the cell state (Gers and Schmidhuber 2000), each unit its own through a weight p.
//!
//! ```text
//! i = σ(z₀ + pᵢ·c)   f = σ(z₁ + p_f·c)   g = tanh(z₂)   o = σ(z₃ + pₒ·c')        z = x·W + h·U + b
//! c' = f·c + i·g     h' = o·tanh(c')
//! ```

use bptt::Result;
use bptt::initializers::{Init, Initializer};
use bptt::layer::Describe;
use bptt::numeric::{Lane, Scalar};
use bptt::recurrent::{Cell, Step, StepBack};
use bptt::tensor::{ViewsMut, Widths};
use ndarray::{Array1, Array2, Axis, concatenate, s};
use serde::{Deserialize, Serialize};

/// The cell: its options.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeepholeLstm {
    pub units: usize,
}

/// Its weights, and their gradients: W (D, 4·H), U (H, 4·H), b (4·H), and the rows pᵢ, p_f, pₒ (3, H).
#[derive(Clone, Debug)]
pub struct PeepholeLstmWeights<F> {
    kernel: Array2<F>,
    recurrent_kernel: Array2<F>,
    bias: Array1<F>,
    peepholes: Array2<F>,
}
bptt::params!(PeepholeLstmWeights { kernel, recurrent_kernel, bias, peepholes });

impl Describe for PeepholeLstm {
    fn kind() -> &'static str {
        "examples::PeepholeLstm"
    }
}

impl<F: Scalar> Cell<F> for PeepholeLstm {
    type Weights = PeepholeLstmWeights<F>;
    /// i, f, g, o.
    type Cache = [Array2<F>; 4];
    type Workspace = ();

    fn states(&self) -> Widths {
        Widths::new(&[self.units, self.units])
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<PeepholeLstmWeights<F>> {
        let mut bias: Array1<F> = init.tensor(Initializer::Zeros, 4 * self.units)?;
        // Nothing is forgotten at first.
        bias.slice_mut(s![self.units..2 * self.units]).fill(F::one());
        Ok(PeepholeLstmWeights {
            kernel: init.tensor(Initializer::GlorotUniform, (inputs, 4 * self.units))?,
            recurrent_kernel: init.tensor(Initializer::orthogonal(), (self.units, 4 * self.units))?,
            bias,
            peepholes: init.tensor(Initializer::uniform(), (3, self.units))?,
        })
    }

    fn step(&self, w: &Self::Weights, at: &Step<'_, F>, mut next: ViewsMut<'_, F>, cache: &mut Self::Cache) {
        let [mut h_next, mut c_next] = next.views();
        let c = at.previous.view(1);
        let [pi, pf, po] = [0, 1, 2].map(|gate| w.peepholes.row(gate));
        let z = at.x(0).dot(&w.kernel) + at.h(0).dot(&w.recurrent_kernel) + &w.bias;
        let [zi, zf, zg, zo] = [0, 1, 2, 3].map(|gate| z.slice(s![.., gate * self.units..(gate + 1) * self.units]));
        let (i, f) = ((&zi + &(&c * &pi)).mapv_into(Lane::sigmoid), (&zf + &(&c * &pf)).mapv_into(Lane::sigmoid));
        let g = zg.mapv(Lane::tanh);
        c_next.assign(&(&f * &c + &i * &g));
        let o = (&zo + &(&c_next * &po)).mapv_into(Lane::sigmoid);
        h_next.assign(&(&o * &c_next.mapv(Lane::tanh)));
        *cache = [i, f, g, o];
    }

    fn step_back(
        &self,
        w: &PeepholeLstmWeights<F>,
        at: &Step<'_, F>,
        mut back: StepBack<'_, F>,
        [i, f, g, o]: &mut [Array2<F>; 4],
        gradients: &mut PeepholeLstmWeights<F>,
    ) {
        let (c, c_next, dh) = (at.previous.view(1), back.next.view(1), back.dnext.view(0));
        let [pi, pf, po] = [0, 1, 2].map(|gate| w.peepholes.row(gate));
        let slope = |gate: &Array2<F>| gate.mapv(|gate| gate * (F::one() - gate));
        let out = c_next.mapv(Lane::tanh);
        let d_o = &dh * &out * slope(o);
        let dc = &back.dnext.view(1) + &(&dh * &*o * out.mapv(|out| F::one() - out * out)) + &d_o * &po;
        let (di, df) = (&dc * &*g * slope(i), &dc * &c * slope(f));
        let dg = &dc * &*i * g.mapv(|g| F::one() - g * g);
        back.dprevious.view_mut(1).scaled_add(F::one(), &(&dc * &*f + &di * &pi + &df * &pf));
        for (gate, (dz, c)) in [(&di, &c), (&df, &c), (&d_o, &c_next)].into_iter().enumerate() {
            gradients.peepholes.row_mut(gate).scaled_add(F::one(), &(dz * c).sum_axis(Axis(0)));
        }
        let dz = concatenate![Axis(1), di, df, dg, d_o];
        back.dx(0).scaled_add(F::one(), &dz.dot(&w.kernel.t()));
        back.dh(0).scaled_add(F::one(), &dz.dot(&w.recurrent_kernel.t()));
        gradients.kernel += &at.x(0).t().dot(&dz);
        gradients.recurrent_kernel += &at.h(0).t().dot(&dz);
        gradients.bias += &dz.sum_axis(Axis(0));
    }
}
