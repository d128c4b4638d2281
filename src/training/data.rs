//! The public edge: samples and targets as arrays, batch first, checked once before they flow.
//!
//! Inside, time comes first and nothing is checked again.

use ndarray::{Array1, Array2, Array3, ArrayD, ArrayView2, ArrayView3, Axis, Dimension, Ix3};

use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::scalar::Scalar;
use crate::sequential::{Network, Workspace};
use crate::tensor::{Form, Tensor, resize};

/// Samples for a model, batch first: made from a reference to an array.
///
/// | from | for a model built for |
/// | --- | --- |
/// | `&Array2<u32>` (N, T) | [`Form::tokens`] |
/// | `&Array2<F>` (N, D) | [`Form::vector`] |
/// | `&Array3<F>` (N, T, D) | [`Form::sequence`] |
#[derive(Clone, Copy, Debug)]
pub enum Samples<'a, F> {
    /// Token ids (N, T).
    Tokens(ArrayView2<'a, u32>),
    /// Rows of features (N, D).
    Vectors(ArrayView2<'a, F>),
    /// Sequences (N, T, D).
    Sequences(ArrayView3<'a, F>),
}

impl<'a, F: Scalar> From<&'a Array2<u32>> for Samples<'a, F> {
    fn from(tokens: &'a Array2<u32>) -> Self {
        Samples::Tokens(tokens.view())
    }
}

impl<'a, F: Scalar> From<&'a Array2<F>> for Samples<'a, F> {
    fn from(rows: &'a Array2<F>) -> Self {
        Samples::Vectors(rows.view())
    }
}

impl<'a, F: Scalar> From<&'a Array3<F>> for Samples<'a, F> {
    fn from(sequences: &'a Array3<F>) -> Self {
        Samples::Sequences(sequences.view())
    }
}

impl<F: Scalar> Samples<'_, F> {
    /// How many samples.
    pub fn len(&self) -> usize {
        match self {
            Samples::Tokens(tokens) => tokens.nrows(),
            Samples::Vectors(rows) => rows.nrows(),
            Samples::Sequences(sequences) => sequences.dim().0,
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn form(&self) -> Form {
        match self {
            Samples::Tokens(tokens) => Form::tokens(tokens.ncols()),
            Samples::Vectors(rows) => Form::vector(rows.ncols()),
            Samples::Sequences(sequences) => Form::sequence(sequences.dim().1, sequences.dim().2),
        }
    }

    /// Refuses what the network cannot take: empty data, other shapes, unknown tokens, NaN and infinities.
    pub(crate) fn check(&self, network: &Network<F>) -> Result<()> {
        if self.is_empty() {
            return Err(Error::Empty { what: "the data", mend: "pass at least one sample" });
        }
        let got = self.form();
        let fits = match (network.input, got) {
            (Form::Tokens { steps: None }, Form::Tokens { steps: Some(steps) }) => steps > 0,
            (Form::Sequence { steps: None, features }, Form::Sequence { steps: Some(steps), features: given }) => {
                steps > 0 && features == given
            }
            (needs, got) => {
                needs == got && !matches!(got, Form::Tokens { steps: Some(0) } | Form::Sequence { steps: Some(0), .. })
            }
        };
        if !fits {
            return Err(Error::Samples { got, needs: network.input });
        }
        match self {
            Samples::Tokens(tokens) => {
                let vocabulary = network.nodes.first().and_then(|node| node.layer.vocabulary()).unwrap_or(usize::MAX);
                match tokens.indexed_iter().find(|&(_, &id)| id as usize >= vocabulary) {
                    Some(((sample, step), &id)) => Err(Error::Token { id, sample, step, vocabulary }),
                    None => Ok(()),
                }
            }
            Samples::Vectors(rows) => check_finite(rows.view().into_dyn()),
            Samples::Sequences(sequences) => check_finite(sequences.view().into_dyn()),
        }
    }

    /// Copies these rows into a workspace's input, time first.
    pub(crate) fn load(&self, rows: &[usize], workspace: &mut Workspace<F>) {
        let input = &mut workspace.activations[0];
        match self {
            Samples::Tokens(tokens) => {
                let to = input.as_tokens(tokens.ncols(), rows.len());
                for (column, &row) in rows.iter().enumerate() {
                    to.column_mut(column).assign(&tokens.row(row));
                }
            }
            Samples::Vectors(vectors) => {
                let to = input.as_vector(rows.len(), vectors.ncols());
                for (index, &row) in rows.iter().enumerate() {
                    to.row_mut(index).assign(&vectors.row(row));
                }
            }
            Samples::Sequences(sequences) => {
                let (_, steps, features) = sequences.dim();
                let to = input.as_sequence(steps, rows.len(), features);
                for (index, &row) in rows.iter().enumerate() {
                    to.index_axis_mut(Axis(1), index).assign(&sequences.index_axis(Axis(0), row));
                }
            }
        }
    }
}

fn check_finite<F: Scalar>(values: ndarray::ArrayViewD<'_, F>) -> Result<()> {
    match values.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some((index, value)) => Err(Error::NotFinite { at: index.slice().to_vec(), value: value.widen() }),
        None => Ok(()),
    }
}

