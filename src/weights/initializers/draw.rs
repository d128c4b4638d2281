//! How numbers are drawn for [`Initializer`](super::Initializer).

use ndarray::{Array, Array2, Axis, Dimension, Ix2};
use ndarray_rand::RandomExt;
use ndarray_rand::rand::distr::Distribution as _;
use ndarray_rand::rand_distr::{StandardNormal, Uniform};

use super::{Distribution, Fan};
use crate::error::{Error, Result};
use crate::numeric::Scalar;
use crate::random::Key;

/// Where Keras cuts normal distributions, in deviations.
pub(super) const CUT: f64 = 2.0;

/// The deviation of the standard normal distribution after the cut.
const DEVIATION_AFTER_CUT: f64 = 0.879_625_661_034_239_8;

/// Refuses an option.
fn expect(holds: bool, value: impl FnOnce() -> String, allowed: &'static str) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::InvalidOption { option: "initializer", value: value(), allowed })
}

pub(super) fn constant<F: Scalar, D: Dimension>(shape: D, value: f64) -> Result<Array<F, D>> {
    expect(value.is_finite(), || format!("constant {value}"), "a finite number")?;
    Ok(Array::from_elem(shape, F::of(value)))
}

pub(super) fn identity<F: Scalar, D: Dimension>(shape: D, gain: f64) -> Result<Array<F, D>> {
    expect(gain.is_finite(), || format!("identity with gain {gain}"), "finite")?;
    let matrix = shape.ndim() == 2;
    expect(matrix, || "identity".into(), "something other than identity for a tensor that is not a matrix")?;
    let mut matrix = Array::zeros(shape);
    matrix.diag_mut().fill(F::of(gain));
    Ok(matrix)
}

pub(super) fn uniform<F: Scalar, D: Dimension>(shape: D, low: f64, high: f64, key: Key) -> Result<Array<F, D>> {
    let distribution = Uniform::new(low, high).map_err(|_| Error::InvalidOption {
        option: "initializer",
        value: format!("uniform from {low} to {high}"),
        allowed: "a finite range whose lower bound is below the upper one",
    })?;
    Ok(Array::<f64, D>::random_using(shape, distribution, &mut key.generator()).mapv(F::of))
}

/// A normal distribution, cut at so many deviations from its mean.
pub(super) fn normal<F: Scalar, D: Dimension>(
    shape: D,
    mean: f64,
    deviation: f64,
    cut: f64,
    key: Key,
) -> Result<Array<F, D>> {
    expect(
        mean.is_finite() && deviation.is_finite() && deviation >= 0.0,
        || format!("normal with mean {mean} and deviation {deviation}"),
        "one with a finite mean and a finite deviation of at least 0",
    )?;
    let mut generator = key.generator();
    Ok(Array::from_shape_simple_fn(shape, || {
        loop {
            let z: f64 = StandardNormal.sample(&mut generator);
            if z.abs() <= cut {
                return F::of(mean + deviation * z);
            }
        }
    }))
}

/// A distribution around zero of variance scale / fan.
pub(super) fn scaled<F: Scalar, D: Dimension>(
    shape: D,
    scale: f64,
    fan: Fan,
    distribution: Distribution,
    key: Key,
) -> Result<Array<F, D>> {
    let valid = scale > 0.0 && scale.is_finite();
    expect(valid, || format!("variance scaling by {scale}"), "scaled by a finite number above 0")?;
    let (inputs, outputs) = match shape.slice() {
        [] => (1.0, 1.0),
        [n] => (*n as f64, *n as f64),
        [others @ .., rows, columns] => {
            let receptive: usize = others.iter().product();
            ((rows * receptive) as f64, (columns * receptive) as f64)
        }
    };
    let fan = match fan {
        Fan::In => inputs,
        Fan::Out => outputs,
        Fan::Average => (inputs + outputs) / 2.0,
    };
    let fan = fan.max(1.0);
    match distribution {
        Distribution::Uniform => {
            let limit = (3.0 * scale / fan).sqrt();
            uniform(shape, -limit, limit, key)
        }
        Distribution::TruncatedNormal => normal(shape, 0.0, (scale / fan).sqrt() / DEVIATION_AFTER_CUT, CUT, key),
        Distribution::UntruncatedNormal => normal(shape, 0.0, (scale / fan).sqrt(), f64::INFINITY, key),
    }
}

/// The last axis as columns, all others as rows; see [`rotation`].
pub(super) fn orthogonal<F: Scalar, D: Dimension>(shape: D, gain: f64, key: Key) -> Result<Array<F, D>> {
    expect(gain.is_finite(), || format!("orthogonal with gain {gain}"), "finite")?;
    let matrix = shape.ndim() >= 2;
    expect(matrix, || "orthogonal".into(), "something other than orthogonal for a tensor that is not a matrix")?;
    let [others @ .., columns] = shape.slice() else { unreachable!("there are at least two axes") };
    let matrix = rotation(others.iter().product(), *columns, key)?;
    let flat = matrix.iter().map(|&x| F::of(gain * x)).collect();
    Ok(Array::from_shape_vec(shape, flat).expect("the rows were counted from the shape"))
}

