//! A batch that owns its arrays.

use ndarray::{
    Array, Array2, Array3, ArrayBase, ArrayD, ArrayView, Axis, Data, Dimension, IxDyn, RemoveAxis, concatenate,
};

use super::{Samples, Targets};
use crate::error::{Error, Result};
use crate::numeric::Scalar;

/// The samples of a batch, batch first.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Inputs<F> {
    /// Token ids (B, T).
    Tokens(Array2<u32>),
    /// Rows of features (B, D).
    Vectors(Array2<F>),
    /// Sequences (B, T, D).
    Sequences(Array3<F>),
}

macro_rules! inputs_from {
    ($($array:ty => $variant:ident),+) => {$(
        impl<F> From<$array> for Inputs<F> {
            fn from(array: $array) -> Self {
                Inputs::$variant(array)
            }
        }
    )+};
}
inputs_from!(Array2<u32> => Tokens, Array3<F> => Sequences);

impl From<Array2<f32>> for Inputs<f32> {
    fn from(array: Array2<f32>) -> Self {
        Inputs::Vectors(array)
    }
}

impl From<Array2<f64>> for Inputs<f64> {
    fn from(array: Array2<f64>) -> Self {
        Inputs::Vectors(array)
    }
}

/// Samples with their targets, and what goes with them.
///
/// A reference to one is what [`Samples`](crate::data::Samples) and [`Targets`](crate::data::Targets) can be made from, so
/// `model.evaluate(&batch, &batch)` works.
///
/// ```
/// use bptt::data::Batch;
/// use ndarray::{Array2, array};
/// let batch: Batch = Batch::new(Array2::<u32>::zeros((2, 5)), array![0.0, 1.0]);
/// assert_eq!(batch.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<F = f32> {
    /// What goes into the model.
    pub inputs: Inputs<F>,
    /// Which steps count (B, T), if not all do.
    pub mask: Option<Array2<bool>>,
    /// What should come out of it: the shapes are those of [`Targets`](crate::data::Targets).
    pub targets: ArrayD<f64>,
    /// How much each sample counts (B), or each step (B, T), if not all alike.
    pub weights: Option<ArrayD<f64>>,
}

impl<F: Scalar> Default for Batch<F> {
    /// Without samples.
    fn default() -> Self {
        let (inputs, targets) = (Inputs::Tokens(Array2::default((0, 0))), ArrayD::default(IxDyn(&[0])));
        Batch { inputs, mask: None, targets, weights: None }
    }
}

impl<F: Scalar> Batch<F> {
    /// These samples, and targets of a shape that [`Targets`](crate::data::Targets) takes. All steps count, all samples
    /// alike.
    pub fn new<S: Data<Elem = f64>, D: Dimension>(inputs: impl Into<Inputs<F>>, targets: ArrayBase<S, D>) -> Self {
        Batch { inputs: inputs.into(), mask: None, targets: targets.into_owned().into_dyn(), weights: None }
    }

    /// The same with a mask (B, T): only the steps count where it is true.
    pub fn masked(self, mask: Array2<bool>) -> Self {
        Batch { mask: Some(mask), ..self }
    }

    /// The same with weights, finite and at least 0: (B) for the samples, or (B, T) for the steps.
    pub fn weighted<S: Data<Elem = f64>, D: Dimension>(self, weights: ArrayBase<S, D>) -> Self {
        Batch { weights: Some(weights.into_owned().into_dyn()), ..self }
    }

