"""The cases of layers that are made of others, of masks and of backwards runs, in the form of `cases.py`."""

from cases import BCE, CCE, MSE, SEQUENCE, TOKENS, case, dense, embedding, gru, lstm, sgd, simple_rnn, vector

LAYERS = {"lstm": lstm, "gru": gru, "simple_rnn": simple_rnn}

# Padding before and after, a gap, and a row that does not count at all; four steps as in SEQUENCE.
MASK = [[False, True, True, True], [True, False, True, False], [False, False, False, False]]
# The same as tokens, with id 0 where a step does not count.
PADDED = {"kind": "tokens", "shape": [3, 4], "tokens": [0, 2, 1, 2, 4, 0, 3, 0, 0, 0, 0, 0]}
POST = {"kind": "tokens", "shape": [3, 4], "tokens": [2, 1, 0, 0, 4, 0, 0, 0, 3, 5, 2, 1]}
PRE = {"kind": "tokens", "shape": [3, 4], "tokens": [0, 0, 2, 1, 0, 0, 0, 4, 3, 5, 2, 1]}


def plain(layer, **options):
    """A part of another layer, without a name of its own."""
    return {key: value for key, value in layer(**options).items() if key != "name"}


def bidirectional(layer, merge_mode="concat", backward_layer=None, **options):
    return {
        "class": "Bidirectional", "name": "bidirectional", "merge_mode": merge_mode, "layer": layer,
        "backward_layer": backward_layer, **options,
    }  # fmt: skip


def cell(layer, name, **options):
    """The cell of a recurrent layer."""
    options = {"units": 3, **options}
    full = layer(**options)
    keep = ("units", "activation", "recurrent_activation", "use_bias", "unit_forget_bias", "reset_after")
    kept = {key: full[key] for key in keep if key in full}
    return {"class": full["class"] + "Cell", "name": name, **kept}


def masked(golden_case, mask=MASK):
    """The case with a mask for its samples; the numbers stay those of the case without."""
    return {**golden_case, "name": golden_case["name"] + "+masked", "seed": golden_case["name"], "mask": mask}


def both(golden_case):
    yield golden_case
    yield masked(golden_case)


def bidirectional_cases():
    for name, layer in LAYERS.items():
        for merge_mode in ("concat", "sum", "mul", "ave"):
            for sequences in (False, True):
                options = {"return_sequences": sequences}
                suffix = "+return_sequences" if sequences else ""
                yield from both(case(
                    f"bidirectional/{name}+{merge_mode}{suffix}", [bidirectional(plain(layer, **options), merge_mode)],
                ))  # fmt: skip
    for name, layer in LAYERS.items():
        for sequences in (False, True):
            for rates in ({"dropout": 0.5}, {"recurrent_dropout": 0.5}, {"dropout": 0.5, "recurrent_dropout": 0.25}):
                part = plain(layer, return_sequences=sequences, **rates)
                suffix = "".join(f"+{key}" for key in rates) + ("+return_sequences" if sequences else "")
                yield case(f"bidirectional/{name}{suffix}", [bidirectional(part)], training=True)
    other = gru("backward_gru", go_backwards=True)
    yield from both(case("bidirectional/lstm_and_gru", [bidirectional(plain(lstm), backward_layer=other)]))
    other = gru("backward_gru", go_backwards=True, return_sequences=True, reset_after=False)
    layers = [bidirectional(plain(simple_rnn, return_sequences=True), "sum", other), lstm(), dense(1, "sigmoid")]
    yield from both(case("bidirectional/below_a_lstm", layers, loss=BCE))
    layers = [embedding(mask_zero=True), bidirectional(plain(lstm)), dense(1, "sigmoid")]
    yield case("bidirectional/embedding", layers, PADDED, BCE)
    yield case("bidirectional/embedding+table", layers, {**PADDED, "shape": [2, 6]}, BCE)


