"""Does pretraining help? One comparison of initializers, with equal chances for all."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ...backend.types import Array
from ...estimators import RBMTransformer
from .check_input import (
    check_rates,
    check_rbm,
    check_study,
    count,
    read_labelled_rows,
    read_splits,
)
from .check_labels import check_labels
from .check_scoring import check_scoring
from .comparison import Comparison
from .contenders import Contender, Nets, drawn_candidates
from .controls import contenders_and_controls
from .data_settings import most_unlabeled, scale_of, sizes_of
from .defaults import with_defaults
from .protocol import Study
from .read_data import Data, of_images, read_data
from .run_study import run_study


def compare_initializers(
    X: Array,
    y: Array = None,
    *,
    X_test: Array = None,
    y_test: Array = None,
    unlabeled: Any = None,
    X_unlabeled: Array = None,
    splits: Iterable[Sequence[Array]] | None = None,
    inits: Iterable[Sequence[str] | str | Contender] | None = None,
    controls: str | None = "auto",
    hidden_layer_sizes: Iterable[Sequence[int]] | None = None,
    label_budgets: Sequence[int] | dict[int, Any] | None = None,
    n_seeds: int = 8,
    learning_rates: Iterable[float] = (0.001, 0.003, 0.01, 0.03),
    search: int | None = None,
    tune: str = "strict",
    equal: str = "epochs",
    pretraining_rows: str = "all",
    rbm: RBMTransformer | None = None,
    scaling: str | None = "auto",
    scoring: str | None = None,
    n_updates: int | Sequence[int] | None = None,
    tune_updates: int | None = None,
    pretrain_updates: int = 3000,
    batch_size: int = 20,
    test_size: float = 0.3,
    n_jobs: int | None = None,
    folder: str | Path | None = None,
    dbn_folder: str | Path | None = None,
    verbose: int = 0,
    name: str = "data",
) -> Comparison:
    """Compare starts of the same net by test error, over seeds and label budgets.

    Without y the nets are autoencoders, compared by the squared error of the test rows
    that they give back, after several lengths of training.

    For every seed, label budget and network, each contender starts the same net on the
    same labelled rows and is fine-tuned with Adam for the same number of epochs, at the
    learning rate from the same grid that did best on validation rows. The test rows are
    used once, by the final net. DBNs are pretrained without labels and never on test
    rows; what that costs stands beside the errors.

    Controls are compared with them, each with a grid of its own that is tuned by the
    same protocol: He's start with rectified units and dropout; logistic regression on
    the rows, on the features of the DBN, and on as many principal components as the
    net's top layer has units; an RBF SVM; and on tables gradient boosting. Where DBNs
    see rows without labels, label spreading, and self-training of the SVM and of the
    net from He's start with rectified units are given these rows as well, 10,000 of
    them at the most. Where y holds numbers the controls are ridge regressions and
    gradient boosting. Without y there are He's start with rectified units and batch
    normalization, and PCA with as many components as the code has units.

    Parameters
    ----------
    X : array-like or frame of shape (n_samples, n_features)
        Rows, see `scaling`. Columns of a frame of pandas, polars or PyArrow may be
        categories, strings or booleans; NaN is a value that is not known. Contenders
        that need numbers get categories as columns of 0 and 1, what is not known as the
        mean of its column, and columns standardised, by the rows of their seed.
    y : array-like of shape (n_samples,), default=None
        Class labels; or numbers to predict: where few repeat or some are not whole, or
        where `scoring` is for numbers. None compares reconstructions of the rows by
        `DBNAutoencoder`: errors are squared errors of a row, summed over the columns of
        it that are known, a category being columns of 0 and 1. Learning rates fall to
        0, and where they start is chosen by rows that are left out of fine-tuning
        (pretraining has them).
    X_test, y_test : array-like, optional
        Fixed test split. Default: each seed holds out `test_size` of the rows,
        stratified, and intervals are corrected for the overlap.
    unlabeled : scalar, default=None
        The value of y that marks a row without a label, such as -1 or NaN. Such rows
        are for pretraining, in every seed: they are never tested on, and are no part of
        a label budget. Some row must have it. Default: no value is special.
    X_unlabeled : array-like or frame, default=None
        More rows without labels; without y they are rows like all others.
    splits : sequence of (train, test), optional
        Your own split for each seed, or for more of them: numbers of rows of X, as
        ``list(GroupKFold(5).split(X, y, groups))`` has them. In place of `X_test`.
    inits : sequence of (init, activation), (init, activation, option) or Contender, \
