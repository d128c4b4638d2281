//! One epoch on the first reviews of the real file, from Keras' weights and in its order: each batch has Keras' loss.
//!
//! What Keras computes is in `../../keras/goldens/imdb_epoch.json`, made by `../../keras/imdb_epoch.py`; that file holds seeds and
//! losses, and weights and order are drawn here again as NumPy draws them.

use bptt::datasets::imdb::LoadData;
use bptt::numeric::Scalar;
use bptt::prelude::*;
use bptt::preprocessing::pad_sequences;
use ndarray::{ArrayD, Axis};
use rand_mt::Mt;
use serde_json::Value;

use super::{goldens, numpy_random::RandomState, real};

/// NumPy's `RandomState.random_sample`: the 53 highest bits of two words.
fn random_sample(twister: &mut Mt) -> f64 {
    let (high, low) = (twister.next_u32() >> 5, twister.next_u32() >> 6);
    (f64::from(high) * f64::from(1 << 26) + f64::from(low)) / (1u64 << 53) as f64
}

/// The model of a case, with its weights, as Keras lists them, uniform between -`limit` and `limit`.
fn model<F: Scalar>(case: &Value) -> Model<F> {
    let mut model = Sequential::<F>::default()
        .add(Embedding::new(500, 16))
        .add(Lstm::new(8))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(100), 1)
        .unwrap();
    let limit = case["limit"].as_f64().unwrap();
    let mut twister = Mt::new(case["weight_seed"].as_u64().unwrap() as u32);
    let names =
        ["embedding/embeddings", "lstm/kernel", "lstm/recurrent_kernel", "lstm/bias", "dense/kernel", "dense/bias"];
    assert_eq!(model.weight_names(), names);
    for name in names {
        let mut draw = || F::of(-limit + 2.0 * limit * random_sample(&mut twister));
        let value = ArrayD::from_shape_simple_fn(model.weight(name).unwrap().raw_dim(), &mut draw);
        model.set_weight(name, &value).unwrap();
    }
    model.compile(RmsProp::new(case["learning_rate"].as_f64().unwrap()), BinaryCrossentropy::new());
    model
}

fn losses_are_keras<F: Scalar>(tolerance: f64) {
    let corpus = real(LoadData::new().num_words(500));
    for case in goldens::golden("keras/goldens/imdb_epoch")["cases"].as_array().unwrap() {
        let count = |key: &str| case[key].as_u64().unwrap() as usize;
        let x = pad_sequences(&corpus.train.sequences[..count("reviews")], 100);
        let order = RandomState::new(count("order_seed") as u32).permutation(count("reviews"));
        let golden = goldens::numbers(&case["losses"]);
        let mut model = model::<F>(case);
        let batches = order.chunks(count("batch"));
        assert_eq!(batches.len(), golden.len());
        for (number, (rows, golden)) in batches.zip(golden).enumerate() {
            let labels: Vec<u8> = rows.iter().map(|&row| corpus.train.labels[row]).collect();
            let loss = model.train_batch(&x.select(Axis(0), rows), &labels).unwrap();
            // Written so that NaN fails.
            assert!(
                (loss - golden).abs() <= tolerance,
                "{}, batch {number}: the loss is {loss}, but Keras' is {golden}",
                case["name"]
            );
        }
    }
}

#[test]
#[ignore = "needs BPTT_IMDB"]
fn each_loss_of_an_epoch_is_keras() {
    losses_are_keras::<f32>(1e-4);
}

#[test]
#[ignore = "needs BPTT_IMDB"]
fn each_loss_of_an_epoch_is_keras_to_nine_digits() {
    losses_are_keras::<f64>(1e-9);
}
