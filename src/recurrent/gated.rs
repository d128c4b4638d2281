//! The cell made of a gates rule: z = x·W + h·U + b, then the rule on each element.
//!
//! Letters: B batch, T steps, D inputs, H units; K blocks in the kernels, A of them apart, N = K + A blocks in z.
//!
//! ```text
//! kernel W (D, K·H)   recurrent_kernel U (H, K·H)   bias (K·H), or (2, K·H) with A > 0
//!
//! block of z      0 … K−A−1          K−A … K−1           K … N−1
//! holds           x·W + h·U + b      h·U + b[1]          x·W + b[0]      of the last A blocks of the kernels
//! ```
//!
//! So h·U fills the first K blocks in one product, and x·W at most two spans, see [`input_spans`]. [`Cell::step`] is the
//! reference: gate by gate, plain numbers. `fused` is the fast path.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayD, ArrayView1, ArrayView2, ArrayViewMut2, Axis, IxDyn};
use serde::{Deserialize, Serialize};

use super::cell::{Cell, CellMemory, Run, RunBack, Step, StepBack, run_one_step, step_by_step, step_by_step_back};
use super::fused::GatedWorkspace;
use super::gates::{Gates, blocks, kernel_blocks, states};
use super::rnn::Rnn;
use super::state::{MAX_STATES, State, Views, ViewsMut, Widths};
use crate::error::Result;
use crate::initializer::{Init, Initializer};
use crate::kernels::gemm::{self, Rows};
use crate::kernels::path::Path;
use crate::kernels::pointwise::{Backward, Forward};
use crate::lane::Kernel;
use crate::layer::{Describe, check_count};
use crate::params;
use crate::scalar::Scalar;
use crate::tensor::{copy_row, resize, slice, slice_mut};
use crate::weight_options::WeightOptions;

/// A cell of `units` units over a [`Gates`] rule.
///
/// | option | default | purpose |
/// | --- | --- | --- |
/// | `units` | | size of each state, at least 1 |
/// | `use_bias` | true | whether there is a bias |
/// | `kernel_initializer` | Glorot uniform | start of W, as one matrix over all blocks |
/// | `recurrent_initializer` | orthogonal | start of U, as one matrix over all blocks |
/// | `bias_initializer` | zeros | start of the bias |
/// | `kernel_regularizer`, `recurrent_regularizer`, `bias_regularizer` | none | a penalty, see [`Regularizer`] |
/// | `kernel_constraint`, `recurrent_constraint`, `bias_constraint` | none | what holds after each step, see [`Constraint`] |
///
/// [`Regularizer`]: crate::Regularizer
/// [`Constraint`]: crate::Constraint
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "G: Describe")]
pub struct Gated<G> {
    pub(crate) gates: G,
    pub(crate) units: usize,
    pub(super) use_bias: bool,
    pub(super) kernel_initializer: Initializer,
    pub(super) recurrent_initializer: Initializer,
    pub(super) bias_initializer: Initializer,
    #[serde(default, skip_serializing_if = "WeightOptions::is_empty")]
    pub(super) kernel: WeightOptions,
    #[serde(default, skip_serializing_if = "WeightOptions::is_empty")]
    pub(super) recurrent_kernel: WeightOptions,
    #[serde(default, skip_serializing_if = "WeightOptions::is_empty")]
    pub(super) bias: WeightOptions,
}

impl<G> Gated<G> {
    /// A cell of this rule.
    pub fn new(gates: G, units: usize) -> Self {
        Gated {
            gates,
            units,
            use_bias: true,
            kernel_initializer: Initializer::GlorotUniform,
            recurrent_initializer: Initializer::orthogonal(),
            bias_initializer: Initializer::Zeros,
            kernel: WeightOptions::default(),
            recurrent_kernel: WeightOptions::default(),
            bias: WeightOptions::default(),
        }
    }

    /// The rule.
    pub fn gates(&self) -> &G {
        &self.gates
    }
}

