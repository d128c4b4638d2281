//! File names with placeholders for the epoch and figures, as in Keras: `{epoch:02d}-{val_loss:.4f}.safetensors`.
//!
//! Braces hold a name and, after a colon, an optional format: `0` for leading zeros, a width, `.` and the number of
//! decimals, and `d` (integer) or `f`. `{{` and `}}` are plain braces.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::history::Logs;

/// Path with placeholders, parsed once.
#[derive(Clone, Debug)]
pub(super) struct FileName {
    text: PathBuf,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Value { name: String, zeros: bool, width: usize, digits: Option<usize> },
}

impl FileName {
    /// Returns the path as given, not parsed yet.
    pub(super) fn new(text: PathBuf) -> Self {
        FileName { text, parts: Vec::new() }
    }

    /// Parses it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] if a brace has no partner, or its content cannot be parsed.
    pub(super) fn parse(&mut self) -> Result<()> {
        let text = self.text.to_string_lossy().into_owned();
        let allowed = "a path with pairs of braces like {epoch:02d} or {val_loss:.4f}; plain braces are {{ and }}";
        let wrong = || Error::InvalidOption { option: "path", value: format!("{text:?}"), allowed };
        let (mut parts, mut plain) = (Vec::new(), String::new());
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let (field, after) = after.split_once('}').filter(|_| brace == "{").ok_or_else(wrong)?;
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(Part::parse(field).ok_or_else(wrong)?);
            rest = after;
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        self.parts = parts;
        Ok(())
    }

    /// Returns the path after an epoch, counted from 1, with these figures.
    ///
    /// # Errors
    ///
    /// [`Error::Figure`] if there is no figure with a name in the path.
    pub(super) fn fill(&self, epoch: usize, logs: &Logs) -> Result<PathBuf> {
        // A path without braces need not be valid text.
        if let [_] = self.parts[..] {
            return Ok(self.text.clone());
        }
        let mut path = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => path.push_str(text),
                Part::Value { name, zeros, width, digits } => {
                    let value = if name == "epoch" { Some(epoch as f64) } else { logs.get(name) };
                    let value = value.ok_or_else(|| Error::Figure {
                        name: name.clone(),
                        known: ["epoch"]
                            .into_iter()
                            .chain(logs.iter().map(|(name, _)| name))
                            .map(String::from)
                            .collect(),
                    })?;
                    let value = digits.map_or_else(|| value.to_string(), |digits| format!("{value:.digits$}"));
                    path.push_str(&if *zeros { format!("{value:0>width$}") } else { format!("{value:>width$}") });
                }
            }
        }
        Ok(path.into())
    }

    /// Returns the path as given.
    pub(super) fn text(&self) -> &Path {
        &self.text
    }
}

impl Part {
    fn parse(field: &str) -> Option<Part> {
        let (name, format) = field.split_once(':').unwrap_or((field, ""));
        let (number, whole) = match format.strip_suffix('d') {
            Some(number) => (number, true),
            None => (format.strip_suffix('f').unwrap_or(format), false),
        };
        let (width, digits) = number.split_once('.').map_or((number, None), |(width, digits)| (width, Some(digits)));
        let digits = match digits {
            Some(digits) => Some(digits.parse().ok().filter(|&digits: &usize| !whole && digits <= 17)?),
            None => whole.then_some(0),
        };
        let zeros = width.starts_with('0');
        let width = if width.is_empty() { 0 } else { width.parse().ok().filter(|&width: &usize| width <= 40)? };
        (!name.is_empty() && !name.contains('{')).then(|| Part::Value { name: name.into(), zeros, width, digits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        let mut logs = Logs::default();
        logs.set("val_loss", 0.123_456);
        let mut name = FileName::new(text.into());
        match name.parse().and_then(|()| name.fill(7, &logs)) {
            Ok(path) => path.display().to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// The expected values are those of Python's `str.format`.
    #[test]
    fn names_are_filled_as_in_python() {
        for (text, expected) in [
            ("model.safetensors", "model.safetensors"),
            ("{epoch}", "7"),
            ("{epoch:02d}-{val_loss:.2f}.safetensors", "07-0.12.safetensors"),
            ("a/{epoch:03d}/{val_loss:08.4f}", "a/007/000.1235"),
            ("{{{epoch}}}", "{7}"),
            ("{val_loss}", "0.123456"),
            ("{epoch:4d}", "   7"),
        ] {
            assert_eq!(filled(text), expected, "{text}");
        }
    }

    #[test]
    fn wrong_names_are_refused() {
        for text in ["{epoch", "epoch}", "{}", "{epoch:x}", "{epoch:.2d}", "{epoch:999d}", "{:02d}", "{epoch:-3d}"] {
            let message = filled(text);
            assert!(message.starts_with(&format!("path is {text:?}, but must be a path with")), "{text}: {message}");
        }
        assert_eq!(filled("{f1}"), "there is no figure \"f1\" to name the file after; there are epoch, val_loss");
    }
}
