//! The floors of the crate: a file uses floors below its own, never one above it.
//!
//! A floor is a file or a folder at the top of `src/`. What counts are the paths `crate::…` of the code, in `use` and elsewhere,
//! and those that reach the root by `super::…`; comments and strings do not.

use std::fs;
use std::path::Path;

/// All floors, from the lowest to the highest. `lib.rs`, the root, stands above them.
const FLOORS: &[&str] = &[
    "error",
    "logging",
    "numeric",
    "random",
    "threads",
    "files",
    "history",
    "tensor",
    "weights",
    "activations",
    "kernels",
    "layer",
    "recurrent",
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "network",
    "data",
    "model",
    "io",
    "training",
    "callbacks",
    "models",
    "prelude",
    "preprocessing",
    "datasets",
    "testing",
    "guide",
];

/// What the root gives another name: the name, and the floor on which it is.
const AT_THE_ROOT: &[(&str, &str)] = &[
    ("Error", "error"),
    ("Result", "error"),
    ("CheckpointProblem", "error"),
    ("instructions", "numeric"),
    ("constraints", "weights"),
    ("initializers", "weights"),
    ("regularizers", "weights"),
    ("params", "weights"),
    ("conformance", "testing"),
    ("conformance_laws", "testing"),
    ("bench_cell", "testing"),
];

/// How high a floor is, counted from 0.
fn height(floor: &str) -> Option<usize> {
    FLOORS.iter().position(|&known| known == floor)
}

/// The floor of a file, of which the path below `src/` is given.
fn floor_of(file: &str) -> &str {
    let top = file.split('/').next().unwrap_or(file);
    top.strip_suffix(".rs").unwrap_or(top)
}

/// The code with blanks in the place of comments and of what is inside strings and character literals.
fn without_comments_and_strings(source: &str) -> String {
    let characters: Vec<char> = source.chars().collect();
    let starts = |at: usize, text: &str| text.chars().enumerate().all(|(n, c)| characters.get(at + n) == Some(&c));
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        let end = if starts(at, "//") {
            end_of_line(&characters, at)
        } else if starts(at, "/*") {
            end_of_comment(&characters, at)
        } else if character == '"' {
            end_of_string(&characters, at)
        } else if character == 'r' && !is_name(at.checked_sub(1).map(|before| characters[before])) {
            end_of_raw_string(&characters, at)
        } else if character == '\'' {
            end_of_character(&characters, at)
        } else {
            at
        };
        if end == at {
            code.push(character);
            at += 1;
        } else {
            code.push(' ');
            at = end;
        }
    }
    code
}

fn is_name(character: Option<char>) -> bool {
    character.is_some_and(|character| character.is_alphanumeric() || character == '_')
}

fn end_of_line(characters: &[char], from: usize) -> usize {
    characters[from..].iter().position(|&c| c == '\n').map_or(characters.len(), |length| from + length)
}

