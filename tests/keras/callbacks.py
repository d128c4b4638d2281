"""The goldens of EarlyStopping, ModelCheckpoint and ReduceLROnPlateau: scripted values of `val_loss` played through Keras' own callbacks."""

import math
import types
import warnings

import keras

NAN, INF = math.nan, math.inf


class Stub:
    """What the callbacks need of a model. Its weights are the number of the epoch that trained them."""

    def __init__(self):
        self.stop_training = False
        self.epoch = None
        self.restored = None
        self.saved = []
        self.optimizer = types.SimpleNamespace(learning_rate=1.0)

    def get_weights(self):
        return self.epoch

    def set_weights(self, weights):
        self.restored = weights

    def save(self, filepath, overwrite=True):
        self.saved.append(self.epoch)

    def save_weights(self, filepath, overwrite=True):
        self.saved.append(self.epoch)


def encode(value):
    """A value of a sequence or a best value as JSON: what JSON cannot hold becomes a string."""
    if value is None or math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")


def play(callback, values, on_epoch=lambda model: None):
    """Runs a training of `len(values)` epochs, or fewer when the callback stops it. None means that the metric is absent."""
    model = Stub()
    callback.set_model(model)
    callback.on_train_begin()
    epochs_run = 0
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        model.epoch = epoch
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            callback.on_epoch_end(epoch, {"loss": 0.0} if value is None else {"loss": 0.0, "val_loss": value})
        epochs_run += 1
        on_epoch(model)
        if model.stop_training:
            break
    callback.on_train_end()
    return model, epochs_run


STOPPING_DEFAULTS = {
    "monitor": "val_loss", "min_delta": 0.0, "patience": 0, "mode": "auto", "baseline": None,
    "restore_best_weights": False, "start_from_epoch": 0,
}  # fmt: skip

FALL = [1.0, 0.9, 0.8, 0.7, 0.6]
VALLEY = [1.0, 0.8, 0.7, 0.75, 0.72, 0.71, 0.74, 0.6, 0.65, 0.66, 0.67, 0.5]
TIES = [0.5, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4]
SLOW = [1.0, 0.96, 0.92, 0.88, 0.84, 0.80, 0.76, 0.72, 0.68]
RISE = [0.1, 0.3, 0.2, 0.4, 0.4, 0.35, 0.3, 0.2]

