//! One vector of a sequence: the mean of its steps, or the largest value of each feature.
//!
//! ```text
//! mean: y = Σ over t of m[t] · x[t] / Σ m        dx[t] = m[t] · dy / Σ m
//! max:  y = max over t of x[t]                   dx[t] = dy / k where x[t] = y, which it does at k steps, else 0
//! ```
//!
//! m is the mask, 1 where a step counts.

use ndarray::{Array1, Array2, ArrayView2, Zip};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::layer::{Backward, Describe, Forward, Layer, erase_layer};
use crate::numeric::Scalar;
use crate::tensor::mask;
use crate::tensor::{Form, resize};
use crate::weights::initializers::Init;

/// The mean of a sequence over its steps.
///
/// # Shapes
///
/// Sequences (T, B, D) to vectors (B, D).
///
/// # Masks
///
/// The mean is over the steps that count, as in Keras. Of none it is 0 (in Keras not a number).
///
/// ```
/// use bptt::layers::GlobalAveragePooling1D;
/// use bptt::prelude::*;
/// use ndarray::{arr2, array};
/// let model = Sequential::new().add(GlobalAveragePooling1D::new()).build(Form::sequence(3, 1), 1)?;
/// let (x, mask) = (array![[[1.0_f32], [3.0], [8.0]]], arr2(&[[true, true, false]]));
/// assert_eq!(model.predict((&x, &mask))?[[0, 0]], 2.0);
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalAveragePooling1D {}

/// The largest value of each feature over the steps of a sequence.
///
/// # Shapes
///
/// Sequences (T, B, D) to vectors (B, D); without steps, zero.
///
/// # Masks
///
/// As in Keras, it takes no notice of a mask: steps that do not count may hold the largest value too. Equal largest values
/// share the gradient.
///
/// ```
/// use bptt::layers::GlobalMaxPooling1D;
/// use bptt::prelude::*;
/// use ndarray::array;
/// let model = Sequential::new().add(GlobalMaxPooling1D::new()).build(Form::sequence(None, 2), 1)?;
/// assert_eq!(model.predict(&array![[[1.0_f32, 5.0], [3.0, 4.0]]])?, array![[3.0, 5.0]].into_dyn());
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalMaxPooling1D {}

impl GlobalAveragePooling1D {
    /// The layer; it has no options.
    pub fn new() -> Self {
        GlobalAveragePooling1D {}
    }
}

impl GlobalMaxPooling1D {
    /// The layer; it has no options.
    pub fn new() -> Self {
        GlobalMaxPooling1D {}
    }
}

impl Describe for GlobalAveragePooling1D {
    fn kind() -> &'static str {
        "GlobalAveragePooling1D"
    }
}

impl Describe for GlobalMaxPooling1D {
    fn kind() -> &'static str {
        "GlobalMaxPooling1D"
    }
}

/// What one step of each sample weighs in its mean: (B).
fn weigh<F: Scalar>(mask: Option<ArrayView2<'_, bool>>, (steps, batch): (usize, usize), weights: &mut Array1<F>) {
    resize(weights, batch);
    for (sample, weight) in weights.iter_mut().enumerate() {
        let count = mask.map_or(steps, |mask| mask.column(sample).iter().filter(|counts| **counts).count());
        *weight = F::of(1.0 / count.max(1) as f64);
    }
}

impl<F: Scalar> Layer<F> for GlobalAveragePooling1D {
    type Weights = ();
    type Cache = Array1<F>;

    fn output_form(&self, input: Form) -> Result<Form> {
        let (_, features) = input.expect_sequence()?;
        Ok(Form::vector(features))
    }

    fn build(&self, _: Form, _: &mut Init) -> Result<()> {
        Ok(())
    }

    fn forward(&self, (): &(), forward: Forward<'_, F, Array1<F>>) {
        let Forward { x, y, cache: weights, pass, .. } = forward;
        let (steps, batch, features) = x.sequence().dim();
        weigh(pass.mask, (steps, batch), weights);
        let y = y.as_vector(batch, features);
        y.fill(F::zero());
        for (t, x) in x.sequence().outer_iter().enumerate() {
            match mask::step(&pass.mask, t) {
                None => *y += &x,
                Some(counts) => {
                    for (sample, _) in counts.iter().enumerate().filter(|(_, counts)| **counts) {
                        y.row_mut(sample).zip_mut_with(&x.row(sample), |sum, &x| *sum += x);
                    }
                }
            }
        }
        y.outer_iter_mut().zip(weights.iter()).for_each(|(mut row, &weight)| row.mapv_inplace(|sum| sum * weight));
    }

    fn backward(&self, (): &(), backward: Backward<'_, F, Array1<F>, ()>) {
        let Backward { x, dy, dx, cache: weights, pass, .. } = backward;
        let Some(dx) = dx else { return };
        let (steps, batch, features) = x.sequence().dim();
        let dy = dy.rows();
        for (t, mut dx) in dx.as_sequence(steps, batch, features).outer_iter_mut().enumerate() {
            for ((mut dx, dy), &weight) in dx.outer_iter_mut().zip(dy.outer_iter()).zip(weights.iter()) {
                dx.zip_mut_with(&dy, |dx, &dy| *dx = dy * weight);
            }
            let left_out = mask::step(&pass.mask, t).into_iter().flat_map(mask::left_out);
            left_out.for_each(|sample| dx.row_mut(sample).fill(F::zero()));
        }
    }

    erase_layer!(F, GlobalAveragePooling1D);
}

/// At how many steps each feature has its largest value: (B, D).
#[derive(Clone, Debug, Default)]
pub struct GlobalMaxPooling1DCache<F> {
    ties: Array2<F>,
}

impl<F: Scalar> Layer<F> for GlobalMaxPooling1D {
    type Weights = ();
    type Cache = GlobalMaxPooling1DCache<F>;

    fn output_form(&self, input: Form) -> Result<Form> {
        let (_, features) = input.expect_sequence()?;
        Ok(Form::vector(features))
    }

    fn build(&self, _: Form, _: &mut Init) -> Result<()> {
        Ok(())
    }

    fn forward(&self, (): &(), forward: Forward<'_, F, Self::Cache>) {
        let Forward { x, y, .. } = forward;
        let (steps, batch, features) = x.sequence().dim();
        let y = y.as_vector(batch, features);
        if steps == 0 {
            return y.fill(F::zero());
        }
        for (t, x) in x.sequence().outer_iter().enumerate() {
            y.zip_mut_with(&x, |y, &x| {
                if t == 0 || x > *y {
                    *y = x;
                }
            });
        }
    }

    fn backward(&self, (): &(), backward: Backward<'_, F, Self::Cache, ()>) {
        let Backward { x, y, dy, dx, cache, .. } = backward;
        let Some(dx) = dx else { return };
        let (x, y, dy, ties) = (x.sequence(), y.rows(), dy.rows(), &mut cache.ties);
        let (steps, batch, features) = x.dim();
        resize(ties, (batch, features));
        ties.fill(F::zero());
        for x in x.outer_iter() {
            Zip::from(&mut *ties).and(&x).and(&y).for_each(|ties, x, y| {
                if x == y {
                    *ties += F::one();
                }
            });
        }
        for (mut dx, x) in dx.as_sequence(steps, batch, features).outer_iter_mut().zip(x.outer_iter()) {
            Zip::from(&mut dx).and(&x).and(&y).and(&dy).and(&*ties).for_each(|dx, x, y, &dy, &ties| {
                *dx = if x == y { dy / ties } else { F::zero() };
            });
        }
    }

    erase_layer!(F, GlobalMaxPooling1D);
}