/// Gives the options of [`Gated`] to the layer that holds it.
macro_rules! gated_options {
    ([$($generics:tt)*] $layer:ty, |$cell:ident| $gated:expr) => {
        $crate::recurrent::gated::gated_options! {
            [$($generics)*] $layer, |$cell| $gated;
            /// Whether a bias is added.
            use_bias(bool): use_bias;
            /// How the kernel W starts, as one matrix over all gates.
            kernel_initializer($crate::Initializer): kernel_initializer;
            /// How the recurrent kernel U starts, as one matrix over all gates.
            recurrent_initializer($crate::Initializer): recurrent_initializer;
            /// How the bias starts.
            bias_initializer($crate::Initializer): bias_initializer;
            /// A penalty on the kernel W, a term of the loss.
            kernel_regularizer($crate::Regularizer): kernel.regularizer;
            /// A penalty on the recurrent kernel U, a term of the loss.
            recurrent_regularizer($crate::Regularizer): recurrent_kernel.regularizer;
            /// A penalty on the bias, a term of the loss.
            bias_regularizer($crate::Regularizer): bias.regularizer;
            /// What holds for the kernel W, (D, K·H), after each step of the optimizer.
            kernel_constraint($crate::Constraint): kernel.constraint;
            /// What holds for the recurrent kernel U, (H, K·H), after each step of the optimizer.
            recurrent_constraint($crate::Constraint): recurrent_kernel.constraint;
            /// What holds for the bias, as it is shaped, after each step of the optimizer.
            bias_constraint($crate::Constraint): bias.constraint;
        }
    };
    (
        [$($generics:tt)*] $layer:ty, |$cell:ident| $gated:expr;
        $($(#[$doc:meta])* $option:ident($type:ty): $($field:ident).+;)+
    ) => {
        impl<$($generics)*> $layer {
            $($(#[$doc])*
            pub fn $option(self, $option: $type) -> Self {
                self.with_cell(|mut $cell| {
                    $gated.$($field).+ = $option.into();
                    $cell
                })
            })+
        }
    };
}
pub(crate) use gated_options;

gated_options!([G: Gates] Rnn<Gated<G>>, |cell| cell);

/// The weights of a [`Gated`] cell, under Keras' names and in Keras' layout.
#[derive(Clone, Debug)]
pub struct GatedWeights<F> {
    /// W (D, K·H).
    pub kernel: Array2<F>,
    /// U (H, K·H).
    pub recurrent_kernel: Array2<F>,
    /// b (K·H); (2, K·H), for inputs and for the state, if the rule has blocks apart.
    pub bias: Option<ArrayD<F>>,
}
crate::params!(GatedWeights { kernel, recurrent_kernel, bias });

/// What one step of the reference path saves: (B, N·H), first the sums, then what the rule put in their place.
#[derive(Clone, Debug, Default)]
pub struct GatedStep<F: Scalar> {
    pub(crate) z: Array2<F>,
    /// Room for gradients: of what is in `z`, for a cell that cannot write them over it, or of the states as they were.
    pub(crate) dz: Array2<F>,
    /// The biases as one row of z.
    bias: Array1<F>,
}

/// The columns of the kernel W, and where in a row of z their products go.
pub(super) fn input_spans<G: Gates>(units: usize) -> [(Range<usize>, Range<usize>); 2] {
    let (together, kernel) = ((kernel_blocks::<G>() - G::APART) * units, kernel_blocks::<G>() * units);
    [(0..together, 0..together), (together..kernel, kernel..blocks::<G>() * units)]
}

impl<G: Gates> Gated<G> {
    /// Builds weights whose bias has one row, or two for what is apart.
    pub(crate) fn build_weights<F: Scalar>(
        &self,
        inputs: usize,
        bias_rows: usize,
        init: &mut Init,
    ) -> Result<GatedWeights<F>> {
        check_count("units", self.units)?;
        self.gates.check()?;
        let columns = kernel_blocks::<G>() * self.units;
        let kernel = init.tensor(self.kernel_initializer, (inputs, columns))?;
        let recurrent_kernel = init.tensor(self.recurrent_initializer, (self.units, columns))?;
        let bias = if self.use_bias {
            let shape: &[usize] = if bias_rows == 1 { &[columns] } else { &[bias_rows, columns] };
            let mut bias: ArrayD<F> = init.tensor(self.bias_initializer, IxDyn(shape))?;
            for block in 0..kernel_blocks::<G>() {
                if let Some(value) = self.gates.initial_bias(block) {
                    let units = block * self.units..(block + 1) * self.units;
                    let last = Axis(bias.ndim() - 1);
                    bias.slice_axis_mut(last, units.into()).fill(F::of(value));
                }
            }
            Some(bias)
        } else {
            None
        };
        Ok(GatedWeights { kernel, recurrent_kernel, bias })
    }

    /// The biases as one row of z: those of the weights where they are one, else put together in `row`.
    pub(super) fn bias_row<'a, F: Scalar>(&self, weights: &'a GatedWeights<F>, row: &'a mut Array1<F>) -> &'a [F] {
        match weights.bias.as_ref().and_then(|bias| bias.as_slice()) {
            Some(bias) if G::APART == 0 => bias,
            _ => {
                resize(row, blocks::<G>() * self.units);
                let row = slice_mut(row);
                self.write_bias(weights, row);
                row
            }
        }
    }

    /// Writes the biases into a row of z; `#[inline(always)]` for the reason that [`Lane`](crate::Lane) gives.
    #[inline(always)]
    pub(super) fn write_bias<F: Scalar>(&self, weights: &GatedWeights<F>, row: &mut [F]) {
        let Some(bias) = weights.bias.as_ref().and_then(|bias| bias.as_slice()) else {
            return row.fill(F::zero());
        };
        let columns = kernel_blocks::<G>() * self.units;
        row[columns - G::APART * self.units..columns].fill(F::zero());
        for (from, to) in input_spans::<G>(self.units) {
            copy_row(&bias[from], &mut row[to]);
        }
        row.iter_mut().zip(&bias[columns..]).for_each(|(sum, &b)| *sum += b);
    }

    /// Adds the gradient of the biases from rows of dz.
    pub(super) fn add_dbias<F: Scalar>(&self, dz: Rows<'_, F>, gradients: &mut GatedWeights<F>) {
        let Some(dbias) = gradients.bias.as_mut().and_then(|bias| bias.as_slice_mut()) else { return };
        let columns = kernel_blocks::<G>() * self.units;
        for (from, to) in input_spans::<G>(self.units) {
            gemm::add_row_sums(dz.columns(to.start, to.end), &mut dbias[from]);
        }
        if G::APART > 0 {
            gemm::add_row_sums(dz.columns(0, columns), &mut dbias[columns..]);
        }
    }

    /// The gate block of z that block `gate` of the kernel W goes to.
    fn input_block(gate: usize) -> usize {
        if gate < kernel_blocks::<G>() - G::APART { gate } else { gate + G::APART }
    }

    fn columns(&self, block: usize) -> Range<usize> {
        block * self.units..(block + 1) * self.units
    }

    /// The inputs of a step of a few samples, row after row, if it can take the path for those.
    pub(super) fn streamed<'a, F: Scalar>(x: &'a ArrayView2<'_, F>, state: &State<F>) -> Option<&'a [F]> {
        let takes = x.nrows() <= gemm::FEW
            && state.parts.iter().all(|part| part.is_standard_layout())
            && !Path::current().is_reference();
        x.as_slice().filter(|_| takes)
    }

    /// The widths of the states.
    pub(super) fn widths(&self) -> Widths {
        Widths::new(&[self.units; MAX_STATES][..states::<G>()])
    }
}

/// Columns of a matrix.
fn columns<'a, F>(matrix: &'a ArrayView2<'_, F>, range: Range<usize>) -> ArrayView2<'a, F> {
    matrix.slice_axis(Axis(1), range.into())
}

/// Columns of a matrix, to be written.
fn columns_mut<'a, F>(matrix: &'a mut ArrayViewMut2<'_, F>, range: Range<usize>) -> ArrayViewMut2<'a, F> {
    matrix.slice_axis_mut(Axis(1), range.into())
}

impl<G: Gates> Describe for Gated<G> {
    fn kind() -> &'static str {
        G::kind()
    }
}

impl<F: Scalar, G: Gates> Cell<F> for Gated<G> {
    type Weights = GatedWeights<F>;
    type Cache = GatedStep<F>;
    type Workspace = GatedWorkspace<F>;

    fn states(&self) -> Widths {
        self.widths()
    }

    fn masks(&self) -> usize {
        kernel_blocks::<G>()
    }

    fn weight_options(&self, path: params::Path<'_>) -> WeightOptions {
        match path.name() {
            "kernel" => self.kernel,
            "recurrent_kernel" => self.recurrent_kernel,
            "bias" => self.bias,
            _ => WeightOptions::default(),
        }
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<GatedWeights<F>> {
        self.build_weights(inputs, if G::APART > 0 { 2 } else { 1 }, init)
    }

    fn step(&self, w: &GatedWeights<F>, at: &Step<'_, F>, next: ViewsMut<'_, F>, cache: &mut GatedStep<F>) {
        let bias = ArrayView1::from(self.bias_row(w, &mut cache.bias));
        resize(&mut cache.z, (at.x(0).nrows(), bias.len()));
        cache.z.assign(&bias);
        let mut z = cache.z.view_mut();
        let (kernel, recurrent_kernel) = (w.kernel.view(), w.recurrent_kernel.view());
        for gate in 0..kernel_blocks::<G>() {
            let to = self.columns(Self::input_block(gate));
            gemm::add_plain_product(at.x(gate), columns(&kernel, self.columns(gate)), columns_mut(&mut z, to));
            let to = self.columns(gate);
            gemm::add_plain_product(at.h(gate), columns(&recurrent_kernel, to.clone()), columns_mut(&mut z, to));
        }
        let z = cache.z.as_slice_mut().expect("caches are in standard layout");
        Forward { gates: &self.gates, units: self.units, z, previous: at.previous, next, counts: None }.run::<F>(());
    }

    fn step_back(
        &self,
        w: &GatedWeights<F>,
        at: &Step<'_, F>,
        next: Views<'_, F>,
        mut back: StepBack<'_, F>,
        cache: &mut GatedStep<F>,
        gradients: &mut GatedWeights<F>,
    ) {
        let GatedStep { z, dz: room, .. } = cache;
        // The rule's kernel writes, and what is there already is to be added to.
        resize(room, (states::<G>(), at.previous.slice(0).len()));
        for (state, mut room) in room.outer_iter_mut().enumerate() {
            room.assign(&ArrayView1::from(&*back.dprevious.slice_mut(state)));
        }
        let (dnext, dprevious) = (back.dnext, back.dprevious.reborrow());
        let (gates, units, previous) = (&self.gates, self.units, at.previous);
        Backward { gates, units, z: slice_mut(z), previous, next, dnext, dprevious, counts: None, ahead: None }
            .run::<F>(());
        for (state, room) in room.outer_iter().enumerate() {
            back.dprevious.slice_mut(state).iter_mut().zip(room).for_each(|(sum, &before)| *sum += before);
        }

        let dz = cache.z.view();
        let (kernel, recurrent_kernel) = (w.kernel.view(), w.recurrent_kernel.view());
        let (mut dkernel, mut drecurrent) = (gradients.kernel.view_mut(), gradients.recurrent_kernel.view_mut());
        for gate in 0..kernel_blocks::<G>() {
            let of = self.columns(gate);
            let dz_input = columns(&dz, self.columns(Self::input_block(gate)));
            gemm::add_plain_product(at.x(gate).t(), dz_input, columns_mut(&mut dkernel, of.clone()));
            gemm::add_plain_product(dz_input, columns(&kernel, of.clone()).t(), back.dx(gate));
            let dz_state = columns(&dz, of.clone());
            gemm::add_plain_product(at.h(gate).t(), dz_state, columns_mut(&mut drecurrent, of.clone()));
            gemm::add_plain_product(dz_state, columns(&recurrent_kernel, of).t(), back.dh(gate));
        }
        let width = dz.ncols();
        self.add_dbias(Rows::new(slice(&cache.z), width), gradients);
    }

    fn run(&self, w: &GatedWeights<F>, run: Run<'_, F>, memory: &mut CellMemory<F, Self>) {
        if Path::current().is_reference() {
            return step_by_step(self, w, run, memory);
        }
        let GatedWorkspace { sequence, recurrence } = &mut memory.workspace;
        let mut recurrence = self.one_product(w, run.masks, recurrence);
        self.run_fused(w, run, sequence, &mut recurrence);
    }

    fn run_back(
        &self,
        w: &GatedWeights<F>,
        run: RunBack<'_, F>,
        memory: &mut CellMemory<F, Self>,
        gradients: &mut GatedWeights<F>,
    ) {
        if Path::current().is_reference() {
            return step_by_step_back(self, w, run, memory, gradients);
        }
        let GatedWorkspace { sequence, recurrence } = &mut memory.workspace;
        let mut recurrence = self.one_product(w, run.masks, recurrence);
        self.run_back_fused(w, run, sequence, &mut recurrence, gradients);
    }

    fn advance(
        &self,
        w: &GatedWeights<F>,
        x: ArrayView2<'_, F>,
        state: &mut State<F>,
        memory: &mut CellMemory<F, Self>,
    ) {
        match Self::streamed(&x, state) {
            Some(x) => self.advance_fused(w, x, state, &mut memory.workspace.sequence),
            None => run_one_step(self, w, x, state, memory),
        }
    }

    fn takes_lookups(&self) -> bool {
        !Path::current().is_reference()
    }
}
