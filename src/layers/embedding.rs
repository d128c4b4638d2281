//! Embedding: the row of a table for each token id, y[t, b] = E[token[t, b]].
//!
//! Backward: each row of dy is added to the row of dE that it came from; a token that occurs twice is added twice.
//!
//! If the next layer can make use of it, the rows are not looked up here: the output is the table with the token ids, and
//! dy the gradient of the table ([`Tensor::Lookup`]).

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernels::gemm::{self, Rows};
use crate::layer::{Backward, Carry, Describe, Forward, Layer, erase_layer};
use crate::numeric::Scalar;
use crate::numeric::checks::check_count;
use crate::tensor::Mask;
use crate::tensor::{Form, Tensor, copy_row, resize, slice, slice_mut};
use crate::weights::Path;
use crate::weights::WeightOptions;
use crate::weights::constraints::Constraint;
use crate::weights::initializers::{Init, Initializer};
use crate::weights::regularizers::Regularizer;

/// Turns token ids into vectors that are learnt.
///
/// To start from vectors that you have, set the weight after building:
/// `model.set_weight("embedding/embeddings", &vectors)`.
///
/// # Shapes
///
/// Tokens (T, B) to a sequence (T, B, `output_dim`). Weights: `embeddings` (`input_dim`, `output_dim`).
///
/// # Options
///
/// | name | default | purpose | range |
/// | --- | --- | --- | --- |
/// | `input_dim` | | size of the vocabulary; ids are 0 to `input_dim` − 1 | at least 1 |
/// | `output_dim` | | features of each vector | at least 1 |
/// | `embeddings_initializer` | uniform ±0.05 | start of the table | any [`Initializer`] |
/// | `mask_zero` | false | steps with id 0, as padding has, do not count: see [`Mask`] | |
/// | `embeddings_regularizer` | none | a penalty on the table, all of it at every step | any [`Regularizer`] |
/// | `embeddings_constraint` | none | what holds for the table after each step | any [`Constraint`] |
///
/// ```
/// use bptt::layer::Layer;
/// use bptt::layers::Embedding;
/// use bptt::tensor::Form;
/// let output = Layer::<f32>::output_form(&Embedding::new(500, 16), Form::tokens(100))?;
/// assert_eq!(output, Form::sequence(100, 16));
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    input_dim: usize,
    output_dim: usize,
    embeddings_initializer: Initializer,
    #[serde(default)]
    mask_zero: bool,
    #[serde(default, skip_serializing_if = "WeightOptions::is_empty")]
    embeddings: WeightOptions,
}

impl Embedding {
    /// A table of `input_dim` vectors of `output_dim` features.
    pub fn new(input_dim: usize, output_dim: usize) -> Self {
        let (embeddings_initializer, embeddings) = (Initializer::uniform(), WeightOptions::default());
        Embedding { input_dim, output_dim, embeddings_initializer, mask_zero: false, embeddings }
    }

    /// How the table starts.
    pub fn embeddings_initializer(self, embeddings_initializer: Initializer) -> Self {
        Embedding { embeddings_initializer, ..self }
    }

    /// Whether steps with id 0 do not count.
    pub fn mask_zero(self, mask_zero: bool) -> Self {
        Embedding { mask_zero, ..self }
    }

    /// A penalty on the table, a term of the loss.
    pub fn embeddings_regularizer(self, regularizer: Regularizer) -> Self {
        Embedding { embeddings: WeightOptions { regularizer: Some(regularizer), ..self.embeddings }, ..self }
    }

    /// What holds for the table after each step of the optimizer. Along axis 1 lie the vectors of single tokens.
    pub fn embeddings_constraint(self, constraint: Constraint) -> Self {
        Embedding { embeddings: WeightOptions { constraint: Some(constraint), ..self.embeddings }, ..self }
    }
}

/// The weights of [`Embedding`].
#[derive(Clone, Debug)]
pub struct EmbeddingWeights<F> {
    /// E, a row for each token id.
    pub embeddings: Array2<F>,
}
crate::params!(EmbeddingWeights { embeddings });

impl Describe for Embedding {
    fn kind() -> &'static str {
        "Embedding"
    }
}

impl<F: Scalar> Layer<F> for Embedding {
    type Weights = EmbeddingWeights<F>;
    type Cache = ();

    fn output_form(&self, input: Form) -> Result<Form> {
        check_count("input_dim", self.input_dim)?;
        check_count("output_dim", self.output_dim)?;
        match input {
            Form::Tokens { steps } => Ok(Form::Sequence { steps, features: self.output_dim }),
            _ => Err(Error::Form {
                got: input.to_string(),
                needs: "token ids",
                mend: "make it the first layer and build the model for Form::tokens",
            }),
        }
    }

    fn carry(&self) -> Carry {
        Carry::Nothing
    }

    fn build(&self, _: Form, init: &mut Init) -> Result<EmbeddingWeights<F>> {
        Ok(EmbeddingWeights {
            embeddings: init.tensor(self.embeddings_initializer, (self.input_dim, self.output_dim))?,
        })
    }

    fn forward(&self, w: &EmbeddingWeights<F>, forward: Forward<'_, F, ()>) {
        let Forward { x, y, pass, .. } = forward;
        let tokens = x.tokens();
        let (steps, batch) = tokens.dim();
        // A table that is larger than the sequence would cost more in the next layer than it saves.
        if pass.lookup && self.input_dim <= tokens.len() {
            let lookup = y.as_lookup();
            resize(&mut lookup.tokens, (steps, batch));
            lookup.tokens.assign(tokens);
            resize(&mut lookup.table, (1, self.input_dim, self.output_dim));
            slice_mut(&mut lookup.table).copy_from_slice(slice(&w.embeddings));
            return;
        }
        let y = y.as_sequence(steps, batch, self.output_dim);
        let (y, table) = (slice_mut(y), slice(&w.embeddings));
        for (&token, row) in tokens.iter().zip(y.chunks_exact_mut(self.output_dim)) {
            copy_row(&table[token as usize * self.output_dim..][..self.output_dim], row);
        }
    }

    fn backward(&self, _: &EmbeddingWeights<F>, backward: Backward<'_, F, (), EmbeddingWeights<F>>) {
        let Backward { x, y, dy, gradients, .. } = backward;
        if matches!(y, Tensor::Lookup(_)) {
            let sums = slice_mut(&mut gradients.embeddings).iter_mut();
            sums.zip(slice(dy.sequence())).for_each(|(sum, &d)| *sum += d);
            return;
        }
        let dy = Rows::new(slice(dy.sequence()), self.output_dim);
        gemm::add_to_rows(dy, slice(x.tokens()), slice_mut(&mut gradients.embeddings));
    }

    fn output_mask(&self, x: &Tensor<F>, mask: &mut Mask) {
        if self.mask_zero {
            let tokens = x.tokens();
            mask.narrow(tokens.nrows(), tokens.ncols(), |step, sample| tokens[[step, sample]] != 0);
        }
    }

    fn weight_options(&self, _: Path<'_>) -> WeightOptions {
        self.embeddings
    }

    fn vocabulary(&self) -> Option<usize> {
        Some(self.input_dim)
    }

    erase_layer!(F, Embedding);
}
