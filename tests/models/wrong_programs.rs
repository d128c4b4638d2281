//! Programs as someone writes them who is new to the crate, each with one thing wrong, and the whole message that it gives:
//! what was wrong, where, and how to mend it. What `errors` has besides are many values of one mistake.

use bptt::Result;
use bptt::initializers::Init;
use bptt::layer::Describe;
use bptt::layers::{GlobalAveragePooling1D, LayerNormalization, Merge, RepeatVector, Residual, TimeDistributed};
use bptt::losses::CategoricalCrossentropy;
use bptt::models::Window;
use bptt::numeric::Scalar;
use bptt::prelude::*;
use bptt::recurrent::{Cell, Rnn, Stacked, Step, StepBack};
use bptt::tensor::{ViewsMut, Widths};
use ndarray::{Array2, Array3, array};
use serde::{Deserialize, Serialize};

/// What was meant to be done, the program, and what it is told.
type Wrong = (&'static str, fn() -> Result<()>, &'static str);

const LAYERS: &[Wrong] = &[
    (
        "two recurrent layers, the first without return_sequences",
        || build(Sequential::new().add(Lstm::new(4)).add(Lstm::new(2)), Form::sequence(3, 2)),
        "layer \"lstm_1\": it got (None, 4), but needs a sequence: set return_sequences(true) on the recurrent layer before \
         it, or build the model for Form::sequence if it is the first layer",
    ),
    (
        "a recurrent layer in a model for vectors",
        || build(Sequential::new().add(Gru::new(4)), Form::vector(3)),
        "layer \"gru\": it got (None, 3), but needs a sequence: set return_sequences(true) on the recurrent layer before it, \
         or build the model for Form::sequence if it is the first layer",
    ),
    (
        "the mean over time of a last output",
        || build(Sequential::new().add(Gru::new(4)).add(GlobalAveragePooling1D::new()), Form::sequence(3, 2)),
        "layer \"global_average_pooling1d\": it got (None, 4), but needs a sequence: set return_sequences(true) on the \
         recurrent layer before it, or build the model for Form::sequence if it is the first layer",
    ),
    (
        "token ids without an embedding",
        || build(Sequential::new().add(Lstm::new(4)), Form::tokens(3)),
        "layer \"lstm\": it got (None, 3) of token ids, but needs a sequence of vectors: put an Embedding before it, which \
         turns token ids into vectors",
    ),
    (
        "token ids into a dense layer",
        || build(Sequential::new().add(Dense::new(4)), Form::tokens(None)),
        "layer \"dense\": it got (None, None) of token ids, but needs numbers: put an Embedding before it, which turns token \
         ids into vectors",
    ),
    (
        "an embedding of numbers",
        || build(Sequential::new().add(Embedding::new(4, 2)), Form::sequence(3, 2)),
        "layer \"embedding\": it got (None, 3, 2), but needs token ids: make it the first layer and build the model for \
         Form::tokens",
    ),
    (
        "a sequence to be repeated",
        || build(Sequential::new().add(RepeatVector::new(2)), Form::sequence(5, 3)),
        "layer \"repeat_vector\": it got (None, 5, 3), but needs a vector: put it after a layer that makes a vector of a \
         sequence, such as a recurrent one",
    ),
    (
        "a layer for each step that gives no vector",
        || build(Sequential::new().add(TimeDistributed::new(RepeatVector::new(2))), Form::sequence(5, 3)),
        "layer \"time_distributed\": it got (None, 2, 3), but needs a vector from its layer for each step: put a layer into it \
         that turns vectors into vectors",
    ),
    (
        "the sum of two directions of unequal width",
        || {
            let both = Bidirectional::new(Lstm::new(4)).backward_layer(Gru::new(2)).merge_mode(Merge::Sum);
            build(Sequential::new().add(both), Form::sequence(5, 3))
        },
        "layer \"bidirectional\": merge_mode is Sum of 4 and 2 units, but must be Concat, or layers with equal units",
    ),
    (
        "two directions, one of them without return_sequences",
        || {
            let both = Bidirectional::new(Lstm::new(4).return_sequences(true)).backward_layer(Gru::new(4));
            build(Sequential::new().add(both), Form::sequence(5, 3))
        },
        "layer \"bidirectional\": return_sequences is (None, 5, 4) forwards and (None, 4) backwards, but must be the same for \
         both layers",
    ),
    (
        "a way around a layer that changes the shape",
        || build(Sequential::new().add(Residual::new(Lstm::new(3))), Form::sequence(5, 3)),
        "layer \"residual\": layer is Lstm that makes (None, 3) of (None, 5, 3), but must be one whose output has the form of \
         its input: with as many units as there are features, and return_sequences(true) if it is recurrent",
    ),
    (
        "normalization by nothing",
        || build(Sequential::new().add(LayerNormalization::new().epsilon(0.0)), Form::vector(3)),
        "layer \"layer_normalization\": epsilon is 0, but must be a finite number above 0",
    ),
    (
        "three cells of two states as one",
        || {
            let lstm = || Lstm::new(3).into_cell();
            let cell = Stacked::new(Stacked::new(lstm(), lstm()), lstm());
            build(Sequential::new().add(Rnn::from_cell(cell)), Form::sequence(5, 3))
        },
        "layer \"stacked\": cell is one with 6 states, but must be one with 1 to 4, those of its parts counted; make layers of \
         some of them if they are too many",
    ),
    (
        "a cell of one's own with five states",
        || build(Sequential::new().add(Rnn::from_cell(Copies { states: 5 })), Form::sequence(5, 3)),
        "layer \"copies\": cell is one with 5 states, but must be one with 1 to 4, those of its parts counted; make layers of \
         some of them if they are too many",
    ),
    (
        "a cell of one's own that remembers nothing",
        || build(Sequential::new().add(Rnn::from_cell(Copies { states: 0 })), Form::sequence(5, 3)),
        "layer \"copies\": cell is one with 0 states, but must be one with 1 to 4, those of its parts counted; make layers of \
         some of them if they are too many",
    ),
    (
        "two layers with one name",
        || {
            let stack = Sequential::new().add_named("first", Dense::new(2)).add_named("first", Dense::new(1));
            build(stack, Form::vector(1))
        },
        "a layer cannot be named \"first\"; use a name that is not empty, has no slash and is not taken yet",
    ),
    ("no layers", || build(Sequential::new(), Form::vector(1)), "the model is empty; add at least one layer"),
];

