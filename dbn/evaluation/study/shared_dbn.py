"""The DBN in an estimator that a comparison pretrains once for all its fits."""

from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from ...boltzmann import CD, get_sampler
from ...estimators import DBNTransformer, RBMTransformer
from ...estimators.constraints import check_layer_sizes
from ...estimators.predictor import DBNPredictor
from ...estimators.start import prototypes_for
from ...feedforward import get_activations
from ...training import Pretrained
from ...training.budget import MACHINE
from ...training.pretraining import STRUCTURES


def copy_with(estimator: Any, **values: Any) -> Any:
    """An unfitted copy of an estimator, with other values of these parameters.

    Examples
    --------
    >>> copy_with(RBMTransformer(5), sampler="pcd")
    RBMTransformer(n_components=5, sampler='pcd')
    """
    copy: Any = clone(estimator)
    return copy.set_params(**values)


def _place(estimator: Any) -> tuple[Any, str]:
    """The net or DBN that sees the rows themselves, and what its parameters begin with.

    A DBN behind other steps learns from what they make of the rows, in its own fit.
    """
    if isinstance(estimator, Pipeline):
        name, first = estimator.steps[0]
        return first, f"{name}__"
    return estimator, ""


def find_dbn(estimator: Any) -> DBNTransformer | None:
    """The DBN that an estimator would pretrain in its fit, unfitted; or None.

    Equal ones of several estimators have the same identity.

    Examples
    --------
    >>> from dbn import DBNClassifier
    >>> find_dbn(DBNClassifier((5,), init="he_normal")) is None
    True
    >>> find_dbn(DBNClassifier((5,), init=DBNTransformer((5,), random_state=3)))
    DBNTransformer(hidden_layer_sizes=(5,))
    """
    first, _ = _place(estimator)
    dbn = first.init if isinstance(first, DBNPredictor) else first
    if isinstance(dbn, str) and dbn in STRUCTURES:
        n_layers = len(check_layer_sizes(first.hidden_layer_sizes))
        activations = get_activations(first.activation, n_layers)
        rbm = prototypes_for(first.rbm, activations)
        dbn = DBNTransformer(first.hidden_layer_sizes, rbm=rbm, device=first.device)
    if not isinstance(dbn, DBNTransformer):
        return None
    found: DBNTransformer = copy_with(dbn, random_state=None)
    return found


def with_dbn(estimator: Any, dbn: Any) -> Any:
    """The estimator with a fitted DBN in the place where `find_dbn` found it."""
    first, prefix = _place(estimator)
    start: dict[str, Any] = {prefix.removesuffix("__"): FrozenEstimator(dbn)}
    if isinstance(first, DBNPredictor):
        start = {f"{prefix}init": FrozenEstimator(dbn), f"{prefix}rbm": None}
        init = first.init
        if isinstance(init, str) and init in STRUCTURES[1:]:  # only its weights stay
            start = {f"{prefix}init": Pretrained(dbn.dbn_, init)}
    return estimator.set_params(**start)


def set_everywhere(estimator: Any, **values: Any) -> Any:
    """Set parameters of these names in an estimator and in all that is inside it.

    Examples
    --------
    >>> from dbn import DBNClassifier
    >>> net = DBNClassifier(rbm=RBMTransformer())
    >>> set_everywhere(net, batch_size=5, rbm__max_iter=2)
    DBNClassifier(batch_size=5, rbm=RBMTransformer(batch_size=5, max_iter=2))
    """
    found = {
        name: value
        for name in estimator.get_params()
        for last, value in values.items()
        if f"__{name}".endswith(f"__{last}")
    }
    return estimator.set_params(**found)


def pretraining_cost(dbn: DBNTransformer, n_features: int, n_rows: int) -> int | None:
    """Multiply-adds of CD-k: 3 + 2 k products per row, layer and epoch.

    And one for the features of the next layer. None where it is trained otherwise, or
    its layers are not all alike.

    Examples
    --------
    >>> dbn = DBNTransformer((5, 2), rbm=RBMTransformer(max_iter=3))
    >>> pretraining_cost(dbn, 10, 100) == 100 * (10 * 5 + 5 * 2) * (3 * 5 + 1)
    True
    """
    rbm: Any = RBMTransformer() if dbn.rbm is None else dbn.rbm
    sampler = get_sampler(getattr(rbm, "sampler", "cd"))
    k: Any = getattr(sampler, "k", None)
    alike = isinstance(rbm, RBMTransformer) and isinstance(k, Integral)
    if not isinstance(sampler, CD) or not alike:
        return None
    sizes = [n_features, *np.ravel(dbn.hidden_layer_sizes).tolist()]
    weights: int = sum(a * b for a, b in pairwise(sizes))
    _, n_epochs = MACHINE.resolved(n_rows, rbm.batch_size, rbm.max_iter)
    return n_rows * weights * ((3 + 2 * int(k)) * n_epochs + 1)
