"""Whether data and settings make a comparison: said before anything is trained."""

import math
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from ...backend.types import Array
from ...boltzmann import CD, get_sampler
from ...estimators import RBMTransformer
from ...estimators.constraints import check_layer_sizes
from .contenders import Start, tested_dbn
from .protocol import N_FOLDS, Study
from .read_data import Data
from .records import display_name

_CHOICES = {
    "tune": ("strict", "literature"),
    "equal": ("epochs", "multiply_adds"),
    "pretraining_rows": ("all", "labelled"),
}


def read_splits(
    splits: Any, data: Data, n_seeds: int
) -> tuple[tuple[Array, Array], ...] | None:
    """The user's own splits, as a pair of arrays for each seed; or None.

    Parameters
    ----------
    splits
        As in `compare_initializers`.
    data : Data
    n_seeds : int

    Raises
    ------
    ValueError
        If there are too few, or one of them has not two parts of the rows.

    Examples
    --------
    >>> X = np.zeros((4, 1))
    >>> data = Data(X, np.array([0, 1, 0, 1]), None, None)
    >>> read_splits([([0, 1], [2, 3])], data, 1)
    ((array([0, 1]), array([2, 3])),)
    """
    if splits is None:
        return None
    if data.X_test is not None:
        raise ValueError(
            "There are both splits and X_test, and splits takes test rows from X. Give "
            "one of the two."
        )
    made = []
    for seed, pair in enumerate(_entries(splits, "splits", n_seeds)):
        if not hasattr(pair, "__len__") or len(pair) != 2:
            raise ValueError(
                f"splits has {pair!r:.80} for seed {seed}; give a pair of arrays: "
                "numbers of the training rows, and of the test rows."
            )
        whose = f"rows of seed {seed} in splits"
        train = _row_numbers(pair[0], f"training {whose}", data)
        test = _row_numbers(pair[1], f"test {whose}", data)
        if n_both := len(np.intersect1d(train, test)):
            raise ValueError(
                f"The test {whose} hold {n_both} of its training rows. Leave them out "
                "of one of the two."
            )
        made.append((train, test))
    return tuple(made)


def read_labelled_rows(
    label_budgets: Any, data: Data, n_seeds: int
) -> dict[int, tuple[Array, ...]] | None:
    """The user's own labelled rows, for each budget and seed; or None.

    Parameters
    ----------
    label_budgets
        As in `compare_initializers`.
    data : Data
    n_seeds : int

    Raises
    ------
    ValueError
        If there are too few, or not as many as the budget says.

    Examples
    --------
    >>> X = np.zeros((4, 1))
    >>> data = Data(X, np.array([0, 1, 0, 1]), None, None)
    >>> read_labelled_rows({2: [[3, 0]]}, data, 1)
    {2: (array([3, 0]),)}
    """
    if not isinstance(label_budgets, dict):
        return None
    made = {}
    for budget, draws in label_budgets.items():
        name = f"label_budgets[{budget}]"
        made[budget] = tuple(
            _row_numbers(rows, f"rows of seed {seed} in {name}", data)
            for seed, rows in enumerate(_entries(draws, name, n_seeds))
        )
        sizes = {*map(len, made[budget])}
        if sizes != {budget}:
            raise ValueError(
                f"{name} has {sorted(sizes)} rows for each seed. Give {budget}."
            )
    return made


def _entries(values: Any, name: str, n_seeds: int) -> list[Any]:
    """What is given for each seed, and perhaps for more of them."""
    if not isinstance(values, Iterable):
        raise ValueError(f"{name} is {values!r}; give a list with an entry a seed.")
    entries = list(values)
    if len(entries) < n_seeds:
        raise ValueError(
            f"{name} has {len(entries)} entries for {n_seeds} seeds. Give one for "
            f"each, or n_seeds={len(entries)}."
        )
    return entries


def _row_numbers(rows: Any, what: str, data: Data) -> Array:
    numbers, n_rows = np.asarray(rows), len(data.y)
    if not (
        numbers.ndim == 1
        and numbers.dtype.kind in "iu"
        and 0 < len(np.unique(numbers)) == len(numbers)
        and 0 <= numbers.min() <= numbers.max() < n_rows
    ):
        raise ValueError(
            f"The {what} are {rows!r:.80}; give numbers of rows of X, from 0 to "
            f"{n_rows - 1}, each of them once."
        )
    return numbers.astype(np.int64)