const DATA: &[Wrong] = &[
    (
        "longer sequences than the model was built for",
        || lstm(Form::sequence(4, 2)).predict(&sequences(1, 5)).map(drop),
        "the samples have shape (None, 5, 2), but the model was built for (None, 4, 2); reshape them, or build it for them",
    ),
    (
        "token ids for a model of numbers",
        || lstm(Form::sequence(4, 2)).predict(&Array2::<u32>::zeros((1, 4))).map(drop),
        "the samples have shape (None, 4) of token ids, but the model was built for (None, 4, 2); reshape them, or build it \
         for them",
    ),
    (
        "series of numbers without an axis for the features",
        || lstm(Form::sequence(4, 1)).predict(&Array2::<f32>::zeros((3, 4))).map(drop),
        "the samples have shape (None, 4), but the model was built for (None, 4, 1); reshape them, or build it for them",
    ),
    (
        "sequences without steps",
        || lstm(Form::sequence(None, 2)).predict(&sequences(1, 0)).map(drop),
        "the samples have shape (None, 0, 2), but the model was built for (None, None, 2); reshape them, or build it for them",
    ),
    (
        "a mask with time first",
        || lstm(Form::sequence(None, 2)).predict((&sequences(3, 5), &Array2::from_elem((5, 3), true))).map(drop),
        "the mask has the shape (5, 3), but the samples need (3, 5): a value for each step of each sample, true where it \
         counts",
    ),
    (
        "a mask of samples without steps",
        || dense(3).predict((&Array2::<f32>::zeros((4, 2)), &Array2::from_elem((4, 2), true))).map(drop),
        "the mask has the shape (4, 2), but the samples have no steps; pass them without it",
    ),
    (
        "a target too many",
        || fit(dense(3), &Array2::zeros((3, 3))),
        "the targets have shape [3, 3], but samples, model and loss need [2, 3]; pass an array of that shape",
    ),
    (
        "one target a sample for three outputs",
        || fit(dense(3), &Array2::zeros((2, 1))),
        "the targets have shape [2, 1], but samples, model and loss need [2, 3]; pass an array of that shape",
    ),
    (
        "class numbers for the loss of distributions",
        || {
            let mut model = dense(3);
            model.compile(Sgd::new(0.1), CategoricalCrossentropy::new());
            model.fit(&two(), &array![0, 2], Fit::new()).map(drop)
        },
        "the targets have shape [2], but samples, model and loss need [2, 3]; give the last layer one unit for one number in \
         each place, or take SparseCategoricalCrossentropy if they are class numbers",
    ),
    (
        "a target for each step of a last output",
        || {
            let mut model = lstm(Form::sequence(5, 2));
            model.compile(Sgd::new(0.1), MeanSquaredError);
            model.fit(&sequences(3, 5), &Array3::<f32>::zeros((3, 5, 4)), Fit::new()).map(drop)
        },
        "the targets have shape [3, 5, 4], but samples, model and loss need [3, 4]; set return_sequences(true) on the last \
         recurrent layer if there is one for each step",
    ),
    (
        "a target a sequence for the outputs of all steps",
        || {
            let mut model = steps();
            model.compile(Sgd::new(0.1), MeanSquaredError);
            model.fit(&sequences(3, 5), &array![0.0, 1.0, 2.0], Fit::new()).map(drop)
        },
        "the targets have shape [3], but samples, model and loss need [3, 5, 1]; leave out return_sequences on the last \
         recurrent layer if there is one for each sequence",
    ),
    (
        "batches of nothing",
        || dense(1).fit(&two(), &array![0.0, 1.0], Fit::new().batch_size(0)).map(drop),
        "batch_size is 0, but must be at least 1 and at most 2³¹",
    ),
];

