//! The IMDB reviews: made-up files of Keras' layout, files that have to be refused, and the real file.
//!
//! Contract: the real file's reviews are those of Keras' `load_data`, compared by counts, lengths and a hash over every
//! id and label, and an epoch on them has Keras' losses. Those tests need the path of `imdb.npz` in the environment variable
//! `BPTT_IMDB`, one of them also Keras' `imdb_word_index.json` beside it, so they are ignored unless asked for:
//! `BPTT_IMDB=$PWD/imdb.npz cargo test --workspace --test data imdb -- --include-ignored`.
//!
//! Read next: `imdb/epoch.rs`; `../memory/imdb_mutations.rs`, files damaged by chance.

mod epoch;
#[expect(dead_code, reason = "tensors are for other programs")]
#[path = "../goldens/mod.rs"]
mod goldens;
#[path = "../../src/random/numpy.rs"]
mod numpy_random;

use std::io::Cursor;
use std::path::PathBuf;

use bptt::Error;
use bptt::datasets::imdb::{LoadData, WordIndex};
use bptt::datasets::{Corpus, Reviews};
use bptt::preprocessing::{pad_sequences, train_test_split};

use super::npz_writer::{NAMES, labels, members, npy, npz, pickled, reviews, zipped};

/// The path of the real file.
fn real_file() -> PathBuf {
    std::env::var_os("BPTT_IMDB").expect("set BPTT_IMDB to the path of Keras' imdb.npz").into()
}

/// What the real file gives with `options`.
fn real(options: LoadData) -> Corpus {
    options.load(real_file()).unwrap()
}

/// The number of reviews, of ids, of positive labels, and an FNV-1a hash over each review's length, ids and label.
fn digest(Reviews { sequences, labels }: &Reviews) -> (usize, usize, usize, u64) {
    assert_eq!(sequences.len(), labels.len());
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |word: u32| {
        for byte in word.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    };
    for (sequence, &label) in sequences.iter().zip(labels) {
        add(sequence.len() as u32);
        sequence.iter().copied().for_each(&mut add);
        add(label.into());
    }
    let positive = labels.iter().filter(|&&label| label == 1).count();
    (sequences.len(), sequences.iter().map(Vec::len).sum(), positive, hash)
}

#[test]
#[ignore = "needs BPTT_IMDB"]
fn real_file_with_500_words_and_the_split_after_it() {
    let Corpus { train, test } = real(LoadData::new().num_words(500));
    assert_eq!(digest(&train), (25_000, 5_967_530, 12_500, 0x8fca_87a9_5edd_41cd));
    assert_eq!(digest(&test), (25_000, 5_769_386, 12_500, 0xc4c4_1f7c_07b8_4412));
    assert_eq!((train.sequences[0].len(), train.sequences[1].len()), (218, 189));
    assert_eq!(train.labels[..20], [1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 1]);

    let split = train_test_split(&train.sequences, &train.labels, 0.2, 42).unwrap();
    let mut lengths: Vec<usize> = split.train_samples.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    assert_eq!((lengths.len(), split.test_samples.len()), (20_000, 5000));
    assert_eq!(lengths.iter().sum::<usize>() as f64 / 20_000.0, 238.9937);
    assert_eq!((lengths[9999], lengths[10_000]), (178, 178));
    assert_eq!(pad_sequences(&split.train_samples, 100).dim(), (20_000, 100));
}

#[test]
#[ignore = "needs BPTT_IMDB"]
fn real_file_with_the_defaults() {
    let Corpus { train, test } = real(LoadData::new());
    assert_eq!(digest(&train), (25_000, 5_967_530, 12_500, 0xc7c1_e29b_6be4_08bd));
    assert_eq!(digest(&test), (25_000, 5_769_386, 12_500, 0xfcc2_d25f_069a_047a));
}

