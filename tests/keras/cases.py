"""The cases of the layer, loss and optimizer goldens: which layers, options, inputs, losses and optimizers."""


# Layers, with every option that the goldens vary spelled out under Keras' own name.


def simple_rnn(name="simple_rnn", **options):
    return {
        "class": "SimpleRNN", "name": name, "units": 3, "activation": "tanh", "use_bias": True,
        "return_sequences": False, "dropout": 0.0, "recurrent_dropout": 0.0, **options,
    }  # fmt: skip


def lstm(name="lstm", **options):
    return {
        "class": "LSTM", "name": name, "units": 3, "activation": "tanh", "recurrent_activation": "sigmoid",
        "use_bias": True, "unit_forget_bias": True, "return_sequences": False, "dropout": 0.0,
        "recurrent_dropout": 0.0, **options,
    }  # fmt: skip


def gru(name="gru", **options):
    return {
        "class": "GRU", "name": name, "units": 3, "activation": "tanh", "recurrent_activation": "sigmoid",
        "use_bias": True, "reset_after": True, "return_sequences": False, "dropout": 0.0,
        "recurrent_dropout": 0.0, **options,
    }  # fmt: skip


def embedding(name="embedding", **options):
    return {"class": "Embedding", "name": name, "input_dim": 6, "output_dim": 2, **options}


def dense(units, activation="linear", name="dense", **options):
    return {"class": "Dense", "name": name, "units": units, "activation": activation, "use_bias": True, **options}


def dropout(rate, name="dropout"):
    return {"class": "Dropout", "name": name, "rate": rate}


# Inputs. Floats are uniform in [-1.5, 1.5].

SEQUENCE = {"kind": "sequence", "shape": [3, 4, 2]}
VECTOR = {"kind": "vector", "shape": [3, 2]}
# Token 2 comes five times, so that the gradient of its row is a sum; 5 does not come at all.
TOKENS = {"kind": "tokens", "shape": [3, 4], "tokens": [2, 1, 2, 4, 0, 2, 2, 3, 4, 1, 3, 2]}
MANY_TOKENS = {"kind": "tokens", "shape": [4, 7], "vocabulary": 6}


def sequence(batch, steps, features=2):
    return {"kind": "sequence", "shape": [batch, steps, features]}


def vector(batch, features):
    return {"kind": "vector", "shape": [batch, features]}


# Losses and optimizers.


def loss(name, from_logits=False, **options):
    return {"class": name, "from_logits": from_logits, **options}


MSE = loss("mean_squared_error")
BCE = loss("binary_crossentropy")
CCE = loss("categorical_crossentropy")
SCCE = loss("sparse_categorical_crossentropy")
MAE = loss("mean_absolute_error")
HUBER = loss("huber")
POISSON = loss("poisson")


def rmsprop(learning_rate=0.01, **options):
    return {
        "class": "RMSprop", "learning_rate": learning_rate, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-7,
        "centered": False, **options,
    }  # fmt: skip


def sgd(learning_rate=0.1, **options):
    return {"class": "SGD", "learning_rate": learning_rate, "momentum": 0.0, "nesterov": False, **options}


def adam(learning_rate=0.01, **options):
    defaults = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
    return {"class": "Adam", "learning_rate": learning_rate, **defaults, **options}


def case(name, layers, input=SEQUENCE, loss=MSE, optimizer=None, training=False, target="default", weight_std=0.5):
    return {
        "name": name, "layers": layers, "input": input, "loss": loss, "optimizer": optimizer or rmsprop(),
        "training": training, "target": target, "weight_std": weight_std,
    }  # fmt: skip


def label(options):
    """The text of an option set in a case name: return_sequences+use_bias=false+dropout=0.5."""
    parts = [key if value is True else f"{key}={str(value).lower()}" for key, value in options.items()]
    return "+".join(parts) or "default"


