//! Values of a pickled object array: lists (of word ids, and of all reviews), and the other objects that NumPy writes.
//!
//! A list has either ids or lists, depending on its first item. The first item of the wrong kind is stored with its
//! position and becomes an error only when the list is used as a review, because only then is the review's number
//! known. Lists refer to each other by number, so a list that contains itself is finite. A review that is used again is
//! copied, and the copies count towards [`MAX_WORDS`].
//!
//! A pickle's calls have an effect only in [`Objects::reduce`] and [`Objects::build`]. They accept exactly the calls
//! that NumPy writes: create an empty array, create the element type "object", turn a string into bytes, set the byte
//! order of the element type, set the elements of the array. Any other call is an error that describes its target.

use crate::datasets::imdb::npy::MAX_REVIEWS;
use crate::datasets::imdb::problem::{NpzProblem, quoted};

/// Maximum number of words in one set: 2^24. A review that is used twice counts twice. The real file has 6 million.
const MAX_WORDS: u64 = 1 << 24;
/// Maximum number of strings and tuples. NumPy's pickles have about fifteen.
const MAX_OBJECTS: usize = 256;
/// Maximum length of a tuple. The state of an element type has eight items.
const MAX_TUPLE: usize = 16;

/// Item to append to a list.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item {
    /// Integer.
    Integer(i64),
    /// List with this number.
    List(usize),
    /// Description of anything else.
    Other(&'static str),
}

#[derive(Debug)]
enum Items {
    Empty,
    Words(Vec<u32>),
    Lists(Vec<usize>),
}

#[derive(Debug)]
struct List {
    items: Items,
    /// Position and description of the first item of the wrong kind. Boxed, because there may be many lists and this is
    /// rare.
    misfit: Option<Box<(usize, String)>>,
}

/// All lists of a pickle.
#[derive(Debug, Default)]
pub(super) struct Lists {
    lists: Vec<List>,
    words: u64,
    references: u64,
}

impl Lists {
    /// Adds an empty list and returns its number.
    pub(super) fn create(&mut self) -> Result<usize, NpzProblem> {
        // One more than the reviews, for the list of all reviews.
        if self.lists.len() as u64 > MAX_REVIEWS {
            return Err(too_many_reviews());
        }
        self.lists.push(List { items: Items::Empty, misfit: None });
        Ok(self.lists.len() - 1)
    }

    /// Appends an item to the list with this number, which [`Self::create`] returned.
    pub(super) fn append(&mut self, list: usize, item: Item) -> Result<(), NpzProblem> {
        let List { items, misfit } = &mut self.lists[list];
        if let (Items::Empty, Item::List(_)) = (&*items, item) {
            *items = Items::Lists(Vec::new());
        } else if let Items::Empty = items {
            *items = Items::Words(Vec::new());
        }
        let (length, found) = match (items, item) {
            (Items::Lists(lists), Item::List(number)) => {
                lists.push(number);
                self.references += 1;
                return if self.references > MAX_REVIEWS { Err(too_many_reviews()) } else { Ok(()) };
            }
            (Items::Words(words), Item::Integer(value)) => match u32::try_from(value) {
                Ok(word) => {
                    // After a misfit the list is kept only for its error.
                    if misfit.is_none() {
                        words.push(word);
                        self.words = counted(self.words, 1)?;
                    }
                    return Ok(());
                }
                Err(_) => (words.len(), value.to_string()),
            },
            (Items::Words(words), Item::List(_)) => (words.len(), "a list".to_owned()),
            (Items::Words(words), Item::Other(kind)) => (words.len(), kind.to_owned()),
            (Items::Lists(lists), Item::Integer(_)) => (lists.len(), "an integer".to_owned()),
            (Items::Lists(lists), Item::Other(kind)) => (lists.len(), kind.to_owned()),
            // Not reached: an empty list was changed to another kind above.
            (Items::Empty, _) => return Ok(()),
        };
        misfit.get_or_insert_with(|| Box::new((length, found)));
        Ok(())
    }

