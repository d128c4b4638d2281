//! The trait of sources of batches.

use super::Batch;
use crate::error::Result;
use crate::numeric::Scalar;
use crate::random::Key;

/// A source of batches, epoch after epoch.
///
/// What an epoch brings may depend on nothing but the key that it is started with: then the same seed gives the same bits,
/// and a training that was interrupted goes on where it was ([`Fit::backup`](crate::models::Fit::backup)).
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
    /// Starts an epoch; whatever is random in it comes from this key.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong in the source; it ends training.
    fn start(&mut self, key: Key) -> Result<()>;

    /// Writes the next batch over `batch`, whose memory may be used again; false, with anything in it, when the epoch is
    /// over.
    ///
    /// # Errors
    ///
    /// Those of [`Batches::start`].
    fn next(&mut self, batch: &mut Batch<F>) -> Result<bool>;

    /// How many batches an epoch has, if that is known: progress bars show it.
    fn count(&self) -> Option<usize> {
        None
    }
}
