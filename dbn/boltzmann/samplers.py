"""The negative phase: where the model's own statistics come from."""

from abc import abstractmethod
from numbers import Integral

from ..backend.parts import Part, get_part


class Sampler(Part):
    """Interface: `start` once per training, `negative` once per batch.

    A sampler is a specification; what it remembers between batches is its state, which
    it returns and gets back.
    """

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
        state : object
            What `start` or the last call returned.
        rng : numpy.random.Generator

        Returns
        -------
        v_neg, h_neg : arrays
            Visible rows and the means of their hidden units.
        state : object
        """


class CD(Sampler):
    """Contrastive divergence: `k` Gibbs steps that start at the data.

    Hidden states are sampled, except the last, which are means; Hinton (2002) and
    Hinton (2010), section 3.

    Parameters
    ----------
    k : int, default=1
        Number of Gibbs steps.
    sample_visible : bool, default=False
        Whether reconstructed visible units are sampled (better for a density model) or
        replaced by their means (less noise, the usual choice for features).

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> from dbn.boltzmann import CD
    >>> RBMTransformer(sampler=CD(k=5, sample_visible=True)).sampler.k
    5
    """

    def __init__(self, k=1, *, sample_visible=False):
        self.k = k
        self.sample_visible = sample_visible

    def validate(self):
        if not isinstance(self.k, Integral) or self.k < 1:
            raise ValueError(f"CD needs an integer k of at least 1; k is {self.k!r}.")

    def start(self, rbm, X, rng):
        return None

    def negative(self, rbm, v_pos, x_pos, state, rng):
        x = x_pos
        for _ in range(self.k):
            h = rbm.hidden.sample(x, rng)
            x_visible = rbm.visible_input(h)
            if self.sample_visible:
                v = rbm.visible.sample(x_visible, rng)
            else:
                v = rbm.visible.mean(x_visible)
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
