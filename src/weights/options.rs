//! What a layer's options say about one of its weights besides how it starts.

use serde::{Deserialize, Serialize};

use super::Path;
use super::constraints::Constraint;
use super::regularizers::Regularizer;
use crate::error::Result;

/// The regularizer and the constraint of one weight.
///
/// A layer or cell of one's own keeps one of these for each of its weights, and names it in
/// [`Layer::weight_options`](crate::layer::Layer::weight_options) or [`Cell::weight_options`](crate::recurrent::Cell::weight_options); the
/// model does the rest. Its field in a saved struct wants
/// `#[serde(default, skip_serializing_if = "WeightOptions::is_empty")]`, so that files do not hold what is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightOptions {
    /// A penalty on the weight, a term of the loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regularizer: Option<Regularizer>,
    /// What holds for the weight after each step of the optimizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<Constraint>,
}

impl WeightOptions {
    /// Whether neither is set.
    pub fn is_empty(&self) -> bool {
        *self == WeightOptions::default()
    }

    /// Refuses options out of range, for the weight at this path with so many axes.
    pub(crate) fn check(self, weight: Path<'_>, axes: usize) -> Result<()> {
        self.regularizer.map_or(Ok(()), |regularizer| regularizer.check(weight))?;
        self.constraint.map_or(Ok(()), |constraint| constraint.check(weight, axes))
    }
}
