"""Writes the Keras goldens of this crate's tests to `goldens/`.

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python generate.py            # every file
    venv/bin/python generate.py lstm gru   # some of them

Everything runs in float64 on the CPU with the versions of requirements.txt, from fixed seeds (`runner.SEED` and the name
of each case), and two runs on one machine give equal files; another processor may differ in the last digits. README.md
describes the format.
"""

import json
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "1"

import jax
import keras
from keras.src.backend.common import dtypes

keras.config.set_floatx("float64")
# Outside TensorFlow, Keras narrows the result of many operations (tanh, sqrt, power ...) to 32 bits whatever floatx is.
dtypes.BIT64_TO_BIT32_DTYPE.clear()

import anchors
import callbacks
import cases
import compositions
import metrics
import runner
import schedules
import states
import tokenizer
import trajectories
import weighting

FAMILIES = {**cases.FAMILIES, **compositions.FAMILIES}
GOLDENS = Path(__file__).parent / "goldens"
OTHERS = {
    "metrics": metrics.all_cases,
    "early_stopping": callbacks.early_stopping_cases,
    "model_checkpoint": callbacks.model_checkpoint_cases,
    "reduce_lr_on_plateau": callbacks.reduce_lr_on_plateau_cases,
    "anchors": anchors.all_cases,
    "schedules": schedules.all_cases,
    "trajectories": trajectories.all_cases,
    "states": states.all_cases,
    "tokenizer": tokenizer.all_cases,
    "weighting": weighting.all_cases,
}


def write(family, golden_cases):
    """Writes a family, one case to a line. Floats are written with the digits that read back to the same float64."""
    names = [case["name"] for case in golden_cases]
    assert len(set(names)) == len(names), [n for n in names if names.count(n) > 1]
    rows = [json.dumps(case, separators=(",", ":"), allow_nan=False) for case in golden_cases]
    head = f'"keras":"{keras.__version__}","jax":"{jax.__version__}"'
    path = GOLDENS / f"{family}.json"
    path.write_text("{" + head + ',"cases":[\n' + ",\n".join(rows) + "\n]}\n")
    print(f"{family}: {len(rows)} cases, {path.stat().st_size} bytes", flush=True)


def main(wanted):
    families = [*FAMILIES, *OTHERS]
    unknown = set(wanted) - set(families)
    if unknown:
        sys.exit(f"no such family: {', '.join(sorted(unknown))}; there are {', '.join(families)}")
    GOLDENS.mkdir(exist_ok=True)
    for family in wanted or families:
        if family in OTHERS:
            write(family, list(OTHERS[family]()))
        else:
            write(family, [runner.run(case) for case in FAMILIES[family]()])


if __name__ == "__main__":
    main(sys.argv[1:])