def recurrent(layer, family, options, prefix="", **keywords):
    """A case of one recurrent layer; masks are on when the options have dropout."""
    training = any(options.get(k, 0.0) > 0.0 for k in ("dropout", "recurrent_dropout"))
    keywords.setdefault("training", training)
    return case(f"{family}/{prefix}{label(options)}", [layer(**options)], **keywords)


def sizes(layer, family, **options):
    """One step, one row, a longer sequence, one of everything."""
    shapes = {
        "T=1": sequence(3, 1), "B=1": sequence(1, 4), "T=7": sequence(3, 7), "B=1,T=1": sequence(1, 1),
        "D=5": sequence(3, 4, 5), "D=1": sequence(2, 3, 1),
    }  # fmt: skip
    for name, shape in shapes.items():
        yield recurrent(layer, family, options, f"{name}/", input=shape, optimizer=sgd())
    yield recurrent(layer, family, {**options, "return_sequences": True}, prefix="T=7/", input=shapes["T=7"])
    yield recurrent(layer, family, {**options, "units": 1}, optimizer=adam())
    yield recurrent(layer, family, {**options, "units": 4}, optimizer=adam())


def dropouts(layer, family, **options):
    """Most rates are those whose 1/(1-rate) is short in the files: 2 and 1.25."""
    for extra in (
        {"dropout": 0.5},
        {"recurrent_dropout": 0.5},
        {"dropout": 0.2, "recurrent_dropout": 0.5},
        {"return_sequences": True, "dropout": 0.5, "recurrent_dropout": 0.2},
    ):
        yield recurrent(layer, family, {**options, **extra})
    inference = {**options, "dropout": 0.5, "recurrent_dropout": 0.5}
    yield recurrent(layer, family, inference, prefix="training=false/", training=False)


def simple_rnn_cases():
    family = "simple_rnn"
    yield recurrent(simple_rnn, family, {})
    for activation in ("relu", "sigmoid", "linear", "hard_sigmoid", "softsign", "softplus", "elu"):
        yield recurrent(simple_rnn, family, {"activation": activation})
    for options in (
        {"use_bias": False},
        {"return_sequences": True},
        {"return_sequences": True, "use_bias": False},
        {"return_sequences": True, "activation": "relu"},
    ):
        yield recurrent(simple_rnn, family, options)
    yield from sizes(simple_rnn, family)
    yield from dropouts(simple_rnn, family)
    yield recurrent(simple_rnn, family, {"use_bias": False, "dropout": 0.5, "recurrent_dropout": 0.5})


# Gates that are not kept within 0 and 1 let small differences grow, and RMSprop divides tiny gradients by their own
# size: twenty steps of it would show the rounding of float32 and nothing else. So these cases take small plain steps.
GATED_ACTIVATIONS = (
    {"activation": "relu"},
    {"activation": "sigmoid"},
    {"activation": "linear"},
    {"recurrent_activation": "hard_sigmoid"},
    {"recurrent_activation": "tanh"},
    {"activation": "softsign", "recurrent_activation": "hard_sigmoid"},
    {"activation": "softplus"},
    {"recurrent_activation": "linear"},
    {"activation": "elu", "recurrent_activation": "softsign"},
    {"activation": "hard_sigmoid", "recurrent_activation": "elu"},
    {"activation": "elu", "recurrent_activation": "relu", "return_sequences": True},
)


def lstm_cases():
    family = "lstm"
    for options in (
        {},
        {"return_sequences": True},
        {"use_bias": False},
        {"return_sequences": True, "use_bias": False},
        {"unit_forget_bias": False},
    ):
        yield recurrent(lstm, family, options)
    for options in GATED_ACTIVATIONS:
        yield recurrent(lstm, family, options, optimizer=sgd(learning_rate=0.01))
    yield from sizes(lstm, family)
    yield from dropouts(lstm, family)
    yield recurrent(lstm, family, {"use_bias": False, "recurrent_dropout": 0.5})
    yield recurrent(lstm, family, {"recurrent_dropout": 0.5}, prefix="T=1/", input=sequence(3, 1))
    yield recurrent(lstm, family, {"activation": "relu", "dropout": 0.25})


