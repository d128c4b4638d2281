//! Writes small npz files of reviews, byte by byte, for the tests that read them.
//!
//! Contract: [`pickled`] writes what Python writes for a NumPy object array of lists of int, with pickle protocol 2 or 4;
//! [`zipped`] packs any bytes, so that a test can put anything it likes into a member with a right checksum.
//!
//! Read next: `imdb.rs` and `../memory/imdb_mutations.rs`, the users.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The names of the four members, in the order of [`members`].
pub(crate) const NAMES: [&str; 4] = ["x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy"];

/// A whole data set of made-up reviews: the four members' bytes.
pub(crate) fn members(protocol: u8) -> [Vec<u8>; 4] {
    let train = [vec![1, 300, 70_000], vec![], vec![5; 1500], vec![9, 4, 4_000_000]];
    let test = [vec![2], vec![8, 7, 6, 300], vec![255, 256, 65_535, 65_536]];
    [reviews(protocol, &train), labels(&[1, 0, 0, 1]), reviews(protocol, &test), labels(&[0, 1, 1])]
}

/// The archive of the four `members`.
pub(crate) fn npz(members: &[Vec<u8>; 4]) -> Vec<u8> {
    let named: Vec<(&str, &[u8])> = NAMES.into_iter().zip(members.iter().map(Vec::as_slice)).collect();
    zipped(&named)
}

/// An archive of any members, compressed.
pub(crate) fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).compression_level(Some(1));
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, options).expect("a member can be started");
        writer.write_all(bytes).expect("memory can be written to");
    }
    writer.finish().expect("the archive can be finished").into_inner()
}

/// A `.npy` file of format 1.0.
pub(crate) fn npy(element_type: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{element_type}', 'fortran_order': False, 'shape': {shape}, }}");
    // NumPy pads with spaces to a multiple of 64 bytes, the line end included.
    let header = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(elements);
    bytes
}

/// The member of some labels.
pub(crate) fn labels(labels: &[i64]) -> Vec<u8> {
    let elements: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    npy("<i8", &format!("({},)", labels.len()), &elements)
}

/// The member of some reviews.
pub(crate) fn reviews(protocol: u8, reviews: &[Vec<i64>]) -> Vec<u8> {
    npy("|O", &format!("({},)", reviews.len()), &pickled(protocol, reviews))
}

/// The pickle inside it: of protocol 2 as Python 2 writes it, or of 4.
pub(crate) fn pickled(protocol: u8, reviews: &[Vec<i64>]) -> Vec<u8> {
    let (memoize, mut bytes): (&[u8], Vec<u8>) = match protocol {
        2 => (b"q\x09", b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02".to_vec()),
        _ => {
            let mut bytes = b"\x80\x04\x95\x00\x00\x01\x00\x00\x00\x00\x00\x8c\x16numpy._core.multiarray\x94".to_vec();
            bytes.extend(b"\x8c\x0c_reconstruct\x94\x93\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94");
            (b"\x94", bytes)
        }
    };
    bytes.extend(if protocol == 2 {
        &b"K\x00\x85U\x01b\x87Rq\x03(K\x01"[..]
    } else {
        b"K\x00\x85\x94C\x01b\x94\x87\x94R\x94(K\x01"
    });
    integer(&mut bytes, reviews.len() as i64);
    bytes.extend(match protocol {
        2 => &b"\x85cnumpy\ndtype\nq\x04U\x02O8K\x00K\x01\x87Rq\x05(K\x03U\x01|NNN"[..],
        _ => b"\x85\x94h\x03\x8c\x05dtype\x94\x93\x94\x8c\x02O8\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01|\x94NNN",
    });
    bytes.extend(b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb\x89]");
    bytes.extend(memoize);
    bytes.push(b'(');
    for review in reviews {
        bytes.push(b']');
        bytes.extend(memoize);
        // Python appends in steps.
        for words in review.chunks(1000) {
            bytes.push(b'(');
            words.iter().for_each(|&word| integer(&mut bytes, word));
            bytes.push(b'e');
        }
    }
    bytes.extend(b"etb.");
    bytes
}

fn integer(bytes: &mut Vec<u8>, value: i64) {
    if let Ok(value) = u8::try_from(value) {
        bytes.extend([b'K', value]);
    } else if let Ok(value) = u16::try_from(value) {
        bytes.push(b'M');
        bytes.extend(value.to_le_bytes());
    } else if let Ok(value) = i32::try_from(value) {
        bytes.push(b'J');
        bytes.extend(value.to_le_bytes());
    } else {
        bytes.extend([0x8a, 8]);
        bytes.extend(value.to_le_bytes());
    }
}
