//! Parts of wrappers in files: which type a part has is known by its kind alone, and who knows the kinds is on a floor above.
//!
//! So whoever reads a file says so for as long as it reads: [`with_parts`]. It is a matter of the thread, for serde hands
//! nothing down.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::rc::Rc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::error::Result;

/// A part of a wrapper in a file: its kind, and its options.
#[derive(Deserialize, Serialize)]
pub(crate) struct SavedPart {
    pub(crate) kind: String,
    pub(crate) options: Value,
}

/// Makes a part: a value of the type with this id.
pub(crate) type ReadPart = dyn Fn(TypeId, SavedPart) -> Result<Box<dyn Any>>;

thread_local! {
    static READER: RefCell<Option<Rc<ReadPart>>> = const { RefCell::new(None) };
}

/// Calls `read`, within which parts are made by `reader`.
pub(crate) fn with_parts<T>(reader: Rc<ReadPart>, read: impl FnOnce() -> T) -> T {
    /// Puts back what was there, also when `read` panics.
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
