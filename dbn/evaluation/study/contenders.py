"""What a comparison compares: each a name, an unfitted estimator and its grid."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.frozen import FrozenEstimator

from ...estimators import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    GenerativeDBNClassifier,
    RBMClassifier,
    RBMTransformer,
)
from ...estimators.predictor import DBNPredictor
from ...feedforward import get_activation, get_initializer
from ...training import Adam, DenoisingStack, Pretrained, Schedule
from ...training.pretraining import STRUCTURES, check_startable, matching_units
from .records import (
    CANDIDATE,
    DROPOUT,
    NOTHING,
    RECORD,
    contender_name,
    kind_of,
)
from .shared_dbn import copy_with, set_everywhere

NETS: dict[str, Any] = {
    "classes": DBNClassifier,
    "numbers": DBNRegressor,
    "rows": DBNAutoencoder,
}
# What the third and fourth name of a start may be.
_OPTIONS = ("dropout", "batch_norm")
# Densities of rows and class, and what is searched of each, from the largest: how much
# the density counts beside the class, and a row without a label beside one with it.
GENERATIVE: dict[str, tuple[Any, str, float, float]] = {
    "RBMClassifier": (RBMClassifier, "generative_weight", 3.0, 0.003),
    "GenerativeDBNClassifier": (GenerativeDBNClassifier, "unlabeled_weight", 1.0, 0.03),
}


@dataclass(frozen=True)
class Contender:
    """One way to a classifier, as `compare_initializers` compares it with others.

    It is trained and tested on the same rows and folds as all others, its value chosen
    from the grid on the same validation rows, and every `random_state` in it is the
    seed. All else is as the estimator says: epochs and batches are its own.

    A DBN in it that sees the rows themselves (a net with ``init="dbn"`` or an unfitted
    `DBNTransformer` there, a `DBNTransformer` as first step of a pipeline) is
    pretrained by the comparison, on its pretraining rows: once for each seed, for all
    values and folds and for all contenders that have an equal one.

    A net that starts from no DBN counts as another start. One that starts from a DBN is
    what the others are compared with if it is the only one, or the first and `inits`
    names none. Everything else is a control.

    Parameters
    ----------
    name : str
        In tables and pictures.
    estimator : classifier, or regressor where y holds numbers
        Cloned for every fit. Classes are given to it as numbers from 0, in the order of
        ``numpy.unique(y)``: a `class_weight` or `pos_label` in it is about these.
        Without y, a transformer with an `inverse_transform`.
    grid : dict of str to sequence of float
        One parameter, as in `set_params`, and its values, 0 or more. In an empty one
        there is nothing to choose.
    unlabeled : bool, default=False
        Whether it learns from rows without labels too: it is fitted on all rows that
        DBNs are pretrained on, and y is -1 where there is no label (NaN of numbers).
    chosen_on : int, default=0
        Labelled rows that its settings were chosen on. Where these are more than the
        label budget, its row says so: others had to do with less.

    Raises
    ------
    ValueError
        If one of these is something else.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from dbn.evaluation import Contender
    >>> forest = Contender(
    ...     "forest", RandomForestClassifier(), {"max_features": [0.1, 0.3]})
    >>> forest.candidate(0.3)
    RandomForestClassifier(max_features=0.3)
    """

    name: str
    estimator: BaseEstimator
    grid: dict[str, Any]
    unlabeled: bool = field(default=False, kw_only=True)
    chosen_on: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        if not RECORD["parameter"](self.name) or not self.name:
            raise ValueError(
                f"name is {self.name!r:.200}; give a contender a printable one of at "
                "most 100 characters."
            )
        if not RECORD["chosen_on"](self.chosen_on):
            raise ValueError(
                f"chosen_on of {self.name!r} is {self.chosen_on!r:.80}; give how many "
                "labelled rows its settings were chosen on, or 0."
            )
        model = self.estimator
        kinds = _FITS.values()
        if isinstance(model, type) or not any(fits(model) for fits in kinds):
            raise ValueError(
                f"estimator of {self.name!r} is {self.estimator!r:.200}; give a "
                "classifier, or a regressor for numbers, or a transformer with an "
                "inverse_transform for reconstructions, not yet fitted."
            )
        one = isinstance(self.grid, dict) and len(self.grid) < 2
        values: Any = self.values if one else ()
        numbers = isinstance(values, list | tuple) and all(map(RECORD["value"], values))
        if not (numbers and 0 < len({*values}) == len(values)):
            raise ValueError(
                f"grid of {self.name!r} is {self.grid!r:.200}; give a dict with one "
                "parameter and a list of its values: plain numbers, 0 or more, each of "
                "them once. Search others with a GridSearchCV as estimator."
            )
        self.candidate(values[0])  # an error says which parameters there are

    @property
    def values(self) -> Any:
        """What is tried."""
        values = next(iter(self.grid.values()), (0,))
        return values.tolist() if isinstance(values, np.ndarray) else values

    @property
    def parameter(self) -> str:
        """What is tuned, without where it stands in the estimator."""
        name = next(iter(self.grid), NOTHING)
        # Of a rate that falls, the one it falls from.
        return name.removesuffix("__start").rpartition("__")[2]

    @property
    def kind(self) -> str:
        """'dbn', 'start' or 'control', see `kind_of`."""
        init = getattr(self.estimator, "init", None)
        if not isinstance(self.estimator, DBNPredictor):
            return "control"
        if isinstance(init, DBNTransformer) or init == "dbn":
            return "dbn"
        other = isinstance(init, FrozenEstimator | Pretrained) or init in STRUCTURES
        return "control" if other else "start"

    @property
    def told(self) -> dict[str, Any]:
        """What its records say about it."""
        more = {"chosen_on": self.chosen_on} if self.chosen_on else {}
        return {"contender": self.name} | more

    def candidate(self, value: float | None) -> Any:
        """The estimator with one of the values; None is none of them."""
        name = next(iter(self.grid), None)
        chosen = {} if value is None or name is None else {name: value}
        return copy_with(self.estimator, **chosen)


@dataclass(frozen=True)
class Start(Contender):
    """A contender by the names that `inits` has, or a control of every comparison.

    Its layers, epochs and batches are those of the comparison. With `search`, what is
    tried are these candidates, by number.
    """

    init: str
    activation: str
    dropout: float = 0.0
    batch_norm: bool = False
    search: tuple[dict[str, Any], ...] = ()

    @property
    def kind(self) -> str:
        return kind_of(vars(self))

    @property
    def is_net(self) -> bool:
        """Whether it is a net, tuned as all nets are."""
        return isinstance(self.estimator, DBNPredictor)

    def candidate(self, value: float | None) -> Any:
        if not self.search or value is None:
            return super().candidate(value)
        its = dict(self.search[int(value)])
        rate, falls = its.pop("learning_rate"), its.pop("falls")
        its["dropout"] = self.dropout or its["dropout"]
        return copy_with(
            self.estimator,
            optimizer=Adam(Schedule(rate, 0.0) if falls else rate),
            **its,
        )


@dataclass(frozen=True)
class Generative(Contender):
    """A density of rows and class, by the name of its estimator.

    Its layers are those of the comparison (of one layer the widest), batches and epochs
    its own, and it learns from the rows that DBNs are pretrained on.
    """

    def sized(self, sizes: Sequence[int], value: float | None) -> Any:
        """The estimator with one of the values, and with these layers."""
        layers = {"hidden_layer_sizes": tuple(sizes), "n_components": max(sizes)}
        return set_everywhere(self.candidate(value), **layers)


def rates_beyond(rates: Sequence[float]) -> dict[float, list[float]]:
    """Two more learning rates beyond the smallest, and two beyond the largest.

    None of fewer than three rates: of these each is at an end.

    Examples
    --------
    >>> rates_beyond([0.001, 0.01, 0.1])
    {0.001: [0.0001, 1e-05], 0.1: [1.0, 10.0]}
    """
    if len(rates) < 3:
        return {}
    found, ends = sorted(rates), {}
    for end, inner in ((found[0], found[1]), (found[-1], found[-2])):
        step = end / inner
        ends[end] = [float(f"{end * step**i:.3g}") for i in (1, 2)]
    return ends


def drawn_candidates(
    n: int, rates: Sequence[float], target: str = "classes"
) -> tuple[dict[str, Any], ...]:
    """What is tried of every net alike with `search`: drawn from one seed.

    Parameters
    ----------
    n : int
    rates : sequence of float
        Learning rates are drawn from a third of the smallest to three times the
        largest.
    target : {"classes", "numbers", "rows"}
        Nets that give back rows have no dropout.

    Examples
    --------
    >>> [sorted(its) for its in drawn_candidates(1, [0.01])]
    [['dropout', 'falls', 'learning_rate', 'weight_decay']]
    """
    rng = np.random.default_rng(0)
    dropouts = [0.0] if target == "rows" else [0.0, 0.25, DROPOUT]
    ends = np.log10([min(rates) / 3, 3 * max(rates)])
    return tuple(
        {
            "learning_rate": float(f"{10 ** rng.uniform(*ends):.3g}"),
            "weight_decay": float(rng.choice([0.0, 1e-4, 1e-3])),
            "dropout": float(rng.choice(dropouts)),
            "falls": bool(rng.random() < 0.5),  # the rate, to 0
        }
        for _ in range(n)
    )


@dataclass(frozen=True)
class Nets:
    """What all nets that are named have in common.

    Parameters
    ----------
    rates : sequence of float
        The grid.
    rbm : RBMTransformer
        Of which DBNs are made.
    target : {"classes", "numbers", "rows"}
    search : tuple of dict
        In place of the grid, see `drawn_candidates`.
    incomplete : bool
        Whether columns are no numbers, or values are not known.

    Examples
    --------
    >>> nets = Nets([0.01], RBMTransformer())
    >>> nets.contender(("he_normal", "relu", "dropout")).name
    'he_normal + relu + dropout'
    """

    rates: Sequence[float]
    rbm: RBMTransformer
    target: str = "classes"
    search: tuple[dict[str, Any], ...] = ()
    incomplete: bool = False

    def contender(self, entry: Any) -> Contender:
        """The contender that an entry of `inits` names, or is.

        Parameters
        ----------
        entry : (init, activation), perhaps with options, str or Contender

        Raises
        ------
        ValueError
            If it is neither, or there is no such start.
        """
        if isinstance(entry, Contender):
            return self._checked(entry)
        if isinstance(entry, str) and entry in GENERATIVE:
            return self._checked(self._generative(entry))
        words = [*entry] if isinstance(entry, list | tuple) else []
        if not 2 <= len(words) <= 4 or not all(isinstance(w, str) for w in words):
            raise ValueError(
                f"{entry!r} in inits is no start. Give names: (init, activation), or "
                f"(init, activation, 'dropout'); {' or '.join(map(repr, GENERATIVE))}; "
                "or a Contender."
            )
        init, activation, *more = words
        unknown = [word for word in more if word not in _OPTIONS]
        if unknown or len({*more}) < len(more):
            raise ValueError(
                f"{(unknown or more)[0]!r} in {entry!r} is not known; after the "
                "activation may stand 'dropout' and 'batch_norm', each once."
            )
        function = get_activation(activation)
        units = matching_units(function)
        if init in STRUCTURES:
            check_startable(units, function)
        elif init != "sae":
            get_initializer(init)
        names: dict[str, Any] = {
            "init": init,
            "activation": activation,
            "dropout": DROPOUT if "dropout" in more else 0.0,
            "batch_norm": "batch_norm" in more,
        }
        rbm = copy_with(self.rbm, hidden=units)
        gives_back = self.target == "rows"
        adam = Adam(Schedule(0.01, 0.0)) if gives_back else Adam()
        # Equal epochs are equal: none of them stops on its training loss.
        net = NETS[self.target](rbm=rbm, optimizer=adam, tol=0.0, **names)
        if init == "sae":  # an object, which can be told how long it trains
            net.set_params(init=DenoisingStack())
        rate = f"optimizer__learning_rate{'__start' if gives_back else ''}"
        grid: dict[str, Any] = {rate: self.rates}
        if self.search:
            grid = {CANDIDATE: [*range(len(self.search))]}
        names["search"] = self.search
        return Start(contender_name(names), net, grid, **names)

    def _generative(self, name: str) -> Contender:
        """With as many values to choose from as a net has."""
        estimator, parameter, most, least = GENERATIVE[name]
        n = len(self.search or self.rates)
        grid = {parameter: [float(f"{v:.2g}") for v in np.geomspace(most, least, n)]}
        return Generative(name, estimator(unlabeled=-1), grid, unlabeled=True)

    def _checked(self, contender: Contender) -> Contender:
        """The contender, if it gives what y holds."""
        if not _FITS[self.target](contender.estimator):
            raise ValueError(
                f"{_HOLDS[self.target][0]}, and the estimator of {contender.name!r} is "
                f"{contender.estimator!r:.200}. Give a {_HOLDS[self.target][1]}."
            )
        if self.target == "rows" and contender.unlabeled:
            raise ValueError(
                f"y is None, and {contender.name!r} has unlabeled=True. No row has a "
                "label then, and all are trained on: leave unlabeled away."
            )
        return contender


def _gives_back(model: Any) -> bool:
    return hasattr(model, "transform") and hasattr(model, "inverse_transform")


# What a contender must be for each target, and how that is said.
_FITS: dict[str, Callable[[Any], bool]] = {
    "classes": is_classifier,
    "numbers": is_regressor,
    "rows": _gives_back,
}
_HOLDS = {
    "classes": ("y holds classes", "classifier"),
    "numbers": ("y holds numbers", "regressor"),
    "rows": (
        "y is None, so starts are compared by how they give back the rows",
        "transformer with an inverse_transform",
    ),
}


def tested_dbn(contenders: Iterable[Contender]) -> Contender | None:
    """The DBN that is compared with the others: one by name, or the first; or None."""
    dbns = (contender for contender in contenders if contender.kind == "dbn")
    return min(dbns, key=lambda dbn: not isinstance(dbn, Start), default=None)
