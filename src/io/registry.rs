//! Which kinds of layers a saved file may name, and how each is made from its options.
//!
//! A file holds a tree of kinds: what is made of others holds them as parts, each of which is looked up by itself.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::layer::{AnyLayer, Describe, Layer, SavedPart, with_parts};
use crate::layers::{
    Activate, Bidirectional, Dense, Dropout, Embedding, GlobalAveragePooling1D, GlobalMaxPooling1D, LayerNormalization,
    Masking, RepeatVector, Residual, TimeDistributed,
};
use crate::recurrent::{AnyCell, Cell, Gated, Gates, GruCell, LstmGates, Rnn, SimpleGates, Stacked};

/// Makes a layer or a cell from its options.
type Make = fn(Value) -> Result<Box<dyn Any>>;

/// The kinds of layers that [`Model::load_with`](crate::models::Model::load_with) knows: the built-in ones, and those added here.
///
/// A layer of your own has to be one in both precisions.
///
/// ```
/// use bptt::io::Registry;
/// use bptt::layers::Dense;
/// // Not needed for a built-in layer; a layer of your own is added in the same way.
/// let registry = Registry::new().layer::<Dense>();
/// # let _ = registry;
/// ```
#[derive(Clone)]
pub struct Registry {
    /// By what it makes, [`AnyLayer`] or [`AnyCell`], and its kind.
    kinds: BTreeMap<(TypeId, &'static str), Make>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.kinds.keys().map(|(_, kind)| kind)).finish()
    }
}

impl Default for Registry {
    fn default() -> Self {
        Registry::new()
    }
}

fn read<T: Describe>(options: Value) -> Result<T> {
    serde_json::from_value(options).map_err(|source| Error::options(T::kind(), source))
}

impl Registry {
    /// The built-in layers and cells.
    pub fn new() -> Self {
        Registry { kinds: BTreeMap::new() }
            .layer::<Activate>()
            .layer::<Bidirectional>()
            .layer::<Dense>()
            .layer::<Dropout>()
            .layer::<Embedding>()
            .layer::<GlobalAveragePooling1D>()
            .layer::<GlobalMaxPooling1D>()
            .layer::<LayerNormalization>()
            .layer::<Masking>()
            .layer::<RepeatVector>()
            .layer::<Residual>()
            .layer::<TimeDistributed>()
            .cell::<GruCell>()
            .cell::<Stacked>()
            .gates::<LstmGates>()
            .gates::<SimpleGates>()
    }

    /// Adds a layer.
    pub fn layer<L: Layer<f32> + Layer<f64>>(mut self) -> Self {
        let make: Make = |options| Ok(Box::new(AnyLayer::new(read::<L>(options)?)));
        self.kinds.insert((TypeId::of::<AnyLayer>(), L::kind()), make);
        self
    }

    /// Adds a cell and its recurrent layer.
    pub fn cell<C: Cell<f32> + Cell<f64>>(mut self) -> Self {
        let make: Make = |options| Ok(Box::new(AnyCell::new(read::<C>(options)?)));
        self.kinds.insert((TypeId::of::<AnyCell>(), C::kind()), make);
        self.layer::<Rnn<C>>()
    }

    /// Adds the cell of a gates rule and its recurrent layer.
    pub fn gates<G: Gates>(self) -> Self {
        self.cell::<Gated<G>>()
    }

    /// Makes a layer of this kind, with its parts.
    pub(crate) fn layer_of(&self, kind: &str, options: Value) -> Result<AnyLayer> {
        let registry = self.clone();
        let read_part = move |made: TypeId, part: SavedPart| registry.make(made, &part.kind, part.options);
        let made = with_parts(Rc::new(read_part), || self.make(TypeId::of::<AnyLayer>(), kind, options))?;
        made.downcast().map(|layer| *layer).map_err(|_| self.unknown(kind))
    }

    fn make(&self, made: TypeId, kind: &str, options: Value) -> Result<Box<dyn Any>> {
        let found = self.kinds.iter().find(|((type_id, known), _)| *type_id == made && *known == kind);
        found.map_or_else(|| Err(self.unknown(kind)), |(_, make)| make(options))
    }

    fn unknown(&self, kind: &str) -> Error {
        let mut known: Vec<String> = self.kinds.keys().map(|(_, kind)| kind.to_string()).collect();
        known.sort_unstable();
        known.dedup();
        Error::UnknownKind { kind: kind.into(), known }
    }
}
