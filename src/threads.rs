//! Who runs the shards: the caller's thread alone, or with it the threads of a rayon pool.
//!
//! The caller's thread always takes part, so a pool wakes one thread less, and what is not worth waking any runs as if
//! there were no pool. Shards are handed out one by one to whoever is free; which thread runs one changes no bit.
//!
//! Measured on two Zen 4 cores: asking another thread and hearing from it costs 1.5 µs if it is still awake from the batch
//! before, and 17 µs if it went to sleep, as rayon's do after some 15 µs without work. Worse, a thread that sleeps between
//! batches may be woken on the caller's own core and find the work done whenever it gets there, batch after batch: on a
//! machine that does other things besides, epochs on two threads then took as long as on one. So threads that helped look
//! out for more work a while before they sleep ([`AWAKE`]), which also lets the system see that they need a core. So they do in
//! pools of ours, and in those that [`Model::set_pool`](crate::Model::set_pool) got for that; a pool that the caller happens
//! to be in has other things to do.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// From this many multiplications on work is shared between threads: they take 20 µs at the speed of small layers, more
/// than that where there is little to multiply, so that half of the time is about what a sleeping thread costs.
const WORTH_SHARING: usize = 500_000;

/// How often to look whether the others are done before going to sleep, from which waking up takes as long as these looks.
const LOOKS: usize = 2_000;

/// How long a thread that has helped looks out for more before it may go to sleep: longer than what lies between two
/// batches, short for whoever else waits for a core.
const AWAKE: Duration = Duration::from_micros(100);

/// From so many threads on a model refuses them: few machines have more, and starting so many takes a moment, not minutes.
const TOO_MANY_THREADS: usize = 1025;

/// Counts the calls of [`Threads::share`] in this process; a new one ends all looking out.
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// The threads of a model.
#[derive(Clone, Debug, Default)]
pub(crate) enum Threads {
    /// The pool that the caller is in, or [`ours`].
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
            1 => Ok(Threads::Single),
            0 | TOO_MANY_THREADS.. => Err(Error::InvalidOption {
                option: "threads",
                value: count.to_string(),
                allowed: "at least 1 and at most 1024",
            }),
            _ => match rayon_core::ThreadPoolBuilder::new().num_threads(count - 1).build() {
                Ok(pool) => Ok(Threads::Pool(Arc::new(pool), count)),
                Err(cause) => Err(Error::Threads { count, cause: cause.into() }),
            },
        }
    }

    /// As many threads as a pool of the user's has.
    #[cfg(any(feature = "rayon", test))]
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
        let inside_a_pool = rayon_core::current_thread_index().is_some();
        let pool = match self {
            Threads::Pool(pool, _) => Some(&**pool),
            Threads::Ambient if !inside_a_pool => ours(),
            Threads::Single | Threads::Ambient => None,
        };
        match pool {
            Some(pool) => pool.in_place_scope(|scope| fork(scope, own, others, &take_items, &busy, Then::LookOut)),
            None => rayon_core::in_place_scope(|scope| fork(scope, own, others, &take_items, &busy, Then::Leave)),
        }
    }
}

/// The pool of all models that are not told otherwise: together with the caller's as many threads as rayon's global pool has,
/// which is not for us to keep awake. `None` if that is the caller's alone, or if no more can be started.
fn ours() -> Option<&'static rayon_core::ThreadPool> {
    static OURS: OnceLock<Option<rayon_core::ThreadPool>> = OnceLock::new();
    let start = || match rayon_core::current_num_threads() {
        0 | 1 => None,
        count => rayon_core::ThreadPoolBuilder::new().num_threads(count - 1).build().ok(),
    };
    OURS.get_or_init(start).as_ref()
}

/// What a thread that has helped does next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    LookOut,
    Leave,
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
    then: Then,
) {
    for other in others {
        scope.spawn(move |_| {
            work(other);
            busy.fetch_sub(1, Ordering::Release);
            if then == Then::LookOut {
                #[cfg(test)]
                tests::note_looking_out();
                rayon_core::spawn(look_out);
            }
        });
    }
    work(own);
    // The scope waits asleep, and waking up costs more than what the others usually still need.
    (0..LOOKS).take_while(|_| busy.load(Ordering::Acquire) > 0).for_each(|_| spin_loop());
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread::{self, ThreadId};

    use rayon_core::{ThreadPool, ThreadPoolBuilder};

    use super::*;

    /// The threads that have been asked to look out, those of other tests among them.
    static LOOKED_OUT: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());

    pub(super) fn note_looking_out() {
        LOOKED_OUT.lock().unwrap().push(thread::current().id());
    }

    fn ids(pool: &ThreadPool) -> HashSet<ThreadId> {
        pool.broadcast(|_| thread::current().id()).into_iter().collect()
    }

    /// Shares work between two threads, and tells whether one of these looked out for more.
    fn looks_out(threads: &Threads, pool: &HashSet<ThreadId>) -> bool {
        let sum = AtomicUsize::new(0);
        threads.share(&mut [(), ()], 0..10_usize, |(), item| {
            sum.fetch_add(item, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 45);
        let looked_out = LOOKED_OUT.lock().unwrap();
        looked_out.iter().any(|thread| pool.contains(thread))
    }

    fn pool() -> Arc<ThreadPool> {
        Arc::new(ThreadPoolBuilder::new().num_threads(2).build().unwrap())
    }

    #[test]
    fn only_threads_of_ours_or_handed_over_look_out() {
        let handed_over = pool();
        assert!(looks_out(&Threads::of_pool(Arc::clone(&handed_over)), &ids(&handed_over)));
        let made = Threads::new(2).unwrap();
        let Threads::Pool(pool_of_two, _) = &made else { panic!("two threads need a pool") };
        assert!(looks_out(&made, &ids(pool_of_two)));

        let users = pool();
        let of_users = ids(&users);
        assert!(!users.install(|| looks_out(&Threads::default(), &of_users)));
        // From a thread of no pool.
        let global = rayon_core::broadcast(|_| thread::current().id()).into_iter().collect();
        assert!(!looks_out(&Threads::default(), &global));
        if let Some(ours) = ours() {
            assert_eq!(ids(ours).len() + 1, global.len());
            assert!(looks_out(&Threads::default(), &ids(ours)));
        }
    }
}
