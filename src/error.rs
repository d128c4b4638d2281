//! Error type of the crate: each variant holds in fields what was wrong, where, and how to fix it.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

/// Result of every fallible function of the crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Error for anything that users pass in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder that could not be read or written.
    #[error("cannot {action} {}: {cause}", path.display())]
    #[non_exhaustive]
    Io {
        /// Action that failed, as a verb ("read", "write to the folder").
        action: &'static str,
        /// File or folder.
        path: PathBuf,
        /// Error of the operating system.
        cause: io::Error,
    },

    /// An option outside its range.
    #[error("{option} is {value}, but must be {allowed}")]
    #[non_exhaustive]
    InvalidOption {
        /// Name of the option in the API.
        option: &'static str,
        /// Value that was given.
        value: String,
        /// Allowed values.
        allowed: &'static str,
    },

    /// A layer does not take the output of the layer before it.
    #[error("it got {got}, but needs {needs}: {mend}")]
    #[non_exhaustive]
    Form {
        /// Form that arrives.
        got: String,
        /// Form that the layer takes.
        needs: &'static str,
        /// Advice on what to change.
        mend: &'static str,
    },

    /// One layer of a model has an error.
    #[error("layer {layer:?}: {cause}")]
    #[non_exhaustive]
    Layer {
        /// Name of the layer.
        layer: String,
        /// Error of the layer.
        cause: Box<Error>,
    },

    /// A layer's name is empty, has a slash, or is another layer's.
    #[error("a layer cannot be named {name:?}; use a name that is not empty, has no slash and is not taken yet")]
    #[non_exhaustive]
    Name {
        /// The name.
        name: String,
    },

    /// A weight would have more numbers than memory, or the file that it is read from, can hold.
    #[error("a weight of shape {shape:?} is too large; check the layer's units and input")]
    #[non_exhaustive]
    TooLarge {
        /// The shape asked for.
        shape: Vec<usize>,
    },

    /// Training or evaluation before `compile`.
    #[error("the model is not compiled; call model.compile(optimizer, loss) first")]
    NotCompiled,

    /// Samples of another kind or shape than the model was built for.
    #[error("the samples have shape {got}, but the model was built for {needs}; reshape them, or build it for them")]
    #[non_exhaustive]
    Samples {
        /// Form of the samples.
        got: String,
        /// Form of the model's input.
        needs: String,
    },

    /// A mask that does not fit the samples.
    #[error(
        "the mask has the shape {got:?}, but {}",
        needs.map_or("the samples have no steps; pass them without it".into(), |needs| {
            format!("the samples need {needs:?}: a value for each step of each sample, true where it counts")
        })
    )]
    #[non_exhaustive]
    Mask {
        /// Shape of the mask.
        got: (usize, usize),
        /// Required shape, if the samples have time steps.
        needs: Option<(usize, usize)>,
    },

    /// A layer that cannot continue from a state.
    #[error(
        "it looks at the whole sequence and cannot go on from a state; leave it out (or its go_backwards), or run the model \
         on whole sequences"
    )]
    WholeSequence,

    /// A state for another number of samples.
    #[error("the state is for {got} samples, not {needs}; make one for as many with model.state({needs})")]
    #[non_exhaustive]
    StateSize {
        /// Number of samples of the state.
        got: usize,
        /// Number of samples given.
        needs: usize,
    },

    /// A state of another model, or with matrices of other sizes.
    #[error("the state does not fit this model: {problem}; make one with model.state({samples})")]
    #[non_exhaustive]
    ForeignState {
        /// Where they differ.
        problem: String,
        /// The samples that there are.
        samples: usize,
    },

    /// Training in windows of a model without an output for each step.
    #[error(
        "windows are learnt from one by one, but the model puts out {got} for a whole sequence; set \
             return_sequences(true) on its last recurrent layer"
    )]
    #[non_exhaustive]
    Windows {
        /// The form of its output.
        got: String,
    },

    /// A token id that the embedding does not know.
    #[error(
        "token id {id} at sample {sample}, step {step} is not below the vocabulary of {vocabulary}; give the Embedding \
             a larger input_dim, or load the data with num_words = {vocabulary}"
    )]
    #[non_exhaustive]
    Token {
        /// Token id.
        id: u32,
        /// Sample, from 0.
        sample: usize,
        /// Time step, from 0.
        step: usize,
        /// Size of the vocabulary.
        vocabulary: usize,
    },

    /// NaN or an infinity among the samples.
    #[error("the samples hold {value} at {at:?}; replace or drop values that are not finite")]
    #[non_exhaustive]
    NotFinite {
        /// The index into the array.
        at: Vec<usize>,
        /// The value.
        value: f64,
    },

    /// Targets of the wrong number or shape.
    #[error("the targets have shape {got:?}, but samples, model and loss need {needs:?}; {}", mend_targets(got, needs))]
    #[non_exhaustive]
    Targets {
        /// Shape of the targets.
        got: Vec<usize>,
        /// Required shape; a last axis of 1 may be left out.
        needs: Vec<usize>,
    },

    /// A target that the loss cannot use.
    #[error("the target of sample {sample} {problem}")]
    #[non_exhaustive]
    Target {
        /// Which sample, from 0.
        sample: usize,
        /// What is wrong with it.
        problem: String,
    },

    /// Something is wrong with the validation data.
    #[error("in the validation data: {cause}")]
    #[non_exhaustive]
    Validation {
        /// What is wrong with them.
        cause: Box<Error>,
    },

    /// A backup file from which this training cannot continue.
    #[error(
        "this training cannot go on from {}: {problem}; call it as it was called before, or remove the file to start anew",
        path.display()
    )]
    #[non_exhaustive]
    Backup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: CheckpointProblem,
    },

    /// Weights of the wrong number or shape.
    #[error(
        "the weights have shape {got:?}, but must be one for each sample, [{samples}]{}",
        steps.map_or(String::new(), |steps| format!(", or one for each step of each sample, [{samples}, {steps}]"))
    )]
    #[non_exhaustive]
    Weights {
        /// Their shape.
        got: Vec<usize>,
        /// How many samples there are.
        samples: usize,
        /// How many steps each has, if the model puts out one for each step.
        steps: Option<usize>,
    },

    /// A weight that is negative or not finite.
    #[error("the weight of sample {sample} is {value}; weights must be finite numbers of at least 0")]
    #[non_exhaustive]
    Weight {
        /// Which sample, from 0.
        sample: usize,
        /// Its weight.
        value: f64,
    },

    /// A metric that cannot be computed for this model.
    #[error("the metric {metric:?} {problem}")]
    #[non_exhaustive]
    Metric {
        /// Its name.
        metric: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A gradient that is not finite, met while clipping.
    #[error("the gradient of {tensor} is not finite; lower the learning rate, or look for extreme inputs")]
    #[non_exhaustive]
    Gradient {
        /// The first such tensor.
        tensor: String,
    },

    /// Weights and gradients that [`Optimizer::step`](crate::optimizers::Optimizer::step) cannot take together.
    #[error("the optimizer cannot change {tensor}: {problem}")]
    #[non_exhaustive]
    Step {
        /// The first tensor that it cannot change, or all of them.
        tensor: String,
        /// What is wrong, and how to mend it.
        problem: String,
    },

    /// Unknown name of a weight.
    #[error("there is no weight {name:?}; there are {}", known.join(", "))]
    #[non_exhaustive]
    UnknownWeight {
        /// Requested name.
        name: String,
        /// Known names.
        known: Vec<String>,
    },

    /// A weight of another shape.
    #[error("weight {name:?} has shape {needs:?}, not {got:?}; pass an array of its shape")]
    #[non_exhaustive]
    WeightShape {
        /// The weight's name.
        name: String,
        /// Its shape.
        needs: Vec<usize>,
        /// The shape given.
        got: Vec<usize>,
    },

    /// Unknown name of a layer.
    #[error("there is no layer {name:?}; there are {}", known.join(", "))]
    #[non_exhaustive]
    UnknownLayer {
        /// Requested name.
        name: String,
        /// Known names.
        known: Vec<String>,
    },

    /// A saved model has a kind of layer that the registry does not know.
    #[error("the model has a layer of kind {kind:?}, which is not registered; add its type to the Registry for \
             Model::load_with (it knows {})", known.join(", "))]
    #[non_exhaustive]
    UnknownKind {
        /// The kind.
        kind: String,
        /// The kinds that are registered.
        known: Vec<String>,
    },

    /// A layer's options that cannot be written or read.
    #[error("the options of {kind} cannot be saved or read: {cause}")]
    #[non_exhaustive]
    Options {
        /// The layer's kind.
        kind: String,
        /// What is wrong.
        cause: Box<dyn StdError + Send + Sync>,
    },

    /// A file that is not the saved model it should be.
    #[error("{} is not a usable model: {problem}", path.display())]
    #[non_exhaustive]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: CheckpointProblem,
    },

    /// A figure in a file name that training does not have.
    #[error("there is no figure {name:?} to name the file after; there are {}", known.join(", "))]
    #[non_exhaustive]
    Figure {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },

    /// An optimizer's state that belongs to another kind of optimizer.
    #[error(
        "the state is that of another optimizer; compile the model with the rule and the schedule that it had before"
    )]
    OptimizerState,

    /// A callback's state that lacks an entry, because it belongs to another callback.
    #[error("the state has no {missing:?}; pass the callbacks in the order in which they were passed before")]
    #[non_exhaustive]
    CallbackState {
        /// The name that was not found.
        missing: String,
    },

    /// A callback's state with two entries of one name.
    #[error("the state of a callback has the name {name:?} twice; give each of its numbers a name of its own")]
    #[non_exhaustive]
    DuplicateState {
        /// The name.
        name: String,
    },

    /// Interruptions of the process that cannot be caught
    /// ([`callbacks::StopOnInterrupt`](crate::callbacks::StopOnInterrupt)).
    #[cfg(feature = "interrupt")]
    #[error("interruptions cannot be caught: {problem}; leave StopOnInterrupt out, or the program's own handler")]
    #[non_exhaustive]
    Interrupt {
        /// What the handler's library said.
        problem: String,
    },

    /// Threads that cannot be started.
    #[error("{count} threads cannot be started: {cause}")]
    #[non_exhaustive]
    Threads {
        /// How many were wanted.
        count: usize,
        /// What the thread pool said.
        cause: Box<dyn StdError + Send + Sync>,
    },

    /// A collection that has to hold something is empty.
    #[error("{what} is empty; {mend}")]
    #[non_exhaustive]
    Empty {
        /// What is empty.
        what: &'static str,
        /// What to pass instead.
        mend: &'static str,
    },

    /// A `.npy` file without the required array ([`data::NpyBatches`](crate::data::NpyBatches)).
    #[error("{} {problem}; write it with numpy.save", path.display())]
    #[non_exhaustive]
    Npy {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, after its name.
        problem: String,
    },

    /// Samples of different sizes where they must be equal.
    #[error(
        "the samples have {got:?} numbers each here and {needs:?} there; put them in batches of one size, or see Bucketed"
    )]
    #[non_exhaustive]
    Ragged {
        /// The shape of one sample.
        got: Vec<usize>,
        /// That of another.
        needs: Vec<usize>,
    },

    /// Two collections that belong together, item by item, differ in length.
    #[error("there are {left_length} {left} but {right_length} {right}; pass one for each of the other")]
    #[non_exhaustive]
    LengthMismatch {
        /// What the first collection holds.
        left: &'static str,
        /// How many of them.
        left_length: usize,
        /// What the second collection holds.
        right: &'static str,
        /// How many of them.
        right_length: usize,
    },

    /// An error of another type: of a file format, a download, or a custom layer or data source.
    #[error(transparent)]
    Other(Box<dyn StdError + Send + Sync>),
}

