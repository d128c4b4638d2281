//! Arrays that are reused: they keep their memory, aligned to a cache line.

use std::slice::{ChunksExact, ChunksExactMut};

use ndarray::{Array, Array3, ArrayView2, ArrayViewMut2, Dimension, IntoDimension, Zip, s};
use num_traits::Zero;

/// Changes the shape of an array, with unspecified content. It keeps the memory if that is large enough to start at a cache
/// line.
#[inline]
pub fn resize<A: Clone + Default, D: Dimension>(array: &mut Array<A, D>, shape: impl IntoDimension<Dim = D>) {
    resize_within(array, shape, 0);
}

/// Works like [`resize`] with capacity for `most` numbers, for an array whose size differs from pass to pass.
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

/// Implements [`resize_within`] for another shape; separate, so that the check before it stays short.
///
/// The array starts at a cache line, because vectors that cross two lines load and store slower. Memory from the allocator
/// is often not aligned this way.
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

/// Reverses the time steps.
pub(crate) fn reverse_steps<F>(sequence: &mut Array3<F>) {
    let steps = sequence.dim().0;
    for t in 0..steps / 2 {
        let (mut early, mut late) = sequence.multi_slice_mut((s![t, .., ..], s![steps - 1 - t, .., ..]));
        Zip::from(&mut early).and(&mut late).for_each(std::mem::swap);
    }
}

/// Copies a row in blocks of constant size: for short rows a call of `memcpy` takes longer than the copy. Inside a kernel it
/// is compiled for the kernel's vectors.
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

/// Returns all numbers of an array in standard layout.
pub(crate) fn slice<F, D: Dimension>(array: &Array<F, D>) -> &[F] {
    array.as_slice().expect("weights and workspaces are in standard layout")
}

/// Returns all numbers of an array in standard layout, mutably.
pub(crate) fn slice_mut<F, D: Dimension>(array: &mut Array<F, D>) -> &mut [F] {
    array.as_slice_mut().expect("weights and workspaces are in standard layout")
}

/// Returns the rows of a matrix in standard layout.
pub(crate) fn each_row<'a, F>(matrix: ArrayView2<'a, F>) -> ChunksExact<'a, F> {
    let width = matrix.ncols().max(1);
    matrix.to_slice().expect("weights and workspaces are in standard layout").chunks_exact(width)
}

/// Returns the rows of a matrix in standard layout, mutably.
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
            // Smaller arrays stay in the same memory, larger ones get a new one; a user's array may start anywhere.
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
        // An array without memory has no address.
        let mut nothing = Array1::<()>::default(0);
        resize(&mut nothing, 3);
        assert_eq!(nothing.len(), 3);
    }
}
