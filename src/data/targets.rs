//! Targets at the public edge: arrays or vectors of any number type, batch first, checked once before they flow.

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{Array, Array3, ArrayView, ArrayView2, CowArray, Dimension, IntoDimension, IxDyn};

use super::Samples;
use super::layout::{self, Misfit};
use crate::error::{Error, Result};
use crate::losses::Loss;
use crate::metrics::largest;
use crate::network::Workspace;
use crate::numeric::Scalar;
use crate::tensor::{Form, copy_row, each_row, each_row_mut, resize, slice, slice_mut};

/// Targets for a loss, batch first: made from an array, a view, a slice (alone or with a shape, `(&y[..], [n, k])`), a vector
/// or rows (`&Vec<Vec<_>>`) of `u8`, `u32`, `i32`, `f32` or `f64`.
///
/// For a model that puts out vectors (N, K): (N, K), or (N) where one number a sample is wanted, as for a single output
/// or for class numbers. For one that puts out sequences (N, T, K): (N, T, K), or (N, T).
///
/// With weights beside them, `(&y, &weights)` of `f32` or `f64`, not all samples count alike: (N), or (N, T) for the steps
/// of a model that puts out sequences. The loss is then Σ wᵢ·lᵢ / n over the n rows that count, not divided by the sum of
/// the weights, as in Keras; metrics take weights if they are [weighted](crate::models::Compiled::weighted_metric).
///
/// What does not fit is an [`Error::Targets`] (shape), [`Error::Target`] (range, which the loss tells),
/// [`Error::Weights`] (shape) or [`Error::Weight`] (negative or not finite).
///
/// ```
/// use bptt::prelude::*;
/// use ndarray::array;
/// let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(1), 42)?;
/// let mean_target = MeanMetric::<f32>::new("mean_target", |_, t| t[0].into());
/// model.compile(Sgd::new(0.1), MeanSquaredError).weighted_metric(mean_target);
/// model.set_weight("dense/kernel", &array![[0.0_f32]])?;
/// let (x, y, weights) = (array![[1.0_f32], [1.0]], array![1.0_f32, 2.0], array![1.0_f32, 3.0]);
/// let figures = model.evaluate(&x, (&y, &weights))?;
/// assert_eq!(figures.get("loss"), Some((1.0 * 1.0 + 3.0 * 4.0) / 2.0));
/// assert_eq!(figures.get("mean_target"), Some((1.0 * 1.0 + 3.0 * 2.0) / 4.0));
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Targets<'a> {
    values: Values<'a>,
    weights: Option<Values<'a>>,
    misfit: Option<Misfit>,
}

macro_rules! targets_from {
    ($($variant:ident($type:ident)),+) => {
        #[derive(Clone, Debug)]
        enum Values<'a> {
            $($variant(CowArray<'a, $type, IxDyn>)),+
        }

        impl Values<'_> {
            fn shape(&self) -> &[usize] {
                match self {
                    $(Values::$variant(values) => values.shape()),+
                }
            }

            /// Writes all values, in the order of their indices.
            fn write<'t, F: Scalar>(&self, to: impl IntoIterator<Item = &'t mut F>) {
                match self {
                    $(Values::$variant(values) => {
                        to.into_iter().zip(values).for_each(|(to, &value)| *to = F::of(f64::from(value)));
                    }),+
                }
            }
        }

        $(
            impl<'a> From<&'a Vec<$type>> for Targets<'a> {
                fn from(labels: &'a Vec<$type>) -> Self {
                    labels.as_slice().into()
                }
            }
            impl<'a> From<&'a [$type]> for Targets<'a> {
                fn from(labels: &'a [$type]) -> Self {
                    ArrayView::from(labels).into()
                }
            }
            impl<'a, const N: usize> From<(&'a [$type], [usize; N])> for Targets<'a>
            where
                [usize; N]: IntoDimension<Dim: Dimension>,
            {
                fn from((labels, shape): (&'a [$type], [usize; N])) -> Self {
                    let (values, misfit) = layout::shaped(labels, shape);
                    Targets { values: Values::$variant(values.into_dyn()), weights: None, misfit }
                }
            }
            impl<'a> From<&'a Vec<Vec<$type>>> for Targets<'a> {
                fn from(rows: &'a Vec<Vec<$type>>) -> Self {
                    let (values, misfit) = layout::rows(rows);
                    Targets { values: Values::$variant(values.into_dyn()), weights: None, misfit }
                }
            }
            impl<'a, D: Dimension> From<&'a Array<$type, D>> for Targets<'a> {
                fn from(labels: &'a Array<$type, D>) -> Self {
                    labels.view().into()
                }
            }
            impl<'a, D: Dimension> From<&'a ArrayView<'_, $type, D>> for Targets<'a> {
                fn from(labels: &'a ArrayView<'_, $type, D>) -> Self {
                    labels.view().into()
                }
            }
            impl<'a, D: Dimension> From<ArrayView<'a, $type, D>> for Targets<'a> {
                fn from(labels: ArrayView<'a, $type, D>) -> Self {
                    Targets { values: Values::$variant(labels.into_dyn().into()), weights: None, misfit: None }
                }
            }
        )+
    };
}
targets_from!(U8(u8), U32(u32), I32(i32), F32(f32), F64(f64));