/// Returns advice for targets of one shape where another is required.
fn mend_targets(got: &[usize], needs: &[usize]) -> &'static str {
    match (got, needs) {
        ([_, _, _], [_, _]) => "set return_sequences(true) on the last recurrent layer if there is one for each step",
        ([_], [_, _, _]) => "leave out return_sequences on the last recurrent layer if there is one for each sequence",
        _ if needs.starts_with(got) => {
            "give the last layer one unit for one number in each place, or take SparseCategoricalCrossentropy if they are \
             class numbers"
        }
        _ => "pass an array of that shape",
    }
}

/// Problem of a saved model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointProblem {
    /// Incomplete, or no safetensors file.
    #[error("it is not a whole safetensors file ({0})")]
    Format(String),
    /// Weights without a description of the layers.
    #[error("it does not describe its layers; for weights alone, build the model and use load_weights")]
    NoDescription,
    /// Unreadable description.
    #[error("its description cannot be read ({0})")]
    Description(String),
    /// Written by a later version of the crate.
    #[error("it has format {format}, but this version of bptt reads format {known}; use a newer version")]
    Newer {
        /// The file's format.
        format: u64,
        /// The format that is read.
        known: u64,
    },
    /// Written by an earlier version of the crate, in a form that is no longer read.
    #[error(
        "it has format {format}, but this version of bptt reads format {known}; a model's weights are still read by \
         load_weights, a backup only by the version that wrote it"
    )]
    Older {
        /// The file's format.
        format: u64,
        /// The format that is read.
        known: u64,
    },
    /// Weights that the model has and the file does not.
    #[error("it lacks {}", .0.join(", "))]
    Missing(Vec<String>),
    /// Weights that the file has and the model does not.
    #[error("it has weights that the model does not have: {}", .0.join(", "))]
    Extra(Vec<String>),
    /// A weight of another shape.
    #[error("{name} has shape {got:?}, but the model needs {needs:?}")]
    Shape {
        /// The weight.
        name: String,
        /// Its shape in the file.
        got: Vec<usize>,
        /// The model's.
        needs: Vec<usize>,
    },
    /// A backup of a training with other data or callbacks.
    #[error("it is of a training with {got} {what}, and this one has {needs}")]
    Other {
        /// What differs.
        what: &'static str,
        /// How many the file's training had.
        got: u64,
        /// How many this one has.
        needs: u64,
    },
    /// A weight in another precision.
    #[error("{name} is in {got}, but the model is in {needs}; load it as Model::<f32> or Model::<f64>")]
    Precision {
        /// The weight.
        name: String,
        /// The file's number type.
        got: String,
        /// The model's.
        needs: String,
    },
}