def gru_cases():
    family = "gru"
    for reset_after in (True, False):
        base = {} if reset_after else {"reset_after": False}
        for options in (
            {},
            {"return_sequences": True},
            {"use_bias": False},
            {"return_sequences": True, "use_bias": False},
        ):
            yield recurrent(gru, family, {**base, **options})
        for options in GATED_ACTIVATIONS:
            yield recurrent(gru, family, {**base, **options}, optimizer=sgd(learning_rate=0.01))
        yield from sizes(gru, family, **base)
        yield from dropouts(gru, family, **base)
        yield recurrent(gru, family, {**base, "use_bias": False, "recurrent_dropout": 0.5})


def embedding_cases():
    for name, tokens in (
        ("default", TOKENS),
        ("one_token", {"kind": "tokens", "shape": [1, 1], "tokens": [3]}),
        ("same_token", {"kind": "tokens", "shape": [2, 3], "tokens": [5] * 6}),
        ("random", MANY_TOKENS),
    ):
        yield case(f"embedding/{name}", [embedding()], tokens)
    # Rows that no token of the batch names: their slots decay, and Adam and momentum may still move them.
    sparse = {"kind": "tokens", "shape": [2, 3], "tokens": [0, 4, 4, 0, 4, 0]}
    for optimizer in (sgd(), sgd(momentum=0.9, nesterov=True), rmsprop(momentum=0.5), rmsprop(centered=True), adam()):
        name = label({k: v for k, v in optimizer.items() if k in ("momentum", "centered", "nesterov") and v})
        yield case(f"embedding/absent_rows+{optimizer['class']}+{name}", [embedding()], sparse, optimizer=optimizer)


ACTIVATIONS = ("linear", "relu", "sigmoid", "tanh", "softmax", "softplus", "softsign", "hard_sigmoid", "elu")


def dense_cases():
    for activation in ACTIVATIONS:
        yield case(f"dense/activation={activation}", [dense(3, activation)], vector(3, 4))
    yield case("dense/use_bias=false", [dense(3, use_bias=False)], vector(3, 4))
    yield case("dense/activation=sigmoid+use_bias=false", [dense(1, "sigmoid", use_bias=False)], vector(3, 4), BCE)
    yield case("dense/units=1+B=1", [dense(1, "tanh")], vector(1, 2))
    for activation in ("linear", "softmax", "tanh", "relu"):
        yield case(f"dense/sequence+activation={activation}", [dense(3, activation)], SEQUENCE)
    yield case("dense/sequence+use_bias=false", [dense(3, use_bias=False)], SEQUENCE)
    two = [dense(4, "relu"), dense(2, "tanh", name="dense_1")]
    yield case("dense/two_layers", two, vector(3, 3))
    three = [dense(4, "softplus"), dense(3, "elu", name="dense_1"), dense(3, "softmax", name="dense_2")]
    yield case("dense/three_layers", three, vector(4, 3), CCE, adam())


def dropout_cases():
    for training in (True, False):
        mode = f"training={str(training).lower()}"
        yield case(f"dropout/vector+{mode}", [dropout(0.5)], vector(3, 5), training=training)
        yield case(f"dropout/sequence+{mode}", [dropout(0.3)], SEQUENCE, training=training)
        layers = [dense(4, "tanh"), dropout(0.4), dense(2, name="dense_1")]
        yield case(f"dropout/dense_dropout_dense+{mode}", layers, vector(3, 3), training=training)
    layers = [lstm(return_sequences=True), dropout(0.5), gru(), dropout(0.25, name="dropout_1"), dense(1)]
    yield case("dropout/between_recurrent_layers", layers, training=True)
    yield case("dropout/rate=0", [dense(2), dropout(0.0)], VECTOR, training=True)


