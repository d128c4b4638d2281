//! Samples at the public edge: arrays, batch first, checked once before they flow; and outputs on their way back.
//!
//! Inside, time comes first and nothing is checked again.

use std::ops::Range;

use ndarray::{
    Array2, Array3, ArrayD, ArrayView, ArrayView1, ArrayView2, ArrayView3, Axis, CowArray, Dimension, Ix2, Ix3, s,
};

use super::layout::{self, Misfit};
use crate::error::{Error, Result};
use crate::kernels::prefetch::prefetch;
use crate::network::{Network, Workspace};
use crate::numeric::Scalar;
use crate::tensor::{Form, Tensor, copy_row, slice, slice_mut};

/// Samples for a model, batch first: made from arrays, views, slices with a shape, or rows.
///
/// | from | for a model built for |
/// | --- | --- |
/// | `&Array2<u32>`, `ArrayView2<u32>`, `(&[u32], [n, t])`, `&Vec<Vec<u32>>` | [`Form::tokens`] |
/// | `&Array2<F>`, `ArrayView2<F>`, `(&[F], [n, d])`, `&Vec<Vec<F>>` | [`Form::vector`] |
/// | `&Array3<F>`, `ArrayView3<F>`, `(&[F], [n, t, d])`, `&Vec<Vec<Vec<F>>>` | [`Form::sequence`] |
/// | one of these and a mask, `(&x, &mask)` | tokens or sequences, of which only the steps count where the mask (N, T) is true |
///
/// Arrays and slices are borrowed, rows are copied once. What does not fit is an [`Error::Empty`], [`Error::Samples`],
/// [`Error::LengthMismatch`], [`Error::Ragged`] or [`Error::Mask`] (shape), [`Error::Token`] (an id beyond the embedding's)
/// or [`Error::NotFinite`], which the call gets that uses the samples.
///
/// ```
/// use bptt::prelude::*;
/// let model: Model = Sequential::new().add(SimpleRnn::new(2)).build(Form::sequence(3, 1), 42)?;
/// let sines: Vec<f32> = (0..6).map(|step| (step as f32).sin()).collect();
/// assert_eq!(model.predict((&sines[..], [2, 3, 1]))?.shape(), [2, 2]);
/// let rows = vec![vec![vec![0.1], vec![0.2], vec![0.3]]];
/// assert_eq!(model.predict(&rows)?.shape(), [1, 2]);
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Samples<'a, F> {
    values: Values<'a, F>,
    mask: Option<CowArray<'a, bool, Ix2>>,
    misfit: Option<Misfit>,
}

#[derive(Clone, Debug)]
enum Values<'a, F> {
    /// (N, T).
    Tokens(CowArray<'a, u32, Ix2>),
    /// (N, D).
    Vectors(CowArray<'a, F, Ix2>),
    /// (N, T, D).
    Sequences(CowArray<'a, F, Ix3>),
}

macro_rules! samples_from {
    ($($variant:ident: $type:ty, $dimensions:literal, $array:ident, $view:ident, $rows:ty, $lay:ident);+ $(;)?) => {$(
        impl<'a, F: Scalar> From<&'a $array<$type>> for Samples<'a, F> {
            fn from(array: &'a $array<$type>) -> Self {
                array.view().into()
            }
        }
        impl<'a, F: Scalar> From<$view<'a, $type>> for Samples<'a, F> {
            fn from(view: $view<'a, $type>) -> Self {
                Samples { values: Values::$variant(view.into()), mask: None, misfit: None }
            }
        }
        impl<'a, F: Scalar> From<&'a $view<'_, $type>> for Samples<'a, F> {
            fn from(view: &'a $view<'_, $type>) -> Self {
                view.view().into()
            }
        }
        impl<'a, F: Scalar> From<(&'a [$type], [usize; $dimensions])> for Samples<'a, F> {
            fn from((values, shape): (&'a [$type], [usize; $dimensions])) -> Self {
                let (values, misfit) = layout::shaped(values, shape);
                Samples { values: Values::$variant(values), mask: None, misfit }
            }
        }
        impl<'a, F: Scalar> From<&'a [$rows]> for Samples<'a, F> {
            fn from(rows: &'a [$rows]) -> Self {
                let (values, misfit) = layout::$lay(rows);
                Samples { values: Values::$variant(values), mask: None, misfit }
            }
        }
        impl<'a, F: Scalar> From<&'a Vec<$rows>> for Samples<'a, F> {
            fn from(rows: &'a Vec<$rows>) -> Self {
                rows.as_slice().into()
            }
        }
    )+};
}
samples_from! {
    Tokens: u32, 2, Array2, ArrayView2, Vec<u32>, rows;
    Vectors: F, 2, Array2, ArrayView2, Vec<F>, rows;
    Sequences: F, 3, Array3, ArrayView3, Vec<Vec<F>>, sequences;
}

