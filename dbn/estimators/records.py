"""Objects as plain data: what a model file says about an estimator or a part.

An object is described by

    {"__class__": name, "params": constructor arguments, "state": what else there is}

with a name from the tables below. A class is looked up in them and nowhere else.
"""

import inspect
import math
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator

from .. import boltzmann, feedforward, training
from ..backend.device import to_host
from ..backend.parts import Part
from ..boltzmann import DBN, RBM
from ..feedforward import Network
from ..storage.packing import ModelFileError
from ._sklearn import is_pandas_na
from .autoencoder import DBNAutoencoder
from .base import DBNEstimator
from .classifier import DBNClassifier
from .dbn import DBNTransformer
from .frames import FrameColumns
from .generative_dbn import GenerativeDBNClassifier
from .rbm import RBMTransformer
from .rbm_classifier import RBMClassifier
from .regressor import DBNRegressor


def _parts(room: ModuleType) -> dict[str, type[Part]]:
    """The public exchangeable parts of a room, as name: class."""
    prefix = room.__name__.rpartition(".")[2]
    exported = {f"{prefix}.{name}": getattr(room, name) for name in room.__all__}
    classes = {name: cls for name, cls in exported.items() if inspect.isclass(cls)}
    return {name: cls for name, cls in classes.items() if issubclass(cls, Part)}


MODELS = {
    "boltzmann.RBM": RBM,
    "boltzmann.DBN": DBN,
    "feedforward.Network": Network,
    "estimators.RBMTransformer": RBMTransformer,
    "estimators.DBNTransformer": DBNTransformer,
    "estimators.DBNClassifier": DBNClassifier,
    "estimators.DBNRegressor": DBNRegressor,
    "estimators.DBNAutoencoder": DBNAutoencoder,
    "estimators.RBMClassifier": RBMClassifier,
    "estimators.GenerativeDBNClassifier": GenerativeDBNClassifier,
}
# Parts have no state: their constructor stores its arguments and does nothing else.
CLASSES = {
    **MODELS,
    **_parts(boltzmann),
    **_parts(feedforward),
    **_parts(training),
    "estimators.FrameColumns": FrameColumns,
    "sklearn.FrozenEstimator": FrozenEstimator,
}
_NAMES = {cls: name for name, cls in CLASSES.items()}

# Of all nets of a file together: a layer takes up to 5 KB, however few its weights.
MAX_LAYERS = 1000

# Of an estimator's attributes: what concerns its use from here on, not what it is.
_NOT_SAVED = {"_skl_callbacks", "_metadata_request"}
# Of what training remembers: as large as the model, or larger, or of a fit that is
# over.
_FORGOTTEN = {"chains", "optimizer", "made_by", "best", "span"}


def describe(value: Any) -> Any:
    """`value` as plain data."""
    kind = type(value)
    if kind in _NAMES:
        params, state = _pieces(value)
        about = {"__class__": _NAMES[kind], "params": describe(params)}
        return {**about, "state": describe(state)} if state else about
    if kind in (list, tuple):
        return kind(describe(v) for v in value)
    if kind is dict and "__class__" not in value:
        return {key: describe(v) for key, v in value.items()}
    no_data = BaseEstimator | np.random.RandomState | dict
    if isinstance(value, no_data) or callable(value):
        raise ModelFileError(
            f"A model file cannot hold {value!r:.80}, of the class "
            f"{kind.__module__}.{kind.__qualname__}: only dbn's own parts and plain "
            "values. Set that parameter to one (a random_state to an integer), or keep "
            "the model with pickle."
        )
    return to_host(value)


def _pieces(model: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Constructor arguments and state of an object."""
    if isinstance(model, RBM):
        return model.architecture, {"params": model.params.flat}
    if isinstance(model, DBN):
        down = {} if model.generative is None else {"generative": model.generative}
        return {"rbms": model.rbms, **down}, {}
    if isinstance(model, Network):
        if not model.is_as_built:
            raise ModelFileError(
                f"The layers of the net are {model.layers!r:.300}, which are not those "
                "of any Network: the file would hold another net. Of the layers only "
                "activations may be exchanged. Keep it with pickle."
            )
        n_layers = len(model.dense)
        if n_layers > MAX_LAYERS:
            raise ModelFileError(
                f"The net has {n_layers} layers; a model file may hold {MAX_LAYERS}."
                " Keep it with pickle."
            )
        buffers = {"params": model.params.flat, "statistics": model.statistics.flat}
        return model.architecture, buffers
    params = {
        # pandas' mark of what is missing means to these the same as NaN does.
        name: math.nan if is_pandas_na(value) else value
        for name, value in model.get_params(deep=False).items()
    }
    if not isinstance(model, DBNEstimator):
        return params, {}
    state = {
        name: value
        for name, value in vars(model).items()
        if name not in params and name not in _NOT_SAVED
    }
    if "_state" in state:
        kept = state["_state"].items()
        state["_state"] = {k: v for k, v in kept if k not in _FORGOTTEN}
    return params, state