def stack_cases():
    head = dense(1, "sigmoid")
    for name, layer in (("lstm", lstm), ("gru", gru), ("simple_rnn", simple_rnn)):
        yield case(f"stacks/embedding_{name}_dense", [embedding(), layer(), head], TOKENS, BCE)
        double = [embedding(), layer(return_sequences=True), layer(name=name + "_1"), head]
        yield case(f"stacks/embedding_{name}_{name}_dense", double, TOKENS, BCE)
        options = {"dropout": 0.3}
        dropped = [embedding(), layer(return_sequences=True, **options), layer(name=name + "_1", **options), head]
        yield case(f"stacks/embedding_{name}_{name}_dense+dropout=0.3", dropped, TOKENS, BCE, training=True)
        options = {"units": 2, "dropout": 0.5, "recurrent_dropout": 0.2}
        dropped = [embedding(), layer(return_sequences=True, **options), layer(name=name + "_1", **options), head]
        yield case(f"stacks/embedding_{name}_{name}_dense+both_dropouts", dropped, TOKENS, BCE, training=True)
    yield case("stacks/embedding_lstm_dense+dropout=0.3", [embedding(), lstm(dropout=0.3), head], TOKENS, BCE,
               training=True)  # fmt: skip
    gru_before = gru(reset_after=False)
    yield case("stacks/embedding_gru_dense+reset_after=false", [embedding(), gru_before, head], TOKENS, BCE, sgd())
    yield case("stacks/embedding_lstm_dense+longer", [embedding(), lstm(units=4), head], MANY_TOKENS, BCE, adam())
    mixed = [lstm(return_sequences=True), gru(return_sequences=True), simple_rnn(), dense(2)]
    yield case("stacks/lstm_gru_simple_rnn_dense", mixed, optimizer=sgd(momentum=0.9))
    each = [embedding(), lstm(return_sequences=True), dense(3, "softmax")]
    yield case("stacks/softmax_at_each_step", each, TOKENS, SCCE, adam())
    each = [gru(return_sequences=True), dense(1, "sigmoid")]
    yield case("stacks/sigmoid_at_each_step", each, SEQUENCE, BCE)
    for clip in ({"clipvalue": 0.02}, {"clipnorm": 0.04}, {"global_clipnorm": 0.05}):
        name = f"stacks/embedding_lstm_dense+{label(clip)}"
        plain = case(name, [embedding(), lstm(), head], TOKENS, BCE, rmsprop(**clip))
        yield {**plain, "seed": "stacks/clip"}
    reused = [dense(3, "tanh"), lstm(), dense(2, name="dense_1")]
    yield case("stacks/dense_before_lstm", reused, SEQUENCE, MSE, adam())


