"""PyTorch: epochs, training steps, streaming steps and the matrix product.

Variants: `eager` runs the modules as they are; `one thread` the same on one thread, which small steps profit from;
`compile` puts them through `torch.compile`; `script` through `torch.jit.script`.

PyTorch's cells add two biases where Keras has one, except for the GRU: the second is zero there and not trained.
"""

import time

import numpy as np
import peer
import torch
from torch import nn
from torch.nn import functional

# Keras' order of gates in PyTorch's.
ORDER = {"lstm": [0, 1, 2, 3], "gru": [1, 0, 2], "simple_rnn": [0]}
LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU, "simple_rnn": nn.RNN}
CELLS = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "simple_rnn": nn.RNNCell}

VARIANT = peer.OPTIONS.variant
torch.set_num_threads(1 if VARIANT == "one thread" else peer.OPTIONS.threads)


def transformed(module):
    """The module as the variant runs it."""
    if VARIANT == "compile":
        return torch.compile(module)
    if VARIANT == "script":
        return torch.jit.script(module)
    return module


def set_recurrent(module, cell, kernel, recurrent_kernel, bias, suffix=""):
    """Gives a recurrent layer (suffix "_l0") or cell its weights; returns those that are trained."""
    order = ORDER[cell]
    bias = peer.blocks(np.atleast_2d(bias), order)
    names = [f"{name}{suffix}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    values = [peer.blocks(kernel, order).T, peer.blocks(recurrent_kernel, order).T, bias[0]]
    values.append(bias[1] if len(bias) == 2 else np.zeros_like(bias[0]))
    parameters = [getattr(module, name) for name in names]
    with torch.no_grad():
        for parameter, value in zip(parameters, values):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))
    if len(bias) == 1:
        parameters.pop().requires_grad_(False)
    return parameters


class Model(nn.Module):
    """The model of an experiment; tokens are (T, B), which its layers like best."""

    def __init__(self, experiment, files):
        super().__init__()
        names, self.dropout = peer.EXPERIMENTS[experiment]
        cell = "gru" if experiment == "gru" else "lstm"
        weights = peer.tensors(files, f"epoch-{experiment}")
        self.embedding = nn.Embedding.from_pretrained(torch.from_numpy(weights["embedding/embeddings"]), freeze=False)
        widths = [peer.FEATURES] + [peer.UNITS] * (len(names) - 1)
        self.recurrent = nn.ModuleList(LAYERS[cell](width, peer.UNITS) for width in widths)
        for name, layer in zip(names, self.recurrent):
            parts = (weights[f"{name}/{part}"] for part in ("kernel", "recurrent_kernel", "bias"))
            set_recurrent(layer, cell, *parts, suffix="_l0")
        self.dense = nn.Linear(peer.UNITS, 1)
        with torch.no_grad():
            self.dense.weight.copy_(torch.from_numpy(weights["dense/kernel"].T))
            self.dense.bias.copy_(torch.from_numpy(weights["dense/bias"]))

    def forward(self, tokens):
        sequence = self.embedding(tokens)
        for layer in self.recurrent:
            if self.dropout > 0.0:
                # The same features at all time steps of a sample.
                mask = torch.ones(1, sequence.shape[1], sequence.shape[2])
                sequence = sequence * functional.dropout(mask, self.dropout)
            sequence, _ = layer(sequence)
        return self.dense(sequence[-1]).squeeze(1)


def epochs(experiment, options):
    reviews = peer.tensors(options.files, "reviews")
    tokens = torch.from_numpy(reviews["tokens"].astype(np.int64)).t().contiguous()
    labels = torch.from_numpy(reviews["labels"])
    token_batches, label_batches = tokens.split(peer.BATCH, dim=1), labels.split(peer.BATCH)
    token_batches = [batch.contiguous() for batch in token_batches]
    rmsprop = {"lr": peer.RMSPROP["rate"], "alpha": peer.RMSPROP["rho"], "eps": peer.RMSPROP["epsilon"]}

    def make(optimizer):
        model = Model(experiment, options.files)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if optimizer == "sgd":
            rule = torch.optim.SGD(trained, lr=peer.SGD_RATE)
        else:
            rule = torch.optim.RMSprop(trained, **rmsprop)
        run = transformed(model)

        def epoch():
            start = time.perf_counter()
            total = torch.zeros(())
            for batch, targets in zip(token_batches, label_batches):
                loss = functional.binary_cross_entropy_with_logits(run(batch), targets)
                rule.zero_grad()
                loss.backward()
                rule.step()
                total += loss.detach() * len(targets)
            mean = total.item() / len(labels)
            return mean, time.perf_counter() - start

        return epoch

    return peer.train_epochs(make)


def train(cell, units, options):
    file = peer.tensors(options.files, f"train-{cell}-{units}")
    layer = LAYERS[cell](units, units)
    parameters = set_recurrent(layer, cell, file["kernel"], file["recurrent_kernel"], file["bias"], "_l0")
    x = torch.from_numpy(file["x"]).requires_grad_()
    dy = torch.from_numpy(file["dy"])

    def step():
        _, state = layer(x)
        last = state[0] if cell == "lstm" else state
        # torch.autograd.grad writes gradients anew, where backward() would add to those of the step before.
        return last, torch.autograd.grad(last, [x, *parameters], dy.unsqueeze(0))

    y, (dx, dkernel, drecurrent, *dbias) = step()
    found = {"y": y.detach(), "dx": dx, "dkernel": dkernel, "drecurrent_kernel": drecurrent, "dbias": torch.cat(dbias)}
    return peer.Ready({name: peer.sum_of_squares(value) for name, value in found.items()}, peer.timed(step))


def stream(cell, units, options):
    file = peer.tensors(options.files, f"stream-{cell}-{units}")
    module = CELLS[cell](units, units)
    set_recurrent(module, cell, file["kernel"], file["recurrent_kernel"], file["bias"])
    x = torch.from_numpy(file["x"][0])
    step = transformed(module.requires_grad_(False))
    zero = torch.zeros(1, units)
    state = (zero, zero) if cell == "lstm" else zero

    @torch.inference_mode()
    def steps():
        nonlocal state
        now = state
        for _ in range(peer.STREAM_STEPS):
            now = step(x, now)
        state = now

    steps()
    h = state[0] if cell == "lstm" else state
    return peer.Ready({"h": peer.sum_of_squares(h)}, peer.timed(steps, peer.STREAM_STEPS))


def product(size):
    generator = torch.Generator().manual_seed(42)
    a, b = (torch.rand(size, size, generator=generator) for _ in range(2))
    out = torch.empty(size, size)
    return peer.Ready({}, peer.timed(lambda: torch.mm(a, b, out=out)))


def prepare(work, options):
    kind, *rest = work
    if kind == "epoch":
        return epochs(rest[0], options)
    if kind == "train":
        return train(rest[0], int(rest[1]), options)
    if kind == "stream":
        return stream(rest[0], int(rest[1]), options)
    return product(int(rest[0]))


peer.serve(prepare)
