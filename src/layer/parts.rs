//! Parts of wrappers in files. The type of a part follows from its kind, but only modules above this one know the kinds.
//!
//! A reader of files therefore provides the function with [`with_parts`] while it reads. It is stored per thread, because
//! serde passes no context down.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::rc::Rc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::error::Result;

/// Part of a wrapper in a file: its kind, and its options.
#[derive(Deserialize, Serialize)]
pub(crate) struct SavedPart {
    pub(crate) kind: String,
    pub(crate) options: Value,
}

/// Function that makes a part: a value of the type with this id.
pub(crate) type ReadPart = dyn Fn(TypeId, SavedPart) -> Result<Box<dyn Any>>;

thread_local! {
    static READER: RefCell<Option<Rc<ReadPart>>> = const { RefCell::new(None) };
}

/// Calls `read`, within which `reader` makes parts.
pub(crate) fn with_parts<T>(reader: Rc<ReadPart>, read: impl FnOnce() -> T) -> T {
    /// Restores the previous reader, also when `read` panics.
    struct Before(Option<Rc<ReadPart>>);
    impl Drop for Before {
        fn drop(&mut self) {
            READER.with(|current| *current.borrow_mut() = self.0.take());
        }
    }
    let _before = Before(READER.with(|current| current.borrow_mut().replace(reader)));
    read()
}

/// Reads a part.
pub(crate) fn deserialize_part<'de, T: 'static, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<T, D::Error> {
    let part = SavedPart::deserialize(deserializer)?;
    let reader = READER.with(|current| current.borrow().clone());
    let reader =
        reader.ok_or_else(|| D::Error::custom("its parts are known to a Registry only; use Model::load_with"))?;
    let made = reader(TypeId::of::<T>(), part).map_err(D::Error::custom)?;
    made.downcast().map(|part| *part).map_err(|_| D::Error::custom("its part is of another type"))
}