def loss_cases():
    x = vector(4, 3)
    for units in (1, 2):
        yield case(f"losses/bce+sigmoid+units={units}", [dense(units, "sigmoid")], x, BCE)
        logits = loss("binary_crossentropy", True)
        yield case(f"losses/bce+from_logits+units={units}", [dense(units)], x, logits)
    yield case("losses/bce+from_logits+large", [dense(2)], x, logits, weight_std=12.0)
    yield case("losses/bce+sigmoid+soft_targets", [dense(2, "sigmoid")], x, BCE, target="soft")
    yield case("losses/bce+from_logits+soft_targets", [dense(2)], x, logits, target="soft")
    yield case("losses/bce+sigmoid+flat_targets", [dense(1, "sigmoid")], x, BCE, target="flat")
    yield case("losses/bce+hard_sigmoid", [dense(2, "hard_sigmoid")], x, BCE, sgd(0.05), weight_std=0.3)
    yield case("losses/bce+softmax", [dense(3, "softmax")], x, BCE)
    yield case("losses/bce+sigmoid+B=1", [dense(1, "sigmoid")], vector(1, 2), BCE)
    yield case("losses/bce+sigmoid+sequence", [dense(2, "sigmoid")], SEQUENCE, BCE)
    yield case("losses/bce+from_logits+sequence", [dense(2)], SEQUENCE, logits)
    for kind, plain in (("cce", CCE), ("scce", SCCE)):
        logits = loss(plain["class"], True)
        yield case(f"losses/{kind}+softmax", [dense(3, "softmax")], x, plain)
        yield case(f"losses/{kind}+from_logits", [dense(3)], x, logits)
        yield case(f"losses/{kind}+from_logits+large", [dense(3)], x, logits, weight_std=30.0)
        yield case(f"losses/{kind}+softmax+B=1", [dense(2, "softmax")], vector(1, 2), plain)
        yield case(f"losses/{kind}+softmax+sequence", [dense(3, "softmax")], SEQUENCE, plain)
        yield case(f"losses/{kind}+from_logits+sequence", [dense(3)], SEQUENCE, logits)
        # Keras divides by the sum over the classes when the loss is of probabilities; sigmoid outputs show it.
        yield case(f"losses/{kind}+sigmoid", [dense(3, "sigmoid")], x, plain)
    yield case("losses/cce+softmax+soft_targets", [dense(3, "softmax")], x, CCE, target="soft")
    yield case("losses/cce+from_logits+soft_targets", [dense(3)], x, loss(CCE["class"], True), target="soft")
    yield case("losses/scce+softmax+column_targets", [dense(3, "softmax")], x, SCCE, target="column")
    yield case("losses/scce+from_logits+column_targets", [dense(3)], x, loss(SCCE["class"], True), target="column")
    for units in (1, 3):
        yield case(f"losses/mse+units={units}", [dense(units)], x, MSE, sgd())
        yield case(f"losses/mse+sequence+units={units}", [dense(units)], SEQUENCE, MSE, sgd())
    yield case("losses/mse+B=1", [dense(1)], vector(1, 2), MSE, sgd(0.01))
    for kind, plain, target in (("bce", BCE, "soft"), ("bce", BCE, "default"), ("cce", CCE, "soft"), ("cce", CCE, "default")):
        for smoothing in (0.1, 1.0):
            smooth = {"label_smoothing": smoothing}
            name = f"losses/{kind}+{label(smooth)}+{target}_targets"
            activations = ("sigmoid", "hard_sigmoid") if kind == "bce" else ("softmax", "sigmoid")
            for activation in activations:
                from_output, options = loss(plain["class"], **smooth), {"target": target, "weight_std": 0.3}
                yield case(f"{name}+{activation}", [dense(3, activation)], x, from_output, sgd(), **options)
            yield case(f"{name}+from_logits", [dense(3)], x, loss(plain["class"], True, **smooth), sgd(), target=target)
    for units in (1, 3):
        for name, plain, activation in (
            ("mae", MAE, "linear"), ("huber", HUBER, "linear"), ("huber+delta=0.3", loss("huber", delta=0.3), "linear"),
            ("poisson", POISSON, "softplus"),
        ):  # fmt: skip
            layers = [dense(units, activation)]
            yield case(f"losses/{name}+units={units}", layers, x, plain, sgd(0.01))
            yield case(f"losses/{name}+sequence+units={units}", layers, sequence(3, 5), plain, sgd(0.01))
    yield from weighted_loss_cases()


def weighted_loss_cases():
    """Every loss with weights for samples and for steps, one of them 0, with a mask, and with both."""
    smoothing = {"label_smoothing": 0.2}
    kinds = {
        "bce": (BCE, "sigmoid"), "bce+from_logits": (loss(BCE["class"], True), "linear"),
        "bce+hard_sigmoid": (BCE, "hard_sigmoid"), "bce+label_smoothing": (loss(BCE["class"], **smoothing), "sigmoid"),
        "cce": (CCE, "softmax"), "cce+from_logits": (loss(CCE["class"], True), "linear"), "cce+sigmoid": (CCE, "sigmoid"),
        "cce+label_smoothing": (loss(CCE["class"], **smoothing), "softmax"), "scce": (SCCE, "softmax"),
        "scce+from_logits": (loss(SCCE["class"], True), "linear"), "scce+sigmoid": (SCCE, "sigmoid"),
        "mse": (MSE, "linear"), "mae": (MAE, "linear"), "huber": (HUBER, "linear"), "poisson": (POISSON, "softplus"),
    }  # fmt: skip
    mask = [[True, True, False, True], [False, True, False, False], [True, True, True, True]]
    for kind, (plain, activation) in kinds.items():
        layers, small = [dense(3, activation)], sgd(0.01)
        name = f"losses/{kind}"
        yield {**case(f"{name}+sample_weight", layers, vector(4, 3), plain, small, weight_std=0.3), "weighted": "samples"}
        each = {**case(f"{name}+mask", layers, SEQUENCE, plain, small, weight_std=0.3), "mask": mask}
        yield each
        for weighted in ("samples", "steps"):
            yield {**each, "name": f"{name}+mask+{weighted}", "weighted": weighted}
            without = {key: value for key, value in each.items() if key != "mask"}
            yield {**without, "name": f"{name}+{weighted}", "weighted": weighted}


