"""What a comparison compares: each a name, an unfitted estimator and its grid."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from ...estimators import DBNClassifier, DBNTransformer, RBMTransformer
from ...feedforward import get_activation, get_initializer
from ...training import Adam, Pretrained
from ...training.pretraining import STRUCTURES, check_startable, matching_units
from .records import DROPOUT, LOGISTIC, RECORD, contender_name, kind_of
from .shared_dbn import copy_with, find_dbn

# What most people would train today.
MODERN = ("he_normal", "relu", "dropout")
# The grid of the controls without a net.
CS = (0.01, 0.1, 1.0, 10.0, 100.0)


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
    estimator : classifier
        Cloned for every fit.
    grid : dict of str to sequence of float
        One parameter, as in `set_params`, and its values, 0 or more.
    unlabeled : bool, default=False
        Whether it learns from rows without labels too: it is fitted on all rows that
        DBNs are pretrained on, and y is -1 where there is no label.

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

    def __post_init__(self) -> None:
        if not RECORD["parameter"](self.name) or not self.name:
            raise ValueError(
                f"name is {self.name!r:.200}; give a contender a printable one of at "
                "most 100 characters."
            )
        if isinstance(self.estimator, type) or not is_classifier(self.estimator):
            raise ValueError(
                f"estimator of {self.name!r} is {self.estimator!r:.200}; give a "
                "classifier, not yet fitted."
            )
        one = isinstance(self.grid, dict) and len(self.grid) == 1
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
        values = next(iter(self.grid.values()))
        return values.tolist() if isinstance(values, np.ndarray) else values

    @property
    def parameter(self) -> str:
        """What is tuned, without where it stands in the estimator."""
        return next(iter(self.grid)).rpartition("__")[2]

    @property
    def kind(self) -> str:
        """'dbn', 'start' or 'control', see `kind_of`."""
        init = getattr(self.estimator, "init", None)
        if not isinstance(self.estimator, DBNClassifier):
            return "control"
        if isinstance(init, DBNTransformer) or init == "dbn":
            return "dbn"
        other = isinstance(init, FrozenEstimator | Pretrained) or init in STRUCTURES
        return "control" if other else "start"

    def candidate(self, value: float | None) -> Any:
        """The estimator with one of the values; None is none of them."""
        chosen = {} if value is None else {next(iter(self.grid)): value}
        return copy_with(self.estimator, **chosen)


@dataclass(frozen=True)
class Start(Contender):
    """A contender by the names that `inits` has, or a control of every comparison.

    Its layers, epochs and batches are those of the comparison.
    """

    init: str
    activation: str
    dropout: float = 0.0

    @property
    def kind(self) -> str:
        return kind_of(vars(self))


def as_contender(entry: Any, rates: Sequence[float], rbm: RBMTransformer) -> Contender:
    """The contender that an entry of `inits` names, or is.

    Parameters
    ----------
    entry : (init, activation), (init, activation, "dropout") or Contender
    rates : sequence of float
        The grid of a net that is named.
    rbm : RBMTransformer
        Of which its DBN is made.

    Raises
    ------
    ValueError
        If it is neither, or there is no such start.

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> as_contender(("he_normal", "relu", "dropout"), [0.01], RBMTransformer()).name
    'he_normal + relu + dropout'
    """
    if isinstance(entry, Contender):
        return entry
    entry = tuple(entry) if isinstance(entry, list | tuple) else (entry,)
    if len(entry) not in (2, 3) or not all(isinstance(word, str) for word in entry):
        raise ValueError(
            f"{entry!r} in inits is no start. Give names: (init, activation), or "
            "(init, activation, 'dropout'); or a Contender."
        )
    init, activation, *more = entry
    if more not in ([], ["dropout"]):
        raise ValueError(
            f"{more[0]!r} in {entry!r} is not known; the third name may be 'dropout'."
        )
    function = get_activation(activation)
    units = matching_units(function)
    if init in STRUCTURES:
        check_startable(units, function)
    else:
        get_initializer(init)
    names: dict[str, Any] = {
        "init": init,
        "activation": activation,
        "dropout": DROPOUT if more else 0.0,
    }
    rbm = copy_with(rbm, hidden=units)
    # Equal epochs are equal: none of them stops on its training loss.
    net = DBNClassifier(rbm=rbm, optimizer=Adam(), tol=0.0, **names)
    grid = {"optimizer__learning_rate": rates}
    return Start(contender_name(names), net, grid, **names)


def tested_dbn(contenders: Iterable[Contender]) -> Contender | None:
    """The DBN that is compared with the others: one by name, or the first; or None."""
    dbns = (contender for contender in contenders if contender.kind == "dbn")
    return min(dbns, key=lambda dbn: not isinstance(dbn, Start), default=None)


def contenders_and_controls(
    inits: Iterable[Any],
    controls: str | None,
    rates: Sequence[float],
    rbm: RBMTransformer,
) -> tuple[tuple[Contender, ...], tuple[Contender, ...]]:
    """What a study compares: its contenders, and its controls beside them.

    Parameters
    ----------
    inits, controls
        As in `compare_initializers`.
    rates, rbm
        As in `as_contender`.

    Raises
    ------
    ValueError
        If one of them is not known.

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> inits = [("dbn", "logistic"), ("he_normal", "relu")]
    >>> made, _ = contenders_and_controls(inits, None, [0.01], RBMTransformer())
    >>> [contender.name for contender in made]
    ['dbn + logistic', 'he_normal + relu']
    """
    if controls not in ("auto", None):
        raise ValueError(
            f"controls is {controls!r}; it may be 'auto' or None. Those of your own "
            "stand in inits."
        )
    contenders = [as_contender(entry, rates, rbm) for entry in inits]
    if controls is None:
        return tuple(contenders), ()
    modern = as_contender(MODERN, rates, rbm)
    if modern.name not in [contender.name for contender in contenders]:
        contenders.append(modern)
    return tuple(contenders), _logistic_controls(contenders)


def _logistic_controls(contenders: list[Contender]) -> tuple[Contender, ...]:
    """Logistic regressions on the features of the DBN and on principal components.

    None where no contender is a DBN.
    """
    dbn = tested_dbn(contenders)
    if dbn is None:
        return ()
    made: list[Contender] = []
    for init, features in (("dbn-features", find_dbn(dbn.estimator)), ("pca", PCA())):
        names: dict[str, Any] = {"init": init, "activation": LOGISTIC, "dropout": 0.0}
        line = make_pipeline(features, LogisticRegression(max_iter=1000))
        about = contender_name(names), line, {"logisticregression__C": CS}
        # A DBN of the user's keeps its layers.
        own = init == "dbn-features" and not isinstance(dbn, Start)
        made.append(Contender(*about) if own else Start(*about, **names))
    return tuple(made)
