//! Who runs the shards: the caller's thread alone, or with it the threads of a rayon pool.
//!
//! The caller's thread always takes part, so a pool wakes one thread less, and what is not worth waking any runs as if
//! there were no pool. Shards are handed out one by one to whoever is free; which thread runs one changes no bit.
//!
//! Measured on two Zen 4 cores: asking another thread and hearing from it costs 1.5 µs if it is still awake from the batch
//! before, and 17 µs if it went to sleep, as rayon's do after some 15 µs without work. Worse, a thread that sleeps between
//! batches may be woken on the caller's own core and find the work done whenever it gets there, batch after batch: on a
//! machine that does other things besides, epochs on two threads then took as long as on one. So threads that helped look
//! out for more work a while before they sleep ([`AWAKE`]), which also lets the system see that they need a core.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// From this many multiplications on work is shared between threads: they take 20 µs at the speed of small layers, more
/// than that where there is little to multiply, so that half of the time is about what a sleeping thread costs.
const WORTH_SHARING: usize = 500_000;

/// How often to look whether the others are done before going to sleep, from which waking up takes as long as these looks.
const LOOKS: usize = 2_000;

/// How long a thread that has helped looks out for more before it may go to sleep: longer than what lies between two
/// batches, short for whoever else uses the pool.
const AWAKE: Duration = Duration::from_micros(100);

/// Counts the calls of [`Threads::share`] in this process; a new one ends all looking out.
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// The threads of a model.
#[derive(Clone, Debug, Default)]
pub(crate) enum Threads {
    /// The pool that the caller is in, or rayon's global one.
    #[default]
    Ambient,
    /// No threads but the caller's.
    Single,
    /// A given pool, and how many threads work at the same time, the caller's with them.
    Pool(Arc<rayon_core::ThreadPool>, usize),
}

impl Threads {
    /// `count` threads: the caller's, and a pool of the others.
    pub(crate) fn new(count: usize) -> Result<Self> {
        match count {
            0 => Err(Error::InvalidOption { option: "threads", value: "0".into(), allowed: "at least 1" }),
            1 => Ok(Threads::Single),
            _ => match rayon_core::ThreadPoolBuilder::new().num_threads(count - 1).build() {
                Ok(pool) => Ok(Threads::Pool(Arc::new(pool), count)),
                Err(source) => Err(Error::Threads { count, source }),
            },
        }
    }

    /// As many threads as a pool of the user's has.
    pub(crate) fn of_pool(pool: Arc<rayon_core::ThreadPool>) -> Self {
        let count = pool.current_num_threads();
        Threads::Pool(pool, count)
    }

    /// How many threads are to work on this many multiplications. Starts nothing if it is one.
    pub(crate) fn count(&self, multiplications: usize) -> usize {
        match self {
            _ if multiplications < WORTH_SHARING => 1,
            Threads::Single => 1,
            Threads::Ambient => rayon_core::current_num_threads(),
            Threads::Pool(_, count) => *count,
        }
    }

    /// Whether there is but the caller's thread.
    pub(crate) fn is_single(&self) -> bool {
        self.count(usize::MAX) == 1
    }

    /// Calls `work` with each item and a worker, on as many threads as there are workers; no worker is used by two threads
    /// at once.
    pub(crate) fn share<W: Send, I: Send>(
        &self,
        workers: &mut [W],
        items: impl ExactSizeIterator<Item = I> + Send,
        work: impl Fn(&mut W, I) + Sync,
    ) {
        let count = workers.len().min(items.len());
        let Some((own, others)) = workers[..count].split_first_mut() else { return };
        if others.is_empty() {
            return items.for_each(|item| work(own, item));
        }
        CALLS.fetch_add(1, Ordering::Relaxed);
        let (items, busy) = (Mutex::new(items), AtomicUsize::new(others.len()));
        let take_items = |worker: &mut W| {
            // Nothing panics while the lock is held; what panics in `work` goes on in the caller's thread.
            let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
            while let Some(item) = next() {
                work(worker, item);
            }
        };
        match self {
            Threads::Pool(pool, _) => pool.in_place_scope(|scope| fork(scope, own, others, &take_items, &busy)),
            Threads::Single | Threads::Ambient => {
                rayon_core::in_place_scope(|scope| fork(scope, own, others, &take_items, &busy));
            }
        }
    }
}

/// Keeps a thread awake until there is more to share, or for [`AWAKE`].
fn look_out() {
    let (call, started) = (CALLS.load(Ordering::Relaxed), Instant::now());
    while CALLS.load(Ordering::Relaxed) == call && started.elapsed() < AWAKE {
        spin_loop();
    }
}

/// Lets `work` run with each worker, the caller's own on this thread.
fn fork<'scope, W: Send>(
    scope: &rayon_core::Scope<'scope>,
    own: &mut W,
    others: &'scope mut [W],
    work: &'scope (impl Fn(&mut W) + Sync),
    busy: &'scope AtomicUsize,
) {
    for other in others {
        scope.spawn(move |_| {
            work(other);
            busy.fetch_sub(1, Ordering::Release);
            rayon_core::spawn(look_out);
        });
    }
    work(own);
    // The scope waits asleep, and waking up costs more than what the others usually still need.
    (0..LOOKS).take_while(|_| busy.load(Ordering::Acquire) > 0).for_each(|_| spin_loop());
}
