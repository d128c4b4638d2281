//! Files: complete writes, named tensors, and formats of other programs that several modules read.

pub(crate) mod npy;
pub(crate) mod tensors;
pub(crate) mod vocabulary;
pub(crate) mod whole;