impl<'a, F: Scalar, S: Into<Samples<'a, F>>> From<(S, &'a Array2<bool>)> for Samples<'a, F> {
    fn from((samples, mask): (S, &'a Array2<bool>)) -> Self {
        (samples, mask.view()).into()
    }
}

impl<'a, F: Scalar, S: Into<Samples<'a, F>>> From<(S, ArrayView2<'a, bool>)> for Samples<'a, F> {
    fn from((samples, mask): (S, ArrayView2<'a, bool>)) -> Self {
        Samples { mask: Some(mask.into()), ..samples.into() }
    }
}

impl<F: Scalar> Samples<'_, F> {
    /// How many samples.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Tokens(tokens) => tokens.nrows(),
            Values::Vectors(rows) => rows.nrows(),
            Values::Sequences(sequences) => sequences.dim().0,
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same for as long as this is borrowed: array views cannot be shortened otherwise.
    pub(crate) fn view(&self) -> Samples<'_, F> {
        let values = match &self.values {
            Values::Tokens(tokens) => Values::Tokens(tokens.view().into()),
            Values::Vectors(rows) => Values::Vectors(rows.view().into()),
            Values::Sequences(sequences) => Values::Sequences(sequences.view().into()),
        };
        Samples { values, mask: self.mask.as_ref().map(|mask| mask.view().into()), misfit: self.misfit.clone() }
    }

    /// The time steps of each; 1 for rows of features.
    pub(crate) fn steps(&self) -> usize {
        match &self.values {
            Values::Tokens(tokens) => tokens.ncols(),
            Values::Vectors(_) => 1,
            Values::Sequences(sequences) => sequences.dim().1,
        }
    }

    /// They are token ids.
    pub(crate) fn are_tokens(&self) -> bool {
        matches!(self.values, Values::Tokens(_))
    }

    fn form(&self) -> Form {
        match &self.values {
            Values::Tokens(tokens) => Form::tokens(tokens.ncols()),
            Values::Vectors(rows) => Form::vector(rows.ncols()),
            Values::Sequences(sequences) => Form::sequence(sequences.dim().1, sequences.dim().2),
        }
    }

    /// Refuses what the network cannot take: empty data, other shapes, unknown tokens, NaN and infinities.
    pub(crate) fn check(&self, network: &Network<F>) -> Result<()> {
        self.check_for(network.input, network)
    }

    /// The same for parts of sequences, which may have any number of steps.
    pub(crate) fn check_part(&self, network: &Network<F>) -> Result<()> {
        self.check_for(network.input.any_length(), network)
    }

    fn check_for(&self, input: Form, network: &Network<F>) -> Result<()> {
        Misfit::check(&self.misfit)?;
        if self.is_empty() {
            return Err(Error::Empty { what: "the data", mend: "pass at least one sample" });
        }
        let got = self.form();
        let fits = match (input, got) {
            (Form::Tokens { steps: None }, Form::Tokens { steps: Some(steps) }) => steps > 0,
            (Form::Sequence { steps: None, features }, Form::Sequence { steps: Some(steps), features: given }) => {
                steps > 0 && features == given
            }
            (needs, got) => {
                needs == got && !matches!(got, Form::Tokens { steps: Some(0) } | Form::Sequence { steps: Some(0), .. })
            }
        };
        if !fits {
            return Err(Error::Samples { got: got.to_string(), needs: input.to_string() });
        }
        if let Some(mask) = &self.mask {
            let needs = if let Form::Vector { .. } = got { None } else { Some((self.len(), self.steps())) };
            if needs != Some(mask.dim()) {
                return Err(Error::Mask { got: mask.dim(), needs });
            }
        }
        match &self.values {
            Values::Tokens(tokens) => {
                let vocabulary = network.nodes.first().and_then(|node| node.layer.vocabulary()).unwrap_or(usize::MAX);
                let unknown = |id: u32| id as usize >= vocabulary;
                // First without places, which are slow to keep, for all is well nearly always. So below.
                if !unknown(tokens.fold(0, |largest, &id| largest.max(id))) {
                    return Ok(());
                }
                match tokens.indexed_iter().find(|&(_, &id)| unknown(id)) {
                    Some(((sample, step), &id)) => Err(Error::Token { id, sample, step, vocabulary }),
                    None => Ok(()),
                }
            }
            Values::Vectors(rows) => check_finite(rows.view()),
            Values::Sequences(sequences) => check_finite(sequences.view()),
        }
    }

    /// Copies these steps of these samples into a workspace's input, time first.
    pub(crate) fn load(
        &self,
        rows: impl ExactSizeIterator<Item = usize> + Clone,
        steps: Range<usize>,
        workspace: &mut Workspace<F>,
    ) {
        let input = &mut workspace.activations[0];
        let batch = rows.len();
        match &self.mask {
            Some(mask) => {
                let to = workspace.masks[0].make(steps.len(), batch);
                for (column, row) in rows.clone().enumerate() {
                    to.column_mut(column).assign(&mask.slice(s![row, steps.clone()]));
                }
            }
            None => workspace.masks[0].clear(),
        }
        match &self.values {
            Values::Tokens(tokens) => {
                let to = slice_mut(input.as_tokens(steps.len(), batch));
                // The samples of a batch lie far apart: to ask for all of them first costs one wait for memory rather than many.
                for sample in rows.clone().filter_map(|row| tokens.row(row).to_slice()) {
                    prefetch(sample, steps.start, steps.len());
                }
                for (step, t) in to.chunks_exact_mut(batch).zip(steps) {
                    step.iter_mut().zip(rows.clone()).for_each(|(token, row)| *token = tokens[(row, t)]);
                }
            }
            Values::Vectors(vectors) => {
                let features = vectors.ncols();
                let to = slice_mut(input.as_vector(batch, features)).chunks_exact_mut(features);
                to.zip(rows).for_each(|(to, row)| copy(vectors.row(row), to));
            }
            Values::Sequences(sequences) => {
                let features = sequences.dim().2;
                let to = slice_mut(input.as_sequence(steps.len(), batch, features));
                for (column, row) in rows.enumerate() {
                    let sequence = sequences.index_axis(Axis(0), row);
                    for (step, t) in to.chunks_exact_mut(batch * features).zip(steps.clone()) {
                        copy(sequence.row(t), &mut step[column * features..][..features]);
                    }
                }
            }
        }
    }
}

/// Copies a row, which is in one piece unless the user's array has another layout.
fn copy<F: Scalar>(from: ArrayView1<'_, F>, to: &mut [F]) {
    match from.to_slice() {
        Some(from) => copy_row(from, to),
        None => to.iter_mut().zip(from).for_each(|(to, &from)| *to = from),
    }
}

fn check_finite<F: Scalar, D: Dimension>(values: ArrayView<'_, F, D>) -> Result<()> {
    if values.iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    match values.into_dyn().indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some((index, value)) => Err(Error::NotFinite { at: index.slice().to_vec(), value: value.widen() }),
        None => Ok(()),
    }
}

/// A tensor of numbers with the batch first: (N, K) or (N, T, K). Panics on tokens.
pub(crate) fn batch_first<F: Scalar>(tensor: &Tensor<F>) -> ArrayD<F> {
    match tensor {
        Tensor::Sequence(steps) => steps.view().permuted_axes([1, 0, 2]).as_standard_layout().into_owned().into_dyn(),
        other => other.rows().to_owned().into_dyn(),
    }
}

/// Writes a tensor of numbers with the batch first: a sequence from step `first` on. Panics on tokens.
pub(crate) fn write_batch_first<F: Scalar>(tensor: &Tensor<F>, first: usize, to: &mut [F]) {
    match tensor {
        Tensor::Sequence(sequence) => {
            let (_, batch, features) = sequence.dim();
            let (from, length) = (slice(sequence), to.len() / batch);
            for (sample, to) in to.chunks_exact_mut(length).enumerate() {
                let to = &mut to[first * features..];
                for (from, to) in from.chunks_exact(batch * features).zip(to.chunks_exact_mut(features)) {
                    copy_row(&from[sample * features..][..features], to);
                }
            }
        }
        Tensor::Vector(rows) => copy_row(slice(rows), to),
        Tensor::Tokens(_) | Tensor::Lookup(_) => panic!("a layer that puts out numbers put out token ids"),
    }
}
