//! Our side of the comparison.
//!
//! `ours write …` writes the files that all programs read (module `write`); `ours serve …` answers as `harness` says. Each
//! kind of work is one function of `works`, the only place that knows how the crate is called.

mod works;
mod write;

use harness::Failure;

fn main() -> Result<(), Failure> {
    match std::env::args().nth(1).as_deref() {
        Some("write") => write::run(std::env::args().skip(2)),
        Some("serve") => harness::serve_with(std::env::args().skip(2), works::prepare),
        _ => Err("the first argument is write or serve".into()),
    }
}
