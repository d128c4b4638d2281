//! Batches from an iterator.

use std::fmt;

use super::{Batch, Batches};
use crate::error::Result;
use crate::numeric::Scalar;
use crate::random::Key;

/// Returns batches from an iterator that `make` creates for each epoch from the epoch's key. An endless iterator needs
/// [`Fit::steps_per_epoch`](crate::models::Fit::steps_per_epoch). Its first error ends training.
///
/// ```
/// use bptt::data::{Batch, from_iterator};
/// use bptt::prelude::*;
/// use ndarray::array;
///
/// let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(1), 1)?;
/// model.compile(Sgd::new(0.1), MeanSquaredError);
/// let mut squares = from_iterator(|_| {
///     (0..).map(|x| f64::from(x % 10) / 10.0).map(|x| Ok(Batch::new(array![[x as f32]], array![x * x])))
/// });
/// let history = model.fit_batches(&mut squares, Fit::new().epochs(3).steps_per_epoch(10))?;
/// assert_eq!(history.epochs(), 3);
/// # Ok::<(), bptt::Error>(())
/// ```
pub fn from_iterator<F: Scalar, I: Iterator<Item = Result<Batch<F>>>, M: FnMut(Key) -> I>(make: M) -> Iterated<M, I> {
    Iterated { make, batches: None }
}

/// Source returned by [`from_iterator`].
pub struct Iterated<M, I> {
    make: M,
    batches: Option<I>,
}

impl<M, I> fmt::Debug for Iterated<M, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iterated").field("started", &self.batches.is_some()).finish_non_exhaustive()
    }
}

impl<F, I, M> Batches<F> for Iterated<M, I>
where
    F: Scalar,
    I: Iterator<Item = Result<Batch<F>>> + Send,
    M: FnMut(Key) -> I + Send,
{
    fn start(&mut self, key: Key) -> Result<()> {
        self.batches = Some((self.make)(key));
        Ok(())
    }

    fn next(&mut self, batch: &mut Batch<F>) -> Result<bool> {
        match self.batches.as_mut().and_then(Iterator::next) {
            Some(made) => {
                *batch = made?;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}
