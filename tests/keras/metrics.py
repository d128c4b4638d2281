"""The goldens of the metrics: running results over a few batches, with weights for the rows and without."""

import keras
import numpy as np

import runner


class Perplexity:
    """e to the mean cross-entropy of Keras, which has no such metric itself."""

    def __init__(self, targets):
        name = {"classes": "SparseCategoricalCrossentropy", "distributions": "CategoricalCrossentropy"}[targets]
        self.crossentropy = getattr(keras.metrics, name)()

    def update_state(self, *batch, **weights):
        self.crossentropy.update_state(*batch, **weights)

    def result(self):
        return np.exp(self.crossentropy.result())


def make_metric(class_name, options):
    return Perplexity(**options) if class_name == "Perplexity" else getattr(keras.metrics, class_name)(**options)


def draw_weights(rng, y_pred):
    """A weight for each row of the outputs, short numbers; one in three is 0."""
    return np.maximum(rng.integers(-3, 7, size=y_pred.shape[:-1]), 0) / 4.0


def batches(rng, metric, make, sizes, weighted):
    """Feeds batches of the given sizes and records the running result after each."""
    golden = []
    for size in sizes:
        y_true, y_pred = make(rng, size)
        batch = {"y_true": runner.tensor(y_true), "y_pred": runner.tensor(y_pred)}
        weights = {}
        if weighted:
            weights["sample_weight"] = draw_weights(rng, y_pred)
            batch["sample_weight"] = runner.tensor(weights["sample_weight"])
        metric.update_state(y_true, y_pred, **weights)
        golden.append({**batch, "result": float(metric.result())})
    return golden


def binary(units, steps=None, grid=4):
    """Predictions on a grid of quarters, so that some of them are exactly 0.5, which is not above the threshold."""

    def make(rng, size):
        shape = (size, units) if steps is None else (size, steps, units)
        return rng.integers(0, 2, size=shape).astype(np.float64), rng.integers(0, grid + 1, size=shape) / grid

    return make


def numbers(units, steps=None):
    """Targets and predictions of any size."""

    def make(rng, size):
        shape = (size, units) if steps is None else (size, steps, units)
        return rng.normal(size=shape), rng.normal(size=shape)

    return make


def always(label):
    """Labels that are all 0 or all 1."""

    def make(rng, size):
        return np.full((size, 1), label), rng.random((size, 1))

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


def probabilities(count, kind, steps=None):
    """Rows of probabilities, and class numbers or distributions."""

    def make(rng, size):
        shape = (size, count) if steps is None else (size, steps, count)
        softmax = rng.dirichlet(np.ones(count), size=shape[:-1])
        if kind == "soft":
            return rng.dirichlet(np.ones(count), size=shape[:-1]), softmax
        return rng.integers(0, count, size=shape[:-1]), softmax

    return make


def fixed(*pairs):
    """Hand-written batches."""
    rest = iter(pairs)
    return lambda rng, size: tuple(np.array(a) for a in next(rest))


def accuracy_cases():
    return [
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
        ("TopKCategoricalAccuracy", "k=1", {"k": 1}, classes(6, "one_hot"), (6, 6, 1)),
        ("TopKCategoricalAccuracy", "k=3", {"k": 3}, classes(6, "one_hot"), (6, 6, 1)),
        ("TopKCategoricalAccuracy", "sequence", {"k": 2}, classes(4, "one_hot", steps=4), (3, 2)),
        ("SparseTopKCategoricalAccuracy", "k=2", {"k": 2}, classes(6, "flat"), (6, 6, 1)),
        ("SparseTopKCategoricalAccuracy", "k=5", {"k": 5}, classes(7, "flat"), (6, 6, 1)),
        ("SparseTopKCategoricalAccuracy", "sequence", {"k": 2}, classes(4, "flat", steps=4), (3, 2)),
    ]  # fmt: skip


def error_cases():
    for name in ("MeanAbsoluteError", "MeanSquaredError", "RootMeanSquaredError"):
        yield name, "units=1", {}, numbers(1), (5, 5, 2)
        yield name, "units=3", {}, numbers(3), (4, 1)
        yield name, "sequence", {}, numbers(2, steps=4), (3, 2)
    for targets, kind in (("classes", "flat"), ("distributions", "soft")):
        yield "Perplexity", targets, {"targets": targets}, probabilities(4, kind), (5, 5, 2)
        yield "Perplexity", f"{targets}+sequence", {"targets": targets}, probabilities(3, kind, steps=4), (3, 2)


