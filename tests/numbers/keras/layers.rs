//! The layers that a case names, with their options.

use bptt::constraints::Constraint;
use bptt::layers::{
    Activate, GlobalAveragePooling1D, GlobalMaxPooling1D, LayerNormalization, Masking, Merge, RepeatVector, Residual,
    TimeDistributed,
};
use bptt::numeric::Scalar;
use bptt::prelude::*;
use bptt::recurrent::{Rnn, Stacked};
use bptt::regularizers::Regularizer;
use serde_json::Value;

fn activation(options: &Value, key: &str) -> Activation {
    serde_json::from_value(options[key].clone()).unwrap()
}

fn regularizer(options: &Value) -> Regularizer {
    Regularizer::l1_l2(options["l1"].as_f64().unwrap_or(0.0), options["l2"].as_f64().unwrap_or(0.0))
}

fn constraint(options: &Value) -> Constraint {
    let get = |key: &str| options[key].as_f64().unwrap();
    let axis = options["axis"].as_u64().unwrap_or(0) as usize;
    match options["class"].as_str().unwrap() {
        "MaxNorm" => Constraint::MaxNorm { max_value: get("max_value"), axis },
        "NonNeg" => Constraint::NonNeg,
        "UnitNorm" => Constraint::UnitNorm { axis },
        "MinMaxNorm" => {
            Constraint::MinMaxNorm { min_value: get("min_value"), max_value: get("max_value"), rate: get("rate"), axis }
        }
        class => panic!("no constraint for {class}"),
    }
}

/// The layer with what Keras' options of the same names hold its weights to.
macro_rules! held {
    ($layer:expr, $options:ident, [$($regularizer:ident),+], [$($constraint:ident),+]) => {{
        let mut layer = $layer;
        $(if $options[stringify!($regularizer)].is_object() {
            layer = layer.$regularizer(regularizer(&$options[stringify!($regularizer)]));
        })+
        $(if $options[stringify!($constraint)].is_object() {
            layer = layer.$constraint(constraint(&$options[stringify!($constraint)]));
        })+
        layer
    }};
}

fn count(options: &Value, key: &str) -> usize {
    options[key].as_u64().unwrap() as usize
}

fn flag(options: &Value, key: &str) -> bool {
    options[key].as_bool().unwrap_or(false)
}

fn rate(options: &Value, key: &str) -> f64 {
    options[key].as_f64().unwrap_or(0.0)
}

/// A recurrent layer with what its weights are held to.
macro_rules! held_recurrent {
    ($layer:expr, $options:ident) => {
        held!(
            $layer,
            $options,
            [kernel_regularizer, recurrent_regularizer, bias_regularizer],
            [kernel_constraint, recurrent_constraint, bias_constraint]
        )
    };
}

/// The options that all recurrent layers have.
fn with_options<C>(layer: Rnn<C>, options: &Value) -> Rnn<C> {
    layer
        .return_sequences(flag(options, "return_sequences"))
        .dropout(rate(options, "dropout"))
        .recurrent_dropout(rate(options, "recurrent_dropout"))
        .go_backwards(flag(options, "go_backwards"))
        .zero_output_for_mask(flag(options, "zero_output_for_mask"))
}

pub fn simple_rnn(options: &Value) -> SimpleRnn {
    let layer = SimpleRnn::new(count(options, "units")).activation(activation(options, "activation"));
    held_recurrent!(with_options(layer.use_bias(flag(options, "use_bias")), options), options)
}

pub fn lstm(options: &Value) -> Lstm {
    let layer = Lstm::new(count(options, "units"))
        .activation(activation(options, "activation"))
        .recurrent_activation(activation(options, "recurrent_activation"))
        .use_bias(flag(options, "use_bias"))
        .unit_forget_bias(flag(options, "unit_forget_bias"));
    held_recurrent!(with_options(layer, options), options)
}

pub fn gru(options: &Value) -> Gru {
    let layer = Gru::new(count(options, "units"))
        .activation(activation(options, "activation"))
        .recurrent_activation(activation(options, "recurrent_activation"))
        .use_bias(flag(options, "use_bias"))
        .reset_after(flag(options, "reset_after"));
    held_recurrent!(with_options(layer, options), options)
}

fn dense(options: &Value) -> Dense {
    let layer = Dense::new(count(options, "units"))
        .activation(activation(options, "activation"))
        .use_bias(flag(options, "use_bias"));
    held!(layer, options, [kernel_regularizer, bias_regularizer], [kernel_constraint, bias_constraint])
}