macro_rules! weights_from {
    ($($variant:ident($type:ident)),+) => {$(
        impl<'a, T: Into<Targets<'a>>> From<(T, &'a Vec<$type>)> for Targets<'a> {
            fn from((targets, weights): (T, &'a Vec<$type>)) -> Self {
                (targets, weights.as_slice()).into()
            }
        }
        impl<'a, T: Into<Targets<'a>>> From<(T, &'a [$type])> for Targets<'a> {
            fn from((targets, weights): (T, &'a [$type])) -> Self {
                (targets, ArrayView::from(weights)).into()
            }
        }
        impl<'a, T: Into<Targets<'a>>, D: Dimension> From<(T, &'a Array<$type, D>)> for Targets<'a> {
            fn from((targets, weights): (T, &'a Array<$type, D>)) -> Self {
                (targets, weights.view()).into()
            }
        }
        impl<'a, T: Into<Targets<'a>>, D: Dimension> From<(T, ArrayView<'a, $type, D>)> for Targets<'a> {
            fn from((targets, weights): (T, ArrayView<'a, $type, D>)) -> Self {
                Targets { weights: Some(Values::$variant(weights.into_dyn().into())), ..targets.into() }
            }
        }
    )+};
}
weights_from!(F32(f32), F64(f64));

/// Targets that fit a model and a loss: (N, P, K) with P rows for each sample.
#[derive(Clone, Debug)]
pub(crate) struct ArrangedTargets<F> {
    values: Array3<F>,
    /// Those of all rows, N·P; none at all if every row weighs 1.
    weights: Vec<F>,
}

impl<F: Scalar> Default for ArrangedTargets<F> {
    fn default() -> Self {
        ArrangedTargets { values: Array3::default((0, 0, 0)), weights: Vec::new() }
    }
}

impl<F: Scalar> ArrangedTargets<F> {
    /// New ones, for a whole training.
    pub(crate) fn new(
        targets: &Targets<'_>,
        samples: &Samples<'_, F>,
        output: Form,
        loss: &dyn Loss<F>,
    ) -> Result<Self> {
        let mut arranged = ArrangedTargets::default();
        arranged.arrange(targets, samples, output, loss)?;
        Ok(arranged)
    }

    /// Refuses targets of the wrong number, shape or range, and lays them out by sample and row.
    pub(crate) fn arrange(
        &mut self,
        targets: &Targets<'_>,
        samples: &Samples<'_, F>,
        output: Form,
        loss: &dyn Loss<F>,
    ) -> Result<()> {
        Misfit::check(&targets.misfit)?;
        let (steps, outputs) = match output {
            Form::Sequence { steps, features } => (Some(steps.unwrap_or(samples.steps())), features),
            form => (None, form.features()?),
        };
        let width = loss.target_width(outputs);
        let got = targets.values.shape();
        let all = [samples.len(), steps.unwrap_or(width), width];
        let wanted = &all[..if steps.is_some() { 3 } else { 2 }];
        // A last axis of one may be left out.
        if got != wanted && !(width == 1 && got == &wanted[..wanted.len() - 1]) {
            return Err(Error::Targets { got: got.to_vec(), needs: wanted.to_vec() });
        }
        let rows = steps.unwrap_or(1);
        loss.check()?;
        resize(&mut self.values, (samples.len(), rows, width));
        targets.values.write(slice_mut(&mut self.values));
        for (row, target) in each_row(self.rows()).enumerate() {
            let sample = row / rows;
            loss.check_target(target, outputs).map_err(|problem| Error::Target { sample, problem })?;
        }
        self.weights.clear();
        targets.weights.as_ref().map_or(Ok(()), |weights| self.arrange_weights(weights, steps))
    }

    /// Refuses weights of the wrong number, shape or range, and lays them out by row.
    fn arrange_weights(&mut self, weights: &Values<'_>, steps: Option<usize>) -> Result<()> {
        let (samples, rows, _) = self.values.dim();
        let got = weights.shape();
        self.weights.resize(samples * rows, F::zero());
        if got == [samples] {
            weights.write(self.weights.iter_mut().step_by(rows));
            self.weights.chunks_exact_mut(rows).for_each(|rows| rows.fill(rows[0]));
        } else if steps.is_some() && got == [samples, rows] {
            weights.write(&mut self.weights);
        } else {
            return Err(Error::Weights { got: got.to_vec(), samples, steps });
        }
        match self.weights.iter().position(|&weight| !is_weight(weight)) {
            Some(row) => Err(Error::Weight { sample: row / rows, value: self.weights[row].widen() }),
            None => Ok(()),
        }
    }

    /// All targets, one row for each row of the outputs of all samples.
    fn rows(&self) -> ArrayView2<'_, F> {
        let (samples, rows, width) = self.values.dim();
        self.values.view().into_shape_with_order((samples * rows, width)).expect("they are in standard layout")
    }

    /// The same with [weights of classes](ArrangedTargets::weigh_classes).
    pub(crate) fn weighed(&self, class_weights: &BTreeMap<usize, f64>) -> Result<Self> {
        let mut weighed = self.clone();
        weighed.weigh_classes(class_weights)?;
        Ok(weighed)
    }

    /// Multiplies the weight of each row by that of its class. Rows without a class, and those of classes that are not named,
    /// stay as they are.
    pub(crate) fn weigh_classes(&mut self, class_weights: &BTreeMap<usize, f64>) -> Result<()> {
        if class_weights.is_empty() {
            return Ok(());
        }
        if let Some((class, weight)) = class_weights.iter().find(|(_, weight)| !is_weight(F::of(**weight))) {
            let (value, allowed) = (format!("{weight} for class {class}"), "a finite number of at least 0");
            return Err(Error::InvalidOption { option: "class_weight", value, allowed });
        }
        let mut weights = std::mem::take(&mut self.weights);
        weights.resize(self.rows().nrows(), F::one());
        for (row, (target, weight)) in each_row(self.rows()).zip(&mut weights).enumerate() {
            let sample = row / self.values.dim().1;
            let class = class_of(target).map_err(|problem| Error::Target { sample, problem })?;
            if let Some(&by) = class.and_then(|class| class_weights.get(&class)) {
                *weight *= F::of(by);
            }
        }
        self.weights = weights;
        Ok(())
    }

    /// Copies the targets of these samples into a workspace, in the order of the output's rows: those of some steps, or all.
    pub(crate) fn load(&self, rows: &[usize], steps: Option<Range<usize>>, workspace: &mut Workspace<F>) {
        let (_, positions, width) = self.values.dim();
        let steps = steps.unwrap_or(0..positions);
        resize(&mut workspace.targets, (steps.len() * rows.len(), width));
        let places = steps.flat_map(|step| rows.iter().map(move |&row| (row, step)));
        let values = slice(&self.values);
        for (to, (row, step)) in each_row_mut(workspace.targets.view_mut()).zip(places.clone()) {
            copy_row(&values[(row * positions + step) * width..][..width], to);
        }
        workspace.weights.clear();
        if !self.weights.is_empty() {
            workspace.weights.extend(places.map(|(row, step)| self.weights[row * positions + step]));
        }
    }
}

fn is_weight<F: Scalar>(value: F) -> bool {
    value.is_finite() && value >= F::zero()
}

/// The class that a row of targets tells; a row of zeros has none.
fn class_of<F: Scalar>(target: &[F]) -> std::result::Result<Option<usize>, String> {
    const NEEDS: &str = "class_weight needs labels 0 and 1, class numbers, or rows with one largest value";
    if let [class] = *target {
        // As NumPy rounds: halves to the even neighbour.
        let class = class.widen().round_ties_even();
        return if class >= 0.0 {
            Ok(Some(class as usize))
        } else {
            Err(format!("is {class} and tells no class; {NEEDS}"))
        };
    }
    let class = largest(target);
    match target.iter().filter(|&&value| value == target[class]).count() {
        1 => Ok(Some(class)),
        _ if target.iter().all(|&value| value == F::zero()) => Ok(None),
        several => Err(format!("holds its largest value {several} times and tells no class; {NEEDS}")),
    }
}
