//! Each law of `bptt::conformance` that a cell can break is broken by one, in one place, and found.

use bptt::Result;
use bptt::initializers::{Init, Initializer};
use bptt::layer::Describe;
use bptt::numeric::{Lane, Scalar};
use bptt::recurrent::step_by_step;
use bptt::recurrent::{Cell, CellMemory, Rnn, Run, Step, StepBack};
use bptt::tensor::{State, ViewsMut, Widths};
use bptt::testing::conformance::{Violation, violations};
use ndarray::{Array1, Array2, ArrayView2, Axis, ShapeBuilder};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Fault {
    None,
    WideState,
    UnwrittenState,
    ScatteredWeights,
    OtherGradientShape,
    RunOfItsOwn,
    ForgottenMask,
    ShyOfMasks,
    DifferentInTraining,
    StreamOfItsOwn,
    MixedSamples,
    KnowsTheStep,
    KeptCache,
    OverwrittenGradient,
    OverwrittenState,
    ForgottenGradient,
    WrongGradient,
    LostOption,
    KnowsItsThread,
}

/// h' = tanh(x·W + h·U + b), c' = (c + h')/2, with a fault.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Faulty {
    fault: Fault,
    /// Is forgotten in files.
    #[serde(skip)]
    shift: f64,
}

#[derive(Clone, Debug)]
struct Weights<F> {
    kernel: Array2<F>,
    recurrent_kernel: Array2<F>,
    bias: Array1<F>,
}
bptt::params!(Weights { kernel, recurrent_kernel, bias });

const UNITS: usize = 3;

impl Describe for Faulty {
    fn kind() -> &'static str {
        "tests::Faulty"
    }
}

impl Faulty {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }
}

impl<F: Scalar> Cell<F> for Faulty {
    type Weights = Weights<F>;
    /// How often it was used.
    type Cache = f64;
    type Workspace = ();