/// Keras' `merge_mode`; apart, nothing is merged.
pub fn merge(options: &Value) -> Merge {
    match options["merge_mode"].as_str() {
        Some("sum") => Merge::Sum,
        Some("mul") => Merge::Mul,
        Some("ave") => Merge::Average,
        Some("concat") | None => Merge::Concat,
        Some(mode) => panic!("no merge mode for {mode}"),
    }
}

/// Adds Keras' layer to the stack.
pub fn add<F: Scalar>(stack: Sequential<F>, options: &Value) -> Sequential<F> {
    let name = options["name"].as_str().unwrap();
    let class = |options: &Value| options["class"].as_str().unwrap_or("").to_string();
    let inner = &options["layer"];
    match class(options).as_str() {
        "Activation" => stack.add_named(name, Activate::new(activation(options, "activation"))),
        "Dense" => stack.add_named(name, dense(options)),
        "Dropout" => stack.add_named(name, Dropout::new(rate(options, "rate"))),
        "Embedding" => {
            let layer = Embedding::new(count(options, "input_dim"), count(options, "output_dim"));
            let layer = held!(layer, options, [embeddings_regularizer], [embeddings_constraint]);
            stack.add_named(name, layer.mask_zero(flag(options, "mask_zero")))
        }
        "GlobalAveragePooling1D" => stack.add_named(name, GlobalAveragePooling1D::new()),
        "GlobalMaxPooling1D" => stack.add_named(name, GlobalMaxPooling1D::new()),
        "LayerNormalization" => {
            let layer = LayerNormalization::new().epsilon(rate(options, "epsilon"));
            stack.add_named(name, layer.center(flag(options, "center")).scale(flag(options, "scale")))
        }
        "Masking" => stack.add_named(name, Masking::new(rate(options, "mask_value"))),
        "RepeatVector" => stack.add_named(name, RepeatVector::new(count(options, "n"))),
        "SimpleRNN" => stack.add_named(name, simple_rnn(options)),
        "LSTM" => stack.add_named(name, lstm(options)),
        "GRU" => stack.add_named(name, gru(options)),
        "TimeDistributed" => stack.add_named(name, TimeDistributed::new(dense(inner))),
        "Residual" => match class(inner).as_str() {
            "Dense" => stack.add_named(name, Residual::new(dense(inner))),
            "SimpleRNN" => stack.add_named(name, Residual::new(simple_rnn(inner))),
            "LSTM" => stack.add_named(name, Residual::new(lstm(inner))),
            "GRU" => stack.add_named(name, Residual::new(gru(inner))),
            class => panic!("no Residual of {class}"),
        },
        "Bidirectional" => {
            let (mode, other) = (merge(options), &options["backward_layer"]);
            match (class(inner).as_str(), class(other).as_str()) {
                ("SimpleRNN", "") => stack.add_named(name, Bidirectional::new(simple_rnn(inner)).merge_mode(mode)),
                ("LSTM", "") => stack.add_named(name, Bidirectional::new(lstm(inner)).merge_mode(mode)),
                ("GRU", "") => stack.add_named(name, Bidirectional::new(gru(inner)).merge_mode(mode)),
                ("LSTM", "GRU") => {
                    let layer = Bidirectional::new(lstm(inner)).backward_layer(gru(other));
                    stack.add_named(name, layer.merge_mode(mode))
                }
                ("SimpleRNN", "GRU") => {
                    let layer = Bidirectional::new(simple_rnn(inner)).backward_layer(gru(other));
                    stack.add_named(name, layer.merge_mode(mode))
                }
                classes => panic!("no Bidirectional of {classes:?}"),
            }
        }
        "Stacked" => {
            let (first, second) = (&options["cells"][0], &options["cells"][1]);
            match (class(first).as_str(), class(second).as_str()) {
                ("LSTMCell", "GRUCell") => {
                    let cell = Stacked::new(lstm(first).into_cell(), gru(second).into_cell());
                    stack.add_named(name, with_options(Rnn::from_cell(cell), options))
                }
                ("GRUCell", "LSTMCell") => {
                    let cell = Stacked::new(gru(first).into_cell(), lstm(second).into_cell());
                    stack.add_named(name, with_options(Rnn::from_cell(cell), options))
                }
                ("SimpleRNNCell", "GRUCell") => {
                    let cell = Stacked::new(simple_rnn(first).into_cell(), gru(second).into_cell());
                    stack.add_named(name, with_options(Rnn::from_cell(cell), options))
                }
                classes => panic!("no Stacked of {classes:?}"),
            }
        }
        class => panic!("no layer for {class}"),
    }
}
