//! Workloads for benchmarks of recurrent layers, built-in ones and your own.
//!
//! [`bench_cell!`](crate::bench_cell) runs the benchmarks of the built-in cells for a cell of your own: each [`Task`]
//! of [`Task::grid`], in time steps per second, under ids such as `leaky/train/T100_B64_D16_H8`. In `benches/leaky.rs`,
//! with `criterion` among your development dependencies and `harness = false` for the bench in `Cargo.toml`:
//!
//! ```
//! # macro_rules! criterion_group { ($($all:tt)*) => {} }
//! # macro_rules! criterion_main { ($($all:tt)*) => {} }
//! use bptt::layer::Describe;
//! use bptt::numeric::Lane;
//! use bptt::recurrent::{Gated, Gates, Rnn};
//! use criterion::Criterion;
//! use serde::{Deserialize, Serialize};
//!
//! /// A unit that forgets by an amount that it computes: h' = h + f·(x − h).
//! #[derive(Clone, Debug, Serialize, Deserialize)]
//! struct Leaky;
//!
//! impl Describe for Leaky {
//!     fn kind() -> &'static str {
//!         "example::Leaky"
//!     }
//! }
//!
//! impl Gates for Leaky {
//!     type Blocks<L: Lane> = [L; 2];
//!     type States<L: Lane> = [L; 1];
//!
//!     #[inline(always)]
//!     fn forward<L: Lane>(&self, [f, x]: [L; 2], [h]: [L; 1]) -> ([L; 2], [L; 1]) {
//!         let (f, x) = (f.sigmoid(), x.tanh());
//!         ([f, x], [h + f * (x - h)])
//!     }
//!
//!     #[inline(always)]
//!     fn backward<L: Lane>(&self, [f, x]: [L; 2], [h]: [L; 1], _: [L; 1], [d]: [L; 1]) -> ([L; 2], [L; 1]) {
//!         let one = f.splat(1.0);
//!         ([d * (x - h) * f * (one - f), d * f * (one - x * x)], [d * (one - f)])
//!     }
//! }
//!
//! fn cells(criterion: &mut Criterion) {
//!     bptt::bench_cell!(criterion, "leaky", |units| Rnn::from_cell(Gated::new(Leaky, units)));
//! }
//!
//! # criterion::criterion_group!(benches, cells);
//! # if false { cells(&mut Criterion::default()); }
//! criterion_group!(benches, cells);
//! criterion_main!(benches);
//! ```
//!
//! Without criterion, time a [`Workload`] in another way:
//!
//! ```
//! use bptt::layers::Lstm;
//! use bptt::testing::workload::{Kind, Task, Workload};
//!
//! let task = Task { kind: Kind::Train, steps: 20, batch: 32, features: 4, units: 8 };
//! let mut workload = Workload::new(task, Lstm::new(task.units))?;
//! let started = std::time::Instant::now();
//! workload.run();
//! println!("{task}: {} steps/s", task.elements() as f64 / started.elapsed().as_secs_f64());
//! # Ok::<(), bptt::Error>(())
//! ```

use std::fmt;

use ndarray::{Array2, Array3, Axis};

use crate::error::{Error, Result};
use crate::layer::{Backward, Forward, Layer, Pass};
use crate::numeric::checks::check_count;
use crate::random::Key;
use crate::recurrent::{Cell, Rnn, RnnCache};
use crate::tensor::State;
use crate::tensor::{Form, Tensor};
use crate::weights::initializers::Init;

/// Kind of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Forward pass that keeps nothing for a backward pass.
    Forward,
    /// Forward and backward pass of training, with the gradients of weights and inputs.
    Train,
    /// Single steps one after the other, with a state that is carried along.
    Stream,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Forward => "forward",
            Kind::Train => "train",
            Kind::Stream => "stream",
        })
    }
}

/// Kind of a workload and its sizes. [`Display`](fmt::Display) shows the sizes: `T100_B64_D16_H8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Kind of the workload.
    pub kind: Kind,
    /// Number of time steps T.
    pub steps: usize,
    /// Number of samples B.
    pub batch: usize,
    /// Number of input features D.
    pub features: usize,
    /// Number of units H.
    pub units: usize,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T{}_B{}_D{}_H{}", self.steps, self.batch, self.features, self.units)
    }
}

impl Task {
    /// Returns the number of time steps of single samples in one run, T·B.
    pub fn elements(&self) -> u64 {
        (self.steps as u64).saturating_mul(self.batch as u64)
    }