def optimizer_cases():
    layers = [dense(2, "tanh"), dense(1, name="dense_1")]
    optimizers = [
        sgd(), sgd(momentum=0.9), sgd(momentum=0.9, nesterov=True), sgd(momentum=0.5, nesterov=True),
        sgd(nesterov=True), sgd(learning_rate=0.01),
        rmsprop(), rmsprop(momentum=0.9), rmsprop(centered=True), rmsprop(momentum=0.9, centered=True),
        rmsprop(rho=0.7), rmsprop(epsilon=0.01), rmsprop(rho=0.5, epsilon=1e-3, momentum=0.3, centered=True),
        rmsprop(rho=0.0), rmsprop(learning_rate=0.001),
        adam(), adam(beta_1=0.7), adam(beta_2=0.9), adam(epsilon=0.01), adam(beta_1=0.5, beta_2=0.7, epsilon=1e-3),
        adam(learning_rate=0.001), adam(beta_1=0.0), adam(beta_1=0.0, beta_2=0.0),
    ]  # fmt: skip
    for clip in ({"clipvalue": CLIPVALUE}, {"clipnorm": CLIPNORM}, {"global_clipnorm": GLOBAL_CLIPNORM}):
        for plain in (sgd, rmsprop, adam):
            optimizers.append(plain(**clip))
        optimizers += [sgd(momentum=0.9, **clip), rmsprop(momentum=0.9, centered=True, **clip)]
    defaults = {"SGD": sgd(), "RMSprop": rmsprop(), "Adam": adam()}
    for options in optimizers:
        changed = {k: v for k, v in options.items() if defaults[options["class"]].get(k) != v}
        plain = case(f"optimizers/{options['class']}+{label(changed)}", layers, vector(5, 3), optimizer=options)
        yield {**plain, "seed": "optimizers"}


def weight(name, option):
    """Keras' name of an option of a weight: bias_regularizer, but recurrent_regularizer without its kernel."""
    return f"{name.removesuffix('_kernel')}_{option}"


def held_layers():
    """Each layer whose weights can be held, as (name, function that makes it, input, its weights)."""
    kernels = ("kernel", "recurrent_kernel", "bias")
    yield "dense", lambda **options: dense(3, "tanh", **options), vector(3, 4), ("kernel", "bias")
    yield "embedding", embedding, TOKENS, ("embeddings",)
    yield "simple_rnn", simple_rnn, SEQUENCE, kernels
    yield "lstm", lstm, SEQUENCE, kernels
    yield "gru", gru, SEQUENCE, kernels
    yield "gru+reset_after=false", lambda **options: gru(reset_after=False, **options), SEQUENCE, kernels


def held_cases(family, option, choices):
    """Each choice (name, options of the regularizer or constraint, optimizer) on each weight alone."""
    for layer, make, input, weights in held_layers():
        for name in weights:
            for choice, options, optimizer in choices:
                layers = [make(**{weight(name, option): options})]
                yield case(f"{family}/{layer}+{name}={choice}", layers, input, optimizer=optimizer)