#[test]
#[ignore = "needs BPTT_IMDB"]
fn real_file_with_every_option() {
    let options = LoadData::new().num_words(1000).skip_top(20).maxlen(100).seed(7).oov_char(None);
    let Corpus { train, test } = real(options);
    assert_eq!(digest(&train), (2777, 93_635, 1539, 0x8494_21f8_3e6c_85f6));
    assert_eq!(digest(&test), (2967, 99_453, 1608, 0xfa7d_2b62_c17c_5d77));

    let options = LoadData::new().start_char(None).index_from(0).maxlen(50).num_words(20);
    let Corpus { train, test } = real(options);
    assert_eq!(digest(&train), (529, 21_620, 317, 0x8628_7a74_f3bb_c186));
    assert_eq!(digest(&test), (601, 24_321, 323, 0xa9d0_17a7_d865_10ef));
}

/// Of each review: its text, as the word index has it, is encoded to the review again.
#[test]
#[ignore = "needs BPTT_IMDB with imdb_word_index.json beside it"]
fn texts_of_the_real_file_become_its_reviews() {
    let path = real_file();
    let words = WordIndex::load(path.with_file_name("imdb_word_index.json")).unwrap();
    assert_eq!(words.len(), 88_584);
    // One more than the highest id.
    let all = LoadData::new().num_words(88_584 + 3 + 1);
    let Corpus { train, test } = all.load(&path).unwrap();
    for review in train.sequences.iter().chain(&test.sequences) {
        let text = all.decode(&words, review);
        assert!(!text.contains("[OOV]"));
        assert_eq!(all.encode(&words, &text).unwrap(), *review);
    }

    let few = LoadData::new().num_words(500);
    let text = all.decode(&words, &train.sequences[0]);
    assert_eq!(few.encode(&words, &text).unwrap(), few.load(&path).unwrap().train.sequences[0]);
}

#[test]
fn both_kinds_of_pickle_give_the_same() {
    let load = |protocol| LoadData::new().read(Cursor::new(npz(&members(protocol)))).unwrap();
    let imdb = load(2);
    assert_eq!(imdb, load(4));
    let mut lengths: Vec<usize> = imdb.train.sequences.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [1, 4, 4, 1501]);
    assert_eq!((imdb.train.labels.len(), imdb.test.labels.len()), (4, 3));
}

/// The message for a file of `bytes`.
fn refusal(bytes: &[u8]) -> String {
    LoadData::new().read(Cursor::new(bytes)).unwrap_err().to_string()
}

/// The message for a file in which the first array of reviews is `member`.
fn refused_reviews(member: Vec<u8>) -> String {
    let [_, y_train, x_test, y_test] = members(4);
    refusal(&npz(&[member, y_train, x_test, y_test]))
}