STOPPING = {
    "falling": (FALL, {}),
    "falling+restore": (FALL, {"restore_best_weights": True}),
    "rises_at_once": ([0.5, 0.6, 0.7], {}),
    # An improvement that does not reach the baseline never stops, but it does not set the count back either.
    "baseline_not_reached": ([0.5, 0.6], {"baseline": 0.1}),
    "baseline_not_reached+falling": ([0.5, 0.4, 0.3, 0.2], {"baseline": 0.1, "patience": 1}),
    "baseline_not_reached+patience=3": ([0.5, 0.4, 0.3, 0.35, 0.2], {"baseline": 0.1, "patience": 3}),
    "patience=0": (VALLEY, {}),
    "patience=1": (VALLEY, {"patience": 1}),
    "patience=2": (VALLEY, {"patience": 2}),
    "patience=3": (VALLEY, {"patience": 3}),
    "patience=4": (VALLEY, {"patience": 4}),
    "patience=3+restore": (VALLEY, {"patience": 3, "restore_best_weights": True}),
    "patience=4+restore": (VALLEY, {"patience": 4, "restore_best_weights": True}),
    "patience=50+restore": (VALLEY[:-1], {"patience": 50, "restore_best_weights": True}),
    "all_epochs_run+last_worse+restore": ([0.5, 0.4, 0.45], {"patience": 3, "restore_best_weights": True}),
    "one_epoch+restore": ([0.5], {"restore_best_weights": True}),
    "ties+patience=1": (TIES, {"patience": 1}),
    "ties+patience=3+restore": (TIES, {"patience": 3, "restore_best_weights": True}),
    "min_delta=0.05": (SLOW, {"min_delta": 0.05, "patience": 1}),
    "min_delta=0.05+patience=3": (SLOW, {"min_delta": 0.05, "patience": 3, "restore_best_weights": True}),
    "min_delta=-0.05+patience=3": (SLOW, {"min_delta": -0.05, "patience": 3, "restore_best_weights": True}),
    "min_delta=0.1+patience=2": (SLOW, {"min_delta": 0.1, "patience": 2}),
    # In binary these differences are exact, so the last is equal to min_delta and not beyond it.
    "min_delta_met_exactly": ([1.0, 0.75, 0.25, 0.125, 0.0], {"min_delta": 0.25, "patience": 2}),
    "nan_first": ([NAN, 0.5, 0.4, 0.3, 0.2], {"patience": 2}),
    "nan_first+restore": ([NAN, 0.5, 0.4, 0.3, 0.2], {"patience": 2, "restore_best_weights": True}),
    "nan_first+patience=0": ([NAN, 0.5, 0.4], {}),
    "nan_later": ([0.5, NAN, 0.4, NAN, NAN, 0.3], {"patience": 2, "restore_best_weights": True}),
    "nan_to_the_end": ([0.5, NAN, NAN, NAN, NAN], {"patience": 3, "restore_best_weights": True}),
    "nan_always": ([NAN] * 4, {"patience": 3, "restore_best_weights": True}),
    "nan_first+mode=max": ([NAN, 0.5, 0.6], {"patience": 2, "mode": "max"}),
    "inf_first": ([INF, INF, 0.5, 0.6, 0.7], {"patience": 2, "restore_best_weights": True}),
    "minus_inf": ([0.5, -INF, 0.4, 0.3, 0.2], {"patience": 2, "restore_best_weights": True}),
    "baseline=0.75": (VALLEY, {"baseline": 0.75, "patience": 3}),
    "baseline=0.75+patience=2": (VALLEY, {"baseline": 0.75, "patience": 2, "restore_best_weights": True}),
    "baseline=0.65+patience=4": (VALLEY, {"baseline": 0.65, "patience": 4, "restore_best_weights": True}),
    "baseline=0.65+patience=8": (VALLEY, {"baseline": 0.65, "patience": 8, "restore_best_weights": True}),
    "baseline=1.5+patience=3": (VALLEY, {"baseline": 1.5, "patience": 3}),
    "baseline_equal_to_the_value": ([0.5, 0.5, 0.5], {"baseline": 0.5, "patience": 2}),
    "baseline+min_delta": (SLOW, {"baseline": 0.9, "min_delta": 0.05, "patience": 4}),
    "start_from_epoch=2": ([0.1, 0.2, 0.5, 0.6, 0.7], {"start_from_epoch": 2, "patience": 1}),
    "start_from_epoch=2+restore": (
        [0.1, 0.2, 0.5, 0.4, 0.6, 0.7, 0.8], {"start_from_epoch": 2, "patience": 2, "restore_best_weights": True},
    ),
    "start_from_epoch=3+patience=3": (VALLEY, {"start_from_epoch": 3, "patience": 3, "restore_best_weights": True}),
    "start_beyond_the_end+restore": (FALL, {"start_from_epoch": 9, "restore_best_weights": True}),
    "mode=min": (VALLEY, {"mode": "min", "patience": 3}),
    "mode=max": (RISE, {"mode": "max"}),
    "mode=max+patience=3+restore": (RISE, {"mode": "max", "patience": 3, "restore_best_weights": True}),
    "mode=max+min_delta=0.15": (RISE, {"mode": "max", "patience": 3, "min_delta": 0.15}),
    "mode=max+baseline=0.35": (RISE, {"mode": "max", "patience": 3, "baseline": 0.35}),
    "mode=max+baseline=0.45": (RISE, {"mode": "max", "patience": 3, "baseline": 0.45, "restore_best_weights": True}),
    "metric_absent_sometimes": ([0.5, None, 0.6, None, 0.7, 0.8], {"patience": 2, "restore_best_weights": True}),
    "metric_absent_always": ([None, None, None], {"restore_best_weights": True}),
}  # fmt: skip


def early_stopping_cases():
    for name, (values, changed) in STOPPING.items():
        options = {**STOPPING_DEFAULTS, **changed}
        callback = keras.callbacks.EarlyStopping(**options)
        model, epochs_run = play(callback, values)
        yield {
            "name": f"early_stopping/{name}",
            "options": options,
            "sequence": [encode(v) for v in values],
            "epochs_run": epochs_run,
            "stop_epoch": epochs_run - 1 if model.stop_training else None,
            "stopped_epoch": callback.stopped_epoch,
            "restored_epoch": model.restored,
            "best_epoch": callback.best_epoch,
            "best": encode(None if callback.best is None else float(callback.best)),
        }


CHECKPOINT_DEFAULTS = {
    "monitor": "val_loss", "save_best_only": False, "mode": "auto", "initial_value_threshold": None,
}  # fmt: skip
BEST = {"save_best_only": True}

CHECKPOINTS = {
    "every_epoch": (VALLEY, {}),
    "every_epoch+nan": ([0.5, NAN, 0.4], {}),
    "every_epoch+threshold_ignored": (FALL, {"initial_value_threshold": 0.1}),
    "best_only": (VALLEY, BEST),
    "best_only+falling": (FALL, BEST),
    "best_only+ties": (TIES, BEST),
    "best_only+mode=min": (VALLEY, {**BEST, "mode": "min"}),
    "best_only+mode=max": (RISE, {**BEST, "mode": "max"}),
    "best_only+nan_first": ([NAN, 0.5, 0.4], BEST),
    "best_only+nan_first+mode=max": ([NAN, 0.5, 0.6], {**BEST, "mode": "max"}),
    "best_only+nan_later": ([0.5, NAN, 0.4, NAN, 0.3], BEST),
    "best_only+inf_first": ([INF, INF, 0.5, 0.6], BEST),
    "best_only+threshold": (VALLEY, {**BEST, "initial_value_threshold": 0.72}),
    "best_only+threshold_met_exactly": ([0.75, 0.5, 0.5, 0.25], {**BEST, "initial_value_threshold": 0.5}),
    "best_only+threshold_never_met": (FALL, {**BEST, "initial_value_threshold": 0.1}),
    "best_only+threshold+nan_first": ([NAN, 0.5, 0.4], {**BEST, "initial_value_threshold": 0.45}),
    "best_only+threshold+mode=max": (RISE, {**BEST, "mode": "max", "initial_value_threshold": 0.3}),
    "best_only+metric_absent_sometimes": ([0.5, None, 0.6, None, 0.4], BEST),
    "best_only+metric_absent_always": ([None, None], BEST),
}