L1 = {"class": "L1", "l1": 0.02}
L2 = {"class": "L2", "l2": 0.03}
L1L2 = {"class": "L1L2", "l1": 0.01, "l2": 0.04}


def regularizer_cases():
    family = "regularizers"
    yield from held_cases(family, "regularizer", (("L1", L1, sgd()), ("L2", L2, sgd()), ("L1L2", L1L2, sgd())))
    # With targets at each step, the mean is over more rows than samples; the penalty stays as it is.
    options = {"return_sequences": True, "kernel_regularizer": L1L2, "bias_regularizer": L2}
    yield case(f"{family}/lstm+return_sequences", [lstm(**options)], optimizer=adam())
    stack = [
        embedding(embeddings_regularizer=L2),
        gru(kernel_regularizer=L2, recurrent_regularizer=L1, bias_regularizer=L1L2, dropout=0.5),
        dense(1, "sigmoid", kernel_regularizer=L1L2, bias_regularizer=L1),
    ]
    yield case(f"{family}/stack+dropout", stack, TOKENS, BCE, training=True)
    # The gradient of the penalty is clipped with the rest.
    for clip in ({"clipvalue": 0.05}, {"clipnorm": 0.1}, {"global_clipnorm": 0.05}):
        layers = [lstm(kernel_regularizer=L1L2), dense(1, bias_regularizer=L2)]
        yield {**case(f"{family}/clip+{label(clip)}", layers, optimizer=sgd(**clip)), "seed": "regularizers/clip"}


def constraint_cases():
    family = "constraints"
    max_norm = {"class": "MaxNorm", "max_value": 0.4, "axis": 0}
    min_max_norm = {"class": "MinMaxNorm", "min_value": 0.5, "max_value": 0.6, "rate": 0.5, "axis": 0}
    choices = (
        ("MaxNorm", max_norm, sgd()), ("NonNeg", {"class": "NonNeg"}, sgd()),
        ("UnitNorm", {"class": "UnitNorm", "axis": 0}, sgd()), ("MinMaxNorm", min_max_norm, sgd()),
    )  # fmt: skip
    yield from held_cases(family, "constraint", choices)
    for layer, make, input, weights in held_layers():
        for name in weights:
            # Only some biases have a second axis.
            if name == "bias" and layer != "gru":
                continue
            for options in ({**max_norm, "axis": 1}, {"class": "UnitNorm", "axis": 1}):
                layers = [make(**{weight(name, "constraint"): options})]
                yield case(f"{family}/{layer}+{name}={options['class']}+axis=1", layers, input, optimizer=sgd())
    stack = [
        embedding(embeddings_constraint={**max_norm, "axis": 1}),
        lstm(kernel_constraint=max_norm, recurrent_constraint=min_max_norm, bias_constraint={"class": "NonNeg"}),
        dense(1, "sigmoid", kernel_constraint={"class": "UnitNorm", "axis": 0}, bias_regularizer=L2),
    ]
    for optimizer in (rmsprop(momentum=0.5), adam(), sgd(momentum=0.9, nesterov=True), sgd(clipnorm=0.02)):
        changed = {key: optimizer[key] for key in ("momentum", "nesterov", "clipnorm") if optimizer.get(key)}
        yield case(f"{family}/stack+{optimizer['class']}+{label(changed)}", stack, TOKENS, BCE, optimizer)


# Thresholds that cut some of the gradient of `optimizer_cases`; the runner checks that they do.
CLIPVALUE, CLIPNORM, GLOBAL_CLIPNORM = 0.2, 0.4, 0.6

FAMILIES = {
    "embedding": embedding_cases,
    "dense": dense_cases,
    "dropout": dropout_cases,
    "simple_rnn": simple_rnn_cases,
    "lstm": lstm_cases,
    "gru": gru_cases,
    "stacks": stack_cases,
    "losses": loss_cases,
    "optimizers": optimizer_cases,
    "regularizers": regularizer_cases,
    "constraints": constraint_cases,
}
