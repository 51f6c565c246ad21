"""The path from a model without weights to an RBM, for AIS and parallel tempering.

At inverse temperature beta the total inputs are

    x_h = beta (c + v W),    x_v = (1 - beta) b_A + beta (b + W h),

and base energies are never scaled. At beta = 0 all units are independent, the visible
ones with biases b_A that match the data; at beta = 1 it is the RBM. See Salakhutdinov
and Murray (2008), "On the quantitative analysis of deep belief networks", section 4.1.
"""

from ..backend.array import namespace


class TemperedPath:
    """Intermediate models between independent units and an RBM.

    Every `beta` is a float, or an array of shape (n_rows, 1) with one per row.

    Parameters
    ----------
    rbm : RBM
    base_bias : array of shape (n_visible,), optional
        b_A. Default: the visible biases of the RBM.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import RBM
    >>> path = TemperedPath(RBM(3, 2))
    >>> round(float(path.log_z_base()), 4)  # 5 free binary units: 5 log 2
    3.4657
    """

    def __init__(self, rbm, base_bias=None):
        self.rbm = rbm
        self.base_bias = rbm.b if base_bias is None else base_bias

    def hidden_input(self, v, beta):
        """Total input of the hidden units, shape (n_rows, n_hidden)."""
        return beta * self.rbm.hidden_input(v)

    def visible_input(self, h, beta):
        """Total input of the visible units, shape (n_rows, n_visible)."""
        return (1.0 - beta) * self.base_bias + beta * self.rbm.visible_input(h)

    def log_p(self, v, beta):
        """Unnormalised log probability of visible rows, in nats, shape (n_rows,)."""
        rbm = self.rbm
        bias = (1.0 - beta) * self.base_bias + beta * rbm.b
        linear = namespace(v).sum(v * bias, axis=1)
        x = self.hidden_input(v, beta)
        return linear + rbm.hidden.cgf(x) - rbm.visible.base_energy(v, rbm.p_visible)

    def gibbs(self, v, beta, rng):
        """One step v -> h -> v of block Gibbs sampling at `beta`."""
        rbm = self.rbm
        h = rbm.hidden.sample(self.hidden_input(v, beta), rng)
        return rbm.visible.sample(self.visible_input(h, beta), rng, rbm.p_visible)

    def sample_base(self, n_rows, rng):
        """Exact draws of visible rows at beta = 0."""
        x = namespace(self.base_bias).zeros((n_rows, 1), dtype=self.base_bias.dtype)
        x = x + self.base_bias
        return self.rbm.visible.sample(x, rng, self.rbm.p_visible)

    def log_z_base(self):
        """Log partition function at beta = 0, in nats."""
        rbm = self.rbm
        hidden = namespace(rbm.c).zeros_like(rbm.c[None, :])
        log_z_visible = rbm.visible.cgf(self.base_bias[None, :], rbm.p_visible)
        return (log_z_visible + rbm.hidden.cgf(hidden))[0]
