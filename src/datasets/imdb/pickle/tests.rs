//! Tests of the pickle reader on pickles that NumPy wrote for made-up reviews, and on changed copies of them.
//!
//! Pickles of every protocol are read, and each error is checked for what it names. `tests/memory/imdb_mutations.rs`
//! does the same with ten thousand random changes.

use super::{MAX_MEMO, MAX_STACK, read_reviews};
use crate::datasets::imdb::npz::Member;
use crate::datasets::imdb::problem::NpzProblem;

// NumPy 2.4 wrote the first three, of five reviews: [1, 300, 70000], [], twice the list [5, 6], [7].
const PROTOCOL_2: &[u8] = b"\
    \x80\x02cnumpy._core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01K\x00\x85q\x02c_codecs\nencode\
    \nq\x03X\x01\x00\x00\x00bq\x04X\x06\x00\x00\x00latin1q\x05\x86q\x06Rq\x07\x87q\x08Rq\x09(K\x01K\x05\x85q\
    \ncnumpy\ndtype\nq\x0bX\x02\x00\x00\x00O8q\x0c\x89\x88\x87q\x0dRq\x0e(K\x03X\x01\x00\x00\x00|q\x0fNNNJ\
    \xff\xff\xff\xffJ\xff\xff\xff\xffK?tq\x10b\x89]q\x11(]q\x12(K\x01M,\x01Jp\x11\x01\x00e]q\x13]q\x14(K\x05\
    K\x06eh\x14]q\x15K\x07aetq\x16b.";
const PROTOCOL_3: &[u8] = b"\
    \x80\x03cnumpy._core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01K\x00\x85q\x02C\x01bq\x03\x87q\
    \x04Rq\x05(K\x01K\x05\x85q\x06cnumpy\ndtype\nq\x07X\x02\x00\x00\x00O8q\x08\x89\x88\x87q\x09Rq\n(K\x03X\
    \x01\x00\x00\x00|q\x0bNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tq\x0cb\x89]q\x0d(]q\x0e(K\x01M,\x01Jp\x11\
    \x01\x00e]q\x0f]q\x10(K\x05K\x06eh\x10]q\x11K\x07aetq\x12b.";
const PROTOCOL_4: &[u8] = b"\
    \x80\x04\x95\xa9\x00\x00\x00\x00\x00\x00\x00\x8c\x16numpy._core.multiarray\x94\x8c\x0c_reconstruct\x94\
    \x93\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94K\x00\x85\x94C\x01b\x94\x87\x94R\x94(K\x01K\x05\x85\
    \x94h\x03\x8c\x05dtype\x94\x93\x94\x8c\x02O8\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01|\x94NNNJ\xff\xff\xff\
    \xffJ\xff\xff\xff\xffK?t\x94b\x89]\x94(]\x94(K\x01M,\x01Jp\x11\x01\x00e]\x94]\x94(K\x05K\x06eh\x15]\x94K\
    \x07aet\x94b.";
/// The same reviews, written by Python 2 and an early NumPy: byte strings, flags as integers, few entries in the memo.
const PYTHON_2: &[u8] = b"\
    \x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03(K\x01\
    \x8a\x01\x05\x85cnumpy\ndtype\nq\x04U\x02O8K\x00K\x01\x87Rq\x05(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\
    \xff\xffK?tb\x89]q\x06(]q\x07(K\x01M,\x01\x8a\x03p\x11\x01e]q\x08]r\x09\x00\x00\x00(K\x05K\x06ej\x09\x00\
    \x00\x00]q\nK\x07aetb.";

fn read(bytes: &[u8]) -> Result<Vec<Vec<u32>>, NpzProblem> {
    read_reviews(&mut Member::new(bytes))
}

/// Returns `bytes` with the only occurrence of `old` replaced.
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = (0..bytes.len()).filter(|&place| bytes[place..].starts_with(old)).collect();
    assert_eq!(places.len(), 1, "{}", old.escape_ascii());
    [&bytes[..places[0]], new, &bytes[places[0] + old.len()..]].concat()
}

#[test]
fn every_protocol() {
    let expected = Ok(vec![vec![1, 300, 70_000], vec![], vec![5, 6], vec![5, 6], vec![7]]);
    let mut protocol_5 = PROTOCOL_4.to_vec();
    protocol_5[1] = 5;
    for bytes in [PROTOCOL_2, PROTOCOL_3, PROTOCOL_4, &protocol_5, PYTHON_2] {
        assert_eq!(read(bytes), expected, "{}", bytes.escape_ascii());
    }
    for version in [0, 1, 6] {
        protocol_5[1] = version;
        assert!(matches!(read(&protocol_5), Err(NpzProblem::Pickle { .. })), "{version}");
    }
}

