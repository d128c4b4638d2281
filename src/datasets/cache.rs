//! Search for Keras' `imdb.npz` and its word index on this machine.
//!
//! [`find`] and [`find_word_index`] look in Keras' own folder first, then in this crate's cache folder. They open no
//! file and use no network. A file that they find is used without comparing a checksum, because it may be the user's
//! own.
//!
//! `download` (feature `download`) fills the cache folder.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use etcetera::BaseStrategy;

/// Name of the file of reviews, in every folder.
pub const FILE_NAME: &str = "imdb.npz";
/// Name of the file of the word index, in every folder.
pub const WORD_INDEX_NAME: &str = "imdb_word_index.json";

/// Returns the path of `imdb.npz` on this machine, if there is one: the first of these that exists.
///
/// 1. `$KERAS_HOME/datasets/imdb.npz`; if that variable is unset or empty, `~/.keras/datasets/imdb.npz`,
/// 2. `imdb.npz` in [`folder`].
///
/// # Example
///
/// ```
/// # #[cfg(feature = "imdb")]
/// match bptt::datasets::cache::find() {
///     Some(file) => println!("reading {}", file.display()),
///     None => println!("no IMDB data here; the synthetic corpus will do"),
/// }
/// ```
pub fn find() -> Option<PathBuf> {
    find_file(FILE_NAME)
}

/// Returns the path of `imdb_word_index.json` on this machine, if there is one, from the folders in which [`find`]
/// looks.
pub fn find_word_index() -> Option<PathBuf> {
    find_file(WORD_INDEX_NAME)
}

fn find_file(name: &str) -> Option<PathBuf> {
    places(name, env::var_os("KERAS_HOME"), etcetera::home_dir().ok(), folder()).into_iter().find(|file| file.is_file())
}

/// Returns this crate's cache folder: `bptt` in the user's cache folder (`$XDG_CACHE_HOME` or `~/.cache`; on Windows
/// the local application data). It may not exist. `None` if the user has no home folder.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "imdb")]
/// if let Some(folder) = bptt::datasets::cache::folder() {
///     assert!(folder.ends_with("bptt"));
/// }
/// ```
pub fn folder() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|strategy| strategy.cache_dir().join("bptt"))
}

/// Returns the paths to try, in order, for these values from the environment.
fn places(name: &str, keras_home: Option<OsString>, home: Option<PathBuf>, cache: Option<PathBuf>) -> Vec<PathBuf> {
    let keras = match keras_home {
        Some(folder) if !folder.is_empty() => Some(PathBuf::from(folder)),
        _ => home.map(|home| home.join(".keras")),
    };
    let keras = keras.map(|folder| folder.join("datasets").join(name));
    keras.into_iter().chain(cache.map(|folder| folder.join(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(keras_home: Option<&str>, home: Option<&str>, cache: Option<&str>) -> Vec<String> {
        let places =
            places(FILE_NAME, keras_home.map(OsString::from), home.map(PathBuf::from), cache.map(PathBuf::from));
        places.iter().map(|place| place.to_string_lossy().replace('\\', "/")).collect()
    }

    #[test]
    fn keras_own_folder_comes_first() {
        let usual = ["home/.keras/datasets/imdb.npz", "cache/imdb.npz"];
        assert_eq!(listed(None, Some("home"), Some("cache")), usual);
        assert_eq!(listed(Some(""), Some("home"), Some("cache")), usual);
    }

    #[test]
    fn keras_home_replaces_the_folder_under_home() {
        assert_eq!(listed(Some("k"), Some("home"), Some("cache")), ["k/datasets/imdb.npz", "cache/imdb.npz"]);
    }

    #[test]
    fn the_word_index_lies_in_the_same_folders() {
        let places = places(WORD_INDEX_NAME, Some("k".into()), None, Some("cache".into()));
        let folders = [PathBuf::from("k").join("datasets"), PathBuf::from("cache")];
        assert_eq!(places, folders.map(|folder| folder.join("imdb_word_index.json")));
    }

    #[test]
    fn without_a_home_there_is_nowhere_to_look() {
        assert!(listed(None, None, None).is_empty());
    }
}
