//! Files that are there whole or not at all: written beside their place, synced, and only then renamed.
//!
//! Contract: a [`WholeFile`] that is not given its place removes itself, and one whose process was killed is removed by the
//! next that is made for the same place. To tell such a leftover from a file that another process is writing, each is
//! locked for as long as it is written: the lock of a process that is gone is free.
//!
//! Used by all that writes files which must not be half there: models, backups, the logs of callbacks, downloads.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// A file on its way to its place.
#[derive(Debug)]
pub(crate) struct WholeFile {
    place: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl WholeFile {
    /// A new file beside `place`, in the same folder, so that the later rename stays on one file system.
    pub(crate) fn create(place: &Path) -> Result<Self> {
        // Process and count make the name unique, so that two writers at once do not write into each other's file.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let cannot_write = Error::io("write", place);
        let Some((start, end)) = name_around(place) else { return Err(cannot_write(IS_A_DIRECTORY.into())) };
        if place.is_dir() {
            return Err(cannot_write(IS_A_DIRECTORY.into()));
        }
        remove_leftovers(place, &start, &end);
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let temporary = place.with_file_name(format!("{start}{}.{number}{end}", std::process::id()));
            // Truncating is right: a file of this name is left over from a killed process that had the same number.
            let file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary);
            let file = file.map_err(Error::io("write", place))?;
            // Where the file system has no locks the file is never taken for a leftover either, for that takes one.
            let _ = file.lock();
            // Between opening and locking, another process may have taken it for a leftover.
            if temporary.exists() {
                return Ok(WholeFile { place: place.into(), temporary, file });
            }
        }
    }

    /// Where the file is until then, for whoever writes to a path.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(Error::io("write", &self.place))
    }

    /// Gives the file its place. Synced first, since otherwise a power cut could leave the name with half the content.
    pub(crate) fn finish(self) -> Result<()> {
        let placed = self.file.sync_all().and_then(|()| fs::rename(&self.temporary, &self.place));
        placed.map_err(Error::io("write", &self.place))
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        // After the rename there is nothing by this name; a failure to remove must not hide the failure before it.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Writes a file that is there whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write(bytes)?;
    file.finish()
}

/// Refuses a path where no file could be written, without leaving anything there.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    WholeFile::create(path).map(drop)
}

const IS_A_DIRECTORY: std::io::ErrorKind = std::io::ErrorKind::IsADirectory;

/// What the names of the temporary files of a place begin and end with; `None` for a place without a file name.
fn name_around(place: &Path) -> Option<(String, String)> {
    Some((format!(".{}.", place.file_name()?.to_string_lossy()), ".part".into()))
}

/// Removes the temporary files of processes that were killed. Whatever cannot be removed does no harm where it is.
fn remove_leftovers(place: &Path, start: &str, end: &str) {
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(|name| {
            let numbers = name.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
            numbers
                .is_some_and(|numbers| !numbers.is_empty() && numbers.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        });
        if is_ours && OpenOptions::new().write(true).open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty folder of this name.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("bptt-whole-file-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_and_replaces_the_one_before() {
        let folder = folder("whole");
        let place = folder.join("model");
        for content in ["first", "second and longer", "3"] {
            let mut file = WholeFile::create(&place).unwrap();
            file.write(content.as_bytes()).unwrap();
            assert_ne!(fs::read_to_string(&place).unwrap_or_default(), content, "not before it is whole");
            file.finish().unwrap();
            assert_eq!(fs::read_to_string(&place).unwrap(), content);
            assert_eq!(names(&folder), ["model"]);
        }
    }

    #[test]
    fn a_file_that_is_given_up_leaves_nothing() {
        let folder = folder("given-up");
        let mut file = WholeFile::create(&folder.join("model")).unwrap();
        file.write(b"half").unwrap();
        assert_eq!(names(&folder).len(), 1);
        drop(file);
        assert!(names(&folder).is_empty());
    }

    #[test]
    fn leftovers_of_killed_processes_go_and_files_in_work_stay() {
        let folder = folder("leftovers");
        let place = folder.join("model");
        let others = [".model.part", ".model.1x.0.part", ".model2.1.0.part", "model.1.0.part"];
        for name in others.into_iter().chain([".model.1.0.part", ".model.4294967295.17.part"]) {
            fs::write(folder.join(name), "half").unwrap();
        }
        let mut in_work = WholeFile::create(&place).unwrap();
        let mut second = WholeFile::create(&place).unwrap();
        assert_eq!(names(&folder).len(), others.len() + 2, "{:?}", names(&folder));
        second.write(b"second").unwrap();
        in_work.write(b"first").unwrap();
        second.finish().unwrap();
        in_work.finish().unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "first");
        let mut expected = others.map(String::from).to_vec();
        expected.push("model".into());
        expected.sort();
        assert_eq!(names(&folder), expected);
    }

    #[test]
    fn a_folder_is_no_place_for_a_file() {
        let folder = folder("folder");
        for place in [folder.as_path(), Path::new("..")] {
            let message = WholeFile::create(place).unwrap_err().to_string();
            assert_eq!(message, format!("cannot write {}: is a directory", place.display()));
        }
    }
}
