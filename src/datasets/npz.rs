//! The npz archive: a zip file with one `.npy` member per array.
//!
//! Contract: opening looks at the archive's directory only, and only if it claims few members; the sizes that a zip
//! file claims are never trusted. Members are decompressed while they are parsed (`member.rs` sets the bound), and
//! their checksums compared at the end.
//!
//! Read next: `npy.rs`, then `pickle.rs`.

use std::io::{ErrorKind, Read, Seek, SeekFrom};

use zip::ZipArchive;
use zip::result::ZipError;

use super::member::Member;
use super::npy::{read_header, read_labels};
use super::npz_problem::{NpzProblem, quoted};
use super::pickle;

/// The most members of an archive: its directory is held in memory.
const MAX_MEMBERS: u16 = 256;

/// How much of the end of a file can hold the record that tells of the directory: 22 bytes, a comment of up to 65,535,
/// and 20 bytes in front of it that announce the record of a large archive.
const TAIL: u64 = 22 + 65_535 + 20;

/// An open archive.
#[derive(Debug)]
pub(super) struct Npz<R> {
    archive: ZipArchive<R>,
}

impl<R: Read + Seek> Npz<R> {
    /// Reads the directory of the archive.
    pub(super) fn open(mut source: R) -> Result<Self, NpzProblem> {
        check_directory(&mut source)?;
        let archive = ZipArchive::new(source).map_err(damaged)?;
        Ok(Self { archive })
    }

    /// The reviews of the object array in `member`.
    pub(super) fn reviews(&mut self, member: &str) -> Result<Vec<Vec<u32>>, NpzProblem> {
        let mut member = self.member(member)?;
        let header = read_header(&mut member)?;
        if !matches!(&*header.element_type, "|O" | "O" | "|O4" | "|O8") {
            let wanted = "object: Python lists of int, one per review";
            return Err(NpzProblem::ElementType { found: header.element_type, wanted });
        }
        let reviews = pickle::read_reviews(&mut member)?;
        member.finish()?;
        if reviews.len() as u64 != header.length {
            return Err(NpzProblem::Count { announced: header.length, found: reviews.len() as u64 });
        }
        Ok(reviews)
    }

    /// The labels, 0 or 1, in `member`.
    pub(super) fn labels(&mut self, member: &str) -> Result<Vec<u8>, NpzProblem> {
        read_labels(self.member(member)?)
    }

    fn member(&mut self, name: &str) -> Result<Member<impl Read>, NpzProblem> {
        match self.archive.index_for_name(name) {
            Some(index) => Ok(Member::new(self.archive.by_index(index).map_err(damaged)?)),
            None => Err(NpzProblem::MissingMember { held: self.names() }),
        }
    }

    fn names(&self) -> String {
        let names: Vec<String> = self.archive.file_names_raw().take(8).map(quoted).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    }
}

/// Looks, before the zip reader makes room for a directory, whether that could be the directory of an npz of reviews.
fn check_directory<R: Read + Seek>(source: &mut R) -> Result<(), NpzProblem> {
    let io = |error: std::io::Error| NpzProblem::Zip { reason: error.to_string() };
    let mut start = [0; 4];
    match source.read_exact(&mut start) {
        Ok(()) if matches!(&start, b"PK\x03\x04" | b"PK\x05\x06") => {}
        Ok(()) => return Err(NpzProblem::NotZip),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(NpzProblem::NotZip),
        Err(error) => return Err(io(error)),
    }
    let length = source.seek(SeekFrom::End(0)).map_err(io)?;
    source.seek(SeekFrom::Start(length.saturating_sub(TAIL))).map_err(io)?;
    let mut tail = Vec::new();
    source.take(TAIL).read_to_end(&mut tail).map_err(io)?;
    // A comment could hold the mark of the record as well, so each place is checked.
    for (place, record) in tail.windows(12).enumerate().filter(|(_, window)| window.starts_with(b"PK\x05\x06")) {
        let large = place.checked_sub(20).is_some_and(|locator| tail[locator..].starts_with(b"PK\x06\x07"));
        if large || u16::from_le_bytes([record[10], record[11]]) > MAX_MEMBERS {
            return Err(NpzProblem::Limit {
                what: "members, or bytes of a large (zip64) archive",
                limit: MAX_MEMBERS.into(),
            });
        }
    }
    source.rewind().map_err(io)
}

fn damaged(error: ZipError) -> NpzProblem {
    NpzProblem::Zip { reason: quoted(error.to_string().as_bytes()) }
}
