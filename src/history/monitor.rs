//! Monitoring of a figure for improvement, shared by several callbacks.

use super::Logs;
use crate::error::{Error, Result};
use crate::logging::tell;

/// Direction in which a figure improves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Inferred from the name: a figure with `loss`, `error` or `perplexity` in it should fall, one with `acc`, `auc`,
    /// `precision`, `recall` or `f1` should rise. For other names `fit` returns [`Error::InvalidOption`] before
    /// training.
    #[default]
    Auto,
    /// Lower is better.
    Min,
    /// Higher is better.
    Max,
}

impl Mode {
    /// Returns `Min` or `Max` for a figure with this name.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] if the direction cannot be inferred from the name.
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

    /// Returns whether `current` is strictly better than `best`, by more than `min_delta`. Never with NaN.
    pub(crate) fn improves(self, current: f64, best: f64, min_delta: f64) -> bool {
        match self {
            Mode::Max => current - min_delta > best,
            _ => current + min_delta < best,
        }
    }
}

/// Logs that the monitored figure is missing, for example without validation data.
pub(crate) fn missing(monitor: &str, epoch: usize, logs: &Logs) {
    let known = || logs.iter().map(|(name, _)| name).collect::<Vec<_>>();
    tell!(warn, "epoch {}: there is no {monitor:?} to watch, only {:?}", epoch, known());
}