const MODELS: &[Wrong] = &[
    (
        "training without compile",
        || lstm(Form::sequence(5, 2)).fit(&sequences(3, 5), &Array2::<f32>::zeros((3, 4)), Fit::new()).map(drop),
        "the model is not compiled; call model.compile(optimizer, loss) first",
    ),
    (
        "a weight's name in Keras' old way",
        || dense(1).weight("dense/kernel:0").map(drop),
        "there is no weight \"dense/kernel:0\"; there are dense/kernel, dense/bias",
    ),
    (
        "a kernel the other way round",
        || dense(3).set_weight("dense/kernel", &Array2::zeros((3, 2))),
        "weight \"dense/kernel\" has shape [2, 3], not [3, 2]; pass an array of its shape",
    ),
    (
        "a layer that is not there to be frozen",
        || dense(1).set_trainable("lstm", false),
        "there is no layer \"lstm\"; there are dense",
    ),
    ("no threads", || dense(1).set_threads(0), "threads is 0, but must be at least 1 and at most 1024"),
    (
        "a million threads",
        || dense(1).set_threads(1_000_000),
        "threads is 1000000, but must be at least 1 and at most 1024",
    ),
    (
        "a model that was never saved",
        || Model::<f32>::load("no/such/model.safetensors").map(drop),
        "cannot read no/such/model.safetensors: No such file or directory (os error 2)",
    ),
];

const STATES: &[Wrong] = &[
    (
        "a state for other samples than there are",
        || {
            let (model, mut state) = (steps(), steps().state(2)?);
            model.step(&sequences(3, 1), &mut state).map(drop)
        },
        "the state is for 2 samples, not 3; make one for as many with model.state(3)",
    ),
    (
        "an initial state of another width",
        || {
            let (model, mut state) = (steps(), steps().state(1)?);
            if let Some(lstm) = state.layer_mut("lstm") {
                lstm.parts[1] = Array2::zeros((1, 5));
            }
            model.step(&sequences(1, 1), &mut state).map(drop)
        },
        "the state does not fit this model: its matrices for layer \"lstm\" have the sizes [(1, 4), (1, 5)], not [(1, 4), (1, \
         4)]; make one with model.state(1)",
    ),
    (
        "an LSTM's state without its second part",
        || {
            let (mut model, mut state) = (steps(), steps().state(3)?);
            if let Some(lstm) = state.layer_mut("lstm") {
                lstm.parts.truncate(1);
            }
            model.compile(Sgd::new(0.1), MeanSquaredError);
            let window = Window::new(0..5);
            model.train_window(&sequences(3, 5), &Array3::<f32>::zeros((3, 5, 1)), &window, &mut state).map(drop)
        },
        "the state does not fit this model: its matrices for layer \"lstm\" have the sizes [(3, 4)], not [(3, 4), (3, 4)]; \
         make one with model.state(3)",
    ),
    (
        "a state whose matrices were taken out",
        || {
            let (model, mut state) = (steps(), steps().state(2)?);
            if let Some(lstm) = state.layer_mut("lstm") {
                lstm.parts.clear();
            }
            model.step(&sequences(2, 1), &mut state).map(drop)
        },
        "the state does not fit this model: its matrices for layer \"lstm\" have the sizes [], not [(2, 4), (2, 4)]; make one \
         with model.state(2)",
    ),
    (
        "a sample of a state that was given fewer rows",
        || {
            let mut state = steps().state(3)?;
            if let Some(lstm) = state.layer_mut("lstm") {
                lstm.parts[1] = Array2::zeros((1, 4));
            }
            state.reset_sample(2)
        },
        "the state does not fit this model: its matrix lstm/1 has the size (1, 4) for 3 samples; make one with model.state(3)",
    ),
    (
        "the state of another model",
        || {
            let mut state = steps().state(1)?;
            lstm(Form::sequence(None, 2)).step(&sequences(1, 1), &mut state).map(drop)
        },
        "the state does not fit this model: it is for the layers lstm, dense, not for lstm; make one with model.state(1)",
    ),
    (
        "a stream through a layer that goes backwards",
        || {
            let stack = Sequential::new().add(Lstm::new(2).go_backwards(true));
            stack.build(Form::sequence(None, 3), 1)?.state(1).map(drop)
        },
        "layer \"lstm\": it looks at the whole sequence and cannot go on from a state; leave it out (or its go_backwards), or \
         run the model on whole sequences",
    ),
    (
        "windows of a model with one output",
        || {
            let mut model = lstm(Form::sequence(9, 2));
            model.compile(Sgd::new(0.1), MeanSquaredError);
            model.fit(&sequences(2, 9), &Array2::<f32>::zeros((2, 4)), Fit::new().truncated(2, 2)).map(drop)
        },
        "windows are learnt from one by one, but the model puts out (None, 4) for a whole sequence; set \
         return_sequences(true) on its last recurrent layer",
    ),
    (
        "windows that reach back less than they go on",
        || Window::all(9, 3, 2).map(drop),
        "through is 2, but must be at least as many steps as `every`, so that none is left out",
    ),
    (
        "a window past the end",
        || {
            let (mut model, mut state) = (steps(), steps().state(2)?);
            model.compile(Sgd::new(0.1), MeanSquaredError);
            let window = Window::new(5..12);
            model.train_window(&sequences(2, 9), &Array3::<f32>::zeros((2, 9, 1)), &window, &mut state).map(drop)
        },
        "window is Window { steps: 5..12, newest: 7, kept: 7 }, but must be some of the steps that the samples have",
    ),
];

