//! Training on what comes batch by batch: the same as on arrays, from every kind of source.

use std::fs;
use std::path::{Path, PathBuf};

use bptt::Error;
use bptt::data::{Batch, Batches, Bucketed, Inputs, NpyBatches, Shuffled, from_iterator};
use bptt::prelude::*;
use bptt::random::Key;
use ndarray::{Array1, Array2, Array3, ArrayD, Axis, arr0, array, s};
use ndarray_rand::rand::Rng;

fn data(samples: usize) -> (Array2<u32>, Array1<u8>) {
    let mut generator = Key::new(8).generator();
    let tokens = Array2::from_shape_simple_fn((samples, 5), || generator.random_range(0..10));
    let labels = tokens.map_axis(Axis(1), |ids| u8::from(ids[1] < 5));
    (tokens, labels)
}

fn model(steps: Option<usize>, threads: usize) -> Model {
    let mut model = Sequential::new()
        .add(Embedding::new(10, 4))
        .add(Lstm::new(4).dropout(0.2))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(steps), 1)
        .unwrap();
    model.compile(Adam::new(0.02), BinaryCrossentropy::new()).metric(MeanMetric::binary_accuracy());
    model.set_threads(threads).unwrap();
    model
}

/// The weights and the history of a training.
fn train(
    threads: usize,
    fit: impl FnOnce(&mut Model) -> bptt::Result<bptt::models::History>,
) -> (Vec<ArrayD<f32>>, String) {
    let mut model = model(Some(5), threads);
    let history = fit(&mut model).unwrap().to_csv();
    (model.weight_names().iter().map(|name| model.weight(name).unwrap()).collect(), history)
}