/// Comments stand in one another.
fn end_of_comment(characters: &[char], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0);
    while at < characters.len() {
        match (characters[at], characters.get(at + 1)) {
            ('/', Some('*')) => (at, depth) = (at + 2, depth + 1),
            ('*', Some('/')) => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at.min(characters.len())
}

fn end_of_string(characters: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < characters.len() && characters[at] != '"' {
        at += if characters[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(characters.len())
}

/// `from` itself if no raw string begins there.
fn end_of_raw_string(characters: &[char], from: usize) -> usize {
    let hashes = characters[from + 1..].iter().take_while(|&&c| c == '#').count();
    if characters.get(from + 1 + hashes) != Some(&'"') {
        return from;
    }
    let closed = |&at: &usize| characters[at] == '"' && characters[at + 1..].iter().take(hashes).all(|&c| c == '#');
    let end = (from + 2 + hashes..characters.len()).find(closed);
    end.map_or(characters.len(), |end| (end + 1 + hashes).min(characters.len()))
}

/// `from` itself if it is the mark of a lifetime.
fn end_of_character(characters: &[char], from: usize) -> usize {
    match (characters.get(from + 1), characters.get(from + 2)) {
        (Some('\\'), Some(_)) => {
            let end = characters[from + 3..].iter().position(|&c| c == '\'');
            end.map_or(characters.len(), |length| from + 3 + length + 1)
        }
        (Some(_), Some('\'')) => from + 3,
        _ => from,
    }
}

/// The first names of all paths from the root, `crate::` or as many `super::` as lead to it: of `crate::{a::b, c::{d, e}}`
/// these are a and c. What a macro writes, `$crate::…`, is used where the macro is.
fn used_names(file: &str, source: &str) -> Vec<String> {
    let code = without_comments_and_strings(source).replace(" ::", "::");
    let depth = file.trim_end_matches("/mod.rs").split('/').count();
    // A module of tests at the end of the file is one level deeper.
    let tests = code.find("mod tests {").unwrap_or(code.len());
    let to_root = |at: usize| "super::".repeat(depth + usize::from(at > tests));
    let starts = code.match_indices("crate::").map(|(at, word)| (at, at + word.len()));
    let climbs = code.match_indices("super::").map(|(at, _)| at).filter(|&at| !code[..at].ends_with("super::"));
    let climbs = climbs.filter(|&at| code[at..].starts_with(&to_root(at))).map(|at| (at, at + to_root(at).len()));
    let mut names = Vec::new();
    for (at, end) in starts.chain(climbs) {
        let before = code[..at].chars().next_back();
        if is_name(before) || before == Some('$') {
            continue;
        }
        let rest = &code[end..];
        match rest.trim_start().strip_prefix('{') {
            None => names.push(first_name(rest)),
            Some(group) => names.extend(parts_of_group(group).map(first_name)),
        }
    }
    names
}

fn first_name(path: &str) -> String {
    path.trim_start().chars().take_while(|&character| is_name(Some(character)) || character == '*').collect()
}

/// What stands between the commas of a group, up to the brace that closes it.
fn parts_of_group(group: &str) -> impl Iterator<Item = &str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    parts.into_iter().filter(|part| !part.trim().is_empty())
}

/// What is wrong with a file, of which the path below `src/` is given.
fn wrong_uses(file: &str, source: &str) -> Vec<String> {
    let own = floor_of(file);
    let Some(own_height) = height(own) else {
        return vec![format!("src/{file} is on the floor {own:?}, which is not on the list")];
    };
    let mut wrong = Vec::new();
    for name in used_names(file, source) {
        let moved = AT_THE_ROOT.iter().find(|(known, _)| *known == name);
        let floor = moved.map_or(name.as_str(), |(_, floor)| floor);
        match height(floor) {
            None => wrong.push(format!("src/{file} uses crate::{name}, which is on no floor of the list")),
            Some(height) if height > own_height => {
                wrong.push(format!("src/{file} on the floor {own:?} uses crate::{name} on the higher floor {floor:?}"));
            }
            Some(_) => {}
        }
    }
    wrong.dedup();
    wrong
}

/// All files of Rust below a folder, by their paths below `src/`.
fn files(folder: &Path, inside: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{inside}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            files(&path, &format!("{name}/"), found);
        } else if name.ends_with(".rs") && name != "lib.rs" {
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn no_file_uses_a_floor_above_its_own() {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../src"), "", &mut found);
    found.sort();
    assert!(found.len() > 100, "{} files", found.len());
    let wrong: Vec<String> = found.iter().flat_map(|(file, source)| wrong_uses(file, source)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    for floor in FLOORS {
        assert!(found.iter().any(|(file, _)| floor_of(file) == *floor), "there is no floor {floor:?} any more");
    }
}

#[test]
fn an_arrow_up_is_found_wherever_it_stands() {
    let up = |name: &str| {
        format!("src/tensor/form.rs on the floor \"tensor\" uses crate::{name} on the higher floor \"layer\"")
    };
    for source in [
        "use crate::layer::Pass;",
        "pub(crate) use crate::layer;",
        "use crate::{error::{Error, Result}, layer::Pass};",
        "use crate::{\n    error::{Error, Result},\n    numeric::Scalar,\n    layer::{\n        Pass,\n    },\n};",
        "use crate::{layer};",
        "use crate::{layer as floor, error};",
        "fn pass() -> crate::layer::Pass { crate::layer::Pass::inference() }",
        "impl<'a> Of<'a> for Vec<crate :: layer::Pass<'a>> {}",
        "const A: char = '\"'; fn a() { crate::layer::a() } const B: char = '\"';",
        "const A: &str = \"\\\"\"; use crate::layer::a;",
        "const A: &str = r#\"\"\"#; use crate::layer::a;",
        "/* /* */ */ use crate::layer::a; // and more",
        "use super::super::layer::Pass;",
        "mod tests {\n    use super::super::super::layer::Pass;\n}",
    ] {
        assert_eq!(wrong_uses("tensor/form.rs", source), [up("layer")], "{source}");
    }
    assert_eq!(
        wrong_uses("error.rs", "use crate::constraints::Constraint;"),
        ["src/error.rs on the floor \"error\" uses crate::constraints on the higher floor \"weights\""]
    );
    for file in ["error.rs", "error/mod.rs"] {
        assert_eq!(
            wrong_uses(file, "use super::layer::Pass;"),
            [format!("src/{file} on the floor \"error\" uses crate::layer on the higher floor \"layer\"")]
        );
    }
}

#[test]
fn what_is_no_arrow_up_is_let_pass() {
    for source in [
        "use crate::error::{Error, Result};",
        "use crate::tensor::State; use crate::{Error, Result};",
        "// use crate::layer::Pass;\n/// [`Pass`](crate::layer::Pass)\n//! crate::layer",
        "/* use crate::layer::Pass; /* crate::layer */ crate::layer */",
        "const A: &str = \"crate::layer\"; const B: &str = r#\"\"crate::layer\"\"#; const C: &str = \"\\\\\";",
        "macro_rules! a { () => { $crate::layer::a() } }",
        "pub(crate) fn layer() { my_crate::layer::a(); super::layer::a() }",
        "mod tests {\n    use super::super::layer::Pass;\n}",
        "use crate::{error::{self, layer}, numeric::{layer::{layer}}};",
    ] {
        assert_eq!(wrong_uses("tensor/form.rs", source), [""; 0], "{source}");
    }
}

#[test]
fn a_floor_that_is_not_on_the_list_is_found() {
    assert_eq!(wrong_uses("attic/a.rs", ""), ["src/attic/a.rs is on the floor \"attic\", which is not on the list"]);
    assert_eq!(wrong_uses("attic.rs", ""), ["src/attic.rs is on the floor \"attic\", which is not on the list"]);
    assert_eq!(
        wrong_uses("tensor/form.rs", "use crate::attic::Box;"),
        ["src/tensor/form.rs uses crate::attic, which is on no floor of the list"]
    );
    assert_eq!(
        wrong_uses("tensor/form.rs", "use crate::*;"),
        ["src/tensor/form.rs uses crate::*, which is on no floor of the list"]
    );
}
