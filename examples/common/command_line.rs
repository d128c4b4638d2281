//! The command line of an example with options of its own: numbers, paths, `--quiet` and `--help`.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

/// What follows an option's name, if the option takes it.
pub struct Value<'a> {
    name: &'a str,
    arguments: &'a mut dyn Iterator<Item = OsString>,
}

impl Value<'_> {
    /// The next argument.
    fn text(&mut self) -> Result<OsString, String> {
        self.arguments.next().ok_or_else(|| format!("{} needs a value", self.name))
    }

    /// A number, not below `least`.
    pub fn number<T: FromStr + PartialOrd + Display>(&mut self, least: T) -> Result<T, String> {
        let text = self.text()?.to_string_lossy().into_owned();
        let number = text.parse().ok().filter(|number| *number >= least);
        number.ok_or_else(|| format!("{} takes a number from {least} on, not {text}", self.name))
    }

    /// A path.
    #[allow(dead_code, reason = "not every example has a file")]
    pub fn path(&mut self) -> Result<PathBuf, String> {
        self.text().map(PathBuf::from)
    }
}

/// Hands the name of each option to `set`, which says whether there is such a one. Ends the program on `--help`, and on what
/// it does not understand.
pub fn read(usage: &str, set: impl FnMut(&str, &mut Value<'_>) -> Result<bool, String>) {
    match parse(std::env::args_os().skip(1), set) {
        Ok(true) => {}
        Ok(false) => {
            println!("{usage}");
            std::process::exit(0);
        }
        Err(problem) => {
            eprintln!("{problem}\n\n{usage}");
            std::process::exit(2);
        }
    }
}

/// The same for these arguments; false if help was asked for.
pub fn parse(
    mut arguments: impl Iterator<Item = OsString>,
    mut set: impl FnMut(&str, &mut Value<'_>) -> Result<bool, String>,
) -> Result<bool, String> {
    while let Some(name) = arguments.next() {
        let name = &*name.to_string_lossy();
        if matches!(name, "--help" | "-h") {
            return Ok(false);
        }
        if !set(name, &mut Value { name, arguments: &mut arguments })? {
            return Err(format!("there is no option {name}"));
        }
    }
    Ok(true)
}
