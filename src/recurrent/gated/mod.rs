//! Cell of a gate rule: z = x·W + h·U + b, then the rule on each element.
//!
//! Letters: B batch, T time steps, D inputs, H units; K blocks in the kernels, A of them apart, N = K + A blocks in z.
//!
//! ```text
//! kernel W (D, K·H)   recurrent_kernel U (H, K·H)   bias (K·H), or (2, K·H) with A > 0
//!
//! block of z      0 … K−A−1          K−A … K−1           K … N−1
//! holds           x·W + h·U + b      h·U + b[1]          x·W + b[0]      of the last A blocks of the kernels
//! ```
//!
//! So one product h·U fills the first K blocks, and x·W fills at most two spans, see [`input_spans`]. `reference` is
//! [`Cell::step`], gate by gate on plain numbers; `fused` is the fast path. Both know the rule as [`Rule`], so they are
//! compiled once.

mod functions;
mod fused;
mod gates;
mod gru;
mod lstm;
mod pointwise;
mod product;
mod recurrence;
mod reference;
mod reset_before;
mod rule;
mod simple_rnn;
mod streaming;

pub use fused::GatedWorkspace;
pub(crate) use fused::SequenceRoom;
pub(super) use fused::{run, run_back};
pub use gates::{Block, Gates};
pub use gru::{Gru, GruCell, GruGates};
pub use lstm::{Lstm, LstmGates};
pub(crate) use pointwise::{Backward, Forward, StepBackward, StepForward};
pub use reference::GatedStep;
pub(super) use reference::{step, step_back};
pub(super) use reset_before::{run_gru, run_gru_back, step_gru, step_gru_back};
pub(crate) use rule::Rule;
pub use simple_rnn::{SimpleGates, SimpleRnn};
pub(super) use streaming::advance;

use std::ops::Range;
use std::sync::Arc;

use gates::{blocks, states};
use ndarray::{Array1, Array2, ArrayD, ArrayView2, Axis, IxDyn};
use serde::{Deserialize, Serialize};

use super::cell::{Cell, CellMemory, Run, RunBack, Step, StepBack};
use super::erased::DynCell;
use super::once;
use super::rnn::Rnn;
use super::steps::{run_one_step, step_by_step, step_by_step_back};
use crate::error::Result;
use crate::kernels::gemm::{self, Rows};
use crate::layer::{Describe, DynLayer, Path, WeightOptions};
use crate::numeric::Scalar;
use crate::numeric::checks::check_count;
use crate::numeric::instructions::Path as Instructions;
use crate::tensor::{MAX_STATES, State, ViewsMut, Widths, copy_row, resize, slice_mut};
use crate::weights::initializers::{Init, Initializer};

/// Cell of `units` units over a [`Gates`] rule.
///
/// | option | default | purpose |
/// | --- | --- | --- |
/// | `units` | | number of units, at least 1 |
/// | `use_bias` | true | whether there is a bias |
/// | `kernel_initializer` | Glorot uniform | initializer of the kernel W, as one matrix over all blocks |
/// | `recurrent_initializer` | orthogonal | initializer of the recurrent kernel U, as one matrix over all blocks |
/// | `bias_initializer` | zeros | initializer of the bias |
/// | `kernel_regularizer`, `recurrent_regularizer`, `bias_regularizer` | none | [`Regularizer`] of the weight |
/// | `kernel_constraint`, `recurrent_constraint`, `bias_constraint` | none | [`Constraint`] on the weight |
///
/// [`Regularizer`]: crate::regularizers::Regularizer
/// [`Constraint`]: crate::constraints::Constraint
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gated<G> {
    gates: G,
    options: GatedOptions,
}

/// Options of a gated cell, without those of its rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GatedOptions {
    units: usize,
    use_bias: bool,
    kernel_initializer: Initializer,
    recurrent_initializer: Initializer,
    bias_initializer: Initializer,
    #[serde(default, skip_serializing_if = "WeightOptions::is_empty")]
    kernel: WeightOptions,
    #[serde(default, skip_serializing_if = "WeightOptions::is_empty")]
    recurrent_kernel: WeightOptions,
    #[serde(default, skip_serializing_if = "WeightOptions::is_empty")]
    bias: WeightOptions,
}

impl<G> Gated<G> {
    /// Returns a cell of this rule.
    pub fn new(gates: G, units: usize) -> Self {
        let options = GatedOptions {
            units,
            use_bias: true,
            kernel_initializer: Initializer::GlorotUniform,
            recurrent_initializer: Initializer::orthogonal(),
            bias_initializer: Initializer::Zeros,
            kernel: WeightOptions::default(),
            recurrent_kernel: WeightOptions::default(),
            bias: WeightOptions::default(),
        };
        Gated { gates, options }
    }

    /// Returns the rule.
    pub fn gates(&self) -> &G {
        &self.gates
    }
}

