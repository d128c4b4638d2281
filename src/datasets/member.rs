//! The bytes of one archive member, read forwards only and never all at once.
//!
//! Contract: at most [`MAX_MEMBER_BYTES`] are ever decompressed, whatever the archive claims about sizes; nothing is
//! allocated by a claim; each failure says how far the reading came. [`Member::finish`] has to end the reading: it
//! refuses what follows, and reaches the point where the archive's checksum is compared.
//!
//! Read next: `npy.rs` and `pickle.rs`, the two that read from it.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Take};

use super::npz_problem::NpzProblem;

/// What a member may decompress to: 128 MiB. The larger member of the real file takes 14 MiB.
pub(super) const MAX_MEMBER_BYTES: u64 = 128 << 20;

/// A member and how far it has been read.
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

    /// Bytes read so far: the position of the next one.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Result<u8, NpzProblem> {
        Ok(self.array::<1>()?[0])
    }

    /// The next `N` bytes.
    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], NpzProblem> {
        // Straight from the buffer: a pickle is millions of instructions of two or three bytes.
        if let Some(&bytes) = self.reader.buffer().first_chunk() {
            self.reader.consume(N);
            self.offset += N as u64;
            return Ok(bytes);
        }
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The next `length` bytes, which the caller has checked to be few.
    pub(super) fn bytes(&mut self, length: usize) -> Result<Vec<u8>, NpzProblem> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Ends the reading: an error if bytes are left, or if the checksum does not fit those that were read.
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
    use crate::datasets::npz_problem::NpzProblem;
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
