//! The parts of the larger examples: the gradients of a model that is trained by hand, the text that goes in and comes out,
//! the trigram model that is to be beaten.

#[path = "../../examples/seq2seq_addition/model.rs"]
mod model;
#[path = "../../examples/seq2seq_addition/sums.rs"]
mod sums;
#[path = "../../examples/char_rnn/text.rs"]
mod text;
#[path = "../../examples/char_rnn/trigram.rs"]
mod trigram;

use std::collections::HashSet;
use std::path::Path as FilePath;

use bptt::layer::{Params, Path, zeros_like};
use bptt::random::Key;
use bptt::tensor::Tensor;
use model::{Batch, Seq2Seq, Weights, Workspace, one_hot};
use ndarray::{Array2, Array3, array};
use text::{Text, streams};
use trigram::Trigram;

const CLASSES: usize = 4;

fn batch() -> Batch<f64> {
    let rows = |steps, late| {
        let class = move |t: usize, sample: usize| (2 * t + 3 * sample + late) % CLASSES;
        Tensor::Sequence(Array3::from_shape_fn((steps, 2, CLASSES), |(t, sample, k)| one_hot(class(t, sample) == k)))
    };
    Batch {
        questions: rows(5, 0),
        fed: rows(3, 1),
        targets: Array2::from_shape_fn((6, 1), |(row, _)| ((row * row) % CLASSES) as f64),
    }
}

/// Adds to one number of some weights.
fn shifted(weights: &Weights<f64>, number: usize, by: f64) -> Weights<f64> {
    let (mut weights, mut seen) = (weights.clone(), 0);
    weights.visit_mut(Path::root(""), &mut |_, mut tensor| {
        if let Some(value) = number.checked_sub(seen).and_then(|place| tensor.iter_mut().nth(place)) {
            *value += by;
        }
        seen += tensor.len();
    });
    weights
}

#[test]
fn the_gradients_of_encoder_and_decoder_are_those_of_the_loss() {
    let (model, batch) = (Seq2Seq::new(CLASSES, 3), batch());
    let weights = model.build::<f64>(Key::new(5)).unwrap();
    let mut workspace = Workspace::new(&model, 2);
    let mut gradients = zeros_like(&weights);
    model.train(&weights, &batch, &mut workspace, &mut gradients);
    let mut flat = Vec::new();
    gradients.visit(Path::root(""), &mut |path, tensor| {
        flat.extend(tensor.iter().map(|&g| (path.to_string(), g)));
        assert!(tensor.iter().any(|&g| g.abs() > 1e-3), "no gradient for {path}");
    });
    assert!(flat.iter().any(|(path, _)| path.starts_with("encoder/")));
    for (number, (path, gradient)) in flat.into_iter().enumerate() {
        let mut at =
            |by: f64| model.train(&shifted(&weights, number, by), &batch, &mut workspace, &mut zeros_like(&weights));
        let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
        assert!((gradient - difference).abs() < 1e-8, "{path}, number {number}: {gradient} instead of {difference}");
    }
}

#[test]
fn an_answer_is_fed_back_symbol_by_symbol() {
    let (model, batch) = (Seq2Seq::new(CLASSES, 3), batch());
    let weights = model.build::<f64>(Key::new(5)).unwrap();
    let answers = model.answer(&weights, &batch.questions, 2, 3);
    assert_eq!(answers.dim(), (3, 2));
    // Training on the answer itself meets the same probabilities, of which none is above that of what was put out.
    let fed = |t: usize, sample: usize| if t == 0 { 2 } else { answers[[t - 1, sample]] };
    let loss = |targets: &Array2<usize>| {
        let batch = Batch {
            questions: batch.questions.clone(),
            fed: Tensor::Sequence(Array3::from_shape_fn((3, 2, CLASSES), |(t, n, k)| one_hot(fed(t, n) == k))),
            targets: Array2::from_shape_fn((6, 1), |(row, _)| targets[[row / 2, row % 2]] as f64),
        };
        model.train(&weights, &batch, &mut Workspace::new(&model, 2), &mut zeros_like(&weights))
    };
    let best = loss(&answers);
    for step in 0..3 {
        for sample in 0..2 {
            for class in 0..CLASSES {
                let mut other = answers.clone();
                other[[step, sample]] = class;
                assert!(loss(&other) >= best);
            }
        }
    }
}

