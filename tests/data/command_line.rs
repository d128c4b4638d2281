//! The command lines of the examples: what each option sets, and what is said of a wrong one.

#[path = "../../examples/program/arguments.rs"]
mod arguments;
#[path = "../../examples/common/options.rs"]
#[expect(dead_code, reason = "the part that ends the program is not for tests")]
mod options;
#[path = "../../examples/program/options.rs"]
#[expect(dead_code, reason = "the part that ends the program is not for tests")]
mod program;

use std::ffi::OsString;
use std::path::PathBuf;

use arguments::Stop;
use options::{Options, parse, usage};
use program::Program;

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
fn a_number_with_a_fraction_is_one_from_a_bound_on() {
    let read = |arguments: &str| {
        let mut rate = 0.5;
        let arguments = arguments.split_whitespace().map(OsString::from);
        arguments::read(arguments, |_, value| value.real(0.0).map(|value| rate = value).map(|()| true)).map(|()| rate)
    };
    assert_eq!((read(""), read("--rate 0"), read("--rate 1.25")), (Ok(0.5), Ok(0.0), Ok(1.25)));
    for wrong in ["-1", "NaN", "much"] {
        let message = format!("--rate takes a number from 0 on, not {wrong}");
        assert_eq!(read(&format!("--rate {wrong}")), Err(Stop::Problem(message)));
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

const PROGRAM: Program =
    Program { name: "sums", about: "Learns sums.", rounds: ("steps", 1000), files: &["sums.svg", "sums.txt"] };

#[test]
fn the_other_examples_have_four_options() {
    let read = |program: Program, arguments: &str| program.parse(arguments.split_whitespace().map(OsString::from));
    let options = |rounds, seed, out: &str, quiet| Ok(program::Options { rounds, seed, out: out.into(), quiet });
    assert_eq!(read(PROGRAM, ""), options(1000, 42, "target/sums", false));
    assert_eq!(read(PROGRAM, "--steps 7 --seed 0 --out results --quiet"), options(7, 0, "results", true));
    assert_eq!(read(PROGRAM, "--epochs 7"), Err(Stop::Problem("there is no option --epochs".into())));
    assert_eq!(read(PROGRAM, "--steps 0"), Err(Stop::Problem("--steps takes a whole number from 1 on, not 0".into())));
    // Who leaves no files wants to know no folder.
    let silent = || Program { files: &[], ..PROGRAM };
    assert_eq!(read(silent(), "--out results"), Err(Stop::Problem("there is no option --out".into())));
    assert!(!silent().usage().contains("--out"));
    for option in ["Learns sums.", "--steps N", "--seed S", "--out DIR", "sums.svg and sums.txt", "--quiet"] {
        assert!(PROGRAM.usage().contains(option), "{option} is not in {}", PROGRAM.usage());
    }
}
