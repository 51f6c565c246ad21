"""L-BFGS and conjugate gradient: minima, iterations, precision, refusals."""

import array_api_strict
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from dbn import RBM, Network
from dbn.backend.random import make_rng
from dbn.feedforward import get_initializer
from dbn.training import LBFGS, ConjugateGradient, finetune, train_rbm
from tests.helpers import read_only

METHODS = {LBFGS: "L-BFGS-B", ConjugateGradient: "CG"}
each_method = pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.__name__)

# A convex quadratic, curved 100 times more along one axis of a rotation than another.
N = 10
Q = np.linalg.qr(make_rng(0).standard_normal((N, N)))[0]
A = (Q * np.logspace(0, 2, N)) @ Q.T
B = make_rng(1).standard_normal(N)
MINIMUM = np.linalg.solve(A, B)

X, LABELS = (read_only(a) for a in load_iris(return_X_y=True))
Y = read_only(np.eye(3)[LABELS])


class Quadratic:
    """0.5 x'Ax - B'x in the buffers that an optimizer works in; counts its calls."""

    def __init__(self, dtype=np.float64, xp=np):
        self.A, self.B = (xp.asarray(a.astype(dtype)) for a in (A, B))
        self.theta, self.grad = xp.zeros_like(self.B), xp.zeros_like(self.B)
        self.n_calls = 0

    def __call__(self):
        self.n_calls += 1
        Ax = self.A @ self.theta
        self.grad[...] = Ax - self.B
        return 0.5 * (self.theta @ Ax) - self.B @ self.theta

    def minimized(self, optimizer):
        optimizer.minimize(self, self.theta, self.grad, optimizer.init(self.theta))
        return self


def value(x):
    return 0.5 * (x @ (A @ x)) - B @ x


@each_method
def test_it_finds_the_minimum_of_a_quadratic(kind):
    theta = Quadratic().minimized(kind(200)).theta
    assert_allclose(theta, MINIMUM, atol=2e-5)


@each_method
def test_float32_is_kept_and_finds_it_too(kind):
    problem = Quadratic(np.float32).minimized(kind(200))
    assert problem.theta.dtype == problem.grad.dtype == np.float32
    # Where the loss, about 1, is flat to the precision of float32.
    assert_allclose(problem.theta, MINIMUM, atol=5e-3)
    excess = value(problem.theta.astype(np.float64)) - value(MINIMUM)
    assert excess < 100 * np.finfo(np.float32).eps


@each_method
def test_the_array_standard_is_enough(kind):
    problem = Quadratic(xp=array_api_strict)
    theta = np.asarray(problem.minimized(kind(200)).theta)
    assert_allclose(theta, Quadratic().minimized(kind(200)).theta, atol=1e-6)


@each_method
@pytest.mark.parametrize("max_iter", [1, 2, 3, 7, 30])
def test_its_iterations_are_those_of_scipy(kind, max_iter):
    """With fresh arrays at each call, where the package reuses its own."""
    expected = minimize(
        lambda x: (value(x), A @ x - B),
        np.zeros(N),
        jac=True,
        method=METHODS[kind],
        options={"maxiter": max_iter},
    )
    assert expected.nit <= max_iter
    problem = Quadratic().minimized(kind(max_iter))
    assert_allclose(problem.theta, expected.x, rtol=1e-7, atol=1e-9)
    assert problem.n_calls <= expected.nfev + 1


@each_method
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_search_that_fails_leaves_the_parameters(kind, dtype):
    """With the gradient's sign wrong nothing that is tried is lower."""
    theta, grad, seen = np.array([1.0, 2.0], dtype), np.zeros(2, dtype), []

    def evaluate():
        grad[...] = -theta
        seen.append(theta.copy())
        return 0.5 * (theta @ theta)

    kind(5).minimize(evaluate, theta, grad, {})
    assert len(seen) > 1
    assert_array_equal(theta, [1.0, 2.0])


def test_conjugate_directions_need_few_line_searches():
    """Steepest descent needs hundreds where one direction is curved 100 times more."""
    assert_allclose(
        Quadratic().minimized(ConjugateGradient(60)).theta, MINIMUM, atol=1e-4
    )


@each_method
def test_a_step_of_its_own_is_refused(kind):
    theta = np.zeros(2)
    with pytest.raises(TypeError, match="call minimize"):
        kind().step(theta, theta, kind().init(theta))


@each_method
@pytest.mark.parametrize("max_iter", [0, -1, 2.0, "many", None, np.inf])
def test_a_number_of_iterations_that_is_none_is_refused(kind, max_iter):
    net = Network([4, 3])
    with pytest.raises(ValueError) as error:
        finetune(net, X, Y, rng=make_rng(0), optimizer=kind(max_iter))
    assert str(error.value) == (
        f"{kind.__name__}: max_iter must be an integer in [1, inf); it is {max_iter!r}."
    )


# Logistic regression and networks


def fitted(optimizer, sizes=(4, 3), dtype=np.float64, net=None, seed=0, **options):
    """A network trained with all rows of iris in one batch."""
    if net is None:
        net = Network(sizes, dtype=dtype, activation="tanh")
        get_initializer("xavier_uniform").fill(net, X, make_rng(1))
    fixed = {"batch_size": len(X), "max_iter": 1, "rng": make_rng(seed)}
    rows, y = X.astype(dtype), Y.astype(dtype)
    return finetune(net, rows, y, optimizer=optimizer, **fixed | options)


