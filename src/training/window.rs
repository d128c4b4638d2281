//! Windows of truncated backpropagation through time.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::numeric::checks::check_count;

/// Some steps of a longer sequence to learn from by themselves: truncated backpropagation through time (Williams and
/// Peng 1990).
///
/// Every k₁ steps the model learns from the newest k₁ outputs, and gradients go back through the last k₂ ≥ k₁ steps at most.
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
    /// The steps, counted from the start of the sequence.
    pub steps: Range<usize>,
    /// How many of them, at the end, have outputs to learn from: the others were learnt from before.
    pub newest: usize,
    /// How many of them the next window leaves out: the state is kept as it is after so many.
    pub kept: usize,
}

impl Window {
    /// These steps, of which all are learnt from and none is run again in the next window.
    pub fn new(steps: Range<usize>) -> Self {
        Window { newest: steps.len(), kept: steps.len(), steps }
    }

    /// The windows of a sequence of `steps` steps: one `every` k₁ steps, back `through` k₂. The last may be shorter.
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

    /// Whether a sequence starts with it.
    pub(crate) fn is_first(&self) -> bool {
        self.newest == self.steps.end
    }
}