    /// How many samples.
    pub fn len(&self) -> usize {
        match &self.inputs {
            Inputs::Tokens(tokens) => tokens.nrows(),
            Inputs::Vectors(rows) => rows.nrows(),
            Inputs::Sequences(sequences) => sequences.len_of(Axis(0)),
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<F: Scalar> Batch<F> {
    /// Refuses a batch without a target for each sample, or whose mask or weights are for other samples.
    pub(super) fn check_rows(&self) -> Result<()> {
        let rows = |shape: &[usize]| shape.first().copied().unwrap_or(0);
        let others = [
            ("targets", Some(rows(self.targets.shape()))),
            ("rows of the mask", self.mask.as_ref().map(Array2::nrows)),
            ("weights", self.weights.as_ref().map(|weights| rows(weights.shape()))),
        ];
        for (right, length) in others {
            let (left_length, right_length) = (self.len(), length.unwrap_or(self.len()));
            if left_length != right_length {
                let left = "samples in a batch";
                return Err(Error::LengthMismatch { left, left_length, right, right_length });
            }
        }
        Ok(())
    }

    /// One of its samples, as a batch.
    pub(super) fn sample(&self, row: usize) -> Self {
        Batch {
            inputs: match &self.inputs {
                Inputs::Tokens(tokens) => Inputs::Tokens(row_of(tokens, row)),
                Inputs::Vectors(rows) => Inputs::Vectors(row_of(rows, row)),
                Inputs::Sequences(sequences) => Inputs::Sequences(row_of(sequences, row)),
            },
            mask: self.mask.as_ref().map(|mask| row_of(mask, row)),
            targets: row_of(&self.targets, row),
            weights: self.weights.as_ref().map(|weights| row_of(weights, row)),
        }
    }

    /// Batches one after the other as one.
    ///
    /// # Errors
    ///
    /// [`Error::Ragged`] if their samples have different sizes or kinds.
    pub(super) fn join(batches: &[Self]) -> Result<Self> {
        let Some(first) = batches.first() else { return Ok(Batch::default()) };
        macro_rules! join_inputs {
            ($variant:ident) => {{
                let parts = batches.iter().map(|batch| match &batch.inputs {
                    Inputs::$variant(part) => Some(part.view()),
                    _ => None,
                });
                join_rows(parts).map(Inputs::$variant)
            }};
        }
        let inputs = match &first.inputs {
            Inputs::Tokens(_) => join_inputs!(Tokens),
            Inputs::Vectors(_) => join_inputs!(Vectors),
            Inputs::Sequences(_) => join_inputs!(Sequences),
        };
        let targets = join_rows(batches.iter().map(|batch| Some(batch.targets.view())));
        let mask = join_optional(batches.iter().map(|batch| batch.mask.as_ref()));
        let weights = join_optional(batches.iter().map(|batch| batch.weights.as_ref()));
        if let (Some(inputs), Some(targets), Some(mask), Some(weights)) = (inputs, targets, mask, weights) {
            return Ok(Batch { inputs, mask, targets, weights });
        }
        let other = batches.iter().find(|batch| batch.sizes() != first.sizes()).unwrap_or(first);
        Err(Error::Ragged { got: other.sizes(), needs: first.sizes() })
    }

    /// The sizes of one sample and of its target.
    fn sizes(&self) -> Vec<usize> {
        let inputs = match &self.inputs {
            Inputs::Tokens(tokens) => tokens.shape(),
            Inputs::Vectors(rows) => rows.shape(),
            Inputs::Sequences(sequences) => sequences.shape(),
        };
        inputs.iter().skip(1).chain(self.targets.shape().iter().skip(1)).copied().collect()
    }
}

fn row_of<A: Clone, D: RemoveAxis>(array: &Array<A, D>, row: usize) -> Array<A, D> {
    array.slice_axis(Axis(0), (row..row + 1).into()).to_owned()
}

/// Arrays one behind the other; `None` if one is missing or has rows of another size.
fn join_rows<'a, A: Clone + 'a, D: RemoveAxis>(
    parts: impl Iterator<Item = Option<ArrayView<'a, A, D>>>,
) -> Option<Array<A, D>> {
    let parts: Vec<_> = parts.collect::<Option<_>>()?;
    concatenate(Axis(0), &parts).ok()
}

/// The same for arrays that all batches have, or none.
fn join_optional<'a, A: Clone + 'a, D: RemoveAxis + 'a>(
    parts: impl Iterator<Item = Option<&'a Array<A, D>>> + Clone,
) -> Option<Option<Array<A, D>>> {
    if parts.clone().all(|part| part.is_none()) {
        return Some(None);
    }
    join_rows(parts.map(|part| part.map(|part| part.view()))).map(Some)
}

impl<'a, F: Scalar> From<&'a Batch<F>> for Samples<'a, F> {
    fn from(batch: &'a Batch<F>) -> Self {
        let samples = match &batch.inputs {
            Inputs::Tokens(tokens) => Samples::from(tokens),
            Inputs::Vectors(rows) => Samples::from(rows),
            Inputs::Sequences(sequences) => Samples::from(sequences),
        };
        match &batch.mask {
            Some(mask) => Samples::from((samples, mask)),
            None => samples,
        }
    }
}

impl<'a, F: Scalar> From<&'a Batch<F>> for Targets<'a> {
    fn from(batch: &'a Batch<F>) -> Self {
        match &batch.weights {
            Some(weights) => Targets::from((&batch.targets, weights)),
            None => Targets::from(&batch.targets),
        }
    }
}
