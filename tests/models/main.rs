//! Whole models from outside: what they do, what they refuse, and that they do it alike on any number of threads.
//!
//! One program for all of these: each test program compiles the layers that it uses anew, which takes longer than its tests.

mod batches;
mod callbacks;
mod determinism;
mod errors;
mod optimizers;
mod resume;
mod state;
mod steps_by_hand;
mod synthetic;
mod threads;
mod training;
mod weight_options;
mod wrong_programs;
