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

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use serde_json::json;

    use super::*;
    use crate::error::Error;

    /// A part that is nothing but a number.
    #[derive(Debug, PartialEq)]
    struct Part(u64);

    impl<'de> Deserialize<'de> for Part {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
            deserialize_part(deserializer)
        }
    }

    fn part(kind: &str, options: Value) -> Value {
        json!({ "kind": kind, "options": options })
    }

    fn read(value: Value) -> Result<Part> {
        serde_json::from_value(value).map_err(|source| Error::options("Part", source))
    }

    /// What reading says.
    fn problem(value: Value) -> String {
        read(value).unwrap_err().to_string()
    }

    /// Reads a `Number` as it is, plus this, a `Sum` of parts, and of a `Text` something else.
    fn reader(plus: u64) -> Rc<ReadPart> {
        Rc::new(move |made, part| {
            assert_eq!(made, TypeId::of::<Part>());
            let wrong = |source| Error::options("Part", source);
            match part.kind.as_str() {
                "Number" => Ok(Box::new(Part(plus + serde_json::from_value::<u64>(part.options).map_err(wrong)?))),
                "Sum" => {
                    let parts: Vec<Part> = serde_json::from_value(part.options).map_err(wrong)?;
                    Ok(Box::new(Part(parts.iter().map(|part| part.0).sum())))
                }
                "Text" => Ok(Box::new(String::new())),
                _ => Err(Error::UnknownKind { kind: part.kind, known: vec!["Number".into()] }),
            }
        })
    }

    #[test]
    fn parts_are_read_by_their_kind_and_in_parts() {
        let sum = part("Sum", json!([part("Number", json!(2)), part("Sum", json!([part("Number", json!(5))]))]));
        assert_eq!(with_parts(reader(1), || read(sum)).unwrap(), Part(9));
    }

    #[test]
    fn what_is_no_part_is_an_error() {
        with_parts(reader(0), || {
            let unknown = part("Sum", json!([part("Number", json!(2)), part("Other", json!(null))]));
            assert!(problem(unknown).contains("a layer of kind \"Other\", which is not registered"));
            assert!(problem(part("Number", json!(-1))).contains("invalid value: integer `-1`"));
            assert!(problem(part("Text", json!(1))).contains("its part is of another type"));
            assert!(problem(json!({ "kind": "Number" })).contains("missing field `options`"));
            assert!(problem(json!({ "options": 1 })).contains("missing field `kind`"));
            assert!(problem(json!(1)).contains("invalid type: integer `1`"));
        });
    }

    #[test]
    fn a_reader_is_there_for_as_long_as_it_is_asked_for() {
        let number = || part("Number", json!(1));
        let nobody = || assert!(problem(number()).contains("its parts are known to a Registry only"));
        nobody();
        with_parts(reader(0), || {
            assert_eq!(read(number()).unwrap(), Part(1));
            // One inside another, also if it ends by a panic.
            with_parts(reader(10), || assert_eq!(read(number()).unwrap(), Part(11)));
            assert_eq!(read(number()).unwrap(), Part(1));
            let panic = catch_unwind(AssertUnwindSafe(|| with_parts(reader(20), || panic!("as it should"))));
            assert_eq!(*panic.unwrap_err().downcast_ref::<&str>().unwrap(), "as it should");
            assert_eq!(read(number()).unwrap(), Part(1));
            // Another thread has none.
            std::thread::scope(|scope| scope.spawn(nobody).join().unwrap());
        });
        nobody();
        assert!(problem(part("Other", json!(1))).contains("Registry only"));
    }
}
