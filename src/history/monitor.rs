//! Watching a figure for improvement, as several callbacks do.

use super::Logs;
use crate::error::{Error, Result};
use crate::logging::tell;

/// Which way a figure gets better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Told from the name: a figure with `loss`, `error` or `perplexity` in it falls, one with `acc`, `auc`,
    /// `precision`, `recall` or `f1` rises. For another one `fit` returns [`Error::InvalidOption`] before training.
    #[default]
    Auto,
    /// Lower is better.
    Min,
    /// Higher is better.
    Max,
}

impl Mode {
    /// `Min` or `Max` for a figure of this name.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] if the name does not tell.
    pub(crate) fn resolve(self, monitor: &str) -> Result<Self> {
        let name = monitor.strip_prefix("val_").unwrap_or(monitor);
        let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
        match self {
            Mode::Auto if says(&["loss", "error", "perplexity"]) => Ok(Mode::Min),
            Mode::Auto if says(&["acc", "auc", "precision", "recall", "f1"]) => Ok(Mode::Max),
            Mode::Auto => Err(Error::InvalidOption {
                option: "mode",
                value: format!("automatic for {monitor:?}"),
                allowed: "Mode::Min or Mode::Max for a figure whose name does not tell which way it gets better",
            }),
            mode => Ok(mode),
        }
    }

    /// Whether `current` is strictly better than `best`, by more than `min_delta`. Never with NaN.
    pub(crate) fn improves(self, current: f64, best: f64, min_delta: f64) -> bool {
        match self {
            Mode::Max => current - min_delta > best,
            _ => current + min_delta < best,
        }
    }
}

/// Tells that the figure to watch is not there, as when there are no validation data: nothing can be decided by it.
pub(crate) fn missing(monitor: &str, epoch: usize, logs: &Logs) {
    let known = || logs.iter().map(|(name, _)| name).collect::<Vec<_>>();
    tell!(warn, "epoch {}: there is no {monitor:?} to watch, only {:?}", epoch, known());
}
