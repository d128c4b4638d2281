"""Writes the PyTorch goldens of this crate's tests to `goldens/rnn.json`.

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python generate.py

Recurrent modules of two layers, in one direction and in both, in float64 on the CPU: outputs and final states from random
inputs and initial states, and the gradients of all that goes in. The loss is the sum of outputs and final states, each times a
random tensor, which is recorded as its gradient. All numbers come from a fixed seed.
"""

import json
from pathlib import Path

import numpy as np
import torch

SEED, BATCH, STEPS, FEATURES, UNITS, LAYERS = 20240601, 3, 5, 2, 4, 2


def tensor(array):
    """A JSON tensor: shape and row-major data."""
    array = array.detach().numpy()
    assert array.dtype == np.float64 and np.isfinite(array).all()
    return {"shape": list(array.shape), "data": array.ravel().tolist()}


def run(number, class_name, bidirectional):
    rng = np.random.default_rng([SEED, number])
    draw = lambda *shape: torch.tensor(rng.uniform(-1.0, 1.0, size=shape), requires_grad=True)
    module = getattr(torch.nn, class_name)(
        FEATURES, UNITS, num_layers=LAYERS, batch_first=True, bidirectional=bidirectional, dtype=torch.float64
    )
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.tensor(rng.normal(0.0, 0.5, size=tuple(weight.shape))))
    directions = 2 if bidirectional else 1
    x = draw(BATCH, STEPS, FEATURES)
    initial = [draw(LAYERS * directions, BATCH, UNITS) for _ in range(2 if class_name == "LSTM" else 1)]
    y, last = module(x, tuple(initial) if len(initial) > 1 else initial[0])
    last = list(last) if len(initial) > 1 else [last]
    dy, dlast = draw(*y.shape), [draw(*state.shape) for state in last]
    loss = (y * dy).sum() + sum((state * d).sum() for state, d in zip(last, dlast))
    loss.backward()
    weights = dict(module.named_parameters())
    return {
        "name": f"{class_name}{'+bidirectional' if bidirectional else ''}",
        "class": class_name,
        "bidirectional": bidirectional,
        "weights": {name: tensor(weight) for name, weight in weights.items()},
        "x": tensor(x),
        "initial": [tensor(state) for state in initial],
        "y": tensor(y),
        "last": [tensor(state) for state in last],
        "dy": tensor(dy),
        "dlast": [tensor(d) for d in dlast],
        "dx": tensor(x.grad),
        "dweights": {name: tensor(weight.grad) for name, weight in weights.items()},
        "dinitial": [tensor(state.grad) for state in initial],
    }


def main():
    torch.set_num_threads(1)
    kinds = [(class_name, both) for class_name in ("LSTM", "GRU", "RNN") for both in (False, True)]
    rows = [json.dumps(run(number, *kind), separators=(",", ":")) for number, kind in enumerate(kinds)]
    path = Path(__file__).parent / "goldens" / "rnn.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'{{"torch":"{torch.__version__}","cases":[\n' + ",\n".join(rows) + "\n]}\n")
    print(f"{len(rows)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
