//! What `main` returns, and whether it will be able to leave what it is to leave.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

use bptt::{Error, Result};

/// What `main` returns. An error shows as the message that it is, where `main` would show its fields.
pub type Outcome = std::result::Result<(), Failure>;

/// An error of the library on its way out of `main`.
pub struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure(error)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Makes the folder, and finds out before training, not after, which of the files cannot be written there.
pub fn prepare(folder: &Path, files: &[&str]) -> Result<()> {
    let unwritable = |source| Error::Io { action: "write to the folder", path: folder.into(), source };
    fs::create_dir_all(folder).map_err(unwritable)?;
    for path in files.iter().map(|name| folder.join(name)) {
        match OpenOptions::new().write(true).open(&path) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(Error::Io { action: "write", path, source });
            }
            _ => {}
        }
    }
    Ok(())
}
