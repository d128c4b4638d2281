//! Prefetching of memory: the only `unsafe` of the crate.
//!
//! A backward pass visits the steps from last to first but the rows of each from first to last, and a batch is gathered from
//! all over the data. Processors do not predict such jumps, so each would wait for memory. Safe code has no instruction for
//! a prefetch, and an ordinary read would block later instructions.
//!
//! It targets the second-level cache, which allows more outstanding requests than the first. If the data fit in the cache,
//! the backward pass does not prefetch, because that only costs time.

use crate::tensor::CACHE_LINE;

/// Prefetches this many numbers of `data` from `first` on, or none if there are fewer.
#[inline(always)]
pub(crate) fn prefetch<F>(data: &[F], first: usize, count: usize) {
    let line = CACHE_LINE / size_of::<F>();
    let Some(part) = data.get(first..first + count) else { return };
    for number in (0..count.div_ceil(line)).map(|index| &part[index * line]) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
            // SAFETY: every x86-64 processor has the instruction, and it is a hint: it changes nothing and cannot fault. The
            // address is that of a number of the slice.
            #[expect(unsafe_code)]
            unsafe {
                _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(number).cast());
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = number;
    }
}
