//! Files: whole ones, tensors in them, and the formats of others that more than one part reads.

pub(crate) mod npy;
pub(crate) mod tensors;
pub(crate) mod vocabulary;
pub(crate) mod whole;