/// A random matrix whose rows (if they are the fewer) or columns are orthonormal: Q of the QR decomposition of a normal
/// matrix, with the signs that make R's diagonal positive, which is what makes Q uniform among all rotations.
fn rotation(rows: usize, columns: usize, key: Key) -> Result<Array2<f64>> {
    let (few, many) = (rows.min(columns), rows.max(columns));
    let mut q: Array2<f64> = normal(Ix2(few, many), 0.0, 1.0, f64::INFINITY, key)?;
    for row in 0..few {
        let (done, mut rest) = q.view_mut().split_at(Axis(0), row);
        let mut vector = rest.row_mut(0);
        // Gram–Schmidt, twice: after the second time the error is that of one rounding.
        for _ in 0..2 {
            let along = done.dot(&vector);
            vector -= &along.dot(&done);
        }
        let length = vector.dot(&vector).sqrt();
        vector /= length;
    }
    Ok(if rows <= columns { q } else { q.reversed_axes() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::initializers::{Init, Initializer};

    /// Samples in each test of a distribution: 60 000.
    const SHAPE: (usize, usize) = (300, 200);

    fn draw(from: Initializer, shape: (usize, usize)) -> Array2<f64> {
        Init::new(Key::new(3)).tensor(from, shape).unwrap()
    }

    /// Φ, by its series.
    fn normal_below(z: f64) -> f64 {
        let (mut term, mut sum) = (z, z);
        for odd in (3..300).step_by(2) {
            term *= z * z / f64::from(odd);
            sum += term;
        }
        0.5 + sum * (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
    }

    /// What is expected of a sample: the distribution below x, its mean, its deviation, its bounds.
    struct Exact {
        below: Box<dyn Fn(f64) -> f64>,
        mean: f64,
        deviation: f64,
        bounds: (f64, f64),
    }

    fn exact_uniform(low: f64, high: f64) -> Exact {
        Exact {
            below: Box::new(move |x| (x - low) / (high - low)),
            mean: (low + high) / 2.0,
            deviation: (high - low) / 12.0_f64.sqrt(),
            bounds: (low, high),
        }
    }

    fn exact_normal(mean: f64, deviation: f64) -> Exact {
        let bounds = (f64::NEG_INFINITY, f64::INFINITY);
        Exact { below: Box::new(move |x| normal_below((x - mean) / deviation)), mean, deviation, bounds }
    }

    /// `deviation` is that before the cut.
    fn exact_truncated(mean: f64, deviation: f64) -> Exact {
        let tail = normal_below(-2.0);
        let below = move |x| (normal_below((x - mean) / deviation) - tail) / (1.0 - 2.0 * tail);
        let density = (-2.0_f64).exp() / (2.0 * std::f64::consts::PI).sqrt();
        Exact {
            below: Box::new(below),
            mean,
            deviation: deviation * (1.0 - 4.0 * density / (1.0 - 2.0 * tail)).sqrt(),
            bounds: (mean - 2.0 * deviation, mean + 2.0 * deviation),
        }
    }

    /// Kolmogorov's statistic: the largest distance between the two distributions, times √n.
    fn distance(sample: &Array2<f64>, below: impl Fn(f64) -> f64) -> f64 {
        let mut sorted: Vec<f64> = sample.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len() as f64;
        let gaps = sorted.iter().enumerate().map(|(rank, &x)| {
            let below = below(x);
            (below - rank as f64 / n).abs().max(((rank + 1) as f64 / n - below).abs())
        });
        gaps.fold(0.0, f64::max) * n.sqrt()
    }

    /// A right sample exceeds this once in a thousand seeds.
    const CRITICAL: f64 = 1.95;

    #[test]
    fn samples_follow_the_exact_distributions() {
        let scaled = |scale, fan, distribution| Initializer::VarianceScaling { scale, fan, distribution };
        let limit = |variance: f64| (3.0 * variance).sqrt();
        let wide = |variance: f64| variance.sqrt() / DEVIATION_AFTER_CUT;
        use Distribution::{TruncatedNormal, Uniform, UntruncatedNormal};
        for (from, exact) in [
            (Initializer::uniform(), exact_uniform(-0.05, 0.05)),
            (Initializer::RandomUniform { low: 1.0, high: 4.0 }, exact_uniform(1.0, 4.0)),
            (Initializer::RandomNormal { mean: 0.5, deviation: 0.05 }, exact_normal(0.5, 0.05)),
            (Initializer::TruncatedNormal { mean: -1.0, deviation: 0.3 }, exact_truncated(-1.0, 0.3)),
            (Initializer::GlorotUniform, exact_uniform(-limit(1.0 / 250.0), limit(1.0 / 250.0))),
            (Initializer::GlorotNormal, exact_truncated(0.0, wide(1.0 / 250.0))),
            (Initializer::HeUniform, exact_uniform(-limit(2.0 / 300.0), limit(2.0 / 300.0))),
            (Initializer::HeNormal, exact_truncated(0.0, wide(2.0 / 300.0))),
            (Initializer::LecunUniform, exact_uniform(-limit(1.0 / 300.0), limit(1.0 / 300.0))),
            (Initializer::LecunNormal, exact_truncated(0.0, wide(1.0 / 300.0))),
            (scaled(0.7, Fan::Out, Uniform), exact_uniform(-limit(0.7 / 200.0), limit(0.7 / 200.0))),
            (scaled(0.7, Fan::Average, TruncatedNormal), exact_truncated(0.0, wide(0.7 / 250.0))),
            (scaled(0.7, Fan::In, UntruncatedNormal), exact_normal(0.0, (0.7_f64 / 300.0).sqrt())),
        ] {
            let sample = draw(from, SHAPE);
            let distance = distance(&sample, &exact.below);
            assert!(distance < CRITICAL, "{from:?}: {distance}");
            let (n, deviation) = (sample.len() as f64, exact.deviation);
            let mean = sample.mean().unwrap();
            assert!((mean - exact.mean).abs() < 4.0 * deviation / n.sqrt(), "{from:?}: mean {mean}");
            let variance = sample.var(0.0) / (deviation * deviation);
            assert!((variance - 1.0).abs() < 4.0 * (2.0 / n).sqrt(), "{from:?}: {variance} of the variance");
            let (low, high) = exact.bounds;
            assert!(sample.iter().all(|&x| low <= x && x <= high), "{from:?}");
            if high.is_finite() {
                let largest = sample.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
                assert!(largest > high - 0.01 * (high - low), "{from:?}: {largest}");
            }
        }
    }

    /// The statistic tells apart what it must: a cut from none, and one percent of the deviation.
    #[test]
    fn the_distance_finds_a_wrong_distribution() {
        let sample = draw(Initializer::RandomNormal { mean: 0.0, deviation: 1.0 }, SHAPE);
        assert!(distance(&sample, exact_normal(0.0, 1.0).below) < CRITICAL);
        assert!(distance(&sample, exact_truncated(0.0, 1.0).below) > 2.0 * CRITICAL);
        let sample = draw(Initializer::RandomUniform { low: -1.0, high: 1.0 }, SHAPE);
        assert!(distance(&sample, exact_uniform(-1.02, 1.02).below) > CRITICAL);
    }

    #[test]
    fn the_widening_is_that_of_the_cut() {
        approx::assert_abs_diff_eq!(exact_truncated(0.0, 1.0).deviation, DEVIATION_AFTER_CUT, epsilon = 1e-12);
    }

    #[test]
    fn orthogonal_rows_or_columns_are_orthonormal() {
        for (rows, columns) in [(8, 32), (32, 8), (5, 5), (1, 4), (64, 256)] {
            let q = draw(Initializer::orthogonal(), (rows, columns));
            assert!(q.is_standard_layout());
            let product = if rows <= columns { q.dot(&q.t()) } else { q.t().dot(&q) };
            let error = (&product - &Array2::<f64>::eye(rows.min(columns))).mapv(f64::abs);
            let error = error.fold(0.0, |a: f64, &b| a.max(b));
            assert!(error < 1e-14, "{rows}×{columns}: {error}");
        }
        let doubled = draw(Initializer::Orthogonal { gain: 2.0 }, (3, 9));
        approx::assert_abs_diff_eq!(doubled.row(1).dot(&doubled.row(1)), 4.0, epsilon = 1e-12);
    }

    /// A uniform rotation has no favourite direction: in two dimensions the angle of its first row is uniform.
    #[test]
    fn rotations_are_uniform() {
        let angles = Array2::from_shape_fn((4000, 1), |(seed, _)| {
            let q = rotation(2, 2, Key::new(seed as u64)).unwrap();
            q[[0, 1]].atan2(q[[0, 0]])
        });
        let distance = distance(&angles, exact_uniform(-std::f64::consts::PI, std::f64::consts::PI).below);
        assert!(distance < CRITICAL, "{distance}");
        // Rotations and reflections alike.
        let turns = (0..4000).filter(|&seed| {
            let q = rotation(2, 2, Key::new(seed)).unwrap();
            q[[0, 0]] * q[[1, 1]] > q[[0, 1]] * q[[1, 0]]
        });
        assert!(turns.count().abs_diff(2000) < 100);
    }
}
