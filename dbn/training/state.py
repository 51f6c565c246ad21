"""What training remembers from one call to the next: who writes it and who reads it."""

from collections.abc import Callable
from typing import Any, TypedDict

from ..backend.parts import Part
from ..backend.types import Array
from ..boltzmann import RBM
from ..feedforward import Network


class TrainingState(TypedDict, total=False):
    """The `state` of `train_rbm` and `finetune`.

    A dict of numbers, arrays and dicts like it, which checkpoints and model files keep.
    It goes back, whole, to what it was when an epoch does not come to its end.

    Attributes
    ----------
    epoch : int
        Number of epochs done. Written by `run_epochs`, and as 0 by an estimator that
        has no more than a start. Read there, by `train_layers` and `begun`, where a
        checkpoint is checked, and by processes that train together, which compare it.
    optimizer : dict
        Moments and the like, made by `Optimizer.init` and changed by `Optimizer.step`.
        `make_step` writes its ``"epoch"``, from which schedules are read, and
        ``"n_moving"``, the number of parameters that learn; `run_epochs` writes its
        ``"rate"``, what is left of the learning rate after divergences.
    chains : dict
        Made by `Sampler.start`; `Sampler.negative` takes and returns it. `train_rbm`
        writes its ``"epoch"``. Processes that train together share it out.
    means : tuple of two arrays
        Moving mean activities of visible and hidden units: offsets of centering, and
        for sparsity; those of visible units also stand for values that are not known.
        Written by `train_rbm`, whose gradient moves them where one of both is asked
        for.
    fill : array
        Only with labels and values that are not known: the means as they were at the
        start, which stay. Written by `train_rbm`, for the gradient of the labels.
    span : tuple of two int
        Only with schedules that end with the fit: its first epoch, and the one after
        its last. Written and read by `Training.lasting`.
    best : dict
        Only with patience. `run_epochs` keeps in it the ``"least"`` validation loss,
        the ``"arrays"`` of that epoch, the ``"bar"`` that later losses must pass, how
        many epochs it has ``"waited"`` for that, and whether that makes it ``"over"``.
        A predictor reads the last, and removes all when other rows are held out.
    made_by : dict
        Of optimizer and chains, the class and sizes of the part that made them. Written
        and read by `remembered`.
    """

    epoch: int
    optimizer: dict[str, Any]
    chains: dict[str, Any]
    means: tuple[Array, Array]
    fill: Array
    span: tuple[int, int]
    best: dict[str, Any]
    made_by: dict[str, Any]


class StackState(TypedDict, total=False):
    """The `state` of `pretrain`, and of `DenoisingStack.train`.

    Attributes
    ----------
    rbms : list of RBM
        The machines so far, the last one in training. Written by `train_layers`, read
        by `begun` and by whoever follows the work.
    nets : list of Network
        The same of denoising autoencoders.
    layer : TrainingState
        Of the last machine or net.
    params : list of array
        To go on: the flat buffers of machines or nets. `train_layers` takes it out.
    """

    rbms: list[RBM]
    nets: list[Network]
    layer: TrainingState
    params: list[Array]


def remembered(
    state: dict[str, Any], key: str, part: Part, start: Callable[[], Any]
) -> Any:
    """Entry of `state` that belongs to a part, made by `start()` where there is none.

    It also starts anew when it was made by a part of another class or with another
    number of anything (parameters ``n_*``, such as chains); other parameters of the
    part may change while training goes on.
    """
    sizes = {k: v for k, v in part.get_params().items() if k.startswith("n_")}
    maker = [type(part).__name__, sizes]
    makers = state.setdefault("made_by", {})
    if makers.get(key) != maker:
        makers[key], state[key] = maker, start()
    return state[key]


def forget_earlier(state: dict[str, Any], chunk: bool) -> None:
    """Remove what holds for an earlier call only.

    That are losses of rows held out in it; and if a chunk comes, which ends no fit, the
    span of schedules, which a fit that was interrupted may have left.

    Examples
    --------
    >>> state = {"epoch": 3, "span": (0, 4)}
    >>> forget_earlier(state, chunk=True)
    >>> state
    {'epoch': 3}
    """
    state.pop("best", None)
    if chunk:
        state.pop("span", None)
