//! Files written completely or not at all: to a temporary file in the same folder, synced, and then renamed.
//!
//! A [`WholeFile`] that is not finished removes its temporary file; that of a killed process is removed by the next
//! [`WholeFile`] for the same place. A temporary file is locked while it is written, and the lock ends with its
//! process. So a leftover differs from a file that another process is writing.
//!
//! A symbolic link stays a link, and the file that it leads to is written. A file that is replaced keeps its
//! permissions. A device or a pipe is not replaced but written to, once there is something to write.
//!
//! Models, backups, the logs of callbacks and downloads are written in this way.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// File that is written to a temporary place first.
#[derive(Debug)]
pub(crate) struct WholeFile {
    /// Path as given by the caller, for messages.
    place: PathBuf,
    way: Way,
}

/// Way in which the content gets to its place.
#[derive(Debug)]
enum Way {
    /// Into a new file, which is then renamed to `target`: `place`, or the end of its links if it is one.
    Renamed { target: PathBuf, temporary: PathBuf, file: File },
    /// Directly into the existing device or pipe, which is opened with the first bytes, because opening a pipe waits
    /// for a reader.
    InPlace(Option<File>),
}

impl WholeFile {
    /// Creates a new file in the same folder as `place`, so that the later rename stays on one file system.
    pub(crate) fn create(place: &Path) -> Result<Self> {
        // Process and count make the name unique, so that two simultaneous writers do not use the same file.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let replaced = what_is_there(place).map_err(Error::io("write", place))?;
        if replaced.as_ref().is_some_and(|there| !there.is_file() && !there.is_dir()) {
            return Ok(WholeFile { place: place.into(), way: Way::InPlace(None) });
        }
        let target = end_of_links(place);
        let name = name_around(&target).filter(|_| !replaced.as_ref().is_some_and(fs::Metadata::is_dir));
        let Some((start, end)) = name else { return Err(Error::io("write", place)(IS_A_DIRECTORY.into())) };
        remove_leftovers(&target, &start, &end);
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let temporary = target.with_file_name(format!("{start}{}.{number}{end}", std::process::id()));
            // A file with this name is left over from a killed process with the same number, so it is truncated.
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            unix::hide(&mut options, replaced.as_ref());
            let file = options.open(&temporary).map_err(Error::io("write", place))?;
            // On a file system without locks, a file is never taken for a leftover, because that needs a lock too.
            let _ = file.lock();
            // Between opening and locking, another process may have removed it as a leftover.
            if temporary.exists() {
                return Ok(WholeFile { place: place.into(), way: Way::Renamed { target, temporary, file } });
            }
        }
    }

    /// Returns the temporary path.
    pub(crate) fn temporary(&self) -> &Path {
        match &self.way {
            Way::Renamed { temporary, .. } => temporary,
            Way::InPlace(_) => &self.place,
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let file = match &mut self.way {
            Way::Renamed { file, .. } | Way::InPlace(Some(file)) => Ok(file),
            Way::InPlace(closed) => OpenOptions::new().write(true).open(&self.place).map(|file| closed.insert(file)),
        };
        file.and_then(|file| file.write_all(bytes)).map_err(Error::io("write", &self.place))
    }

    /// Renames the file to its place. It is synced first, because a power failure could otherwise leave half the
    /// content.
    pub(crate) fn finish(self) -> Result<()> {
        // Content written in place needs no rename, and devices and pipes have nothing to sync.
        let Way::Renamed { target, temporary, file } = &self.way else { return Ok(()) };
        let place = || {
            #[cfg(unix)]
            unix::take_after(file, target)?;
            file.sync_all()?;
            fs::rename(temporary, target)?;
            #[cfg(unix)]
            unix::sync_folder(folder_of(target))?;
            Ok(())
        };
        place().map_err(Error::io("write", &self.place))
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        // After the rename there is no file with this name. A failure to remove it must not hide an earlier failure.
        if let Way::Renamed { temporary, .. } = &self.way {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Writes a file completely or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write(bytes)?;
    file.finish()
}

/// Returns an error for a path that is not writable, without leaving anything there.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    WholeFile::create(path).map(drop)
}

/// Removes a file that [`write`](WholeFile::write) wrote: the target of a link, not the link.
pub(crate) fn remove(path: &Path) -> Result<()> {
    fs::remove_file(end_of_links(path)).map_err(Error::io("remove", path))
}

const IS_A_DIRECTORY: ErrorKind = ErrorKind::IsADirectory;

/// Returns the metadata of what a path leads to, through links, if it exists.
fn what_is_there(place: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::metadata(place) {
        Ok(there) => Ok(Some(there)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the path at the end of the links that start at a path, whether it exists or not.
fn end_of_links(place: &Path) -> PathBuf {
    // The operating system does not follow more links either.
    const MOST_LINKS: usize = 40;
    let mut end = place.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(link) = fs::read_link(&end) else { break };
        end = end.parent().unwrap_or(Path::new("")).join(link);
    }
    end
}

/// Returns the folder of a path.
fn folder_of(place: &Path) -> &Path {
    place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, File, OpenOptions};
    use std::io::{self, ErrorKind};
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
    use std::path::Path;

    /// Gives a new file the permissions of the one that it replaces, so that no other users can read it. The owner may
    /// always write, because the old file may be read-only.
    pub(super) fn hide(options: &mut OpenOptions, replaced: Option<&fs::Metadata>) {
        const OWNER_WRITES: u32 = 0o200;
        if let Some(replaced) = replaced {
            options.mode(replaced.mode() & 0o777 | OWNER_WRITES);
        }
    }

    /// Gives a new file the permissions of the one that it is about to replace, and its owner if that is allowed.
    pub(super) fn take_after(file: &File, replaced: &Path) -> io::Result<()> {
        let Ok(replaced) = fs::metadata(replaced) else { return Ok(()) };
        let ours = file.metadata()?;
        if (ours.uid(), ours.gid()) != (replaced.uid(), replaced.gid()) {
            let _ = fchown(file, Some(replaced.uid()), Some(replaced.gid()));
        }
        file.set_permissions(replaced.permissions())
    }

    /// Syncs a folder, so that a new name in it survives a power failure.
    pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
        // A folder that is writable but not readable cannot be opened, and some file systems cannot sync a folder.
        let Ok(folder) = File::open(folder) else { return Ok(()) };
        match folder.sync_all() {
            Err(error) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Returns the start and the end of the names of a place's temporary files; `None` for a place without a file name.
fn name_around(place: &Path) -> Option<(String, String)> {
    Some((format!(".{}.", place.file_name()?.to_string_lossy()), ".part".into()))
}

/// Removes the temporary files of killed processes. Errors are ignored.
fn remove_leftovers(place: &Path, start: &str, end: &str) {
    for entry in fs::read_dir(folder_of(place)).into_iter().flatten().flatten() {
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

    /// Returns an empty folder with this name.
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

    #[cfg(unix)]
    mod unix {
        use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
        use std::process::Command;
        use std::thread;

        use super::*;

        #[test]
        fn links_stay_and_lead_to_what_is_written() {
            let folder = folder("links");
            fs::create_dir(folder.join("far")).unwrap();
            fs::write(folder.join("far/model"), "old").unwrap();
            symlink("far/model", folder.join("near")).unwrap();
            symlink(folder.join("near"), folder.join("link")).unwrap();
            symlink("far/new", folder.join("dangling")).unwrap();
            for (link, target) in [("link", "far/model"), ("dangling", "far/new")] {
                for content in ["first", "second"] {
                    write(&folder.join(link), content.as_bytes()).unwrap();
                    assert!(folder.join(link).is_symlink(), "{link}");
                    assert_eq!(fs::read_to_string(folder.join(target)).unwrap(), content);
                }
            }
            assert!(folder.join("near").is_symlink());
            assert_eq!(names(&folder), ["dangling", "far", "link", "near"]);
            assert_eq!(names(&folder.join("far")), ["model", "new"]);
            remove(&folder.join("link")).unwrap();
            assert!(folder.join("link").is_symlink());
            assert_eq!(names(&folder.join("far")), ["new"]);
        }

        #[test]
        fn links_in_a_circle_are_an_error() {
            let folder = folder("circle");
            symlink("b", folder.join("a")).unwrap();
            symlink("a", folder.join("b")).unwrap();
            let message = write(&folder.join("a"), b"content").unwrap_err().to_string();
            assert!(message.starts_with(&format!("cannot write {}: ", folder.join("a").display())), "{message}");
            assert_eq!(names(&folder), ["a", "b"]);
        }

        #[test]
        fn permissions_stay_and_no_one_else_reads_what_is_on_its_way() {
            let folder = folder("permissions");
            let place = folder.join("model");
            for mode in [0o600, 0o640, 0o400, 0o666] {
                let of = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
                let _ = fs::remove_file(&place);
                fs::write(&place, "old").unwrap();
                fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
                let mut file = WholeFile::create(&place).unwrap();
                assert_eq!(of(file.temporary()) & !mode & !0o200, 0, "{mode:o}");
                file.write(b"new").unwrap();
                file.finish().unwrap();
                assert_eq!((of(&place), fs::read(&place).unwrap()), (mode, b"new".to_vec()), "{mode:o}");
            }
        }

        #[test]
        fn a_pipe_is_written_to_and_not_replaced() {
            let folder = folder("pipe");
            let place = folder.join("pipe");
            assert!(Command::new("mkfifo").arg(&place).status().unwrap().success());
            let reader = thread::spawn({
                let place = place.clone();
                move || fs::read_to_string(place)
            });
            // The check must not open the pipe, for which the reader waits.
            check_writable(&place).unwrap();
            write(&place, b"content").unwrap();
            assert_eq!(reader.join().unwrap().unwrap(), "content");
            assert!(fs::metadata(&place).unwrap().file_type().is_fifo());
            assert_eq!(names(&folder), ["pipe"]);
        }
    }
}
