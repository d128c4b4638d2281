"""Hand-checkable forward values: Keras' own layer tests, in which every weight of a kind has one value.

The numbers are typed in, to the digits that those float32 tests print; they are compared with a run of the layers here.
"""

import keras
import numpy as np

CONSTANTS = {"kernel": 0.01, "recurrent_kernel": 0.02, "bias": 0.03}
TOLERANCE = 1e-6

# (class, input shape, units, options, one value for each row: all units are equal)
ROWS = [
    ("LSTM", (3, 6, 4), 3, {}, [0.6288687, 0.86899155, 0.9460773]),
    ("LSTM", (3, 6, 4), 3, {"go_backwards": True}, [0.35622165, 0.74789524, 0.8872726]),
    ("LSTM", (3, 6, 4), 3, {"unit_forget_bias": False}, [0.57019705, 0.8661914, 0.9459622]),
    ("LSTM", (3, 6, 4), 3, {"use_bias": False}, [0.54986924, 0.86226785, 0.9443936]),
    ("GRU", (3, 6, 4), 3, {}, [0.5217289, 0.6371659, 0.39384964]),
    ("GRU", (3, 6, 4), 3, {"go_backwards": True}, [0.24406259, 0.611516, 0.3928808]),
    ("GRU", (3, 6, 4), 3, {"reset_after": False}, [0.51447755, 0.6426879, 0.40208298]),
    ("GRU", (3, 6, 4), 3, {"use_bias": False}, [0.49988455, 0.64701194, 0.4103359]),
    ("SimpleRNN", (2, 3, 4), 4, {}, [0.405432, 0.73605347]),
    ("SimpleRNN", (2, 3, 4), 4, {"go_backwards": True}, [0.11144729, 0.5528889]),
]

MASKED = [
    ("LSTM", {"return_sequences": True}, [[1, 1, 1, 0], [1, 1, 0, 0]], [
        [0.0158891, 0.05552048, 0.11755939, 0.11755939], [0.14185596, 0.28556206, 0.28556206, 0.28556206],
    ]),
    ("LSTM", {"return_sequences": True, "zero_output_for_mask": True}, [[1, 1, 1, 0], [1, 1, 0, 0]], [
        [0.0158891, 0.05552048, 0.11755939, 0.0], [0.14185596, 0.28556206, 0.0, 0.0],
    ]),
    ("LSTM", {"go_backwards": True}, [[0, 1, 1, 1], [0, 0, 1, 1]], [0.15341201, 0.3844719]),
    ("GRU", {"return_sequences": True}, [[1, 1, 0, 1], [1, 0, 0, 1]], [
        [0.03606692, 0.09497581, 0.09497581, 0.19393763], [0.16051409, 0.16051409, 0.16051409, 0.30818558],
    ]),
    ("GRU", {"go_backwards": True}, [[1, 1, 0, 1], [1, 0, 0, 1]], [0.11669192, 0.28380975]),
]  # fmt: skip


def run(class_name, shape, units, options, mask):
    initializers = {
        f"{'recurrent' if k == 'recurrent_kernel' else k}_initializer": keras.initializers.Constant(v)
        for k, v in CONSTANTS.items()
    }
    layer = getattr(keras.layers, class_name)(units, **initializers, **options)
    x = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    output = np.asarray(layer(x, mask=None if mask is None else np.array(mask, dtype=bool)))
    assert np.ptp(output, axis=-1).max() < 1e-12
    return output[..., 0]


def all_cases():
    rows = [(c, shape, units, options, None, values) for c, shape, units, options, values in ROWS]
    rows += [(c, (2, 4, 3), 2, options, mask, values) for c, options, mask, values in MASKED]
    for class_name, shape, units, options, mask, values in rows:
        output = run(class_name, shape, units, options, mask)
        np.testing.assert_allclose(output, values, atol=TOLERANCE, err_msg=f"{class_name} {options}")
        suffix = "+".join(f"{k}={str(v).lower()}" for k, v in options.items()) or "default"
        golden = {
            "name": f"anchors/{class_name}{'+masked' if mask else ''}+{suffix}",
            "layer": {"class": class_name, "units": units, **options},
            "constants": CONSTANTS,
            "input_shape": list(shape),
            "mask": mask,
            "values": values,
        }
        yield golden
