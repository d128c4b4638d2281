//! Files of models, and the registry of the kinds of layers that they may name.
//!
//! | Item | Meaning |
//! | --- | --- |
//! | [`Registry`] | Kinds of layers that a file may name: the built-in ones and your own |
//! | [`Model::save`], [`Model::load`] | Model in one file |
//! | [`Model::save_weights`], [`Model::load_weights`] | Weights alone |
//! | [`ModelState::save`](crate::models::ModelState::save) | State from which a sequence continues |
//!
//! ```
//! use bptt::prelude::*;
//! use ndarray::array;
//! # let file = std::env::temp_dir().join(format!("bptt-doc-io-{}.safetensors", std::process::id()));
//! let model = Sequential::new().add(Dense::new(1)).build(Form::vector(1), 42)?;
//! model.save(&file)?;
//! let loaded: Model = Model::load(&file)?;
//! assert_eq!(loaded.predict(&array![[1.0]])?, model.predict(&array![[1.0]])?);
//! # std::fs::remove_file(&file).unwrap();
//! # Ok::<(), bptt::Error>(())
//! ```
//!
//! [`Model::save`]: crate::models::Model::save
//! [`Model::load`]: crate::models::Model::load
//! [`Model::save_weights`]: crate::models::Model::save_weights
//! [`Model::load_weights`]: crate::models::Model::load_weights

mod checkpoint;
mod once;
mod registry;

pub use registry::Registry;
