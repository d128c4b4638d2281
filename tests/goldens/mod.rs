//! Goldens: JSON files of cases that another library computed.

use std::fs;
use std::path::Path;

use bptt::numeric::Scalar;
use ndarray::{ArrayD, IxDyn};
use serde_json::Value;

/// The cases of a file, such as `keras/goldens/lstm`.
pub fn golden(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file).with_extension("json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

pub fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        value => value.as_f64().unwrap(),
    }
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

pub fn tensor(value: &Value) -> ArrayD<f64> {
    let shape: Vec<usize> = numbers(&value["shape"]).into_iter().map(|size| size as usize).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), numbers(&value["data"])).unwrap()
}

/// Compares relative to the larger of 1 and the golden.
pub fn expect_close<F: Scalar>(got: &ArrayD<F>, golden: &ArrayD<f64>, tolerance: f64, what: &str) {
    assert_eq!(got.shape(), golden.shape(), "{what}");
    for ((index, got), &golden) in got.indexed_iter().zip(golden) {
        let got = got.widen();
        let error = (got - golden).abs() / golden.abs().max(1.0);
        // Written so that NaN fails.
        assert!(error <= tolerance, "{what} at {index:?}: {got}, but the golden is {golden}");
    }
}
