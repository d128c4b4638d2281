//! Losses: what training minimizes.
//!
//! | Loss | Predictions and targets |
//! | --- | --- |
//! | [`BinaryCrossentropy`] | Probabilities; labels 0 or 1 |
//! | [`CategoricalCrossentropy`] | Distributions over classes; one-hot rows |
//! | [`SparseCategoricalCrossentropy`] | Distributions over classes; class numbers |
//! | [`MeanSquaredError`], [`MeanAbsoluteError`], [`Huber`] | Numbers |
//! | [`Poisson`] | Rates; counts |
//! | [`Loss`] | The trait, for losses of your own |
//!
//! ```
//! use bptt::prelude::*;
//! use bptt::losses::Huber;
//! use ndarray::array;
//!
//! let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(1), 42)?;
//! model.compile(Sgd::new(0.1), Huber::new().delta(0.5));
//! let history = model.fit(&array![[0.0_f32], [1.0]], &array![1.0_f32, 3.0], Fit::new().epochs(20))?;
//! let loss = history.get("loss");
//! assert!(loss[19] < loss[0]);
//! # Ok::<(), bptt::Error>(())
//! ```
//!
//! A row is one sample, or one time step of one sample if the model puts out sequences. A [`Loss`] computes the loss lᵢ of a
//! row and its gradient. As in Keras, the loss of a batch of n rows with weights wᵢ is Σ wᵢ·lᵢ / n.
//!
//! Cross-entropies absorb a final sigmoid or softmax of the model ([`Loss::absorbs`]) and compute from the logits: this is
//! exact and needs no clipping.

mod binary_crossentropy;
mod categorical_crossentropy;
mod elements;

pub use binary_crossentropy::BinaryCrossentropy;
pub use categorical_crossentropy::{CategoricalCrossentropy, SparseCategoricalCrossentropy};
pub use elements::{Huber, MeanAbsoluteError, MeanSquaredError, Poisson};

use std::fmt::Debug;

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::activations::Activation;
use crate::error::Result;
use crate::numeric::Lane;
use crate::numeric::Scalar;
use crate::numeric::checks::check;
use crate::tensor::{each_row, each_row_mut};

/// A loss over rows of predictions and targets.
///
/// ```
/// use bptt::losses::Loss;
/// use bptt::numeric::Scalar;
///
/// /// Σ (p − t)⁴.
/// #[derive(Debug)]
/// struct Quartic;
///
/// impl<F: Scalar> Loss<F> for Quartic {
///     fn row(&self, prediction: &[F], target: &[F], _absorbed: bool, gradient: Option<&mut [F]>) -> f64 {
///         let error = |i: usize| prediction[i] - target[i];
///         for (i, slope) in gradient.into_iter().flatten().enumerate() {
///             *slope = F::of(4.0) * error(i) * error(i) * error(i);
///         }
///         (0..prediction.len()).map(|i| error(i).widen().powi(4)).sum()
///     }
/// }
/// ```
pub trait Loss<F: Scalar>: Debug + Send + Sync {
    /// Whether the loss computes from the input of this last activation instead of its output.
    fn absorbs(&self, _activation: Activation) -> bool {
        false
    }

    /// Looks at the options before training starts.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for one out of range.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// How wide a row of targets is for rows of `outputs` predictions.
    fn target_width(&self, outputs: usize) -> usize {
        outputs
    }

