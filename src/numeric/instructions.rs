//! Code path of the inner loops: the plain reference, or vectors of one of the processor's instruction sets.
//!
//! The default is the processor's best instruction set. The environment variable `BPTT_KERNELS` selects another path,
//! for tests and benchmarks; it is read once.

use std::env;
use std::sync::OnceLock;

use fearless_simd::Level;

use crate::error::{Error, Result};

/// Environment variable that names a path.
const VARIABLE: &str = "BPTT_KERNELS";

/// Code path of the inner loops.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path {
    /// Recurrence on plain numbers, gate by gate and step by step.
    Reference,
    /// Vectors of this instruction set.
    Vectors(Level),
}

impl Path {
    /// Returns the path in use.
    pub(crate) fn current() -> Path {
        static CURRENT: OnceLock<Path> = OnceLock::new();
        *CURRENT.get_or_init(|| chosen().unwrap_or_else(|| Path::Vectors(Level::new())))
    }

    /// Returns the instruction set for loops without a reference path: for the reference, the portable one.
    pub(crate) fn level(self) -> Level {
        match self {
            Path::Vectors(level) => level,
            Path::Reference => levels().into_iter().flatten().last().unwrap_or_else(Level::new),
        }
    }

    /// Returns whether this is the plain reference.
    pub(crate) fn is_reference(self) -> bool {
        matches!(self, Path::Reference)
    }

    /// Returns its name in the environment variable.
    fn name(self) -> &'static str {
        match self {
            Path::Reference => "reference",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Path::Vectors(Level::Avx512(_)) => "avx512",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Path::Vectors(Level::Avx2(_)) => "avx2",
            Path::Vectors(_) => "portable",
        }
    }
}

/// Returns the code path of the inner loops: `"avx512"`, `"avx2"`, `"portable"` (vectors that every processor of this
/// kind has) or `"reference"` (portable, but recurrent layers run step by step on plain numbers).
///
/// The default is the first of these that the processor has; the environment variable `BPTT_KERNELS` selects another.
/// The bits of `f32` results differ between paths, within rounding; those of `f64` differ only between the reference
/// and the others.
///
/// ```
/// assert!(["avx512", "avx2", "portable", "reference"].contains(&bptt::instructions()));
/// ```
pub fn instructions() -> &'static str {
    Path::current().name()
}

/// Returns an error if the environment variable names no path of this processor.
pub(crate) fn check() -> Result<()> {
    match (wanted(), chosen()) {
        (Some(value), None) => Err(Error::InvalidOption {
            option: VARIABLE,
            value: value.into(),
            allowed: "reference, portable, or avx2 or avx512 where the processor has it",
        }),
        _ => Ok(()),
    }
}

fn wanted() -> Option<&'static str> {
    static WANTED: OnceLock<Option<String>> = OnceLock::new();
    WANTED.get_or_init(|| env::var(VARIABLE).ok()).as_deref()
}

fn chosen() -> Option<Path> {
    named(wanted()?)
}

/// Returns the path with this name, if the processor has it.
fn named(name: &str) -> Option<Path> {
    match name {
        "reference" => Some(Path::Reference),
        name => levels().into_iter().flatten().map(Path::Vectors).find(|path| path.name() == name),
    }
}

/// Returns the compiled levels that this processor has.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn levels() -> [Option<Level>; 3] {
    let best = Level::new();
    [best.as_avx512().map(Level::Avx512), best.as_avx2().map(Level::Avx2), best.as_sse2().map(Level::Sse2)]
}

/// Returns the compiled levels that this processor has.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
fn levels() -> [Option<Level>; 1] {
    [Some(Level::new())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_by_its_name() {
        for path in levels().into_iter().flatten().map(Path::Vectors).chain([Path::Reference]) {
            assert_eq!(named(path.name()).map(Path::name), Some(path.name()));
        }
        assert!(named("fast").is_none());
    }
}
