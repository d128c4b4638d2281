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
//! reference: gate by gate, plain numbers, any dropout. [`Cell::run`] is the fast path, taken when no mask differs by
//! gate: one product gives x·W of all steps, the loop does one product with U and the rule on vectors, and after the loop
//! back one product each gives dW, dU and dx. The same holds for f64.
//!
//! Memory in training, in numbers: T·B·N·H for z and (T+1)·B·H for each state. What else there is does not grow with T:
//! W and U packed once each, two states of B·H for the way back, and for the gradients' products 1024 rows of at most 48
//! columns, and 1024 rows of inputs or states that are wider than 64. Running keeps z of [`CHUNK`] steps and two states.

use std::ops::Range;

use ndarray::{Array1, Array2, Array3, ArrayD, ArrayView2, ArrayViewMut2, Axis, IxDyn, s};
use serde::{Deserialize, Serialize};

use super::cell::{Cell, CellMemory, Run, RunBack, Step, StepBack, step_by_step, step_by_step_back};
use super::gates::{Gates, blocks, kernel_blocks, states};
use super::rnn::Rnn;
use super::state::{MAX_STATES, State, Views, ViewsMut, Widths};
use crate::error::Result;
use crate::initializer::{Init, Initializer};
use crate::kernels::gemm::{self, Packed, Room, Rows, RowsMut, Start};
use crate::kernels::path::Path;
use crate::kernels::pointwise::{self, Backward, Forward};
use crate::lane::Kernel;
use crate::layer::{Describe, check_count};
use crate::scalar::Scalar;
use crate::tensor::{resize, slice, slice_mut};

/// The steps whose input products are made at once when no backward pass follows: enough for a good product, few enough
/// that memory does not grow with T.
const CHUNK: usize = 32;

/// A cell of `units` units over a [`Gates`] rule.
///
/// | option | default | purpose |
/// | --- | --- | --- |
/// | `units` | | size of each state, at least 1 |
/// | `use_bias` | true | whether there is a bias |
/// | `kernel_initializer` | Glorot uniform | start of W, as one matrix over all blocks |
/// | `recurrent_initializer` | orthogonal | start of U, as one matrix over all blocks |
/// | `bias_initializer` | zeros | start of the bias |
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "G: Describe")]
pub struct Gated<G> {
    pub(crate) gates: G,
    pub(crate) units: usize,
    use_bias: bool,
    kernel_initializer: Initializer,
    recurrent_initializer: Initializer,
    bias_initializer: Initializer,
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
        }
    }

    /// The rule.
    pub fn gates(&self) -> &G {
        &self.gates
    }
}

/// Gives the options of [`Gated`], and those of its rule, to the layer that holds it.
macro_rules! gated_options {
    ([$($generics:tt)*] $layer:ty, |$cell:ident| $gated:expr) => {
        impl<$($generics)*> $layer {
            /// Whether a bias is added.
            pub fn use_bias(self, use_bias: bool) -> Self {
                self.with_cell(|mut $cell| {
                    $gated.set_use_bias(use_bias);
                    $cell
                })
            }

            /// How the kernel W starts, as one matrix over all gates.
            pub fn kernel_initializer(self, initializer: $crate::Initializer) -> Self {
                self.with_cell(|mut $cell| {
                    $gated.set_kernel_initializer(initializer);
                    $cell
                })
            }

            /// How the recurrent kernel U starts, as one matrix over all gates.
            pub fn recurrent_initializer(self, initializer: $crate::Initializer) -> Self {
                self.with_cell(|mut $cell| {
                    $gated.set_recurrent_initializer(initializer);
                    $cell
                })
            }

            /// How the bias starts.
            pub fn bias_initializer(self, initializer: $crate::Initializer) -> Self {
                self.with_cell(|mut $cell| {
                    $gated.set_bias_initializer(initializer);
                    $cell
                })
            }
        }
    };
}
pub(crate) use gated_options;

impl<G> Gated<G> {
    pub(crate) fn set_use_bias(&mut self, use_bias: bool) {
        self.use_bias = use_bias;
    }
    pub(crate) fn set_kernel_initializer(&mut self, initializer: Initializer) {
        self.kernel_initializer = initializer;
    }
    pub(crate) fn set_recurrent_initializer(&mut self, initializer: Initializer) {
        self.recurrent_initializer = initializer;
    }
    pub(crate) fn set_bias_initializer(&mut self, initializer: Initializer) {
        self.bias_initializer = initializer;
    }
}

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
    /// Room for the gradients of what is in `z`, for a cell that cannot write them over it.
    pub(crate) dz: Array2<F>,
    /// The biases as one row of z.
    bias: Array1<F>,
}

