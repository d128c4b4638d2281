//! Which kinds of layers a saved file may name, and how each is made from its options.

use std::collections::BTreeMap;
use std::fmt;

use super::erased::{Description, describe};
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::layers::{
    Activate, Dense, Dropout, Embedding, GlobalAveragePooling1D, GlobalMaxPooling1D, LayerNormalization, Masking,
    RepeatVector, TimeDistributed,
};
use crate::recurrent::{Bidirectional, Cell, Gated, Gates, Gru, GruCell, Lstm, LstmGates, Rnn, SimpleGates, SimpleRnn};
use crate::scalar::Scalar;

type Constructor<F> = fn(serde_json::Value) -> serde_json::Result<Box<dyn Description<F>>>;

/// The kinds of layers that [`Model::load_with`](super::Model::load_with) knows: the built-in ones, and those added here.
///
/// ```
/// use bptt::{Dense, Registry};
/// // Not needed for a built-in layer; a layer of your own is added in the same way.
/// let registry = Registry::<f32>::new().layer::<Dense>();
/// # let _ = registry;
/// ```
pub struct Registry<F> {
    constructors: BTreeMap<String, Constructor<F>>,
}

impl<F> fmt::Debug for Registry<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.constructors.keys()).finish()
    }
}

impl<F: Scalar> Default for Registry<F> {
    fn default() -> Self {
        Registry::new()
    }
}

impl<F: Scalar> Registry<F> {
    /// The built-in layers. Of those that are made of others it has `Bidirectional` of each built-in cell and
    /// `TimeDistributed` of `Dense`, for what is in it is compiled into every program that loads a model; others are added by
    /// [`layer`](Registry::layer), such as `.layer::<Residual<Lstm>>()`.
    pub fn new() -> Self {
        let empty = Registry { constructors: BTreeMap::new() };
        empty
            .layer::<Activate>()
            .layer::<Dense>()
            .layer::<Dropout>()
            .layer::<Embedding>()
            .layer::<GlobalAveragePooling1D>()
            .layer::<GlobalMaxPooling1D>()
            .layer::<LayerNormalization>()
            .layer::<Masking>()
            .layer::<RepeatVector>()
            .layer::<TimeDistributed<Dense>>()
            .layer::<Gru>()
            .layer::<Lstm>()
            .layer::<SimpleRnn>()
            .layer::<Bidirectional<GruCell>>()
            .layer::<Bidirectional<Gated<LstmGates>>>()
            .layer::<Bidirectional<Gated<SimpleGates>>>()
    }

    /// Adds a layer.
    pub fn layer<L: Layer<F>>(mut self) -> Self {
        self.constructors.insert(L::full_kind(), |options| Ok(describe(serde_json::from_value::<L>(options)?)));
        self
    }

    /// Adds the recurrent layer of a cell.
    pub fn cell<C: Cell<F>>(self) -> Self {
        self.layer::<Rnn<C>>()
    }

    /// Adds the recurrent layer of a gates rule.
    pub fn gates<G: Gates>(self) -> Self {
        self.layer::<Rnn<Gated<G>>>()
    }

    /// Makes a layer of this kind.
    pub(crate) fn make(&self, kind: &str, options: serde_json::Value) -> Result<Box<dyn Description<F>>> {
        let Some(make) = self.constructors.get(kind) else {
            let known = self.constructors.keys().cloned().collect();
            return Err(Error::UnknownKind { kind: kind.into(), known });
        };
        make(options).map_err(|source| Error::Options { kind: kind.into(), source })
    }
}
