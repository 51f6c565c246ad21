"""The batches of one epoch, on a CUDA device recorded once and replayed."""

import math
from itertools import islice

import numpy as np

from ..backend.array import count_not_finite, namespace, take_rows
from ..backend.capture import Memory, exchanges
from ..backend.rows import even_batches

# Updates between two looks for a divergence: less than 1 % of their time.
_UPDATES_PER_CHECK = 100
# Whole batches for which recording, which takes some updates' time, is worth it.
_FEWEST = 10


def run_epoch(step, epoch, params, state, batch_size, groups, record=None):
    """One pass over the rows in batches; the mean loss, or None.

    It ends early when parameters are not finite any more.

    Parameters
    ----------
    step : callable
        See `dbn.training.loop.make_step`.
    epoch : int
    params : Parameters
    state : dict
        What `step` remembers.
    batch_size : int
    groups : iterable of arrays
        Numbers of all rows, in order.
    record : callable, optional
        See `dbn.backend.capture.recorder`; then `groups` has one array.

    Returns
    -------
    float or None
    """
    sums = {}

    def update(rows):
        loss = step(rows, epoch)
        if loss is not None:
            sums["loss"] = loss * rows.shape[0] + sums.get("loss", 0.0)

    n_done, groups = 0, groups if record is None else list(groups)
    if record is not None and groups[0].shape[0] >= _FEWEST * batch_size:
        n_done = _whole_batches(update, groups[0], batch_size, (state, sums), record)
    n_rows, theta = n_done * batch_size, params.flat
    batches = islice(even_batches(groups, batch_size), n_done, None)
    for i, rows in enumerate(batches):
        update(rows)
        n_rows += rows.shape[0]
        looks = i % _UPDATES_PER_CHECK == 0 and isinstance(theta, np.ndarray)
        # One product, in which anything that is not finite shows, comes first; of a
        # device its result would have to be awaited.
        if looks and not math.isfinite(theta @ theta) and count_not_finite(theta):
            break
    return float(sums["loss"]) / n_rows if sums else None


def _whole_batches(update, order, size, trees, record):
    """Update with each whole batch of rows; return how many have been done.

    The first brings everything to its place, the second shows whether the update can be
    recorded, the third is recorded, and the others are replays of it: all that changes
    from one to the next is in arrays. What is constant in an epoch (rates, numbers of
    Gibbs steps) is recorded anew in the next.
    """
    n_whole = order.shape[0] // size
    update(order[:size])
    memory = Memory(trees)
    if exchanges(lambda: update(order[size : 2 * size]), order) or not memory.fits():
        return 2
    memory = Memory(trees)
    place = namespace(order).arange(2 * size, 3 * size, device=order.device)

    def step_on():
        nonlocal place
        update(take_rows(order, place))
        memory.restore_places()
        place += size

    recording = record(step_on)
    for _ in range(3, n_whole):
        recording.replay()
    return n_whole
