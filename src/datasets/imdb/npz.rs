//! Reader of npz archives: zip files with one `.npy` member per array.
//!
//! Opening reads only the archive's directory, and only if it states few members. Sizes stated in the zip file are
//! never trusted. A [`Member`] is decompressed while it is parsed, forwards and in parts, up to [`MAX_MEMBER_BYTES`].
//! Nothing is allocated from a stated size, and each error has the offset reached. [`Member::finish`] must end the
//! reading: it rejects trailing bytes and triggers the comparison with the archive's checksum.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Take};

use zip::ZipArchive;
use zip::result::ZipError;

use super::npy::{read_header, read_labels};
use super::pickle;
use super::problem::{NpzProblem, quoted};

/// Maximum number of members in an archive, because its directory is held in memory.
const MAX_MEMBERS: u16 = 256;

/// Maximum decompressed size of a member: 128 MiB. The larger member of the real file takes 14 MiB.
pub(super) const MAX_MEMBER_BYTES: u64 = 128 << 20;

/// Number of bytes at the end of a file that can hold the end-of-directory record: 22 bytes, a comment of up to 65,535
/// bytes, and 20 bytes before it that locate the record of a large (zip64) archive.
const TAIL: u64 = 22 + 65_535 + 20;

/// Open archive.
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

    /// Returns the reviews of the object array in `member`.
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

    /// Returns the labels, 0 or 1, in `member`.
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

/// Checks that the directory can be that of an npz file of reviews, before the zip reader allocates memory for it.
fn check_directory<R: Read + Seek>(source: &mut R) -> Result<(), NpzProblem> {
    let io = |error: io::Error| NpzProblem::Zip { reason: error.to_string() };
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
    // A comment may also contain the signature of the record, so each occurrence is checked.
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

/// Member of an archive, and the position up to which it has been read.
#[derive(Debug)]
pub(super) struct Member<R> {
    reader: BufReader<Take<R>>,
    offset: u64,
}

impl<R: Read> Member<R> {
    /// Starts at the first byte of `source`, the decompressed member.
    pub(super) fn new(source: R) -> Self {
        Self { reader: BufReader::with_capacity(64 << 10, source.take(MAX_MEMBER_BYTES)), offset: 0 }
    }

    /// Returns the number of bytes read so far, which is the position of the next one.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the next byte.
    pub(super) fn byte(&mut self) -> Result<u8, NpzProblem> {
        Ok(self.array::<1>()?[0])
    }

    /// Returns the next `N` bytes.
    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], NpzProblem> {
        // Read directly from the buffer, because a pickle has millions of instructions of two or three bytes.
        if let Some(&bytes) = self.reader.buffer().first_chunk() {
            self.reader.consume(N);
            self.offset += N as u64;
            return Ok(bytes);
        }
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Returns the next `length` bytes. The caller has checked that they are few.
    pub(super) fn bytes(&mut self, length: usize) -> Result<Vec<u8>, NpzProblem> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Ends the reading. Returns an error if bytes are left, or if the checksum does not match.
    pub(super) fn finish(mut self) -> Result<(), NpzProblem> {
        let mut byte = [0];
        loop {
            return match self.reader.read(&mut byte) {
                Ok(0) => Ok(()),
                Ok(_) => Err(NpzProblem::TrailingBytes { offset: self.offset }),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(self.problem(&error)),
            };
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NpzProblem> {
        match self.reader.read_exact(bytes) {
            Ok(()) => {
                self.offset += bytes.len() as u64;
                Ok(())
            }
            Err(error) => Err(self.problem(&error)),
        }
    }

    fn problem(&self, error: &io::Error) -> NpzProblem {
        if error.kind() != ErrorKind::UnexpectedEof {
            return NpzProblem::Zip { reason: error.to_string() };
        }
        if self.reader.get_ref().limit() == 0 {
            return NpzProblem::Limit { what: "decompressed bytes", limit: MAX_MEMBER_BYTES };
        }
        NpzProblem::Truncated { offset: self.offset }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_MEMBER_BYTES, Member};
    use crate::datasets::imdb::problem::NpzProblem;
    use std::io::{Read, repeat};

    #[test]
    fn ends_are_told_apart() {
        let mut member = Member::new(&b"abc"[..]);
        assert_eq!((member.byte(), member.array()), (Ok(b'a'), Ok(*b"bc")));
        assert_eq!(member.byte(), Err(NpzProblem::Truncated { offset: 3 }));
        assert_eq!(member.finish(), Ok(()));
        assert_eq!(Member::new(&b"abc"[..]).finish(), Err(NpzProblem::TrailingBytes { offset: 0 }));
    }

    #[test]
    fn endless_data_reaches_the_limit() {
        let mut member = Member::new(repeat(7).take(u64::MAX));
        let problem = loop {
            if let Err(problem) = member.array::<65536>() {
                break problem;
            }
        };
        assert_eq!(problem, NpzProblem::Limit { what: "decompressed bytes", limit: MAX_MEMBER_BYTES });
    }
}