/// Gives the options of [`Gated`] to the layer that holds it.
macro_rules! gated_options {
    ([$($generics:tt)*] $layer:ty, |$cell:ident| $gated:expr) => {
        $crate::recurrent::gated::gated_options! {
            [$($generics)*] $layer, |$cell| $gated;
            /// Sets whether there is a bias.
            use_bias(bool): use_bias;
            /// Sets the initializer of the kernel W, as one matrix over all gates.
            kernel_initializer($crate::initializers::Initializer): kernel_initializer;
            /// Sets the initializer of the recurrent kernel U, as one matrix over all gates.
            recurrent_initializer($crate::initializers::Initializer): recurrent_initializer;
            /// Sets the initializer of the bias.
            bias_initializer($crate::initializers::Initializer): bias_initializer;
            /// Sets the regularizer of the kernel W, a penalty in the loss.
            kernel_regularizer($crate::regularizers::Regularizer): kernel.regularizer;
            /// Sets the regularizer of the recurrent kernel U, a penalty in the loss.
            recurrent_regularizer($crate::regularizers::Regularizer): recurrent_kernel.regularizer;
            /// Sets the regularizer of the bias, a penalty in the loss.
            bias_regularizer($crate::regularizers::Regularizer): bias.regularizer;
            /// Sets the constraint on the kernel W, (D, K·H).
            kernel_constraint($crate::constraints::Constraint): kernel.constraint;
            /// Sets the constraint on the recurrent kernel U, (H, K·H).
            recurrent_constraint($crate::constraints::Constraint): recurrent_kernel.constraint;
            /// Sets the constraint on the bias.
            bias_constraint($crate::constraints::Constraint): bias.constraint;
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
                    $gated.options.$($field).+ = $option.into();
                    $cell
                })
            })+
        }
    };
}
pub(crate) use gated_options;

gated_options!([G: Gates] Rnn<Gated<G>>, |cell| cell);

/// Weights of a [`Gated`] cell, under Keras' names and in Keras' layout.
#[derive(Clone, Debug)]
pub struct GatedWeights<F> {
    /// Kernel W (D, K·H).
    pub kernel: Array2<F>,
    /// Recurrent kernel U (H, K·H).
    pub recurrent_kernel: Array2<F>,
    /// Bias b (K·H); if the rule has blocks apart (2, K·H), a row for inputs and a row for the state.
    pub bias: Option<ArrayD<F>>,
}
crate::params!(GatedWeights { kernel, recurrent_kernel, bias });

/// Sizes of a gated cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Number of units, H.
    units: usize,
    /// Number of blocks of z, N.
    blocks: usize,
    /// Number of kernel blocks that arrive apart, A.
    apart: usize,
    states: usize,
}

impl Shape {
    fn of<G: Gates>(units: usize) -> Self {
        Shape { units, blocks: blocks::<G>(), apart: G::APART, states: states::<G>() }
    }

    /// Number of blocks of the kernels, K.
    fn kernel_blocks(self) -> usize {
        self.blocks - self.apart
    }

    /// Number of values in a row of z.
    fn width(self) -> usize {
        self.blocks * self.units
    }

    /// Number of columns of the kernels.
    fn kernel_width(self) -> usize {
        self.kernel_blocks() * self.units
    }

    /// Returns spans of columns of the kernel W, each with the place of their products in a row of z.
    fn input_spans(self) -> [(Range<usize>, Range<usize>); 2] {
        let (together, kernel) = ((self.kernel_blocks() - self.apart) * self.units, self.kernel_width());
        [(0..together, 0..together), (together..kernel, kernel..self.width())]
    }

    /// Returns the widths of the states.
    fn widths(self) -> Widths {
        Widths::new(&[self.units; MAX_STATES][..self.states])
    }
}

/// Gated cell without the type of its rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GatedCell<'a, F: Scalar> {
    shape: Shape,
    options: &'a GatedOptions,
    rule: &'a dyn Rule<F>,
}

impl<G: Gates> Gated<G> {
    fn erased<F: Scalar>(&self) -> GatedCell<'_, F> {
        GatedCell { shape: self.shape(), options: &self.options, rule: self.gates.erase() }
    }

    fn shape(&self) -> Shape {
        Shape::of::<G>(self.options.units)
    }
}