    /// Returns the tasks of every cell's benchmarks.
    ///
    /// Inputs are as wide as the state, but 16 wide for 8 units, as in the IMDB experiments. The tasks have 100 steps
    /// of 1, 16 and 64 samples for 8 to 512 units; for 8 and 128 units also 1000 steps, and 256 and 1024 samples, to
    /// check that the cost of a step of a sample stays the same; and streams of one sample.
    pub fn grid() -> Vec<Task> {
        let mut tasks = Vec::new();
        for units in [8, 32, 64, 128, 256, 512] {
            let mut add = |kind, steps, batch| {
                let features = if units == 8 { 16 } else { units };
                tasks.push(Task { kind, steps, batch, features, units });
            };
            for kind in [Kind::Forward, Kind::Train] {
                for batch in [1, 16, 64] {
                    add(kind, 100, batch);
                }
                if matches!(units, 8 | 128) {
                    add(kind, 100, 256);
                    add(kind, 1000, 64);
                }
            }
            if matches!(units, 8 | 128) {
                add(Kind::Train, 100, 1024);
            }
            if units == 8 {
                add(Kind::Train, 1000, 1024);
            }
            add(Kind::Stream, 100, 1);
        }
        tasks
    }
}

/// Layer with everything that a task needs, created once, so that repeated runs measure only the layer.
pub struct Workload<C: Cell<f32>> {
    task: Task,
    layer: Rnn<C>,
    weights: C::Weights,
    gradients: C::Weights,
    x: Tensor<f32>,
    y: Tensor<f32>,
    dy: Tensor<f32>,
    dx: Tensor<f32>,
    cache: RnnCache<f32, C>,
    state: State<f32>,
    mask: Option<Array2<bool>>,
}

impl<C: Cell<f32>> fmt::Debug for Workload<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workload").field("task", &self.task).field("layer", &self.layer).finish_non_exhaustive()
    }
}

/// Returns numbers between −1 and 1 without a period from which a kernel could benefit.
fn wave(index: usize) -> f32 {
    (index as f32 * 0.37).sin()
}

impl<C: Cell<f32>> Workload<C> {
    /// Returns a workload with inputs, weights, states and gradients.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for a task without steps, samples or features, or with more inputs than memory can
    /// hold; those of [`Layer::build`] for the layer and the task's features.
    pub fn new(task: Task, layer: Rnn<C>) -> Result<Self> {
        let Task { steps, batch, features, .. } = task;
        for (option, count) in [("steps", steps), ("batch", batch), ("features", features)] {
            check_count(option, count)?;
        }
        if [steps, batch, features, size_of::<f32>()].iter().map(|&count| count as u128).product::<u128>()
            > isize::MAX as u128
        {
            let allowed = "of fewer inputs, T·B·D, than memory can hold";
            return Err(Error::InvalidOption { option: "task", value: task.to_string(), allowed });
        }
        let form = Form::sequence(steps, features);
        layer.output_form(form)?;
        let weights = layer.build(form, &mut Init::new(Key::new(1)))?;
        let mut numbers = (0..).map(wave);
        let x =
            Tensor::Sequence(Array3::from_shape_simple_fn((steps, batch, features), || numbers.next().unwrap_or(0.0)));
        let mut workload = Workload {
            task,
            gradients: weights.clone(),
            x,
            y: Tensor::default(),
            dy: Tensor::default(),
            dx: Tensor::default(),
            cache: RnnCache::default(),
            state: State::zeros(batch, layer.states::<f32>()),
            mask: None,
            layer,
            weights,
        };
        workload.forward();
        workload.dy = workload.y.clone();
        workload.dy.rows_mut().iter_mut().enumerate().for_each(|(index, dy)| *dy = wave(index));
        Ok(workload)
    }

    /// Adds a mask (T, B): steps do not count where it is false. A stream ignores it.
    ///
    /// # Errors
    ///
    /// [`Error::Mask`] for a mask of another shape.
    pub fn masked(self, mask: Array2<bool>) -> Result<Self> {
        let needs = (self.task.steps, self.task.batch);
        if mask.dim() != needs {
            return Err(Error::Mask { got: mask.dim(), needs: Some(needs) });
        }
        Ok(Workload { mask: Some(mask.as_standard_layout().into_owned()), ..self })
    }

    /// Runs the task once.
    pub fn run(&mut self) {
        match self.task.kind {
            Kind::Forward => self.forward(),
            Kind::Train => self.train(),
            Kind::Stream => self.stream(),
        }
    }

    /// Runs a forward pass that keeps nothing for a backward pass.
    pub fn forward(&mut self) {
        let pass = Pass::inference().masked(self.mask.as_ref().map(|mask| mask.view()));
        self.layer.forward(&self.weights, Forward::new(&self.x, &mut self.y, &mut self.cache, pass));
    }

    /// Runs a forward and a backward pass. Gradients add up from run to run, as over the shards of a batch.
    pub fn train(&mut self) {
        let Workload { layer, weights, gradients, x, y, dy, dx, cache, mask, .. } = self;
        let pass = Pass::training(Key::new(2)).masked(mask.as_ref().map(|mask| mask.view()));
        layer.forward(weights, Forward::new(x, y, cache, pass));
        layer.backward(weights, Backward::new((x, y), dy, cache, gradients, pass).dx(dx));
    }

