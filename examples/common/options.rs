//! The command line of the four examples. `tests/command_line.rs` tests it.

use std::ffi::OsString;
use std::path::PathBuf;

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

/// Why there are no options to run with.
#[derive(Debug, PartialEq)]
pub enum Stop {
    /// Help was asked for.
    Help,
    /// Something is wrong with them.
    Problem(String),
}

impl Options {
    /// Reads the command line; ends the program on `--help` and on what it does not understand.
    pub fn from_command_line(experiment: &str) -> Self {
        match parse(std::env::args_os().skip(1)) {
            Ok(options) => options,
            Err(Stop::Help) => {
                println!("{}", usage(experiment));
                std::process::exit(0);
            }
            Err(Stop::Problem(problem)) => {
                eprintln!("{problem}\n\n{}", usage(experiment));
                std::process::exit(2);
            }
        }
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
pub fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Options, Stop> {
    let mut options = Options {
        data: None,
        synthetic: false,
        epochs: 100,
        seed: 42,
        out: PathBuf::from("target/imdb"),
        threads: None,
        quiet: false,
    };
    while let Some(name) = arguments.next() {
        let name = name.to_string_lossy();
        let mut value = || arguments.next().ok_or_else(|| Stop::Problem(format!("{name} needs a value")));
        match &*name {
            "--data" => options.data = Some(value()?.into()),
            "--synthetic" => options.synthetic = true,
            "--epochs" => options.epochs = number(&name, &value()?, 1)? as usize,
            "--seed" => options.seed = number(&name, &value()?, 0)?,
            "--out" => options.out = value()?.into(),
            "--threads" => options.threads = Some(number(&name, &value()?, 1)? as usize),
            "--quiet" => options.quiet = true,
            "--help" | "-h" => return Err(Stop::Help),
            _ => return Err(Stop::Problem(format!("there is no option {name}"))),
        }
    }
    if options.synthetic && options.data.is_some() {
        return Err(Stop::Problem("--data and --synthetic exclude each other".into()));
    }
    Ok(options)
}

fn number(name: &str, value: &OsString, least: u64) -> Result<u64, Stop> {
    match value.to_string_lossy().parse() {
        Ok(number) if number >= least => Ok(number),
        _ => {
            Err(Stop::Problem(format!("{name} takes a whole number from {least} on, not {}", value.to_string_lossy())))
        }
    }
}
