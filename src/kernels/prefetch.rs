//! Asks for memory before it is needed: the only `unsafe` of the crate.
//!
//! A pass back goes through the steps from the last to the first, and through the rows of each from the first to the last;
//! a batch is gathered from all over the data. No processor foresees such leaps, so each would begin by waiting for what lies
//! far away in memory. To ask for it takes an instruction that safe code has no name for, and a number that is read instead
//! holds up what comes after it.
//!
//! Asked for is the second-level cache: more of it can be under way there than into the first. Measured on Zen 4 for an LSTM
//! of 8 units, forward and back, 1000 steps of 1024 samples: 94 ms without, 87 into the first-level cache at the time; later
//! 78 into the first and 75 into the second. Where the cache holds all, as of 100 steps of 64 samples, the pass back does not
//! ask: it would cost 3 %. Asking for the reviews of a batch takes 1 to 2 % off an epoch of the IMDB experiments.

use crate::tensor::CACHE_LINE;

/// Asks for this many numbers of `data`, from the first on; for none of them if there are fewer.
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
