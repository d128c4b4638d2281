//! What a pickle of an object array holds besides lists: names, tuples, the element type, the array itself.
//!
//! Contract: [`Objects::reduce`] and [`Objects::build`] are the only places where a pickle's calls have an effect, and
//! each knows exactly the calls NumPy writes: make an empty array, make the element type "object", turn a string into
//! bytes, give the element type its byte order, give the array its elements. Whatever else is asked comes back as an
//! error that describes what it was asked of.
//!
//! Read next: `pickle.rs`, the machine that calls these.

use super::npz_problem::{NpzProblem, quoted};
use super::pickle_rows::Item;

/// The most strings and tuples; NumPy's pickles hold about fifteen.
const MAX_OBJECTS: usize = 256;
/// The longest tuple; the state of an element type has eight items.
const MAX_TUPLE: usize = 16;

/// A global that NumPy writes for an object array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// Makes an array without elements.
    Reconstruct,
    /// The type of arrays, an argument of the above.
    NdArray,
    /// Makes an element type.
    DType,
    /// Turns a string into bytes: protocol 2 has no bytes of its own.
    Encode,
}

impl Global {
    /// The global of that name; NumPy renamed its module `numpy.core` in version 2.
    pub(super) fn find(module: &[u8], name: &[u8]) -> Option<Self> {
        match (module, name) {
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"_reconstruct") => Some(Self::Reconstruct),
            (b"numpy", b"ndarray") => Some(Self::NdArray),
            (b"numpy", b"dtype") => Some(Self::DType),
            (b"_codecs", b"encode") => Some(Self::Encode),
            _ => None,
        }
    }
}

/// A value on the machine's stack; what does not fit in a word is named by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Integer(i64),
    /// An integer of more than 64 bits, whose value is of no use.
    HugeInteger,
    /// Text or bytes: of these the difference does not matter here.
    Text(usize),
    Tuple(usize),
    List(usize),
    Global(Global),
    /// The element type "object".
    ObjectType,
    /// The one array.
    Array,
}

impl Value {
    /// What to call it in a message.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a bool",
            Self::Integer(_) => "an integer",
            Self::HugeInteger => "an integer of more than 64 bits",
            Self::Text(_) => "a string",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Global(Global::Reconstruct) => "numpy's _reconstruct",
            Self::Global(Global::NdArray) => "numpy.ndarray",
            Self::Global(Global::DType) => "numpy.dtype",
            Self::Global(Global::Encode) => "_codecs.encode",
            Self::ObjectType => "an element type",
            Self::Array => "an array",
        }
    }

    /// The value as an item of a list.
    pub(super) fn as_item(self) -> Item {
        match self {
            Self::Integer(value) => Item::Integer(value),
            Self::List(number) => Item::List(number),
            other => Item::Other(other.kind()),
        }
    }
}

/// The array, as far as the pickle has told of it.
#[derive(Debug, Default)]
enum Array {
    #[default]
    Missing,
    Empty,
    Filled {
        length: i64,
        list: usize,
    },
}

/// The strings and tuples of a pickle, and its array.
#[derive(Debug, Default)]
pub(super) struct Objects {
    texts: Vec<Vec<u8>>,
    tuples: Vec<Vec<Value>>,
    array: Array,
}

impl Objects {
    pub(super) fn new_text(&mut self, text: Vec<u8>) -> Result<Value, NpzProblem> {
        self.check_room()?;
        self.texts.push(text);
        Ok(Value::Text(self.texts.len() - 1))
    }

    pub(super) fn tuple(&mut self, items: Vec<Value>) -> Result<Value, NpzProblem> {
        self.check_room()?;
        if items.len() > MAX_TUPLE {
            return Err(NpzProblem::Limit { what: "items in a tuple of its pickle", limit: MAX_TUPLE as u64 });
        }
        self.tuples.push(items);
        Ok(Value::Tuple(self.tuples.len() - 1))
    }

    /// The text, if `value` is one.
    pub(super) fn text(&self, value: Value) -> Option<&[u8]> {
        match value {
            Value::Text(number) => self.texts.get(number).map(Vec::as_slice),
            _ => None,
        }
    }

    /// The array's length and the list of its elements, once [`Self::build`] has given them.
    pub(super) fn array(&self) -> Option<(i64, usize)> {
        match self.array {
            Array::Filled { length, list } => Some((length, list)),
            Array::Missing | Array::Empty => None,
        }
    }

    /// The result of a call, or what to say of one that is not NumPy's.
    pub(super) fn reduce(&mut self, callable: Value, arguments: Value) -> Result<Value, String> {
        match (callable, self.items(arguments)) {
            (Value::Global(Global::Reconstruct), &[Value::Global(Global::NdArray), shape, kind])
                if self.items(shape) == [Value::Integer(0)]
                    && self.text(kind) == Some(b"b")
                    && matches!(self.array, Array::Missing) =>
            {
                self.array = Array::Empty;
                Ok(Value::Array)
            }
            (Value::Global(Global::DType), &[name, align, copy])
                if matches!(self.text(name), Some(b"O" | b"O4" | b"O8")) && is_flag(align) && is_flag(copy) =>
            {
                Ok(Value::ObjectType)
            }
            (Value::Global(Global::Encode), &[text, codec])
                if self.text(text) == Some(b"b") && self.text(codec) == Some(b"latin1") =>
            {
                Ok(text)
            }
            (_, items) => match items.first().and_then(|&first| self.text(first)) {
                Some(text) => Err(format!("{} (with {:?} as the first argument)", callable.kind(), quoted(text))),
                None => Err(callable.kind().to_owned()),
            },
        }
    }

    /// Gives `target` its state, or says what to say of one that is not NumPy's.
    pub(super) fn build(&mut self, target: Value, state: Value) -> Result<(), String> {
        match (target, self.items(state)) {
            // Format 3 of the state: byte order, then the parts of other element types, all absent.
            (
                Value::ObjectType,
                &[Value::Integer(3), order, Value::None, Value::None, Value::None, size, align, flags],
            ) if self.text(order) == Some(b"|")
                && [size, align, flags].iter().all(|value| matches!(value, Value::Integer(_))) =>
            {
                Ok(())
            }
            // Format 1: shape, element type, whether columns come first (no matter in one dimension), elements.
            (Value::Array, &[Value::Integer(1), shape, Value::ObjectType, order, Value::List(list)])
                if is_flag(order) && matches!(self.array, Array::Empty) =>
            {
                let &[Value::Integer(length)] = self.items(shape) else {
                    return Err("an array without exactly one dimension".to_owned());
                };
                self.array = Array::Filled { length, list };
                Ok(())
            }
            _ => Err(target.kind().to_owned()),
        }
    }

    /// The items of a tuple; of anything else, none.
    fn items(&self, value: Value) -> &[Value] {
        match value {
            Value::Tuple(number) => self.tuples.get(number).map_or(&[], Vec::as_slice),
            _ => &[],
        }
    }

    fn check_room(&self) -> Result<(), NpzProblem> {
        if self.texts.len() + self.tuples.len() < MAX_OBJECTS {
            return Ok(());
        }
        Err(NpzProblem::Limit { what: "strings and tuples in its pickle", limit: MAX_OBJECTS as u64 })
    }
}

/// A flag: Python 2 wrote some as 0 and 1.
fn is_flag(value: Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Integer(0 | 1))
}
