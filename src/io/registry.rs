//! Which kinds of layers a saved file may name, and how each is made from its options.
//!
//! A file holds a tree of kinds: what is made of others holds them as parts, each of which is looked up by itself.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use serde_json::Value;

use super::once;
use crate::error::{Error, Result};
use crate::layer::{AnyLayer, Describe, Layer, SavedPart, with_parts};
use crate::layers::{
    Activate, Bidirectional, Dense, Dropout, Embedding, GlobalAveragePooling1D, GlobalMaxPooling1D, LayerNormalization,
    Masking, RepeatVector, Residual, TimeDistributed,
};
use crate::numeric::Scalar;
use crate::recurrent::{AnyCell, Cell, Gated, Gates, GruCell, LstmGates, Rnn, SimpleGates, Stacked};

/// Makes a layer or a cell from its options.
type Make = fn(Value) -> Result<Box<dyn Any>>;

/// The kinds of layers that [`Model::load_with`](crate::models::Model::load_with) knows: the built-in ones, and those added here.
///
/// ```
/// use bptt::io::Registry;
/// use bptt::layers::Dense;
/// // Not needed for a built-in layer; a layer of your own is added in the same way.
/// let registry = Registry::<f32>::new().layer::<Dense>();
/// # let _ = registry;
/// ```
pub struct Registry<F = f32> {
    kinds: Kinds,
    number: PhantomData<F>,
}

/// By what it makes, [`AnyLayer`] or [`AnyCell`], and its kind.
#[derive(Clone, Default)]
struct Kinds(BTreeMap<(TypeId, &'static str), Make>);

impl<F> fmt::Debug for Registry<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.kinds.known()).finish()
    }
}

impl<F: Scalar> Default for Registry<F> {
    fn default() -> Self {
        Registry::new()
    }
}

fn read<T: Describe>(options: Value) -> Result<T> {
    serde_json::from_value(options).map_err(|source| Error::options(T::kind(), source))
}

impl Kinds {
    fn add<T: 'static>(&mut self, kind: &'static str, make: Make) {
        self.insert((TypeId::of::<T>(), kind), make);
    }

    fn insert(&mut self, key: (TypeId, &'static str), make: Make) {
        self.0.insert(key, make);
    }

    /// Makes a part of a wrapper, or a whole layer.
    fn make(&self, made: TypeId, kind: &str, options: Value) -> Result<Box<dyn Any>> {
        let found = self.0.iter().find(|((type_id, known), _)| *type_id == made && *known == kind);
        found.map_or_else(|| Err(self.unknown(kind)), |(_, make)| make(options))
    }

    /// Makes a layer of this kind, with its parts.
    fn layer_of(&self, kind: &str, options: Value) -> Result<AnyLayer> {
        let kinds = self.clone();
        let read_part = move |made: TypeId, part: SavedPart| kinds.make(made, &part.kind, part.options);
        let made = with_parts(Rc::new(read_part), || self.make(TypeId::of::<AnyLayer>(), kind, options))?;
        made.downcast().map(|layer| *layer).map_err(|_| self.unknown(kind))
    }

    fn unknown(&self, kind: &str) -> Error {
        Error::UnknownKind { kind: kind.into(), known: self.known() }
    }

    /// All kinds in order, of a cell and its layer once.
    fn known(&self) -> Vec<String> {
        let mut known: Vec<String> = self.0.keys().map(|(_, kind)| kind.to_string()).collect();
        known.sort_unstable();
        known.dedup();
        known
    }
}

impl<F: Scalar> Registry<F> {
    /// The built-in layers and cells.
    pub fn new() -> Self {
        once::registry()
    }

    /// Adds a layer.
    pub fn layer<L: Layer<F>>(mut self) -> Self {
        self.kinds.add::<AnyLayer>(L::kind(), |options| Ok(Box::new(AnyLayer::of(read::<L>(options)?.erase()))));
        self
    }

    /// Adds a cell and its recurrent layer.
    pub fn cell<C: Cell<F>>(mut self) -> Self {
        self.kinds.add::<AnyCell>(C::kind(), |options| Ok(Box::new(AnyCell::of(read::<C>(options)?.erase()))));
        self.layer::<Rnn<C>>()
    }

    /// Adds the cell of a gates rule and its recurrent layer.
    pub fn gates<G: Gates>(self) -> Self {
        self.cell::<Gated<G>>()
    }

    /// Makes a layer of this kind, with its parts.
    pub(crate) fn layer_of(&self, kind: &str, options: Value) -> Result<AnyLayer> {
        self.kinds.layer_of(kind, options)
    }
}

/// The built-in layers and cells.
pub(super) fn built_in<F: Scalar>() -> Registry<F> {
    Registry { kinds: Kinds::default(), number: PhantomData }
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
