//! Which steps of a batch count.
//!
//! A mask says so for each step of each sample, `true` where it counts, as in Keras. It travels beside the tensors of a pass:
//! the samples bring one or a layer makes one ([`Embedding::mask_zero`](crate::layers::Embedding::mask_zero),
//! [`Masking`](crate::layers::Masking)), and layers hand it on as long as there are steps. Recurrent layers keep their state over
//! steps that do not count; losses and metrics leave their rows out.

use ndarray::{Array2, ArrayView2, Axis};

use super::resize;

/// Which steps of a batch count: (T, B); or no mask, when all do.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    steps: Array2<bool>,
    present: bool,
}

impl Mask {
    /// The mask (T, B), if there is one.
    pub fn get(&self) -> Option<ArrayView2<'_, bool>> {
        self.present.then(|| self.steps.view())
    }

    /// Lets all steps count.
    pub fn clear(&mut self) {
        self.present = false;
    }

    /// Makes it a mask of this size, to be written. It still holds what it held, if it had this size.
    pub fn make(&mut self, steps: usize, batch: usize) -> &mut Array2<bool> {
        self.present = true;
        resize(&mut self.steps, (steps, batch));
        &mut self.steps
    }

    /// Lets only those steps count that did before and for which this is true.
    pub fn narrow(&mut self, steps: usize, batch: usize, counts: impl Fn(usize, usize) -> bool) {
        let before = self.present;
        for ((step, sample), count) in self.make(steps, batch).indexed_iter_mut() {
            *count = (*count || !before) && counts(step, sample);
        }
    }

    /// Makes it like another.
    pub(crate) fn copy(&mut self, other: &Mask) {
        match other.get() {
            Some(steps) => self.make(steps.nrows(), steps.ncols()).assign(&steps),
            None => self.clear(),
        }
    }

    /// Makes it like another with the steps in reverse order.
    pub(crate) fn copy_reversed(&mut self, other: Option<ArrayView2<'_, bool>>) {
        match other {
            Some(mut steps) => {
                steps.invert_axis(Axis(0));
                self.make(steps.nrows(), steps.ncols()).assign(&steps);
            }
            None => self.clear(),
        }
    }
}

/// Step t of a mask, one value a sample.
pub(crate) fn step<'a>(mask: &Option<ArrayView2<'a, bool>>, t: usize) -> Option<&'a [bool]> {
    mask.map(|mask| {
        let batch = mask.ncols();
        &mask.to_slice().expect("masks are in standard layout")[t * batch..][..batch]
    })
}

/// The samples that a step leaves out.
pub(crate) fn left_out(counts: &[bool]) -> impl Iterator<Item = usize> + '_ {
    counts.iter().enumerate().filter(|(_, counts)| !**counts).map(|(sample, _)| sample)
}
