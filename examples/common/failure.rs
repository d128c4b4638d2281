//! What `main` returns.

use std::fmt::{self, Display};

/// An error shows as the message that it is, where `main` would show its fields.
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
