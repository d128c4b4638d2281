//! What `main` returns, and whether it will be able to leave what it is to leave.

use std::fmt::{self, Display};
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

use bptt::{Error, Result};

/// What `main` returns. An error shows as the message that it is, where `main` would show its fields.
pub type Outcome = std::result::Result<(), Failure>;

/// The message of an error on its way out of `main`.
pub struct Failure(String);

impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure(error.to_string())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes the folder, and finds out before training, not after, which of the files cannot be written there.
pub fn prepare(folder: &Path, files: &[&str]) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io("write to the folder", folder))?;
    for path in files.iter().map(|name| folder.join(name)) {
        match OpenOptions::new().write(true).open(&path) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(Error::io("write", path)(cause)),
            _ => {}
        }
    }
    Ok(())
}
