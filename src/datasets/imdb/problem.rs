//! Errors of npz files of reviews: a variant for each problem, with its place and values.
//!
//! A message names what was found and how to fix it; [`NpzError`] adds the file and the member in front. Text from the
//! file is escaped and shortened where the variant is created.

use std::path::{Path, PathBuf};

use crate::files::npy::HeaderProblem;

/// Error for an npz file of reviews that cannot be read. It is returned as an [`Error::Other`](crate::Error::Other).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {}{}: {problem}", member.map(|member| format!("{member} in ")).unwrap_or_default(),
        path.as_deref().map_or("the npz file".into(), Path::to_string_lossy))]
#[non_exhaustive]
pub struct NpzError {
    /// File, if it was given as a path.
    pub path: Option<PathBuf>,
    /// Member of the archive, unless the problem is in the archive itself.
    pub member: Option<&'static str>,
    /// Problem of the file.
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
        /// Reason given by the zip reader or the operating system.
        reason: String,
    },

    /// The archive has no such member.
    #[error("there is no such member; the archive holds {held}, and x_train, y_train, x_test and y_test are needed")]
    MissingMember {
        /// Names of the first few members.
        held: String,
    },

    /// A limit on time and memory was exceeded.
    #[error("it holds more than {limit} {what}, the most that is read; a file of reviews stays far below that")]
    Limit {
        /// Name of what is limited.
        what: &'static str,
        /// Maximum that is read.
        limit: u64,
    },

    /// The member ends too early.
    #[error("it ends after {offset} bytes, in the middle; download or write the file anew")]
    Truncated {
        /// Number of bytes that could be read.
        offset: u64,
    },

    /// Bytes follow the end of the array.
    #[error("the array ends after {offset} bytes, but more follow; write the file with numpy.savez")]
    TrailingBytes {
        /// Number of bytes that belong to the array.
        offset: u64,
    },

    /// The header of the `.npy` member is not one that NumPy writes.
    #[error("its .npy header has no {expected} at byte {offset}; write the file with numpy.savez")]
    Header {
        /// What was expected at this offset.
        expected: &'static str,
        /// Offset from the start of the member.
        offset: u64,
    },

    /// The array has another element type than needed.
    #[error("its elements have the NumPy type {found:?}, but must be {wanted}; convert the array and save it again")]
    ElementType {
        /// Type in the header.
        found: String,
        /// Types that are accepted.
        wanted: &'static str,
    },

    /// The array does not have exactly one dimension.
    #[error("the array has {found} dimensions, but must have one, with an element per review")]
    Dimensions {
        /// Number of dimensions in the header.
        found: usize,
    },

    /// The pickle has another number of reviews than the header.
    #[error("the header announces {announced} reviews, but {found} follow; write the file with numpy.savez")]
    Count {
        /// Number in the header.
        announced: u64,
        /// Number in the pickle.
        found: u64,
    },

    /// A set has different numbers of labels and reviews.
    #[error("there are {labels} labels for {reviews} reviews; write one label for each review")]
    LabelCount {
        /// Number of reviews.
        reviews: usize,
        /// Number of labels.
        labels: usize,
    },

    /// A label is neither 0 nor 1.
    #[error("label {review} is {value}, but must be 0 (negative) or 1 (positive)")]
    Label {
        /// Position of the label, from 0.
        review: usize,
        /// Label.
        value: i128,
    },

    /// An item of a review is not a word id.
    #[error("review {review} holds {found} at position {position}, but word ids are integers from 0 to 4294967295")]
    Word {
        /// Number of the review, from 0.
        review: usize,
        /// Position in the review, from 0.
        position: usize,
        /// What was found there.
        found: String,
    },

    /// A review is not a list of integers.
    #[error("review {review} is {found}, but must be a list of word ids")]
    Review {
        /// Number of the review, from 0.
        review: usize,
        /// What was found instead.
        found: String,
    },

    /// The pickle names a global that NumPy does not need for an array of lists.
    #[error(
        "its pickle names {name} at byte {offset}, which an array of reviews does not need: nothing was run; do not \
         trust the file, or if it is yours, save the reviews as Python lists of int"
    )]
    ForeignGlobal {
        /// Module and name of the global.
        name: String,
        /// Offset in the member.
        offset: u64,
    },

    /// The pickle calls an object or sets its state in another way than NumPy does for an array of lists.
    #[error(
        "its pickle uses {opcode} on {target} at byte {offset} in another way than for an array of reviews: nothing \
         was run; do not trust the file, or if it is yours, save the reviews as Python lists of int"
    )]
    ForeignCall {
        /// `REDUCE` or `BUILD`.
        opcode: &'static str,
        /// Object that it is used on.
        target: String,
        /// Offset in the member.
        offset: u64,
    },

    /// The pickle has an opcode that an array of lists of integers does not need.
    #[error(
        "its pickle holds the opcode {opcode} at byte {offset}, which an array of lists of integers does not need; \
         save the reviews as Python lists of int, with pickle protocol 2 to 5"
    )]
    Opcode {
        /// Name of the opcode.
        opcode: String,
        /// Offset in the member.
        offset: u64,
    },

    /// The pickle is inconsistent.
    #[error("its pickle has {found} at byte {offset} where {expected} is needed; write the file with numpy.savez")]
    Pickle {
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
        /// Offset in the member.
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

/// Returns text from a file for a message: escaped, and cut after 60 characters.
pub(super) fn quoted(text: &[u8]) -> String {
    let escaped = text.escape_ascii().to_string();
    if escaped.len() <= 60 { escaped } else { format!("{}...", &escaped[..60]) }
}
