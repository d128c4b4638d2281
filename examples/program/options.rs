//! The options of an example. `tests/data/command_line.rs` tests them.

use std::ffi::OsString;
use std::path::PathBuf;

use super::arguments::{Stop, or_exit, read};

/// What an example is called, and what its options are about.
pub struct Program {
    /// As cargo calls it.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// What it counts, `epochs` or `steps`, and how many there are by default.
    pub rounds: (&'static str, usize),
    /// The files that it leaves, if any.
    pub files: &'static [&'static str],
}

/// What the command line says.
#[derive(Debug, PartialEq)]
pub struct Options {
    /// Epochs or steps.
    pub rounds: usize,
    pub seed: u64,
    pub out: PathBuf,
    pub quiet: bool,
}

impl Program {
    /// Reads the command line; ends the program on `--help` and on what it does not understand.
    pub fn options(&self) -> Options {
        or_exit(self.parse(std::env::args_os().skip(1)), &self.usage())
    }

    /// The text of `--help`.
    pub fn usage(&self) -> String {
        let Program { name, about, rounds: (rounds, default), files } = self;
        let count = format!("--{rounds} N");
        let mut usage = format!(
            "{about}\n\n\
             \x20 {count:<11} at most this many {rounds} (default {default})\n\
             \x20 --seed S    of all that is drawn at random (default 42)\n"
        );
        if !files.is_empty() {
            let files = files.join(" and ");
            usage += &format!("\x20 --out DIR   where {files} goes (default target/{name})\n");
        }
        usage + "\x20 --quiet     only the result line"
    }

    /// The options that these arguments set.
    pub fn parse(&self, arguments: impl Iterator<Item = OsString>) -> Result<Options, Stop> {
        let (rounds, default) = self.rounds;
        let out = PathBuf::from("target").join(self.name);
        let mut options = Options { rounds: default, seed: 42, out, quiet: false };
        read(arguments, |name, value| {
            match name {
                "--seed" => options.seed = value.number(0)?,
                "--out" if !self.files.is_empty() => options.out = value.path()?,
                "--quiet" => options.quiet = true,
                _ if name.strip_prefix("--") == Some(rounds) => options.rounds = value.number(1)? as usize,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(options)
    }
}
