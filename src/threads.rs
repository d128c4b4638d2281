//! Threads that process shards: the caller's thread alone, or together with the threads of a rayon pool.
//!
//! The caller's thread always takes part, so a pool wakes one thread less, and work that is too small to share runs
//! without a pool. Shards are handed out one by one to free threads. The thread that processes a shard does not affect
//! the result's bits.
//!
//! A thread that is still awake responds much faster than one that is asleep, and rayon's threads go to sleep soon
//! after their last work. On a busy machine, a thread that sleeps between batches may also be woken on the caller's own
//! core, where it starts only when the work is done, so that two threads are no faster than one. So threads that helped
//! look out for more work for a while before they sleep ([`AWAKE`]), which also shows the system that they need a core.
//! Threads do so in this module's own pools and in those passed to [`Model::set_pool`](crate::Model::set_pool), but not
//! in a pool in which the caller runs, which has other work.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Number of multiplications from which on work is shared between threads. In small layers, half of their time is about
/// what it costs to wake a sleeping thread.
const WORTH_SHARING: usize = 500_000;

/// Number of checks whether the other threads are done before the caller goes to sleep. Waking up takes about as long
/// as these checks.
const LOOKS: usize = 2_000;

/// Time for which a thread that has helped looks out for more work before it may go to sleep: longer than the pause
/// between two batches, but short for other processes that wait for a core.
const AWAKE: Duration = Duration::from_micros(100);

/// Smallest number of threads that a model does not accept. Few machines have more, and fewer threads start in a
/// moment.
const TOO_MANY_THREADS: usize = 1025;

/// Number of calls of [`Threads::share`] in this process. A new call ends all looking out.
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// Threads of a model.
#[derive(Clone, Debug, Default)]
pub(crate) enum Threads {
    /// The pool in which the caller runs, or [`ours`].
    #[default]
    Ambient,
    /// Only the caller's thread.
    Single,
    /// A given pool, and the number of threads that work at the same time, including the caller's.
    Pool(Arc<rayon_core::ThreadPool>, usize),
}

impl Threads {
    /// Returns `count` threads: the caller's, and a pool of the others.
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

    /// Returns the user's pool, with as many threads at work as it has.
    #[cfg(any(feature = "rayon", test))]
    pub(crate) fn of_pool(pool: Arc<rayon_core::ThreadPool>) -> Self {
        let count = pool.current_num_threads();
        Threads::Pool(pool, count)
    }

    /// Returns the number of threads for this many multiplications. For work too small to share it starts no pool.
    pub(crate) fn count(&self, multiplications: usize) -> usize {
        match self {
            _ if multiplications < WORTH_SHARING => 1,
            Threads::Single => 1,
            Threads::Ambient => rayon_core::current_num_threads(),
            Threads::Pool(_, count) => *count,
        }
    }

    /// Returns whether there is only the caller's thread.
    pub(crate) fn is_single(&self) -> bool {
        self.count(usize::MAX) == 1
    }

    /// Calls `work` with each item and a worker, on as many threads as there are workers. No worker is used by two
    /// threads at once.
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
            // Nothing panics while the lock is held. A panic in `work` continues in the caller's thread.
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

/// Returns the pool of all models without other settings. With the caller's thread it has as many threads as rayon's
/// global pool, whose own threads are not kept awake because they belong to the program. `None` if there is only the
/// caller's thread, or if no threads can be started.
fn ours() -> Option<&'static rayon_core::ThreadPool> {
    static OURS: OnceLock<Option<rayon_core::ThreadPool>> = OnceLock::new();
    let start = || match rayon_core::current_num_threads() {
        0 | 1 => None,
        count => rayon_core::ThreadPoolBuilder::new().num_threads(count - 1).build().ok(),
    };
    OURS.get_or_init(start).as_ref()
}

/// Action of a thread that has helped.
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

/// Runs `work` with each worker, the caller's own on this thread.
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
    // The scope sleeps while it waits, and waking up takes longer than the others usually still need.
    (0..LOOKS).take_while(|_| busy.load(Ordering::Acquire) > 0).for_each(|_| spin_loop());
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread::{self, ThreadId};

    use rayon_core::{ThreadPool, ThreadPoolBuilder};

    use super::*;

    /// Threads that were asked to look out, including those of other tests.
    static LOOKED_OUT: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());

    pub(super) fn note_looking_out() {
        LOOKED_OUT.lock().unwrap().push(thread::current().id());
    }

    fn ids(pool: &ThreadPool) -> HashSet<ThreadId> {
        pool.broadcast(|_| thread::current().id()).into_iter().collect()
    }

    /// Shares work between two threads, and returns whether a thread of this pool looked out for more.
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
        // From a thread outside any pool.
        let global = rayon_core::broadcast(|_| thread::current().id()).into_iter().collect();
        assert!(!looks_out(&Threads::default(), &global));
        if let Some(ours) = ours() {
            assert_eq!(ids(ours).len() + 1, global.len());
            assert!(looks_out(&Threads::default(), &ids(ours)));
        }
    }
}
