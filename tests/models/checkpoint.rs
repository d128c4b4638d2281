//! Saved models: what is written comes back, and what is wrong with a file is said. Files damaged by chance are in
//! `../memory/checkpoint_mutations.rs`.

use std::fs;
use std::path::PathBuf;

use bptt::Result;
use bptt::initializers::{Init, Initializer};
use bptt::io::Registry;
use bptt::layer::{Backward, Describe, Forward, Layer};
use bptt::layers::{
    Activate, GlobalAveragePooling1D, GlobalMaxPooling1D, LayerNormalization, Merge, RepeatVector, Residual,
    TimeDistributed,
};
use bptt::numeric::{Lane, Scalar};
use bptt::prelude::*;
use bptt::recurrent::{Cell, Gated, Gates, Rnn, Stacked, Step, StepBack};
use bptt::tensor::{ViewsMut, Widths};
use ndarray::{Array1, Array2, Array3, ArrayD, Dimension};
use serde::{Deserialize, Serialize};

fn small() -> Model {
    let stack = Sequential::new().add(Embedding::new(6, 3)).add(Lstm::new(2).return_sequences(true));
    let stack = stack.add(Gru::new(2)).add(Dense::new(1).activation(Activation::Sigmoid));
    stack.build(Form::tokens(4), 7).unwrap()
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("bptt-checkpoint-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The bytes of a saved model.
fn saved(model: &Model, name: &str) -> (PathBuf, Vec<u8>) {
    let path = folder(name).join("model.safetensors");
    model.save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

/// The same file with a part of its header replaced, and the header's length put right.
fn with_header(bytes: &[u8], change: impl Fn(&str) -> String) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header = change(std::str::from_utf8(&bytes[8..8 + length]).unwrap());
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut changed = (header.len() as u64).to_le_bytes().to_vec();
    changed.extend_from_slice(header.as_bytes());
    changed.extend_from_slice(&bytes[8 + length..]);
    changed
}

fn error_of(path: &PathBuf, bytes: &[u8]) -> String {
    fs::write(path, bytes).unwrap();
    Model::<f32>::load(path).unwrap_err().to_string()
}

#[test]
fn what_is_saved_comes_back() {
    let mut model = small();
    model.set_trainable("embedding", false).unwrap();
    let (path, bytes) = saved(&model, "round");
    let back = Model::<f32>::load(&path).unwrap();
    let x = Array2::from_shape_fn((3, 4), |(n, t)| ((n + t) % 6) as u32);
    assert_eq!(model.predict(&x).unwrap(), back.predict(&x).unwrap());
    assert_eq!(model.summary(), back.summary());
    assert!(back.summary().contains("embedding (Embedding, frozen)"));
    // Equal models are equal files, and one file is left.
    assert_eq!(saved(&back, "round").1, bytes);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let metadata = header["__metadata__"].as_object().unwrap();
    assert_eq!(metadata.keys().collect::<Vec<_>>(), ["bptt"]);
    assert!(metadata["bptt"].as_str().unwrap().starts_with(r#"{"format":2,"input":"#));
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let mut model = small();
    let (path, bytes) = saved(&model, "wrong");
    let change = |from: &'static str, to: &'static str| {
        with_header(&bytes, |header| {
            assert!(header.contains(from), "{header}");
            header.replace(from, to)
        })
    };
    for (changed, expected) in [
        (
            change(r#"\"format\":2"#, r#"\"format\":3"#),
            "it has format 3, but this version of bptt reads format 2; use a newer",
        ),
        (
            change(r#"\"format\":2"#, r#"\"format\":1"#),
            "it has format 1, but this version of bptt reads format 2; a model's",
        ),
        (change(r#"\"format\":2"#, r#"\"format\":0"#), "it has no known format"),
        (change(r#""lstm/kernel""#, r#""lstm/core""#), "it lacks lstm/kernel"),
        (change(r#"\"units\":1"#, r#"\"units\":3"#), "dense/kernel has shape [2, 1], but the model needs [2, 3]"),
        (change(r#"\"kind\":\"Lstm\""#, r#"\"kind\":\"Mgu\""#), "\"Mgu\", which is not registered"),
        (change(r#"\"units\":2"#, r#"\"units\":99999999"#), "is too large"),
        (change(r#"\"units\":2"#, r#"\"units\":4611686018427387904"#), "units is 4611686018427387904"),
        (change(r#""bptt""#, r#""other""#), "it does not describe its layers"),
        (bytes[..bytes.len() - 5].to_vec(), "it is not a whole safetensors file"),
        (b"something else".to_vec(), "it is not a whole safetensors file"),
    ] {
        let message = error_of(&path, &changed);
        assert!(message.contains(expected), "{message:?} does not say {expected:?}");
    }
    // A weight more than the model has; and the model stays as it was.
    let bigger = Sequential::new().add(Embedding::new(6, 3)).add_named("other", Dense::new(1));
    bigger.build(Form::tokens(4), 1).unwrap().save(&path).unwrap();
    let before = model.weight("lstm/kernel").unwrap();
    let message = model.load_weights(&path).unwrap_err().to_string();
    assert!(message.contains("it lacks lstm/kernel"), "{message}");
    assert_eq!(model.weight("lstm/kernel").unwrap(), before);
    let mut smaller: Model = Sequential::new().add(Embedding::new(6, 3)).build(Form::tokens(4), 1).unwrap();
    let message = smaller.load_weights(&path).unwrap_err().to_string();
    assert!(message.contains("does not have: other/bias, other/kernel"), "{message}");
    let message = Model::<f64>::load(&path).unwrap_err().to_string();
    assert!(message.contains("is in F32, but the model is in F64"), "{message}");
}

/// A user's layer: each feature times a number that is learnt.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Gain {
    start: f64,
}

#[derive(Clone, Debug)]
struct GainWeights<F> {
    gain: Array1<F>,
}
bptt::params!(GainWeights { gain });

impl Describe for Gain {
    fn kind() -> &'static str {
        "tests::Gain"
    }
}

impl<F: Scalar> Layer<F> for Gain {
    type Weights = GainWeights<F>;
    type Cache = ();

    fn output_form(&self, input: Form) -> Result<Form> {
        input.features().map(|_| input)
    }
    fn build(&self, input: Form, init: &mut Init) -> Result<GainWeights<F>> {
        Ok(GainWeights { gain: init.tensor(Initializer::Constant(self.start), input.features()?)? })
    }
    fn forward(&self, w: &GainWeights<F>, forward: Forward<'_, F, ()>) {
        let Forward { x, y, .. } = forward;
        y.like(x, w.gain.len());
        y.rows_mut().assign(&(&x.rows() * &w.gain));
    }
    fn backward(&self, w: &GainWeights<F>, backward: Backward<'_, F, (), GainWeights<F>>) {
        let Backward { x, dy, dx, gradients, .. } = backward;
        gradients.gain += &(&x.rows() * &dy.rows()).sum_axis(ndarray::Axis(0));
        if let Some(dx) = dx {
            dx.like(x, w.gain.len());
            dx.rows_mut().assign(&(&dy.rows() * &w.gain));
        }
    }
}

/// A user's rule: h' = tanh(z).
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Plain;

impl Describe for Plain {
    fn kind() -> &'static str {
        "tests::Plain"
    }
}

impl Gates for Plain {
    type Blocks<L: Lane> = [L; 1];
    type States<L: Lane> = [L; 1];

    #[inline(always)]
    fn forward<L: Lane>(&self, [z]: [L; 1], _: [L; 1]) -> ([L; 1], [L; 1]) {
        ([z.tanh()], [z.tanh()])
    }
    #[inline(always)]
    fn backward<L: Lane>(&self, [h]: [L; 1], _: [L; 1], _: [L; 1], [dh]: [L; 1]) -> ([L; 1], [L; 1]) {
        ([dh * (h.splat(1.0) - h * h)], [h.splat(0.0)])
    }
}

/// A user's cell: the running sum of the inputs.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sum {
    features: usize,
}

impl Describe for Sum {
    fn kind() -> &'static str {
        "tests::Sum"
    }
}

impl<F: Scalar> Cell<F> for Sum {
    type Weights = ();
    type Cache = ();
    type Workspace = ();

    fn states(&self) -> Widths {
        Widths::new(&[self.features])
    }
    fn build(&self, _: usize, _: &mut Init) -> Result<()> {
        Ok(())
    }
    fn step(&self, (): &(), at: &Step<'_, F>, mut next: ViewsMut<'_, F>, (): &mut ()) {
        next.view_mut(0).assign(&(&at.previous.view(0) + &at.x(0)));
    }
    fn step_back(&self, (): &(), _: &Step<'_, F>, mut back: StepBack<'_, F>, (): &mut (), (): &mut ()) {
        let dnext = back.dnext.view(0);
        back.dprevious.view_mut(0).zip_mut_with(&dnext, |sum, &d| *sum += d);
        back.dx(0).zip_mut_with(&dnext, |sum, &d| *sum += d);
    }
}

#[test]
fn a_model_with_layers_of_ones_own_comes_back_by_a_registry() {
    let mut model: Model = Sequential::new()
        .add(Gain { start: 0.5 })
        .add(Rnn::from_cell(Gated::new(Plain, 3)).return_sequences(true))
        .add(Rnn::from_cell(Sum { features: 3 }).dropout(0.25))
        .add_named("head", Dense::new(1))
        .build(Form::sequence(5, 2), 7)
        .unwrap();
    model.set_weight("gain/gain", &Array1::from_vec(vec![0.25_f32, -2.0])).unwrap();
    let (path, bytes) = saved(&model, "registry");
    let registry = || Registry::new().layer::<Gain>().gates::<Plain>().cell::<Sum>();
    let back = Model::load_with(&path, &registry()).unwrap();
    let x = Array3::from_shape_fn((2, 5, 2), |(n, t, d)| (n + t * 2 + d) as f32 / 7.0);
    assert_eq!(back.predict(&x).unwrap(), model.predict(&x).unwrap());
    assert_eq!(saved(&back, "registry").1, bytes);

    let kinds = |registry: Registry<f32>| format!("{registry:?}").replace(['{', '}', '"'], "");
    for (registry, lacks) in [
        (Registry::new as fn() -> _, "tests::Gain"),
        (|| Registry::new().layer::<Gain>(), "tests::Plain"),
        (|| Registry::new().layer::<Gain>().gates::<Plain>(), "tests::Sum"),
    ] {
        let knows = kinds(registry());
        let registry = registry();
        let message = Model::<f32>::load_with(&path, &registry).unwrap_err().to_string();
        let expected = format!(
            "the model has a layer of kind {lacks:?}, which is not registered; add its type to the Registry for \
             Model::load_with (it knows {knows})"
        );
        assert_eq!(message, expected);
    }
    let knows = kinds(registry());
    for kind in ["Dense, Dropout, Embedding", "Gru", "Bidirectional", "tests::Gain, tests::Plain, tests::Sum"] {
        assert!(knows.contains(kind), "{knows}");
    }
    // Options of another version of the layer.
    let renamed = with_header(&bytes, |header| header.replace(r#"\"start\""#, r#"\"begin\""#));
    fs::write(&path, renamed).unwrap();
    let message = Model::<f32>::load_with(&path, &registry()).unwrap_err().to_string();
    assert!(message.contains("the options of tests::Gain cannot be saved or read: missing field `start`"), "{message}");
}

#[test]
fn layers_made_of_others_come_back() {
    let stacked = Stacked::new(Gru::new(4).into_cell(), Gru::new(3).into_cell());
    let mixed = |features| Stacked::new(Sum { features }, Gru::new(3).into_cell());
    let mut model: Model = Sequential::new()
        .add(Bidirectional::new(Lstm::new(3).return_sequences(true)))
        .add(LayerNormalization::new().epsilon(0.01))
        .add(Residual::new(Gru::new(6).return_sequences(true)))
        .add(Residual::new(Dense::new(6).activation(Activation::Tanh)))
        .add(TimeDistributed::new(Dense::new(6)))
        .add(Bidirectional::new(SimpleRnn::new(6).return_sequences(true)).merge_mode(Merge::Average))
        .add(Rnn::from_cell(mixed(6)).return_sequences(true))
        .add(Bidirectional::new(Rnn::from_cell(Sum { features: 3 })).backward_layer(Rnn::from_cell(mixed(3))))
        .add(RepeatVector::new(4))
        .add(Rnn::from_cell(stacked).return_sequences(true))
        .add(Activate::new(Activation::Softsign))
        .add(Residual::new(TimeDistributed::new(Dense::new(3))))
        .add(GlobalMaxPooling1D::new())
        .add(RepeatVector::new(2))
        .add(GlobalAveragePooling1D::new())
        .build(Form::sequence(5, 2), 7)
        .unwrap();
    let names = ["bidirectional/backward/recurrent_kernel", "stacked/second/kernel", "global_max_pooling1d"];
    assert!(model.weight_names().iter().any(|name| name == names[0]));
    assert!(model.weight_names().iter().any(|name| name == names[1]));
    assert!(model.summary().contains(names[2]));
    model.set_weight("layer_normalization/beta", &Array1::from_elem(6, 0.5_f32)).unwrap();
    let (path, bytes) = saved(&model, "composed");
    // Of what is made of others each part is found by its own kind.
    let registry = Registry::new().cell::<Sum>();
    let back = Model::load_with(&path, &registry).unwrap();
    let x = Array3::from_shape_fn((2, 5, 2), |(n, t, d)| (n + t * 2 + d) as f32 / 7.0);
    assert_eq!(back.predict(&x).unwrap(), model.predict(&x).unwrap());
    assert_eq!(saved(&back, "composed").1, bytes);
    let message = Model::<f32>::load(&path).unwrap_err().to_string();
    assert!(message.contains("\"tests::Sum\", which is not registered"), "{message}");
}

/// What a wrapper is made of is in the file as a tree of kinds: no combination is registered, and none of one's own parts is
/// read without being so.
#[test]
fn wrappers_of_wrappers_come_back_without_their_combinations() {
    fn all<C>(cell: C) -> Rnn<C> {
        Rnn::from_cell(cell).return_sequences(true)
    }
    let three =
        Stacked::new(Gru::new(3).into_cell(), Stacked::new(SimpleRnn::new(4).into_cell(), Gru::new(2).into_cell()));
    let both = Bidirectional::new(Lstm::new(3).return_sequences(true).dropout(0.1))
        .backward_layer(Gru::new(3).return_sequences(true).reset_after(false))
        .merge_mode(Merge::Mul);
    let built_in = Sequential::new()
        .add(both)
        .add(Residual::new(TimeDistributed::new(Dense::new(3).activation(Activation::Tanh))))
        .add(Residual::new(Residual::new(LayerNormalization::new())))
        .add(all(three))
        .add(Bidirectional::new(Rnn::from_cell(Stacked::new(Lstm::new(2).into_cell(), Gru::new(2).into_cell()))));
    let own = Sequential::new()
        .add(all(Stacked::new(Sum { features: 2 }, Gru::new(3).into_cell())))
        .add(all(Stacked::new(Lstm::new(2).into_cell(), Stacked::new(Gated::new(Plain, 3), Sum { features: 3 }))))
        .add(Residual::new(TimeDistributed::new(Residual::new(Gain { start: 0.5 }))));
    let x = Array3::from_shape_fn((3, 5, 2), |(n, t, d)| ((n * 11 + t * 5 + d) as f32).sin());
    let registry = || Registry::new().layer::<Gain>().gates::<Plain>().cell::<Sum>();
    for (name, stack, registry) in [("built-in", built_in, Registry::new()), ("own", own, registry())] {
        let mut model = stack.build(Form::sequence(5, 2), 7).unwrap();
        // Not the weights that a model starts with.
        for (number, weight) in model.weight_names().iter().enumerate() {
            let value = ArrayD::from_shape_fn(model.weight(weight).unwrap().raw_dim(), |at| {
                (at.slice().iter().fold(number, |sum, &index| 13 * sum + index) as f32).sin()
            });
            model.set_weight(weight, &value).unwrap();
        }
        let (path, bytes) = saved(&model, &format!("nested-{name}"));
        let back = Model::load_with(&path, &registry).unwrap();
        assert_eq!(back.predict(&x).unwrap(), model.predict(&x).unwrap(), "{name}");
        assert_eq!((back.summary(), back.weight_names()), (model.summary(), model.weight_names()), "{name}");
        assert_eq!(saved(&back, &format!("nested-{name}")).1, bytes, "{name}");
    }
    // The kind of the part that is not known, not of what is made of it.
    let (path, own) = (folder("nested-own").join("model.safetensors"), || Registry::new().layer::<Gain>());
    for (registry, lacks) in [
        (Registry::new().gates::<Plain>().cell::<Sum>(), "tests::Gain"),
        (own().cell::<Sum>(), "tests::Plain"),
        (own().gates::<Plain>(), "tests::Sum"),
    ] {
        let message = Model::<f32>::load_with(&path, &registry).unwrap_err().to_string();
        assert!(message.contains(&format!("of kind {lacks:?}, which is not registered")), "{message}");
    }
    // A layer is no cell.
    let changed = with_header(&fs::read(&path).unwrap(), |header| header.replace("tests::Sum", "Dense"));
    fs::write(&path, changed).unwrap();
    let message = Model::<f32>::load_with(&path, &registry()).unwrap_err().to_string();
    assert!(message.contains("\"Dense\""), "{message}");
}

#[test]
fn a_file_that_a_killed_process_left_half_written_goes_with_the_next_save() {
    let (path, bytes) = saved(&small(), "killed");
    fs::write(path.with_file_name(".model.safetensors.4294967295.0.part"), &bytes[..bytes.len() / 2]).unwrap();
    small().save(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_device_or_a_pipe_gets_the_model_and_stays() {
    use std::os::unix::fs::{FileTypeExt, symlink};

    let (path, bytes) = saved(&small(), "special");
    let pipe = path.with_file_name("pipe");
    let _ = fs::remove_file(&pipe);
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe)
    });
    small().save(&pipe).unwrap();
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo(), "before the reader, which would wait for ever");
    assert_eq!(reader.join().unwrap().unwrap(), bytes);
    // Through a link, so that what replaces it does no harm.
    let device = path.with_file_name("device");
    let _ = fs::remove_file(&device);
    symlink("/dev/null", &device).unwrap();
    small().save(&device).unwrap();
    assert!(device.is_symlink());
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
}

/// A model whose training draws masks of dropout.
fn with_dropout(seed: u64) -> Model {
    let stack = Sequential::new().add(Embedding::new(6, 3)).add(Gru::new(3).dropout(0.3).recurrent_dropout(0.2));
    let stack = stack.add(Dropout::new(0.2)).add(Dense::new(1).activation(Activation::Sigmoid));
    stack.build(Form::tokens(4), seed).unwrap()
}

/// The weights and the losses of a training that draws an order and masks of dropout.
fn train(model: &mut Model) -> (Vec<u8>, String) {
    let x = Array2::from_shape_fn((24, 4), |(n, t)| ((n * 5 + t * 3) % 6) as u32);
    let y = Array1::from_shape_fn(24, |n| (n % 2) as f32);
    model.compile(Adam::new(0.05), BinaryCrossentropy::new());
    let history = model.fit(&x, &y, Fit::new().epochs(3).batch_size(5)).unwrap();
    let names = model.weight_names();
    let weights = names.iter().flat_map(|name| model.weight(name).unwrap()).flat_map(f32::to_le_bytes).collect();
    (weights, history.to_csv())
}

/// A model of this layer on sequences of six features, saved and loaded: it predicts the same bits and gives the same file.
fn expect_back<L: Layer<f32>>(layer: L, name: &str, registry: Option<Registry>) {
    let mut model: Model = Sequential::new().add(layer).build(Form::sequence(5, 6), 7).unwrap();
    // What is zero or one at first would be so in a file that was read wrong.
    for (number, name) in model.weight_names().into_iter().enumerate() {
        let values = model.weight(&name).unwrap();
        model.set_weight(&name, &(values + 0.01 * (number + 1) as f32)).unwrap();
    }
    let (path, bytes) = saved(&model, name);
    let back = match &registry {
        None => Model::load(&path).unwrap(),
        Some(registry) => Model::load_with(&path, registry).unwrap(),
    };
    let x = Array3::from_shape_fn((3, 5, 6), |(n, t, d)| ((n * 30 + t * 6 + d) as f32 * 0.7).sin());
    assert_eq!(back.predict(&x).unwrap(), model.predict(&x).unwrap(), "{name}");
    assert_eq!(back.weight_names(), model.weight_names(), "{name}");
    assert_eq!(saved(&back, name).1, bytes, "{name}");
}

#[test]
fn layers_in_layers_come_back_without_a_registry() {
    let all = |units| Gru::new(units).return_sequences(true);
    let stacked = |last| Stacked::new(Lstm::new(4).into_cell(), Gru::new(last).into_cell());
    let rnn = |last| Rnn::from_cell(stacked(last)).return_sequences(true);
    expect_back(Bidirectional::new(rnn(3)), "bidirectional-stacked", None);
    expect_back(Bidirectional::new(rnn(3)).backward_layer(all(5)), "bidirectional-of-two", None);
    expect_back(TimeDistributed::new(Residual::new(Dense::new(6))), "time-distributed-residual", None);
    expect_back(Residual::new(TimeDistributed::new(Dense::new(6))), "residual-time-distributed", None);
    expect_back(Residual::new(Bidirectional::new(rnn(3))), "residual-bidirectional-stacked", None);
    expect_back(Residual::new(Residual::new(Residual::new(all(6)))), "residuals", None);
    let two =
        Stacked::new(Gru::new(2).into_cell(), Stacked::new(SimpleRnn::new(4).into_cell(), Gru::new(3).into_cell()));
    expect_back(
        Residual::new(Bidirectional::new(Rnn::from_cell(two).return_sequences(true))),
        "residual-bidirectional-stacks",
        None,
    );
}

#[test]
fn a_cell_of_ones_own_inside_two_layers_comes_back_by_a_registry_of_the_cell_alone() {
    let sum = || Rnn::from_cell(Sum { features: 6 }).return_sequences(true);
    let layer = || Residual::new(Bidirectional::new(sum()).merge_mode(Merge::Sum));
    expect_back(layer(), "own-cell-inside", Some(Registry::new().cell::<Sum>()));
    let model: Model = Sequential::new().add(layer()).build(Form::sequence(5, 6), 7).unwrap();
    let message = Model::<f32>::load(saved(&model, "own-cell-unknown").0).unwrap_err().to_string();
    assert!(message.contains("\"tests::Sum\", which is not registered"), "{message}");
    let gates = Rnn::from_cell(Stacked::new(Gated::new(Plain, 4), Sum { features: 4 })).return_sequences(true);
    let both = Registry::new().gates::<Plain>().cell::<Sum>();
    expect_back(Bidirectional::new(gates), "own-cells-stacked", Some(both));
}

#[test]
fn a_model_that_comes_back_draws_by_the_seed_in_its_file() {
    for seed in [1, 7, u64::MAX] {
        let mut model = with_dropout(seed);
        let (path, bytes) = saved(&model, "seed");
        let mut back = Model::load(&path).unwrap();
        assert_eq!(saved(&back, "seed").1, bytes);
        assert_eq!(train(&mut back), train(&mut model), "seed {seed}");
    }
}

#[test]
fn another_seed_changes_the_draws_and_is_saved() {
    let mut model = with_dropout(7);
    let (path, bytes) = saved(&model, "another-seed");
    model.set_seed(8);
    let loaded = Model::<f32>::load(&path).unwrap();
    for name in model.weight_names() {
        assert_eq!(model.weight(&name).unwrap(), loaded.weight(&name).unwrap(), "{name}");
    }
    let (path, other) = saved(&model, "another-seed");
    assert_ne!(other, bytes);
    let mut back = Model::load(&path).unwrap();
    let by_another = train(&mut model);
    assert_eq!(train(&mut back), by_another);
    assert_ne!(train(&mut with_dropout(7)), by_another);
    // The old seed again, and the draws are the old ones.
    let mut again = Model::load(&path).unwrap();
    again.set_seed(7);
    assert_eq!(train(&mut again), train(&mut with_dropout(7)));
}
