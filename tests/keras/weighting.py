"""The goldens of training with weights: `fit` of small models with weights of samples, steps and classes, with masks and with
metrics that take the weights and such that do not."""

import keras
import numpy as np
from keras.src.trainers.data_adapters.data_adapter_utils import class_weight_to_sample_weights

import cases
import runner
from metrics import make_metric

EPOCHS = 3


def metric(class_name, name=None, **options):
    return {"class": class_name, **options, **({"name": name} if name else {})}


def training(name, layers, input, loss, metrics, weighted_metrics, **options):
    return {
        "name": f"weighting/{name}", "layers": layers, "input": input, "loss": loss, "metrics": metrics,
        "weighted_metrics": weighted_metrics, "optimizer": cases.adam(), "batch_size": 4, **options,
    }  # fmt: skip


def all_trainings():
    binary = [cases.dense(3, "tanh", name="hidden"), cases.dense(1, "sigmoid")]
    accuracy = metric("BinaryAccuracy", "accuracy", threshold=0.5)
    some = [accuracy, metric("Precision", "precision"), metric("AUC", "auc", curve="ROC")]
    # The same metrics twice: those with weights are named apart.
    twice = {"metrics": some, "weighted_metrics": [*some, metric("MeanSquaredError", "mean_squared_error")]}
    x = cases.vector(10, 3)
    yield training("samples", binary, x, cases.BCE, **twice, weighted="samples")
    yield training("classes", binary, x, cases.BCE, **twice, class_weight={0: 0.5, 1: 3.0})
    yield training("samples_and_classes", binary, x, cases.BCE, **twice, weighted="samples", class_weight={1: 3.0})
    yield training("without_weights", binary, x, cases.BCE, **twice)
    three = [cases.dense(3, "softmax")]
    accuracy = [metric("SparseCategoricalAccuracy", "accuracy")]
    yield training("class_numbers", three, x, cases.SCCE, accuracy, accuracy, weighted="samples", class_weight={0: 2.0, 2: 0.25})
    accuracy = [metric("CategoricalAccuracy", "accuracy")]
    yield training("one_hot", three, x, cases.CCE, accuracy, accuracy, weighted="samples", class_weight={0: 2.0, 2: 0.25})
    # As many steps count in each batch: Keras' figures of an epoch are means of those of its batches.
    mask = [[True, True, False, True], [False, True, True, True], [True, True, True, False]] * 4
    each = [cases.lstm(return_sequences=True), cases.dense(3, "softmax")]
    masked = {"input": cases.sequence(12, 4), "loss": cases.CCE, "metrics": accuracy, "weighted_metrics": accuracy, "mask": mask}
    yield training("steps", each, **masked, weighted="steps")
    yield training("samples_of_steps", each, **masked, weighted="samples")
    errors = [metric("RootMeanSquaredError", "root_mean_squared_error"), metric("MeanAbsoluteError", "mean_absolute_error")]
    yield training("errors", [cases.gru(), cases.dense(2)], cases.SEQUENCE, cases.HUBER, errors, errors, weighted="samples")


def build(case, x):
    """The model; a mask comes from a value that the samples have in the steps that are left out."""
    layers = case["layers"]
    if "mask" in case:
        layers = [{"class": "Masking", "name": "masking", "mask_value": 9.0}, *layers]
    return runner.build({**case, "layers": layers}, (None, *x.shape[1:]), False)


def class_weights(case, y):
    """As Keras makes them of `class_weight`, which it does not take together with weights of samples."""
    if "class_weight" not in case:
        return 1.0
    return class_weight_to_sample_weights(y, case["class_weight"])


def run(case):
    rng = runner.case_rng(case)
    x = runner.make_input(rng, case["input"])
    model = build(case, x)
    outputs = (len(x), *model.output_shape[1:])
    if outputs[1] is None:
        outputs = (len(x), x.shape[1], outputs[2])
    names = [runner.weight_name(v.path) for v in model.trainable_variables]
    weights = [rng.normal(0.0, 0.5, size=v.shape) for v in model.trainable_variables]
    model.set_weights(weights)
    y = runner.make_target(rng, case, outputs)
    drawn = runner.make_weights(rng, case["weighted"], outputs) if "weighted" in case else None
    rows = None if drawn is None else runner.for_each_row(drawn, outputs)
    seen = x.copy()
    if "mask" in case:
        seen[~np.array(case["mask"])] = 9.0
    made = {key: [make_metric(m["class"], {k: v for k, v in m.items() if k != "class"}) for m in case[key]]
            for key in ("metrics", "weighted_metrics")}  # fmt: skip
    loss = dict(case["loss"])
    loss = runner.LOSSES[loss.pop("class")](**{k: v for k, v in loss.items() if v})
    model.compile(runner.optimizer_of(case["optimizer"]), loss, **made)
    if "class_weight" in case and drawn is None:
        given = {"class_weight": case["class_weight"]}
    else:
        given = {"sample_weight": None if rows is None else rows * class_weights(case, y)}
    # The validation data are the training data with their weights, but without those of the classes.
    validation = (seen, y) if rows is None else (seen, y, rows)
    history = model.fit(
        seen, y, **given, batch_size=case["batch_size"], epochs=EPOCHS, shuffle=False, validation_data=validation, verbose=0
    )
    # On JAX the outputs of a training step have lost their mask when they come to the metrics.
    figures = {k: v for k, v in history.history.items() if "mask" not in case or k == "loss" or k.startswith("val_")}
    golden = {
        "name": case["name"], "layers": case["layers"], "loss": case["loss"], "optimizer": case["optimizer"],
        "metrics": case["metrics"], "weighted_metrics": case["weighted_metrics"], "batch_size": case["batch_size"],
        "input": {"kind": case["input"]["kind"], **runner.tensor(x)}, "target": runner.tensor(y),
        "weights": {n: runner.tensor(w) for n, w in zip(names, weights)},
        "history": figures,
        "final_weights": {n: runner.tensor(np.asarray(v.value)) for n, v in zip(names, model.trainable_variables)},
    }  # fmt: skip
    if drawn is not None:
        golden["sample_weight"] = runner.tensor(drawn)
    for key in ("mask", "class_weight"):
        if key in case:
            golden[key] = case[key]
    keras.backend.clear_session()
    return golden


def all_cases():
    return [run(case) for case in all_trainings()]
