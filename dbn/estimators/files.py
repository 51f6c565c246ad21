"""Model files: a fitted estimator, or the bare mathematics, without pickle."""

from os import PathLike
from typing import Any

from sklearn.utils.validation import check_is_fitted

from ..storage.archive import read_archive, refusals, write_archive
from ..storage.packing import ModelFileError
from .base import DBNEstimator
from .building import Builder, require
from .records import MODELS, describe

# The version grows when an older dbn could not read what is written; older versions
# are read for ever: a file of each is in tests/data.
_KIND, _VERSION = "dbn model", 1


def save_model(model: Any, path: str | PathLike[str]) -> None:
    """Save a fitted estimator, or a `DBN`, `RBM` or `Network`, in one file.

    The file holds numbers and names, no code and no pickle: `load_model` is safe for
    files from strangers. Left out are callbacks, metadata requests and, of what is kept
    for `partial_fit` and `warm_start`, persistent chains, the optimizer's memory and
    the best epoch of early stopping: these start afresh. The format is described in
    ``docs/model-files.md``.

    Parameters
    ----------
    model : estimator of this package, DBN, RBM or Network
        Estimators must be fitted.
    path : str or path-like
        An existing file is replaced, in one step and once the new one is complete.

    Raises
    ------
    ModelFileError
        If the model, or something in it, is of a class that a file cannot hold: a part
        of your own, for example, or a `RandomState`.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    OSError
        If the file cannot be written; one that was there before stays as it is.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from dbn import RBMTransformer, load_model, save_model
    >>> X = np.eye(4)
    >>> rbm = RBMTransformer(2, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "rbm.dbn")
    ...     save_model(rbm, path)
    ...     loaded = load_model(path)
    >>> bool((loaded.transform(X) == rbm.transform(X)).all())
    True
    """
    if type(model) not in MODELS.values():
        accepted = ", ".join(cls.__name__ for cls in MODELS.values())
        raise ModelFileError(
            f"save_model takes {accepted}; got {type(model).__name__}. Pass the fitted "
            "model itself (of a pipeline its step, of a search its best_estimator_), "
            "or keep all of it with pickle or skops."
        )
    if isinstance(model, DBNEstimator):
        check_is_fitted(model)
    write_archive(path, describe(model), kind=_KIND, version=_VERSION)


def load_model(path: str | PathLike[str]) -> Any:
    """Load what `save_model` has saved.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    estimator, DBN, RBM or Network
        With the predictions, features, likelihoods and seeded samples of the original,
        bit for bit on the same machine.

    Raises
    ------
    ModelFileError
        If the file is damaged, is no model file, contradicts itself, or was made by a
        newer version of dbn.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from dbn import RBM, load_model, save_model
    >>> rbm = RBM(4, 2).initialize(np.random.default_rng(0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "rbm.dbn")
    ...     save_model(rbm, path)
    ...     load_model(path)
    RBM(4, 2, visible=Bernoulli(), hidden=Bernoulli())
    """
    content = read_archive(path, kind=_KIND, version=_VERSION)
    with refusals(path):
        model = Builder().build(content)
        require(type(model) in MODELS.values(), f"it holds a {type(model).__name__}")
    return model
