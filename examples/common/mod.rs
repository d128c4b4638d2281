//! What the four IMDB examples share and what is not about models: the command line, the data, the result line.

#[path = "../program/arguments.rs"]
mod arguments;
mod data;
mod options;
#[path = "../program/outcome.rs"]
mod outcome;

pub use data::{Reviews, load};
pub use options::Options;
pub use outcome::Outcome;

use bptt::Result;
use bptt::callbacks::{Callback, EarlyStopping, ProgressBar, Training};
use bptt::models::{History, Logs};
use outcome::prepare;

/// The files beside the checkpoint.
const HISTORY: &str = "history.csv";
const PLOT: &str = "loss.svg";

/// An experiment under way: its name, options and data.
pub struct Experiment {
    name: &'static str,
    pub options: Options,
    pub reviews: Reviews,
}

/// Shows progress, unless it is to be quiet.
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Experiment {
    /// Reads the command line and loads the reviews. Ends the program on `--help` and on wrong options.
    pub fn start(name: &'static str) -> Result<Self> {
        let options = Options::from_command_line(name);
        // Whether new files can be made there, the checkpoint finds out, before training too.
        prepare(&options.out, &[HISTORY, PLOT])?;
        let reviews = load(&options)?;
        Ok(Experiment { name, options, reviews })
    }

    /// The callback that shows progress.
    pub fn progress(&self) -> Progress {
        Progress { bar: (!self.options.quiet).then(ProgressBar::new) }
    }

    /// Shows a text, unless it is to be quiet.
    pub fn show(&self, text: &str) {
        if !self.options.quiet {
            eprint!("{text}");
        }
    }

    /// Writes `history.csv` and `loss.svg`, and prints the result line.
    pub fn finish(&self, history: &History, early_stopping: &EarlyStopping, test: &Logs) -> Outcome {
        history.write_csv(self.options.out.join(HISTORY))?;
        history.write_svg(self.options.out.join(PLOT))?;
        let best_epoch = early_stopping.best_epoch().unwrap_or(1);
        let best = history.epoch(best_epoch);
        let at_best = |name: &str| best.get(name).unwrap_or(f64::NAN);
        let test = |name: &str| test.get(name).unwrap_or(f64::NAN);
        println!(
            "result: experiment={} data={} seed={} epochs={} best_epoch={best_epoch} val_loss={:.4} val_accuracy={:.4} \
             test_loss={:.4} test_accuracy={:.4} train_seconds={:.4} epoch_seconds={:.4}",
            self.name,
            self.reviews.source,
            self.options.seed,
            history.epochs(),
            at_best("val_loss"),
            at_best("val_accuracy"),
            test("loss"),
            test("accuracy"),
            history.total_seconds(),
            median(history.seconds()),
        );
        Ok(())
    }
}

impl Callback for Progress {
    fn on_epoch_begin(&mut self, epoch: usize, training: &mut Training<'_>) -> Result<()> {
        self.bar.as_mut().map_or(Ok(()), |bar| bar.on_epoch_begin(epoch, training))
    }

    fn on_batch_end(&mut self, batch: usize, logs: &Logs, training: &mut Training<'_>) -> Result<()> {
        self.bar.as_mut().map_or(Ok(()), |bar| bar.on_batch_end(batch, logs, training))
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Logs, training: &mut Training<'_>) -> Result<()> {
        self.bar.as_mut().map_or(Ok(()), |bar| bar.on_epoch_end(epoch, logs, training))
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}
