//! The command line of the four examples.

use std::path::PathBuf;

/// What the command line says.
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
        match parse(std::env::args().skip(1)) {
            Ok(options) => options,
            Err(problem) => {
                eprintln!("{problem}{}", usage(experiment));
                std::process::exit(if problem.is_empty() { 0 } else { 2 });
            }
        }
    }
}

fn usage(experiment: &str) -> String {
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

/// The options, or what is wrong with them: nothing, if help was asked for.
fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
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
        let mut value = || arguments.next().ok_or(format!("{name} needs a value\n\n"));
        match name.as_str() {
            "--data" => options.data = Some(value()?.into()),
            "--synthetic" => options.synthetic = true,
            "--epochs" => options.epochs = number(&name, &value()?)?,
            "--seed" => options.seed = number(&name, &value()?)?,
            "--out" => options.out = value()?.into(),
            "--threads" => options.threads = Some(number(&name, &value()?)?),
            "--quiet" => options.quiet = true,
            "--help" | "-h" => return Err(String::new()),
            _ => return Err(format!("unknown option {name}\n\n")),
        }
    }
    Ok(options)
}

fn number<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{name} takes a whole number, not {value}\n\n"))
}