def model_checkpoint_cases():
    for name, (values, changed) in CHECKPOINTS.items():
        options = {**CHECKPOINT_DEFAULTS, **changed}
        callback = keras.callbacks.ModelCheckpoint("never-written.keras", **options)
        model, _ = play(callback, values)
        yield {
            "name": f"model_checkpoint/{name}",
            "options": options,
            "sequence": [encode(v) for v in values],
            "saved_epochs": model.saved,
            "best": encode(None if callback.best is None else float(callback.best)),
        }


PLATEAU_DEFAULTS = {
    "monitor": "val_loss", "factor": 0.1, "patience": 10, "mode": "auto", "min_delta": 1e-4, "cooldown": 0, "min_lr": 0.0,
}  # fmt: skip
FLAT = [0.5] * 12
HALF = {"factor": 0.5}

PLATEAUS = {
    "falling": (FALL, {"patience": 1}),
    "defaults": (FLAT + [0.5, 0.4], {}),
    "patience=0": (VALLEY, {"patience": 0, **HALF}),
    "patience=1": (VALLEY, {"patience": 1, **HALF}),
    "patience=2": (VALLEY, {"patience": 2, **HALF}),
    "patience=3": (VALLEY, {"patience": 3, **HALF}),
    "ties": (TIES, {"patience": 2, **HALF}),
    "flat": (FLAT, {"patience": 3, **HALF}),
    "cooldown=1": (FLAT, {"patience": 2, "cooldown": 1, **HALF}),
    "cooldown=2": (FLAT, {"patience": 2, "cooldown": 2, **HALF}),
    "cooldown=4": (FLAT, {"patience": 1, "cooldown": 4, **HALF}),
    "cooldown+improvement": (VALLEY, {"patience": 1, "cooldown": 2, **HALF}),
    "min_lr": (FLAT, {"patience": 1, "min_lr": 0.2, **HALF}),
    "min_lr+cooldown": (FLAT, {"patience": 1, "min_lr": 0.3, "cooldown": 2, **HALF}),
    "min_lr_above_the_rate": (FLAT, {"patience": 1, "min_lr": 2.0, **HALF}),
    "min_delta=0.05": (SLOW, {"patience": 1, "min_delta": 0.05, **HALF}),
    "min_delta=-0.05": (SLOW, {"patience": 2, "min_delta": -0.05, **HALF}),
    "min_delta_met_exactly": ([1.0, 0.75, 0.25, 0.125, 0.0], {"patience": 1, "min_delta": 0.25, **HALF}),
    "nan_first": ([NAN, 0.5, 0.4, 0.3, 0.2], {"patience": 2, **HALF}),
    "nan_later": ([0.5, NAN, 0.4, NAN, NAN, 0.3], {"patience": 2, **HALF}),
    "nan_always": ([NAN] * 5, {"patience": 2, **HALF}),
    "inf_first": ([INF, INF, 0.5, 0.6, 0.7], {"patience": 1, **HALF}),
    "mode=max": (RISE, {"patience": 2, "mode": "max", **HALF}),
    "mode=max+min_delta=0.15": (RISE, {"patience": 2, "mode": "max", "min_delta": 0.15, **HALF}),
    "metric_absent_sometimes": ([0.5, None, 0.6, None, 0.7, 0.8], {"patience": 2, **HALF}),
    "metric_absent_in_cooldown": ([0.5, 0.6, None, 0.6, None, 0.7, 0.8], {"patience": 1, "cooldown": 2, **HALF}),
    "metric_absent_always": ([None, None, None], {"patience": 1, **HALF}),
}


def reduce_lr_on_plateau_cases():
    for name, (values, changed) in PLATEAUS.items():
        options = {**PLATEAU_DEFAULTS, **changed}
        callback = keras.callbacks.ReduceLROnPlateau(**options)
        rates = []
        play(callback, values, lambda model: rates.append(float(model.optimizer.learning_rate)))
        yield {
            "name": f"reduce_lr_on_plateau/{name}",
            "options": options,
            "sequence": [encode(v) for v in values],
            "rates": rates,
            "best": encode(None if callback.best is None else float(callback.best)),
        }
