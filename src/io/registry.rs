//! Registry of the kinds of layers that a saved file may name, with the functions that make them from their options.
//!
//! A file holds a tree of kinds: a wrapper holds its parts, each of which is looked up separately.

use std::any::{Any, TypeId};
use std::cell::RefCell;
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

/// Function that makes a layer or a cell from its options.
type Make = fn(Value) -> Result<Box<dyn Any>>;

/// Registry of the kinds of layers for [`Model::load_with`](crate::models::Model::load_with): built-in ones and custom ones.
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

/// Keys: the type made, [`AnyLayer`] or [`AnyCell`], and the kind.
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
        let unknown = Rc::new(RefCell::new(None));
        let (kinds, lacks) = (self.clone(), Rc::clone(&unknown));
        let read_part = move |made: TypeId, part: SavedPart| {
            let made = kinds.make(made, &part.kind, part.options);
            made.inspect_err(|error| {
                if let Error::UnknownKind { kind, .. } = error {
                    *lacks.borrow_mut() = Some(kind.clone());
                }
            })
        };
        let made = with_parts(Rc::new(read_part), || self.make(TypeId::of::<AnyLayer>(), kind, options));
        // Of an error in a part serde has made a text.
        let made = made.map_err(|error| unknown.take().map_or(error, |kind| self.unknown(&kind)))?;
        made.downcast().map(|layer| *layer).map_err(|_| self.unknown(kind))
    }

    fn unknown(&self, kind: &str) -> Error {
        Error::UnknownKind { kind: kind.into(), known: self.known() }
    }

    /// Returns all kinds in order; a cell and its layer appear once.
    fn known(&self) -> Vec<String> {
        let mut known: Vec<String> = self.0.keys().map(|(_, kind)| kind.to_string()).collect();
        known.sort_unstable();
        known.dedup();
        known
    }
}

impl<F: Scalar> Registry<F> {
    /// Returns a registry of the built-in layers and cells.
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

    /// Adds the cell of a gate rule and its recurrent layer.
    pub fn gates<G: Gates>(self) -> Self {
        self.cell::<Gated<G>>()
    }

    /// Makes a layer of this kind, with its parts.
    pub(crate) fn layer_of(&self, kind: &str, options: Value) -> Result<AnyLayer> {
        self.kinds.layer_of(kind, options)
    }
}

/// Returns the built-in layers and cells.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recurrent::{Lstm, SimpleRnn};

    fn options<T: Describe>(layer: &T) -> Value {
        serde_json::to_value(layer).unwrap()
    }

    /// Wrappers of all kinds, one in the other.
    fn nested() -> Residual {
        let stack = Stacked::new(Lstm::new(2).into_cell(), SimpleRnn::new(3).into_cell());
        let both = Bidirectional::new(Rnn::from_cell(stack).return_sequences(true));
        Residual::new(Residual::new(both))
    }

    #[test]
    fn parts_of_parts_are_read() {
        let made = Registry::<f32>::new().layer_of("Residual", options(&nested())).unwrap();
        assert_eq!(made.get::<f32>().options().unwrap(), options(&nested()));
    }

    #[test]
    fn a_part_of_an_unknown_kind_is_named_however_deep_it_is() {
        let text = options(&nested()).to_string();
        for (known, other) in [("Bidirectional", "Tridirectional"), ("Lstm", "my::Lstm"), ("SimpleRnn", "Dense")] {
            let changed = text.replace(&format!("\"kind\":\"{known}\""), &format!("\"kind\":\"{other}\""));
            assert_ne!(changed, text);
            let refused = Registry::<f64>::new().layer_of("Residual", serde_json::from_str(&changed).unwrap());
            assert!(matches!(&refused, Err(Error::UnknownKind { kind, .. }) if kind == other), "{refused:?}");
        }
        // What is wrong with a part that is known stays what it was.
        let changed = text.replace("\"units\":2", "\"units\":-2");
        let refused = Registry::<f64>::new().layer_of("Residual", serde_json::from_str(&changed).unwrap());
        assert!(matches!(&refused, Err(Error::Options { kind, .. }) if kind == "Residual"), "{refused:?}");
        assert!(refused.unwrap_err().to_string().contains("the options of Lstm cannot be saved or read"));
    }

    #[test]
    fn without_a_registry_no_wrapper_is_read() {
        fn refused<T: Describe>(layer: &T) {
            let message = serde_json::from_value::<T>(options(layer)).unwrap_err().to_string();
            assert!(message.contains("known to a Registry only"), "{}: {message}", T::kind());
        }
        let stack = Stacked::new(Lstm::new(2).into_cell(), SimpleRnn::new(3).into_cell());
        refused(&Bidirectional::new(Lstm::new(2)));
        refused(&Residual::new(Dense::new(2)));
        refused(&TimeDistributed::new(Dense::new(2)));
        refused(&stack);
        refused(&Rnn::from_cell(stack));
        // Nor after one that was read, or was not.
        Registry::<f32>::new().layer_of("Residual", options(&nested())).unwrap();
        refused(&nested());
        Registry::<f32>::new().layer_of("Residual", options(&Dense::new(2))).unwrap_err();
        refused(&nested());
    }
}