def count(value: Any, name: str) -> int:
    """A positive integer as int.

    Raises
    ------
    ValueError
        If it is none; `name` is in the message.

    Examples
    --------
    >>> count(3, "n_seeds")
    3
    """
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a positive integer; it is {value!r}.")
    return int(value)


def listed(values: Any, name: str, example: str) -> list[Any]:
    """The entries of an option that has several.

    Raises
    ------
    ValueError
        If it has no entries; `name`, and an example of what it may be, are in the
        message.

    Examples
    --------
    >>> listed((8, 4), "label_budgets", "[40]")
    [8, 4]
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"{name} is {values!r:.80}; give a list, such as {example}.")
    return list(values)


def check_nets(hidden_layer_sizes: Any) -> tuple[tuple[int, ...], ...]:
    """The networks, each by the sizes of its layers.

    Raises
    ------
    ValueError
        If one is a number, which may be meant as a layer or as a net, or a size is not
        a positive integer.

    Examples
    --------
    >>> check_nets([(8, 4)])
    ((8, 4),)
    """
    name = "hidden_layer_sizes"
    nets = listed(hidden_layer_sizes, name, "[(8, 4)], a net of two layers")
    if nets and all(isinstance(net, Integral) for net in nets):
        one, several = [tuple(map(int, nets))], [(int(net),) for net in nets]
        which = f"{one} for one net of {len(nets)} layers, or {several} for nets of one"
        raise ValueError(
            f"{name} is {hidden_layer_sizes!r:.80}, and has a net in every place. Give "
            f"{which if len(nets) > 1 else one}."
        )
    return tuple(
        tuple(check_layer_sizes(listed(net, f"A net in {name}", "(8, 4)")))
        for net in nets
    )


def check_budgets(label_budgets: Any) -> Any:
    """The label budgets as they are given, each of them a positive integer.

    Raises
    ------
    ValueError
        If they are something else.

    Examples
    --------
    >>> check_budgets([40, 100])
    [40, 100]
    """
    budgets = listed(label_budgets, "label_budgets", "[100, 300]")
    for budget in budgets:
        count(budget, "A label budget")
    return label_budgets if isinstance(label_budgets, dict) else budgets


def _check_once(name: str, values: list[Any]) -> None:
    if not values or len({*values}) < len(values):
        raise ValueError(f"{name} is {values}; give one or more, each of them once.")


def check_rates(learning_rates: Iterable[float]) -> list[float]:
    """The grid of all nets, as floats.

    Raises
    ------
    ValueError
        If it is empty, or has one twice or one that is not positive.

    Examples
    --------
    >>> check_rates([1])
    [1.0]
    """
    given = listed(learning_rates, "learning_rates", "[0.003, 0.01]")
    if not all(isinstance(rate, Real) for rate in given):
        raise ValueError(f"learning_rates is {given!r:.200}; give numbers.")
    rates = [float(rate) for rate in given]
    for rate in rates:
        if not 0 < rate < math.inf:
            raise ValueError(f"Learning rates must be positive; one is {rate!r}.")
    _check_once("learning_rates", rates)
    return rates


def check_updates(
    n_updates: int | Sequence[int], n_budgets: int | None
) -> tuple[int, ...]:
    """Updates for each label budget; without any (None), of each setting.

    Raises
    ------
    ValueError
        If there are not as many numbers as budgets, or one is not positive.

    Examples
    --------
    >>> check_updates(500, 2)
    (500, 500)
    """
    n_settings = n_budgets or 1
    given = [*n_updates] if np.iterable(n_updates) else [n_updates] * n_settings
    if n_budgets is not None and len(given) != n_budgets:
        raise ValueError(
            f"n_updates is {given} for {n_budgets} label budgets; give one "
            "number for all, or one for each."
        )
    return tuple(count(n, "n_updates") for n in given)


def _check_names(names: list[str]) -> None:
    """Raise a ValueError if two contenders have one name, or are shown by one."""
    _check_once("inits", names)
    shown: dict[str, str] = {}
    for name in names:
        other = shown.setdefault(display_name(name), name)
        if other != name:
            raise ValueError(
                f"{other!r} and {name!r} in inits are both called "
                f"{display_name(name)!r} in tables and pictures. Leave one of them out "
                "if they are the same start, or give your Contender another name."
            )


def check_study(study: Study) -> None:
    """Raise a ValueError unless these settings make a comparison.

    Parameters
    ----------
    study : Study
    """
    for name, accepted in _CHOICES.items():
        if getattr(study, name) not in accepted:
            raise ValueError(
                f"{name}={getattr(study, name)!r} is not known; use one of {accepted}."
            )
    kinds = [study.kind(contender) for contender in study.contenders]
    names = [contender.name for contender in study.contenders]
    if "dbn" not in kinds or "start" not in kinds:
        raise ValueError(
            f"inits has the starts {names}; it needs 'dbn' and at least one other "
            "start that is not made from a DBN."
        )
    if len(study.seeds) < 2:
        raise ValueError(
            f"n_seeds is {len(study.seeds)}; an interval needs at least 2, and 5 or "
            "more to be of use."
        )
    tested = tested_dbn(study.contenders)
    if study.equal == "multiply_adds" and not isinstance(tested, Start):
        raise ValueError(
            "equal='multiply_adds' gives other nets the cost of the DBN back, and that "
            f"of the Contender {tested and tested.name!r}, whose epochs are its own, "
            "is not known. Name the DBN in inits, such as ('dbn', 'logistic'), or use "
            "equal='epochs'."
        )
    _check_names([*names, *(control.name for control in study.controls)])
    _check_once("hidden_layer_sizes", [*study.hidden_layer_sizes])
    if study.target == "rows":
        _check_without_labels(study)
        return
    _check_once("label_budgets", [*study.label_budgets])


def check_rbm(rbm: Any) -> RBMTransformer:
    """Return the machine that DBNs are made of.

    Raises
    ------
    ValueError
        If it is none, or its cost is not known.

    Examples
    --------
    >>> check_rbm(RBMTransformer(sparsity=0.1))
    RBMTransformer(sparsity=0.1)
    """
    if not isinstance(rbm, RBMTransformer):
        raise ValueError(
            f"rbm is {rbm!r}; give an RBMTransformer, such as RBMTransformer("
            "sparsity=0.1), or None."
        )
    rbm._validate_params()
    sampler = get_sampler(rbm.sampler)
    if not isinstance(sampler, CD) or not isinstance(sampler.k, Integral):
        raise ValueError(
            f"rbm trains by {sampler!r}; the cost of pretraining, which stands beside "
            "the errors, is known for CD with one k. Use CD(k)."
        )
    return rbm


# What stands in the place of options that speak of labels, and their neutral value.
_WITHOUT_LABELS = {
    "label_budgets": "n_updates=[...], how long nets are trained, has its place",
    "scoring": "the squared error of each row is measured",
    "tune": "rates are chosen by a part of the training rows",
    "pretraining_rows": "DBNs learn from all training rows",
}


def without_labels(option: str, value: Any, neutral: str | None = None) -> None:
    """Raise a ValueError if an option that speaks of labels is used without any.

    Parameters
    ----------
    option : str
        Its name.
    value, neutral : object
        What it is, and what it is where it is not used.

    Examples
    --------
    >>> without_labels("scoring", None)
    """
    if value is not neutral and value != neutral:
        raise ValueError(
            f"{option} is {value!r:.80} and y is None, so there are no labels: "
            f"{_WITHOUT_LABELS[option]}. Leave {option} away, or give y."
        )


def _check_without_labels(study: Study) -> None:
    without_labels("tune", study.tune, "strict")
    without_labels("pretraining_rows", study.pretraining_rows, "all")
    _check_once("n_updates", [*study.n_updates])
    if study.n_train < 2 * N_FOLDS:
        raise ValueError(
            f"There are {study.n_train} training rows; {N_FOLDS} folds, in which rates "
            f"are chosen, need {2 * N_FOLDS} or more."
        )
