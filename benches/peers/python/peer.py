"""What the Python programs of the comparison share: the protocol, the files of data and weights, the timing.

The protocol is that of `rust/harness`: a program is started with `--threads N --files DIR --variant NAME`, and then reads
`prepare WORK` and `measure SECONDS` from standard input and answers each with a line, `reply` and JSON. A variant is one
of the ways to run a library that its documentation names; the fastest is the one that is compared.
"""

import argparse
import json
import pathlib
import statistics
import sys
import time
import traceback

import numpy as np

BATCH = 64
UNITS = 8
FEATURES = 16
VOCABULARY = 500
# Time steps of one run of a streaming work.
STREAM_STEPS = 100
# The optimizer that proves equal work, and the one that is measured.
SGD_RATE = 0.1
RMSPROP = {"rate": 1e-4, "rho": 0.9, "epsilon": 1e-7}

# The recurrent layers of each experiment, and the part of their inputs that is dropped.
EXPERIMENTS = {
    "lstm": (["lstm"], 0.0),
    "dropout": (["lstm"], 0.3),
    "stacked": (["lstm", "lstm_1"], 0.3),
    "gru": (["gru"], 0.0),
}


class Cannot(Exception):
    """The library has no means for a work."""


class Ready:
    """A work that is ready to be measured: figures that prove equal work, and a function that runs it once and returns
    the seconds of one unit (an epoch, a training step, a time step)."""

    def __init__(self, checks, run, note=""):
        self.checks = checks
        self.run = run
        self.note = note


def timed(function, units=1):
    """A function that calls another one and returns the seconds that each of its units took."""

    def run():
        start = time.perf_counter()
        function()
        return (time.perf_counter() - start) / units

    return run


def tensors(files, name):
    """The tensors of the file `NAME.safetensors`: eight bytes with the length of a JSON header, the header, the numbers."""
    data = (pathlib.Path(files) / f"{name}.safetensors").read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    found = {}
    for key, entry in json.loads(data[8:start]).items():
        if key != "__metadata__":
            begin, end = (start + offset for offset in entry["data_offsets"])
            dtype = {"F32": np.float32, "U32": np.uint32}[entry["dtype"]]
            # A copy, so that it may be written and is aligned.
            found[key] = np.frombuffer(data[begin:end], dtype).reshape(entry["shape"]).copy()
    return found


def blocks(array, order):
    """An array with its column blocks, one for each gate, in another order."""
    parts = np.split(array, len(order), axis=-1)
    return np.concatenate([parts[gate] for gate in order], axis=-1)


def sum_of_squares(array):
    """Σ v² in double precision: the same for whatever order a library keeps its gates in."""
    return float(np.sum(np.square(np.asarray(array, np.float64))))


def train_epochs(make, note=""):
    """The answer to an experiment. `make` gives, for the name of an optimizer, a function that trains for one epoch from
    the initial weights on and returns the mean loss and the seconds."""
    sgd_loss, _ = make("sgd")()
    epoch = make("rmsprop")
    rmsprop_loss, _ = epoch()
    return Ready({"sgd_loss": sgd_loss, "rmsprop_loss": rmsprop_loss}, lambda: epoch()[1], note)


def serve(prepare):
    """Answers until standard input ends. `prepare(parts of the work's name, options)` returns what is ready."""
    options = OPTIONS
    ready = None
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        try:
            if command == "prepare":
                ready = None
                ready = prepare(argument.split("/"), options)
                reply = {"checks": ready.checks, "note": ready.note}
            elif command == "measure" and ready is not None:
                reply = measure(ready, float(argument))
            else:
                reply = {"error": f"nothing is prepared for: {line.strip()}"}
        except Cannot as reason:
            reply = {"cannot": str(reason)}
        except Exception as error:
            traceback.print_exc()
            reply = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print("reply", json.dumps(reply), flush=True)


def measure(ready, seconds):
    """Runs it for about that long."""
    start = time.perf_counter()
    times = []
    while not times or time.perf_counter() - start < seconds:
        times.append(ready.run())
    return {"seconds": statistics.median(times), "runs": len(times)}


def _options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--files", required=True)
    parser.add_argument("--variant", default="")
    return parser.parse_args()


# Read when the module is imported, because some libraries want to know their threads before they are.
OPTIONS = _options()
