//! Masks of time steps.
//!
//! A mask is `true` for each time step of each sample that counts, as in Keras. Samples bring one, or a layer makes one
//! ([`Embedding::mask_zero`](crate::layers::Embedding::mask_zero), [`Masking`](crate::layers::Masking)), and layers pass it
//! on as long as there are time steps. Recurrent layers keep their state at masked steps; losses and metrics ignore their
//! rows.

use ndarray::{Array2, ArrayView2, Axis};

use super::resize;

/// Mask of the time steps of a batch (T, B); no mask if all count.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    steps: Array2<bool>,
    present: bool,
}

impl Mask {
    /// Returns the mask (T, B), if there is one.
    pub fn get(&self) -> Option<ArrayView2<'_, bool>> {
        self.present.then(|| self.steps.view())
    }

    /// Removes the mask, so that all steps count.
    pub fn clear(&mut self) {
        self.present = false;
    }

    /// Makes it a mask of this size, to be written. With the same size it keeps its content.
    pub fn make(&mut self, steps: usize, batch: usize) -> &mut Array2<bool> {
        self.present = true;
        resize(&mut self.steps, (steps, batch));
        &mut self.steps
    }

    /// Excludes the steps for which `counts` is false.
    pub fn narrow(&mut self, steps: usize, batch: usize, counts: impl Fn(usize, usize) -> bool) {
        let before = self.present;
        for ((step, sample), count) in self.make(steps, batch).indexed_iter_mut() {
            *count = (*count || !before) && counts(step, sample);
        }
    }

    /// Copies another mask.
    pub(crate) fn copy(&mut self, other: &Mask) {
        match other.get() {
            Some(steps) => self.make(steps.nrows(), steps.ncols()).assign(&steps),
            None => self.clear(),
        }
    }

    /// Copies another mask with the steps in reverse order.
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

/// Returns step t of a mask, one value a sample.
pub(crate) fn step<'a>(mask: &Option<ArrayView2<'a, bool>>, t: usize) -> Option<&'a [bool]> {
    mask.map(|mask| {
        let batch = mask.ncols();
        &mask.to_slice().expect("masks are in standard layout")[t * batch..][..batch]
    })
}

/// Returns the samples that a step leaves out.
pub(crate) fn left_out(counts: &[bool]) -> impl Iterator<Item = usize> + '_ {
    counts.iter().enumerate().filter(|(_, counts)| !**counts).map(|(sample, _)| sample)
}