    /// Returns the reviews in the list with the number `outer`.
    pub(super) fn into_reviews(mut self, outer: usize) -> Result<Vec<Vec<u32>>, NpzProblem> {
        let List { items, misfit } =
            std::mem::replace(&mut self.lists[outer], List { items: Items::Empty, misfit: None });
        let numbers = match (items, misfit) {
            (Items::Empty, None) => return Ok(Vec::new()),
            (Items::Lists(numbers), None) => numbers,
            (Items::Lists(_), Some(misfit)) => {
                return Err(NpzProblem::Review { review: misfit.0, found: misfit.1 });
            }
            // The first item is not a list. It is either an integer or the misfit at position 0.
            (_, Some(misfit)) if misfit.0 == 0 => return Err(NpzProblem::Review { review: 0, found: misfit.1 }),
            _ => return Err(NpzProblem::Review { review: 0, found: "an integer".to_owned() }),
        };
        let mut reviews: Vec<Vec<u32>> = Vec::new();
        // Index of the review for which a list was first used.
        let mut placed = vec![None; self.lists.len()];
        for (review, number) in numbers.into_iter().enumerate() {
            if number == outer {
                return Err(NpzProblem::Review { review, found: "the list of all reviews itself".to_owned() });
            }
            if let Some(first) = placed[number] {
                let copy: &Vec<u32> = &reviews[first];
                self.words = counted(self.words, copy.len() as u64)?;
                reviews.push(copy.clone());
                continue;
            }
            placed[number] = Some(review);
            let list = &mut self.lists[number];
            let words = match std::mem::replace(&mut list.items, Items::Empty) {
                Items::Empty => Vec::new(),
                Items::Words(words) => words,
                Items::Lists(_) => return Err(NpzProblem::Review { review, found: "a list of lists".to_owned() }),
            };
            if let Some(misfit) = list.misfit.take() {
                return Err(NpzProblem::Word { review, position: misfit.0, found: misfit.1 });
            }
            reviews.push(words);
        }
        Ok(reviews)
    }
}

fn counted(words: u64, more: u64) -> Result<u64, NpzProblem> {
    match words.saturating_add(more) {
        sum if sum > MAX_WORDS => Err(NpzProblem::Limit { what: "words", limit: MAX_WORDS }),
        sum => Ok(sum),
    }
}

fn too_many_reviews() -> NpzProblem {
    NpzProblem::Limit { what: "reviews", limit: MAX_REVIEWS }
}

/// Global that NumPy writes for an object array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// Function that creates an array without elements.
    Reconstruct,
    /// Type of arrays, an argument of [`Global::Reconstruct`].
    NdArray,
    /// Function that creates an element type.
    DType,
    /// Function that turns a string into bytes, because protocol 2 has no bytes.
    Encode,
}

impl Global {
    /// Returns the global with this name. NumPy renamed its module `numpy.core` in version 2.
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

/// Value on the machine's stack. Larger values are represented by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Integer(i64),
    /// Integer of more than 64 bits, whose value is not needed.
    HugeInteger,
    /// Text or bytes; the difference does not matter here.
    Text(usize),
    Tuple(usize),
    List(usize),
    Global(Global),
    /// Element type "object".
    ObjectType,
    /// The only array.
    Array,
}

impl Value {
    /// Returns the name of its kind for messages.
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

    /// Returns the value as an item of a list.
    pub(super) fn as_item(self) -> Item {
        match self {
            Self::Integer(value) => Item::Integer(value),
            Self::List(number) => Item::List(number),
            other => Item::Other(other.kind()),
        }
    }
}

/// State of the array while the pickle is read.
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

