//! Functions of a model that are compiled once.

use ndarray::{ArrayD, ArrayViewD};

use super::{Model, ModelState, Sequential, sequential, state, summary, weights};
use crate::error::Result;
use crate::network::Network;
use crate::numeric::compiled_once;
use crate::tensor::Form;
use crate::weights::initializers::Init;

compiled_once! { Models: ModelFunctions {
    build(layers: Sequential<F>, input: Form, seed: u64, init: &mut dyn FnMut(usize) -> Init) -> Result<Model<F>>
        = sequential::build;
    summary(network: &Network<F>) -> String = summary::summarize;
    zero_state(network: &Network<F>, samples: usize) -> Result<ModelState<F>> = state::zeros;
    weight_names(network: &Network<F>) -> Vec<String> = weights::names;
    weight(network: &Network<F>, name: &str) -> Result<ArrayD<F>> = weights::get;
    set_weight(network: &mut Network<F>, name: &str, value: ArrayViewD<'_, F>) -> Result<()> = weights::set;
    use_averages(model: &mut Model<F>) -> Result<()> = weights::use_averages;
} }
