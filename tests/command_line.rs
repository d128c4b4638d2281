//! The command line of the four examples: what each option sets, and what is said of a wrong one.

#[path = "../examples/common/options.rs"]
#[expect(dead_code, reason = "the part that ends the program is not for tests")]
mod options;

use std::ffi::OsString;
use std::path::PathBuf;

use options::{Options, Stop, parse, usage};

fn read(arguments: &str) -> Result<Options, Stop> {
    parse(arguments.split_whitespace().map(OsString::from))
}

#[test]
fn without_arguments_everything_has_its_default() {
    let defaults = Options {
        data: None,
        synthetic: false,
        epochs: 100,
        seed: 42,
        out: PathBuf::from("target/imdb"),
        threads: None,
        quiet: false,
    };
    assert_eq!(read(""), Ok(defaults));
}

#[test]
fn each_option_sets_what_it_names() {
    let expected = Options {
        data: Some(PathBuf::from("my/imdb.npz")),
        synthetic: false,
        epochs: 7,
        seed: u64::MAX,
        out: PathBuf::from("results"),
        threads: Some(3),
        quiet: true,
    };
    let all = "--data my/imdb.npz --epochs 7 --seed 18446744073709551615 --out results --threads 3 --quiet";
    assert_eq!(read(all), Ok(expected));
    assert!(read("--synthetic").unwrap().synthetic);
}

#[test]
fn wrong_arguments_are_named() {
    for (arguments, message) in [
        ("--epoch 3", "there is no option --epoch"),
        ("3", "there is no option 3"),
        ("--quiet --data", "--data needs a value"),
        ("--epochs 0", "--epochs takes a whole number from 1 on, not 0"),
        ("--epochs many", "--epochs takes a whole number from 1 on, not many"),
        ("--threads 0", "--threads takes a whole number from 1 on, not 0"),
        ("--threads 1.5", "--threads takes a whole number from 1 on, not 1.5"),
        ("--seed -1", "--seed takes a whole number from 0 on, not -1"),
        ("--synthetic --data imdb.npz", "--data and --synthetic exclude each other"),
    ] {
        assert_eq!(read(arguments), Err(Stop::Problem(message.into())));
    }
}

#[test]
fn help_names_every_option() {
    assert_eq!(read("--epochs 3 --help"), Err(Stop::Help));
    assert_eq!(read("-h"), Err(Stop::Help));
    let text = usage("gru");
    for option in ["--data FILE", "--synthetic", "--epochs N", "--seed S", "--out DIR", "--threads N", "--quiet", "gru"]
    {
        assert!(text.contains(option), "{option} is not in {text}");
    }
}