    /// Looks at one row of targets before training starts.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as the end of the sentence "target … ".
    fn check_target(&self, target: &[F], _outputs: usize) -> std::result::Result<(), String> {
        match target.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(format!("is {value}; it must be a finite number")),
            None => Ok(()),
        }
    }

    /// The loss of one row; its gradient is written into `gradient`, if that is asked for.
    ///
    /// `prediction` and `gradient` are as wide as the model's outputs, `target` as [`Loss::target_width`] says. `absorbed`
    /// says that the prediction comes from before the last activation.
    fn row(&self, prediction: &[F], target: &[F], absorbed: bool, gradient: Option<&mut [F]>) -> f64;

    /// The loss in a box. Built-in losses have theirs made in the crate, where it is compiled.
    #[doc(hidden)]
    fn boxed(self) -> Box<dyn Loss<F>>
    where
        Self: Sized + 'static,
    {
        Box::new(self)
    }

    /// The loss summed over rows, and the gradient of that sum, of the predictions' shape: for training loops of one's own.
    ///
    /// Predictions are (rows, K), targets (rows, [`target_width`](Loss::target_width) of K). Neither shapes nor values
    /// are looked at; [`Loss::check_target`] looks at a row.
    ///
    /// ```
    /// use bptt::losses::{Loss, MeanSquaredError};
    /// use ndarray::{Array2, array};
    /// let mut gradient = Array2::zeros((2, 1));
    /// let (predictions, targets) = (array![[1.0_f64], [3.0]], array![[1.0], [1.0]]);
    /// let sum = MeanSquaredError.sum(predictions.view(), targets.view(), false, Some(gradient.view_mut()));
    /// assert_eq!((sum, gradient), (4.0, array![[0.0], [4.0]]));
    /// ```
    fn sum(
        &self,
        predictions: ArrayView2<'_, F>,
        targets: ArrayView2<'_, F>,
        absorbed: bool,
        gradient: Option<ArrayViewMut2<'_, F>>,
    ) -> f64 {
        let (predictions, targets) = (predictions.as_standard_layout(), targets.as_standard_layout());
        let rows = Rows { predictions: predictions.view(), targets: targets.view(), weights: &[] };
        match gradient {
            Some(mut gradient) if !gradient.is_standard_layout() => {
                let mut slopes = gradient.as_standard_layout().into_owned();
                let sum = sum_rows(self, rows, absorbed, Some(slopes.view_mut()));
                gradient.assign(&slopes);
                sum
            }
            gradient => sum_rows(self, rows, absorbed, gradient),
        }
    }
}

/// What losses and metrics see of a batch: rows in standard layout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a, F> {
    pub(crate) predictions: ArrayView2<'a, F>,
    pub(crate) targets: ArrayView2<'a, F>,
    /// One for each row; none at all if every row weighs 1.
    pub(crate) weights: &'a [F],
}

impl<F: Scalar> Rows<'_, F> {
    /// Each row: its prediction, its target, and its weight unless every row weighs 1.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[F], &[F], Option<F>)> {
        let rows = each_row(self.predictions).zip(each_row(self.targets));
        rows.enumerate().map(|(row, (prediction, target))| (prediction, target, self.weights.get(row).copied()))
    }
}

/// The loss summed over rows, each times its weight, and the gradient of that sum.
pub(crate) fn sum_rows<F: Scalar, L: Loss<F> + ?Sized>(
    loss: &L,
    rows: Rows<'_, F>,
    absorbed: bool,
    gradient: Option<ArrayViewMut2<'_, F>>,
) -> f64 {
    let mut gradient = gradient.map(each_row_mut);
    let mut sum = 0.0;
    for (prediction, target, weight) in rows.iter() {
        let mut slopes = gradient.as_mut().and_then(Iterator::next);
        let loss = loss.row(prediction, target, absorbed, slopes.as_deref_mut());
        match weight {
            None => sum += loss,
            Some(weight) => {
                sum += weight.widen() * loss;
                slopes.into_iter().flatten().for_each(|slope| *slope *= weight);
            }
        }
    }
    sum
}

/// Gives a built-in loss its [`Loss::boxed`].
macro_rules! boxed_loss {
    ($number:ident, $loss:ty) => {
        fn boxed(self) -> Box<dyn $crate::losses::Loss<$number>> {
            $crate::numeric::erased_here!($number, self, $loss => Box<dyn $crate::losses::Loss<$number>>, |loss| Box::new(loss))
        }
    };
}
use boxed_loss;

/// What Keras keeps probabilities away from 0 and 1 by.
const EPSILON: f64 = 1e-7;

/// Keeps a probability within [ε, 1 − ε]; outside, the gradient is zero, as in Keras.
fn clip<F: Scalar>(p: F) -> (F, bool) {
    let clipped = Lane::min(Lane::max(p, F::of(EPSILON)), F::of(1.0 - EPSILON));
    (clipped, clipped == p)
}

/// Makes a cross-entropy, and sets whether it computes from logits that the model itself puts out.
macro_rules! from_logits_option {
    ($loss:ident, $new:literal) => {
        impl $loss {
            #[doc = $new]
            pub fn new() -> Self {
                $loss::default()
            }

            /// Whether the model itself puts out logits: false by default.
            pub fn from_logits(mut self, from_logits: bool) -> Self {
                self.from_logits = from_logits;
                self
            }
        }
    };
}
use from_logits_option;

/// Refuses a smoothing of labels that is none.
fn check_smoothing(label_smoothing: f64) -> Result<()> {
    check("label_smoothing", label_smoothing, (0.0..=1.0).contains(&label_smoothing), "a number from 0 to 1")
}

/// The mean of a loss over the rows that count; 0 if none does, as in Keras.
pub(crate) fn mean(sum: f64, rows: usize) -> f64 {
    sum / rows.max(1) as f64
}
