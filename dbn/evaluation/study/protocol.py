"""What a comparison of initializers trains, and under which rules."""

import math
from dataclasses import asdict, dataclass, replace
from itertools import pairwise

import numpy as np
from sklearn.model_selection import train_test_split

from ...backend.identity import identity
from ...boltzmann import get_sampler
from ...estimators import RBMTransformer
from ...feedforward import get_activation, get_initializer
from ...training.pretraining import STRUCTURES, check_startable, matching_units
from .records import DROPOUT, LOGISTIC, chosen, contender_name, key_of

N_FOLDS = 5
# Above this many labels one fold holds enough validation rows.
FULL_CROSS_VALIDATION = 1000
# What most papers have on MNIST.
MAX_VALIDATION_ROWS = 10_000
# The grid of the controls without a net.
CS = (0.01, 0.1, 1.0, 10.0, 100.0)
# An update of a layer takes as long as its own multiply-adds and so many more: for
# itself, and for the optimizer's pass over each weight.
_PER_LAYER = 1_000_000
_PER_WEIGHT = 80


@dataclass(frozen=True)
class Cell:
    """One piece of work: a DBN to pretrain, a candidate to validate, a final net.

    Parameters
    ----------
    stage : {"pretrain", "tune", "test"}
    hidden_layer_sizes : tuple of int
    seed : int
    n_labels : int or None
        None for a DBN that is pretrained on all training rows.
    init, activation, dropout
        The contender; a DBN to pretrain has only an activation, that it starts.
    value : float or None
        The learning rate, or C.

    Examples
    --------
    >>> Cell("pretrain", (5,), 0, activation="relu").value is None
    True
    """

    stage: str
    hidden_layer_sizes: tuple
    seed: int
    n_labels: int | None = None
    init: str = "dbn"
    activation: str = "logistic"
    dropout: float = 0.0
    value: float | None = None

    @property
    def parameter(self):
        """What is tuned."""
        return "C" if self.activation == LOGISTIC else "learning_rate"

    def describe(self):
        """The cell as plain data."""
        return asdict(self) | {"hidden_layer_sizes": list(self.hidden_layer_sizes)}


def contender(entry):
    """``(init, activation)`` or ``(init, activation, "dropout")`` as fields of a cell.

    Raises
    ------
    ValueError
        If it is neither, or there is no such start.

    Examples
    --------
    >>> contender(("he_normal", "relu", "dropout"))
    ('he_normal', 'relu', 0.5)
    """
    entry = tuple(entry) if isinstance(entry, list | tuple) else (entry,)
    if len(entry) not in (2, 3) or not all(isinstance(word, str) for word in entry):
        raise ValueError(
            f"{entry!r} in inits is no start. Give names: (init, activation), or "
            "(init, activation, 'dropout')."
        )
    init, activation, *more = entry
    if more not in ([], ["dropout"]):
        raise ValueError(
            f"{more[0]!r} in {entry!r} is not known; the third name may be 'dropout'."
        )
    function = get_activation(activation)
    if init in STRUCTURES:
        check_startable(matching_units(function), function)
    else:
        get_initializer(init)
    return init, activation, DROPOUT if more else 0.0


