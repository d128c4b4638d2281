//! Clean end of a training on Ctrl-C.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Callback, Training};
use crate::error::{Error, Result};
use crate::history::Logs;

/// Set by the handler, reset by the training that it ends.
static PRESSED: AtomicBool = AtomicBool::new(false);
/// Whether a training is running that checks it.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Ends training after the current batch when the process is interrupted by Ctrl-C or SIGINT.
///
/// [`EarlyStopping`](super::EarlyStopping) restores the best weights, and `fit` returns the history of the finished epochs.
/// With a [backup](crate::models::Fit::backup) the same call continues later ([`Training::interrupt`]). A second
/// interruption, or one while nothing trains, ends the process at once, with status 130.
///
/// The first one installs the handler of the process, permanently and in place of any other. Without it the crate installs
/// none.
///
/// ```no_run
/// use bptt::callbacks::StopOnInterrupt;
/// let mut interrupt = StopOnInterrupt::new()?;
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Debug)]
pub struct StopOnInterrupt {
    interrupted: bool,
}

impl StopOnInterrupt {
    /// Installs the handler unless it is installed already.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupt`] if the system returns an error, or the program has set a handler through the same library.
    pub fn new() -> Result<Self> {
        static INSTALLED: OnceLock<std::result::Result<(), String>> = OnceLock::new();
        let installed = INSTALLED.get_or_init(|| {
            let pressed = || {
                if PRESSED.swap(true, Ordering::SeqCst) || !WATCHED.load(Ordering::SeqCst) {
                    std::process::exit(130);
                }
            };
            ctrlc::set_handler(pressed).map_err(|error| error.to_string())
        });
        match installed {
            Ok(()) => Ok(StopOnInterrupt { interrupted: false }),
            Err(problem) => Err(Error::Interrupt { problem: problem.clone() }),
        }
    }

    /// Returns whether it ended the last training.
    pub fn interrupted(&self) -> bool {
        self.interrupted
    }
}

impl Callback for StopOnInterrupt {
    fn on_train_begin(&mut self, _: &mut Training<'_>) -> Result<()> {
        self.interrupted = false;
        WATCHED.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn on_batch_end(&mut self, _: usize, _: &Logs, training: &mut Training<'_>) -> Result<()> {
        if PRESSED.load(Ordering::SeqCst) {
            self.interrupted = true;
            training.interrupt();
        }
        Ok(())
    }

    fn on_train_end(&mut self, _: &Logs, _: &mut Training<'_>) -> Result<()> {
        WATCHED.store(false, Ordering::SeqCst);
        PRESSED.store(false, Ordering::SeqCst);
        Ok(())
    }
}
