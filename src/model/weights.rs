//! Weights of a network by name, or all in one vector.

use ndarray::{ArrayD, ArrayViewD};

use super::Model;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::numeric::Scalar;

/// Implements [`Model::weight_names`].
pub(super) fn names<F: Scalar>(network: &Network<F>) -> Vec<String> {
    let mut names = Vec::new();
    network.visit(|path, _| names.push(path.to_string()));
    names
}

fn unknown<F: Scalar>(network: &Network<F>, name: &str) -> Error {
    Error::UnknownWeight { name: name.into(), known: names(network) }
}

/// Implements [`Model::weight`].
pub(super) fn get<F: Scalar>(network: &Network<F>, name: &str) -> Result<ArrayD<F>> {
    let mut found = None;
    network.visit(|path, tensor| {
        if path.to_string() == name {
            found = Some(tensor.to_owned());
        }
    });
    found.ok_or_else(|| unknown(network, name))
}

/// Implements [`Model::set_weight`].
pub(super) fn set<F: Scalar>(network: &mut Network<F>, name: &str, value: ArrayViewD<'_, F>) -> Result<()> {
    let mut outcome = None;
    network.visit_mut(|path, mut tensor| {
        if path.to_string() != name {
            return;
        }
        outcome = Some(if tensor.shape() == value.shape() {
            tensor.assign(&value);
            Ok(())
        } else {
            let (needs, got) = (tensor.shape().to_vec(), value.shape().to_vec());
            Err(Error::WeightShape { name: name.into(), needs, got })
        });
    });
    outcome.unwrap_or_else(|| Err(unknown(network, name)))
}

/// Implements [`Model::use_averages`].
pub(super) fn use_averages<F: Scalar>(model: &mut Model<F>) -> Result<()> {
    let compiled = model.compiled.as_ref().ok_or(Error::NotCompiled)?;
    model.network.visit_trainable(|tensor, weights| {
        if let Some(average) = compiled.optimizer.average(tensor) {
            weights.copy_from_slice(average);
        }
    });
    Ok(())
}
