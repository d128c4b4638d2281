//! States of callbacks in a backup.

use crate::error::{Error, Result};

/// Numbers by name that a callback needs to continue after an interruption.
///
/// Numbers are kept as `f64`, which holds counts and figures exactly, including NaN and infinities.
///
/// ```
/// use bptt::callbacks::CallbackState;
/// let state = CallbackState::default().with("wait", [2.0]).with("best", None);
/// assert_eq!(state.number("wait")?, Some(2.0));
/// assert_eq!(state.number("best")?, None);
/// assert!(state.numbers("speed").is_err());
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallbackState {
    entries: Vec<(String, Vec<f64>)>,
}

impl CallbackState {
    /// Adds numbers under a name: an array, a vector, an `Option`.
    pub fn with(mut self, name: &str, numbers: impl IntoIterator<Item = f64>) -> Self {
        self.entries.push((name.into(), numbers.into_iter().collect()));
        self
    }

    /// Returns the numbers with this name.
    ///
    /// # Errors
    ///
    /// [`Error::CallbackState`] if there are none, because the state belongs to another callback.
    pub fn numbers(&self, name: &str) -> Result<&[f64]> {
        let found = self.entries.iter().find(|(known, _)| known == name);
        found.map(|(_, numbers)| numbers.as_slice()).ok_or_else(|| Error::CallbackState { missing: name.into() })
    }

    /// Returns the number with this name, or `None` if the name holds no number.
    ///
    /// # Errors
    ///
    /// Those of [`CallbackState::numbers`].
    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        self.numbers(name).map(|numbers| numbers.first().copied())
    }

    /// Returns a count: 0 if the name holds no number.
    ///
    /// # Errors
    ///
    /// Those of [`CallbackState::numbers`].
    pub fn count(&self, name: &str) -> Result<usize> {
        Ok(self.number(name)?.unwrap_or(0.0) as usize)
    }

    /// Returns all names and numbers, in the order in which they were added.
    pub(crate) fn into_entries(self) -> Vec<(String, Vec<f64>)> {
        self.entries
    }
}