/// The message for a file in which the first array of reviews has `pickle` inside.
fn refused_pickle(pickle: &[u8]) -> String {
    refused_reviews(npy("|O", "(4,)", pickle))
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

#[test]
fn files_that_are_no_npz() {
    assert_says(&refusal(b""), &["the npz file", "not an npz file", "pass a whole imdb.npz"]);
    assert_says(&refusal(b"<html>not found</html>"), &["not an npz file"]);
    assert_says(&refusal(&members(4)[0]), &["not an npz file"]);
    let path = std::env::temp_dir().join("bptt-no-such-file.npz");
    let error = LoadData::new().load(&path).unwrap_err();
    assert!(matches!(&error, Error::Io { path: named, .. } if *named == path), "{error}");
    // A path that was given is named.
    let error = LoadData::new().load(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap_err().to_string();
    assert_says(&error, &["Cargo.toml: it is not an npz file"]);
}

#[test]
fn damaged_archives() {
    let whole = npz(&members(4));
    for length in [4, 30, whole.len() / 2, whole.len() - 1] {
        assert_says(&refusal(&whole[..length]), &["the zip archive is damaged", "anew"]);
    }
    // A changed byte of the data fails to decompress, or fails the checksum.
    let mut changed = whole.clone();
    changed[200] ^= 0x20;
    assert_says(&refusal(&changed), &["cannot read x_train.npy in the npz file"]);
    // A directory of 65,535 members is not even looked at.
    let mut crowded = whole.clone();
    let record = whole.len() - 22;
    crowded[record + 8..record + 12].fill(0xff);
    assert_says(&refusal(&crowded), &["more than 256 members"]);
}

#[test]
fn missing_and_mismatched_members() {
    let all = members(4);
    let some: Vec<(&str, &[u8])> = NAMES.into_iter().zip(all.iter().map(Vec::as_slice)).collect();
    assert_says(
        &refusal(&zipped(&some[..3])),
        &["cannot read y_test.npy", "no such member", "x_train.npy, y_train.npy, x_test.npy", "are needed"],
    );
    assert_says(&refusal(&zipped(&[])), &["cannot read x_train.npy", "holds nothing"]);
    let with_labels = |y_train| refusal(&npz(&[all[0].clone(), y_train, all[2].clone(), all[3].clone()]));
    assert_says(&with_labels(labels(&[1, 0, 0])), &["cannot read y_train.npy", "3 labels for 4 reviews"]);
    assert_says(&with_labels(labels(&[1, 0, 2, 0])), &["label 2 is 2, but must be 0 (negative) or 1"]);
    assert_says(&with_labels(npy("<f8", "(4,)", &[0; 32])), &["type \"<f8\"", "int64"]);
    assert_says(&with_labels(npy("<i8", "(4, 1)", &[0; 32])), &["2 dimensions"]);
    let empty = [reviews(4, &[]), labels(&[]), all[2].clone(), all[3].clone()];
    assert_says(&refusal(&npz(&empty)), &["the training set is empty"]);
}

#[test]
fn arrays_that_hold_no_reviews() {
    assert_says(&refused_reviews(npy("<f4", "(4,)", &[0; 16])), &["type \"<f4\"", "Python lists of int"]);
    assert_says(&refused_reviews(npy("|O", "(1152921504606846976,)", b"")), &["more than 1048576 reviews"]);
    assert_says(&refused_reviews(npy("|O", "(5,)", &pickled(4, &vec![vec![]; 4]))), &["announces 5 reviews, but 4"]);
    let negative = reviews(4, &[vec![1], vec![1, 2, -3], vec![], vec![]]);
    assert_says(&refused_reviews(negative), &["review 1 holds -3 at position 2", "0 to 4294967295"]);
    let large = reviews(4, &[vec![1], vec![], vec![], vec![1 << 32]]);
    assert_says(&refused_reviews(large), &["review 3 holds 4294967296 at position 0"]);
    let mut cut = members(4)[0].clone();
    cut.truncate(1000);
    assert_says(&refused_reviews(cut), &["cannot read x_train.npy", "ends after 1000 bytes, in the middle"]);
    let mut longer = members(4)[0].clone();
    longer.push(b'.');
    assert_says(&refused_reviews(longer), &["but more follow"]);
}

#[test]
fn pickles_that_want_to_run_something() {
    assert_says(
        &refused_pickle(b"\x80\x02cos\nsystem\nU\x04true\x85R."),
        &["its pickle names os.system at byte 130", "nothing was run"],
    );
    assert_says(&refused_pickle(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93."), &["builtins.eval"]);
    assert_says(
        &refused_pickle(b"\x80\x02cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R."),
        &["REDUCE on numpy.dtype (with \"f8\" as the first argument)", "nothing was run"],
    );
    assert_says(&refused_pickle(b"\x80\x02cnumpy\nndarray\n)R."), &["REDUCE on numpy.ndarray"]);
    assert_says(&refused_pickle(b"\x80\x02cnumpy\nndarray\n)b."), &["BUILD on numpy.ndarray"]);
    assert_says(&refused_pickle(b"\x80\x02}."), &["the opcode EMPTY_DICT at byte 130", "protocol 2 to 5"]);
    assert_says(&refused_pickle(b"\x80\x02cnumpy\nndarray\n)\x81."), &["the opcode NEWOBJ"]);
}
