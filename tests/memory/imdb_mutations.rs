//! Ten thousand damaged files of reviews, and some built to do harm: no panic, and little memory.
//!
//! Contract: a load either succeeds or returns an error with a message, and never holds more than [`MAX_HELD`] bytes at
//! once, as this program's own allocator counts them: reading starts no threads. The mutations are seeded: a failure names its
//! number and comes again.
//!
//! Read next: `../data/imdb.rs`, which checks what the messages say.

use std::io::Cursor;
use std::time::Instant;

use bptt::datasets::imdb::LoadData;

use super::npz_writer::{labels, members, npy, npz, pickled, reviews};
use super::peak_of;

/// The most a load may hold at once.
const MAX_HELD: usize = 256 << 20;

/// Loads `bytes`; gives back whether that succeeded, and the most that was held at once meanwhile.
fn load(bytes: &[u8]) -> (Result<(), String>, usize) {
    let (held, result) =
        peak_of(|| LoadData::new().read(Cursor::new(bytes)).map(drop).map_err(|error| error.to_string()));
    (result, held)
}

/// SplitMix64: enough to pick places and bytes.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `bound`, or 0.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Damages `bytes` in one of six ways.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let place = self.below(bytes.len());
        let end = (place + 1 + self.below(24)).min(bytes.len());
        match self.below(6) {
            0 => bytes.truncate(place),
            1 => drop(bytes.drain(place..end)),
            2 => {
                let piece = bytes[place..end].to_vec();
                let target = self.below(bytes.len());
                bytes.splice(target..target, piece);
            }
            3 => bytes[place..end].fill([0x00, 0x7f, 0xff][self.below(3)]),
            4 => {
                const OPCODES: &[u8] = b"(.NKMJUXCt)]aeqrhjcRb\x80\x85\x86\x87\x88\x89\x8a\x8c\x93\x94\x95";
                bytes[place] = OPCODES[self.below(OPCODES.len())];
            }
            _ => {
                for _ in 0..=self.below(4) {
                    let place = self.below(bytes.len());
                    bytes[place] ^= 1 << self.below(8);
                }
            }
        }
    }
}

#[test]
fn damaged_files_neither_panic_nor_take_much_memory() {
    let start = Instant::now();
    let whole = [members(2), members(4)];
    for members in &whole {
        assert_eq!(load(&npz(members)).0, Ok(()));
    }
    let mut random = Random(113);
    let (mut highest, mut succeeded) = (0, 0);
    for number in 0..10_000 {
        let members = &whole[random.below(2)];
        let mutations = 1 + random.below(3);
        let bytes = if number % 4 == 0 {
            // Of the archive as it is: the zip reader meets most of these.
            let mut bytes = npz(members);
            (0..mutations).for_each(|_| random.mutate(&mut bytes));
            bytes
        } else {
            // Of an array, packed again with a right checksum; half of the time near its start, where the structure is.
            let mut members = members.clone();
            let member = &mut members[random.below(4)];
            let tail = if random.below(2) == 0 { member.split_off(member.len().min(340)) } else { Vec::new() };
            (0..mutations).for_each(|_| random.mutate(member));
            member.extend(tail);
            npz(&members)
        };
        let (result, held) = load(&bytes);
        assert!(held <= MAX_HELD, "number {number} held {held} bytes: {result:?}");
        assert_ne!(result, Err(String::new()), "number {number} has no message");
        highest = highest.max(held);
        succeeded += usize::from(result.is_ok());
    }
    // A changed word is still a word; but were most of them read, the mutations would be too tame.
    assert!((100..5000).contains(&succeeded), "{succeeded} were read");

    for (name, expected, bytes) in harmful() {
        let (result, held) = load(&bytes);
        let message = result.expect_err(name);
        assert!(message.contains(expected), "{name}: {message}");
        assert!(held <= MAX_HELD, "{name} held {held} bytes: {message}");
        highest = highest.max(held);
    }
    println!("{succeeded} of 10000 were read; at most {highest} bytes held; {:?}", start.elapsed());
}

/// Files meant to take much memory, each with a name and a part of the message.
fn harmful() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let with_reviews = |member: Vec<u8>| {
        let [_, y_train, x_test, y_test] = members(4);
        npz(&[member, y_train, x_test, y_test])
    };
    let with_pickle = |body: Vec<u8>| with_reviews(npy("|O", "(4,)", &[&b"\x80\x02"[..], &body].concat()));
    // Steps of a list of 500 words, 17 million in all, and announcements of frames, more than 128 MiB of them.
    let step = [&b"("[..], &b"K\x01".repeat(500), b"e"].concat();
    let words = [&b"]"[..], &step.repeat(34_000)].concat();
    let frames = b"\x95\x00\x00\x00\x00\x00\x00\x00\x00".repeat(15 << 20);
    // One review of a million words, used sixty thousand times.
    let mut million = pickled(2, &[vec![1; 1 << 20]]);
    million.truncate(million.len() - b"etb.".len());
    million.extend(b"h\x09".repeat(60_000));
    million.extend(b"etb.");
    let many_labels = npy("|u1", "(1048577,)", &[]);
    let [x_train, _, x_test, y_test] = members(4);
    vec![
        ("a bomb of words", "more than 16777216 words", with_pickle(words)),
        ("a bomb of frames", "more than 134217728 decompressed bytes", with_pickle(frames)),
        (
            "lists in a memo",
            "more than 1048576 reviews",
            with_pickle([&b"]"[..], &b"(]\x94e".repeat(1 << 21)].concat()),
        ),
        ("lists in lists", "more than 1048576 reviews", with_pickle([&b"]"[..], &b"]a".repeat(1 << 21)].concat())),
        ("one review many times", "more than 16777216 words", with_reviews(npy("|O", "(60001,)", &million))),
        ("a long string", "bytes in a string", with_pickle(b"X\xff\xff\xff\xff".to_vec())),
        ("a long header", "bytes in its .npy header", with_reviews(b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec())),
        ("2^60 reviews", "more than 1048576 reviews", with_reviews(npy("|O", "(1152921504606846976,)", b""))),
        ("too many labels", "more than 1048576 reviews", npz(&[x_train, many_labels, x_test, y_test])),
        ("no labels", "labels for 1 reviews", {
            let [_, _, x_test, y_test] = members(4);
            npz(&[reviews(4, &[vec![]]), labels(&[]), x_test, y_test])
        }),
    ]
}
