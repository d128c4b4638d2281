//! Trait of sources of batches.

use super::Batch;
use crate::error::Result;
use crate::numeric::Scalar;
use crate::random::Key;

/// Source of batches, epoch after epoch.
///
/// An epoch must depend only on the key with which it starts. Then the same seed gives the same bits, and an interrupted
/// training continues where it was ([`Fit::backup`](crate::models::Fit::backup)).
///
/// ```
/// use bptt::Result;
/// use bptt::data::{Batch, Batches};
/// use bptt::random::Key;
/// use ndarray::array;
///
/// /// Ten batches of one number each and its square.
/// struct Squares {
///     made: u32,
/// }
///
/// impl Batches<f32> for Squares {
///     fn start(&mut self, _: Key) -> Result<()> {
///         self.made = 0;
///         Ok(())
///     }
///
///     fn next(&mut self, batch: &mut Batch<f32>) -> Result<bool> {
///         if self.made == 10 {
///             return Ok(false);
///         }
///         let x = self.made as f32 / 10.0;
///         *batch = Batch::new(array![[x]], array![f64::from(x * x)]);
///         self.made += 1;
///         Ok(true)
///     }
/// }
/// # let mut squares = Squares { made: 0 };
/// # squares.start(Key::new(1))?;
/// # assert!(squares.next(&mut Batch::default())?);
/// # Ok::<(), bptt::Error>(())
/// ```
pub trait Batches<F: Scalar>: Send {
    /// Starts an epoch; all its randomness comes from this key.
    ///
    /// # Errors
    ///
    /// Any error of the source; it ends training.
    fn start(&mut self, key: Key) -> Result<()>;

    /// Overwrites `batch` with the next batch, reusing its memory. Returns false at the end of the epoch, with unspecified
    /// content.
    ///
    /// # Errors
    ///
    /// Those of [`Batches::start`].
    fn next(&mut self, batch: &mut Batch<F>) -> Result<bool>;

    /// Returns the number of batches of an epoch, if known, for progress bars.
    fn count(&self) -> Option<usize> {
        None
    }
}
