//! Arrays of what users pass as slices with a shape or as rows. What does not fit is kept until the data are checked.

use ndarray::{ArrayView, CowArray, Dimension, IntoDimension, Ix2, Ix3};

use crate::error::{Error, Result};

/// Why a slice or rows are no array.
#[derive(Clone, Debug)]
pub(super) enum Misfit {
    /// A slice with more or fewer numbers than its shape has places.
    Length { numbers: usize, places: usize },
    /// Rows of different lengths.
    Ragged { got: usize, needs: usize },
}

impl Misfit {
    /// The error for data with such a misfit, if there is one.
    pub(super) fn check(misfit: &Option<Self>) -> Result<()> {
        match *misfit {
            None => Ok(()),
            Some(Misfit::Length { numbers, places }) => Err(Error::LengthMismatch {
                left: "places in the shape",
                left_length: places,
                right: "numbers in the slice",
                right_length: numbers,
            }),
            Some(Misfit::Ragged { got, needs }) => Err(Error::Ragged { got: vec![got], needs: vec![needs] }),
        }
    }
}

/// An array, or an empty one and why.
pub(super) type Laid<'a, T, D> = (CowArray<'a, T, D>, Option<Misfit>);

/// A slice with a shape.
pub(super) fn shaped<T: Clone, D: Dimension>(values: &[T], shape: impl IntoDimension<Dim = D>) -> Laid<'_, T, D> {
    let shape = shape.into_dimension();
    let places = shape.slice().iter().fold(1_usize, |places, &axis| places.saturating_mul(axis));
    match ArrayView::from_shape(shape, values) {
        Ok(array) if places == values.len() => (array.into(), None),
        _ => (nothing(), Some(Misfit::Length { numbers: values.len(), places })),
    }
}

/// Rows of equal length: (N, K).
pub(super) fn rows<'a, T: Clone>(rows: &[Vec<T>]) -> Laid<'a, T, Ix2> {
    let columns = rows.first().map_or(0, Vec::len);
    if let Some(other) = rows.iter().find(|row| row.len() != columns) {
        return (nothing(), Some(Misfit::Ragged { got: other.len(), needs: columns }));
    }
    own((rows.len(), columns), rows.concat())
}

/// Sequences of equal length, of rows of equal length: (N, T, D).
pub(super) fn sequences<'a, T: Clone>(sequences: &[Vec<Vec<T>>]) -> Laid<'a, T, Ix3> {
    let steps = sequences.first().map_or(0, Vec::len);
    if let Some(other) = sequences.iter().find(|sequence| sequence.len() != steps) {
        return (nothing(), Some(Misfit::Ragged { got: other.len(), needs: steps }));
    }
    let (array, misfit) = rows(&sequences.concat());
    if misfit.is_some() {
        return (nothing(), misfit);
    }
    let features = array.ncols();
    own((sequences.len(), steps, features), array.into_owned().into_raw_vec_and_offset().0)
}

fn own<'a, T: Clone, D: Dimension>(shape: impl IntoDimension<Dim = D>, values: Vec<T>) -> Laid<'a, T, D> {
    match ndarray::Array::from_shape_vec(shape.into_dimension(), values) {
        Ok(array) => (array.into(), None),
        Err(_) => (nothing(), None),
    }
}

fn nothing<'a, T: Clone, D: Dimension>() -> CowArray<'a, T, D> {
    match ndarray::Array::from_shape_vec(D::zeros(D::NDIM.unwrap_or(1)), Vec::new()) {
        Ok(array) => array.into(),
        Err(_) => unreachable!("an array without elements"),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn slices_and_rows_become_arrays_or_say_why_not() {
        let (array, misfit) = shaped(&[1, 2, 3, 4], [2, 2]);
        assert_eq!((array, misfit.is_none()), (ndarray::array![[1, 2], [3, 4]].into(), true));
        let message = |misfit: Option<Misfit>| Misfit::check(&misfit).unwrap_err().to_string();
        for (shape, places) in [([2, 1], "2"), ([2, 3], "6"), ([usize::MAX, 2], "18446744073709551615")] {
            let expected = format!("there are {places} places in the shape but 4 numbers in the slice");
            assert!(message(shaped(&[1, 2, 3, 4], shape).1).starts_with(&expected), "{shape:?}");
        }
        assert_eq!(rows(&[vec![1, 2], vec![3, 4]]).0, array![[1, 2], [3, 4]]);
        assert!(message(rows(&[vec![1, 2], vec![3]]).1).contains("[1] numbers"));
        assert_eq!(sequences(&[vec![vec![1], vec![2]]]).0, array![[[1], [2]]]);
        assert!(message(sequences(&[vec![vec![1]], vec![]]).1).contains("[0] numbers"));
        assert!(message(sequences(&[vec![vec![1]], vec![vec![1, 2]]]).1).contains("[2] numbers"));
        assert_eq!(rows::<u8>(&[]).0.dim(), (0, 0));
    }
}
