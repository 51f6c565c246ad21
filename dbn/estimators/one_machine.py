"""What estimators of one machine share: what is kept of it, and when it is another."""

import copy
from collections.abc import Callable
from typing import Any

from ..backend.device import numpy_dtype, to_host
from ..boltzmann import RBM, Units, get_units
from .density import DensityEstimator


class OneMachine(DensityEstimator):
    """Base of `RBMTransformer` and `RBMClassifier`."""

    n_components: int
    visible: str | Units
    hidden: str | Units
    rbm_: RBM
    batch_size_: int
    max_iter_: int
    _rng: Any
    _state: dict[str, Any]
    # For so many columns of features, and a dtype.
    _new_machine: Callable[[int, Any], RBM]

    def __sklearn_is_fitted__(self) -> bool:
        # The weights are those of `RBM.initialize` when the first epoch begins.
        return "epoch" in getattr(self, "_state", {})

    _KEPT = DensityEstimator._KEPT | {"_state": "state", "_seed": "seed"}

    def _progress(self) -> dict[str, Any]:
        return super()._progress() | {"params": to_host(self.rbm_.params.flat)}

    def _attributes_of(self, kept: dict[str, Any]) -> dict[str, Any]:
        rbm = copy.deepcopy(self.rbm_)
        rbm.params.fill(kept["params"])
        return super()._attributes_of(kept) | {"rbm_": rbm}

    @property
    def _machines(self) -> list[RBM]:
        return [self.rbm_]

    def _first_visible(self) -> str | Units:
        return self.visible

    def _check_unchanged(self) -> None:
        """Raise a ValueError if parameters ask for another machine than the fitted."""
        asked = self._new_machine(self.rbm_.n_features, numpy_dtype(self.rbm_.W))
        auto = isinstance(self.visible, str) and self.visible == "auto"
        same_visible = auto or get_units(self.visible) == self.visible_
        if asked.architecture != self.rbm_.architecture or not same_visible:
            raise ValueError(
                f"Training cannot go on from {self.rbm_!r} with n_components="
                f"{self.n_components}, visible={self.visible!r} and hidden="
                f"{self.hidden!r}. Set these back, or call fit with warm_start=False."
            )

    @property
    def n_iter_(self) -> int:
        """Epochs that were run."""
        return len(self.history_)
