//! How fast the three recurrent layers run: the forward pass alone, and a step of training (forward and backward).
//!
//! An element is one time step of one sample, so throughputs are B·T over seconds and compare across widths. Everything
//! that a pass needs (inputs, weights, caches, gradients) is made outside the measured closure and used again, as in
//! training. One thread: shards of a batch, which training spreads over threads, are no part of a layer.
//!
//! `cargo bench --bench cells -- lstm/train` runs those whose id holds `lstm/train`.

use std::hint::black_box;
use std::time::Duration;

use bptt::{Form, Gru, Init, Key, Layer, Lstm, Pass, SimpleRnn, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array2, Array3};

/// Time steps T and batch B.
const STEPS: usize = 100;
const BATCH: usize = 64;
/// Input features D and units H.
const WIDTHS: [(usize, usize); 3] = [(16, 8), (32, 32), (128, 128)];

/// Numbers between −1 and 1 without a period that a kernel could profit from.
fn wave(index: usize) -> f32 {
    (index as f32 * 0.37).sin()
}

fn bench_layer<L: Layer<f32>>(criterion: &mut Criterion, cell: &str, make: impl Fn(usize) -> L) {
    for (features, units) in WIDTHS {
        let parameter = format!("T{STEPS}_B{BATCH}_D{features}_H{units}");
        let layer = make(units);
        let weights = layer
            .build(Form::sequence(STEPS, features), &mut Init::new(Key::new(1)))
            .expect("the layer takes sequences of this width");
        let shape = (STEPS, BATCH, features);
        let values = (0..STEPS * BATCH * features).map(wave).collect();
        let x = Tensor::Sequence(Array3::from_shape_vec(shape, values).expect("as many values as the shape holds"));
        let dy = Tensor::Vector(Array2::from_shape_fn((BATCH, units), |(row, unit)| wave(row * units + unit)));
        let (mut y, mut dx) = (Tensor::default(), Tensor::default());
        let mut cache = L::Cache::default();

        let mut group = criterion.benchmark_group(format!("{cell}/forward"));
        group.throughput(Throughput::Elements((BATCH * STEPS) as u64));
        group.bench_function(BenchmarkId::from_parameter(&parameter), |bencher| {
            bencher.iter(|| layer.forward(black_box(&weights), black_box(&x), &mut y, &mut cache, Pass::inference()));
        });
        group.finish();

        // The gradients add up over the iterations, as over the shards of a batch: what they start from costs nothing.
        let mut gradients = weights.clone();
        let pass = Pass::training(Key::new(2));
        let mut group = criterion.benchmark_group(format!("{cell}/train"));
        group.throughput(Throughput::Elements((BATCH * STEPS) as u64));
        group.bench_function(BenchmarkId::from_parameter(&parameter), |bencher| {
            bencher.iter(|| {
                layer.forward(black_box(&weights), black_box(&x), &mut y, &mut cache, pass);
                layer.backward(&weights, &x, &y, &dy, Some(&mut dx), &mut cache, &mut gradients, pass);
            });
        });
        group.finish();
    }
}

fn cells(criterion: &mut Criterion) {
    bench_layer(criterion, "lstm", Lstm::new);
    bench_layer(criterion, "gru", Gru::new);
    bench_layer(criterion, "simple_rnn", SimpleRnn::new);
}

criterion_group! {
    name = benches;
    // 18 benchmarks of about 3 seconds.
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20);
    targets = cells
}
criterion_main!(benches);
