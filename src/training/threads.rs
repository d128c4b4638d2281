//! Who runs the shards: the caller's thread alone, rayon's global pool, or a pool of a given size.

use std::sync::Arc;

use rayon::prelude::*;

use crate::error::{Error, Result};

/// The threads of a model.
#[derive(Clone, Debug, Default)]
pub(crate) enum Threads {
    /// The pool that the caller is in, or rayon's global one.
    #[default]
    Ambient,
    /// No threads but the caller's.
    Single,
    /// A pool of its own.
    Pool(Arc<rayon::ThreadPool>),
}

impl Threads {
    /// A pool of `count` threads.
    pub(crate) fn new(count: usize) -> Result<Self> {
        match count {
            0 => Err(Error::InvalidOption { option: "threads", value: "0".into(), allowed: "at least 1" }),
            1 => Ok(Threads::Single),
            _ => match rayon::ThreadPoolBuilder::new().num_threads(count).build() {
                Ok(pool) => Ok(Threads::Pool(Arc::new(pool))),
                Err(source) => Err(Error::Threads { count, source }),
            },
        }
    }

    /// Calls `work` with each shard and its index. Nothing is started for a single shard.
    pub(crate) fn for_each<T: Send>(&self, shards: &mut [T], work: impl Fn(usize, &mut T) + Sync + Send) {
        let parallel =
            |shards: &mut [T]| shards.par_iter_mut().enumerate().for_each(|(index, shard)| work(index, shard));
        match self {
            _ if shards.len() <= 1 => shards.iter_mut().enumerate().for_each(|(index, shard)| work(index, shard)),
            Threads::Single => shards.iter_mut().enumerate().for_each(|(index, shard)| work(index, shard)),
            Threads::Ambient => parallel(shards),
            Threads::Pool(pool) => pool.install(|| parallel(shards)),
        }
    }
}
