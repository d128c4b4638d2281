"""Runs one case in Keras: the forward pass, the gradients and 20 optimizer steps.

The backend must be set up before this module is imported; `generate.py` does it.
"""

import zlib
from contextlib import contextmanager

import jax
import keras
import numpy as np
from keras.src import backend
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

import reference

STEPS = 20
SEED = 20240601

LOSSES = {
    "mean_squared_error": keras.losses.MeanSquaredError,
    "binary_crossentropy": keras.losses.BinaryCrossentropy,
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
    "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
    "mean_absolute_error": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
    "poisson": keras.losses.Poisson,
}


def case_rng(case):
    """A generator from the case's name (or its `seed`) alone, so that a case keeps its numbers when others are added."""
    return np.random.default_rng([SEED, zlib.crc32(case.get("seed", case["name"]).encode())])


def tensor(array):
    """A JSON tensor: shape and row-major data. Integers stay integers."""
    array = np.asarray(array)
    if array.dtype.kind == "f":
        assert array.dtype == np.float64, array.dtype
        assert np.isfinite(array).all()
    return {"shape": list(array.shape), "data": array.ravel().tolist()}


class Masks:
    """Stands in for the random dropout of the backend.

    Keras draws the masks of a pass in a fixed order, each through `backend.random.dropout`. While `plan` is None, the
    calls are written down in `calls` as (seed generator, shape, rate); otherwise they take the masks of the plan, in order.
    """

    def __init__(self):
        self.calls = []
        self.plan = None

    def __call__(self, inputs, rate, noise_shape=None, seed=None):
        assert noise_shape is None and 0.0 < rate < 1.0
        self.calls.append((seed, tuple(inputs.shape), rate))
        if self.plan is None:
            return inputs
        return inputs * self.plan[len(self.calls) - 1]

    @contextmanager
    def patched(self, plan=None):
        self.calls, self.plan = [], plan
        original = backend.random.dropout
        backend.random.dropout = self
        try:
            yield self
        finally:
            backend.random.dropout = original
        assert plan is None or len(self.calls) == len(plan)


def label_masks(layers, calls):
    """Names the masks of one pass.

    A layer is known by its seed generator. The recurrent layers call `get_dropout_mask` and then
    `get_recurrent_dropout_mask` before the loop over the steps; each makes its masks gate by gate, in the order of the
    kernel's column blocks. Without recurrent dropout there is one mask (gate 0) that all gates share.
    """
    owner = {}
    for layer in layers:
        both = [getattr(layer, f"{direction}_layer", None) for direction in ("forward", "backward")]
        for part, inner in enumerate(both if None not in both else [layer]):
            generator = getattr(getattr(inner, "cell", inner), "seed_generator", None)
            if generator is not None:
                owner[id(generator)] = (layer, part, inner)
    labels, count = [], {}
    for generator, shape, rate in calls:
        layer, part, inner = owner[id(generator)]
        seen = count.get((layer.name, part), 0)
        count[layer.name, part] = seen + 1
        cell = getattr(inner, "cell", None)
        kind, gate = "input", seen
        if cell is not None:
            assert isinstance(cell, DropoutRNNCell)
            gates = getattr(cell, "dropout_mask_count", None) or 1
            inputs = gates if cell.dropout > 0 else 0
            if seen >= inputs:
                kind, gate = "state", seen - inputs
            assert gate < gates
            assert rate == (cell.dropout if kind == "input" else cell.recurrent_dropout)
        labels.append({"layer": layer.name, "part": part, "kind": kind, "gate": gate, "shape": shape, "rate": rate})
    return labels


def draw_masks(rng, labels):
    return [np.where(rng.random(m["shape"]) < m["rate"], 0.0, 1.0 / (1.0 - m["rate"])) for m in labels]


def mask_tensor(label, mask):
    """The JSON of a mask. There are many, so whole numbers go without their fraction: 0 and 2."""
    part = {"part": label["part"]} if label["part"] else {}
    golden = {**{k: label[k] for k in ("layer", "kind", "gate")}, **part, **tensor(mask)}
    golden["data"] = [int(v) if v.is_integer() else v for v in golden["data"]]
    return golden


def held(options):
    """The regularizer or constraint of a layer's option."""
    options = dict(options)
    name = options.pop("class")
    return getattr(keras.regularizers if hasattr(keras.regularizers, name) else keras.constraints, name)(**options)


