"""The DBN in an estimator that a comparison pretrains once for all its fits."""

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from ...boltzmann import CD, get_sampler
from ...estimators import DBNAutoencoder, DBNTransformer, RBMTransformer
from ...estimators.constraints import check_layer_sizes
from ...estimators.dbn import first_visible, layer_prototypes
from ...estimators.predictor import DBNPredictor
from ...estimators.start import dbn_of, stack_activations
from ...training import DenoisingStack, Pretrained, Unrolled
from ...training.budget import MACHINE
from ...training.pretraining import STRUCTURES

# Rows of a batch of which nothing is learned.
_FROZEN_BATCH = 10_000


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


def find_dbn(estimator: Any) -> DBNTransformer | DBNAutoencoder | None:
    """The DBN that an estimator would pretrain in its fit, unfitted; or None.

    For ``init="sae"`` it is a net that stops where its denoising autoencoders are
    trained. Equal ones of several estimators have the same identity.

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
        dbn = dbn_of(first)
    elif dbn == "sae" or isinstance(dbn, DenoisingStack):
        return _denoising(first)
    if not isinstance(dbn, DBNTransformer):
        return None
    found: DBNTransformer = copy_with(dbn, random_state=None)
    return found


def _denoising(net: DBNPredictor) -> DBNAutoencoder:
    """A net that begins as the given one does, all of whose layers are frozen."""
    *below, code = stack_activations(net)
    stack: Any = DenoisingStack() if net.init == "sae" else clone(net.init)
    return DBNAutoencoder(
        net.hidden_layer_sizes,
        init=stack,
        rbm=RBMTransformer(visible=first_visible(net.rbm)),
        activation=below,
        code_activation=code,
        loss=getattr(net, "loss", "auto"),
        learning_rate_multipliers=[0.0] * 2 * (len(below) + 1),
        batch_size=_FROZEN_BATCH,
        max_iter=1,
        device=net.device,
    )


def with_dbn(estimator: Any, dbn: Any) -> Any:
    """The estimator with a fitted DBN in the place where `find_dbn` found it."""
    first, prefix = _place(estimator)
    start: dict[str, Any] = {prefix.removesuffix("__"): FrozenEstimator(dbn)}
    if isinstance(first, DBNPredictor):
        start = {f"{prefix}init": FrozenEstimator(dbn), f"{prefix}rbm": None}
        init = first.init
        if isinstance(init, str) and init in STRUCTURES[1:]:  # only its weights stay
            kind = Unrolled if isinstance(first, DBNAutoencoder) else Pretrained
            start = {f"{prefix}init": kind(dbn.dbn_, init)}
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


def pretraining_cost(dbn: Any, n_features: int, n_rows: int) -> int | None:
    """Multiply-adds of CD-k: 3 + 2 k products per row, layer and epoch.

    And one for the features of the next layer. A denoising autoencoder has five: two
    forward, three back. None where a layer is trained otherwise.

    Parameters
    ----------
    dbn : DBNTransformer or DBNAutoencoder
        From `find_dbn`.
    n_features, n_rows : int

    Examples
    --------
    >>> dbn = DBNTransformer((5, 2), rbm=RBMTransformer(max_iter=3))
    >>> pretraining_cost(dbn, 10, 100) == 100 * (10 * 5 + 5 * 2) * (3 * 5 + 1)
    True
    """
    sizes = check_layer_sizes(dbn.hidden_layer_sizes)
    if isinstance(dbn, DBNAutoencoder):
        layers: list[Any] = [dbn.init] * len(sizes)
    else:
        layers = layer_prototypes(dbn.rbm, len(sizes))
    cost = 0
    for layer, (a, b) in zip(layers, pairwise([n_features, *sizes]), strict=True):
        k: Any = 1
        if isinstance(layer, RBMTransformer):
            sampler = get_sampler(layer.sampler)
            k = getattr(sampler, "k", None)
            if not isinstance(sampler, CD) or not isinstance(k, Integral):
                return None
        _, n_epochs = MACHINE.resolved(n_rows, layer.batch_size, layer.max_iter)
        cost += n_rows * a * b * ((3 + 2 * int(k)) * n_epochs + 1)
    return cost


def weights_of_autoencoder(n_features: int, *sizes: int) -> list[int]:
    """Numbers of weights of an autoencoder's layers, by those of its encoder.

    Examples
    --------
    >>> weights_of_autoencoder(10, 5, 2)
    [50, 10, 10, 50]
    """
    encoder = [a * b for a, b in pairwise([n_features, *sizes])]
    return [*encoder, *reversed(encoder)]


def finetuning_cost(weights: Sequence[int], n_rows: int) -> int:
    """Multiply-adds of an epoch: 3 products per row and layer, 2 in the first.

    Parameters
    ----------
    weights : sequence of int
        Numbers of weights of the layers.
    n_rows : int

    Examples
    --------
    >>> finetuning_cost([50, 10], 100)
    13000
    """
    return n_rows * (3 * sum(weights) - weights[0])