/// Targets for a loss, batch first: made from a reference to an array or a vector.
///
/// For a model that puts out vectors (N, K): (N, K), or (N) where one number a sample is wanted, as for a single output
/// or for class numbers. For one that puts out sequences (N, T, K): (N, T, K), or (N, T).
#[derive(Clone, Debug)]
pub struct Targets<F> {
    values: ArrayD<F>,
}

macro_rules! targets_from {
    ($($type:ident),+) => {$(
        impl<F: Scalar> From<&Vec<$type>> for Targets<F> {
            fn from(labels: &Vec<$type>) -> Self {
                Targets::from(labels.as_slice())
            }
        }
        impl<F: Scalar> From<&[$type]> for Targets<F> {
            fn from(labels: &[$type]) -> Self {
                Targets { values: labels.iter().map(|&label| F::of(f64::from(label))).collect::<Array1<F>>().into_dyn() }
            }
        }
        impl<F: Scalar> From<&Array1<$type>> for Targets<F> {
            fn from(labels: &Array1<$type>) -> Self {
                Targets { values: labels.mapv(|label| F::of(f64::from(label))).into_dyn() }
            }
        }
        impl<F: Scalar> From<&Array2<$type>> for Targets<F> {
            fn from(labels: &Array2<$type>) -> Self {
                Targets { values: labels.mapv(|label| F::of(f64::from(label))).into_dyn() }
            }
        }
        impl<F: Scalar> From<&Array3<$type>> for Targets<F> {
            fn from(labels: &Array3<$type>) -> Self {
                Targets { values: labels.mapv(|label| F::of(f64::from(label))).into_dyn() }
            }
        }
    )+};
}
targets_from!(u8, u32, i32, f32, f64);

/// Targets that fit a model and a loss: (N, P, K) with P rows for each sample.
#[derive(Debug)]
pub(crate) struct ArrangedTargets<F>(Array3<F>);

impl<F: Scalar> Targets<F> {
    /// Refuses targets of the wrong number, shape or range, and lays them out by sample and row.
    pub(crate) fn arrange(
        self,
        samples: &Samples<'_, F>,
        output: Form,
        loss: &dyn Loss<F>,
    ) -> Result<ArrangedTargets<F>> {
        let (steps, outputs) = match (output, samples.form()) {
            (Form::Sequence { features, .. }, Form::Tokens { steps } | Form::Sequence { steps, .. }) => {
                (Some(steps.unwrap_or(0)), features)
            }
            (form, _) => (None, form.features()?),
        };
        let width = loss.target_width(outputs);
        let got = self.values.shape().to_vec();
        let wanted: Vec<usize> = [Some(samples.len()), steps, Some(width)].into_iter().flatten().collect();
        // A last axis of one may be left out.
        if got != wanted && !(width == 1 && got == wanted[..wanted.len() - 1]) {
            return Err(Error::Targets { got, needs: wanted });
        }
        let shape = Ix3(samples.len(), steps.unwrap_or(1), width);
        let values = self.values.as_standard_layout().into_owned();
        let values = values.into_shape_with_order(shape).expect("the shape was compared above");
        for (sample, rows) in values.outer_iter().enumerate() {
            for row in rows.rows() {
                loss.check_target(row, outputs).map_err(|problem| Error::Target { sample, problem })?;
            }
        }
        Ok(ArrangedTargets(values))
    }
}

impl<F: Scalar> ArrangedTargets<F> {
    /// Copies the targets of these samples into a workspace, in the order of the output's rows.
    pub(crate) fn load(&self, rows: &[usize], workspace: &mut Workspace<F>) {
        let (_, positions, width) = self.0.dim();
        resize(&mut workspace.targets, (positions * rows.len(), width));
        for position in 0..positions {
            for (index, &row) in rows.iter().enumerate() {
                let from = self.0.index_axis(Axis(0), row);
                workspace.targets.row_mut(position * rows.len() + index).assign(&from.row(position));
            }
        }
    }

    /// Rows of output for each sample.
    pub(crate) fn rows_per_sample(&self) -> usize {
        self.0.dim().1
    }
}

/// A tensor of numbers with the batch first: (N, K) or (N, T, K). Panics on tokens.
pub(crate) fn batch_first<F: Scalar>(tensor: &Tensor<F>) -> ArrayD<F> {
    match tensor {
        Tensor::Sequence(steps) => steps.view().permuted_axes([1, 0, 2]).as_standard_layout().into_owned().into_dyn(),
        other => other.rows().to_owned().into_dyn(),
    }
}
