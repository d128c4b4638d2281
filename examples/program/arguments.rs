//! Reading a command line: what each argument sets, and what is said of a wrong one. `tests/data/command_line.rs` tests it.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

/// Why there are no options to run with.
#[derive(Debug, PartialEq)]
pub enum Stop {
    /// Help was asked for.
    Help,
    /// Something is wrong with them.
    Problem(String),
}

/// What follows the name of an option.
pub struct Value<'a> {
    name: &'a str,
    arguments: &'a mut dyn Iterator<Item = OsString>,
}

impl Value<'_> {
    /// A file or folder.
    pub fn path(&mut self) -> Result<PathBuf, Stop> {
        let value = self.arguments.next();
        value.map(PathBuf::from).ok_or_else(|| Stop::Problem(format!("{} needs a value", self.name)))
    }

    /// A whole number.
    pub fn number(&mut self, least: u64) -> Result<u64, Stop> {
        self.parsed(least, "a whole number")
    }

    /// A number with a fraction.
    #[allow(dead_code, reason = "not every example takes one")]
    pub fn real(&mut self, least: f64) -> Result<f64, Stop> {
        self.parsed(least, "a number")
    }

    fn parsed<T: FromStr + PartialOrd + Display>(&mut self, least: T, what: &str) -> Result<T, Stop> {
        let value = self.path()?;
        let number = value.to_str().and_then(|value| value.parse().ok()).filter(|number| *number >= least);
        number.ok_or_else(|| {
            Stop::Problem(format!("{} takes {what} from {least} on, not {}", self.name, value.display()))
        })
    }
}

/// Goes through the arguments. `set` is told each option, takes its value if it has one, and says whether it knows it.
pub fn read(
    mut arguments: impl Iterator<Item = OsString>,
    mut set: impl FnMut(&str, &mut Value<'_>) -> Result<bool, Stop>,
) -> Result<(), Stop> {
    while let Some(name) = arguments.next() {
        let name = &*name.to_string_lossy();
        if matches!(name, "--help" | "-h") {
            return Err(Stop::Help);
        }
        if !set(name, &mut Value { name, arguments: &mut arguments })? {
            return Err(Stop::Problem(format!("there is no option {name}")));
        }
    }
    Ok(())
}

/// The options; or the end of the program, after its usage was shown and what is wrong.
pub fn or_exit<T>(options: Result<T, Stop>, usage: &str) -> T {
    match options {
        Ok(options) => options,
        Err(Stop::Help) => {
            println!("{usage}");
            std::process::exit(0);
        }
        Err(Stop::Problem(problem)) => {
            eprintln!("{problem}\n\n{usage}");
            std::process::exit(2);
        }
    }
}