def compositions_cases():
    for activation in ("linear", "relu", "sigmoid", "tanh", "softmax", "softplus", "softsign", "hard_sigmoid", "elu"):
        layer = {"class": "Activation", "name": "activation", "activation": activation}
        yield case(f"compositions/activation+{activation}", [dense(3), layer], vector(3, 4))
    layer = {"class": "Activation", "name": "activation", "activation": "softmax"}
    yield case("compositions/activation+softmax+cce", [dense(3), layer], vector(3, 4), CCE)
    yield from both(case("compositions/activation+sequence", [dense(3), layer]))
    for center in (True, False):
        for scale in (True, False):
            for epsilon in (1e-3, 0.1):
                layer = {
                    "class": "LayerNormalization", "name": "layer_normalization", "epsilon": epsilon, "center": center,
                    "scale": scale,
                }  # fmt: skip
                name = f"compositions/layer_normalization+center={center}+scale={scale}+epsilon={epsilon}".lower()
                yield case(name, [layer], vector(3, 4), optimizer=sgd())
                yield from both(case(f"{name}+sequence", [lstm(return_sequences=True), layer, gru()]))
    pools = {"average": "GlobalAveragePooling1D", "max": "GlobalMaxPooling1D"}
    for name, class_name in pools.items():
        pool = {"class": class_name, "name": "pool"}
        layers = [lstm(return_sequences=True), pool, dense(2)]
        yield case(f"compositions/{name}_pooling", [pool], {"kind": "sequence", "shape": [3, 4, 2]})
        yield case(f"compositions/{name}_pooling+lstm", layers)
        # A row without any step that counts has no mean in Keras. Masked outputs repeat, so that several are the largest.
        yield masked(case(f"compositions/{name}_pooling+gaps", layers), [*MASK[:2], [True, True, False, False]])
    # One step holds the largest value of several that are equal.
    yield case("compositions/max_pooling+ties", [dense(3, "relu"), {"class": "GlobalMaxPooling1D", "name": "pool"}])
    repeat = {"class": "RepeatVector", "name": "repeat_vector", "n": 3}
    yield case("compositions/repeat_vector", [repeat], vector(3, 2))
    yield case("compositions/encoder_decoder", [lstm(), repeat, gru(return_sequences=True), dense(2)])
    for name, layer in LAYERS.items():
        layers = [{"class": "Residual", "name": name, "layer": layer(name=name, units=2, return_sequences=True)}]
        yield from both(case(f"compositions/residual+{name}", layers))
    layers = [{"class": "Residual", "name": "dense", "layer": dense(4, "tanh")}, dense(2, name="dense_1")]
    yield case("compositions/residual+dense", layers, vector(3, 4))
    distributed = {"class": "TimeDistributed", "name": "time_distributed"}
    for activation in ("tanh", "softmax"):
        inner = {"class": "Dense", "units": 3, "activation": activation, "use_bias": True, "name": "inner"}
        yield from both(case(f"compositions/time_distributed+{activation}", [{**distributed, "layer": inner}]))
    layers = [{**distributed, "layer": inner}]
    yield from both(case("compositions/time_distributed+softmax+cce", layers, loss=CCE))
    pairs = {
        "lstm_gru": [cell(lstm, "first", units=4), cell(gru, "second")],
        "gru_lstm": [cell(gru, "first", reset_after=False), cell(lstm, "second", units=2)],
        "simple_rnn_gru": [cell(simple_rnn, "first"), cell(gru, "second", use_bias=False)],
    }
    for name, cells in pairs.items():
        for sequences in (False, True):
            for zero in (False, True):
                layer = {
                    "class": "Stacked", "name": "stacked", "cells": cells, "return_sequences": sequences,
                    "zero_output_for_mask": zero,
                }  # fmt: skip
                suffix = ("+return_sequences" if sequences else "") + ("+zero_output_for_mask" if zero else "")
                yield from both(case(f"compositions/stacked+{name}{suffix}", [layer]))


def masks_cases():
    """Layers that the other files have without masks, with them; and layers that run backwards."""
    for name, layer in LAYERS.items():
        for sequences in (False, True):
            for backwards in (False, True):
                for zero in (False, True):
                    options = {
                        "return_sequences": sequences, "go_backwards": backwards, "zero_output_for_mask": zero,
                    }  # fmt: skip
                    suffix = "".join(f"+{key}" for key, value in options.items() if value)
                    plain_case = case(f"masks/{name}{suffix}", [layer(**options)])
                    if backwards and not zero:
                        yield plain_case
                    yield masked(plain_case)
        if name == "gru":
            yield masked(case("masks/gru+reset_after=false", [layer(reset_after=False)]))
        else:
            yield case(f"masks/{name}+backwards+no_bias", [layer(go_backwards=True, use_bias=False)])
        two = [layer(return_sequences=True), layer(name=f"{name}_1", return_sequences=True), dense(2)]
        yield masked(case(f"masks/{name}_{name}_dense", two))
        for padding, tokens in {"padded": PADDED, "pre": PRE, "post": POST}.items():
            layers = [embedding(mask_zero=True), layer(), dense(1, "sigmoid")]
            yield case(f"masks/embedding_{name}+{padding}", layers, tokens, BCE)
            each = [embedding(mask_zero=True), layer(return_sequences=True), dense(2, "softmax")]
            # Gradients of single tokens are tiny, and RMSprop would divide them by their own size, rounding and all.
            small = sgd(learning_rate=0.01)
            yield case(f"masks/embedding_{name}+{padding}+return_sequences", each, tokens, CCE, small)
        backwards = [embedding(mask_zero=True), layer(go_backwards=True), dense(1, "sigmoid")]
        yield case(f"masks/embedding_{name}+go_backwards", backwards, PADDED, BCE)
        # Two rows of six, so that the table is no larger than the sequences and is multiplied whole.
        yield case(f"masks/embedding_{name}+table", backwards, {**PADDED, "shape": [2, 6]}, BCE)
    yield case("masks/embedding_dense", [embedding(mask_zero=True), dense(1)], PADDED)
    values = {"class": "Masking", "name": "masking", "mask_value": 0.5}
    sparse = {"kind": "sequence", "shape": [3, 4, 2], "constant": 0.5, "where": MASK}
    for name, layer in LAYERS.items():
        yield case(f"masks/masking_{name}", [values, layer()], sparse)
        yield case(f"masks/masking_{name}+return_sequences", [values, layer(return_sequences=True)], sparse, MSE)
    yield case("masks/masking", [values], sparse)


FAMILIES = {
    "bidirectional": bidirectional_cases,
    "compositions": compositions_cases,
    "masks": masks_cases,
}
