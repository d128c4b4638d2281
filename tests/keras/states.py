"""Recurrent layers from given states: outputs, final states, and the gradients of all that goes in.

The loss is the sum of outputs and final states, each times a random tensor that is recorded as its gradient. Keras is called
with `initial_state`, `return_state` and a `mask`, and Bidirectional without merging (`merge_mode=None`) as well.
"""

import jax
import keras
import numpy as np

import runner
from cases import gru, lstm, simple_rnn
from compositions import MASK, bidirectional, plain

BATCH, STEPS, FEATURES = 3, 4, 2


def list_of(outputs):
    return [np.asarray(output) for output in outputs]


def run(name, options, mask):
    rng = runner.case_rng({"name": name})
    full = dict(options)
    if "layer" in full:
        full["layer"] = {**full["layer"], "return_state": True}
    else:
        full["return_state"] = True
    layer = runner.make(full)
    x = rng.uniform(-1.5, 1.5, size=(BATCH, STEPS, FEATURES))
    layer(x)
    names = [runner.weight_name(v.path) for v in layer.trainable_variables]
    weights = [rng.normal(0.0, 0.5, size=v.shape) for v in layer.trainable_variables]
    directions = 2 if "layer" in full else 1
    states = (2 if options.get("layer", options)["class"] == "LSTM" else 1) * directions
    initial = [rng.uniform(-1.0, 1.0, size=(BATCH, 3)) for _ in range(states)]
    keep = None if mask is None else np.array(mask, dtype=bool)
    frozen = [v.value for v in layer.non_trainable_variables]

    def outputs_of(weights, x, initial):
        outputs, _ = layer.stateless_call(weights, frozen, x, initial_state=initial, mask=keep, training=False)
        return list(outputs)

    shapes = [output.shape for output in jax.eval_shape(outputs_of, weights, x, initial)]
    gradients = [rng.uniform(-1.0, 1.0, size=shape) for shape in shapes]

    def objective(*arguments):
        outputs = outputs_of(*arguments)
        return sum((output * d).sum() for output, d in zip(outputs, gradients)), outputs

    step = jax.jit(jax.grad(objective, argnums=(0, 1, 2), has_aux=True))
    runner.check_float64(step, weights, x, initial)
    (dweights, dx, dinitial), outputs = step(weights, x, initial)
    count = len(outputs) - states
    tensors = lambda arrays: [runner.tensor(array) for array in list_of(arrays)]
    golden = {
        "name": name,
        "layer": options,
        "mask": mask,
        "x": runner.tensor(x),
        "weights": dict(zip(names, tensors(weights))),
        "initial": tensors(initial),
        "outputs": tensors(outputs[:count]),
        "last": tensors(outputs[count:]),
        "doutputs": tensors(gradients[:count]),
        "dlast": tensors(gradients[count:]),
        "dx": runner.tensor(np.asarray(dx)),
        "dweights": dict(zip(names, tensors(dweights))),
        "dinitial": tensors(dinitial),
    }
    keras.backend.clear_session()
    return golden


def all_cases():
    for mask in (None, MASK):
        suffix = "+masked" if mask else ""
        for name, layer in (("lstm", lstm), ("gru", gru), ("simple_rnn", simple_rnn)):
            for sequences in (False, True):
                tail = ("+return_sequences" if sequences else "") + suffix
                for backwards in (False, True):
                    options = layer(return_sequences=sequences, go_backwards=backwards)
                    yield run(f"states/{name}{'+go_backwards' if backwards else ''}{tail}", options, mask)
                options = bidirectional(plain(layer, return_sequences=sequences), None)
                yield run(f"states/bidirectional_{name}+apart{tail}", options, mask)
            options = bidirectional(plain(layer), "mul")
            yield run(f"states/bidirectional_{name}+mul{suffix}", options, mask)
