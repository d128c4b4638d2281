//! Embedding: the row of a table for each token id, y[t, b] = E[token[t, b]].
//!
//! Backward: each row of dy is added to the row of dE that it came from. A token that occurs twice is added twice.
//!
//! If the next layer takes lookups, nothing is looked up here: the output is the table with the token ids, and dy is the
//! gradient of the table ([`Tensor::Lookup`]).

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

/// Embedding layer: a learnt vector for each token id.
///
/// ```text
/// y[b, t] = E[token[b, t]]
/// ```
///
/// It is the first layer of a model that is built for [`Form::tokens`].
///
/// ```
/// use bptt::prelude::*;
/// use ndarray::{Array1, Array2};
///
/// // Which token comes last?
/// let x = Array2::<u32>::from_shape_fn((64, 5), |(n, t)| ((7 * n + 3 * t) % 10) as u32);
/// let y: Array1<f32> = x.outer_iter().map(|tokens| if tokens[4] < 5 { 0.0 } else { 1.0 }).collect();
///
/// let mut model = Sequential::new()
///     .add(Embedding::new(10, 4))
///     .add(Lstm::new(4))
///     .add(Dense::new(1).activation(Activation::Sigmoid))
///     .build(Form::tokens(5), 42)?;
/// model.compile(Adam::new(0.05), BinaryCrossentropy::new());
/// let history = model.fit(&x, &y, Fit::new().epochs(20))?;
/// let loss = history.get("loss");
/// assert!(loss[19] < loss[0]);
/// # Ok::<(), bptt::Error>(())
/// ```
///
/// To start from given vectors, set the weight after building: `model.set_weight("embedding/embeddings", &vectors)`.
///
/// # Options
///
/// | Option | Default | Meaning |
/// | --- | --- | --- |
/// | `input_dim` | required | Size of the vocabulary, at least 1: token ids are 0 to `input_dim` − 1 |
/// | `output_dim` | required | Number of features of each vector, at least 1 |
/// | `embeddings_initializer` | uniform in ±0.05 | [`Initializer`] of the table E |
/// | `mask_zero` | false | Whether token id 0 is padding, to be masked: see [`Mask`] |
/// | `embeddings_regularizer` | none | [`Regularizer`] of the whole table, at every step |
/// | `embeddings_constraint` | none | [`Constraint`] on the table |
///
/// # Shapes
///
/// | What | Shape |
/// | --- | --- |
/// | input | token ids (B, T), of type `u32` |
/// | output | (B, T, `output_dim`) |
/// | `embeddings` | (`input_dim`, `output_dim`) |
///
/// # Errors
///
/// Building a model returns an [`Error::Layer`] that names the layer. Its source is [`Error::InvalidOption`] for an option
/// out of range, or [`Error::Form`] if the input is not token ids. Token ids of `input_dim` or more are an
/// [`Error::Token`] where data are passed in.
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
    /// Returns a table of `input_dim` vectors with `output_dim` features.
    pub fn new(input_dim: usize, output_dim: usize) -> Self {
        let (embeddings_initializer, embeddings) = (Initializer::uniform(), WeightOptions::default());
        Embedding { input_dim, output_dim, embeddings_initializer, mask_zero: false, embeddings }
    }

    /// Sets the initializer of the table.
    pub fn embeddings_initializer(self, embeddings_initializer: Initializer) -> Self {
        Embedding { embeddings_initializer, ..self }
    }

    /// Sets whether time steps with token id 0 are masked.
    pub fn mask_zero(self, mask_zero: bool) -> Self {
        Embedding { mask_zero, ..self }
    }

    /// Sets a penalty on the table, which is added to the loss.
    pub fn embeddings_regularizer(self, regularizer: Regularizer) -> Self {
        Embedding { embeddings: WeightOptions { regularizer: Some(regularizer), ..self.embeddings }, ..self }
    }

    /// Sets a constraint on the table, applied after each step of the optimizer.
    ///
    /// The vectors of single tokens lie along axis 1.
    pub fn embeddings_constraint(self, constraint: Constraint) -> Self {
        Embedding { embeddings: WeightOptions { constraint: Some(constraint), ..self.embeddings }, ..self }
    }
}

/// Weights of [`Embedding`].
#[derive(Clone, Debug)]
pub struct EmbeddingWeights<F> {
    /// Table E (`input_dim`, `output_dim`), a row for each token id.
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
        // With a table larger than the sequence, a lookup would cost the next layer more than it saves.
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
