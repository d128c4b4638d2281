//! How long an epoch of training takes, whole: batches of 64, shuffled, with optimizer and metric, on one and two threads.
//!
//! `ragged` is an epoch of 2,000 reviews that are not cut (233 tokens on average, the longest above 2,000), in batches of
//! similar length or all padded to the longest; an element is one token that is no padding.
//!
//! The four models are those of the IMDB examples; the data are 20,000 reviews of the made-up corpus, 100 steps each, so
//! that no file is needed. An element is one time step of one review. `cargo bench --bench training -- lstm/threads2` runs
//! those whose id holds `lstm/threads2`; all took 71 seconds.

use std::time::Duration;

use bptt::data::Bucketed;
use bptt::datasets::Synthetic;
use bptt::prelude::*;
use bptt::preprocessing::pad_sequences;
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};

const REVIEWS: usize = 20_000;
const STEPS: usize = 100;

fn model(experiment: &str) -> Model {
    let table = Sequential::new().add(Embedding::new(500, 16));
    let recurrent = match experiment {
        "lstm" => table.add(Lstm::new(8)),
        "lstm_dropout" => table.add(Lstm::new(8).dropout(0.3)),
        "lstm_stacked" => table.add(Lstm::new(8).dropout(0.3).return_sequences(true)).add(Lstm::new(8).dropout(0.3)),
        _ => table.add(Gru::new(8)),
    };
    let mut model = recurrent
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(STEPS), 42)
        .expect("the layers fit each other");
    model.compile(RmsProp::new(1e-4), BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());
    model
}

fn epochs(criterion: &mut Criterion) {
    let corpus = Synthetic::new(42).train(REVIEWS).test(0).generate().expect("the corpus has words");
    let samples = pad_sequences(&corpus.train.sequences, STEPS);
    for experiment in ["lstm", "lstm_dropout", "lstm_stacked", "gru"] {
        let mut group = criterion.benchmark_group(experiment);
        group.throughput(Throughput::Elements((REVIEWS * STEPS) as u64)).sampling_mode(SamplingMode::Flat);
        for threads in [1, 2] {
            let mut model = model(experiment);
            model.set_threads(threads).expect("threads can be started");
            group.bench_function(BenchmarkId::from_parameter(format!("threads{threads}")), |bencher| {
                bencher.iter(|| {
                    let fit = Fit::new().batch_size(64);
                    model.fit(&samples, &corpus.train.labels, fit).expect("the data fit the model")
                });
            });
        }
        group.finish();
    }
}

fn ragged(criterion: &mut Criterion) {
    let corpus = Synthetic::new(42).train(2_000).test(0).generate().expect("the corpus has words");
    let (reviews, labels) = (&corpus.train.sequences, &corpus.train.labels);
    // Words beyond the vocabulary count as one.
    let reviews: Vec<Vec<u32>> = reviews.iter().map(|ids| ids.iter().map(|&id| id.min(499)).collect()).collect();
    let tokens: usize = reviews.iter().map(Vec::len).sum();
    let longest = reviews.iter().map(Vec::len).max().unwrap_or(0);
    println!("ragged: {} tokens a review on average, {longest} in the longest", tokens / reviews.len());
    let model = || {
        let layers = Sequential::new().add(Embedding::new(500, 16)).add(Lstm::new(8));
        let layers = layers.add(Dense::new(1).activation(Activation::Sigmoid));
        let mut model = layers.build(Form::tokens(None), 42).expect("the layers fit each other");
        model.compile(RmsProp::new(1e-4), BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());
        model
    };
    let mut group = criterion.benchmark_group("ragged");
    group.throughput(Throughput::Elements(tokens as u64)).sampling_mode(SamplingMode::Flat);
    group.bench_function("bucketed", |bencher| {
        let mut model = model();
        let mut bucketed = Bucketed::tokens(&reviews, labels, 64).expect("each review has a label");
        bencher.iter(|| model.fit_batches(&mut bucketed, Fit::new()).expect("the data fit the model"));
    });
    group.bench_function("padded", |bencher| {
        let mut model = model();
        let samples = pad_sequences(&reviews, longest);
        let mask = samples.mapv(|id| id != 0);
        bencher
            .iter(|| model.fit((&samples, &mask), labels, Fit::new().batch_size(64)).expect("the data fit the model"));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(10)
        .without_plots();
    targets = epochs, ragged
}
criterion_main!(benches);
