//! Shuffled split of samples into a training part and a test (or validation) part.
//!
//! The samples and their order are those of scikit-learn's `train_test_split` with `test_size` given as a fraction and
//! the same `random_state`. [`split_indices`] returns positions; [`train_test_split`] also copies the samples.

use crate::error::{Error, Result};
use crate::random::numpy::RandomState;

/// Positions of the samples of each part. Together the two lists have each position once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitIndices {
    /// Positions of the training samples, in their new order.
    pub train: Vec<usize>,
    /// Positions of the test samples, in their new order.
    pub test: Vec<usize>,
}

/// Samples and labels, split into two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainTestSplit<T, U> {
    /// Training samples.
    pub train_samples: Vec<T>,
    /// Labels of `train_samples`.
    pub train_labels: Vec<U>,
    /// Test samples.
    pub test_samples: Vec<T>,
    /// Labels of `test_samples`.
    pub test_labels: Vec<U>,
}

/// Splits the positions `0..samples`. The test part is the fraction `test_size` of them, rounded up, at the start of a
/// permutation seeded with `random_state`; the training part is the rest, in the permutation's order.
///
/// # Errors
///
/// [`Error::InvalidOption`] if `test_size` is not strictly between 0 and 1, or so large that nothing is left to train
/// on, and if there is no memory for `samples` positions; [`Error::Empty`] if `samples` is 0.
///
/// ```
/// let split = bptt::preprocessing::split_indices(5, 0.3, 42)?;
/// assert_eq!(split.test, [1, 4]);
/// assert_eq!(split.train, [2, 0, 3]);
/// # Ok::<(), bptt::Error>(())
/// ```
pub fn split_indices(samples: usize, test_size: f64, random_state: u32) -> Result<SplitIndices> {
    // Written so that NaN fails too.
    if !(test_size > 0.0 && test_size < 1.0) {
        return Err(Error::InvalidOption {
            option: "test_size",
            value: test_size.to_string(),
            allowed: "a fraction above 0 and below 1, such as 0.2",
        });
    }
    if samples == 0 {
        return Err(Error::Empty { what: "the list of samples to split", mend: "pass at least two samples" });
    }
    // Never 0, because it is rounded up; so only the training part is checked.
    let test_samples = (test_size * samples as f64).ceil() as usize;
    if test_samples >= samples {
        return Err(Error::InvalidOption {
            option: "test_size",
            value: format!("{test_size} of {samples} samples, which is all of them once rounded up"),
            allowed: "small enough to leave a sample for training",
        });
    }
    // Reserves memory and releases it at once, so that too little memory for two such lists is an error here and not an
    // abort below.
    if Vec::<usize>::new().try_reserve_exact(samples.saturating_mul(2)).is_err() {
        let (value, allowed) = (samples.to_string(), "no more than there is memory for");
        return Err(Error::InvalidOption { option: "samples", value, allowed });
    }
    let mut test = RandomState::new(random_state).permutation(samples);
    let train = test.split_off(test_samples);
    Ok(SplitIndices { train, test })
}

/// Splits samples and their labels as [`split_indices`] does, cloning each once.
///
/// # Errors
///
/// [`Error::LengthMismatch`] if there is not one label per sample, and the errors of [`split_indices`].
///
/// ```
/// use bptt::preprocessing::train_test_split;
///
/// let reviews = [vec![1, 14], vec![1, 9, 4], vec![1], vec![1, 7], vec![1, 8]];
/// let split = train_test_split(&reviews, &[0, 1, 2, 3, 4], 0.3, 42)?;
/// assert_eq!(split.test_labels, [1, 4]);
/// assert_eq!(split.train_samples, [vec![1], vec![1, 14], vec![1, 7]]);
/// # Ok::<(), bptt::Error>(())
/// ```
pub fn train_test_split<T: Clone, U: Clone>(
    samples: &[T],
    labels: &[U],
    test_size: f64,
    random_state: u32,
) -> Result<TrainTestSplit<T, U>> {
    if samples.len() != labels.len() {
        return Err(Error::LengthMismatch {
            left: "samples",
            left_length: samples.len(),
            right: "labels",
            right_length: labels.len(),
        });
    }
    let SplitIndices { train, test } = split_indices(samples.len(), test_size, random_state)?;
    Ok(TrainTestSplit {
        train_samples: pick(samples, &train),
        train_labels: pick(labels, &train),
        test_samples: pick(samples, &test),
        test_labels: pick(labels, &test),
    })
}

/// Clones the items at `positions`, all of which are in range.
fn pick<T: Clone>(items: &[T], positions: &[usize]) -> Vec<T> {
    positions.iter().map(|&position| items[position].clone()).collect()
}

#[cfg(test)]
mod tests {
    use crate::preprocessing::{split_indices, train_test_split};

    #[test]
    fn equals_scikit_learn() {
        let split = split_indices(25_000, 0.2, 42).unwrap();
        assert_eq!((split.test.len(), split.train.len()), (5000, 20_000));
        assert_eq!(split.test[..6], [6868, 24016, 9668, 13640, 14018, 7488]);
        assert_eq!(split.train[..6], [23311, 23623, 1020, 12645, 1533, 3518]);
        let split = split_indices(10, 0.25, 0).unwrap();
        assert_eq!((split.test, split.train), (vec![2, 8, 4], vec![9, 1, 6, 7, 3, 0, 5]));
        // 0.07 * 100 is a little above 7 in floating point, and scikit-learn rounds that up as well.
        assert_eq!(split_indices(100, 0.07, 1).unwrap().test.len(), 8);
    }

    #[test]
    fn bad_input_is_named() {
        let message = |samples, fraction| split_indices(samples, fraction, 0).unwrap_err().to_string();
        for fraction in [0.0, 1.0, -0.5, 2.0, f64::NAN, f64::INFINITY] {
            assert!(message(10, fraction).contains("above 0 and below 1"), "{fraction}");
        }
        assert!(message(0, 0.2).contains("at least two samples"));
        assert!(message(1, 0.2).contains("leave a sample for training"));
        assert!(message(3, 0.9).contains("0.9 of 3 samples"));
        for (samples, fraction) in [(usize::MAX, 0.2), (usize::MAX, 1e-300), (isize::MAX as usize / 8, 0.5)] {
            let expected = format!("samples is {samples}, but must be no more than there is memory for");
            assert_eq!(message(samples, fraction), expected);
        }
        let error = train_test_split(&[1, 2, 3], &[1, 2], 0.5, 0).unwrap_err();
        assert_eq!(error.to_string(), "there are 3 samples but 2 labels; pass one for each of the other");
    }
}