@dataclass(frozen=True)
class Study:
    """The settings of a comparison, and the cells that they make.

    The parameters of `compare_initializers`, with contenders as in `contender` and
    updates for each label budget, and:

    Parameters
    ----------
    n_train, n_test, n_features, n_classes : int
        Sizes of the data and of each seed's split.
    fixed_test_split : bool
    scaled : bool
        Whether values lie outside [0, 1].

    Examples
    --------
    >>> Study.__dataclass_params__.frozen
    True
    """

    contenders: tuple
    hidden_layer_sizes: tuple
    label_budgets: tuple
    seeds: tuple
    learning_rates: tuple
    tune: str
    equal: str
    pretraining_rows: str
    rbm: RBMTransformer
    scoring: str
    n_updates: tuple
    pretrain_updates: int
    batch_size: int
    n_train: int
    n_test: int
    n_features: int
    n_classes: int
    fixed_test_split: bool
    scaled: bool

    def describe(self):
        """The settings as plain data, in words where the names do not tell."""
        tuning = {
            "strict": f"for each seed, {N_FOLDS}-fold inside the label budget; above "
            f"{FULL_CROSS_VALIDATION} labels the first fold alone",
            "literature": f"for each seed, up to {MAX_VALIDATION_ROWS} labelled rows "
            "from the training rows outside the label budget",
        }
        rows = {"all": "all training rows", "labelled": "the labelled rows"}
        fields = asdict(self)
        names = ("init", "activation", "dropout")
        contenders = [
            contender_name(dict(zip(names, entry, strict=True)))
            for entry in fields.pop("contenders")
        ]
        lists = {k: [*v] for k, v in fields.items() if isinstance(v, tuple)}
        lists["hidden_layer_sizes"] = [[*sizes] for sizes in self.hidden_layer_sizes]
        return {"inits": contenders, **fields, **lists} | {
            "tuning": tuning[self.tune],
            "rbm": " ".join(repr(self.rbm).split()),  # which may be cut
            "rbm_sha256": identity(self.rbm),
            "pretraining": f"{rows[self.pretraining_rows]}, without labels",
            "Cs": [*CS],
            "dropout": DROPOUT,
        }

    def split(self, y, seed):
        """Indices of the training rows and of the test rows of a seed.

        With a fixed split, all rows and None.
        """
        rows = np.arange(len(y))
        if self.fixed_test_split:
            return rows, None
        return train_test_split(
            rows, test_size=self.n_test, stratify=y, random_state=seed
        )

    def labelled(self, train, y, budget, seed):
        """Indices of a seed's labelled rows, drawn from its training rows."""
        if budget == len(train):
            return train
        rows, _ = train_test_split(
            train, train_size=budget, stratify=y[train], random_state=seed
        )
        return rows

    def pretraining(self):
        """Cells of the DBNs that the contenders start from."""
        tests = [cell for cell in self.tuning() if cell.init.startswith("dbn")]
        return list(dict.fromkeys(map(self.stack_of, tests)))

    def stack_of(self, cell):
        """The cell of the DBN that a contender starts from; None if it needs none."""
        if not cell.init.startswith("dbn"):
            return None
        activation = cell.activation
        if activation == LOGISTIC:  # its features are those of the DBN that is tested
            activation = next(a for init, a, _ in self.contenders if init == "dbn")
        units = matching_units(get_activation(activation))
        relu = matching_units(get_activation("relu"))
        return Cell(
            "pretrain",
            cell.hidden_layer_sizes,
            cell.seed,
            cell.n_labels if self.pretraining_rows == "labelled" else None,
            activation="relu" if type(units) is type(relu) else "logistic",
        )

    def tuning(self):
        """Cells of the tuning: every contender with every value, for every seed."""
        controls = [(init, LOGISTIC, 0.0) for init in ("dbn-features", "pca")]
        return [
            Cell("tune", sizes, seed, budget, *contender, value)
            for sizes in self.hidden_layer_sizes
            for budget in self.label_budgets
            for contender in (*self.contenders, *controls)
            for seed in self.seeds
            for value in (CS if contender[1] == LOGISTIC else self.learning_rates)
        ]

    def finals(self):
        """Cells of the final nets, their values not yet chosen."""
        tuning = self.tuning()
        cells = (replace(cell, stage="test", value=None) for cell in tuning)
        return list(dict.fromkeys(cells))

    def testing(self, tuned):
        """Cells of the final nets, given the records of the tuning."""
        best = chosen(tuned)
        return [
            replace(cell, value=best[key_of(cell.describe())]["value"])
            for cell in self.finals()
        ]

    def pretraining_epochs(self, n_rows):
        """Epochs of each machine."""
        return self._epochs(self.pretrain_updates, n_rows)

    def epochs(self, cell, n_rows):
        """Epochs of fine-tuning a net on so many rows.

        With equal multiply-adds, a net that needs no pretraining gets its cost in more
        epochs, rounded up.
        """
        n_updates = self.n_updates[self.label_budgets.index(cell.n_labels)]
        n_epochs = self._epochs(n_updates, n_rows)
        if self.equal == "multiply_adds" and not cell.init.startswith("dbn"):
            n_pretraining = cell.n_labels
            if self.pretraining_rows == "all":
                n_pretraining = self.n_train
            cost = self.pretraining_cost(cell, n_pretraining)
            n_epochs += math.ceil(cost / self.finetuning_cost(cell, n_rows))
        return n_epochs

    def _epochs(self, n_updates, n_rows):
        """Whole epochs that make at least `n_updates` updates."""
        return math.ceil(n_updates / math.ceil(n_rows / self.batch_size))

    def _weights(self, cell):
        """Numbers of weights of a net's layers, the one to the classes last."""
        sizes = [self.n_features, *cell.hidden_layer_sizes, self.n_classes]
        return [a * b for a, b in pairwise(sizes)]

    def pretraining_cost(self, cell, n_rows):
        """Multiply-adds of CD-k: 3 + 2 k products per row, layer and epoch.

        And one for the features of the next layer.
        """
        weights = sum(self._weights(cell)[:-1])
        products = 3 + 2 * get_sampler(self.rbm.sampler).k
        return n_rows * weights * (products * self.pretraining_epochs(n_rows) + 1)

    def finetuning_cost(self, cell, n_rows):
        """Multiply-adds of an epoch: 3 products per row and layer, 2 in the first."""
        weights = self._weights(cell)
        return n_rows * (3 * sum(weights) - weights[0])

    def work(self, cell):
        """How long a cell takes, in multiply-adds, roughly."""
        n_rows = cell.n_labels or self.n_train
        passes = [_PER_LAYER + _PER_WEIGHT * n for n in self._weights(cell)]
        if cell.stage == "pretrain":
            cost = self.pretraining_cost(cell, n_rows)
            return cost + self.pretrain_updates * sum(passes[:-1])
        folded = n_rows <= FULL_CROSS_VALIDATION and self.tune == "strict"
        n_fits = N_FOLDS if cell.stage == "tune" and folded else 1
        if cell.activation == LOGISTIC:
            width = cell.hidden_layer_sizes[-1]
            return n_fits * (150 * _PER_LAYER + 2000 * n_rows * width)
        n_epochs = self.epochs(cell, n_rows)
        updates = n_epochs * math.ceil(n_rows / self.batch_size)
        cost = self.finetuning_cost(cell, n_rows) * n_epochs
        return n_fits * (cost + updates * sum(passes))
