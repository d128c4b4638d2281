//! Lists the mutants of the kernels and the recurrent layers, and writes a copy of their source in which some of them can
//! be chosen at run time:
//!
//! ```text
//! mutation ROOT OUT [ID...]
//! ```
//!
//! ROOT is the crate, OUT the folder of the copy, each ID a mutant that the copy is to have. One line a mutant goes to
//! standard output, its columns separated by tabs: number, file, line, the line's text, what is changed, why it is not to be
//! drawn (empty if it may be), and, if it is one of the IDs, the bytes of the copy that hold the changed code alone and the
//! whole choice.

mod find;
mod rewrite;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

const FOLDERS: [&str; 2] = ["src/kernels", "src/recurrent"];
/// Files of them in which nothing is changed.
const LEFT_OUT: [&str; 2] = [
    // The door for the benchmarks: nothing in the library runs it.
    "measure.rs",
    // Compiled for tests alone.
    "tests.rs",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(root), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("mutation ROOT OUT [ID...]".into());
    };
    let (root, out) = (Path::new(&root), Path::new(&out));
    let chosen = arguments.map(|id| id.parse()).collect::<Result<BTreeSet<usize>, _>>()?;

    let mut files = Vec::new();
    for folder in FOLDERS {
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut first = 0;
    for path in files {
        let file = path.strip_prefix(root)?.display().to_string();
        let source = fs::read_to_string(&path)?;
        let left_out = LEFT_OUT.iter().any(|name| path.ends_with(name));
        let mutants = if left_out { Vec::new() } else { find::mutants(&file, &source)? };
        let (text, places) = rewrite::write(&source, &mutants, first, &chosen);
        write_if_new(&out.join(&file), &text)?;
        let mut alike = BTreeMap::new();
        for (index, mutant) in mutants.iter().enumerate() {
            let id = first + index;
            let (line, text) = line_at(&source, mutant.at);
            // The same change of equal code further on in the line is told from the first by its number.
            let number = alike.entry((line, &mutant.description)).and_modify(|number| *number += 1).or_insert(1);
            let number = if *number == 1 { String::new() } else { format!(" ({number})") };
            let place = places.get(&id).map_or(String::new(), |place| {
                let (changed, whole) = (&place.changed, &place.whole);
                format!("\t{}\t{}\t{}\t{}", changed.start, changed.end, whole.start, whole.end)
            });
            println!(
                "{id}\t{file}\t{line}\t{text}\t{}{number}\t{}{place}",
                mutant.description,
                mutant.left_out.unwrap_or_default()
            );
        }
        first += mutants.len();
    }
    let last = chosen.last().map_or(0, |&id| id);
    write_if_new(
        &out.join("src/mutants.rs"),
        &include_str!("switch.rs").replace("usize = 0", &format!("usize = {last}")),
    )?;
    Ok(())
}

/// The Rust files in a folder and those below it.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Writes a file, unless that is what it holds: cargo goes by the time of writing.
fn write_if_new(path: &Path, text: &str) -> std::io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().expect("files of the copy are in folders"))?;
    fs::write(path, text)
}

/// The number of the line that holds this byte, and its text.
fn line_at(source: &str, byte: usize) -> (usize, &str) {
    let start = source[..byte].rfind('\n').map_or(0, |end| end + 1);
    let text = source[start..].lines().next().unwrap_or_default();
    (source[..start].matches('\n').count() + 1, text.trim())
}
