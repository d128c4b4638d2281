"""A second forward pass of the recurrent layers, in plain NumPy and one gate at a time.

It exists to prove that the recorded dropout masks carry the right labels and that the weights are laid out as the README
says: every case of a single recurrent layer is compared with Keras' output.
"""

import numpy as np


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


ACTIVATIONS = {
    "linear": lambda x: x,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": lambda x: np.maximum(x, 0.0),
    "hard_sigmoid": lambda x: np.clip(x / 6.0 + 0.5, 0.0, 1.0),
    "softsign": lambda x: x / (1.0 + np.abs(x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "elu": lambda x: np.where(x > 0.0, x, np.expm1(np.minimum(x, 0.0))),
}


class Gates:
    """The masks of a layer by kind and gate: 1 where there is none, one for all gates where only gate 0 was drawn."""

    def __init__(self, masks):
        self.masks = {(m["kind"], m["gate"]): np.reshape(m["data"], m["shape"]) for m in masks}

    def __call__(self, kind, gate):
        shared = (kind, 1) not in self.masks
        return self.masks.get((kind, 0 if shared else gate), 1.0)


def blocks(array, count):
    return np.split(array, count, axis=-1)


def simple_rnn(options, x, kernel, recurrent, bias, mask):
    act = ACTIVATIONS[options["activation"]]
    h, outputs = np.zeros((x.shape[0], options["units"])), []
    for t in range(x.shape[1]):
        h = act((x[:, t] * mask("input", 0)) @ kernel + bias + (h * mask("state", 0)) @ recurrent)
        outputs.append(h)
    return outputs


def lstm(options, x, kernel, recurrent, bias, mask):
    act, gate_act = ACTIVATIONS[options["activation"]], ACTIVATIONS[options["recurrent_activation"]]
    w, u, b = blocks(kernel, 4), blocks(recurrent, 4), blocks(bias, 4)
    h = c = np.zeros((x.shape[0], options["units"]))
    outputs = []
    for t in range(x.shape[1]):
        i, f, g, o = (
            (x[:, t] * mask("input", k)) @ w[k] + (h * mask("state", k)) @ u[k] + b[k] for k in range(4)
        )
        c = gate_act(f) * c + gate_act(i) * act(g)
        h = gate_act(o) * act(c)
        outputs.append(h)
    return outputs


def gru(options, x, kernel, recurrent, bias, mask):
    act, gate_act = ACTIVATIONS[options["activation"]], ACTIVATIONS[options["recurrent_activation"]]
    w, u = blocks(kernel, 3), blocks(recurrent, 3)
    if options["reset_after"]:
        b, rb = blocks(bias[0], 3), blocks(bias[1], 3)
    else:
        b, rb = blocks(bias, 3), [0.0] * 3
    h, outputs = np.zeros((x.shape[0], options["units"])), []
    for t in range(x.shape[1]):
        xz, xr, xh = ((x[:, t] * mask("input", k)) @ w[k] + b[k] for k in range(3))
        z = gate_act(xz + (h * mask("state", 0)) @ u[0] + rb[0])
        r = gate_act(xr + (h * mask("state", 1)) @ u[1] + rb[1])
        dropped = h * mask("state", 2)
        inner = r * (dropped @ u[2] + rb[2]) if options["reset_after"] else (r * dropped) @ u[2]
        h = z * h + (1.0 - z) * act(xh + inner)
        outputs.append(h)
    return outputs


LAYERS = {"SimpleRNN": (simple_rnn, 1), "LSTM": (lstm, 4), "GRU": (gru, 3)}


def check(case, x, weights, masks, output):
    """Asserts that the NumPy pass gives Keras' output, for cases of a single recurrent layer. Returns whether it ran."""
    if len(case["layers"]) != 1 or case["layers"][0]["class"] not in LAYERS:
        return False
    options = case["layers"][0]
    if "mask" in case or options.get("go_backwards"):
        return False
    function, gates = LAYERS[options["class"]]
    name, width = options["name"], gates * options["units"]
    no_bias = np.zeros((2, width) if options.get("reset_after") else width)
    outputs = function(
        options,
        x,
        weights[name + "/kernel"],
        weights[name + "/recurrent_kernel"],
        weights.get(name + "/bias", no_bias),
        Gates(masks),
    )
    expected = np.stack(outputs, axis=1) if options["return_sequences"] else outputs[-1]
    np.testing.assert_allclose(output, expected, rtol=1e-12, atol=1e-13, err_msg=case["name"])
    return True
