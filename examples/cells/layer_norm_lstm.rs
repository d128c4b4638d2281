//! An LSTM with layer normalisation of both products and of the cell state on its way out (Ba et al. 2016).
//!
//! ```text
//! z = γ₁·norm(x·W) + γ₂·norm(h·U) + b        norm over the 4·H sums of a sample; γ₁ and γ₂ in rows
//! i = σ(z₀)   f = σ(z₁)   g = tanh(z₂)   o = σ(z₃)
//! c' = f·c + i·g          h' = o·tanh(γ₃·norm(c'))
//! ```

use bptt::Result;
use bptt::initializers::{Init, Initializer};
use bptt::layer::Describe;
use bptt::numeric::{Lane, Scalar};
use bptt::recurrent::{Cell, Step, StepBack};
use bptt::tensor::{ViewsMut, Widths};
use ndarray::{Array1, Array2, Axis, concatenate, s};
use serde::{Deserialize, Serialize};

use super::normalization::Normalized;

/// The cell: its options.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LayerNormLstm {
    pub units: usize,
}

/// Its weights, and their gradients.
#[derive(Clone, Debug)]
pub struct LayerNormLstmWeights<F> {
    kernel: Array2<F>,
    recurrent_kernel: Array2<F>,
    bias: Array1<F>,
    gains: Array2<F>,
    cell_gain: Array1<F>,
}
bptt::params!(LayerNormLstmWeights { kernel, recurrent_kernel, bias, gains, cell_gain });

impl Describe for LayerNormLstm {
    fn kind() -> &'static str {
        "examples::LayerNormLstm"
    }
}

impl<F: Scalar> Cell<F> for LayerNormLstm {
    type Weights = LayerNormLstmWeights<F>;
    /// norm(x·W), norm(h·U), norm(c'); i, f, g, o and the tanh on the way out.
    type Cache = ([Normalized<F>; 3], [Array2<F>; 5]);
    type Workspace = ();

    fn states(&self) -> Widths {
        Widths::new(&[self.units, self.units])
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<Self::Weights> {
        let (units, sums) = (self.units, 4 * self.units);
        Ok(LayerNormLstmWeights {
            kernel: init.tensor(Initializer::GlorotUniform, (inputs, sums))?,
            recurrent_kernel: init.tensor(Initializer::orthogonal(), (units, sums))?,
            bias: init.tensor(Initializer::Zeros, sums)?,
            gains: init.tensor(Initializer::Ones, (2, sums))?,
            cell_gain: init.tensor(Initializer::Ones, units)?,
        })
    }

    fn step(&self, w: &Self::Weights, at: &Step<'_, F>, mut next: ViewsMut<'_, F>, cache: &mut Self::Cache) {
        let [mut h_next, mut c_next] = next.views();
        let (x, h) = (Normalized::new(&at.x(0).dot(&w.kernel)), Normalized::new(&at.h(0).dot(&w.recurrent_kernel)));
        let z = &x.rows * &w.gains.row(0) + &h.rows * &w.gains.row(1) + &w.bias;
        let sums = |gate: usize| z.slice(s![.., gate * self.units..(gate + 1) * self.units]);
        let [i, f, o] = [0, 1, 3].map(|gate| sums(gate).mapv(Lane::sigmoid));
        let g = sums(2).mapv(Lane::tanh);
        let c = &f * &at.previous.view(1) + &i * &g;
        c_next.assign(&c);
        let c = Normalized::new(&c);
        let out = (&c.rows * &w.cell_gain).mapv_into(Lane::tanh);
        h_next.assign(&(&o * &out));
        *cache = ([x, h, c], [i, f, g, o, out]);
    }

    fn step_back(
        &self,
        w: &Self::Weights,
        at: &Step<'_, F>,
        mut back: StepBack<'_, F>,
        ([x, h, c], [i, f, g, o, out]): &mut Self::Cache,
        gradients: &mut Self::Weights,
    ) {
        let slope = |gate: &Array2<F>| gate.mapv(|gate| gate * (F::one() - gate));
        let tanh_slope = |out: &Array2<F>| out.mapv(|out| F::one() - out * out);
        let dout = &back.dnext.view(0) * &*o * tanh_slope(out);
        let dc = &back.dnext.view(1) + &c.back(&(&dout * &w.cell_gain));
        back.dprevious.view_mut(1).scaled_add(F::one(), &(&dc * &*f));
        let (di, df) = (&dc * &*g * slope(i), &dc * &at.previous.view(1) * slope(f));
        let dz = concatenate![Axis(1), di, df, &dc * &*i * tanh_slope(g), &back.dnext.view(0) * &*out * slope(o)];
        let (dx, dh) = (x.back(&(&dz * &w.gains.row(0))), h.back(&(&dz * &w.gains.row(1))));
        back.dx(0).scaled_add(F::one(), &dx.dot(&w.kernel.t()));
        back.dh(0).scaled_add(F::one(), &dh.dot(&w.recurrent_kernel.t()));
        gradients.kernel += &at.x(0).t().dot(&dx);
        gradients.recurrent_kernel += &at.h(0).t().dot(&dh);
        gradients.bias += &dz.sum_axis(Axis(0));
        gradients.gains.row_mut(0).scaled_add(F::one(), &(&dz * &x.rows).sum_axis(Axis(0)));
        gradients.gains.row_mut(1).scaled_add(F::one(), &(&dz * &h.rows).sum_axis(Axis(0)));
        gradients.cell_gain += &(&dout * &c.rows).sum_axis(Axis(0));
    }
}