/// What the fast path keeps for a whole sequence.
#[derive(Clone, Debug, Default)]
pub struct GatedWorkspace<F: Scalar> {
    /// (T, B, N·H): sums, then what the rule saved, then the gradient of the sums.
    z: Array3<F>,
    /// The biases as one row of z.
    bias: Array1<F>,
    /// W packed, span by span, and U; on the way back their transposes.
    kernel: [Packed<F>; 2],
    recurrent_kernel: Packed<F>,
    dprevious: Option<State<F>>,
    room: Room<F>,
}

/// The columns of the kernel W, and where in a row of z their products go.
fn input_spans<G: Gates>(units: usize) -> [(Range<usize>, Range<usize>); 2] {
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

    /// The biases as one row of z.
    fn bias_row<F: Scalar>(&self, weights: &GatedWeights<F>, row: &mut Array1<F>) {
        resize(row, blocks::<G>() * self.units);
        row.fill(F::zero());
        let Some(bias) = weights.bias.as_ref().and_then(|bias| bias.as_slice()) else { return };
        let columns = kernel_blocks::<G>() * self.units;
        for (from, to) in input_spans::<G>(self.units) {
            row.slice_mut(s![to]).iter_mut().zip(&bias[from]).for_each(|(sum, &b)| *sum += b);
        }
        if G::APART > 0 {
            row.iter_mut().zip(&bias[columns..]).for_each(|(sum, &b)| *sum += b);
        }
    }

    /// Adds the gradient of the biases from rows of dz.
    fn add_dbias<F: Scalar>(&self, dz: Rows<'_, F>, gradients: &mut GatedWeights<F>) {
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
        Widths::new(&[self.units; MAX_STATES][..states::<G>()])
    }

    fn masks(&self) -> usize {
        kernel_blocks::<G>()
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<GatedWeights<F>> {
        self.build_weights(inputs, if G::APART > 0 { 2 } else { 1 }, init)
    }

    fn step(&self, w: &GatedWeights<F>, at: &Step<'_, F>, next: ViewsMut<'_, F>, cache: &mut GatedStep<F>) {
        self.bias_row(w, &mut cache.bias);
        resize(&mut cache.z, (at.x(0).nrows(), cache.bias.len()));
        cache.z.assign(&cache.bias);
        let mut z = cache.z.view_mut();
        let (kernel, recurrent_kernel) = (w.kernel.view(), w.recurrent_kernel.view());
        for gate in 0..kernel_blocks::<G>() {
            let to = self.columns(Self::input_block(gate));
            gemm::add_plain_product(at.x(gate), columns(&kernel, self.columns(gate)), columns_mut(&mut z, to));
            let to = self.columns(gate);
            gemm::add_plain_product(at.h(gate), columns(&recurrent_kernel, to.clone()), columns_mut(&mut z, to));
        }
        let z = cache.z.as_slice_mut().expect("caches are in standard layout");
        Forward { gates: &self.gates, units: self.units, z, previous: at.previous, next }.run::<F>(());
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
        let z = cache.z.as_slice_mut().expect("caches are in standard layout");
        let (dnext, dprevious) = (back.dnext, back.dprevious.reborrow());
        let (gates, units, previous) = (&self.gates, self.units, at.previous);
        Backward { gates, units, z, previous, next, dnext, dprevious }.run::<F>(());

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

    fn run(&self, w: &GatedWeights<F>, mut run: Run<'_, F>, memory: &mut CellMemory<F, Self>) {
        if !run.masks.is_empty() || Path::current().is_reference() {
            return step_by_step(self, w, run, memory);
        }
        let (steps, batch, inputs) = run.x.dim();
        let GatedWorkspace { z, bias, kernel, recurrent_kernel, .. } = &mut memory.workspace;
        self.bias_row(w, bias);
        let (width, recurrent) = (bias.len(), kernel_blocks::<G>() * self.units);
        let chunk = if run.states.keeps_all() { steps } else { steps.min(CHUNK) };
        resize(z, (chunk, batch, width));
        let (z, bias) = (slice_mut(z), slice(bias));
        let x = run.x.as_slice().expect("inputs are in standard layout");
        // One or two rows are multiplied by the weights as they are.
        let few = |rows: usize| rows <= gemm::FEW;
        let [together, apart] = input_spans::<G>(self.units);
        if !few(batch * chunk) {
            for (packed, (from, _)) in kernel.iter_mut().zip([&together, &apart]) {
                packed.pack(columns(&w.kernel.view(), from.clone()));
            }
        }
        if !few(batch) {
            recurrent_kernel.pack(w.recurrent_kernel.view());
        }
        for first in (0..steps).step_by(chunk) {
            let count = chunk.min(steps - first);
            let x = Rows::new(&x[first * batch * inputs..][..count * batch * inputs], inputs);
            let z = &mut z[..count * batch * width];
            if few(batch * chunk) {
                z.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(bias));
            }
            for (packed, (from, to)) in kernel.iter().zip([&together, &apart]).filter(|(_, (from, _))| !from.is_empty())
            {
                let sums = RowsMut::new(z, width).columns(to.start, to.end);
                if few(batch * chunk) {
                    gemm::add_rows_product(
                        x,
                        Rows::new(slice(&w.kernel), recurrent).columns(from.start, from.end),
                        sums,
                    );
                } else {
                    gemm::product(x, packed, Start::Row(&bias[to.clone()]), sums);
                }
            }
            // The blocks apart hold nothing of the inputs: the state's products start from the bias there.
            if G::APART > 0 && !few(batch * chunk) {
                let apart = together.1.end..recurrent;
                z.chunks_exact_mut(width).for_each(|row| row[apart.clone()].copy_from_slice(&bias[apart.clone()]));
            }
            for (t, z) in z.chunks_exact_mut(batch * width).enumerate() {
                let (previous, mut next) = run.states.around(first + t);
                let h = Rows::new(previous.slice(0), self.units);
                let sums = RowsMut::new(z, width).columns(0, recurrent);
                if few(batch) {
                    gemm::add_rows_product(h, Rows::new(slice(&w.recurrent_kernel), recurrent), sums);
                } else {
                    gemm::product(h, recurrent_kernel, Start::Sum, sums);
                }
                let next_step = next.reborrow();
                F::vectorize(
                    pointwise::width(self.units),
                    Forward { gates: &self.gates, units: self.units, z, previous, next: next_step },
                );
                if let Some(outputs) = &mut run.outputs {
                    outputs.index_axis_mut(Axis(0), first + t).assign(&next.view_mut(0));
                }
            }
        }
    }

    fn run_back(
        &self,
        w: &GatedWeights<F>,
        mut run: RunBack<'_, F>,
        memory: &mut CellMemory<F, Self>,
        gradients: &mut GatedWeights<F>,
    ) {
        if !run.masks.is_empty() || Path::current().is_reference() {
            return step_by_step_back(self, w, run, memory, gradients);
        }
        let (steps, batch, inputs) = run.x.dim();
        let GatedWorkspace { z, dprevious, kernel, recurrent_kernel, room, .. } = &mut memory.workspace;
        let dprevious = dprevious.get_or_insert_with(|| State { parts: Vec::new() });
        dprevious.reset(batch, Cell::<F>::states(self));
        let (width, recurrent) = (z.dim().2, kernel_blocks::<G>() * self.units);
        recurrent_kernel.pack(w.recurrent_kernel.t());
        let z = slice_mut(z);
        for t in (0..steps).rev() {
            if let Some(doutputs) = &run.doutputs {
                run.dstates.parts[0] += &doutputs.index_axis(Axis(0), t);
            }
            let dz = &mut z[t * batch * width..][..batch * width];
            let kernel = Backward {
                gates: &self.gates,
                units: self.units,
                z: dz,
                previous: run.states.before(t),
                next: run.states.before(t + 1),
                dnext: run.dstates.views(),
                dprevious: dprevious.views_mut(),
            };
            F::vectorize(pointwise::width(self.units), kernel);
            let dh = RowsMut::new(slice_mut(&mut dprevious.parts[0]), self.units);
            gemm::product(Rows::new(dz, width).columns(0, recurrent), recurrent_kernel, Start::Sum, dh);
            std::mem::swap(run.dstates, dprevious);
        }

        let dz = Rows::new(z, width);
        let h = run.states.outputs_before(steps);
        let h = Rows::new(h.to_slice().expect("states are in standard layout"), self.units);
        let drecurrent = RowsMut::new(slice_mut(&mut gradients.recurrent_kernel), recurrent);
        gemm::add_transposed_product(h, dz.columns(0, recurrent), drecurrent, room);
        let x = Rows::new(run.x.to_slice().expect("inputs are in standard layout"), inputs);
        let spans = input_spans::<G>(self.units).into_iter().filter(|(from, _)| !from.is_empty());
        for (index, (from, to)) in spans.enumerate() {
            let dz = dz.columns(to.start, to.end);
            let dkernel = RowsMut::new(slice_mut(&mut gradients.kernel), recurrent).columns(from.start, from.end);
            gemm::add_transposed_product(x, dz, dkernel, room);
            if let Some(dx) = &mut run.dx {
                let packed = &mut kernel[index];
                packed.pack(columns(&w.kernel.view(), from).reversed_axes());
                let start = if index == 0 { Start::Zero } else { Start::Sum };
                let dx = dx.as_slice_mut().expect("dx is in standard layout");
                gemm::product(dz, packed, start, RowsMut::new(dx, inputs));
            }
        }
        self.add_dbias(dz, gradients);
    }
}