    fn states(&self) -> Widths {
        Widths::new(&[UNITS, UNITS])
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<Weights<F>> {
        let mut kernel = init.tensor(Initializer::GlorotUniform, (inputs, UNITS))?;
        if self.is(Fault::ScatteredWeights) {
            kernel = Array2::zeros((inputs, UNITS).f());
        }
        let recurrent_kernel = init.tensor(Initializer::orthogonal(), (UNITS, UNITS))?;
        Ok(Weights { kernel, recurrent_kernel, bias: init.tensor(Initializer::Zeros, UNITS)? })
    }

    fn step(&self, w: &Weights<F>, at: &Step<'_, F>, mut next: ViewsMut<'_, F>, uses: &mut f64) {
        let mut z = at.x(0).dot(&w.kernel) + at.h(0).dot(&w.recurrent_kernel) + &w.bias;
        let by = match self.fault {
            Fault::DifferentInTraining if at.pass.training => 1e-3,
            Fault::KnowsTheStep => 0.1 * at.t as f64,
            Fault::KeptCache => 1e-4 * *uses,
            Fault::LostOption => self.shift,
            // Threads of a pool have no name.
            Fault::KnowsItsThread if std::thread::current().name().is_none() => 1e-3,
            _ => 0.0,
        };
        z += F::of(by);
        *uses += 1.0;
        if self.is(Fault::MixedSamples) {
            z += &(z.sum_axis(Axis(0)) * F::of(1e-3));
        }
        let [mut h, mut c] = next.views();
        h.assign(&z.mapv_into(Lane::tanh));
        if self.is(Fault::WideState) {
            c.assign(&Array2::zeros((h.nrows(), UNITS + 1)));
        } else if !self.is(Fault::UnwrittenState) {
            c.assign(&((&at.previous.view(1) + &h) * F::of(0.5)));
        }
    }

    fn step_back(
        &self,
        w: &Weights<F>,
        at: &Step<'_, F>,
        mut back: StepBack<'_, F>,
        _: &mut f64,
        gradients: &mut Weights<F>,
    ) {
        let half = F::of(0.5);
        let dh = &back.dnext.view(0) + &(&back.dnext.view(1) * half);
        let dz = dh * back.next.view(0).mapv(|h| F::one() - h * h);
        let dc = &back.dnext.view(1) * half;
        if self.is(Fault::OverwrittenState) {
            back.dprevious.view_mut(1).assign(&dc);
        } else {
            back.dprevious.view_mut(1).scaled_add(F::one(), &dc);
        }
        let factor = F::of(if self.is(Fault::WrongGradient) { 1.001 } else { 1.0 });
        back.dx(0).scaled_add(factor, &dz.dot(&w.kernel.t()));
        back.dh(0).scaled_add(F::one(), &dz.dot(&w.recurrent_kernel.t()));
        if self.is(Fault::OverwrittenGradient) {
            gradients.kernel.fill(F::zero());
        }
        gradients.kernel += &at.x(0).t().dot(&dz);
        gradients.recurrent_kernel += &at.h(0).t().dot(&dz);
        if !self.is(Fault::ForgottenGradient) {
            gradients.bias += &dz.sum_axis(Axis(0));
        }
        if self.is(Fault::OtherGradientShape) {
            gradients.bias = Array1::zeros(1);
        }
    }

    fn run(&self, w: &Weights<F>, mut run: Run<'_, F>, memory: &mut CellMemory<F, Self>) {
        let mut steps = run.reborrow();
        steps.pass = steps.pass.masked(None);
        if self.is(Fault::ForgottenMask) {
            steps.mask = None;
        }
        step_by_step(self, w, steps, memory);
        let factor = match self.fault {
            Fault::RunOfItsOwn => 1.001,
            Fault::ShyOfMasks if run.mask.is_some() => 1.001,
            _ => return,
        };
        if let Some(outputs) = &mut run.outputs {
            outputs.mapv_inplace(|h| h * F::of(factor));
        }
    }

    fn advance(&self, w: &Weights<F>, x: ArrayView2<'_, F>, state: &mut State<F>, _: &mut CellMemory<F, Self>) {
        let z = x.dot(&w.kernel) + state.parts[0].dot(&w.recurrent_kernel) + &w.bias;
        let h = z.mapv_into(Lane::tanh);
        let weight = F::of(if self.is(Fault::StreamOfItsOwn) { 0.4 } else { 0.5 });
        let c = (&state.parts[1] + &h) * weight;
        state.parts = vec![h, c];
    }
}

fn broken_by(fault: Fault) -> Vec<Violation> {
    let shift = if fault == Fault::LostOption { 0.5 } else { 0.0 };
    violations(&Rnn::from_cell(Faulty { fault, shift }))
}

#[test]
fn a_cell_without_a_fault_breaks_nothing() {
    let broken = broken_by(Fault::None);
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn each_fault_is_found_by_its_law() {
    for (fault, law) in [
        (Fault::WideState, "steps_keep_sizes"),
        (Fault::UnwrittenState, "steps_keep_sizes"),
        (Fault::ScatteredWeights, "steps_keep_sizes"),
        (Fault::OtherGradientShape, "steps_keep_sizes"),
        (Fault::RunOfItsOwn, "run_is_the_loop_over_steps"),
        (Fault::DifferentInTraining, "inference_is_training"),
        (Fault::StreamOfItsOwn, "streaming_is_the_whole_run"),
        (Fault::MixedSamples, "a_batch_is_the_sum_of_its_shards"),
        (Fault::KnowsTheStep, "two_parts_are_one_sequence"),
        (Fault::KnowsTheStep, "padding_changes_nothing"),
        (Fault::KeptCache, "a_used_cache_is_as_a_fresh_one"),
        (Fault::OverwrittenGradient, "gradients_are_added"),
        (Fault::OverwrittenState, "gradients_are_added"),
        (Fault::ForgottenGradient, "every_parameter_gets_a_gradient"),
        (Fault::WrongGradient, "gradients_are_right"),
        (Fault::MixedSamples, "gradients_are_right"),
        (Fault::ForgottenMask, "masked_steps_leave_the_state"),
        (Fault::ForgottenMask, "padding_changes_nothing"),
        (Fault::ShyOfMasks, "a_mask_of_all_steps_is_no_mask"),
        (Fault::LostOption, "a_saved_model_gives_the_same_outputs"),
        (Fault::KnowsItsThread, "threads_change_no_bit"),
    ] {
        let broken = broken_by(fault);
        assert!(broken.iter().any(|broken| broken.law == law), "{fault:?} is not found by {law}: {broken:?}");
    }
}

fn message(fault: Fault, law: &str) -> String {
    broken_by(fault).iter().find(|broken| broken.law == law).unwrap().to_string()
}

#[test]
fn messages_name_law_sizes_and_numbers() {
    assert_eq!(
        message(Fault::UnwrittenState, "steps_keep_sizes"),
        "steps_keep_sizes does not hold for one step of B=1 D=4, states of the widths [3, 3]: step leaves state 1 \
         unwritten at (0, 0), or writes NaN; it has to write all of `next`"
    );
    let wide = message(Fault::WideState, "steps_keep_sizes");
    assert!(wide.starts_with(
        "steps_keep_sizes does not hold for one step of B=1 D=4, states of the widths [3, 3]: the cell panicked: "
    ));
    assert!(wide.contains("[1, 4]") && wide.contains("[1, 3]"), "{wide}");
    assert!(message(Fault::OtherGradientShape, "steps_keep_sizes").contains("(\"bias\", [1])"));
    assert!(message(Fault::ScatteredWeights, "steps_keep_sizes").contains("weight kernel is not in standard layout"));
    let wrong = message(Fault::WrongGradient, "gradients_are_right");
    assert!(wrong.contains("T=1 B=1 D=4 in F64") && wrong.contains("input["), "{wrong}");
    let threads = message(Fault::KnowsItsThread, "threads_change_no_bit");
    assert!(threads.contains("on one thread, but"), "{threads}");
}
