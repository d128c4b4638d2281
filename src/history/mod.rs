//! Result of a training: the figures of each epoch.

mod monitor;
#[cfg(feature = "plot")]
mod plot;

pub use monitor::Mode;
pub(crate) use monitor::missing;

use std::fmt::Write;
use std::path::Path;

use ndarray::Array2;
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// Named figures, in the order in which they were set: `loss`, then the metrics, then those of the validation data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logs {
    figures: Vec<(String, f64)>,
}

impl Logs {
    /// Returns the figure with this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(known, _)| known == name).map(|&(_, value)| value)
    }

    /// Sets a figure; a new one comes last.
    pub fn set(&mut self, name: &str, value: f64) {
        match self.figures.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.figures.push((name.to_string(), value)),
        }
    }

    /// Returns all names and figures.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.figures.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

/// Figures of each epoch, returned by [`Model::fit`](crate::models::Model::fit).
///
/// `loss` and metrics are means over the epoch, computed while weights change and with dropout; `val_` figures are
/// those of the validation data after the epoch. Epochs count from 1.
#[derive(Clone, Debug, Default)]
pub struct History {
    figures: Vec<Figure>,
    seconds: Vec<f64>,
    total_seconds: f64,
}

/// Figure over the epochs. Storage by figure rather than by epoch keeps a long history small.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    /// Value of each epoch; `None` where it was not set.
    pub(crate) values: Vec<Option<f64>>,
}

impl History {
    /// Returns a history of figures with equally many epochs.
    pub(crate) fn new(figures: Vec<Figure>, seconds: Vec<f64>) -> Self {
        History { figures, seconds, total_seconds: 0.0 }
    }

    pub(crate) fn figures(&self) -> &[Figure] {
        &self.figures
    }

    pub(crate) fn set_total_seconds(&mut self, seconds: f64) {
        self.total_seconds = seconds;
    }

    /// Returns the figures of an epoch, counted from 1; empty if there was none.
    pub fn epoch(&self, epoch: usize) -> Logs {
        let mut logs = Logs::default();
        for Figure { name, values } in &self.figures {
            if let Some(Some(value)) = epoch.checked_sub(1).and_then(|index| values.get(index)) {
                logs.set(name, *value);
            }
        }
        logs
    }

    /// Returns the wall time of the whole `fit` in seconds; after an interruption, that of the last part.
    pub fn total_seconds(&self) -> f64 {
        self.total_seconds
    }

    pub(crate) fn push(&mut self, logs: &Logs, seconds: f64) {
        let before = self.epochs();
        for (name, value) in logs.iter() {
            let known = self.figures.iter().position(|figure| figure.name == name);
            let index = known.unwrap_or(self.figures.len());
            if known.is_none() {
                self.figures.push(Figure { name: name.to_string(), values: vec![None; before] });
            }
            self.figures[index].values.push(Some(value));
        }
        self.figures.iter_mut().for_each(|figure| figure.values.resize(before + 1, None));
        self.seconds.push(seconds);
    }

    /// Returns the number of epochs.
    pub fn epochs(&self) -> usize {
        self.seconds.len()
    }

    /// Returns the names of the figures, in the order in which they were set.
    pub fn names(&self) -> Vec<&str> {
        self.figures.iter().map(|figure| figure.name.as_str()).collect()
    }