impl Error {
    /// Returns an error for an option out of range, for custom layers and cells.
    ///
    /// ```
    /// let error = bptt::Error::invalid_option("rate", 1.5, "below 1");
    /// assert_eq!(error.to_string(), "rate is 1.5, but must be below 1");
    /// ```
    pub fn invalid_option(option: &'static str, value: impl ToString, allowed: &'static str) -> Self {
        Error::InvalidOption { option, value: value.to_string(), allowed }
    }

    /// Returns an error for an input that a layer does not take: the form that arrives, the required one, and advice.
    pub fn form(got: impl ToString, needs: &'static str, mend: &'static str) -> Self {
        Error::Form { got: got.to_string(), needs, mend }
    }

    /// Returns an error for an empty collection, with advice on what to pass instead.
    pub fn empty(what: &'static str, mend: &'static str) -> Self {
        Error::Empty { what, mend }
    }

    /// Returns an error of another type, which [`downcast_ref`](Self::downcast_ref) recovers.
    pub fn other(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Error::Other(error.into())
    }

    /// Returns the inner error, if it has this type.
    ///
    /// ```
    /// let error = bptt::Error::other("no".parse::<u8>().unwrap_err());
    /// assert!(error.downcast_ref::<std::num::ParseIntError>().is_some());
    /// ```
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        match self {
            Error::Other(error) => error.downcast_ref(),
            Error::Layer { cause, .. } | Error::Validation { cause } => cause.downcast_ref(),
            _ => None,
        }
    }

    /// Returns a function that makes an error of the operating system about a path, after a verb ("read", "write to the
    /// folder").
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |cause| Error::Io { action, path, cause }
    }

    /// Returns an error for options of this kind that cannot be written or read.
    pub(crate) fn options(kind: impl Into<String>, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Error::Options { kind: kind.into(), cause: cause.into() }
    }
}