/// Writes an array as NumPy does.
fn write_npy(name: &str, element_type: &str, shape: &str, elements: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let header = format!("{{'descr': '{element_type}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(elements);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn every_source_of_the_same_batches_trains_as_arrays_do() {
    let (x, y) = data(70);
    let arrays = train(1, |model| model.fit(&x, &y, Fit::new().epochs(3).batch_size(16).shuffle(false)));
    let tokens: Vec<u8> = x.iter().flat_map(|&id| i64::from(id).to_le_bytes()).collect();
    let samples = write_npy("batches-x.npy", "<i8", "(70, 5)", &tokens);
    let targets = write_npy("batches-y.npy", "|u1", "(70,)", y.as_slice().unwrap());
    for threads in [1, 2, 3] {
        let mut iterated = from_iterator(|_| {
            (0..70).step_by(16).map(|first| {
                let last = 70.min(first + 16);
                Ok(Batch::new(x.slice(s![first..last, ..]).to_owned(), y.slice(s![first..last]).mapv(f64::from)))
            })
        });
        let of_iterator = train(threads, |model| model.fit_batches(&mut iterated, Fit::new().epochs(3)));
        assert_eq!(of_iterator, arrays, "an iterator, {threads} threads");
        let mut files = NpyBatches::open(&samples, &targets, 16).unwrap().shuffle(false);
        let of_files = train(threads, |model| model.fit_batches(&mut files, Fit::new().epochs(3)));
        assert_eq!(of_files, arrays, "npy files, {threads} threads");
    }
    // Shuffled, each sample comes once, with its target.
    let files = NpyBatches::open(&samples, &targets, 16).unwrap();
    let mut shuffled = Shuffled::new(files, 40).unwrap();
    let mut orders = Vec::new();
    for epoch in 0..2 {
        let (mut batch, mut seen): (Batch, Vec<(Vec<u32>, u8)>) = (Batch::default(), Vec::new());
        shuffled.start(Key::new(epoch)).unwrap();
        while shuffled.next(&mut batch).unwrap() {
            let Inputs::Tokens(tokens) = &batch.inputs else { panic!("tokens are what is in the file") };
            seen.extend(tokens.outer_iter().zip(&batch.targets).map(|(ids, &label)| (ids.to_vec(), label as u8)));
        }
        orders.push(seen.clone());
        let mut all: Vec<_> = x.outer_iter().zip(&y).map(|(ids, &label)| (ids.to_vec(), label)).collect();
        seen.sort();
        all.sort();
        assert_eq!(seen, all);
    }
    assert_ne!(orders[0], orders[1]);
}

#[test]
fn floats_of_files_become_vectors_and_sequences() {
    let elements: Vec<u8> = (0..24).flat_map(|n| (n as f32 / 2.0).to_be_bytes()).collect();
    let targets = write_npy("batches-k.npy", "<f8", "(2, 1)", &[0.25_f64, 0.5].map(f64::to_le_bytes).concat());
    let mut batch: Batch<f64> = Batch::default();
    for (shape, samples) in [("(2, 12)", array![[0.0, 0.5], [6.0, 6.5]]), ("(2, 3, 4)", array![[0.0, 0.5], [6.0, 6.5]])]
    {
        let file = write_npy("batches-f.npy", ">f4", shape, &elements);
        let mut files = NpyBatches::open(file, &targets, 5).unwrap();
        Batches::<f64>::start(&mut files, Key::new(1)).unwrap();
        assert!(files.next(&mut batch).unwrap());
        let first_two = match &batch.inputs {
            Inputs::Vectors(rows) => rows.slice(s![.., ..2]).to_owned(),
            Inputs::Sequences(sequences) => sequences.slice(s![.., 0, ..2]).to_owned(),
            _ => panic!("floats are no tokens"),
        };
        assert_eq!(first_two, samples);
        assert_eq!(batch.targets, array![[0.25], [0.5]].into_dyn());
        assert!(!files.next(&mut batch).unwrap());
    }
}

#[test]
fn buckets_hold_every_sequence_once_with_its_length_and_target() {
    let mut generator = Key::new(4).generator();
    // The first token tells the target, the others which sequence it is.
    let sequences: Vec<Vec<u32>> = (0..600)
        .map(|number| {
            let length = generator.random_range(1..80);
            (0..length).map(|step| if step == 0 { number % 2 } else { number }).collect()
        })
        .collect();
    let targets: Vec<u8> = (0..600).map(|number| (number % 2) as u8).collect();
    let mut bucketed = Bucketed::tokens(&sequences, &targets, 4).unwrap();
    let (mut batch, mut orders, mut padding, mut tokens_seen): (Batch, Vec<Vec<Vec<u32>>>, _, _) =
        (Batch::default(), Vec::new(), 0, 0);
    for epoch in 0..2 {
        bucketed.start(Key::new(epoch)).unwrap();
        let mut seen = Vec::new();
        while bucketed.next(&mut batch).unwrap() {
            let Inputs::Tokens(tokens) = &batch.inputs else { panic!("tokens are what it was given") };
            let mask = batch.mask.as_ref().unwrap();
            assert!(mask.column(mask.ncols() - 1).iter().any(|&counts| counts), "no longer than its longest");
            for ((ids, mask), &target) in tokens.outer_iter().zip(mask.outer_iter()).zip(&batch.targets) {
                let length = mask.iter().filter(|&&counts| counts).count();
                assert!(mask.iter().take(length).all(|&counts| counts), "padded behind");
                assert_eq!(f64::from(ids[0]), target);
                padding += ids.len() - length;
                tokens_seen += length;
                seen.push(ids.iter().take(length).copied().collect::<Vec<u32>>());
            }
        }
        orders.push(seen.clone());
        let mut all = sequences.clone();
        seen.sort();
        all.sort();
        assert_eq!(seen, all);
    }
    assert_ne!(orders[0], orders[1]);
    assert!(padding * 20 < tokens_seen, "{padding} steps of padding beside {tokens_seen} tokens");
}

#[test]
fn a_bucketed_batch_trains_as_the_padded_one_with_a_mask() {
    let sequences = vec![vec![1, 2, 3, 4, 5, 6, 7], vec![8], vec![9, 1, 2], vec![4, 4]];
    let labels = [1_u8, 0, 0, 1];
    let mut bucketed = Bucketed::tokens(&sequences, &labels, 4).unwrap().maxlen(5);
    let mut of_buckets = model(None, 1);
    of_buckets.fit_batches(&mut bucketed, Fit::new().epochs(1)).unwrap();
    let mut batch: Batch = Batch::default();
    // The order of the first epoch, which the dropout masks go by.
    let mut of_arrays = model(None, 1);
    let mut first = from_iterator(|key| {
        bucketed.start(key).unwrap();
        bucketed.next(&mut batch).unwrap();
        let Inputs::Tokens(tokens) = &batch.inputs else { panic!("tokens are what it was given") };
        assert_eq!(tokens.dim(), (4, 5));
        std::iter::once(Ok(batch.clone()))
    });
    of_arrays.fit_batches(&mut first, Fit::new()).unwrap();
    for name in of_arrays.weight_names() {
        assert_eq!(of_arrays.weight(&name).unwrap(), of_buckets.weight(&name).unwrap(), "{name}");
    }
}

#[test]
fn what_a_source_does_wrong_is_said() {
    let (x, y) = data(8);
    let batch = || Batch::new(x.clone(), y.mapv(f64::from));
    // With a thread of its own for the source, and without.
    let message = |batches: &dyn Fn() -> Vec<bptt::Result<Batch>>| {
        let [one, two] = [1, 2].map(|threads| {
            let batches = batches();
            let mut batches = Some(batches);
            let mut source = from_iterator(|_| batches.take().unwrap_or_default().into_iter());
            model(Some(5), threads).fit_batches(&mut source, Fit::new()).unwrap_err().to_string()
        });
        assert_eq!(one, two);
        one
    };
    assert_eq!(message(&Vec::new), "the epoch is empty; let the source of batches make at least one");
    let broken = || Err(Error::empty("the line", "plug it in"));
    assert_eq!(message(&|| vec![Ok(batch()), broken()]), "the line is empty; plug it in");
    let narrow = || Batch::new(Array2::<u32>::zeros((3, 4)), Array1::<f64>::zeros(3));
    assert_eq!(
        message(&|| vec![Ok(narrow())]),
        "the samples have shape (None, 4) of token ids, but the model was built for (None, 5) of token ids; reshape them, or \
          build it for them"
    );
    let mut model = model(Some(5), 1);
    let mut source = from_iterator(|_| std::iter::repeat_with(|| Ok(batch())));
    assert_eq!(
        model.fit_batches(&mut source, Fit::new().batch_size(8)).unwrap_err().to_string(),
        "batch_size is given, but must be left out: batches are as the source makes them"
    );
    let history = model.fit_batches(&mut source, Fit::new().epochs(2).steps_per_epoch(3)).unwrap();
    assert_eq!(history.epochs(), 2);
    assert_eq!(model.optimizer().unwrap().iterations(), 6, "an endless source is cut");
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let y = write_npy("batches-two.npy", "|u1", "(2,)", &[0, 1]);
    let refused = |name: &str, element_type: &str, shape: &str, elements: &[u8]| {
        let x = write_npy(name, element_type, shape, elements);
        let error = NpyBatches::open(&x, &y, 2).map(drop).unwrap_err().to_string();
        error.replace(&x.display().to_string(), "FILE")
    };
    for (element_type, shape, bytes, message) in [
        ("|O", "(2, 1)", 2, "FILE has elements of the type \"|O\", which are no numbers of 1 to 8 bytes"),
        ("<i4", "(2, 1)", 7, "FILE is 77 bytes long, which does not fit its shape [2, 1]"),
        ("<i4", "()", 4, "FILE holds a single number; its first axis must be that of the samples"),
        ("<i4", "(2,)", 8, "FILE has the shape [2]; samples are (N, T) or (N, D), or (N, T, D) of floats"),
        ("<i4", "(2, 1, 1)", 8, "FILE has the shape [2, 1, 1]; samples are (N, T) or (N, D), or (N, T, D) of floats"),
    ] {
        let got = refused("batches-wrong.npy", element_type, shape, &vec![0; bytes]);
        assert!(got.starts_with(message) && got.ends_with("; write it with numpy.save"), "{got}");
    }
    let three = write_npy("batches-three.npy", "|u1", "(3, 1)", &[0, 1, 2]);
    assert_eq!(
        NpyBatches::open(&three, &y, 2).unwrap_err().to_string(),
        "there are 3 samples but 2 targets; pass one for each of the other"
    );
    let negative = write_npy("batches-negative.npy", "|i1", "(2, 1)", &[1, 255]);
    let mut files = NpyBatches::open(&negative, &y, 2).unwrap();
    Batches::<f32>::start(&mut files, Key::new(1)).unwrap();
    let error = files.next(&mut Batch::<f32>::default()).unwrap_err().to_string();
    assert_eq!(error, format!("{} holds -1, which is no token id; write it with numpy.save", negative.display()));
}

#[test]
fn a_shuffled_source_needs_a_target_a_mask_row_and_a_weight_for_each_sample() {
    let batch = |targets: usize| Batch::<f32>::new(Array3::zeros((3, 2, 1)), Array1::<f64>::zeros(targets));
    let steps = |rows| Array2::from_elem((rows, 2), true);
    for (batch, message) in [
        (batch(2), "3 samples in a batch but 2 targets"),
        (batch(4), "3 samples in a batch but 4 targets"),
        (batch(3).masked(steps(2)), "3 samples in a batch but 2 rows of the mask"),
        (batch(3).weighted(array![1.0]), "3 samples in a batch but 1 weights"),
        (Batch { targets: arr0(1.0).into_dyn(), ..batch(3) }, "3 samples in a batch but 0 targets"),
    ] {
        let source = from_iterator(|_| std::iter::once(Ok(batch.clone())));
        let mut shuffled = Shuffled::new(source, 4).unwrap();
        shuffled.start(Key::new(1)).unwrap();
        let error = shuffled.next(&mut Batch::default()).unwrap_err().to_string();
        assert_eq!(error, format!("there are {message}; pass one for each of the other"));
    }
}