/// Strings and tuples of a pickle, and its array.
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

    /// Returns the text, if `value` is one.
    pub(super) fn text(&self, value: Value) -> Option<&[u8]> {
        match value {
            Value::Text(number) => self.texts.get(number).map(Vec::as_slice),
            _ => None,
        }
    }

    /// Returns the array's length and the number of the list of its elements, once [`Self::build`] has set them.
    pub(super) fn array(&self) -> Option<(i64, usize)> {
        match self.array {
            Array::Filled { length, list } => Some((length, list)),
            Array::Missing | Array::Empty => None,
        }
    }

    /// Returns the result of a call. A call that NumPy does not write is an error that describes its target.
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

    /// Sets the state of `target`. A state that NumPy does not write is an error that describes the target.
    pub(super) fn build(&mut self, target: Value, state: Value) -> Result<(), String> {
        match (target, self.items(state)) {
            // Format 3 of the state: byte order, then parts of other element types, all absent.
            (
                Value::ObjectType,
                &[Value::Integer(3), order, Value::None, Value::None, Value::None, size, align, flags],
            ) if self.text(order) == Some(b"|")
                && [size, align, flags].iter().all(|value| matches!(value, Value::Integer(_))) =>
            {
                Ok(())
            }
            // Format 1: shape, element type, whether the order is Fortran's (irrelevant in one dimension), elements.
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

    /// Returns the items of a tuple, and none for any other value.
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

/// Returns whether a value is a flag. Python 2 wrote some flags as 0 and 1.
fn is_flag(value: Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Integer(0 | 1))
}

#[cfg(test)]
mod tests {
    use super::{Item, Lists, MAX_WORDS};
    use crate::datasets::imdb::problem::NpzProblem;

    /// Returns an empty list of reviews, number 0, and one review, number 1, with these items.
    fn one_review(items: &[Item]) -> Lists {
        let mut lists = Lists::default();
        assert_eq!((lists.create(), lists.create()), (Ok(0), Ok(1)));
        for &item in items {
            lists.append(1, item).unwrap();
        }
        lists
    }

    #[test]
    fn a_review_used_twice_is_copied_and_counted() {
        let mut lists = one_review(&[Item::Integer(5), Item::Integer(6)]);
        lists.append(0, Item::List(1)).unwrap();
        lists.append(0, Item::List(1)).unwrap();
        assert_eq!(lists.into_reviews(0), Ok(vec![vec![5, 6]; 2]));
        // 2^10 words used 2^15 times.
        let mut lists = one_review(&[Item::Integer(5); 1 << 10]);
        for _ in 0..1 << 15 {
            lists.append(0, Item::List(1)).unwrap();
        }
        assert_eq!(lists.into_reviews(0), Err(NpzProblem::Limit { what: "words", limit: MAX_WORDS }));
    }

    #[test]
    fn misfits_are_placed() {
        for (item, found) in
            [(Item::Integer(-1), "-1"), (Item::Integer(1 << 32), "4294967296"), (Item::List(1), "a list")]
        {
            let mut lists = one_review(&[Item::Integer(5), item, Item::Other("None")]);
            lists.append(0, Item::List(1)).unwrap();
            let problem = NpzProblem::Word { review: 0, position: 1, found: found.into() };
            assert_eq!(lists.into_reviews(0), Err(problem));
        }
    }

    #[test]
    fn reviews_have_to_be_lists_of_integers() {
        let problem = |items: &[Item]| {
            let mut lists = one_review(&[]);
            for &item in items {
                lists.append(0, item).unwrap();
            }
            lists.append(1, Item::List(0)).unwrap();
            match lists.into_reviews(0) {
                Err(NpzProblem::Review { review, found }) => (review, found),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(problem(&[Item::List(0)]), (0, "the list of all reviews itself".into()));
        assert_eq!(problem(&[Item::List(1)]), (0, "a list of lists".into()));
        assert_eq!(problem(&[Item::List(1), Item::Integer(1)]), (1, "an integer".into()));
        assert_eq!(problem(&[Item::Integer(1)]), (0, "an integer".into()));
        assert_eq!(problem(&[Item::Other("None")]), (0, "None".into()));
        assert_eq!(problem(&[Item::Integer(-4)]), (0, "-4".into()));
    }
}
