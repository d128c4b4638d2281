//! Layer normalization: the features of each vector, or of each step, are brought to mean 0 and variance 1 (Ba et al. 2016).
//!
//! ```text
//! n = (x − mean) / √(variance + ε)      y = γ ∘ n + β
//! ```
//!
//! mean and variance are over the D features. Backward, with g = dy ∘ γ and the means of g and of g ∘ n over the features:
//! dx = (g − mean g − n · mean(g ∘ n)) / √(variance + ε), dγ = Σ dy ∘ n, dβ = Σ dy.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::layer::{Backward, Carry, Describe, Forward, Layer, erase_layer};
use crate::numeric::Scalar;
use crate::tensor::{Form, resize, slice, slice_mut};
use crate::weights::initializers::{Init, Initializer};

/// Brings the features of each row to mean 0 and variance 1, then scales and shifts them by weights.
///
/// # Shapes
///
/// Vectors (B, D) or sequences (T, B, D), unchanged. Weights: `gamma` (D), which starts with ones, and `beta` (D), which starts
/// with zeros.
///
/// # Options
///
/// | name | default | purpose | range |
/// | --- | --- | --- | --- |
/// | `epsilon` | 0.001 | added to the variance | above 0 |
/// | `center` | true | whether there is a β | |
/// | `scale` | true | whether there is a γ | |
///
/// ```
/// use bptt::layers::LayerNormalization;
/// use bptt::prelude::*;
/// use ndarray::array;
/// let model = Sequential::<f64>::default().add(LayerNormalization::new()).build(Form::vector(2), 1)?;
/// let y = model.predict(&array![[3.0, 5.0]])?;
/// assert!((y[[0, 1]] - 1.0 / 1.001_f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerNormalization {
    epsilon: f64,
    center: bool,
    scale: bool,
}

impl LayerNormalization {
    /// A layer with Keras' defaults.
    pub fn new() -> Self {
        LayerNormalization { epsilon: 1e-3, center: true, scale: true }
    }

    /// What is added to the variance.
    pub fn epsilon(self, epsilon: f64) -> Self {
        LayerNormalization { epsilon, ..self }
    }

    /// Whether there is a β.
    pub fn center(self, center: bool) -> Self {
        LayerNormalization { center, ..self }
    }

    /// Whether there is a γ.
    pub fn scale(self, scale: bool) -> Self {
        LayerNormalization { scale, ..self }
    }
}

impl Default for LayerNormalization {
    fn default() -> Self {
        LayerNormalization::new()
    }
}

/// The weights of [`LayerNormalization`].
#[derive(Clone, Debug)]
pub struct LayerNormalizationWeights<F> {
    /// γ (D).
    pub gamma: Option<Array1<F>>,
    /// β (D).
    pub beta: Option<Array1<F>>,
}
crate::params!(LayerNormalizationWeights { gamma, beta });

/// n and 1 / √(variance + ε) of each row of the last forward pass.
#[derive(Clone, Debug, Default)]
pub struct LayerNormalizationCache<F: Scalar> {
    normalized: Array2<F>,
    scales: Array1<F>,
}

impl Describe for LayerNormalization {
    fn kind() -> &'static str {
        "LayerNormalization"
    }
}

/// The mean of what a function makes of each place of a row of `features`.
fn mean<F: Scalar>(features: usize, value: impl Fn(usize) -> F) -> F {
    (0..features).fold(F::zero(), |sum, feature| sum + value(feature)) / F::of(features as f64)
}

impl<F: Scalar> Layer<F> for LayerNormalization {
    type Weights = LayerNormalizationWeights<F>;
    type Cache = LayerNormalizationCache<F>;

    fn output_form(&self, input: Form) -> Result<Form> {
        input.features()?;
        if !(self.epsilon > 0.0 && self.epsilon.is_finite()) {
            let value = self.epsilon.to_string();
            return Err(Error::InvalidOption { option: "epsilon", value, allowed: "a finite number above 0" });
        }
        Ok(input)
    }

    fn carry(&self) -> Carry {
        Carry::Nothing
    }

    fn build(&self, input: Form, init: &mut Init) -> Result<LayerNormalizationWeights<F>> {
        let features = input.features()?;
        Ok(LayerNormalizationWeights {
            gamma: self.scale.then(|| init.tensor(Initializer::Ones, features)).transpose()?,
            beta: self.center.then(|| init.tensor(Initializer::Zeros, features)).transpose()?,
        })
    }

    fn forward(&self, w: &LayerNormalizationWeights<F>, forward: Forward<'_, F, LayerNormalizationCache<F>>) {
        let Forward { x, y, cache, .. } = forward;
        let x_rows = x.rows();
        let (count, features) = x_rows.dim();
        let LayerNormalizationCache { normalized, scales } = cache;
        resize(normalized, (count, features));
        resize(scales, count);
        let rows = slice_mut(normalized).chunks_exact_mut(features).zip(slice_mut(scales));
        for ((n, scale), x) in rows.zip(x_rows.outer_iter()) {
            let center = mean(features, |i| x[i]);
            n.iter_mut().zip(x).for_each(|(n, &x)| *n = x - center);
            *scale = F::one() / (mean(features, |i| n[i] * n[i]) + F::of(self.epsilon)).sqrt();
            n.iter_mut().for_each(|n| *n *= *scale);
        }
        y.like(x, features);
        let mut y = y.rows_mut();
        y.assign(normalized);
        if let Some(gamma) = &w.gamma {
            y *= gamma;
        }
        if let Some(beta) = &w.beta {
            y += beta;
        }
    }

    fn backward(
        &self,
        w: &LayerNormalizationWeights<F>,
        backward: Backward<'_, F, LayerNormalizationCache<F>, LayerNormalizationWeights<F>>,
    ) {
        let Backward { x, dy, dx, cache, gradients, .. } = backward;
        let LayerNormalizationCache { normalized, scales } = cache;
        let (features, dy) = (normalized.ncols(), dy.rows());
        for (dy, n) in dy.outer_iter().zip(normalized.outer_iter()) {
            if let Some(dgamma) = &mut gradients.gamma {
                slice_mut(dgamma).iter_mut().zip(dy.iter().zip(n)).for_each(|(sum, (&d, &n))| *sum += d * n);
            }
            if let Some(dbeta) = &mut gradients.beta {
                slice_mut(dbeta).iter_mut().zip(&dy).for_each(|(sum, &d)| *sum += d);
            }
        }
        let Some(dx) = dx else { return };
        dx.like(x, features);
        let mut dx = dx.rows_mut();
        dx.assign(&dy);
        if let Some(gamma) = &w.gamma {
            dx *= gamma;
        }
        let rows = slice(normalized).chunks_exact(features).zip(slice(scales));
        for (mut g, (n, &scale)) in dx.outer_iter_mut().zip(rows) {
            let (center, along) = (mean(features, |i| g[i]), mean(features, |i| g[i] * n[i]));
            g.iter_mut().zip(n).for_each(|(g, &n)| *g = scale * (*g - center - n * along));
        }
    }

    erase_layer!(F, LayerNormalization);
}
