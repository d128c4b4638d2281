//! What is allocated, and how much memory is held at once: by training, by running, and by files that were made to do harm.
//!
//! The allocator of this program counts for each thread by itself, so that tests may run side by side and beside the harness.

#![allow(unsafe_code, reason = "an allocator is an unsafe trait; this one counts and hands on to the system's")]

mod allocation;
mod checkpoint_mutations;
mod imdb_mutations;
#[path = "../data/npz_writer.rs"]
mod npz_writer;
mod recurrent;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How often watched threads allocated.
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    /// What this thread took and did not give back; below zero if it gave back what others took.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

impl Counting {
    // A thread that ends may allocate after its variables are gone.
    fn take(bytes: usize) {
        if WATCHED.try_with(Cell::get).unwrap_or(false) {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        }
        let held = HELD.try_with(|held| {
            held.set(held.get() + bytes as isize);
            held.get()
        });
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.unwrap_or(0))));
    }

    fn give_back(bytes: usize) {
        let _ = HELD.try_with(|held| held.set(held.get() - bytes as isize));
    }
}

// SAFETY: every call goes to the system's allocator with the arguments it came with. `realloc` and `alloc_zeroed` are left to
// their defaults, which call these two: a vector that grows is held twice for a moment.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Counting::take(layout.size());
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        Counting::give_back(layout.size());
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that this thread held at once in `work`, beyond what it held before, and what `work` gives.
fn peak_of<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    ((PEAK.get() - before) as usize, result)
}
