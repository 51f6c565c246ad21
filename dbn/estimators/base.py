"""What the estimators share beside their input: nested parameters, drafts."""

import copy
from collections.abc import Callable
from typing import Any, Self

from sklearn.callback import CallbackSupportMixin

from ..backend.array import dense
from ..backend.device import asarray_like, converted, to_host
from ..backend.place import Place
from ..backend.types import Array
from ..boltzmann import DBN, RBM
from ..training.contrastive import monitored_rows
from ..training.task import Task
from ._sklearn import num_samples, safe_indexing
from .encoding import EncodingEstimator
from .preprocessing import indexable, said_of

# What to pass so that nested parameters exist.
_PART_EXAMPLES = {
    "rbm": "rbm=RBMTransformer()",
    "sampler": "sampler=CD()",
    "optimizer": "optimizer=SGD() or optimizer=Adam()",
    "init": "init=VarianceScaling() or init=DenoisingStack()",
}


class DBNEstimator(CallbackSupportMixin, EncodingEstimator):
    """Base of all estimators: nested parameters, and a fit that is whole or none."""

    dbn_: DBN  # of all but a single machine
    history_: list[dict[str, Any]]
    _stack: dict[str, Any]
    __sklearn_is_fitted__: Callable[[], bool]
    _gives_back_rows = False  # as an autoencoder does
    # Whether a net can start from it, when it is fitted: from its `_feature_stack`, or
    # an autoencoder's net.
    _starts_nets = False

    def set_params(self, **params: Any) -> Self:
        """Set parameters of this estimator and, as ``part__name``, of its parts.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a name is not known, or a nested name addresses a part that was given as
            a string or None and so has no parameters of its own.
        """
        own = self.get_params(deep=False)
        for key in params:
            name, _, nested = key.partition("__")
            part = params.get(name, own.get(name))
            if nested and name in own and not hasattr(part, "set_params"):
                example = _PART_EXAMPLES.get(name, "an object")
                raise ValueError(
                    f"{key!r} needs an object as {name}; {name} is {part!r}. Pass "
                    f"{example} first, then set {key}."
                )
        super().set_params(**params)
        return self

    # A fit is prepared on a draft. When that fails, the estimator is what it was; when
    # not, it becomes the draft in one step: there is never half of two fits.

    def _draft(self, go_on: bool = False) -> Self:
        """A copy without what an earlier fit has learned; or with it, to go on."""
        draft = object.__new__(type(self))
        own = self.__dict__.items()
        draft.__dict__ = {n: v for n, v in own if go_on or not _is_learned(n)}
        for name in _IN_TRAINING & draft.__dict__.keys():
            # What somebody else holds, or loaded read-only, stays as it is.
            setattr(draft, name, copy.deepcopy(getattr(draft, name)))
        return draft

    def _become(self, draft: Self) -> None:
        self.__dict__ = draft.__dict__

    def _forget(self, *names: str) -> None:
        """Remove attributes that are needed during a fit only."""
        for name in names:
            self.__dict__.pop(name, None)

    def _check_monitored(self, X: Array, name: str) -> None:
        """Raise an error unless `_monitored_rows` can be like those to train on."""
        with said_of(name):
            rows, _ = self._checked(_some(X), reset=False)
            self.visible_.check(self._encode(rows))

    def _monitored_rows(self, X: Array) -> Array:
        """Some rows of X as the machine in training sees them."""
        *below, machine = self._machines
        X = dense(self._encode(self._numbers(_some(X))))
        rows = asarray_like(self._filled(X), machine.W)
        for rbm in below:
            rows = rbm.mean_hidden(rows)
        return rows

    def _snapshot(self, name: str) -> dict[str, Any]:
        """A fitted machine or net as it stands, and the history, for callbacks."""
        model = self._place.back(copy.deepcopy(getattr(self, name)))
        return {name: model, "history_": list(self.history_)}

    # What a `Checkpoint` saves of a fit: attributes, and what a file calls them.
    _KEPT = {"history_": "history", "_rng": "rng"}

    def _progress(self) -> dict[str, Any]:
        """All that training goes on from, as plain data for a file."""
        kept = self._KEPT.items()
        return {its: converted(getattr(self, own), to_host) for own, its in kept}

    def _attributes_of(self, kept: dict[str, Any]) -> dict[str, Any]:
        """The inverse of `_progress`: attributes from what a file has."""
        return {own: kept[its] for own, its in self._KEPT.items()}

    @property
    def _feature_stack(self) -> DBN:
        """What a net starts from: the stack without labels, on its way up."""
        raise AttributeError(f"{type(self).__name__} is no start of a net")

    @property
    def _machines(self) -> list[RBM]:
        """For callbacks: the machines so far, the last one in training."""
        return list(self._stack.get("rbms", []))

    @property
    def _layers(self) -> list[Any]:
        """For callbacks: the same, or denoising autoencoders."""
        return list(self._stack.get("nets", self._machines))

    def _resume(self, task: Task) -> None:
        """Take over what a `Checkpoint` saved of this fit, if there was any."""
        if (kept := task.resume()) is not None:
            self.__dict__.update(self._attributes_of(kept))  # all at once

    @property
    def _trained(self) -> Any:
        """What was trained last: a net, a machine or a stack."""
        model = getattr(self, "network_", None) or getattr(self, "rbm_", None)
        return model or self.dbn_

    @property
    def _parameters(self) -> Array:
        """The buffer of the fitted model; of a stack, of its first machine."""
        model = self._trained
        return (model.rbms[0] if isinstance(model, DBN) else model).params.flat

    @property
    def _place(self) -> Place:
        """Where to compute: what is fitted and returned is NumPy's where X is."""
        return Place(self.device)


def _some(X: Array) -> Array:
    n_rows = num_samples(X)  # of none validation says so
    return safe_indexing(indexable(X), monitored_rows(n_rows)) if n_rows else X


# What training changes, and of which going on needs a copy.
_IN_TRAINING = {"rbm_", "network_", "history_", "_state", "_rng"}
# Learned, whatever the name.
_BEHIND = {"_state", "_rng", "_streams", "_stack", "_kept", "_seed", "_base_bias"}
_BEHIND |= {"_loss", "_one_output", "_log_z_epochs"}


def _is_learned(name: str) -> bool:
    return name in _BEHIND or (name.endswith("_") and not name.startswith("_"))