def objective(W, c, weight_decay):
    z = X @ W + c
    log_p = z - np.log(np.exp(z - z.max(1, keepdims=True)).sum(1, keepdims=True))
    log_p -= z.max(1, keepdims=True)
    return -log_p[np.arange(len(X)), LABELS].mean() + 0.5 * weight_decay * np.sum(W**2)


@pytest.fixture(scope="module", params=[0.1, 1.0, 10.0])
def reference(request):
    """Weight decay, and scikit-learn's loss at the C that means the same."""
    model = LogisticRegression(C=request.param, tol=1e-10, max_iter=10_000).fit(
        X, LABELS
    )
    weight_decay = 1.0 / (request.param * len(X))
    return weight_decay, objective(model.coef_.T, model.intercept_, weight_decay)


@each_method
def test_logistic_regression_is_that_of_scikit_learn(kind, reference):
    weight_decay, expected = reference
    net = fitted(kind(1000), weight_decay=weight_decay)
    found = objective(*net.dense[0], weight_decay)
    assert abs(found - expected) < 1e-6


@each_method
def test_logistic_regression_in_float32(kind, reference):
    weight_decay, expected = reference
    net = fitted(kind(1000), weight_decay=weight_decay, dtype=np.float32)
    assert net.params.flat.dtype == np.float32
    W, c = (a.astype(np.float64) for a in net.dense[0])
    assert -1e-6 < objective(W, c, weight_decay) - expected < 1e-3


@each_method
def test_the_loss_of_all_rows_never_grows(kind):
    history = []
    net = fitted(kind(3), sizes=(4, 5, 3), max_iter=15, history=history)
    losses = [entry["loss"] for entry in history]
    losses.append(float(net.loss.value(net.forward(X), Y)))
    assert np.all(np.diff(losses) < 0.0)
    assert losses[-1] < 0.2 * losses[0]


@each_method
def test_more_iterations_go_further(kind):
    losses = []
    for max_iter in (1, 3, 10, 30):
        net = fitted(kind(max_iter), sizes=(4, 5, 3))
        losses.append(float(net.loss.value(net.forward(X), Y)))
    assert np.all(np.diff(losses) < 0.0)


@each_method
def test_the_loss_in_history_is_that_before_the_searches(kind):
    history, start = [], Network([4, 3])
    fitted(kind(5), net=start, history=history, weight_decay=0.1)
    assert_allclose(history[0]["loss"], np.log(3.0), rtol=1e-12)


@each_method
def test_minibatches_serve_too(kind):
    history = []
    fitted(kind(), batch_size=50, max_iter=8, history=history, weight_decay=1e-3)
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]


@each_method
def test_training_goes_on(kind):
    """Two epochs and three are five, to the last bit."""
    once = fitted(kind(), max_iter=5, batch_size=60)
    parts, state, rng, history = None, {}, make_rng(0), []
    for n_epochs in (2, 3):
        parts = fitted(
            kind(),
            net=parts,
            rng=rng,
            state=state,
            history=history,
            max_iter=n_epochs,
            batch_size=60,
        )
    assert_array_equal(parts.params.flat, once.params.flat)
    assert [entry["epoch"] for entry in history] == [0, 1, 2, 3, 4]


@each_method
def test_a_frozen_layer_is_left_out_of_the_search(kind):
    """Searching the rest is a search where the frozen parameters are constants."""
    net = Network([4, 5, 3], activation="tanh")
    get_initializer("xavier_uniform").fill(net, X, make_rng(1))
    hidden = net.activations(X)[2]
    alone = Network([5, 3])
    alone.params.flat[...] = net.params.flat[-alone.params.flat.shape[0] :]
    options = {"weight_decay": 0.01, "batch_size": 150, "max_iter": 2}
    finetune(alone, hidden, Y, rng=make_rng(0), optimizer=kind(5), **options)
    before = net.params.copy()
    fitted(kind(5), net=net, learning_rate_multipliers=[0.0, 1.0], **options)
    for name in ("W0", "c0"):
        assert_array_equal(net.params[name], before[name])
    top = net.params.flat[-alone.params.flat.shape[0] :]
    assert_allclose(top, alone.params.flat, rtol=1e-6, atol=1e-9)


@each_method
def test_max_norm_holds(kind):
    net = fitted(kind(20), sizes=(4, 5, 3), max_norm=0.7, max_iter=3)
    norms = np.concatenate([np.linalg.norm(W, axis=0) for W, _ in net.dense])
    assert norms.max() <= 0.7 * (1.0 + 1e-12)
    assert_allclose(norms.max(), 0.7, rtol=1e-12)


# Refusals


@each_method
@pytest.mark.parametrize(
    "options",
    [{"dropout": 0.5}, {"dropout": (0.2, 0.0)}, {"batch_norm": True}],
    ids=repr,
)
def test_a_loss_that_changes_by_itself_is_refused(kind, options):
    net = Network([4, 5, 3], **options)
    with pytest.raises(ValueError) as error:
        finetune(net, X, Y, rng=make_rng(0), optimizer=kind(7))
    assert str(error.value) == (
        f"{kind.__name__}(max_iter=7) evaluates a batch's loss many times and needs "
        "the same one each time; dropout and batch normalization change it. Switch "
        "them off, or use Adam or SGD."
    )


@pytest.mark.parametrize("name", ["lbfgs", "cg"])
def test_machines_have_no_loss_to_search(name):
    rbm = RBM(3, 2)
    with pytest.raises(ValueError, match="Use SGD, RMSProp or Adam for an RBM"):
        train_rbm(rbm, np.eye(3), rng=make_rng(0), optimizer=name)
    assert_array_equal(rbm.params.flat, np.zeros(11))