def make(options):
    """A layer or cell of these options, as a function of its input. `Stacked` and `Residual` are this crate's names."""
    options = dict(options)
    class_name = options.pop("class")
    for part in ("layer", "backward_layer"):
        if options.get(part) is not None:
            options[part] = make(options[part])
    if class_name == "Residual":
        return lambda x: keras.layers.Add()([x, options["layer"](x)])
    if class_name == "Stacked":
        return keras.layers.RNN([make(cell) for cell in options.pop("cells")], **options)
    options = {key: held(value) if isinstance(value, dict) else value for key, value in options.items()}
    return getattr(keras.layers, class_name)(**options)


def build(case, input_shape, is_tokens):
    inputs = keras.Input(batch_shape=input_shape, dtype="int32" if is_tokens else "float64")
    x = inputs
    for options in case["layers"]:
        x = make(options)(x)
    return keras.Model(inputs, x)


def weight_name(path):
    """A weight's name in the goldens: its layer, the part of the layer if it is made of several, and the weight."""
    layer, *inner, weight = path.split("/")
    parts = [part.split("_")[0] for part in inner]
    return "/".join([layer, *(part for part in parts if part in PARTS), weight])


PARTS = ("forward", "backward", "first", "second")


def make_input(rng, spec):
    kind, shape = spec["kind"], tuple(spec["shape"])
    if kind == "tokens":
        if "tokens" in spec:
            return np.array(spec["tokens"], dtype=np.int64).reshape(shape)
        return rng.integers(0, spec["vocabulary"], size=shape)
    x = rng.uniform(-1.5, 1.5, size=shape)
    if "constant" in spec:
        x[~np.array(spec["where"])] = spec["constant"]
    return x


def make_target(rng, case, shape):
    name, kind = case["loss"]["class"], case.get("target", "default")
    if name in ("mean_squared_error", "mean_absolute_error", "huber"):
        return rng.uniform(-1.0, 1.0, size=shape)
    if name == "poisson":
        return rng.integers(0, 4, size=shape).astype(np.float64)
    if name == "binary_crossentropy":
        if kind == "soft":
            return rng.uniform(0.05, 0.95, size=shape)
        target = rng.integers(0, 2, size=shape).astype(np.float64)
        return target[..., 0] if kind == "flat" else target
    classes = rng.integers(0, shape[-1], size=shape[:-1])
    if name == "categorical_crossentropy":
        if kind == "soft":
            soft = rng.uniform(0.05, 1.0, size=shape)
            return soft / soft.sum(axis=-1, keepdims=True)
        return np.eye(shape[-1])[classes]
    return classes[..., None] if kind == "column" else classes


def make_weights(rng, kind, shape):
    """Weights of samples or of steps, short numbers, the first of which is 0."""
    weights = rng.integers(1, 9, size=shape[:1] if kind == "samples" else shape[:2]) / 4.0
    weights.flat[0] = 0.0
    return weights


def for_each_row(weights, shape):
    """Keras takes the weights of samples only for outputs without steps: one for each row of the outputs of this shape."""
    return weights if weights.ndim == len(shape) - 1 else np.repeat(weights[:, None], shape[1], axis=1)


def optimizer_of(options):
    options = dict(options)
    return getattr(keras.optimizers, options.pop("class"))(**options)


def check_probabilities(case, output):
    """The losses clip probabilities at 1e-7 from either end on this backend; the goldens stay far from there."""
    loss = case["loss"]
    if loss["class"].endswith("crossentropy") and not loss["from_logits"]:
        assert output.min() > 1e-3 and output.max() < 1 - 1e-3, (case["name"], output.min(), output.max())


def check_gradients(case, x, names, gradients):
    """Every weight must learn, except that a single step never uses the recurrent kernel."""
    for name, gradient in zip(names, gradients):
        assert gradient.any() or (x.shape[1] == 1 and name.endswith("recurrent_kernel")), (case["name"], name)


def check_clipping(case, gradients):
    """A clipping threshold must cut something, and that of entries or single tensors must also leave something alone."""
    options = case["optimizer"]
    norms = [float(np.sqrt((g**2).sum())) for g in gradients]
    if "clipnorm" in options:
        assert min(norms) < options["clipnorm"] < max(norms), (case["name"], norms)
    if "global_clipnorm" in options:
        assert options["global_clipnorm"] < np.sqrt(sum(n**2 for n in norms)), (case["name"], norms)
    if "clipvalue" in options:
        values = np.concatenate([np.abs(g).ravel() for g in gradients])
        assert values.min() < options["clipvalue"] < values.max(), (case["name"], values)


