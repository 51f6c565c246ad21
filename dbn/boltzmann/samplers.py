"""The negative phase: where the model's own statistics come from."""

import math
from abc import abstractmethod
from numbers import Integral

from ..backend.parts import Part, check_number, get_part, scheduled


class Sampler(Part):
    """Interface: `start` once per training, `negative` once per batch.

    A sampler is a specification; what it remembers between batches is its state, a dict
    that belongs to one training, which it returns and gets back. The state's entry
    ``"epoch"``, from which schedules are read, is advanced by the training loop.
    """

    # Whether each negative row belongs to a positive row and shares its weight.
    paired = False

    @abstractmethod
    def start(self, rbm, X, rng):
        """Return the initial state."""

    @abstractmethod
    def negative(self, rbm, v_pos, x_pos, state, rng):
        """Return rows of the negative phase and the new state.

        Parameters
        ----------
        rbm : RBM
        v_pos : array of shape (n_rows, n_visible)
            Rows of the positive phase.
        x_pos : array of shape (n_rows, n_hidden)
            Total input of the hidden units at `v_pos`.
        state : dict
            What `start` or the last call returned.
        rng : numpy.random.Generator

        Returns
        -------
        v_neg, h_neg : arrays
            Visible rows and the means of their hidden units.
        state : dict
        """


class CD(Sampler):
    """Contrastive divergence: `k` Gibbs steps that start at the data.

    Hidden states are sampled, except the last, which are means; Hinton (2002) and
    Hinton (2010), section 3.

    Parameters
    ----------
    k : int or schedule, default=1
        Number of Gibbs steps.
    sample_visible : bool, default=False
        Whether reconstructed visible units are sampled (better for a density model) or
        replaced by their means (less noise, the usual choice for features). Units that
        learn their variance are always sampled.

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> from dbn.boltzmann import CD
    >>> RBMTransformer(sampler=CD(k=5, sample_visible=True)).sampler.k
    5
    """

    paired = True

    def __init__(self, k=1, *, sample_visible=False):
        self.k = k
        self.sample_visible = sample_visible

    def validate(self):
        check_number(self, "k", 1, math.inf, closed=True, schedule=True, kind=Integral)

    def start(self, rbm, X, rng):
        return {"epoch": 0}

    def negative(self, rbm, v_pos, x_pos, state, rng):
        x = x_pos
        for _ in range(scheduled(self.k, state["epoch"])):
            h = rbm.hidden.sample(x, rng)
            # A learned variance needs samples: means vary too little.
            sample = self.sample_visible or rbm.p_visible
            v = rbm.sample_visible(h, rng) if sample else rbm.mean_visible(h)
            x = rbm.hidden_input(v)
        return v, rbm.hidden.mean(x), state


SAMPLERS = {"cd": CD}


def get_sampler(sampler):
    """Return `sampler` itself, or the sampler that the string names.

    Parameters
    ----------
    sampler : {"cd"} or Sampler

    Raises
    ------
    ValueError
        If `sampler` is neither.

    Examples
    --------
    >>> get_sampler("cd")
    CD()
    """
    return get_part(sampler, Sampler, SAMPLERS, "sampler")
