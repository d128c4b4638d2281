//! Windows of truncated backpropagation through time.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::numeric::checks::check_count;

/// Part of a longer sequence to learn from by itself: truncated backpropagation through time (Williams and Peng 1990).
///
/// Every k₁ steps the model learns from the newest k₁ outputs, and gradients go back through at most the last k₂ ≥ k₁ steps.
/// A window is those k₂ steps, run forward from the state before them.
///
/// ```
/// use bptt::models::Window;
/// let windows: Vec<_> = Window::all(10, 4, 6)?.map(|window| (window.steps, window.newest)).collect();
/// assert_eq!(windows, [(0..4, 4), (2..8, 4), (4..10, 2)]);
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Window {
    /// Time steps of the window, counted from the start of the sequence.
    pub steps: Range<usize>,
    /// Number of last steps with outputs to learn from; earlier windows learned from the others.
    pub newest: usize,
    /// Number of first steps that the next window leaves out: it starts from the state after them.
    pub kept: usize,
}

impl Window {
    /// Returns a window of these steps that learns from all of them and does not overlap the next one.
    pub fn new(steps: Range<usize>) -> Self {
        Window { newest: steps.len(), kept: steps.len(), steps }
    }

    /// Returns the windows of a sequence of `steps` steps: one `every` k₁ steps, `through` k₂. The last may be shorter.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) if k₁ is 0 or k₂ less than k₁.
    pub fn all(steps: usize, every: usize, through: usize) -> Result<impl Iterator<Item = Window>> {
        check_count("every", every)?;
        if through < every {
            return Err(Error::InvalidOption {
                option: "through",
                value: through.to_string(),
                allowed: "at least as many steps as `every`, so that none is left out",
            });
        }
        let start = move |end: usize| end.saturating_sub(through);
        Ok((0..steps).step_by(every).map(move |before| {
            let end = steps.min(before + every);
            let first = start(end);
            Window { steps: first..end, newest: end - before, kept: start(steps.min(end + every)) - first }
        }))
    }

    /// Whether the window is the first of a sequence.
    pub(crate) fn is_first(&self) -> bool {
        self.newest == self.steps.end
    }
}
