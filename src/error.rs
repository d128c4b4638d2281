//! The one error type: each variant says what was wrong, where, and how to mend it, in fields rather than in prose.

use std::io;
use std::path::{Path, PathBuf};

/// What every fallible function of the crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Anything that can go wrong with what a user passes in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder that could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb ("read", "write to the folder").
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// An option outside its range.
    #[error("{option} is {value}, but must be {allowed}")]
    InvalidOption {
        /// The option's name as the user wrote it.
        option: &'static str,
        /// What was given.
        value: String,
        /// The values it may have.
        allowed: &'static str,
    },

    /// A collection that has to hold something is empty.
    #[error("{what} is empty; {mend}")]
    Empty {
        /// What is empty.
        what: &'static str,
        /// What to pass instead.
        mend: &'static str,
    },

    /// Two collections that belong together, item by item, differ in length.
    #[error("there are {left_length} {left} but {right_length} {right}; pass one for each of the other")]
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

    /// An npz file of reviews that was refused ([`datasets::imdb`](crate::datasets::imdb)).
    #[cfg(feature = "imdb")]
    #[error("cannot read {}{}: {problem}", member.map(|member| format!("{member} in ")).unwrap_or_default(),
            path.as_deref().map_or("the npz file".into(), Path::to_string_lossy))]
    Npz {
        /// The file, if it was given as a path.
        path: Option<PathBuf>,
        /// The member of the archive, unless the archive itself is at fault.
        member: Option<&'static str>,
        /// What is wrong with it.
        problem: Box<crate::datasets::imdb::NpzProblem>,
    },
}

impl Error {
    /// Wraps what the operating system said about `path`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { action, path, source }
    }
}
