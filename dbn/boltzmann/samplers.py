"""The negative phase: where the model's own statistics come from."""

import math
from abc import abstractmethod
from collections.abc import Callable
from copy import copy
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np

from ..backend.array import dense, mean_weights, take_rows
from ..backend.device import namespace, to_host
from ..backend.parameters import Parameters
from ..backend.parts import Part, check_number, get_part, scheduled
from ..backend.types import Array
from .rbm import RBM
from .tempering import (
    TemperedPath,
    check_normalised,
    even_betas,
    exchange,
    gibbs_chains,
)

# What a sampler remembers between batches.
State: TypeAlias = dict[str, Any]


class Sampler(Part):
    """Interface: `start` once per training, `negative` once per batch.

    A sampler is a specification; what it remembers between batches is its state, a dict
    that belongs to one training, which it returns and gets back. Two of its entries are
    set by the training: ``"epoch"``, from which schedules are read, and, where rows do
    not count alike, ``"weight"``, of the rows of the batch.
    """

    # Whether each negative row belongs to a positive row and shares its weight.
    paired = False

    def at(self, epoch: int) -> "Sampler":
        """The sampler of an `epoch`: itself, where there are not several."""
        return self

    @abstractmethod
    def start(self, rbm: RBM, X: Array, rng: Any) -> State:
        """Return the initial state.

        Parameters
        ----------
        rbm : RBM
            As training begins.
        X : array, scipy sparse CSR or LazyRows of shape (n_rows, n_visible)
            Training rows, with the column's mean where a value is not known.
        rng : numpy.random.Generator
        """

    @abstractmethod
    def negative(
        self, rbm: RBM, v_pos: Array, x_pos: Array, h_pos: Array, state: State, rng: Any
    ) -> tuple[Array, Array, State]:
        """Return rows of the negative phase and the new state.

        Parameters
        ----------
        rbm : RBM
        v_pos : array of shape (n_rows, n_visible)
            Rows of the positive phase.
        x_pos, h_pos : array of shape (n_rows, n_hidden)
            Total input and mean of the hidden units at `v_pos`.
        state : dict
            What `start` or the last call returned.
        rng : numpy.random.Generator

        Returns
        -------
        v_neg, h_neg : arrays
            Visible rows and the means of their hidden units.
        state : dict

        Raises
        ------
        ValueError
            If `state` was made for a machine of another size.
        """

    def shares(self, state: State) -> tuple[list[str], list[str]]:
        """What processes that train together do with the entries of the `state`.

        Returns
        -------
        rows : list of str
            Arrays whose last axis but one they share out for an epoch: the chains.
        means : list of str
            Arrays that each moves by its own chains, averaged after the epoch.
        """
        arrays = [name for name, value in state.items() if getattr(value, "ndim", 0)]
        return [n for n in arrays if n == "v"], [n for n in arrays if n != "v"]


