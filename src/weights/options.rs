//! Options of a single weight: regularizer and constraint.

use serde::{Deserialize, Serialize};

use super::Path;
use super::constraints::Constraint;
use super::regularizers::Regularizer;
use crate::error::Result;

/// Regularizer and constraint of one weight.
///
/// A layer or cell of your own stores one of these for each weight and returns it from
/// [`Layer::weight_options`](crate::layer::Layer::weight_options) or
/// [`Cell::weight_options`](crate::recurrent::Cell::weight_options); the model applies it. The field in a saved struct should
/// have `#[serde(default, skip_serializing_if = "WeightOptions::is_empty")]`, so that files hold only what is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightOptions {
    /// Penalty on the weight, which is added to the loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regularizer: Option<Regularizer>,
    /// Constraint, applied after each step of the optimizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<Constraint>,
}

impl WeightOptions {
    /// Returns whether neither is set.
    pub fn is_empty(&self) -> bool {
        *self == WeightOptions::default()
    }

    /// Returns an error for options out of range, for the weight at this path with `axes` axes.
    pub(crate) fn check(self, weight: Path<'_>, axes: usize) -> Result<()> {
        self.regularizer.map_or(Ok(()), |regularizer| regularizer.check(weight))?;
        self.constraint.map_or(Ok(()), |constraint| constraint.check(weight, axes))
    }
}
