//! The command line of the four examples. `tests/data/command_line.rs` tests it.

use std::ffi::OsString;
use std::path::PathBuf;

use super::arguments::{Stop, or_exit, read};

/// What the command line says.
#[derive(Debug, PartialEq)]
pub struct Options {
    pub data: Option<PathBuf>,
    pub synthetic: bool,
    pub epochs: usize,
    pub seed: u64,
    pub out: PathBuf,
    pub threads: Option<usize>,
    pub quiet: bool,
}

impl Options {
    /// Reads the command line; ends the program on `--help` and on what it does not understand.
    pub fn from_command_line(experiment: &str) -> Self {
        or_exit(parse(std::env::args_os().skip(1)), &usage(experiment))
    }
}

/// The text of `--help`.
pub fn usage(experiment: &str) -> String {
    format!(
        "Trains the {experiment} experiment on the IMDB reviews.\n\n\
         \x20 --data FILE    the reviews, in the layout of Keras' imdb.npz (default: Keras' folder, the cache, a download)\n\
         \x20 --synthetic    a made-up corpus of the same shape instead\n\
         \x20 --epochs N     at most this many epochs (default 100)\n\
         \x20 --seed S       of initial weights, shuffling, dropout and the made-up corpus (default 42)\n\
         \x20 --out DIR      where checkpoint, history.csv and loss.svg go (default target/imdb)\n\
         \x20 --threads N    threads (default all cores)\n\
         \x20 --quiet        no progress, only the result line"
    )
}

/// The options that these arguments set.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Options, Stop> {
    let mut options = Options {
        data: None,
        synthetic: false,
        epochs: 100,
        seed: 42,
        out: PathBuf::from("target/imdb"),
        threads: None,
        quiet: false,
    };
    read(arguments, |name, value| {
        match name {
            "--data" => options.data = Some(value.path()?),
            "--synthetic" => options.synthetic = true,
            "--epochs" => options.epochs = value.number(1)? as usize,
            "--seed" => options.seed = value.number(0)?,
            "--out" => options.out = value.path()?,
            "--threads" => options.threads = Some(value.number(1)? as usize),
            "--quiet" => options.quiet = true,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if options.synthetic && options.data.is_some() {
        return Err(Stop::Problem("--data and --synthetic exclude each other".into()));
    }
    Ok(options)
}
