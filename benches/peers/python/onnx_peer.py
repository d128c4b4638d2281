"""ONNX Runtime: streaming steps of an LSTM or GRU node over sequences of one step, the state fed back.

Variants: `run` passes NumPy arrays to `InferenceSession.run`; `binding` keeps inputs and outputs in place
(`run_with_iobinding`), two bindings taking turns so that what one writes the other reads; `binding, one thread` the same
on one thread. A step is one call from Python; for small layers nearly all of it is the call.
"""

import numpy as np
import onnxruntime
import peer
from onnx import TensorProto, helper, numpy_helper

# Keras' order of gates in ONNX': i, o, f, c and z, r, h.
ORDER = {"lstm": [0, 3, 1, 2], "gru": [0, 1, 2]}
# The newest format of files that is not needed is not asked for: the runtime may lag behind the package that writes it.
OPSET, FORMAT = 14, 8


def build(cell, units, file):
    """A model of one node: x and states in, states out."""
    order = ORDER[cell]
    bias = peer.blocks(np.atleast_2d(file["bias"]), order)
    if len(bias) == 1:
        bias = np.concatenate([bias, np.zeros_like(bias)])
    weights = {
        "W": peer.blocks(file["kernel"], order).T[None],
        "R": peer.blocks(file["recurrent_kernel"], order).T[None],
        "B": bias.reshape(1, -1),
    }
    states = ["h", "c"] if cell == "lstm" else ["h"]
    # The GRU of Keras and PyTorch applies the reset gate after the product.
    attributes = {} if cell == "lstm" else {"linear_before_reset": 1}
    node = helper.make_node(
        cell.upper(),
        ["x", "W", "R", "B", "", *states],
        ["", *(f"next_{state}" for state in states)],
        hidden_size=units,
        **attributes,
    )

    def info(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, units])

    graph = helper.make_graph(
        [node],
        cell,
        [info(name) for name in ["x", *states]],
        [info(f"next_{state}") for state in states],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=FORMAT)
    return model.SerializeToString(), states


def prepare(work, options):
    kind, *rest = work
    if kind != "stream":
        raise peer.Cannot("only streaming steps are compared")
    cell, units = rest[0], int(rest[1])
    file = peer.tensors(options.files, f"stream-{cell}-{units}")
    model, states = build(cell, units, file)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1 if options.variant.endswith("one thread") else options.threads
    session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    outputs = [f"next_{state}" for state in states]

    if options.variant == "run":
        feeds = {"x": file["x"], **{state: np.zeros((1, 1, units), np.float32) for state in states}}

        def steps():
            for _ in range(peer.STREAM_STEPS):
                for state, value in zip(states, session.run(outputs, feeds)):
                    feeds[state] = value

        steps()
        h = feeds["h"]
    else:
        x = onnxruntime.OrtValue.ortvalue_from_numpy(file["x"])
        slots = [
            {state: onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros((1, 1, units), np.float32)) for state in states}
            for _ in range(2)
        ]
        bindings = []
        for before, after in (slots, slots[::-1]):
            binding = session.io_binding()
            binding.bind_ortvalue_input("x", x)
            for state in states:
                binding.bind_ortvalue_input(state, before[state])
                binding.bind_ortvalue_output(f"next_{state}", after[state])
            bindings.append(binding)

        def steps():
            for _ in range(peer.STREAM_STEPS // 2):
                session.run_with_iobinding(bindings[0])
                session.run_with_iobinding(bindings[1])

        steps()
        h = slots[0]["h"].numpy()
    note = "a step holds the call from Python"
    return peer.Ready({"h": peer.sum_of_squares(h)}, peer.timed(steps, peer.STREAM_STEPS), note)


peer.serve(prepare)