def confusion_cases():
    for name in ("Precision", "Recall"):
        yield name, "units=1", {}, binary(1), (5, 5, 2)
        yield name, "units=3", {}, binary(3), (4, 4, 1)
        yield name, "sequence", {}, binary(2, steps=4), (3, 2)
        for threshold in (0.0, 0.25, 1.0):
            yield name, f"threshold={threshold}", {"thresholds": threshold}, binary(1), (6, 3)
        yield name, "never_true", {}, always(0.0), (4, 2)
        yield name, "always_true", {}, always(1.0), (4, 2)
    for average in ("macro", "micro", "weighted"):
        for threshold in (None, 0.5, 0.25):
            options = {"average": average, "threshold": threshold}
            yield "F1Score", f"{average}+threshold={threshold}", options, binary(3), (5, 5, 2)
        yield "F1Score", f"{average}+classes", {"average": average}, classes(4, "one_hot"), (6, 6, 1)
        yield "F1Score", f"{average}+units=1", {"average": average, "threshold": 0.5}, binary(1), (6, 6, 1)
        yield "F1Score", f"{average}+never_true", {"average": average, "threshold": 0.5}, always(0.0), (4, 2)


def area_cases():
    for curve in ("ROC", "PR"):
        options = {"curve": curve}
        yield "AUC", f"{curve}+random", options, binary(1, grid=1000), (20, 20, 5)
        # Outputs at thresholds, which count as below them, and halfway between.
        yield "AUC", f"{curve}+thresholds", options, binary(1, grid=199), (20, 20, 5)
        yield "AUC", f"{curve}+halves", options, binary(1, grid=398), (20, 20)
        yield "AUC", f"{curve}+coarse", options, binary(1), (10, 10, 1)
        yield "AUC", f"{curve}+units=3", options, binary(3, grid=10), (6, 6, 1)
        yield "AUC", f"{curve}+sequence", options, binary(1, steps=4, grid=10), (6, 2)
        yield "AUC", f"{curve}+never_true", options, always(0.0), (4, 2)
        yield "AUC", f"{curve}+always_true", options, always(1.0), (4, 2)
        right, wrong = ([[1.0], [0.0], [1.0]], [[1.0], [0.0], [0.9]]), ([[1.0], [0.0], [1.0]], [[0.0], [1.0], [0.1]])
        yield "AUC", f"{curve}+right", options, fixed(right, right), (3, 3)
        yield "AUC", f"{curve}+wrong", options, fixed(wrong, wrong), (3, 3)
        outside = ([[1.0], [0.0], [1.0], [0.0]], [[1.5], [-0.5], [-0.1], [2.0]])
        yield "AUC", f"{curve}+outside", options, fixed(outside, outside), (4, 4)


def all_cases():
    every = (accuracy_cases, error_cases, confusion_cases, area_cases)
    for weighted in (False, True):
        for class_name, label, options, make, sizes in (case for cases in every for case in cases()):
            name = f"metrics/{class_name}+{label}" + ("+weighted" if weighted else "")
            metric = make_metric(class_name, options)
            rng = runner.case_rng({"name": name})
            default = {"threshold": 0.5} if class_name == "BinaryAccuracy" else {}
            yield {
                "name": name,
                "metric": {"class": class_name, **default, **options},
                "batches": batches(rng, metric, make, sizes, weighted),
            }
    # Rows that all weigh nothing.
    for class_name, options in (("BinaryAccuracy", {"threshold": 0.5}), ("Precision", {}), ("AUC", {"curve": "PR"})):
        metric = make_metric(class_name, options)
        y_true, y_pred, nothing = np.array([[1.0], [0.0]]), np.array([[0.7], [0.6]]), np.zeros(2)
        metric.update_state(y_true, y_pred, sample_weight=nothing)
        batch = {"y_true": y_true, "y_pred": y_pred, "sample_weight": nothing}
        batch = {key: runner.tensor(value) for key, value in batch.items()}
        yield {
            "name": f"metrics/{class_name}+nothing",
            "metric": {"class": class_name, **options},
            "batches": [{**batch, "result": float(metric.result())}],
        }
