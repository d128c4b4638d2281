//! The one error type: each variant says what was wrong, where, and how to mend it, in fields rather than in prose.

use std::io;
use std::path::{Path, PathBuf};

#[cfg(feature = "download")]
use crate::datasets::download::DownloadFailure;

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

    /// A download that did not end with the right file; nothing is left of it.
    #[cfg(feature = "download")]
    #[error("cannot download {url}: {failure}; or save the file yourself as {}", place.display())]
    Download {
        /// The address asked.
        url: String,
        /// The file that it was to become.
        place: PathBuf,
        /// What went wrong.
        #[source]
        failure: DownloadFailure,
    },
}

impl Error {
    /// Wraps what the operating system said about `path`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { action, path, source }
    }
}
