//! The program of `stack.rs` with a cell of its own in the place of the LSTM: h' = tanh(x·W + h·V·Uᵀ + b), where the matrix of
//! the recurrence is the product of two thin ones.

use bptt::Result;
use bptt::initializers::{Init, Initializer};
use bptt::io::Registry;
use bptt::layer::Describe;
use bptt::numeric::{Lane, Scalar};
use bptt::prelude::*;
use bptt::recurrent::{Cell, Rnn, Step, StepBack};
use bptt::tensor::{Views, ViewsMut, Widths};
use ndarray::{Array1, Array2, Axis, s};
use serde::{Deserialize, Serialize};

const SEED: u64 = 0;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Thin {
    units: usize,
    rank: usize,
}

#[derive(Clone, Debug)]
struct ThinWeights<F> {
    w: Array2<F>,
    v: Array2<F>,
    u: Array2<F>,
    b: Array1<F>,
}
bptt::params!(ThinWeights { w, v, u, b });

impl Describe for Thin {
    fn kind() -> &'static str {
        "compile_times::Thin"
    }
}

impl<F: Scalar> Cell<F> for Thin {
    type Weights = ThinWeights<F>;
    type Cache = Array2<F>; // h·V
    type Workspace = ();

    fn states(&self) -> Widths {
        Widths::new(&[self.units])
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<ThinWeights<F>> {
        Ok(ThinWeights {
            w: init.tensor(Initializer::GlorotUniform, (inputs, self.units))?,
            v: init.tensor(Initializer::orthogonal(), (self.units, self.rank))?,
            u: init.tensor(Initializer::orthogonal(), (self.units, self.rank))?,
            b: init.tensor(Initializer::Zeros, self.units)?,
        })
    }

    fn step(&self, w: &ThinWeights<F>, at: &Step<'_, F>, mut next: ViewsMut<'_, F>, hv: &mut Array2<F>) {
        *hv = at.h(0).dot(&w.v);
        let z = at.x(0).dot(&w.w) + hv.dot(&w.u.t()) + &w.b;
        next.view_mut(0).assign(&z.mapv_into(Lane::tanh));
    }

    fn step_back(
        &self,
        w: &ThinWeights<F>,
        at: &Step<'_, F>,
        mut back: StepBack<'_, F>,
        hv: &mut Array2<F>,
        gradients: &mut ThinWeights<F>,
    ) {
        // next = tanh z
        let dz = &back.dnext.view(0) * &back.next.view(0).mapv(|h| F::one() - h * h);
        // z = x·W + hv·Uᵀ + b
        back.dx(0).scaled_add(F::one(), &dz.dot(&w.w.t()));
        gradients.w += &at.x(0).t().dot(&dz);
        let dhv = dz.dot(&w.u);
        gradients.u += &dz.t().dot(&*hv);
        gradients.b += &dz.sum_axis(Axis(0));
        // hv = h·V
        back.dh(0).scaled_add(F::one(), &dhv.dot(&w.v.t()));
        gradients.v += &at.h(0).t().dot(&dhv);
    }
}

fn main() -> Result<()> {
    // Does the first half hold the larger words?
    let x = Array2::<u32>::from_shape_fn((96, 12), |(n, t)| ((n * 31 + t * 17 + n * t) % 50) as u32);
    let y: Array1<f32> =
        x.outer_iter().map(|row| f32::from(row.slice(s![..6]).sum() > row.slice(s![6..]).sum())).collect();
    let (train, validation) = (x.slice(s![..64, ..]).to_owned(), x.slice(s![64.., ..]).to_owned());
    let (train_labels, validation_labels) = (y.slice(s![..64]).to_owned(), y.slice(s![64..]).to_owned());

    let mut model = Sequential::new()
        .add(Embedding::new(50, 8))
        .add(Bidirectional::new(Rnn::from_cell(Thin { units: 4, rank: 2 })))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(12), SEED)?;
    model.compile(Adam::new(0.01), BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());

    let folder = std::env::temp_dir();
    let best = folder.join(format!("compile-times-{}-best.safetensors", std::process::id()));
    let last = folder.join(format!("compile-times-{}-last.safetensors", std::process::id()));
    let mut early_stopping = EarlyStopping::new().patience(2).restore_best_weights(true);
    let mut checkpoint = ModelCheckpoint::new(&best).save_best_only(true);
    let fit = Fit::new()
        .epochs(3)
        .batch_size(16)
        .validation(&validation, &validation_labels)
        .callback(&mut early_stopping)
        .callback(&mut checkpoint);
    let history = model.fit(&train, &train_labels, fit)?;

    let figures = model.evaluate(&validation, &validation_labels)?;
    model.save(&last)?;
    let loaded: Model = Model::load_with(&last, &Registry::new().cell::<Thin>())?;
    let predictions = loaded.predict(&validation)?;
    println!(
        "{:?} {:?} {:?} {:?}",
        history.get("val_loss"),
        figures.get("loss"),
        predictions.shape(),
        checkpoint.best()
    );
    for file in [best, last] {
        let _ = std::fs::remove_file(file);
    }
    Ok(())
}
