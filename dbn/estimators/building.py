"""Objects from plain data that anyone may have written: the inverse of `describe`."""

import inspect
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from ..backend.parameters import Parameters
from ..backend.types import Array
from ..boltzmann import DBN, RBM, Units
from ..boltzmann.units.labels import without_labels
from ..feedforward import Network
from ..storage.packing import ModelFileError
from .autoencoder import DBNAutoencoder
from .base import DBNEstimator
from .classifier import DBNClassifier
from .dbn import DBNTransformer
from .frames import FrameColumns
from .generative_dbn import GenerativeDBNClassifier
from .net import NetEstimator
from .rbm import RBMTransformer
from .rbm_classifier import RBMClassifier
from .records import CLASSES, MAX_LAYERS, MODELS
from .regressor import DBNRegressor

# Machines, nets and estimators in one file, each of which takes up to 2 KB.
_MAX_MODELS = 4000


def require(condition: bool, problem: str) -> None:
    if not condition:
        raise ModelFileError(f"{problem}. It is damaged or not made by save_model.")


class Builder:
    """Objects are counted on the way: a line of text can stand for a large one."""

    def __init__(self) -> None:
        self.n_models = self.n_layers = 0

    def build(self, value: Any) -> Any:
        """The inverse of `describe`, for data that anyone may have written.

        Lists and dicts of `value` become part of the result.
        """
        if isinstance(value, tuple):
            return tuple(map(self.build, value))
        if isinstance(value, dict) and "__class__" in value:
            return self._made(value)
        if isinstance(value, list | dict):
            for place in range(len(value)) if isinstance(value, list) else value:
                if isinstance(value[place], list | tuple | dict):
                    value[place] = self.build(value[place])
        return value

    def _made(self, value: Any) -> Any:
        """An object of a class in the tables."""
        name = value["__class__"]
        if not isinstance(name, str) or name not in CLASSES:
            raise ModelFileError(
                f"it needs the class {name!r:.80}, which this version of dbn does not "
                "have or does not load from files. Upgrade dbn if you trust the "
                "file's maker."
            )
        cls = CLASSES[name]
        params, state = self.build(value["params"]), self.build(value.get("state", {}))
        require(type(params) is type(state) is dict, f"{name} is no dict")
        self._count(cls, params)
        if cls in (RBM, Network):
            return _filled(cls, params, state)
        if cls is DBN:
            for rbms in params.values():
                require(
                    isinstance(rbms, list) and all(isinstance(r, RBM) for r in rbms),
                    "its DBN is no list of RBMs",
                )
        if cls is FrozenEstimator:
            require(
                getattr(params["estimator"], "_starts_nets", False) is True,
                "it freezes what is no start of a net",
            )
        model = _call(cls, params)
        if issubclass(cls, DBNEstimator):
            _set_state(model, params, state)
        return model

    def _count(self, cls: Any, params: dict[str, Any]) -> None:
        """Before it is made."""
        self.n_models += cls in MODELS.values()
        require(self.n_models <= _MAX_MODELS, f"it has more than {_MAX_MODELS} models")
        if cls is Network:
            self.n_layers += len(params["layer_sizes"]) - 1
            require(
                self.n_layers <= MAX_LAYERS,
                f"its nets have more than {MAX_LAYERS} layers",
            )


def _call(cls: Any, params: dict[str, Any]) -> Any:
    known = getattr(cls, "_get_param_names", lambda: inspect.signature(cls).parameters)
    unknown = set(params) - set(known())
    if unknown:
        raise ModelFileError(
            f"its {cls.__name__} has the parameters {sorted(unknown)!r:.80}, which "
            "this version of dbn does not know. Upgrade dbn."
        )
    return cls(**params)


def _buffer(state: dict[str, Any], name: str) -> Array:
    """A flat buffer of parameters, which is in memory already."""
    flat = state[name]
    require(
        isinstance(flat, np.ndarray)
        and flat.ndim == 1
        and flat.dtype in (np.float32, np.float64),
        f"the buffer {name} is no vector of floats",
    )
    return flat


def _check_sizes(sizes: list[int], flat: Array) -> None:
    """Before anything of these sizes is made: the buffer must be as large."""
    require(
        all(type(n) is int and n > 0 for n in sizes),
        f"layers have the sizes {sizes!r:.80}",
    )
    needed = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    require(
        needed <= flat.size,
        f"layers of the sizes {sizes!r:.80} need {needed} parameters, not {flat.size}",
    )


def _filled(cls: Any, params: dict[str, Any], state: dict[str, Any]) -> Any:
    """A machine or a net with the buffers of a file, no larger than these."""
    names = ("params", "statistics") if cls is Network else ("params",)
    buffers = {name: _buffer(state, name) for name in names}
    flat = buffers["params"]
    sizes = (
        [params[n] for n in ("n_visible", "n_hidden")]
        if cls is RBM
        else params["layer_sizes"]
    )
    _check_sizes(sizes, flat)
    model = _call(cls, {**params, "dtype": flat.dtype})
    for name, buffer in buffers.items():
        require(buffer.dtype == flat.dtype, "the net has parameters of two dtypes")
        setattr(model, name, Parameters(getattr(model, name).shapes, buffer))
    return model


