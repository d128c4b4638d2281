//! Checks of options, whose errors name the option and its range.

use crate::error::{Error, Result};

/// Checks a dropout rate: 0 ≤ rate < 1.
pub(crate) fn check_rate(option: &'static str, rate: f64) -> Result<()> {
    // Written so that NaN fails as well.
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    Err(Error::InvalidOption { option, value: rate.to_string(), allowed: "at least 0 and below 1" })
}

/// Checks a count of units, features or ids: at least 1, and small enough that multiples do not overflow.
pub(crate) fn check_count(option: &'static str, count: usize) -> Result<()> {
    if (1..=1 << 31).contains(&count) {
        return Ok(());
    }
    Err(Error::InvalidOption { option, value: count.to_string(), allowed: "at least 1 and at most 2³¹" })
}

/// Checks for a finite number above zero.
pub(crate) fn check_positive(option: &'static str, value: f64) -> Result<()> {
    check(option, value, value > 0.0 && value.is_finite(), "a finite number above 0")
}

/// Checks for a finite number of at least zero.
pub(crate) fn check_not_negative(option: &'static str, value: f64) -> Result<()> {
    check(option, value, value >= 0.0 && value.is_finite(), "a finite number, at least 0")
}

/// Returns an error for a number that is not allowed.
pub(crate) fn check(option: &'static str, value: f64, is_allowed: bool, allowed: &'static str) -> Result<()> {
    if is_allowed {
        return Ok(());
    }
    Err(Error::InvalidOption { option, value: value.to_string(), allowed })
}
