//! How fast recurrent layers run: forward, a step of training (forward and backward), and a stream of single steps.
//!
//! An element is one time step of one sample, so throughputs are B·T over seconds and compare across sizes. Everything that
//! a pass needs (inputs, weights, caches, gradients) is made outside the measured closure and used again, as in training.
//! One thread: shards of a batch, which training spreads over threads, are no part of a layer.
//!
//! Each cell runs the tasks of `bptt::testing::workload::Task::grid`, put in by `bptt::bench_cell!` as a cell of your own
//! would be. `cargo bench --bench cells -- lstm/train` runs those whose id holds `lstm/train`. All of them took ten minutes.
//!
//! | to see | compare |
//! | --- | --- |
//! | the cost of a step of a sample stays what it is | `lstm/train/T100_B64_D16_H8` with `T1000_B64_…`, `T100_B1024_…`, `T1000_B1024_…`; the same of `H128` |
//! | a mask is free when absent and cheap when present | `masks/lstm/…/none`, `all` and `half` |
//! | what dropout of the state costs, and a product inside the step | `options/…` with `lstm/train/…` and `gru/train/…` |
//! | a rule of a user's runs as fast as a built-in one | `user_lstm/…` with `lstm/…`: the same arithmetic, written here |

use std::time::Duration;

use bptt::layer::Describe;
use bptt::layers::{Gru, Lstm, SimpleRnn};
use bptt::numeric::Lane;
use bptt::recurrent::{Cell, Gated, Gates, Rnn};
use bptt::testing::workload::{Kind, Task, Workload};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// The LSTM's rule as a user of the crate would write it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct UserLstm;

impl Describe for UserLstm {
    fn kind() -> &'static str {
        "benches::UserLstm"
    }
}

impl Gates for UserLstm {
    type Blocks<L: Lane> = [L; 4];
    type States<L: Lane> = [L; 2];

    #[inline(always)]
    fn forward<L: Lane>(&self, [i, f, g, o]: [L; 4], [_, c]: [L; 2]) -> ([L; 4], [L; 2]) {
        let (i, f, g, o) = (i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid());
        let c = f.mul_add(c, i * g);
        ([i, f, g, o], [o, c])
    }

    #[inline(always)]
    fn finish<L: Lane>(&self, [o, c]: [L; 2]) -> [L; 2] {
        [o * c.tanh(), c]
    }

    #[inline(always)]
    fn backward<L: Lane>(
        &self,
        [i, f, g, o]: [L; 4],
        [_, c]: [L; 2],
        [_, c_next]: [L; 2],
        [dh, dc]: [L; 2],
    ) -> ([L; 4], [L; 2]) {
        let one = i.splat(1.0);
        let out = c_next.tanh();
        let dc = dc + dh * o * (one - out * out);
        let dz = [dc * g * i * (one - i), dc * c * f * (one - f), dc * i * (one - g * g), dh * out * o * (one - o)];
        (dz, [one.splat(0.0), dc * f])
    }
}

fn cells(criterion: &mut Criterion) {
    bptt::bench_cell!(criterion, "lstm", Lstm::new);
    bptt::bench_cell!(criterion, "gru", Gru::new);
    bptt::bench_cell!(criterion, "simple_rnn", SimpleRnn::new);
    bptt::bench_cell!(criterion, "user_lstm", |units| Rnn::from_cell(Gated::new(UserLstm, units)));
}

/// What a mask costs: none, one that leaves nothing out, one that leaves half of the steps out, as padding does.
fn masks(criterion: &mut Criterion) {
    for (features, units) in [(16, 8), (128, 128)] {
        let task = Task { kind: Kind::Train, steps: 100, batch: 64, features, units };
        let mut group = criterion.benchmark_group(format!("masks/lstm/{task}"));
        group.throughput(Throughput::Elements(task.elements()));
        let all = Array2::from_elem((task.steps, task.batch), true);
        let half = Array2::from_shape_fn((task.steps, task.batch), |(t, b)| t * task.batch > b * task.steps);
        for (name, mask) in [("none", None), ("all", Some(all)), ("half", Some(half))] {
            let workload = Workload::new(task, Lstm::new(units)).expect("the layer takes the task's sizes");
            let mut workload = match mask {
                Some(mask) => workload.masked(mask).expect("the mask fits the task"),
                None => workload,
            };
            group.bench_function(name, |bencher| bencher.iter(|| workload.run()));
        }
        group.finish();
    }
}

/// What the options cost that change the products of a step.
fn options(criterion: &mut Criterion) {
    for (features, units) in [(16, 8), (128, 128)] {
        let task = Task { kind: Kind::Train, steps: 100, batch: 64, features, units };
        train(criterion, "lstm_recurrent_dropout", task, Lstm::new(units).recurrent_dropout(0.2));
        train(criterion, "lstm_both_dropouts", task, Lstm::new(units).dropout(0.2).recurrent_dropout(0.2));
        train(criterion, "gru_recurrent_dropout", task, Gru::new(units).recurrent_dropout(0.2));
        train(criterion, "gru_reset_before", task, Gru::new(units).reset_after(false));
    }
}

fn train<C: Cell<f32>>(criterion: &mut Criterion, name: &str, task: Task, layer: Rnn<C>) {
    let mut group = criterion.benchmark_group(format!("options/{name}"));
    group.throughput(Throughput::Elements(task.elements()));
    let mut workload = None;
    group.bench_function(BenchmarkId::from_parameter(task), |bencher| {
        let make = || Workload::new(task, layer.clone()).expect("the layer takes the task's sizes");
        let workload = workload.get_or_insert_with(make);
        bencher.iter(|| workload.run());
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1200))
        .sample_size(12)
        .without_plots();
    targets = cells, masks, options
}
criterion_main!(benches);
