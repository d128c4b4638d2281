//! Which mutant runs: the one whose number is in the environment variable `MUTANT`, read once. If that is `trace`, none
//! does, and the number of each that would have been asked for is appended to the file in `MUTANT_TRACE`.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

const LAST: usize = 0;
const NONE: usize = LAST + 1;
const TRACE: usize = LAST + 2;
const UNREAD: usize = LAST + 3;

static ACTIVE: AtomicUsize = AtomicUsize::new(UNREAD);
static SEEN: [AtomicBool; LAST + 1] = [const { AtomicBool::new(false) }; LAST + 1];

#[inline(always)]
pub(crate) fn is(id: usize) -> bool {
    let active = ACTIVE.load(Relaxed);
    active == id || (active >= TRACE && asked(id))
}

#[cold]
#[inline(never)]
fn asked(id: usize) -> bool {
    if ACTIVE.load(Relaxed) == UNREAD {
        let active = match std::env::var("MUTANT") {
            Err(_) => NONE,
            Ok(name) if name == "trace" => TRACE,
            Ok(id) => id.parse().expect("MUTANT is a number or `trace`"),
        };
        ACTIVE.store(active, Relaxed);
    }
    let active = ACTIVE.load(Relaxed);
    if active == TRACE && !SEEN[id].swap(true, Relaxed) {
        let path = std::env::var("MUTANT_TRACE").expect("MUTANT_TRACE is set with MUTANT=trace");
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("the trace can be opened");
        file.write_all(format!("{id}\n").as_bytes()).expect("the trace can be written");
    }
    active == id
}