class CD(Sampler):
    """Contrastive divergence: `k` Gibbs steps that start at the data.

    Hidden states are sampled, except the last, which are means; Hinton (2002) and
    Hinton (2010), section 3. Where the visible units hold `Labels`, every step first
    draws the label given the features, with the hidden units summed out.

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

    def __init__(self, k: Any = 1, *, sample_visible: bool = False) -> None:
        self.k = k
        self.sample_visible = sample_visible

    def validate(self) -> None:
        check_number(self, "k", 1, math.inf, closed=True, schedule=True, kind=Integral)

    def start(self, rbm: RBM, X: Array, rng: Any) -> State:
        return {"epoch": 0}

    def negative(
        self, rbm: RBM, v_pos: Array, x_pos: Array, h_pos: Array, state: State, rng: Any
    ) -> tuple[Array, Array, State]:
        v, x, h, labels = v_pos, x_pos, h_pos, rbm.labels
        for step in range(scheduled(self.k, state["epoch"])):
            if labels is not None:
                # Hidden units that have seen the right label learn little of it.
                x = labels.redrawn(dense(v[:, rbm.n_features :]), x, rng)
                h = rbm.hidden.sample(x, rng)
            elif step == 0:
                h = rbm.hidden.sample_at_mean(h, x, rng)
            else:
                h = rbm.hidden.sample(x, rng)
            # A learned variance needs samples: means vary too little.
            sample = self.sample_visible or rbm.p_visible
            v = rbm.sample_visible(h, rng) if sample else rbm.mean_visible(h)
            x = rbm.hidden_input(v)
        return v, rbm.hidden.mean(x), state


def _check_chain_numbers(sampler: Sampler) -> None:
    """Raise a ValueError unless the numbers of steps and chains are accepted."""
    check_number(sampler, "k", 1, math.inf, closed=True, schedule=True, kind=Integral)
    check_number(sampler, "n_chains", 1, math.inf, closed=True, kind=Integral)


def _data_rows(X: Array, n_rows: int, rng: Any) -> Array:
    """Rows of `X` drawn uniformly with replacement, where chains start."""
    return dense(take_rows(X, rng.integers(X.shape[0], size=n_rows)))


def _check_size(found: int, needed: int, what: str) -> None:
    """Raise a ValueError when a state was made for another machine."""
    if found != needed:
        raise ValueError(
            f"The sampler's state has {found} {what}; the machine has {needed}. A "
            "state belongs to one training: get a new one from `start`."
        )


class PCD(Sampler):
    """Persistent contrastive divergence: chains that go on from batch to batch.

    While a machine changes little per update, chains that are not set back to the data
    stay close to its distribution: a better density model than `CD`. Where learning is
    too fast for the chains to follow, the likelihood falls instead (Fischer and Igel
    2010, "Empirical analysis of the divergence of Gibbs sampling based learning
    algorithms for restricted Boltzmann machines"), with momentum 0.9 often already at a
    learning rate of 0.1. Tieleman (2008), "Training restricted Boltzmann machines using
    approximations to the likelihood gradient".

    Both layers are always sampled. Sample weights act on the positive phase only: the
    chains, all equal, draw from the machine.

    Parameters
    ----------
    k : int or schedule, default=1
        Number of Gibbs steps per update.
    n_chains : int, default=100
        Number of chains, which may differ from the number of rows in a batch. They
        start at training rows, drawn with replacement, as often as they weigh.

    Examples
    --------
    >>> from dbn.boltzmann import PCD
    >>> PCD(k=((0, 1), (10, 5)), n_chains=50)  # five steps from epoch 10 on
    PCD(k=((0, 1), (10, 5)), n_chains=50)
    """

    def __init__(self, k: Any = 1, *, n_chains: int = 100) -> None:
        self.k = k
        self.n_chains = n_chains

    def validate(self) -> None:
        _check_chain_numbers(self)

    def start(self, rbm: RBM, X: Array, rng: Any) -> State:
        return {"epoch": 0, "v": _data_rows(X, self.n_chains, rng)}

    def negative(
        self, rbm: RBM, v_pos: Array, x_pos: Array, h_pos: Array, state: State, rng: Any
    ) -> tuple[Array, Array, State]:
        _check_size(state["v"].shape[1], rbm.n_visible, "visible units")
        v = rbm.gibbs(state["v"], rng, scheduled(self.k, state["epoch"]))
        return v, rbm.mean_hidden(v), {**state, "v": v}


class FPCD(Sampler):
    """Persistent contrastive divergence whose chains are driven by fast weights.

    The chains run in a machine with the parameters theta + f. The fast parameters f
    learn from the same gradient g, but faster, and are forgotten,

        f <- fast_decay * f - fast_learning_rate * g,

    which pushes the chains away from where they have been: they mix well while theta
    may learn slowly. Tieleman and Hinton (2009), "Using fast weights to improve
    persistent contrastive divergence".

    Rows are returned with the hidden means of the machine with theta + f that made
    them. Against `PCD`, an update costs a second gradient, because g is computed here,
    before weight decay, and memory for two more copies of the parameters, f and
    theta + f. Where theta follows the centered gradient (`RBM.gradient`), f still
    follows the plain one, which mixes as well unless most units are on in most rows:
    lower `fast_learning_rate` then. Where labels are not known and are summed out, g is
    that of their means, whatever share of it theta learns.

    Parameters
    ----------
    k : int or schedule, default=1
        Number of Gibbs steps per update.
    n_chains : int, default=100
        Number of chains, which start as those of `PCD`.
    fast_learning_rate : float, default=0.05
        Of f; of the size of the initial learning rate of theta (lower it with that, for
        Gaussian or ReLU units). At 0 the sampler is `PCD`.
    fast_decay : float, default=0.95
        What is kept of f at every update; 19/20 in the paper.

    Examples
    --------
    >>> from dbn.boltzmann import FPCD
    >>> FPCD(fast_learning_rate=0.01).fast_decay
    0.95
    """

    def __init__(
        self,
        k: Any = 1,
        *,
        n_chains: int = 100,
        fast_learning_rate: float = 0.05,
        fast_decay: float = 0.95,
    ) -> None:
        self.k = k
        self.n_chains = n_chains
        self.fast_learning_rate = fast_learning_rate
        self.fast_decay = fast_decay

    def validate(self) -> None:
        _check_chain_numbers(self)
        check_number(self, "fast_learning_rate", 0, math.inf, closed=True)
        check_number(self, "fast_decay", 0, 1, closed=True)

    def start(self, rbm: RBM, X: Array, rng: Any) -> State:
        fast = rbm.params.zeros_like().flat
        return {"epoch": 0, "v": _data_rows(X, self.n_chains, rng), "fast": fast}

    def negative(
        self, rbm: RBM, v_pos: Array, x_pos: Array, h_pos: Array, state: State, rng: Any
    ) -> tuple[Array, Array, State]:
        fast = state["fast"]
        _check_size(state["v"].shape[1], rbm.n_visible, "visible units")
        _check_size(fast.shape[0], rbm.params.flat.shape[0], "parameters")
        driven = copy(rbm)
        driven.params = Parameters(rbm.params.shapes, rbm.params.flat + fast)
        v = driven.gibbs(state["v"], rng, scheduled(self.k, state["epoch"]))
        h = driven.mean_hidden(v)
        grad = driven.params  # no longer needed as parameters
        rbm.gradient(v_pos, h_pos, v, h, grad, state.get("weight"))
        fast = self.fast_decay * fast - self.fast_learning_rate * grad.flat
        return v, h, {**state, "v": v, "fast": fast}


class ParallelTempering(Sampler):
    """Persistent chains at several temperatures that exchange their states.

    Chains at inverse temperatures beta from 0 (independent units with the mean of the
    data, see `TemperedPath`) to 1 (the machine) make `k` Gibbs steps and then exchange
    the states of neighbours i and j with the Metropolis probability

        min(1, p_i(v_j) p_j(v_i) / (p_i(v_i) p_j(v_j))),

    so that hot chains carry those at beta = 1, which are the negative phase, from mode
    to mode. Pairs (0, 1), (2, 3), ... and (1, 2), (3, 4), ... take turns. Earl and Deem
    (2005), "Parallel tempering: theory, applications, and new perspectives"; for RBMs,
    Desjardins et al. (2010), "Tempered Markov chain Monte Carlo for training of
    restricted Boltzmann machines".

    With `adapt` the betas move so that all pairs exchange equally often: at every
    update by a hundredth of the way to where the rejections, taken as uniform between
    two betas, are shared out evenly. That disturbs the laws a little, as learning does.
    Compare Desjardins, Courville and Bengio (2010), "Adaptive parallel tempering for
    stochastic maximum likelihood learning of RBMs".

    The state has the ``"betas"``, and in ``"swap_rates"`` the mean probability of an
    exchange of each pair of neighbours, over about its last 20 (0 before the first).

    An update costs about `n_betas` times the Gibbs steps of `PCD`, and half a step more
    for the exchange.

    Parameters
    ----------
    k : int or schedule, default=1
        Number of Gibbs steps per update.
    n_chains : int, default=100
        Number of chains at each temperature, which start as those of `PCD`.
    n_betas : int, default=10
        Number of temperatures, at least 2; at the start evenly spaced in beta.
    adapt : bool, default=True
        Whether the betas move.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import RBM
    >>> from dbn.boltzmann import ParallelTempering
    >>> rng, rbm, v = np.random.default_rng(0), RBM(3, 2), np.ones((5, 3))
    >>> sampler = ParallelTempering(n_betas=3)
    >>> state, x = sampler.start(rbm, v, rng), rbm.hidden_input(v)
    >>> h = rbm.hidden.mean(x)
    >>> v_neg, _, state = sampler.negative(rbm, v, x, h, state, rng)
    >>> v_neg.shape, state["v"].shape
    ((100, 3), (3, 100, 3))
    """

    def __init__(
        self,
        k: Any = 1,
        *,
        n_chains: int = 100,
        n_betas: int = 10,
        adapt: bool = True,
    ) -> None:
        self.k = k
        self.n_chains = n_chains
        self.n_betas = n_betas
        self.adapt = adapt

    def validate(self) -> None:
        _check_chain_numbers(self)
        check_number(self, "n_betas", 2, math.inf, closed=True, kind=Integral)

    def start(self, rbm: RBM, X: Array, rng: Any) -> State:
        check_normalised(rbm)
        v = _data_rows(X, self.n_betas * self.n_chains, rng)
        return {
            "epoch": 0,
            "v": namespace(v).reshape(v, (self.n_betas, self.n_chains, -1)),
            "mean": mean_weights(X) @ X,
            "betas": np.linspace(0.0, 1.0, self.n_betas),
            "swap_rates": np.zeros(self.n_betas - 1),
            "n_updates": 0,
        }

    def negative(
        self, rbm: RBM, v_pos: Array, x_pos: Array, h_pos: Array, state: State, rng: Any
    ) -> tuple[Array, Array, State]:
        v, n_updates = state["v"], state["n_updates"]
        # The temperatures are the host's, whatever the chains are.
        betas, rates = to_host(state["betas"]), to_host(state["swap_rates"]).copy()
        _check_size(v.shape[2], rbm.n_visible, "visible units")
        # From the mean, because learned variances change what belongs to it.
        bias = rbm.visible.input_for_mean(state["mean"], rbm.p_visible)
        path = TemperedPath(rbm, bias)
        v = gibbs_chains(path, v, betas, rng, scheduled(self.k, state["epoch"]))
        parity = n_updates % 2
        v, accepted = exchange(path, v, betas, parity, rng)
        # A mean over all exchanges so far, at most over about the last 20.
        share = 1.0 / min(n_updates // 2 + 1, 20)
        rates[parity::2] += share * (accepted - rates[parity::2])
        if self.adapt and n_updates > 0:
            betas = betas + 0.01 * (even_betas(betas, rates) - betas)
        state = {**state, "v": v, "betas": betas, "swap_rates": rates}
        cold = v[-1, ...]
        return cold, rbm.mean_hidden(cold), state | {"n_updates": n_updates + 1}


class Staged(Sampler):
    """One sampler after another: contrastive divergence first, say, and then chains.

    Features are learned fast by contrastive divergence; of its machines the samples may
    be worthless, and a few epochs of persistent chains mend that. All states begin with
    the training.

    Parameters
    ----------
    stages : sequence of (int, Sampler)
        Each sampler holds from its epoch on; the first one from epoch 0.

    Examples
    --------
    >>> from dbn.boltzmann import CD, PCD, Staged
    >>> Staged(((0, CD()), (10, PCD()))).at(12)
    PCD()
    """

    def __init__(self, stages: Any) -> None:
        self.stages = stages

    def validate(self) -> None:
        stages = self.stages if isinstance(self.stages, list | tuple) else ()
        epochs = [stage[0] for stage in stages if len(stage) == 2]
        right = len(epochs) == len(stages) > 0 and epochs[0] == 0
        if not right or epochs != sorted({*epochs}):
            raise ValueError(
                "Staged needs pairs (epoch, sampler) with rising epochs from 0 on, as "
                f"in ((0, CD()), (10, PCD())); stages is {self.stages!r}."
            )
        for _, sampler in stages:
            get_sampler(sampler)

    def _place(self, epoch: int) -> int:
        return sum(bool(first <= epoch) for first, _ in self.stages) - 1

    def at(self, epoch: int) -> Sampler:
        own: Sampler = self.stages[self._place(epoch)][1]
        return own

    def start(self, rbm: RBM, X: Array, rng: Any) -> State:
        found: State = {"epoch": 0}
        for i, (_, sampler) in enumerate(self.stages):
            found |= _prefixed(i, sampler.start(rbm, X, rng))
        return found

    def negative(
        self, rbm: RBM, v_pos: Array, x_pos: Array, h_pos: Array, state: State, rng: Any
    ) -> tuple[Array, Array, State]:
        i, sampler = self._place(state["epoch"]), self.at(state["epoch"])
        given = {name: state[name] for name in _GIVEN if name in state}
        own = _without_prefix(i, state) | given
        v, h, own = sampler.negative(rbm, v_pos, x_pos, h_pos, own, rng)
        return v, h, state | _prefixed(i, own)

    def shares(self, state: State) -> tuple[list[str], list[str]]:
        found: tuple[list[str], list[str]] = [], []
        for i, (_, sampler) in enumerate(self.stages):
            for names, own in zip(
                found, sampler.shares(_without_prefix(i, state)), strict=True
            ):
                names += [f"{i} {name}" for name in own]
        return found


_GIVEN = ("epoch", "weight")  # entries that the training sets


def _prefixed(i: int, state: State) -> State:
    return {f"{i} {name}": v for name, v in state.items() if name not in _GIVEN}


def _without_prefix(i: int, state: State) -> State:
    """The part of a `Staged` state that belongs to stage `i`."""
    start = f"{i} "
    return {n.removeprefix(start): v for n, v in state.items() if n.startswith(start)}


SAMPLERS: dict[str, Callable[[], Sampler]] = {
    "cd": CD,
    "pcd": PCD,
    "fpcd": FPCD,
    "pt": ParallelTempering,
}


def get_sampler(sampler: str | Sampler) -> Sampler:
    """Return `sampler` itself, or the sampler that the string names.

    Parameters
    ----------
    sampler : {"cd", "pcd", "fpcd", "pt"} or Sampler

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
