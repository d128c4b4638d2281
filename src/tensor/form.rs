//! The shape of one sample on its way through a model, without the batch.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What one sample looks like on its way through a model.
///
/// `steps` is `None` where any length is taken, as the `None` of a Keras shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Form {
    /// Token ids, (T).
    Tokens {
        /// Time steps T.
        steps: Option<usize>,
    },
    /// One row of features, (D).
    Vector {
        /// Features D.
        features: usize,
    },
    /// A row of features for each time step, (T, D).
    Sequence {
        /// Time steps T.
        steps: Option<usize>,
        /// Features D.
        features: usize,
    },
}

impl Form {
    /// Sequences of `steps` token ids, as [`Embedding`](crate::layers::Embedding) takes them; `None` for any length.
    pub fn tokens(steps: impl Into<Option<usize>>) -> Self {
        Form::Tokens { steps: steps.into() }
    }

    /// Rows of `features` numbers.
    pub fn vector(features: usize) -> Self {
        Form::Vector { features }
    }

    /// Sequences of `steps` rows of `features` numbers; `None` for any length.
    pub fn sequence(steps: impl Into<Option<usize>>, features: usize) -> Self {
        Form::Sequence { steps: steps.into(), features }
    }

    /// The number of features of a vector or of each step of a sequence; an error for tokens.
    pub fn features(&self) -> Result<usize> {
        match *self {
            Form::Vector { features } | Form::Sequence { features, .. } => Ok(features),
            Form::Tokens { .. } => Err(Error::Form {
                got: self.to_string(),
                needs: "numbers",
                mend: "put an Embedding before it, which turns token ids into vectors",
            }),
        }
    }

    /// The same form with another number of features.
    pub fn with_features(&self, features: usize) -> Self {
        match *self {
            Form::Sequence { steps, .. } => Form::Sequence { steps, features },
            _ => Form::Vector { features },
        }
    }

    /// The same form with any number of steps.
    pub(crate) fn any_length(self) -> Self {
        match self {
            Form::Tokens { .. } => Form::Tokens { steps: None },
            Form::Sequence { features, .. } => Form::Sequence { steps: None, features },
            form => form,
        }
    }

    /// The steps and features of a sequence; an error for anything else.
    pub fn expect_sequence(&self) -> Result<(Option<usize>, usize)> {
        match *self {
            Form::Sequence { steps, features } => Ok((steps, features)),
            Form::Vector { .. } => Err(Error::Form {
                got: self.to_string(),
                needs: "a sequence",
                mend: "set return_sequences(true) on the recurrent layer before it, or build the model for Form::sequence if it \
                       is the first layer",
            }),
            Form::Tokens { .. } => Err(Error::Form {
                got: self.to_string(),
                needs: "a sequence of vectors",
                mend: "put an Embedding before it, which turns token ids into vectors",
            }),
        }
    }
}

/// As Keras writes shapes: `(None, 100, 16)`, the first for the batch.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |steps: Option<usize>| steps.map_or("None".into(), |steps| steps.to_string());
        match *self {
            Form::Tokens { steps } => write!(f, "(None, {}) of token ids", length(steps)),
            Form::Vector { features } => write!(f, "(None, {features})"),
            Form::Sequence { steps, features } => write!(f, "(None, {}, {features})", length(steps)),
        }
    }
}
