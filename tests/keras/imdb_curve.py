"""Keras' validation loss after each of 12 epochs of the LSTM experiment, for seeds 1 to 5.

`.ci/run` takes its bound for the same run of `imdb_lstm` from the last column. Needs the packages of requirements.txt and
scikit-learn, and the reviews:

    BPTT_IMDB=imdb.npz KERAS_BACKEND=jax python imdb_curve.py
"""

import os
import time

import keras
import numpy as np
from keras import layers
from keras.src.datasets import imdb
from sklearn.model_selection import train_test_split

EPOCHS = 12

# load_data takes its file from a download or a cache only.
imdb.get_file = lambda *arguments, **keywords: os.environ["BPTT_IMDB"]
(x, y), _ = imdb.load_data(num_words=500)
x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.2, random_state=42)
x_train = keras.utils.pad_sequences(x_train, maxlen=100)
x_val = keras.utils.pad_sequences(x_val, maxlen=100)


class EpochSeconds(keras.callbacks.Callback):
    """The wall time from the start of an epoch to the start of its validation; nothing is called between the batches."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_test_begin(self, logs=None):
        self.seconds.append(time.perf_counter() - self.start)


for seed in range(1, 6):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([layers.Embedding(500, 16), layers.LSTM(8), layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.RMSprop(1e-4), "binary_crossentropy", metrics=["accuracy"])
    clock = EpochSeconds()
    history = model.fit(
        x_train, y_train, epochs=EPOCHS, batch_size=64, validation_data=(x_val, y_val), callbacks=[clock], verbose=0
    )
    curve = " ".join(f"{value:.4f}" for value in history.history["val_loss"])
    print(f"seed {seed}: val_loss {curve}; epoch seconds (median) {np.median(clock.seconds):.3f}", flush=True)
