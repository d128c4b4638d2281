"""What is compared: the works, and who does them in which ways.

`run.py` measures, `table.py` writes the figures down; both read this.
"""

import dataclasses

EXPERIMENTS = {
    "lstm": "LSTM(8)",
    "dropout": "LSTM(8, dropout 0.3)",
    "stacked": "two LSTM(8, dropout 0.3)",
    "gru": "GRU(8)",
}
# Gate blocks of each cell.
CELLS = {"lstm": 4, "gru": 3, "simple_rnn": 1}
CELL_NAMES = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "SimpleRNN"}
TRAIN_UNITS = [8, 32, 128, 256, 512, 1024]
STREAM_UNITS = [8, 64, 256, 512]
STREAM_CELLS = ["lstm", "gru"]
BATCH = 64
PRODUCT = 2048

WORKS = [
    *(f"epoch/{experiment}" for experiment in EXPERIMENTS),
    *(f"train/{cell}/{units}" for cell in CELLS for units in TRAIN_UNITS),
    *(f"stream/{cell}/{units}" for cell in STREAM_CELLS for units in STREAM_UNITS),
    f"product/{PRODUCT}",
]


def steps(units):
    """Time steps of a training step: as many as keep a step of a wide layer short."""
    return 20 if units >= 1024 else 50 if units >= 512 else 100


def operations(work):
    """Floating-point operations of the matrix products of a training step or of a product."""
    kind, *rest = work.split("/")
    if kind == "product":
        return 2 * int(rest[0]) ** 3
    units = int(rest[1])
    # The two backward products of each forward one are counted, a multiply-add as two; inputs are as wide as the state.
    return 3 * 2 * (2 * units) * CELLS[rest[0]] * units * BATCH * steps(units)


@dataclasses.dataclass(frozen=True)
class Peer:
    """Another library: how it is called, and the ways to run it for each kind of work, of which the fastest counts."""

    name: str
    # A script of python/, or a package of rust/.
    program: str
    # Kind of work to variants. Of a Rust package a variant is the flags of the compiler.
    variants: dict
    backend: str = ""

    @property
    def is_rust(self):
        return not self.program.endswith(".py")


# Flags of rustc for the Rust peers: as a plain build has them, and for this machine's processor, as candle's own
# build settings have them.
RUST_FLAGS = {"default flags": "", "target-cpu=native": "-C target-cpu=native"}
_EPOCH_RUST = {"epoch": list(RUST_FLAGS)}

PEERS = [
    Peer("Keras on JAX", "keras_peer.py", {"epoch": ["plain", "steps 16"]}, "jax"),
    Peer("Keras on TensorFlow", "keras_peer.py", {"epoch": ["plain"]}, "tensorflow"),
    Peer("Keras on TensorFlow, XLA", "keras_peer.py", {"epoch": ["jit", "steps 16"]}, "tensorflow"),
    Peer(
        "PyTorch",
        "torch_peer.py",
        {
            "epoch": ["eager", "one thread", "compile"],
            "train": ["eager", "one thread"],
            "stream": ["eager", "one thread", "script", "compile"],
            "product": ["eager"],
        },
    ),
    Peer("ONNX Runtime", "onnx_peer.py", {"stream": ["run", "binding", "binding, one thread"]}),
    Peer("burn", "burn-peer", _EPOCH_RUST),
    Peer("candle", "candle-peer", {**_EPOCH_RUST, "product": list(RUST_FLAGS)}),
    Peer("rust-lstm", "rust-lstm-peer", _EPOCH_RUST),
    Peer("rustyml", "rustyml-peer", _EPOCH_RUST),
]
