//! The text, and its characters as numbers.

use std::fs;
use std::path::{Path, PathBuf};

use bptt::{Error, Result};
use ndarray::Array2;

/// Text to learn from, and what comes after it, to be measured by.
pub struct Text {
    pub train: Vec<u32>,
    pub held_out: Vec<u32>,
    vocabulary: Vec<char>,
}

/// The part at the end that is held out: one in so many characters.
const HELD_OUT: usize = 10;
/// A character must be found as often as this to have a number of its own.
const OFTEN: usize = 5;
/// What stands for all others.
const UNKNOWN: char = '\u{FFFD}';
/// Less text than this is too little.
const LEAST: usize = 2000;

impl Text {
    /// Reads a file, or the source and documents of the crate in a folder.
    pub fn load(path: &Path) -> std::result::Result<Self, Box<dyn std::error::Error>> {
        let files = if path.is_dir() { files_of_crate(path)? } else { vec![path.to_path_buf()] };
        let mut text = String::new();
        for path in files {
            // What is not UTF-8 becomes unknown characters.
            text.push_str(&String::from_utf8_lossy(&fs::read(&path).map_err(Error::io("read", &path))?));
        }
        Text::new(&text).map_err(Into::into)
    }

    /// The end of it held out, numbers for the characters of the rest.
    pub fn new(text: &str) -> std::result::Result<Self, String> {
        let characters: Vec<char> = text.chars().collect();
        if characters.len() < LEAST {
            return Err(format!("the text has {} characters; take one with {LEAST} or more", characters.len()));
        }
        let (train, held_out) = characters.split_at(characters.len() - characters.len() / HELD_OUT);
        let mut sorted = train.to_vec();
        sorted.sort_unstable();
        let often = sorted.chunk_by(|a, b| a == b).filter(|same| same.len() >= OFTEN).map(|same| same[0]);
        let vocabulary: Vec<char> = [UNKNOWN].into_iter().chain(often.filter(|&letter| letter != UNKNOWN)).collect();
        let numbers = |part: &[char]| part.iter().map(|&letter| number(&vocabulary, letter)).collect();
        Ok(Text { train: numbers(train), held_out: numbers(held_out), vocabulary })
    }

    /// How many characters have a number.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary.len()
    }

    /// The number of a character: 0 if it is unknown.
    pub fn number(&self, letter: char) -> u32 {
        number(&self.vocabulary, letter)
    }

    /// The character with this number.
    pub fn letter(&self, number: u32) -> char {
        self.vocabulary.get(number as usize).copied().unwrap_or(UNKNOWN)
    }
}

fn number(vocabulary: &[char], letter: char) -> u32 {
    // The first is the unknown one, the others are in order.
    vocabulary[1..].binary_search(&letter).map_or(0, |place| place as u32 + 1)
}

/// Cuts a text into this many parts of equal length, one below the other, and what comes one character later.
pub fn streams(text: &[u32], count: usize) -> (Array2<u32>, Array2<u32>) {
    let length = text.len().saturating_sub(1) / count;
    let part = |late: usize| Array2::from_shape_fn((count, length), |(row, t)| text[row * length + t + late]);
    (part(0), part(1))
}

/// The documents at the top of this folder and the source below it, in the order of their names.
fn files_of_crate(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = listed(root, "md", false)?;
    files.extend(listed(&root.join("src"), "rs", true)?);
    Ok(files)
}

fn listed(folder: &Path, extension: &str, deep: bool) -> Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        entries.push(entry.map_err(Error::io("read", folder))?.path());
    }
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        if deep && path.is_dir() {
            files.extend(listed(&path, extension, deep)?);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    Ok(files)
}
