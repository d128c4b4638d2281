//! Writes source in which mutants are chosen at run time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::find::{Change, Mutant};

/// Where a mutant is in the text written: its own code, and the choice between it and the original.
pub struct Place {
    pub changed: Range<usize>,
    pub whole: Range<usize>,
}

/// The source with those of the mutants that are chosen; the first one has the number `first`.
pub fn write(
    source: &str,
    mutants: &[Mutant],
    first: usize,
    chosen: &BTreeSet<usize>,
) -> (String, BTreeMap<usize, Place>) {
    let mut chosen: Vec<_> = mutants
        .iter()
        .enumerate()
        .map(|(index, mutant)| (first + index, mutant))
        .filter(|(id, _)| chosen.contains(id))
        .collect();
    // What holds others comes before them; of the same range the deletion of a statement holds its changes.
    chosen.sort_by_key(|(_, mutant)| {
        (mutant.range.start, usize::MAX - mutant.range.end, !matches!(mutant.change, Change::Delete))
    });
    let mut writer = Writer { source, text: String::new(), places: BTreeMap::new() };
    writer.write(0..source.len(), &chosen);
    (writer.text, writer.places)
}

struct Writer<'a> {
    source: &'a str,
    text: String,
    places: BTreeMap<usize, Place>,
}

impl Writer<'_> {
    /// Writes a part of the source, with the mutants in it.
    fn write(&mut self, part: Range<usize>, mut mutants: &[(usize, &Mutant)]) {
        let mut from = part.start;
        while let Some(&(_, mutant)) = mutants.first() {
            let range = mutant.range.clone();
            self.text.push_str(&self.source[from..range.start]);
            let inside = mutants.iter().take_while(|(_, other)| other.range.start < range.end || other.range == range);
            let (these, rest) = mutants.split_at(inside.count());
            self.choose(range.clone(), these);
            (from, mutants) = (range.end, rest);
        }
        self.text.push_str(&self.source[from..part.end]);
    }

    /// Writes the choice between the original of a range and the mutants of it, which come first among those in it.
    fn choose(&mut self, range: Range<usize>, mutants: &[(usize, &Mutant)]) {
        let start = self.text.len();
        let same = mutants.iter().take_while(|(_, mutant)| mutant.range == range).count();
        let (these, inside) = mutants.split_at(same);
        let deletions = these.iter().take_while(|(_, mutant)| matches!(mutant.change, Change::Delete)).count();
        let (deletions, changes) = these.split_at(deletions);
        for (id, _) in deletions {
            self.condition("if !", *id);
        }
        let mut replaces = false;
        for (id, mutant) in changes {
            match &mutant.change {
                Change::Return(value) => {
                    self.condition("if ", *id);
                    let from = self.text.len();
                    self.text.push_str(&format!("return {value};"));
                    self.places.insert(*id, Place { changed: from..self.text.len(), whole: 0..0 });
                    self.text.push('}');
                }
                Change::Replace(code) => {
                    self.text.push_str(if replaces { " else " } else { "(" });
                    self.condition("if ", *id);
                    let from = self.text.len();
                    self.text.push_str(code);
                    self.places.insert(*id, Place { changed: from..self.text.len(), whole: 0..0 });
                    self.text.push('}');
                    replaces = true;
                }
                Change::Delete => unreachable!("deletions come first"),
            }
        }
        if replaces {
            self.text.push_str(" else {");
        }
        self.write(range, inside);
        if replaces {
            self.text.push_str("})");
        }
        for (id, _) in deletions {
            self.text.push('}');
            self.places.insert(*id, Place { changed: 0..0, whole: 0..0 });
        }
        for (id, _) in these {
            self.places.get_mut(id).expect("each of these was written").whole = start..self.text.len();
        }
    }

    fn condition(&mut self, before: &str, id: usize) {
        self.text.push_str(&format!("{before}crate::mutants::is({id}) {{"));
    }
}