/// Builds weights whose bias has one row, or two if there are blocks apart.
pub(super) fn build<F: Scalar>(
    cell: GatedCell<'_, F>,
    inputs: usize,
    bias_rows: usize,
    init: &mut Init,
) -> Result<GatedWeights<F>> {
    let GatedCell { shape, options, rule } = cell;
    check_count("units", options.units)?;
    rule.check()?;
    let columns = shape.kernel_width();
    let kernel = init.tensor(options.kernel_initializer, (inputs, columns))?;
    let recurrent_kernel = init.tensor(options.recurrent_initializer, (options.units, columns))?;
    let bias = if options.use_bias {
        let shape_of_bias: &[usize] = if bias_rows == 1 { &[columns] } else { &[bias_rows, columns] };
        let mut bias: ArrayD<F> = init.tensor(options.bias_initializer, IxDyn(shape_of_bias))?;
        for block in 0..shape.kernel_blocks() {
            if let Some(value) = rule.initial_bias(block) {
                let units = block * options.units..(block + 1) * options.units;
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

impl<F: Scalar> GatedWeights<F> {
    /// Returns the biases as one row of z: those of the weights if they are one row, else assembled in `row`.
    fn bias_row<'a>(&'a self, shape: Shape, row: &'a mut Array1<F>) -> &'a [F] {
        match self.bias.as_ref().and_then(|bias| bias.as_slice()) {
            Some(bias) if shape.apart == 0 => bias,
            _ => {
                resize(row, shape.width());
                let row = slice_mut(row);
                self.write_bias(shape, row);
                row
            }
        }
    }

    /// Writes the biases into a row of z; `#[inline(always)]` for the reason that [`Lane`](crate::numeric::Lane) gives.
    #[inline(always)]
    fn write_bias(&self, shape: Shape, row: &mut [F]) {
        let Some(bias) = self.bias.as_ref().and_then(|bias| bias.as_slice()) else {
            return row.fill(F::zero());
        };
        let columns = shape.kernel_width();
        row[columns - shape.apart * shape.units..columns].fill(F::zero());
        for (from, to) in shape.input_spans() {
            copy_row(&bias[from], &mut row[to]);
        }
        for (sum, &b) in row.iter_mut().zip(&bias[columns..]) {
            *sum += b;
        }
    }

    /// Adds the gradient of the biases, given rows of dz.
    fn add_dbias(&mut self, shape: Shape, dz: Rows<'_, F>) {
        let Some(dbias) = self.bias.as_mut().and_then(|bias| bias.as_slice_mut()) else { return };
        let columns = shape.kernel_width();
        for (from, to) in shape.input_spans() {
            gemm::add_row_sums(dz.columns(to.start, to.end), &mut dbias[from]);
        }
        if shape.apart > 0 {
            gemm::add_row_sums(dz.columns(0, columns), &mut dbias[columns..]);
        }
    }
}

impl<G: Gates> Describe for Gated<G> {
    fn kind() -> &'static str {
        G::kind()
    }
}

impl GatedOptions {
    fn of_weight(&self, path: Path<'_>) -> WeightOptions {
        match path.name() {
            "kernel" => self.kernel,
            "recurrent_kernel" => self.recurrent_kernel,
            "bias" => self.bias,
            _ => WeightOptions::default(),
        }
    }
}

impl<F: Scalar, G: Gates> Cell<F> for Gated<G> {
    type Weights = GatedWeights<F>;
    type Cache = GatedStep<F>;
    type Workspace = GatedWorkspace<F>;

    fn states(&self) -> Widths {
        self.shape().widths()
    }

    fn masks(&self) -> usize {
        self.shape().kernel_blocks()
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        self.options.of_weight(path)
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<GatedWeights<F>> {
        once::build(self.erased(), inputs, if G::APART > 0 { 2 } else { 1 }, init)
    }

    fn step(&self, w: &GatedWeights<F>, at: &Step<'_, F>, next: ViewsMut<'_, F>, cache: &mut GatedStep<F>) {
        once::step(self.erased(), w, at, next, cache);
    }

    fn step_back(
        &self,
        w: &GatedWeights<F>,
        at: &Step<'_, F>,
        back: StepBack<'_, F>,
        cache: &mut GatedStep<F>,
        gradients: &mut GatedWeights<F>,
    ) {
        once::step_back(self.erased(), w, at, back, cache, gradients);
    }

    fn run(&self, w: &GatedWeights<F>, run: Run<'_, F>, memory: &mut CellMemory<F, Self>) {
        if Instructions::current().is_reference() {
            return step_by_step(self, w, run, memory);
        }
        once::run(self.erased(), w, run, &mut memory.workspace);
    }

    fn run_back(
        &self,
        w: &GatedWeights<F>,
        run: RunBack<'_, F>,
        memory: &mut CellMemory<F, Self>,
        gradients: &mut GatedWeights<F>,
    ) {
        if Instructions::current().is_reference() {
            return step_by_step_back(self, w, run, memory, gradients);
        }
        once::run_back(self.erased(), w, run, &mut memory.workspace, gradients);
    }

    fn advance(
        &self,
        w: &GatedWeights<F>,
        x: ArrayView2<'_, F>,
        state: &mut State<F>,
        memory: &mut CellMemory<F, Self>,
    ) {
        if !once::advance(self.erased(), w, x, state, &mut memory.workspace) {
            run_one_step(self, w, x, state, memory);
        }
    }

    fn takes_lookups(&self) -> bool {
        !Instructions::current().is_reference()
    }

    fn erase(self) -> Arc<dyn DynCell<F>> {
        G::erase_cell(self)
    }

    fn erase_layer(layer: Rnn<Self>) -> Arc<dyn DynLayer<F>> {
        G::erase_layer(layer)
    }
}
