//! Progress of a training on standard error: a bar for each epoch on a terminal, a line for each epoch in a log.

use std::io::IsTerminal;

use indicatif::{ProgressBar as Bar, ProgressStyle};

use super::{Callback, Training};
use crate::error::Result;
use crate::history::Logs;

/// Shows epochs, batches, and the figures of the history.
///
/// On a terminal, a bar moves with the batches, and each epoch leaves one line. If standard error is a file or a pipe, only
/// the lines are written.
///
/// ```
/// use bptt::callbacks::ProgressBar;
/// let progress = ProgressBar::new();
/// # let _ = progress;
/// ```
#[doc(alias = "ProgbarLogger")]
#[derive(Debug, Default)]
pub struct ProgressBar {
    bar: Option<Bar>,
}

impl ProgressBar {
    /// Returns a bar for each epoch.
    pub fn new() -> Self {
        ProgressBar::default()
    }
}

fn figures(logs: &Logs) -> String {
    logs.iter().map(|(name, value)| format!("{name}: {value:.4}")).collect::<Vec<_>>().join(" - ")
}

impl Callback for ProgressBar {
    fn on_epoch_begin(&mut self, epoch: usize, training: &mut Training<'_>) -> Result<()> {
        if std::io::stderr().is_terminal() {
            let (bar, template) = match training.batches() {
                Some(batches) => (Bar::new(batches as u64), "{prefix} {wide_bar} {pos}/{len} [{eta}] {msg}"),
                None => (Bar::no_length(), "{prefix} {pos} [{elapsed}] {msg}"),
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_prefix(format!("Epoch {}/{}", epoch, training.epochs()));
            self.bar = Some(bar);
        }
        Ok(())
    }

    fn on_batch_end(&mut self, _: usize, logs: &Logs, _: &mut Training<'_>) -> Result<()> {
        if let Some(bar) = &self.bar {
            bar.inc(1);
            // Formatting the figures costs more than a small batch, and the bar is redrawn rarely anyway.
            if bar.position().is_multiple_of(16) {
                bar.set_message(figures(logs));
            }
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Logs, training: &mut Training<'_>) -> Result<()> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        eprintln!("Epoch {}/{} - {}", epoch, training.epochs(), figures(logs));
        Ok(())
    }
}
