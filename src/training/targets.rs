//! Targets at the public edge: arrays or vectors of any number type, batch first, checked once before they flow.

use std::ops::Range;

use ndarray::{Array, Array3, ArrayView, ArrayViewD, Axis, Dimension};

use super::data::Samples;
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::scalar::Scalar;
use crate::sequential::Workspace;
use crate::tensor::{Form, each_row, resize};

/// Targets for a loss, batch first: made from a reference to an array or a vector of `u8`, `u32`, `i32`, `f32` or `f64`.
///
/// For a model that puts out vectors (N, K): (N, K), or (N) where one number a sample is wanted, as for a single output
/// or for class numbers. For one that puts out sequences (N, T, K): (N, T, K), or (N, T).
#[derive(Clone, Debug)]
pub struct Targets<'a> {
    values: Values<'a>,
}

macro_rules! targets_from {
    ($($variant:ident($type:ident)),+) => {
        #[derive(Clone, Debug)]
        enum Values<'a> {
            $($variant(ArrayViewD<'a, $type>)),+
        }

        impl Values<'_> {
            fn shape(&self) -> &[usize] {
                match self {
                    $(Values::$variant(values) => values.shape()),+
                }
            }

            /// Writes all values, in the order of their indices.
            fn write<F: Scalar>(&self, to: &mut [F]) {
                match self {
                    $(Values::$variant(values) => {
                        to.iter_mut().zip(values).for_each(|(to, &value)| *to = F::of(f64::from(value)));
                    }),+
                }
            }
        }

        $(
            impl<'a> From<&'a Vec<$type>> for Targets<'a> {
                fn from(labels: &'a Vec<$type>) -> Self {
                    Targets::from(labels.as_slice())
                }
            }
            impl<'a> From<&'a [$type]> for Targets<'a> {
                fn from(labels: &'a [$type]) -> Self {
                    Targets { values: Values::$variant(ArrayView::from(labels).into_dyn()) }
                }
            }
            impl<'a, D: Dimension> From<&'a Array<$type, D>> for Targets<'a> {
                fn from(labels: &'a Array<$type, D>) -> Self {
                    Targets { values: Values::$variant(labels.view().into_dyn()) }
                }
            }
        )+
    };
}
targets_from!(U8(u8), U32(u32), I32(i32), F32(f32), F64(f64));

/// Targets that fit a model and a loss: (N, P, K) with P rows for each sample.
#[derive(Debug)]
pub(crate) struct ArrangedTargets<F>(Array3<F>);

impl<F: Scalar> Default for ArrangedTargets<F> {
    fn default() -> Self {
        ArrangedTargets(Array3::default((0, 0, 0)))
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
        resize(&mut self.0, (samples.len(), steps.unwrap_or(1), width));
        targets.values.write(crate::tensor::slice_mut(&mut self.0));
        for (sample, rows) in self.0.outer_iter().enumerate() {
            for row in each_row(rows) {
                loss.check_target(row, outputs).map_err(|problem| Error::Target { sample, problem })?;
            }
        }
        Ok(())
    }

    /// Copies the targets of these samples into a workspace, in the order of the output's rows: those of some steps, or all.
    pub(crate) fn load(&self, rows: &[usize], steps: Option<Range<usize>>, workspace: &mut Workspace<F>) {
        let (_, positions, width) = self.0.dim();
        let positions = steps.unwrap_or(0..positions);
        resize(&mut workspace.targets, (positions.len() * rows.len(), width));
        let mut to = workspace.targets.rows_mut().into_iter();
        for position in positions {
            for &row in rows {
                let from = self.0.index_axis(Axis(0), row);
                to.by_ref().take(1).for_each(|mut to| to.assign(&from.row(position)));
            }
        }
    }
}