#[test]
fn every_prefix_is_truncated() {
    for bytes in [PROTOCOL_2, PROTOCOL_3, PROTOCOL_4, PYTHON_2] {
        for length in 0..bytes.len() {
            let result = read(&bytes[..length]);
            assert!(matches!(result, Err(NpzProblem::Truncated { .. })), "{length}: {result:?}");
        }
    }
}

#[test]
fn other_calls_are_refused() {
    let global = |bytes: &[u8]| match read(bytes) {
        Err(NpzProblem::ForeignGlobal { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(global(b"\x80\x02cposix\nsystem\nq\x00."), "posix.system");
    assert_eq!(global(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93."), "builtins.eval");
    assert_eq!(global(b"\x80\x02cnumpy\nload\nq\x00."), "numpy.load");
    let call = |bytes: &[u8]| match read(bytes) {
        Err(NpzProblem::ForeignCall { opcode, target, .. }) => format!("{opcode} {target}"),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        call(&replaced(PYTHON_2, b"U\x02O8", b"U\x02f8")),
        "REDUCE numpy.dtype (with \"f8\" as the first argument)"
    );
    assert_eq!(call(&replaced(PYTHON_2, b"K\x00\x85U\x01b", b"K\x09\x85U\x01b")), "REDUCE numpy's _reconstruct");
    assert_eq!(
        call(&replaced(PROTOCOL_2, b"latin1", b"base64")),
        "REDUCE _codecs.encode (with \"b\" as the first argument)"
    );
    assert_eq!(call(b"\x80\x02K\x05)R."), "REDUCE an integer");
    assert_eq!(call(b"\x80\x02])b."), "BUILD a list");
    assert_eq!(call(&replaced(PYTHON_2, b"K?tb", b"]tb")), "BUILD an element type");
    assert_eq!(call(&replaced(PYTHON_2, b"aetb.", b"aetb)b.")), "BUILD an array");
    let dimensions = replaced(PYTHON_2, b"\x8a\x01\x05\x85", b"K\x01K\x05\x86");
    assert_eq!(call(&dimensions), "BUILD an array without exactly one dimension");
}

#[test]
fn other_opcodes_are_named() {
    for (bytes, expected) in
        [(&b"G"[..], "BINFLOAT"), (b"}", "EMPTY_DICT"), (b"\x81", "NEWOBJ"), (b"0", "POP"), (b"\xf0", "0xf0 (unknown)")]
    {
        let problem = NpzProblem::Opcode { opcode: expected.into(), offset: 2 };
        assert_eq!(read(&[b"\x80\x02", bytes].concat()), Err(problem));
    }
}

#[test]
fn what_does_not_add_up_is_refused() {
    for body in
        [&b"."[..], b"N.", b"a.", b"e.", b"Ne.", b"(a.", b"NNa.", b"](a.", b"h\x05.", b"q\x05.", b"\x93.", b"NN\x93."]
    {
        let result = read(&[b"\x80\x02", body].concat());
        assert!(matches!(result, Err(NpzProblem::Pickle { offset: 2.., .. })), "{body:?}: {result:?}");
    }
    assert_eq!(
        read(&replaced(PYTHON_2, b"\x8a\x01\x05\x85", b"K\x06\x85")),
        Err(NpzProblem::Count { announced: 6, found: 5 })
    );
    let huge = [&b"\x8a\x09"[..], &[0x7f; 9]].concat();
    assert_eq!(
        read(&replaced(PYTHON_2, b"M,\x01", &huge)),
        Err(NpzProblem::Word { review: 0, position: 1, found: "an integer of more than 64 bits".into() })
    );
}

#[test]
fn tables_are_bounded() {
    for (unit, expected) in [
        (&b"N"[..], MAX_STACK as u64),
        (b"(", 64),
        (b")", 256),
        (b"Nr\x00\x00\x00\x00", MAX_STACK as u64),
        (b"X\x01\x04\x00\x00", 1024),
    ] {
        match read(&[b"\x80\x02", &unit.repeat(MAX_STACK + 1)[..]].concat()) {
            Err(NpzProblem::Limit { limit, .. }) => assert_eq!(limit, expected, "{unit:?}"),
            other => panic!("{unit:?}: {other:?}"),
        }
    }
    let long_tuple = [b"\x80\x02(", &b"N".repeat(17)[..], b"t."].concat();
    assert!(matches!(read(&long_tuple), Err(NpzProblem::Limit { limit: 16, .. })));
    let memo = [b"\x80\x02N", &b"\x94".repeat(MAX_MEMO + 1)[..]].concat();
    assert!(matches!(read(&memo), Err(NpzProblem::Limit { limit, .. }) if limit == MAX_MEMO as u64));
    let lists = [b"\x80\x02]", &b"(]]]]]]]]e".repeat((1 << 17) + 1)[..]].concat();
    assert!(matches!(read(&lists), Err(NpzProblem::Limit { what: "reviews", .. })));
}
