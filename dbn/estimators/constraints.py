"""What the parameters of the estimators may be: scikit-learn checks it in `fit`."""

from numbers import Integral, Real
from typing import Any

from ..boltzmann import Sampler, Units
from ..boltzmann.samplers import SAMPLERS
from ..boltzmann.units import UNITS
from ..feedforward import Activation
from ..feedforward.layers import ACTIVATIONS
from ..training import Optimizer, Sparsity
from ..training.optimizers import OPTIMIZERS
from ._sklearn import Interval, StrOptions

# Of all estimators.
RUNNING = {
    "device": [str, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
TRAINING = {
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "on_divergence": [StrOptions({"raise", "halve"})],
    "warm_start": ["boolean"],
    **RUNNING,
}
MACHINE = {
    "n_components": [Interval(Integral, 1, None, closed="left")],
    "visible": [StrOptions({"auto", *UNITS}), Units],
    "hidden": [StrOptions({*UNITS}), Units],
    "sampler": [StrOptions({*SAMPLERS}), Sampler],
    "optimizer": [StrOptions({*OPTIMIZERS}), Optimizer, None],
    "centering": ["boolean"],
    "l1": [Interval(Real, 0, None, closed="left")],
    "sparsity": [Interval(Real, 0, 1, closed="neither"), Sparsity, None],
    **TRAINING,
}

NET = {
    "hidden_layer_sizes": ["array-like", Integral],
    "activation": [StrOptions({*ACTIVATIONS}), Activation, list, tuple],
    "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple],
    "batch_norm": ["boolean"],
    "optimizer": [StrOptions({*OPTIMIZERS}), Optimizer],
    "max_norm": [Interval(Real, 0, None, closed="neither"), None],
    "learning_rate_multipliers": ["array-like", None],
    "head_epochs": [Interval(Integral, 0, None, closed="left")],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "unlabeled": "no_validation",
    **TRAINING,
}

# Of generative classifiers.
LABELS = {
    "unlabeled": "no_validation",
    "unlabeled_weight": [Interval(Real, 0, None, closed="left")],
    "class_weight": [dict, StrOptions({"balanced"}), None],
    **{
        name: NET[name]
        for name in (
            *("early_stopping", "validation_fraction", "n_iter_no_change", "tol"),
        )
    },
}


def check_layer_sizes(sizes: Any) -> list[int]:
    """Return `hidden_layer_sizes` as a list of positive ints.

    Raises
    ------
    ValueError
        If there is no layer, or a size is not a positive integer.
    """
    found = [sizes] if isinstance(sizes, Integral) else list(sizes)
    if not found or not all(isinstance(n, Integral) and int(n) > 0 for n in found):
        raise ValueError(
            f"hidden_layer_sizes must be one or more positive integers; it is {sizes}."
        )
    return [int(n) for n in found]