    /// Returns a figure of every epoch: NaN for an epoch without it, empty if no epoch has it.
    pub fn get(&self, name: &str) -> Vec<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(Figure::numbers).unwrap_or_default()
    }

    /// Returns all figures: a row for each epoch, a column for each of [`History::names`], NaN for missing values.
    pub fn to_array(&self) -> Array2<f64> {
        Array2::from_shape_fn((self.epochs(), self.figures.len()), |(epoch, column)| {
            self.figures[column].values[epoch].unwrap_or(f64::NAN)
        })
    }

    /// Returns the epoch, counted from 1, of the lowest value of a figure, and that value; the first of equals. Only
    /// finite values count.
    pub fn lowest(&self, name: &str) -> Option<(usize, f64)> {
        self.best_by(name, |new, best| new < best)
    }

    /// Returns the epoch, counted from 1, of the best finite value of a figure, and that value.
    fn best_by(&self, name: &str, is_better: impl Fn(f64, f64) -> bool) -> Option<(usize, f64)> {
        let values = self.get(name).into_iter().enumerate().filter(|(_, value)| value.is_finite());
        let best = values.reduce(|best, next| if is_better(next.1, best.1) { next } else { best });
        best.map(|(index, value)| (index + 1, value))
    }

    /// Returns the wall time of each epoch's training in seconds, without its validation and callbacks.
    pub fn seconds(&self) -> &[f64] {
        &self.seconds
    }

    /// Returns the figures as comma-separated values: a line of names, `epoch` first, then a line for each epoch.
    pub fn to_csv(&self) -> String {
        let mut csv = String::from("epoch");
        self.figures.iter().for_each(|figure| csv.extend([",", &figure.name]));
        csv.push('\n');
        for epoch in 0..self.epochs() {
            let _ = write!(csv, "{}", epoch + 1);
            for figure in &self.figures {
                csv.push(',');
                if let Some(value) = figure.values[epoch] {
                    let _ = write!(csv, "{value}");
                }
            }
            csv.push('\n');
        }
        csv
    }

    /// Writes [`History::to_csv`] to a file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be written.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        std::fs::write(&path, self.to_csv()).map_err(Error::io("write", path.as_ref()))
    }

    /// Returns the figures as JSON: an object with a list for each figure, one value for each epoch, and `seconds`.
    /// Missing values and those that are not finite are null.
    ///
    /// ```
    /// use bptt::models::History;
    /// assert_eq!(History::default().to_json(), r#"{"figures":{},"seconds":[]}"#);
    /// ```
    pub fn to_json(&self) -> String {
        let figures: serde_json::Map<String, Value> =
            self.figures.iter().map(|figure| (figure.name.clone(), json!(figure.values))).collect();
        json!({ "figures": figures, "seconds": self.seconds }).to_string()
    }

    /// Writes [`History::to_json`] to a file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be written.
    pub fn write_json(&self, path: impl AsRef<Path>) -> Result<()> {
        std::fs::write(&path, self.to_json()).map_err(Error::io("write", path.as_ref()))
    }
}

impl Figure {
    /// Returns the values, with NaN where not set.
    fn numbers(&self) -> Vec<f64> {
        self.values.iter().map(|value| value.unwrap_or(f64::NAN)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_has_a_column_for_each_figure() {
        let mut history = History::default();
        for (loss, val_loss) in [(0.5, Some(0.25)), (0.125, None)] {
            let mut logs = Logs::default();
            logs.set("loss", loss);
            if let Some(val_loss) = val_loss {
                logs.set("val_loss", val_loss);
            }
            history.push(&logs, 1.0);
        }
        assert_eq!(history.to_csv(), "epoch,loss,val_loss\n1,0.5,0.25\n2,0.125,\n");
        assert_eq!(history.lowest("loss"), Some((2, 0.125)));
        assert_eq!(history.epoch(1).iter().collect::<Vec<_>>(), [("loss", 0.5), ("val_loss", 0.25)]);
        assert_eq!(history.epoch(2).iter().collect::<Vec<_>>(), [("loss", 0.125)]);
        assert!([0, 3].iter().all(|&epoch| history.epoch(epoch) == Logs::default()));
        assert!(history.get("accuracy").is_empty());
        assert!(history.get("val_loss")[1].is_nan());
        assert_eq!(history.to_array().column(0).to_vec(), [0.5, 0.125]);
        let json: Value = serde_json::from_str(&history.to_json()).unwrap();
        assert_eq!(json, json!({"figures": {"loss": [0.5, 0.125], "val_loss": [0.25, null]}, "seconds": [1.0, 1.0]}));
    }

    #[test]
    fn a_figure_that_comes_later_has_no_value_before() {
        let mut history = History::default();
        for (name, value) in [("loss", f64::NAN), ("late", 2.0), ("loss", 1.0)] {
            let mut logs = Logs::default();
            logs.set(name, value);
            history.push(&logs, 1.0);
        }
        assert_eq!(history.to_csv(), "epoch,loss,late\n1,NaN,\n2,,2\n3,1,\n");
        assert_eq!(history.lowest("loss"), Some((3, 1.0)));
        assert_eq!(history.lowest("late"), Some((2, 2.0)));
        assert_eq!(history.lowest("other"), None);
    }
}
