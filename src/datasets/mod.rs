//! Data sets to learn from and to test with.
//!
//! Contract: each data set is a module of its own; what needs a crate that nothing else needs is behind a feature.
//!
//! Read next: `imdb.rs` (feature `imdb`), the movie reviews; the files beside it read NumPy's formats for it:
//! `npz.rs` (the archive), `npy.rs` (one array), `pickle.rs` (the objects inside).

#[cfg(feature = "imdb")]
pub mod imdb;
#[cfg(feature = "imdb")]
mod member;
#[cfg(feature = "imdb")]
mod npy;
#[cfg(feature = "imdb")]
mod npz;
#[cfg(feature = "imdb")]
mod npz_problem;
#[cfg(feature = "imdb")]
mod opcode_names;
#[cfg(feature = "imdb")]
mod pickle;
#[cfg(feature = "imdb")]
mod pickle_objects;
#[cfg(feature = "imdb")]
mod pickle_rows;
