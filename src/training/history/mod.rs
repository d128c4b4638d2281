//! What training leaves behind: the figures of each epoch.

#[cfg(feature = "plot")]
mod plot;

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
    /// The figure of this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(known, _)| known == name).map(|&(_, value)| value)
    }

    /// Sets a figure, a new one after the others.
    pub fn set(&mut self, name: &str, value: f64) {
        match self.figures.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.figures.push((name.to_string(), value)),
        }
    }

    /// All names and figures.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.figures.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

/// The figures of each epoch, as [`Model::fit`](crate::Model::fit) returns them.
///
/// `loss` and metrics are means over the epoch, taken while the weights changed and dropout was on; `val_` ones are those
/// of the validation data after the epoch. Epochs count from 1.
#[derive(Clone, Debug, Default)]
pub struct History {
    epochs: Vec<Logs>,
    seconds: Vec<f64>,
    total_seconds: f64,
}

impl History {
    pub(super) fn set_total_seconds(&mut self, seconds: f64) {
        self.total_seconds = seconds;
    }

    /// The figures of each epoch.
    pub fn logs(&self) -> &[Logs] {
        &self.epochs
    }

    /// The wall time of the whole `fit` in seconds; after an interruption that of the last part.
    pub fn total_seconds(&self) -> f64 {
        self.total_seconds
    }

    pub(crate) fn push(&mut self, logs: Logs, seconds: f64) {
        self.epochs.push(logs);
        self.seconds.push(seconds);
    }

    /// How many epochs were run.
    pub fn epochs(&self) -> usize {
        self.epochs.len()
    }

    /// The names of the figures, in the order in which they were set.
    pub fn names(&self) -> Vec<&str> {
        names(self.epochs.iter())
    }

    /// A figure of every epoch; NaN where an epoch does not have it, empty if none has.
    pub fn get(&self, name: &str) -> Vec<f64> {
        if self.epochs.iter().all(|logs| logs.get(name).is_none()) {
            return Vec::new();
        }
        self.epochs.iter().map(|logs| logs.get(name).unwrap_or(f64::NAN)).collect()
    }

    /// All figures: a row for each epoch, a column for each of [`History::names`], NaN where an epoch does not have one.
    pub fn to_array(&self) -> Array2<f64> {
        let names = self.names();
        Array2::from_shape_fn((self.epochs(), names.len()), |(epoch, column)| {
            self.epochs[epoch].get(names[column]).unwrap_or(f64::NAN)
        })
    }

    /// The epoch, counted from 1, in which a figure was lowest, and the figure; the first of equals.
    pub fn lowest(&self, name: &str) -> Option<(usize, f64)> {
        let mut best: Option<(usize, f64)> = None;
        for (epoch, logs) in self.epochs.iter().enumerate() {
            if let Some(value) = logs.get(name)
                && best.is_none_or(|(_, lowest)| value < lowest)
            {
                best = Some((epoch + 1, value));
            }
        }
        best
    }

    /// The wall time of each epoch's training in seconds, without its validation and callbacks.
    pub fn seconds(&self) -> &[f64] {
        &self.seconds
    }

    /// The figures as comma-separated values: a line of names, `epoch` first, then a line for each epoch.
    pub fn to_csv(&self) -> String {
        csv(self.epochs.iter())
    }

    /// Writes [`History::to_csv`] to a file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be written.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        std::fs::write(&path, self.to_csv()).map_err(Error::io("write", path.as_ref()))
    }

    /// The figures as JSON: an object with a list for each figure, one value for each epoch, and `seconds`. What is no finite
    /// number, or not there, is null.
    ///
    /// ```
    /// use bptt::History;
    /// assert_eq!(History::default().to_json(), r#"{"figures":{},"seconds":[]}"#);
    /// ```
    pub fn to_json(&self) -> String {
        let figures: serde_json::Map<String, Value> =
            self.names().into_iter().map(|name| (name.to_string(), json!(self.get(name)))).collect();
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

/// The names of the figures of these epochs, in the order in which they were set.
fn names<'a>(epochs: impl Iterator<Item = &'a Logs>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in epochs.flat_map(Logs::iter) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What [`History::to_csv`] is for these epochs.
pub(crate) fn csv<'a>(epochs: impl Iterator<Item = &'a Logs> + Clone) -> String {
    let names = names(epochs.clone());
    let mut csv = String::from("epoch");
    for name in &names {
        csv.push(',');
        csv.push_str(name);
    }
    csv.push('\n');
    for (epoch, logs) in epochs.enumerate() {
        let _ = write!(csv, "{}", epoch + 1);
        for name in &names {
            csv.push(',');
            if let Some(value) = logs.get(name) {
                let _ = write!(csv, "{value}");
            }
        }
        csv.push('\n');
    }
    csv
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
            history.push(logs, 1.0);
        }
        assert_eq!(history.to_csv(), "epoch,loss,val_loss\n1,0.5,0.25\n2,0.125,\n");
        assert_eq!(history.lowest("loss"), Some((2, 0.125)));
        assert!(history.get("accuracy").is_empty());
        assert!(history.get("val_loss")[1].is_nan());
        assert_eq!(history.to_array().column(0).to_vec(), [0.5, 0.125]);
        let json: Value = serde_json::from_str(&history.to_json()).unwrap();
        assert_eq!(json, json!({"figures": {"loss": [0.5, 0.125], "val_loss": [0.25, null]}, "seconds": [1.0, 1.0]}));
    }
}
