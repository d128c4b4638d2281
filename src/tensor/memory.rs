//! Arrays that are written over and over: their memory is kept, and begins where a line of the cache does.

use std::slice::{ChunksExact, ChunksExactMut};

use ndarray::{Array, Array3, ArrayView2, ArrayViewMut2, Dimension, IntoDimension, Zip, s};
use num_traits::Zero;

/// Gives an array another shape, with any content, in the memory that it has if that is large enough to begin at a line of
/// the cache.
#[inline]
pub fn resize<A: Clone + Default, D: Dimension>(array: &mut Array<A, D>, shape: impl IntoDimension<Dim = D>) {
    resize_within(array, shape, 0);
}

/// [`resize`] where the size differs from pass to pass: in memory for `most` numbers, so that it need not grow again.
#[inline]
pub(crate) fn resize_within<A: Clone + Default, D: Dimension>(
    array: &mut Array<A, D>,
    shape: impl IntoDimension<Dim = D>,
    most: usize,
) {
    let shape = shape.into_dimension();
    if array.raw_dim() != shape {
        reshape(array, shape, most);
    }
}

/// [`resize_within`] where the shape is another one: apart, so that looking whether it is stays short.
///
/// The array begins where a line of the cache does. A vector that lies in two lines is loaded and stored at half the speed,
/// and memory as it comes from the system is such that all vectors of 64 bytes do.
fn reshape<A: Clone + Default, D: Dimension>(array: &mut Array<A, D>, shape: D, most: usize) {
    let (mut memory, _) = std::mem::replace(array, Array::default(D::zeros(shape.ndim()))).into_raw_vec_and_offset();
    let spare = CACHE_LINE.checked_div(size_of::<A>()).unwrap_or_default();
    memory.reserve((most.max(shape.size()) + spare).saturating_sub(memory.len()));
    memory.resize(shape.size() + spare, A::default());
    let start = memory.as_ptr().align_offset(CACHE_LINE).min(spare);
    let aligned = Array::from_vec(memory).slice_move(s![start..start + shape.size()]);
    *array = aligned.into_shape_with_order(shape).expect("the memory was made to fit");
}

/// Bytes that a processor fetches together.
pub(crate) const CACHE_LINE: usize = 64;

/// Puts the last time step first.
pub(crate) fn reverse_steps<F>(sequence: &mut Array3<F>) {
    let steps = sequence.dim().0;
    for t in 0..steps / 2 {
        let (mut early, mut late) = sequence.multi_slice_mut((s![t, .., ..], s![steps - 1 - t, .., ..]));
        Zip::from(&mut early).and(&mut late).for_each(std::mem::swap);
    }
}

/// Copies a row in blocks of a known size: for rows as short as those of vectors and states a call to copy memory takes
/// longer than the copy. Inside a kernel it is compiled for the kernel's vectors.
#[inline(always)]
pub(crate) fn copy_row<F: Copy>(from: &[F], to: &mut [F]) {
    let ((from, from_rest), (to, to_rest)) = (from.as_chunks::<8>(), to.as_chunks_mut::<8>());
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    to_rest.iter_mut().zip(from_rest).for_each(|(to, &from)| *to = from);
}

/// Sets a row to zero, in the same way.
#[inline(always)]
pub(crate) fn clear_row<F: Zero + Copy>(row: &mut [F]) {
    let (row, rest) = row.as_chunks_mut::<8>();
    row.iter_mut().for_each(|row| *row = [F::zero(); 8]);
    rest.iter_mut().for_each(|number| *number = F::zero());
}

/// All numbers of an array in standard layout, as weights and everything that passes make are.
pub(crate) fn slice<F, D: Dimension>(array: &Array<F, D>) -> &[F] {
    array.as_slice().expect("weights and workspaces are in standard layout")
}

/// The same, to be written.
pub(crate) fn slice_mut<F, D: Dimension>(array: &mut Array<F, D>) -> &mut [F] {
    array.as_slice_mut().expect("weights and workspaces are in standard layout")
}

/// The rows of a matrix in standard layout.
pub(crate) fn each_row<'a, F>(matrix: ArrayView2<'a, F>) -> ChunksExact<'a, F> {
    let width = matrix.ncols().max(1);
    matrix.to_slice().expect("weights and workspaces are in standard layout").chunks_exact(width)
}

/// The same, to be written.
pub(crate) fn each_row_mut<F>(matrix: ArrayViewMut2<'_, F>) -> ChunksExactMut<'_, F> {
    let width = matrix.ncols().max(1);
    matrix.into_slice().expect("weights and workspaces are in standard layout").chunks_exact_mut(width)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2};

    use super::*;

    #[test]
    fn resizing_keeps_the_memory() {
        let mut array = Array2::<f32>::default((0, 0));
        resize(&mut array, (8, 4));
        let before = array.as_ptr();
        resize(&mut array, (4, 2));
        resize(&mut array, (2, 16));
        assert_eq!(array.dim(), (2, 16));
        assert_eq!(array.as_ptr(), before);
        resize(&mut array, (2, 0));
        resize(&mut array, (1, 32));
        assert_eq!(array.as_ptr(), before);
    }

    #[test]
    fn arrays_begin_at_a_line_of_the_cache_whatever_they_hold() {
        fn begins_there<A: Clone + Default>() {
            // What is smaller goes into the same memory, what is larger into new; a user's array may begin anywhere.
            let mut array = Array1::from_vec(vec![A::default(); 5]);
            for size in [4, 5, 6, 300, 7, 5000] {
                resize(&mut array, size);
                assert_eq!((array.len(), array.as_ptr().align_offset(CACHE_LINE)), (size, 0));
            }
        }
        begins_there::<f32>();
        begins_there::<f64>();
        begins_there::<u32>();
        begins_there::<bool>();
        // What takes no memory has nowhere to begin.
        let mut nothing = Array1::<()>::default(0);
        resize(&mut nothing, 3);
        assert_eq!(nothing.len(), 3);
    }
}