def check_held(case, variables, weights):
    """A regularizer or constraint must do something to the initial weights."""
    for variable, weight in zip(variables, weights):
        if variable.regularizer is not None:
            assert variable.regularizer(weight) > 1e-6, (case["name"], variable.path)
        if variable.constraint is not None:
            assert np.abs(variable.constraint(weight) - weight).max() > 1e-3, (case["name"], variable.path)


def check_float64(function, *arguments):
    """Asserts that nothing in a computation is of single precision."""
    assert "f32[" not in str(jax.make_jaxpr(function)(*arguments))


def run(case):
    """Runs a case (see `cases.py`) and returns its golden."""
    rng = case_rng(case)
    spec, training = case["input"], case["training"]
    is_tokens = spec["kind"] == "tokens"
    x = make_input(rng, spec)
    model = build(case, x.shape, is_tokens)
    names = [weight_name(v.path) for v in model.trainable_variables]
    assert len(set(names)) == len(names), names
    weights = [rng.normal(0.0, case["weight_std"], size=v.shape) for v in model.trainable_variables]
    y = make_target(rng, case, model.output_shape)
    weights_of_rows = make_weights(rng, case["weighted"], model.output_shape) if "weighted" in case else None
    weighted = {}
    if weights_of_rows is not None:
        weighted["sample_weight"] = for_each_row(weights_of_rows, model.output_shape)
    loss_options = dict(case["loss"])
    loss_fn = LOSSES[loss_options.pop("class")](**{k: v for k, v in loss_options.items() if v})
    frozen = [v.value for v in model.non_trainable_variables]
    extra = {"mask": np.array(case["mask"], dtype=bool)} if "mask" in case else {}

    masks = Masks()
    labels = []
    if training:
        with masks.patched():
            model(x, training=True)
        labels = label_masks(model.layers, masks.calls)

    def objective(variables, inputs, plan):
        if training:
            with masks.patched(plan):
                output, _, penalties = model.stateless_call(variables, frozen, inputs, training=True, return_losses=True)
        else:
            output, _, penalties = model.stateless_call(variables, frozen, inputs, training=False, return_losses=True, **extra)
        return loss_fn(y, output, **weighted) + sum(penalties), output

    wrt = 0 if is_tokens else (0, 1)
    step = jax.jit(jax.value_and_grad(objective, argnums=wrt, has_aux=True))

    optimizer = optimizer_of(case["optimizer"])
    optimizer.build(model.trainable_variables)
    state = [v.value for v in optimizer.variables]
    variables = [jax.numpy.asarray(w) for w in weights]
    check_float64(step, variables, jax.numpy.asarray(x), draw_masks(rng, labels))
    if variables:
        check_float64(optimizer.stateless_apply, state, variables, variables)
    losses, all_masks, first = [], [], None
    for _ in range(STEPS):
        plan = draw_masks(rng, labels)
        (loss, output), gradients = step(variables, jax.numpy.asarray(x), plan)
        if not is_tokens:
            gradients, input_gradient = gradients
        if first is None:
            first = {"output": np.asarray(output), "gradients": [np.asarray(g) for g in gradients]}
            first["input"] = None if is_tokens else np.asarray(input_gradient)
        losses.append(float(loss))
        all_masks.append([mask_tensor(label, mask) for label, mask in zip(labels, plan)])
        if variables:
            variables, state = optimizer.stateless_apply(state, gradients, variables)
    assert np.abs(first["output"]).max() < 200 and max(losses) < 100, (case["name"], first["output"], losses)
    check_probabilities(case, first["output"])
    check_gradients(case, x, names, first["gradients"])
    check_clipping(case, first["gradients"])
    check_held(case, model.trainable_variables, weights)
    reference.check(case, x, dict(zip(names, weights)), all_masks[0], first["output"])

    golden = {
        "name": case["name"],
        "layers": case["layers"],
        "training": training,
        "input": {"kind": spec["kind"], **tensor(x)},
        "target": tensor(y),
        "weights": {n: tensor(w) for n, w in zip(names, weights)},
        "loss": case["loss"],
        "optimizer": case["optimizer"],
        "output": tensor(first["output"]),
        "loss_value": losses[0],
        "gradients": {n: tensor(g) for n, g in zip(names, first["gradients"])},
        "losses": losses,
        "final_weights": {n: tensor(np.asarray(v)) for n, v in zip(names, variables)},
    }
    if not is_tokens:
        golden["input_gradient"] = tensor(first["input"])
    if labels:
        golden["masks"] = all_masks
    if "mask" in case:
        golden["mask"] = case["mask"]
    if weights_of_rows is not None:
        golden["sample_weight"] = tensor(weights_of_rows)
    keras.backend.clear_session()
    return golden