#[test]
fn each_wrong_program_is_told_what_is_wrong_with_it() {
    for (what, program, message) in [LAYERS, DATA, MODELS, STATES].concat() {
        match program() {
            Ok(()) => panic!("{what}: no error, but expected: {message}"),
            Err(error) => assert_eq!(error.to_string(), message, "{what}"),
        }
    }
}

fn build(stack: Sequential, form: Form) -> Result<()> {
    stack.build(form, 1).map(drop)
}

fn sequences(samples: usize, steps: usize) -> Array3<f32> {
    Array3::zeros((samples, steps, 2))
}

/// A layer of four units with its last output, not compiled.
fn lstm(form: Form) -> Model {
    Sequential::new().add(Lstm::new(4)).build(form, 1).unwrap()
}

/// A number for each step, not compiled.
fn steps() -> Model {
    let stack = Sequential::new().add(Lstm::new(4).return_sequences(true)).add(Dense::new(1));
    stack.build(Form::sequence(None, 2), 1).unwrap()
}

fn dense(units: usize) -> Model {
    let mut model = Sequential::new().add(Dense::new(units)).build(Form::vector(2), 1).unwrap();
    model.compile(Sgd::new(0.1), MeanSquaredError);
    model
}

/// Two samples.
fn two() -> Array2<f32> {
    Array2::zeros((2, 2))
}

/// Trains on them.
fn fit(mut model: Model, targets: &Array2<f32>) -> Result<()> {
    model.fit(&two(), targets, Fit::new()).map(drop)
}

/// A cell whose states are so many copies of its input.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Copies {
    states: usize,
}

impl Describe for Copies {
    fn kind() -> &'static str {
        "tests::Copies"
    }
}

impl<F: Scalar> Cell<F> for Copies {
    type Weights = ();
    type Cache = ();
    type Workspace = ();

    fn states(&self) -> Widths {
        Widths::new(&[3, 3, 3, 3, 3][..self.states])
    }

    fn build(&self, _: usize, _: &mut Init) -> Result<()> {
        Ok(())
    }

    fn step(&self, (): &(), at: &Step<'_, F>, mut next: ViewsMut<'_, F>, (): &mut ()) {
        (0..self.states).for_each(|state| next.view_mut(state).assign(&at.x(0)));
    }

    fn step_back(&self, (): &(), _: &Step<'_, F>, mut back: StepBack<'_, F>, (): &mut (), (): &mut ()) {
        for state in 0..self.states {
            let dnext = back.dnext.view(state);
            back.dx(0).scaled_add(F::one(), &dnext);
        }
    }
}
