"""Fifty steps of each optimizer, with each option that all optimizers share and with each schedule.

The 15 rows of one problem are taken in three batches, again and again. Numbers that go in have three decimals, so that
the file stays small.
"""

import jax
import keras
import numpy as np

import cases
import runner
import schedules

STEPS, BATCH = 50, 5
LAYERS = [cases.dense(2, "tanh"), cases.dense(1, name="dense_1")]


def adagrad(**options):
    return {"class": "Adagrad", "learning_rate": 0.05, "initial_accumulator_value": 0.1, "epsilon": 1e-7, **options}


def nadam(**options):
    return {**cases.adam(**options), "class": "Nadam"}


def adamw(**options):
    return {**cases.adam(**options), "class": "AdamW"}


OPTIMIZERS = {
    "sgd": cases.sgd(0.05),
    "sgd+momentum": cases.sgd(0.02, momentum=0.9),
    "sgd+nesterov": cases.sgd(0.02, momentum=0.9, nesterov=True),
    "rmsprop": cases.rmsprop(0.005),
    "rmsprop+momentum": cases.rmsprop(0.002, momentum=0.5),
    "rmsprop+centered": cases.rmsprop(0.005, centered=True),
    "rmsprop+centered+momentum": cases.rmsprop(0.002, centered=True, momentum=0.5),
    "adam": cases.adam(),
    "adam+amsgrad": cases.adam(amsgrad=True, beta_2=0.9),
    "adamw": adamw(beta_1=0.8),
    "adamw+amsgrad": adamw(amsgrad=True, beta_1=0.8, beta_2=0.9),
    "nadam": nadam(),
    "nadam+beta_1=0.5": nadam(beta_1=0.5, beta_2=0.9, epsilon=1e-3),
    "adagrad": adagrad(),
    "adagrad+start=1": adagrad(initial_accumulator_value=1.0, epsilon=1e-3),
}
DECAY = {"weight_decay": 0.1}
EMA = {"use_ema": True, "ema_momentum": 0.9}
OVERWRITE = {**EMA, "ema_overwrite_frequency": 7}
SCHEDULE = {"schedule": {"class": "ExponentialDecay", "decay_steps": 20, "decay_rate": 0.5}}
ACCUMULATE = {"gradient_accumulation_steps": 4}
SHARED = {
    "plain": {},
    "clipvalue": {"clipvalue": 0.1},
    "clipnorm": {"clipnorm": 0.2},
    "global_clipnorm": {"global_clipnorm": 0.3},
    "decay": DECAY,
    "decay+exclude": {**DECAY, "exclude": ["bias"]},
    "schedule": SCHEDULE,
    "ema": EMA,
    "ema+overwrite": OVERWRITE,
    "accumulate": ACCUMULATE,
    "all": {**ACCUMULATE, **OVERWRITE, **SCHEDULE, **DECAY, "global_clipnorm": 0.3},
}


def optimizer_of(options):
    options = dict(options)
    exclude, schedule = options.pop("exclude", None), options.pop("schedule", None)
    if schedule:
        options["learning_rate"] = schedules.schedule_of(schedule, options["learning_rate"])
    optimizer = runner.optimizer_of(options)
    if exclude:
        optimizer.exclude_from_weight_decay(var_names=exclude)
    return optimizer


def run(name, options):
    rng = np.random.default_rng(runner.SEED)
    draw = lambda *shape: np.round(rng.uniform(-1.0, 1.0, shape), 3)
    x, y = draw(3 * BATCH, 3), draw(3 * BATCH, 1)
    model = runner.build({"layers": LAYERS}, (BATCH, 3), False)
    names = [v.path for v in model.trainable_variables]
    weights = [draw(*v.shape) for v in model.trainable_variables]
    loss_of = keras.losses.MeanSquaredError()
    objective = lambda variables, x, y: loss_of(y, model.stateless_call(variables, [], x)[0])
    step = jax.jit(jax.value_and_grad(objective))

    optimizer = optimizer_of(options)
    optimizer.build(model.trainable_variables)
    apply = jax.jit(optimizer.stateless_apply)
    state = [v.value for v in optimizer.variables]
    variables = [jax.numpy.asarray(w) for w in weights]
    runner.check_float64(optimizer.stateless_apply, state, variables, variables)
    losses = []
    for number in range(STEPS):
        rows = slice(number % 3 * BATCH, (number % 3 + 1) * BATCH)
        loss, gradients = step(variables, x[rows], y[rows])
        losses.append(float(loss))
        variables, state = apply(state, gradients, variables)
    golden = {
        "name": f"trajectories/{name}",
        "layers": LAYERS,
        "input": {"kind": "vector", **runner.tensor(x)},
        "target": runner.tensor(y),
        "batch": BATCH,
        "weights": {n: runner.tensor(w) for n, w in zip(names, weights)},
        "loss": cases.MSE,
        "optimizer": options,
        "losses": losses,
        "final_weights": {n: runner.tensor(w) for n, w in zip(names, variables)},
    }
    if options.get("use_ema"):
        # What `fit` does at its end.
        for variable, value in zip([*optimizer.variables, *model.trainable_variables], [*state, *variables]):
            variable.assign(value)
        optimizer.finalize_variable_values(model.trainable_variables)
        golden["averages"] = {v.path: runner.tensor(v.value) for v in model.trainable_variables}
    keras.backend.clear_session()
    return golden


def all_cases():
    """Each case must end elsewhere than all others: an option that does nothing would show nothing."""
    ends = {}
    for name, options in OPTIMIZERS.items():
        for kind, shared in SHARED.items():
            yield from distinct(ends, run(f"{name}/{kind}", {**options, **shared}))
    for name, schedule in schedules.SCHEDULES.items():
        yield from distinct(ends, run(f"schedules/{name}", {**cases.adam(), "schedule": schedule}))


def distinct(ends, golden):
    # An average that nothing is overwritten with leaves the weights as they would be without.
    end = str(golden["final_weights"]) + str(golden.get("averages"))
    assert end not in ends, (golden["name"], ends[end])
    ends[end] = golden["name"]
    yield golden