# What a fitted estimator has, for the check that a file is complete and agrees with
# itself.
_MEMORY = {"_state": dict, "_rng": np.random.Generator}
_FITTED = {
    RBMTransformer: {"rbm_": RBM, "_base_bias": np.ndarray, "_seed": int} | _MEMORY,
    DBNTransformer: {"dbn_": DBN, "_seed": int},
    DBNClassifier: {"network_": Network, "classes_": np.ndarray, "_loss": str}
    | _MEMORY,
    DBNRegressor: {"network_": Network, "_one_output": bool}
    | {"y_mean_": np.ndarray, "y_scale_": np.ndarray}
    | _MEMORY,
    DBNAutoencoder: {"network_": Network} | _MEMORY,
    GenerativeDBNClassifier: {"dbn_": DBN, "classes_": np.ndarray, "_seed": int}
    | {"class_prior_": np.ndarray},
    RBMClassifier: {"rbm_": RBM, "classes_": np.ndarray, "_seed": int} | _MEMORY,
}
# Vectors with one entry per feature or per output, None or absent where there is none.
# Features are columns of numbers, as which the columns of a frame may be several.
_PER_FEATURE = {"mean_", "scale_", "fill_", "_base_bias"}
_PER_OUTPUT = {"classes_", "class_prior_", "y_mean_", "y_scale_"}
_LABELS = {"classes_", "feature_names_in_"}
# What models of earlier versions do not have.
_LATER = {"columns_": None, "fill_": None}


def _set_state(model: Any, params: dict[str, Any], state: dict[str, Any]) -> None:
    """Give an estimator its fitted attributes."""
    cls = type(model)
    for name in state:
        # No attribute may hide a method, a property or a parameter.
        require(
            name.isidentifier()
            and not name.startswith("__")
            and not (name in params or hasattr(cls, name)),
            f"{cls.__name__} has no attribute {name!r:.80}",
        )
    if not state:  # a prototype, not fitted itself
        return
    vars(model).update(state)
    vars(model).update({n: v for n, v in _LATER.items() if n not in state})
    fitted = {"visible_": Units, "n_features_in_": int, "history_": list}
    for name, kind in (fitted | _FITTED[cls]).items():
        require(
            isinstance(state.get(name), kind),
            f"{cls.__name__}.{name} is missing or no {kind.__name__}",
        )
    for name in ("batch_size_", "max_iter_"):
        value = state.get(name, 1)  # older files have none
        require(
            type(value) is int and value > 0,
            f"{cls.__name__}.{name} is no positive integer but {value!r:.80}",
        )
    streams = state.get("_streams", [])
    require(
        isinstance(streams, list)
        and all(isinstance(stream, np.random.Generator) for stream in streams),
        f"{cls.__name__}._streams are no random streams",
    )
    both = ("mean_" in state) and ("scale_" in state)
    require(both and (model.mean_ is None) == (model.scale_ is None), "no mean_")
    model.visible_.validate()
    _check_shapes(model, state)


def _check_shapes(model: Any, state: dict[str, Any]) -> None:
    if isinstance(model, NetEstimator):
        sizes = model.network_.architecture["layer_sizes"]
        if isinstance(model, DBNAutoencoder):
            mirrored = len(sizes) % 2 == 1 and sizes == sizes[::-1]
            require(mirrored, f"no autoencoder has layers of the sizes {sizes!r:.80}")
        weights = [W for W, _ in model.network_.dense]
        n_features, n_outputs = weights[0].shape[0], weights[-1].shape[1]
    else:
        one = isinstance(model, RBMTransformer | RBMClassifier)
        rbms = [model.rbm_] if one else model.dbn_.rbms
        first, top = rbms[0], rbms[-1]
        require(
            without_labels(first.visible) == model.visible_,
            "visible_ is not that of the machine",
        )
        n_features, n_outputs = first.n_features, top.n_visible - top.n_features
    n_in, columns = n_features, model.columns_
    if columns is not None:
        require(isinstance(columns, FrameColumns), "columns_ are no FrameColumns")
        columns.validate()
        n_in, total = len(columns.names), sum(columns.group_sizes)
        require(total == n_features, f"columns_ become {total}, not {n_features}")
    require(model.n_features_in_ == n_in, "n_features_in_ is wrong")
    vectors = {"feature_names_in_": (state.get("feature_names_in_"), n_in)}
    vectors |= {name: (state.get(name), n_features) for name in _PER_FEATURE}
    vectors |= {name: (state.get(name), n_outputs) for name in _PER_OUTPUT}
    if isinstance(model, RBMTransformer | RBMClassifier):
        (v_mean, h_mean), rbm = state["_state"]["means"], model.rbm_
        vectors |= {"v_mean": (v_mean, rbm.n_visible), "h_mean": (h_mean, rbm.n_hidden)}
        vectors["fill"] = state["_state"].get("fill"), rbm.n_visible
    if "_state" in state:
        require(type(state["_state"]["epoch"]) is int, "the epoch is no number")
    for name, (vector, n) in vectors.items():
        if vector is not None:
            require(vector.shape == (n,), f"{name} has the shape {vector.shape}")
            require(
                name in _LABELS or vector.dtype in (np.float32, np.float64),
                f"{name} has the dtype {vector.dtype}",
            )