#[test]
fn sums_are_text_read_from_its_end() {
    assert_eq!((sums::question((535, 61)), sums::answer((535, 61))), ("535+61".into(), "596".into()));
    let Batch { questions, fed, targets } = sums::batch(&[(535, 61), (999, 999)]);
    let read = |tensor: &Tensor<f32>, sample: usize| {
        let steps = tensor.sequence();
        let symbol = |t: usize| (0..sums::CLASSES).find(|&class| steps[[t, sample, class]] == 1.0).unwrap();
        sums::text((0..steps.dim().0).map(symbol))
    };
    assert_eq!([read(&questions, 0), read(&questions, 1)], [" 16+535", "999+999"]);
    assert_eq!([read(&fed, 0), read(&fed, 1)], [" 596", " 199"]);
    let target = |sample: usize| sums::text((0..sums::ANSWER).map(|t| targets[[2 * t + sample, 0]] as usize));
    assert_eq!([target(0), target(1)], ["596", "1998"]);
    let held_out: HashSet<_> = (0..1000).flat_map(|a| (0..a).map(move |b| (a, b))).collect();
    let drawn = sums::draw(20, &held_out, &mut Key::new(1).generator());
    assert!(drawn.len() == 20 && drawn.iter().all(|(a, b)| a == b), "only doubles are left: {drawn:?}");
}

#[test]
fn text_is_numbers_with_one_for_what_is_unknown() {
    let text = Text::new(&format!("{}{}", "abca".repeat(500), "zab".repeat(100))).unwrap();
    assert_eq!((text.train.len(), text.held_out.len(), text.vocabulary()), (2070, 230, 5));
    assert_eq!(['a', 'b', 'c', 'z', 'é', '\n'].map(|letter| text.number(letter)), [1, 2, 3, 4, 0, 0]);
    assert_eq!([0, 1, 4, 99].map(|number| text.letter(number)), ['\u{FFFD}', 'a', 'z', '\u{FFFD}']);
    assert_eq!(text.train[..4], [1, 2, 3, 1]);
    for few in ["", "a", "fn main() {}"] {
        let message = format!("the text has {} characters; take one with 2000 or more", few.len());
        assert_eq!(Text::new(few).err(), Some(message));
    }
    let message = Text::load(FilePath::new("no/such/file")).err().unwrap().to_string();
    assert_eq!(message, "cannot read no/such/file: No such file or directory (os error 2)");
    let own = Text::load(FilePath::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))).unwrap();
    assert!(own.train.len() > 500_000 && own.vocabulary() > 90);
}

#[test]
fn streams_are_neighbours_in_the_text() {
    let (x, y) = streams(&[0, 1, 2, 3, 4, 5, 6, 7], 2);
    assert_eq!((x, y), (array![[0, 1, 2], [3, 4, 5]], array![[1, 2, 3], [4, 5, 6]]));
    assert_eq!(streams(&[], 2).0.dim(), (2, 0));
}

#[test]
fn the_probabilities_of_a_trigram_model_add_up() {
    let text = [0, 1, 2, 0, 1, 1, 2, 0, 1, 2, 0, 2];
    let model = Trigram::learn(&text, 4);
    for context in [&[][..], &[1], &[0, 1], &[3, 3]] {
        let sum: f64 = (0..4).map(|c| model.probability(&[context, &[c]].concat())).sum();
        assert!((sum - 1.0).abs() < 1e-12, "{context:?}: {sum}");
    }
    // What it has seen it knows better than chance, and a text that repeats itself well.
    assert!(model.probability(&[0, 1]) > model.probability(&[0, 2]));
    let repeated: Vec<u32> = (0..3000).map(|t| t % 3).collect();
    assert!(Trigram::learn(&repeated, 4).bits(&repeated) < 0.01);
    // What it has never seen is less likely than chance, and not impossible.
    let bits = model.bits(&[3, 3, 3]);
    assert!(bits > 2.0 && bits.is_finite(), "{bits}");
}
