//! Whole models from outside: what they do, what they refuse, that they do it alike on any number of threads, and that they come
//! back from their files.

mod batches;
mod callbacks;
mod checkpoint;
mod determinism;
mod errors;
mod optimizers;
mod resume;
mod state;
mod steps_by_hand;
mod structure;
mod synthetic;
mod threads;
mod training;
mod weight_options;
mod wrong_programs;