optional
        Contenders, by the names that `DBNClassifier` knows, and "dropout" or
        "batch_norm" or both as options: ``("he_normal", "relu", "batch_norm")``.
        ``"dbn"`` is among them, and at least one start that is not made from a DBN; of
        several DBNs the first is the one that all are compared with.
        ``"dbn-resampled"`` and ``"dbn-shuffled"`` are the controls of Erhan et al.
        (2010). ``"RBMClassifier"`` and ``"GenerativeDBNClassifier"`` are those
        estimators, with the layers of the comparison (of one layer the widest) and all
        rows that DBNs are pretrained on; each chooses from as many values as a net, how
        much the density counts, or a row without a label. A `Contender` is any other
        classifier or regressor, with its own grid, or without y any transformer with an
        `inverse_transform`. Default: DBN, Xavier, four times Xavier, and He with
        rectified units; without y DBN, "sae", four times Xavier, "sparse", and He with
        rectified units, with batch normalization too.
    controls : {"auto", None}, default="auto"
        None: none but those that stand in `inits`.
    hidden_layer_sizes : sequence of sequences of int, optional
        Networks, of autoencoders the layers of the encoder with the code last:
        ``[(8, 4)]`` is one, of two layers. Default: (128, 128), or (128, 64, 32, 8)
        without y.
    label_budgets : sequence of int, or dict of int to sequence of array, optional
        Numbers of labelled training rows, drawn for each seed, stratified; default:
        100 and 300. A dict has your own labelled rows, as numbers of rows of X: ``{100:
        [rows, rows, ...]}``, for each seed or for more of them. None without y.
    n_seeds : int, default=8
        Seeds 0, 1, ...; at least 2.
    learning_rates : sequence of float
        The grid, the same for all nets. Where the best of three or more for a seed is
        the smallest or the largest, two more are tried beyond it.
    search : int or None, default=None
        Number of candidates that are tried instead, the same for all nets: learning
        rate (from a third of the smallest of the rates to three times the largest),
        weight decay, dropout (but where it is part of the start), and whether the rate
        falls, drawn with one seed.
    tune : {"strict", "literature"}, default="strict"
        Where validation rows come from, for each seed. "strict": 5-fold cross-
        validation inside the label budget; above 1000 labels its first fold alone (of
        10,000 rows at the most where rows are given back). A score that needs every
        class, such as "roc_auc", has as many folds as the rarest class has rows where
        these are fewer.
        "literature": up to 10,000 other training rows with their labels, as most
        papers have them. Ties go to the smaller rate.
    equal : {"epochs", "multiply_adds"}, default="epochs"
        What is the same for all. With "multiply_adds", nets that need no pretraining
        get its cost back as more epochs; the DBN is then one by name.
    pretraining_rows : {"all", "labelled"}, default="all"
        Whether DBNs (and principal components) are made from all training rows, or from
        the labelled ones only.
    rbm : RBMTransformer or None, default=None
        The machine of which DBNs are made: its optimizer, CD-k, sparsity, visible units
        and the like. Hidden units, batches and epochs are those of the comparison. None
        is ``RBMTransformer()``.
    scaling : {"auto", None}, default="auto"
        "auto": grey values above 1 (bytes, say: all columns have one scale of few even
        steps from 0) are scaled to [0, 1] by the training rows, and without y all
        columns are. Otherwise, and with None, contenders are given X as it is. Columns
        that are not grey values are then standardised, for all nets by name by the rows
        that DBNs are pretrained on, and for controls; others need a scaler of their
        own.
    scoring : str or None, default=None
        Name of a scikit-learn scorer. One of numbers, such as "r2", says that y holds
        numbers, whole ones too. One of a single class, such as "f1", needs that class
        to be 1 in y, and the other 0, -1 or False. An error is 1 minus its value, or
        minus its value where the name begins with ``"neg_"``. None is "accuracy" for
        classes and "neg_mean_squared_error" for numbers; of these R2 and root mean
        squared errors are in the records too. Not without y.
    n_updates : int or sequence of int, optional
        Updates of fine-tuning, rounded up to whole epochs; default: 500. One number for
        all label budgets, since small ones need as much training as large ones, or one
        for each. Above some 300 labels, and for deeper nets, 500 with batches of 20 are
        too few for starts without pretraining. Without y each number is a setting;
        default: 1000 and 4000.
    tune_updates : int or None, default=None
        Updates of nets that are validated, if they are to be fewer: rates are chosen
        faster, and for a shorter training.
    pretrain_updates : int, default=3000
        Updates of pretraining per layer, rounded up to whole epochs.
    batch_size : int, default=20
        Rows per update in both.
    test_size : float, default=0.3
        Share of test rows where there is no fixed split.
    n_jobs : int or None, default=None
        Processes, as in joblib, whose `parallel_config` may choose a cluster (dask,
        ray). Every net is trained on one BLAS thread, so results do not depend on it.
    folder : path or None, default=None
        Where every finished net is kept at once. The same call with the same folder
        goes on where another one stopped, and repeats nothing; `n_seeds` may grow. Nets
        that other code made, of this package or of the script, are refused.
    dbn_folder : path or None, default=None
        Where DBNs are kept instead, for several studies of the same rows: what one has
        pretrained the others take from there.
    verbose : int, default=0
        1 shows a tqdm bar with an estimate of the time that is left or, where there is
        no terminal, a line for each tenth of the work.
    name : str, default="data"
        Name of the data set, for the report.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If data or settings make no comparison, or `folder` holds another study or nets
        that other code made.
    OSError
        If `folder` cannot be written.
    RuntimeError
        If a worker process dies.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from dbn.evaluation import compare_initializers
    >>> X, y = load_digits(return_X_y=True)
    >>> result = compare_initializers(
    ...     X / 16, y, hidden_layer_sizes=[(16,)], label_budgets=[50], n_seeds=2,
    ...     learning_rates=[0.01], n_updates=10, pretrain_updates=10)
    >>> sorted(result.errors()["1 x 16, 50 labels"])  # doctest: +ELLIPSIS
    ['RBF SVM', 'dbn + logistic', 'dbn-features + logistic regression', ...]
    """
    began = perf_counter()
    data = read_data(X, y, X_test, y_test, name, unlabeled, X_unlabeled, scoring)
    its = with_defaults(
        data.target, inits, hidden_layer_sizes, label_budgets, n_updates, scoring
    )
    budgets, rates = its.label_budgets, check_rates(learning_rates)
    seeds = tuple(range(count(n_seeds, "n_seeds")))
    own_splits = read_splits(splits, data, len(seeds))
    sizes = sizes_of(data, own_splits, test_size) | scale_of(data, scaling)
    nets = _nets(data, rates, search, rbm)
    contenders, own_controls = contenders_and_controls(
        its.inits,
        controls,
        nets,
        n_unlabeled=most_unlabeled(sizes, budgets, pretraining_rows),
        table=data.incomplete or not of_images(data.X),
        scoring=its.scoring,
    )
    study = Study(
        contenders=contenders,
        controls=own_controls,
        hidden_layer_sizes=its.hidden_layer_sizes,
        label_budgets=tuple(int(n) for n in budgets),
        splits=own_splits,
        labelled_rows=read_labelled_rows(budgets, data, len(seeds)),
        seeds=seeds,
        learning_rates=tuple(rates),
        tune=tune,
        equal=equal,
        pretraining_rows=pretraining_rows,
        rbm=nets.rbm,
        scoring=its.scoring,
        n_updates=its.n_updates,
        tune_updates=None
        if tune_updates is None
        else count(tune_updates, "tune_updates"),
        pretrain_updates=count(pretrain_updates, "pretrain_updates"),
        batch_size=count(batch_size, "batch_size"),
        search=nets.search,
        n_columns=np.shape(X)[1],
        **sizes,
    )
    _check(study, data)
    return run_study(study, data, name, folder, dbn_folder, n_jobs, verbose, began)


def _check(study: Study, data: Data) -> None:
    """Raise a ValueError unless these settings and rows make a comparison."""
    check_study(study)
    check_labels(study, data)
    if study.target != "rows":
        check_scoring(study, data)


def _nets(data: Data, rates: list[float], search: int | None, rbm: Any) -> Nets:
    """What all nets of a comparison have in common."""
    n_drawn = 0 if search is None else count(search, "search")
    return Nets(
        rates,
        check_rbm(RBMTransformer() if rbm is None else rbm),
        data.target,
        drawn_candidates(n_drawn, rates, data.target),
        data.incomplete,
    )