    /// Runs all steps one by one. The state continues from run to run.
    pub fn stream(&mut self) {
        for x in self.x.sequence().axis_iter(Axis(0)) {
            self.layer.step(&self.weights, x, &mut self.state, &mut self.cache);
        }
    }

    /// Returns the output of the last forward or training pass.
    pub fn output(&self) -> &Tensor<f32> {
        &self.y
    }

    /// Returns the gradient of the input of the last training pass.
    pub fn input_gradient(&self) -> &Tensor<f32> {
        &self.dx
    }

    /// Returns the state after the last stream.
    pub fn state(&self) -> &State<f32> {
        &self.state
    }
}

/// Benchmarks a cell with the tasks of the built-in ones, with your own `criterion`; see
/// [`workload`](crate::testing::workload).
///
/// `bench_cell!(criterion, name, make)` takes a `&mut Criterion`, the name that starts each id, and a function from a
/// number of units to the [`Rnn`](crate::recurrent::Rnn) layer of the cell.
#[macro_export]
macro_rules! bench_cell {
    ($criterion:expr, $name:expr, $make:expr) => {
        for task in $crate::testing::workload::Task::grid() {
            let criterion: &mut ::criterion::Criterion = $criterion;
            let mut group = criterion.benchmark_group(format!("{}/{}", $name, task.kind));
            group.throughput(::criterion::Throughput::Elements(task.elements()));
            // Created on first use, so a benchmark that is filtered out takes neither time nor memory.
            let mut workload = None;
            group.bench_function(::criterion::BenchmarkId::from_parameter(task), |bencher| {
                let workload = workload.get_or_insert_with(|| {
                    $crate::testing::workload::Workload::new(task, $make(task.units))
                        .expect("the layer takes the task's sizes")
                });
                bencher.iter(|| workload.run());
            });
            group.finish();
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Gru, Lstm};

    #[test]
    fn a_stream_ends_where_the_whole_pass_does() -> Result<()> {
        for units in [5, 16] {
            let task = Task { kind: Kind::Stream, steps: 12, batch: 3, features: 4, units };
            let mut workload = Workload::new(task, Gru::new(units))?;
            workload.run();
            for (streamed, whole) in workload.state().parts[0].iter().zip(workload.output().rows()) {
                assert!((streamed - whole).abs() < 1e-6);
            }
        }
        Ok(())
    }

    #[test]
    fn training_gives_gradients_of_sequences_and_of_last_outputs() -> Result<()> {
        for sequences in [false, true] {
            let task = Task { kind: Kind::Train, steps: 7, batch: 2, features: 3, units: 4 };
            let mut workload = Workload::new(task, Lstm::new(4).return_sequences(sequences))?;
            workload.run();
            let dx = workload.input_gradient().sequence();
            assert_eq!(dx.dim(), (7, 2, 3));
            assert!(dx.iter().all(|d| d.is_finite() && *d != 0.0));
        }
        assert!(
            Workload::new(Task { kind: Kind::Train, steps: 7, batch: 2, features: 3, units: 0 }, Lstm::new(0)).is_err()
        );
        Ok(())
    }

    #[test]
    fn a_task_of_nothing_or_too_much_is_refused() {
        let task = Task { kind: Kind::Train, steps: 7, batch: 2, features: 3, units: 4 };
        let message = |task: Task| Workload::new(task, Lstm::new(4)).unwrap_err().to_string();
        let count = "but must be at least 1 and at most 2³¹";
        assert_eq!(message(Task { features: 0, ..task }), format!("features is 0, {count}"));
        assert_eq!(message(Task { steps: 0, ..task }), format!("steps is 0, {count}"));
        assert_eq!(message(Task { batch: 0, ..task }), format!("batch is 0, {count}"));
        let most = 1 << 31;
        let huge = Task { steps: most, batch: most, features: most, ..task };
        assert!(
            message(huge).ends_with("but must be of fewer inputs, T·B·D, than memory can hold"),
            "{}",
            message(huge)
        );
        assert_eq!(Task { steps: usize::MAX, batch: 2, ..task }.elements(), u64::MAX);
    }

    #[test]
    fn a_mask_fits_the_task() -> Result<()> {
        let task = Task { kind: Kind::Train, steps: 7, batch: 2, features: 3, units: 4 };
        let workload = || Workload::new(task, Lstm::new(4));
        let message = workload()?.masked(Array2::from_elem((2, 7), true)).unwrap_err().to_string();
        assert!(message.starts_with("the mask has the shape (2, 7), but the samples need (7, 2)"), "{message}");
        workload()?.masked(Array2::from_elem((2, 7), true).reversed_axes())?.run();
        Ok(())
    }

    #[test]
    fn every_task_of_the_grid_has_an_id_of_its_own() {
        let mut ids: Vec<_> = Task::grid().iter().map(|task| format!("{}/{task}", task.kind)).collect();
        assert!(ids.contains(&"train/T100_B64_D16_H8".to_string()));
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all);
    }
}
