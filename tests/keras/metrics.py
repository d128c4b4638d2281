"""The goldens of the accuracy metrics: running results over a few batches."""

import keras
import numpy as np

import runner


def batches(rng, metric, make, sizes):
    """Feeds batches of the given sizes and records the running result after each."""
    golden = []
    for size in sizes:
        y_true, y_pred = make(rng, size)
        metric.update_state(y_true, y_pred)
        golden.append(
            {"y_true": runner.tensor(y_true), "y_pred": runner.tensor(y_pred), "result": float(metric.result())}
        )
    return golden


def binary(units, steps=None):
    """Predictions on a grid of quarters, so that some of them are exactly 0.5, which is not above the threshold."""

    def make(rng, size):
        shape = (size, units) if steps is None else (size, steps, units)
        return rng.integers(0, 2, size=shape).astype(np.float64), rng.integers(0, 5, size=shape) / 4.0

    return make


def classes(count, kind, steps=None):
    """Predictions on a coarse grid, so that the largest one is often tied; the first of the tied ones wins."""

    def make(rng, size):
        shape = (size,) if steps is None else (size, steps)
        labels = rng.integers(0, count, size=shape)
        y_pred = rng.integers(0, 3, size=(*shape, count)) / 4.0
        y_true = {"one_hot": np.eye(count)[labels], "flat": labels, "column": labels[..., None]}[kind]
        return y_true, y_pred

    return make


def fixed(*pairs):
    """Hand-written batches."""
    rest = iter(pairs)
    return lambda rng, size: tuple(np.array(a) for a in next(rest))


def all_cases():
    cases = [
        ("BinaryAccuracy", "exactly_half", {}, fixed(
            ([[1.0], [0.0], [1.0], [0.0]], [[0.5], [0.5], [0.5000001], [0.4999999]]),
            ([[1.0]], [[0.5]]),
        ), (4, 1)),
        ("BinaryAccuracy", "units=1", {}, binary(1), (5, 5, 2)),
        ("BinaryAccuracy", "units=3", {}, binary(3), (4, 4, 1)),
        ("BinaryAccuracy", "sequence", {}, binary(1, steps=4), (3, 2)),
        ("BinaryAccuracy", "threshold=0.25", {"threshold": 0.25}, binary(1), (6, 3)),
        ("BinaryAccuracy", "threshold=0.75", {"threshold": 0.75}, binary(2), (6, 3)),
        ("CategoricalAccuracy", "ties", {}, fixed(
            ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.4, 0.4, 0.2], [0.4, 0.4, 0.2]]),
            ([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], [[0.2, 0.4, 0.4], [1 / 3, 1 / 3, 1 / 3]]),
        ), (2, 2)),
        ("CategoricalAccuracy", "random", {}, classes(4, "one_hot"), (6, 6, 1)),
        ("CategoricalAccuracy", "sequence", {}, classes(3, "one_hot", steps=4), (3, 2)),
        ("SparseCategoricalAccuracy", "ties", {}, fixed(
            ([0, 1], [[0.4, 0.4, 0.2], [0.4, 0.4, 0.2]]), ([2, 0], [[0.2, 0.4, 0.4], [0.0, 0.0, 0.0]])
        ), (2, 2)),
        ("SparseCategoricalAccuracy", "flat", {}, classes(4, "flat"), (6, 6, 1)),
        ("SparseCategoricalAccuracy", "column", {}, classes(4, "column"), (6, 6, 1)),
        ("SparseCategoricalAccuracy", "sequence", {}, classes(3, "flat", steps=4), (3, 2)),
    ]  # fmt: skip
    for class_name, label, options, make, sizes in cases:
        name = f"metrics/{class_name}+{label}"
        metric = getattr(keras.metrics, class_name)(**options)
        rng = runner.case_rng({"name": name})
        yield {
            "name": name,
            "metric": {"class": class_name, **({"threshold": 0.5} if class_name == "BinaryAccuracy" else {}), **options},
            "batches": batches(rng, metric, make, sizes),
        }
