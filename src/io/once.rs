//! Functions for reading and writing models that are compiled once.

use std::path::Path;

use super::{Registry, checkpoint, registry};
use crate::error::Result;
use crate::model::{Model, ModelState};
use crate::network::Network;
use crate::numeric::compiled_once;

// Separate tables, because a program contains every function of a table that it uses.
compiled_once! { Writing: WritingFunctions {
    save(model: &Model<F>, path: &Path) -> Result<()> = checkpoint::save;
    save_weights(network: &Network<F>, path: &Path) -> Result<()> = checkpoint::save_weights;
} }

compiled_once! { Reading: ReadingFunctions {
    load(path: &Path, registry: &Registry<F>) -> Result<Model<F>> = checkpoint::load;
    load_weights(network: &mut Network<F>, path: &Path) -> Result<()> = checkpoint::load_weights;
} }

compiled_once! { Kinds: KindFunctions {
    registry() -> Registry<F> = registry::built_in;
} }

compiled_once! { States: StateFunctions {
    save_state(state: &ModelState<F>, path: &Path) -> Result<()> = checkpoint::save_state;
    load_state(state: &mut ModelState<F>, path: &Path) -> Result<()> = checkpoint::load_state;
} }
