"""Keras, on the backend that KERAS_BACKEND names.

Variants: `plain` compiles the model with its defaults, as most programs do (on TensorFlow that runs a graph without XLA
for recurrent layers, on JAX everything is compiled by XLA); `jit` sets `jit_compile=True`; `steps N` sets it too and runs
N batches in each call of the compiled function (`steps_per_execution`).
"""

import time

import keras
import numpy as np
import peer
from keras import layers

if keras.backend.backend() == "tensorflow":
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(peer.OPTIONS.threads)


class EpochSeconds(keras.callbacks.Callback):
    """The time of an epoch without what `fit` does before and after; nothing is called between the batches."""

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.perf_counter() - self.start


def build(experiment, files):
    """The model with its initial weights."""
    names, dropout = peer.EXPERIMENTS[experiment]
    stack = [layers.Embedding(peer.VOCABULARY, peer.FEATURES, name="embedding")]
    for number, name in enumerate(names):
        if experiment == "gru":
            stack.append(layers.GRU(peer.UNITS, name=name))
        else:
            all_steps = number + 1 < len(names)
            stack.append(layers.LSTM(peer.UNITS, dropout=dropout, return_sequences=all_steps, name=name))
    stack.append(layers.Dense(1, activation="sigmoid", name="dense"))
    model = keras.Sequential([keras.Input((100,), dtype="int32"), *stack])
    weights = peer.tensors(files, f"epoch-{experiment}")
    model.get_layer("embedding").set_weights([weights["embedding/embeddings"]])
    for name in names:
        parts = ("kernel", "recurrent_kernel", "bias")
        model.get_layer(name).set_weights([weights[f"{name}/{part}"] for part in parts])
    model.get_layer("dense").set_weights([weights["dense/kernel"], weights["dense/bias"]])
    return model


def compile_options(variant):
    """What `compile` is told besides optimizer and loss."""
    name, _, count = variant.partition(" ")
    if name == "plain":
        return {}
    if name == "jit":
        return {"jit_compile": True}
    if name == "steps":
        return {"jit_compile": True, "steps_per_execution": int(count)}
    raise ValueError(f"no such variant: {variant}")


def prepare(work, options):
    kind, *rest = work
    if kind != "epoch":
        raise peer.Cannot("only epochs are compared")
    reviews = peer.tensors(options.files, "reviews")
    tokens, labels = reviews["tokens"].astype(np.int32), reviews["labels"].reshape(-1, 1)
    rate, rho, epsilon = (peer.RMSPROP[key] for key in ("rate", "rho", "epsilon"))
    optimizers = {
        "sgd": lambda: keras.optimizers.SGD(peer.SGD_RATE),
        "rmsprop": lambda: keras.optimizers.RMSprop(rate, rho=rho, epsilon=epsilon),
    }

    def make(optimizer):
        model = build(rest[0], options.files)
        model.compile(optimizers[optimizer](), "binary_crossentropy", **compile_options(options.variant))

        def epoch():
            seconds = EpochSeconds()
            history = model.fit(
                tokens, labels, batch_size=peer.BATCH, shuffle=False, verbose=0, callbacks=[seconds]
            )
            return history.history["loss"][0], seconds.seconds

        return epoch

    return peer.train_epochs(make)


peer.serve(prepare)
