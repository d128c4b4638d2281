//! Recurrent layers: a driver over time, and cells that say what one step does.
//!
//! # Backpropagation through time
//!
//! A recurrent layer carries a state s through the time steps t = 1 … T of a sequence x, with the same weights w at each:
//!
//! ```text
//! s[t] = f(x[t], s[t−1]; w)          h[t] = the first part of s[t], the output
//! ```
//!
//! Written out over time this is a network of T layers that share their weights, and a loss L that is computed from the
//! outputs depends on w through every one of them. What is wanted is dL/dw, dL/dx\[t\] and dL/ds\[0\].
//!
//! Let `ds[t]` be the gradient of L with respect to `s[t]`, all its uses counted. `s[t]` is used twice: as output, whose
//! gradient `dh[t]` comes from the layers above (zero where only the last output goes on), and as the start of step t+1.
//! The chain rule over the two gives, from the last step to the first,
//!
//! ```text
//! ds[T] = dh[T] + the gradient of the final state, if that is used
//! ds[t] = dh[t] + (∂f/∂s)ᵀ ds[t+1]      with ∂f/∂s at step t+1
//! dx[t] = (∂f/∂x)ᵀ ds[t]                ds[0] = (∂f/∂s)ᵀ ds[1]
//! dw    = Σ over t of (∂f/∂w)ᵀ ds[t]
//! ```
//!
//! No Jacobian is ever made: a cell gives the three products (∂f/∂·)ᵀ ds, its *adjoint*, as easily as f. For sums
//! z = x·W + h·U + b and h' = tanh z, with rows for samples,
//!
//! ```text
//! dz = ds ∘ (1 − h'²)     dx = dz·Wᵀ     dh = dz·Uᵀ     dW += xᵀ·dz     dU += hᵀ·dz     db += Σ over rows of dz
//! ```
//!
//! which needs h' of every step on the way back: so a run of training keeps its states, and each step what its adjoint
//! would otherwise have to compute again. A backward pass costs about twice a forward pass, and memory grows with T.
//!
//! ds\[1\] holds the product of T − 1 factors (∂f/∂s)ᵀ. If they shrink it, the layer cannot learn from long ago; if they
//! stretch it, it explodes. Cells with a state that is carried by an element-wise factor near 1 (the c of an LSTM, the h of
//! a GRU) are the answer to the first, clipping ([`Clip`](crate::optimizers::Clip)) to the second.
//!
//! **Truncated** backpropagation stops the sum some steps back: states go on, gradients do not, and neither memory nor the
//! time for an update grows with the sequence ([`Fit::truncated`](crate::models::Fit::truncated),
//! [`Model::train_window`](crate::models::Model::train_window)).
//!
//! **A step that a mask leaves out** is s\[t\] = s\[t−1\]: its adjoint hands ds on as it is and gives x and w nothing.
//!
//! The driver, [`Rnn`], does the sums over uses and time, the masks and the sequences of states. A cell supplies f
//! and its three adjoints for one step.
//!
//! # Which trait to implement
//!
//! | you have | implement | and write | the library owns | example |
//! | --- | --- | --- | --- | --- |
//! | sums z = x·W + h·U + b and an element-wise rule on them | [`Gates`] | the rule and its derivative, about 25 lines | weights, products, vector instructions | `custom_gates` |
//! | the same, with a product h·U that the rule scales before it is added | [`Gates`] with [`Gates::APART`] | the same | the same | the source of [`GruGates`] |
//! | a product of something that the step computes first | [`Cell`] | weights, one step and its adjoint, about 50 lines | the loops over time, states, dropout | `custom_cell` |
//! | weights for each unit, norms over units, states without products | [`Cell`] | the same | the same | `peephole_lstm`, `layer_norm_lstm`, `min_gru` |
//! | a change to what another cell gives | [`Cell`] around a cell | the change and its adjoint | the same | `zoneout` |
//!
//! `Rnn<Gated<MyGates>>` and `Rnn<MyCell>` are layers like [`Lstm`]. The built-in cells are nothing but such
//! implementations: [`LstmGates`] and [`SimpleGates`] are gates; [`GruCell`] is a cell, because one of its two forms has a
//! product inside the step. A gates rule runs as fast as they do; a cell runs step by step unless it overrides
//! [`Cell::run`]. The examples are in `examples/`, their cells in `examples/cells/`.
//!
//! # What a cell gets without a line for it
//!
//! | | by |
//! | --- | --- |
//! | the last output or those of all steps | [`Rnn::return_sequences`] |
//! | states in and out, and their gradients | [`Forward::state`](crate::layer::Forward::state), [`Backward::dstate`](crate::layer::Backward::dstate), [`State`](crate::tensor::State) |
//! | masks of padding, also with gaps | [`Pass::masked`](crate::layer::Pass::masked), [`Rnn::zero_output_for_mask`] |
//! | dropout of inputs and of the state, a mask for each gate | [`Rnn::dropout`], [`Rnn::recurrent_dropout`], [`Cell::masks`] |
//! | the order of time | [`Rnn::go_backwards`] |
//! | stacks, with any other layer | [`Sequential`](crate::models::Sequential) |
//! | training in windows of long sequences | [`Fit::truncated`](crate::models::Fit::truncated) |
//! | streams, one step or some at a time | [`Rnn::step`], [`Model::step`](crate::models::Model::step) |
//! | one file for the model | [`Registry::gates`](crate::io::Registry::gates), [`Registry::cell`](crate::io::Registry::cell) |
//! | threads, and the same bits on any number of them | [`Model::set_threads`](crate::models::Model::set_threads) |
//! | benchmarks beside the built-in cells | [`bench_cell!`](crate::bench_cell) |
//! | a check of its gradients | [`gradcheck`](crate::testing::gradcheck) |
//! | a test of all of this | [`conformance!`](crate::conformance!) |
//!
//! # A rule step by step
//!
//! Take the unit that forgets by an amount that it computes, h' = h + f·(g − h) with f = σ(z₀) and g = tanh(z₁).
//!
//! 1. *Count.* Two blocks of sums, z₀ and z₁; one state, h. These are `Blocks` and `States`.
//! 2. *Forward.* From the sums and the previous states the next ones, the output first, and what the derivative wants to
//!    have at hand in place of the sums: here f and g. What must wait for a new state, as the output of an LSTM for its c',
//!    is faster in [`Gates::finish`].
//! 3. *Backward.* With d the gradient of h': by the rule for products df = d·(g − h), dg = d·f, dh = d·(1 − f); through the
//!    functions dz₀ = df·f·(1 − f), dz₁ = dg·(1 − g²). What h·U adds to dh is the library's.
//! 4. *Check* the rule, then the layer.
//! 5. *Use* it like any other layer. The registry is needed to load what was saved.
//!
//! ```
//! use bptt::io::Registry;
//! use bptt::layer::{Describe, Pass};
//! use bptt::numeric::Lane;
//! use bptt::prelude::*;
//! use bptt::random::Key;
//! use bptt::recurrent::{Gated, Gates, Rnn};
//! use bptt::testing::gradcheck;
//! use ndarray::{Array1, Array3};
//! use serde::{Deserialize, Serialize};
//!
//! // Options would be fields. They are saved with the model.
//! #[derive(Clone, Debug, Serialize, Deserialize)]
//! struct Leaky;
//!
//! impl Describe for Leaky {
//!     fn kind() -> &'static str {
//!         "my_crate::Leaky" // its name in files
//!     }
//! }
//!
//! impl Gates for Leaky {
//!     type Blocks<L: Lane> = [L; 2];
//!     type States<L: Lane> = [L; 1];
//!
//!     #[inline(always)]
//!     fn forward<L: Lane>(&self, [f, g]: [L; 2], [h]: [L; 1]) -> ([L; 2], [L; 1]) {
//!         let (f, g) = (f.sigmoid(), g.tanh());
//!         ([f, g], [h + f * (g - h)])
//!     }
//!
//!     #[inline(always)]
//!     fn backward<L: Lane>(&self, [f, g]: [L; 2], [h]: [L; 1], _: [L; 1], [d]: [L; 1]) -> ([L; 2], [L; 1]) {
//!         let one = f.splat(1.0);
//!         let (df, dg, dh) = (d * (g - h), d * f, d * (one - f));
//!         ([df * f * (one - f), dg * (one - g * g)], [dh])
//!     }
//! }
//!
//! // Each term of the derivative, then the layer over five steps with dropout.
//! let report = gradcheck::gates(&Leaky);
//! assert!(report.error() < gradcheck::TOLERANCE, "{report}");
//! let layer = Rnn::from_cell(Gated::new(Leaky, 4)).recurrent_dropout(0.2);
//! let report = gradcheck::recurrent(&layer, Form::sequence(5, 3), 2, Pass::training(Key::new(1)))?;
//! assert!(report.error() < gradcheck::TOLERANCE, "{report}");
//!
//! // A running mean is easy for it.
//! let x = Array3::<f32>::from_shape_fn((64, 10, 1), |(n, t, _)| ((n * 10 + t) as f32 * 1.7).sin());
//! let y: Array1<f32> = x.outer_iter().map(|steps| steps.mean().unwrap()).collect();
//! let layers = Sequential::new().add(layer).add(Dense::new(1));
//! let mut model = layers.build(Form::sequence(10, 1), 42)?;
//! model.compile(Adam::new(0.01), MeanSquaredError);
//! let loss = model.fit(&x, &y, Fit::new().epochs(20))?.get("loss").to_vec();
//! assert!(loss[19] < 0.5 * loss[0]);
//!
//! let file = std::env::temp_dir().join(format!("leaky-{}.safetensors", std::process::id()));
//! model.save(&file)?;
//! let loaded: Model = Model::load_with(&file, &Registry::new().gates::<Leaky>())?;
//! assert_eq!(loaded.predict(&x)?, model.predict(&x)?);
//! # std::fs::remove_file(&file).unwrap();
//! # Ok::<(), bptt::Error>(())
//! ```
//!
//! In a module of tests, `bptt::conformance!(leaky, Rnn::from_cell(Gated::new(Leaky, 8)));` checks the rest.
//!
//! # A cell step by step
//!
//! Take h' = tanh(x·W + h·V·Uᵀ + b): the matrix of the recurrence has rank R, so it is kept as two thin ones, and there is a
//! product of a product, which no rule has.
//!
//! 1. *Weights*: a struct with one type parameter, its tensors listed once by [`params!`](crate::params!). Gradients are
//!    values of it. [`Cell::build`] makes them with Keras' initialisers.
//! 2. *States* by their widths, the output first.
//! 3. *Step*: read [`Step::x`] and, for products with the output, [`Step::h`], which dropout may have thinned out; for all
//!    else [`Step::previous`]. Write every state of `next`, and keep in the cache what the adjoint will need.
//! 4. *Adjoint*, line by line from the last to the first. From `back.dnext`, the gradient of `next`, *add* what is due to
//!    [`StepBack::dx`], [`StepBack::dh`], `back.dprevious` and the gradients of the weights. For each product y = a·b of
//!    the step there are two lines, da += dy·bᵀ and db += aᵀ·dy.
//! 5. *Check* the step, then the layer.
//!
//! ```
//! use bptt::Result;
//! use bptt::initializers::{Init, Initializer};
//! use bptt::layer::{Describe, Pass};
//! use bptt::numeric::{Lane, Scalar};
//! use bptt::random::Key;
//! use bptt::recurrent::{Cell, Rnn, Step, StepBack};
//! use bptt::tensor::{Form, ViewsMut, Widths};
//! use bptt::testing::gradcheck;
//! use ndarray::{Array1, Array2, Axis};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Debug, Serialize, Deserialize)]
//! struct Thin {
//!     units: usize,
//!     rank: usize,
//! }
//!
//! #[derive(Clone, Debug)]
//! struct ThinWeights<F> {
//!     w: Array2<F>,
//!     v: Array2<F>,
//!     u: Array2<F>,
//!     b: Array1<F>,
//! }
//! bptt::params!(ThinWeights { w, v, u, b });
//!
//! impl Describe for Thin {
//!     fn kind() -> &'static str {
//!         "my_crate::Thin"
//!     }
//! }
//!
//! impl<F: Scalar> Cell<F> for Thin {
//!     type Weights = ThinWeights<F>;
//!     type Cache = Array2<F>; // h·V
//!     type Workspace = ();
//!
//!     fn states(&self) -> Widths {
//!         Widths::new(&[self.units])
//!     }
//!
//!     fn build(&self, inputs: usize, init: &mut Init) -> Result<ThinWeights<F>> {
//!         Ok(ThinWeights {
//!             w: init.tensor(Initializer::GlorotUniform, (inputs, self.units))?,
//!             v: init.tensor(Initializer::orthogonal(), (self.units, self.rank))?,
//!             u: init.tensor(Initializer::orthogonal(), (self.units, self.rank))?,
//!             b: init.tensor(Initializer::Zeros, self.units)?,
//!         })
//!     }
//!
//!     fn step(&self, w: &ThinWeights<F>, at: &Step<'_, F>, mut next: ViewsMut<'_, F>, hv: &mut Array2<F>) {
//!         *hv = at.h(0).dot(&w.v);
//!         let z = at.x(0).dot(&w.w) + hv.dot(&w.u.t()) + &w.b;
//!         next.view_mut(0).assign(&z.mapv_into(Lane::tanh));
//!     }
//!
//!     fn step_back(
//!         &self,
//!         w: &ThinWeights<F>,
//!         at: &Step<'_, F>,
//!         mut back: StepBack<'_, F>,
//!         hv: &mut Array2<F>,
//!         gradients: &mut ThinWeights<F>,
//!     ) {
//!         // next = tanh z
//!         let dz = &back.dnext.view(0) * &back.next.view(0).mapv(|h| F::one() - h * h);
//!         // z = x·W + hv·Uᵀ + b
//!         back.dx(0).scaled_add(F::one(), &dz.dot(&w.w.t()));
//!         gradients.w += &at.x(0).t().dot(&dz);
//!         let dhv = dz.dot(&w.u);
//!         gradients.u += &dz.t().dot(&*hv);
//!         gradients.b += &dz.sum_axis(Axis(0));
//!         // hv = h·V
//!         back.dh(0).scaled_add(F::one(), &dhv.dot(&w.v.t()));
//!         gradients.v += &at.h(0).t().dot(&dhv);
//!     }
//! }
//!
//! let cell = Thin { units: 4, rank: 2 };
//! let report = gradcheck::cell(&cell, 3, 2, Pass::training(Key::new(1)))?;
//! assert!(report.error() < gradcheck::TOLERANCE, "{report}");
//! let report = gradcheck::recurrent(&Rnn::from_cell(cell), Form::sequence(5, 3), 2, Pass::training(Key::new(1)))?;
//! assert!(report.error() < gradcheck::TOLERANCE, "{report}");
//! # Ok::<(), bptt::Error>(())
//! ```
//!
//! What would be faster over a whole sequence, such as one product for the inputs of all steps, is for [`Cell::run`] and
//! [`Cell::run_back`]. Where they cannot do what is asked they call [`step_by_step`] and [`step_by_step_back`], the loops
//! that they are by default; the conformance suite holds the two together.
//!
//! # Memory
//!
//! Training keeps, for each step, the states (B·H each) and what the step saved (for gates B·N·H). Running keeps two
//! slots of state, however long the sequence.
//!

mod bidirectional;
mod cell;
mod driver;
mod dropped_rows;
pub(crate) mod erased;
pub(crate) mod gated;
mod inputs;
mod masks;
mod once;
mod rnn;
mod series;
mod stacked;
mod steps;

pub use bidirectional::{Bidirectional, BidirectionalCache, BidirectionalWeights, Merge};
pub use cell::{Cell, CellMemory, Run, RunBack, Step, StepBack};
pub(crate) use erased::AnyCell;
pub use gated::{
    Block, Gated, GatedStep, GatedWeights, GatedWorkspace, Gates, Gru, GruCell, GruGates, Lstm, LstmGates, SimpleGates,
    SimpleRnn,
};
pub use masks::StepMasks;
pub use rnn::{Rnn, RnnCache};
pub(crate) use series::StateSeries;
pub use series::{Series, SeriesMut};
pub use stacked::{Stacked, StackedStep, StackedWeights, StackedWorkspace};
pub use steps::{step_by_step, step_by_step_back};
