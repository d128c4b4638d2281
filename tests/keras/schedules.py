"""Learning-rate schedules: the rate at each of the first steps and at some far ones.

All are Keras', but for OneCycle, which is PyTorch's `OneCycleLR`.
"""

import keras
import numpy as np

BASE = 0.01

SCHEDULES = {
    "exponential": {"class": "ExponentialDecay", "decay_steps": 12, "decay_rate": 0.6},
    "exponential+staircase": {"class": "ExponentialDecay", "decay_steps": 12, "decay_rate": 0.6, "staircase": True},
    "inverse_time": {"class": "InverseTimeDecay", "decay_steps": 12, "decay_rate": 0.7},
    "inverse_time+staircase": {"class": "InverseTimeDecay", "decay_steps": 12, "decay_rate": 0.7, "staircase": True},
    "polynomial": {"class": "PolynomialDecay", "decay_steps": 30},
    "polynomial+power": {"class": "PolynomialDecay", "decay_steps": 30, "end_learning_rate": 0.002, "power": 2.0},
    "polynomial+cycle": {
        "class": "PolynomialDecay", "decay_steps": 15, "end_learning_rate": 0.001, "power": 0.5, "cycle": True,
    },
    "piecewise": {"class": "PiecewiseConstantDecay", "boundaries": [10, 25, 26], "values": [0.01, 0.02, 0.003, 0.001]},
    "cosine": {"class": "CosineDecay", "decay_steps": 40},
    "cosine+alpha": {"class": "CosineDecay", "decay_steps": 30, "alpha": 0.1},
    "cosine+warmup": {
        "class": "CosineDecay", "initial_learning_rate": 0.0, "decay_steps": 30, "alpha": 0.05, "warmup_target": 0.02,
        "warmup_steps": 10,
    },
    "restarts": {"class": "CosineDecayRestarts", "first_decay_steps": 10},
    "restarts+t_mul=1": {"class": "CosineDecayRestarts", "first_decay_steps": 10, "t_mul": 1.0, "m_mul": 0.8},
    "restarts+all": {
        "class": "CosineDecayRestarts", "first_decay_steps": 7, "t_mul": 1.5, "m_mul": 0.9, "alpha": 0.1,
    },
    "one_cycle": {"class": "OneCycle", "max_learning_rate": 0.03, "total_steps": 50},
    "one_cycle+all": {
        "class": "OneCycle", "max_learning_rate": 0.02, "total_steps": 41, "pct_start": 0.1, "div_factor": 10.0,
        "final_div_factor": 100.0,
    },
}  # fmt: skip


class Table(keras.optimizers.schedules.LearningRateSchedule):
    """Rates that are known one by one."""

    def __init__(self, rates):
        self.rates = keras.ops.convert_to_tensor(rates)

    def __call__(self, step):
        return self.rates[keras.ops.minimum(step, len(self.rates) - 1)]


def one_cycle_rates(max_learning_rate, total_steps, **options):
    """What PyTorch gives for each step; momentum is left alone."""
    import torch

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_learning_rate, total_steps=total_steps, cycle_momentum=False, **options
    )
    rates = []
    for _ in range(total_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(rates) < total_steps:
            cycle.step()
    return np.array(rates)


def schedule_of(options, rate=BASE):
    """The schedule, which starts at `rate` unless its options tell."""
    options = dict(options)
    name = options.pop("class")
    if name == "OneCycle":
        return Table(one_cycle_rates(**options))
    if name != "PiecewiseConstantDecay":
        options.setdefault("initial_learning_rate", rate)
    return getattr(keras.optimizers.schedules, name)(**options)


def all_cases():
    for name, options in SCHEDULES.items():
        schedule = schedule_of(options)
        # PyTorch gives no rate after the last step, Keras any.
        steps = [*range(options["total_steps"] if options["class"] == "OneCycle" else 120)]
        rates = [float(schedule(step)) for step in steps]
        assert np.isfinite(rates).all() and len(set(rates)) > 3, name
        yield {"name": f"schedules/{name}", "schedule": options, "learning_rate": BASE, "rates": rates}
