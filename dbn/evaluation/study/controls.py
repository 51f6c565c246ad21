"""What stands beside the contenders of every comparison: the rivals one would name."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from ...backend.types import Array
from ...estimators.frame_kinds import has_value, holds_numbers
from ...estimators.frames import frame_columns
from .contenders import Contender, Nets, Start, tested_dbn
from .linear_autoencoder import LinearAutoencoder
from .records import LOGISTIC, RIDGE, contender_name, display_name
from .semi_supervised import SelfTraining, Spreading
from .shared_dbn import copy_with, find_dbn

# What most people would train today.
MODERN = {
    "classes": ("he_normal", "relu", "dropout"),
    "numbers": ("he_normal", "relu", "dropout"),
    "rows": ("he_normal", "relu", "batch_norm"),
}
# Rows without labels that a control is given at the most.
MAX_UNLABELED = 10_000
# Values that are tried, of one parameter each.
CS = (0.01, 0.1, 1.0, 10.0, 100.0)
SVM_CS = (1.0, 10.0, 100.0)
ALPHAS = (0.1, 1.0, 10.0, 100.0)
SPREADING = (0.2, 0.5, 0.9)
_MAX_CATEGORIES = 255
BOOSTING = (0.03, 0.1, 0.3)
LINEAR: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "classes": (LOGISTIC, LogisticRegression(max_iter=1000), {"C": CS}),
    "numbers": (RIDGE, Ridge(), {"alpha": ALPHAS}),
}


@dataclass(frozen=True)
class Control(Contender):
    """A control of every comparison.

    Parameters
    ----------
    rows : {"numbers", "categories", "given"}, default="numbers"
        What rows it is given: see `as_numbers` and `as_categories`, or those of the
        user.
    """

    rows: str = field(default="numbers", kw_only=True)

    @property
    def kind(self) -> str:
        return "control"

    @property
    def needs_unlabeled(self) -> bool:
        """Whether it takes part only where there are rows without a label."""
        return self.unlabeled


def as_numbers(X: Array, is_grey: bool) -> Pipeline:
    """What makes numbers of rows for controls that need them, fitted on such rows.

    Categories are columns of 0 and 1, what is not known is the mean of its column, and
    columns are standardised but for grey values.

    Parameters
    ----------
    X : ndarray or frame
    is_grey : bool
        Whether all values lie in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> as_numbers(np.array([[1.0], [np.nan], [3.0]]), False).transform([[2.0], [3.0]])
    array([[0.        ],
           [1.22474487]])
    """
    columns = frame_columns(X)
    steps = [
        FunctionTransformer(None if columns is None else columns.encode),
        SimpleImputer(keep_empty_features=True),
        *([] if is_grey and columns is None else [StandardScaler()]),
    ]
    return make_pipeline(*steps).fit(X)


def as_categories(X: Array, is_grey: bool) -> Any:
    """What makes rows for trees: strings become categories, booleans 0 and 1.

    With more categories than trees of scikit-learn can have it is `as_numbers`.

    Parameters
    ----------
    X : ndarray or frame
    is_grey : bool
        As in `as_numbers`.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    >>> as_categories(frame, False).transform(frame).dtypes.astype(str).tolist()
    ['float64', 'category']
    """
    columns = frame_columns(X)
    if columns is not None and max(map(len, columns.categories)) > _MAX_CATEGORIES:
        return as_numbers(X, is_grey)
    if columns is None:
        return FunctionTransformer().fit(X)
    kinds = dict(zip(columns.names, columns.kinds, strict=True))
    return FunctionTransformer(_with_categories, kw_args={"kinds": kinds}).fit(X)


def _with_categories(X: Array, kinds: dict[Any, str]) -> Array:
    """Rows for trees, by what each column holds in all rows: a part may have none."""
    dtypes: dict[str, Any] = {"string": nw.Categorical, "boolean": nw.Float64}
    cast = [nw.col(n).cast(dtypes[kind]) for n, kind in kinds.items() if kind in dtypes]
    frame: Any = nw.from_native(X, eager_only=True)
    return frame.with_columns(cast).to_native()


class _WithoutHoles:
    """Trees that take a column without a value, of which scikit-learn's cannot learn.

    In fit it is 0 in all rows, by which no tree splits.
    """

    def fit(self, X: Any, y: Any, *args: Any, **kwargs: Any) -> Any:
        base: Any = super()
        if isinstance(X, np.ndarray):
            X = np.where(np.isnan(X).all(axis=0), 0.0, X)
            return base.fit(X, y, *args, **kwargs)
        frame: Any = nw.from_native(X, eager_only=True)
        empty = [
            nw.lit(0.0).alias(column.name)
            for column in frame.iter_columns()
            if holds_numbers(column) and not has_value(column)
        ]
        X = frame.with_columns(empty).to_native() if empty else X
        return base.fit(X, y, *args, **kwargs)


class BoostedClassifier(_WithoutHoles, HistGradientBoostingClassifier):
    """Gradient boosting for classes.

    Examples
    --------
    >>> X = np.column_stack([np.arange(40.0), np.full(40, np.nan)])
    >>> BoostedClassifier().fit(X, X[:, 0] > 19).predict(X[[0, -1]])
    array([False,  True])
    """


class BoostedRegressor(_WithoutHoles, HistGradientBoostingRegressor):
    """Gradient boosting for numbers.

    Examples
    --------
    >>> X = np.column_stack([np.arange(40.0), np.full(40, np.nan)])
    >>> bool(BoostedRegressor().fit(X, X[:, 0]).score(X, X[:, 0]) > 0.5)
    True
    """


def contenders_and_controls(
    inits: Iterable[Any],
    controls: str | None,
    nets: Nets,
    *,
    n_unlabeled: int = 0,
    table: bool = False,
    scoring: str = "accuracy",
) -> tuple[tuple[Contender, ...], tuple[Contender, ...]]:
    """What a study compares: its contenders, and its controls beside them.

    Parameters
    ----------
    inits, controls
        As in `compare_initializers`.
    nets : Nets
    n_unlabeled : int
        The most rows without labels that a seed has.
    table : bool
        Whether trees are a rival.
    scoring : str
        Name of the scorer. SVMs, which have no probabilities, take no part where it
        needs them.

    Raises
    ------
    ValueError
        If one of them is not known.

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> inits = [("dbn", "logistic"), ("he_normal", "relu")]
    >>> made, _ = contenders_and_controls(inits, None, Nets([0.01], RBMTransformer()))
    >>> [contender.name for contender in made]
    ['dbn + logistic', 'he_normal + relu']
    """
    if controls not in ("auto", None):
        raise ValueError(
            f"controls is {controls!r}; it may be 'auto' or None. Those of your own "
            "stand in inits."
        )
    contenders = [nets.contender(entry) for entry in inits]
    if controls is None:
        return tuple(contenders), ()
    modern = nets.contender(MODERN[nets.target])
    starts = [its.name for its in contenders if isinstance(its, Start)]
    if display_name(modern.name) not in map(display_name, starts):
        contenders.append(modern)
    if nets.target == "rows":
        return tuple(contenders), (Control("PCA", LinearAutoencoder(), {}),)
    made = [*_on_rows(nets.target, table), *_on_features(nets, contenders)]
    if n_unlabeled and nets.target == "classes":
        made += _semi_supervised(nets, n_unlabeled)
    if not _takes_decisions(scoring):
        made = [control for control in made if "SVM" not in control.name]
    return tuple(contenders), tuple(made)


def _takes_decisions(scoring: Any) -> bool:
    """Whether a scorer can do without probabilities."""
    known = isinstance(scoring, str) and scoring in get_scorer_names()
    told = repr(get_scorer(scoring)) if known else ""
    return "'predict_proba'" not in told or "'decision_function'" in told


def _on_rows(target: str, table: bool) -> list[Contender]:
    """Those that have the labelled rows and nothing else."""
    name, line, grid = LINEAR[target]
    made: list[Contender] = [Control(name, line, grid)]
    if target == "classes":
        made.append(Control("RBF SVM", SVC(), {"C": SVM_CS}))
    if table:
        trees = {
            "classes": BoostedClassifier,
            "numbers": BoostedRegressor,
        }[target](
            categorical_features="from_dtype",
            early_stopping=False,
            min_samples_leaf=5,  # there are few labels
        )
        grid = {"learning_rate": BOOSTING}
        made.append(Control("gradient boosting", trees, grid, rows="categories"))
    return made


def _semi_supervised(nets: Nets, n_unlabeled: int) -> list[Contender]:
    """Those that learn from the rows that the DBN is pretrained on."""
    few = n_unlabeled > MAX_UNLABELED
    ending = f" ({MAX_UNLABELED:,} unlabelled rows)" if few else ""
    net = copy_with(
        nets.contender(("he_normal", "relu")).estimator,
        unlabeled=-1 if nets.incomplete else None,
    )
    middle = (len(nets.rates) - 1) // 2
    rates = [*nets.rates][middle : middle + 2]
    name, rate = "self-training", "estimator__optimizer__learning_rate"
    svm, again = SelfTraining(SVC()), SelfTraining(net)
    few_cs = {"estimator__C": SVM_CS[:2]}
    made: list[Contender] = [
        Control("label spreading", Spreading(), {"alpha": SPREADING}, unlabeled=True),
        Control(f"{name} RBF SVM", svm, few_cs, unlabeled=True),
        Control(
            f"{name} He + ReLU", again, {rate: rates}, unlabeled=True, rows="given"
        ),
    ]
    return [replace(control, name=f"{control.name}{ending}") for control in made]


def _on_features(nets: Nets, contenders: list[Contender]) -> list[Contender]:
    """Linear models on the features of the DBN and on principal components.

    None where no contender is a DBN. On frames its features, most of which hardly move,
    are standardised: without that the penalty left nothing of them.
    """
    dbn = tested_dbn(contenders)
    if dbn is None:
        return []
    made: list[Contender] = []
    name, line, grid = LINEAR[nets.target]
    for init, features in (("dbn-features", find_dbn(dbn.estimator)), ("pca", PCA())):
        names: dict[str, Any] = {"init": init, "activation": name, "dropout": 0.0}
        scaled = init == "dbn-features" and nets.incomplete
        steps = [features, *([StandardScaler()] if scaled else []), copy_with(line)]
        both = make_pipeline(*steps)
        last = both.steps[-1][0]
        its = {f"{last}__{parameter}": values for parameter, values in grid.items()}
        about = contender_name(names), both, its
        # A DBN of the user's keeps its layers.
        own = init == "dbn-features" and not isinstance(dbn, Start)
        made.append(Contender(*about) if own else Start(*about, **names))
    return made
