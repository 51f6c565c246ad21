"""What a prototype is to the machine with labels, at the top of a stack."""

import warnings
from typing import Any

from ..boltzmann import Units
from ..training import SGD, get_optimizer
from ..training.budget import TOP_MACHINE, TOP_MACHINE_OF_FEW_LABELS
from ..training.contrastive import classifying_top
from .rbm import RBMTransformer


def top_prototype(units: Units, n_rows: int, n_unlabelled: int, n_visible: int) -> Any:
    """The machine with labels, where nobody has given one.

    Parameters
    ----------
    units : Units
        Of its features.
    n_rows, n_unlabelled : int
        Rows to train on, and those without a label that count.
    n_visible : int
        Its visible units, labels included.
    """
    few = n_unlabelled > n_rows / 2
    budget = TOP_MACHINE_OF_FEW_LABELS if few else TOP_MACHINE
    length = budget.resolved(n_rows, "auto", "auto")
    return RBMTransformer(**classifying_top(*length, units.bounded, n_visible))


def label_options(top: RBMTransformer) -> dict[str, Any]:
    """How labels, which are few, learn faster than the rest of the top machine.

    Only a centered one bears it; an optimizer that scales gradients does so itself. At
    such a rate weights must not begin close to 0: a few hidden units would learn, and
    take the place of all others.
    """
    plain = top.optimizer is None or isinstance(get_optimizer(top.optimizer), SGD)
    if top.centering and plain:
        return {"label_rate": 10.0, "initial_scale": 0.1}
    return {}


def warn_of_idle(prototype: RBMTransformer) -> None:
    """Warn of settings of machines below the top one, where there are none.

    No error: of a search over `hidden_layer_sizes` some candidates may have one layer.
    """
    settings, defaults = (
        {"hidden": machine.hidden, **machine.training_options()}
        for machine in (prototype, RBMTransformer())
    )
    idle = [name for name, value in settings.items() if value != defaults[name]]
    if idle:
        warnings.warn(
            f"rbm is {prototype!r:.200}, the prototype of the machines below the top "
            "one, and a single layer has none: nothing comes of its "
            f"{', '.join(idle)}. For the top machine give a list, rbm=[RBMTransformer("
            "...)], or more layers in hidden_layer_sizes.",
            stacklevel=5,
        )
