//! Functions of recurrent layers that are compiled once: all but a cell's own steps and a rule's own loops.

use ndarray::ArrayView2;

use super::cell::{Run, RunBack, Step, StepBack};
use super::driver::{self, Driver, DriverCache, RnnOptions};
use super::gated::{self, GatedCell, GatedStep, GatedWeights, GatedWorkspace, GruCell};
use super::series::StateSeries;
use super::steps::{self, Scratch, Steps};
use crate::error::Result;
use crate::layer::{Backward, Forward};
use crate::numeric::compiled_once;
use crate::tensor::{State, Tensor, ViewsMut, Widths};
use crate::weights::initializers::Init;

type Weights<F> = GatedWeights<F>;

compiled_once! { Recurrent: RecurrentFunctions {
    forward(driver: Driver<'_>, pass: Forward<'_, F, DriverCache<F>>, run: &mut dyn FnMut(Run<'_, F>)) = driver::forward;
    backward(driver: Driver<'_>, pass: Backward<'_, F, DriverCache<F>, ()>, run: &mut dyn FnMut(RunBack<'_, F>))
        = driver::backward;
    write_output(options: &RnnOptions, state: &State<F>, y: &mut Tensor<F>) = driver::write_output;
    step_by_step(cell: &mut dyn Steps<F>, run: Run<'_, F>, scratch: &mut Scratch<F>) = steps::run_steps;
    step_by_step_back(cell: &mut dyn Steps<F>, widths: Widths, run: RunBack<'_, F>, scratch: &mut Scratch<F>)
        = steps::run_steps_back;
    one_step(
        series: &mut StateSeries<F>,
        widths: Widths,
        x: ArrayView2<'_, F>,
        state: &mut State<F>,
        run: &mut dyn FnMut(Run<'_, F>),
    ) = steps::one_step;
    build(cell: GatedCell<'_, F>, inputs: usize, bias_rows: usize, init: &mut Init) -> Result<Weights<F>> = gated::build;
    step(cell: GatedCell<'_, F>, w: &Weights<F>, at: &Step<'_, F>, next: ViewsMut<'_, F>, cache: &mut GatedStep<F>)
        = gated::step;
    step_back(
        cell: GatedCell<'_, F>,
        w: &Weights<F>,
        at: &Step<'_, F>,
        back: StepBack<'_, F>,
        cache: &mut GatedStep<F>,
        gradients: &mut Weights<F>,
    ) = gated::step_back;
    run(cell: GatedCell<'_, F>, w: &Weights<F>, run: Run<'_, F>, workspace: &mut GatedWorkspace<F>) = gated::run;
    run_back(
        cell: GatedCell<'_, F>,
        w: &Weights<F>,
        run: RunBack<'_, F>,
        workspace: &mut GatedWorkspace<F>,
        gradients: &mut Weights<F>,
    ) = gated::run_back;
    advance(
        cell: GatedCell<'_, F>,
        w: &Weights<F>,
        x: ArrayView2<'_, F>,
        state: &mut State<F>,
        workspace: &mut GatedWorkspace<F>,
    ) -> bool = gated::advance;
} }

// Separate, so that a program without a GRU does not contain its code.
compiled_once! { Grus: GruFunctions {
    step_gru(cell: &GruCell, w: &Weights<F>, at: &Step<'_, F>, next: ViewsMut<'_, F>, cache: &mut GatedStep<F>)
        = gated::step_gru;
    step_gru_back(
        cell: &GruCell,
        w: &Weights<F>,
        at: &Step<'_, F>,
        back: StepBack<'_, F>,
        cache: &mut GatedStep<F>,
        gradients: &mut Weights<F>,
    ) = gated::step_gru_back;
    run_gru(cell: &GruCell, w: &Weights<F>, run: Run<'_, F>, workspace: &mut GatedWorkspace<F>) = gated::run_gru;
    run_gru_back(
        cell: &GruCell,
        w: &Weights<F>,
        run: RunBack<'_, F>,
        workspace: &mut GatedWorkspace<F>,
        gradients: &mut Weights<F>,
    ) = gated::run_gru_back;
} }
