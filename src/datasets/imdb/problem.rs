//! What can be wrong with an npz file of reviews, one variant each, with the place and the values in fields.
//!
//! Contract: a message says what was found and how to mend it; [`NpzError`] puts the file and the member in
//! front. Text that comes from the file is escaped and cut short where the variant is made.
//!
//! Read next: `npz.rs`, which meets the first of these.

use std::path::{Path, PathBuf};

use crate::files::npy::HeaderProblem;

/// A refused npz file of reviews. It arrives as [`Error::Other`](crate::Error::Other).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {}{}: {problem}", member.map(|member| format!("{member} in ")).unwrap_or_default(),
        path.as_deref().map_or("the npz file".into(), Path::to_string_lossy))]
#[non_exhaustive]
pub struct NpzError {
    /// The file, if it was given as a path.
    pub path: Option<PathBuf>,
    /// The member of the archive, unless the archive itself is at fault.
    pub member: Option<&'static str>,
    /// What is wrong with it.
    pub problem: NpzProblem,
}

/// Problem of an npz file of reviews; [`NpzError`] names the file and the member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NpzProblem {
    /// The file does not begin as a zip archive does.
    #[error("it is not an npz file, for it does not begin as a zip archive does; pass a whole imdb.npz")]
    NotZip,

    /// The zip archive, or the compressed data of the member, is damaged or of an unknown kind.
    #[error("the zip archive is damaged or of a kind not read here ({reason}); download or write the file anew")]
    Zip {
        /// What the zip reader, or the operating system, said.
        reason: String,
    },

    /// The archive has no such member.
    #[error("there is no such member; the archive holds {held}, and x_train, y_train, x_test and y_test are needed")]
    MissingMember {
        /// The names of the first few members.
        held: String,
    },

    /// A bound on time and memory was reached.
    #[error("it holds more than {limit} {what}, the most that is read; a file of reviews stays far below that")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much is read at most.
        limit: u64,
    },

    /// The member ends too early.
    #[error("it ends after {offset} bytes, in the middle; download or write the file anew")]
    Truncated {
        /// Bytes that could be read.
        offset: u64,
    },

    /// Bytes follow the end of the array.
    #[error("the array ends after {offset} bytes, but more follow; write the file with numpy.savez")]
    TrailingBytes {
        /// Bytes that belong to the array.
        offset: u64,
    },

    /// The header of the `.npy` member is not one that NumPy writes.
    #[error("its .npy header has no {expected} at byte {offset}; write the file with numpy.savez")]
    Header {
        /// What had to stand there.
        expected: &'static str,
        /// Where, counted from the start of the member.
        offset: u64,
    },

    /// The array holds something else than is needed.
    #[error("its elements have the NumPy type {found:?}, but must be {wanted}; convert the array and save it again")]
    ElementType {
        /// The type as the header has it.
        found: String,
        /// The types that are read.
        wanted: &'static str,
    },

    /// The array has no or several dimensions.
    #[error("the array has {found} dimensions, but must have one, with an element per review")]
    Dimensions {
        /// The number of dimensions in the header.
        found: usize,
    },

    /// The pickle holds another number of reviews than the header announces.
    #[error("the header announces {announced} reviews, but {found} follow; write the file with numpy.savez")]
    Count {
        /// The number in the header.
        announced: u64,
        /// The number in the pickle.
        found: u64,
    },

    /// A set has another number of labels than of reviews.
    #[error("there are {labels} labels for {reviews} reviews; write one label for each review")]
    LabelCount {
        /// The number of reviews.
        reviews: usize,
        /// The number of labels.
        labels: usize,
    },

    /// A label is neither 0 nor 1.
    #[error("label {review} is {value}, but must be 0 (negative) or 1 (positive)")]
    Label {
        /// The position of the label, from 0.
        review: usize,
        /// The label.
        value: i128,
    },

    /// Something in a review cannot be the id of a word.
    #[error("review {review} holds {found} at position {position}, but word ids are integers from 0 to 4294967295")]
    Word {
        /// The review, from 0.
        review: usize,
        /// The position in the review, from 0.
        position: usize,
        /// What stands there.
        found: String,
    },

    /// A review is no list of integers.
    #[error("review {review} is {found}, but must be a list of word ids")]
    Review {
        /// The review, from 0.
        review: usize,
        /// What it is.
        found: String,
    },

    /// The pickle asks for something that NumPy does not need for an array of lists.
    #[error(
        "its pickle names {name} at byte {offset}, which an array of reviews does not need: nothing was run; do not \
         trust the file, or if it is yours, save the reviews as Python lists of int"
    )]
    ForeignGlobal {
        /// Module and name.
        name: String,
        /// Where in the member.
        offset: u64,
    },

    /// The pickle calls something, or sets its state, in another way than NumPy does for an array of lists.
    #[error(
        "its pickle uses {opcode} on {target} at byte {offset} in another way than for an array of reviews: nothing \
         was run; do not trust the file, or if it is yours, save the reviews as Python lists of int"
    )]
    ForeignCall {
        /// `REDUCE` or `BUILD`.
        opcode: &'static str,
        /// What it is used on.
        target: String,
        /// Where in the member.
        offset: u64,
    },

    /// The pickle holds an instruction that an array of lists of integers does not need.
    #[error(
        "its pickle holds the opcode {opcode} at byte {offset}, which an array of lists of integers does not need; \
         save the reviews as Python lists of int, with pickle protocol 2 to 5"
    )]
    Opcode {
        /// The opcode's name.
        opcode: String,
        /// Where in the member.
        offset: u64,
    },

    /// The pickle does not add up.
    #[error("its pickle has {found} at byte {offset} where {expected} is needed; write the file with numpy.savez")]
    Pickle {
        /// What was needed.
        expected: &'static str,
        /// What was there.
        found: String,
        /// Where in the member.
        offset: u64,
    },
}

impl From<HeaderProblem> for NpzProblem {
    fn from(problem: HeaderProblem) -> Self {
        match problem {
            HeaderProblem::Expected { expected, offset } => NpzProblem::Header { expected, offset },
            HeaderProblem::TooLong { limit } => NpzProblem::Limit { what: "bytes in its .npy header", limit },
        }
    }
}

/// Text from a file, made fit for a message: escaped, and cut after 60 characters.
pub(super) fn quoted(text: &[u8]) -> String {
    let escaped = text.escape_ascii().to_string();
    if escaped.len() <= 60 { escaped } else { format!("{}...", &escaped[..60]) }
}
