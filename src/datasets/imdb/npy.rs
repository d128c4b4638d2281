//! `.npy` arrays of one dimension: the header, and the labels.
//!
//! A length above [`MAX_REVIEWS`] is an error, and nothing is allocated from the stated length. The order of the
//! elements (C or Fortran) has no meaning in one dimension. `pickle.rs` reads arrays of objects.

use std::io::Read;

use super::npz::Member;
use super::problem::NpzProblem;
use crate::files::npy;

/// Maximum number of reviews in one set: 2^20. The real file has 25,000.
pub(super) const MAX_REVIEWS: u64 = 1 << 20;

/// Header of a one-dimensional array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// NumPy's name of the element type, such as `<i8`.
    pub(super) element_type: String,
    /// Number of elements, at most [`MAX_REVIEWS`].
    pub(super) length: u64,
}

/// Reads a header, up to the first byte of the elements.
pub(super) fn read_header<R: Read>(member: &mut Member<R>) -> Result<Header, NpzProblem> {
    let npy::Header { element_type, shape, .. } = npy::read_header(|count| member.bytes(count))?;
    match shape[..] {
        [length] if length > MAX_REVIEWS => Err(NpzProblem::Limit { what: "reviews", limit: MAX_REVIEWS }),
        [length] => Ok(Header { element_type, length }),
        _ => Err(NpzProblem::Dimensions { found: shape.len() }),
    }
}

/// Reads the labels that follow a header, each 0 or 1.
pub(super) fn read_labels<R: Read>(mut member: Member<R>) -> Result<Vec<u8>, NpzProblem> {
    let header = read_header(&mut member)?;
    let wrong_type = || NpzProblem::ElementType {
        found: header.element_type.clone(),
        wanted: "integers of 1, 2, 4 or 8 bytes (such as int64)",
    };
    let (big_endian, kind, width) = match *header.element_type.as_bytes() {
        [order @ (b'<' | b'>'), kind @ (b'i' | b'u'), width @ (b'1' | b'2' | b'4' | b'8')] => {
            (order == b'>', kind, width)
        }
        [b'|', kind @ (b'i' | b'u'), width @ b'1'] => (false, kind, width),
        _ => return Err(wrong_type()),
    };
    let width = usize::from(width - b'0');
    let mut labels = Vec::new();
    for review in 0..header.length as usize {
        let mut bytes = member.bytes(width)?;
        if big_endian {
            bytes.reverse();
        }
        // The lowest byte is first now. The sign fills the upper bytes.
        let negative = kind == b'i' && bytes[width - 1] >= 0x80;
        let mut wide = [if negative { 0xff } else { 0 }; 16];
        wide[..width].copy_from_slice(&bytes);
        let value = i128::from_le_bytes(wide);
        match value {
            0 | 1 => labels.push(value as u8),
            _ => return Err(NpzProblem::Label { review, value }),
        }
    }
    member.finish()?;
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::{Header, MAX_REVIEWS, read_header, read_labels};
    use crate::datasets::imdb::npz::Member;
    use crate::datasets::imdb::problem::NpzProblem;

    fn npy(version: u8, header: &str, elements: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((header.len() as u16).to_le_bytes()),
            _ => bytes.extend((header.len() as u32).to_le_bytes()),
        }
        bytes.extend(header.as_bytes());
        bytes.extend(elements);
        bytes
    }

    fn header(text: &str) -> Result<Header, NpzProblem> {
        read_header(&mut Member::new(&npy(1, text, b"")[..]))
    }

    #[test]
    fn headers_as_written_by_every_version() {
        let expected = Ok(Header { element_type: "|O".into(), length: 25_000 });
        for version in 1..=3 {
            let text = "{'descr': '|O', 'fortran_order': False, 'shape': (25000,), }         \n";
            assert_eq!(read_header(&mut Member::new(&npy(version, text, b"")[..])), expected);
        }
        assert_eq!(header("{\"shape\":(25000L,),'fortran_order': True, 'descr' : '|O'}"), expected);
    }

    #[test]
    fn strange_headers_are_refused() {
        for text in [
            "",
            "{}",
            "{'descr': '|O'",
            "{'descr': '|O', 'fortran_order': False, 'shape': (1,)} x",
            "{'descr': '|O', 'fortran_order': False, 'shape': (1)}",
            "{'descr': '|O', 'fortran_order': False, 'shape': (-1,)}",
            "{'descr': '|O', 'fortran_order': 0, 'shape': (1,)}",
            "{'descr': '|O', 'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
            "{'descr': '|O', 'fortran_order': False, 'shape': (1,), 'more': 1}",
            "{'descr': [('a', '<i8')], 'fortran_order': False, 'shape': (1,)}",
            "{'descr': '\\x7cO', 'fortran_order': False, 'shape': (1,)}",
        ] {
            assert!(matches!(header(text), Err(NpzProblem::Header { .. })), "{text}: {:?}", header(text));
        }
        let shape = |shape: &str| header(&format!("{{'descr': '|O', 'fortran_order': False, 'shape': {shape}}}"));
        assert_eq!(shape("()"), Err(NpzProblem::Dimensions { found: 0 }));
        assert_eq!(shape("(2, 3)"), Err(NpzProblem::Dimensions { found: 2 }));
        for claim in ["1152921504606846976", "99999999999999999999999999"] {
            assert_eq!(shape(&format!("({claim},)")), Err(NpzProblem::Limit { what: "reviews", limit: MAX_REVIEWS }));
        }
        let long = npy(2, &" ".repeat(10_001), b"");
        assert!(matches!(read_header(&mut Member::new(&long[..])), Err(NpzProblem::Limit { limit: 10_000, .. })));
        let version = npy(4, "", b"");
        assert!(matches!(read_header(&mut Member::new(&version[..])), Err(NpzProblem::Header { offset: 6, .. })));
    }

    #[test]
    fn labels_of_every_integer_type() {
        let labels = |element_type: &str, elements: &[u8]| {
            let text = format!("{{'descr': '{element_type}', 'fortran_order': False, 'shape': (2,), }}\n");
            read_labels(Member::new(&npy(1, &text, elements)[..]))
        };
        for (element_type, elements) in [
            ("|u1", &[1, 0][..]),
            ("|i1", &[1, 0]),
            ("<u2", &[1, 0, 0, 0]),
            (">i2", &[0, 1, 0, 0]),
            ("<i4", &[1, 0, 0, 0, 0, 0, 0, 0]),
            (">i8", &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(labels(element_type, elements), Ok(vec![1, 0]), "{element_type}");
        }
        assert_eq!(labels("<i2", &[0, 0, 0xfe, 0xff]), Err(NpzProblem::Label { review: 1, value: -2 }));
        assert_eq!(labels("<u2", &[0, 0, 0xfe, 0xff]), Err(NpzProblem::Label { review: 1, value: 65534 }));
        assert!(matches!(labels("<f8", &[0; 16]), Err(NpzProblem::ElementType { .. })));
        assert!(matches!(labels("|u1", &[0]), Err(NpzProblem::Truncated { .. })));
        assert!(matches!(labels("|u1", &[0; 3]), Err(NpzProblem::TrailingBytes { .. })));
    }
}
