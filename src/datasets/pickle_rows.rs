//! The lists of a pickle: reviews (lists of word ids), and the list of all reviews.
//!
//! Contract: a list holds either ids or lists, as its first item decides. What does not fit is remembered with its
//! position and only becomes an error when the list turns out to be a review, for only then is the review's number
//! known. Lists name each other by number, so that a list that contains itself is a finite thing; a review that is
//! used again is copied, and the copies count towards [`MAX_WORDS`].
//!
//! Read next: `pickle.rs`, which fills them.

use super::npy::MAX_REVIEWS;
use super::npz_problem::NpzProblem;

/// The most words of one set, reviews that appear twice counted twice: 2^24. The real file has 6 million.
const MAX_WORDS: u64 = 1 << 24;

/// An item to be appended to a list.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item {
    /// An integer.
    Integer(i64),
    /// The list of this number.
    List(usize),
    /// Anything else, described.
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
    /// The first item that fits neither; boxed, because there may be many lists and this is rare.
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
        // One more than the reviews: the list of them.
        if self.lists.len() as u64 > MAX_REVIEWS {
            return Err(too_many_reviews());
        }
        self.lists.push(List { items: Items::Empty, misfit: None });
        Ok(self.lists.len() - 1)
    }

    /// Appends `item` to the list of number `list`, which [`Self::create`] gave.
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
                    // After a misfit the list is only kept for its error.
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
            // Made one of the others above.
            (Items::Empty, _) => return Ok(()),
        };
        misfit.get_or_insert_with(|| Box::new((length, found)));
        Ok(())
    }

    /// The reviews in the list of number `outer`.
    pub(super) fn into_reviews(mut self, outer: usize) -> Result<Vec<Vec<u32>>, NpzProblem> {
        let List { items, misfit } =
            std::mem::replace(&mut self.lists[outer], List { items: Items::Empty, misfit: None });
        let numbers = match (items, misfit) {
            (Items::Empty, None) => return Ok(Vec::new()),
            (Items::Lists(numbers), None) => numbers,
            (Items::Lists(_), Some(misfit)) => {
                return Err(NpzProblem::Review { review: misfit.0, found: misfit.1 });
            }
            // No list came first; what did is either an integer or the misfit at position 0.
            (_, Some(misfit)) if misfit.0 == 0 => return Err(NpzProblem::Review { review: 0, found: misfit.1 }),
            _ => return Err(NpzProblem::Review { review: 0, found: "an integer".to_owned() }),
        };
        let mut reviews: Vec<Vec<u32>> = Vec::new();
        // Where a list went the first time it was used.
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

#[cfg(test)]
mod tests {
    use super::{Item, Lists, MAX_WORDS};
    use crate::datasets::npz_problem::NpzProblem;

    /// The list of reviews, number 0, and one review, number 1, holding `items`.
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
