//! The numbers themselves: gradients against differences, layers and models against Keras and PyTorch, and the laws that
//! cells keep.
//!
//! One program for all of these: each test program compiles the layers that it uses anew, which takes longer than its tests.

mod conformance;
mod conformance_faults;
#[path = "../goldens/mod.rs"]
mod goldens;
mod gradients;
mod keras;
mod torch;
