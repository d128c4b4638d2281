"""The loss of each batch of one epoch of the LSTM experiment on the first 2,000 reviews, as Keras trains it on JAX in float64.

Weights and order come from NumPy's legacy generator, which the test draws from as well, so that `goldens/imdb_epoch.json` has
seeds and losses only. Needs the packages of requirements.txt and the reviews:

    BPTT_IMDB=imdb.npz python imdb_epoch.py
"""

import os

# Sets Keras up.
import generate
import keras
import numpy as np
from keras import layers
from keras.src.datasets import imdb

REVIEWS = 2000
BATCH = 64
WEIGHT_SEED = 20
ORDER_SEED = 21
# All weights, biases too, are uniform between this and its negative.
LIMIT = 0.3
# The experiment's, and one at which the loss moves.
LEARNING_RATES = [1e-4, 1e-2]


def run(x, y, learning_rate):
    model = keras.Sequential([layers.Embedding(500, 16), layers.LSTM(8), layers.Dense(1, activation="sigmoid")])
    model.build((None, 100))
    weights = np.random.RandomState(WEIGHT_SEED)
    model.set_weights([weights.uniform(-LIMIT, LIMIT, w.shape) for w in model.get_weights()])
    model.compile(keras.optimizers.RMSprop(learning_rate), "binary_crossentropy")
    losses = []
    order = np.random.RandomState(ORDER_SEED).permutation(REVIEWS)
    for first in range(0, REVIEWS, BATCH):
        rows = order[first : first + BATCH]
        # The loss that is returned is a running mean.
        model.reset_metrics()
        losses.append(float(model.train_on_batch(x[rows], y[rows])))
    return {
        "name": f"imdb_epoch/learning_rate={learning_rate}",
        "reviews": REVIEWS,
        "batch": BATCH,
        "weight_seed": WEIGHT_SEED,
        "order_seed": ORDER_SEED,
        "limit": LIMIT,
        "learning_rate": learning_rate,
        "losses": losses,
    }


def main():
    # load_data takes its file from a download or a cache only.
    imdb.get_file = lambda *arguments, **keywords: os.environ["BPTT_IMDB"]
    (x, y), _ = imdb.load_data(num_words=500)
    x = keras.utils.pad_sequences(x[:REVIEWS], maxlen=100)
    generate.write("imdb_epoch", [run(x, y[:REVIEWS], learning_rate) for learning_rate in LEARNING_RATES])


if __name__ == "__main__":
    main()
