import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from dbn import Network
from dbn.backend.array import map_batches
from dbn.backend.random import make_rng
from dbn.feedforward import BatchNorm, Dropout, limit_norms
from tests.helpers import largest_mean_z, numerical_gradient, randomize, read_only

N_ROWS, N = 7, 3
X = read_only(make_rng(0).standard_normal((N_ROWS, N)) * [1.0, 3.0, 0.2] + [0, 5, -1])
DELTA = read_only(make_rng(1).standard_normal((N_ROWS, N)))
WEIGHT = np.array([1.0, 0.2, 3.0, 0.0, 2.5, 1.0, 0.5])
COUNTS = np.array([2, 1, 0, 4, 1, 3, 1])
PARTS = ("gamma", "beta", "mean", "variance")


def dropped(x, rate=0.3, seed=0):
    return Dropout(rate).forward_training(x, {}, rng=make_rng(seed))


def test_dropout_is_the_identity_in_prediction():
    assert Dropout(0.9).forward(X, {}) is X


@given(rate=st.floats(0.05, 0.95), seed=st.integers(0, 99))
def test_dropout_keeps_the_mean_and_drops_at_its_rate(rate, seed):
    x = np.tile([0.5, -2.0, 3.0], (4000, 1))
    y, mask = dropped(read_only(x), rate, seed)
    assert_array_equal(y, x * mask)
    assert_allclose(np.unique(mask), [0.0, 1.0 / (1.0 - rate)])
    assert largest_mean_z(y, x[0]) < 5
    assert largest_mean_z((mask == 0).astype(float), rate) < 5


def test_units_and_rows_are_dropped_independently():
    _, mask = dropped(np.ones((20000, 4)), 0.5)
    correlation = np.corrcoef(mask.T) - np.eye(4)
    assert np.abs(correlation).max() < 5 / np.sqrt(20000)
    follows = np.corrcoef(mask[1:].ravel(), mask[:-1].ravel())[0, 1]
    assert abs(follows) < 5 / np.sqrt(80000)


def test_dropout_at_rate_zero_changes_nothing():
    assert_array_equal(dropped(X, 0.0)[0], X)


def test_a_seed_means_one_mask_and_each_pass_a_new_one():
    rng, layer = make_rng(0), Dropout(0.5)
    first = layer.forward_training(X, {}, rng=rng)[1]
    second = layer.forward_training(X, {}, rng=rng)[1]
    assert_array_equal(first, dropped(X, 0.5)[1])
    assert not np.array_equal(first, second)


def test_dropout_backward_is_the_gradient_of_its_forward():
    x = X.copy()
    y, mask = dropped(x)
    assert 0 < (mask == 0).sum() < mask.size
    dx = Dropout(0.3).backward(DELTA, x, y, {}, {}, cache=mask)
    expected = numerical_gradient(lambda: (dropped(x)[0] * DELTA).sum(), x)
    assert_allclose(dx, expected, atol=1e-8)


def test_dropout_keeps_float32():
    y, mask = dropped(X.astype(np.float32))
    assert y.dtype == mask.dtype == np.float32


def test_dropout_without_a_random_stream_is_refused():
    with pytest.raises(ValueError, match=r"rate=0.3 .* rng is None. Pass rng="):
        Dropout(0.3).forward_training(X, {})


def start(layer=None, dtype=np.float64, library=np):
    """Parameters and statistics of a layer, gamma and beta off their start."""
    layer = layer or BatchNorm(N)
    p = {
        name: library.zeros(N, dtype=getattr(library, dtype.__name__)) for name in PARTS
    }
    layer.reset(p)
    for name, value in (("gamma", [0.5, -2.0, 1.5]), ("beta", [1.0, 0.0, -3.0])):
        p[name][...] = library.asarray(value, dtype=p[name].dtype)
    return layer, p


def trained(x, weight=None, **options):
    layer, p = start(BatchNorm(N, **options))
    y, _ = layer.forward_training(x, p, weight)
    return y, p


def gradients(x, weight=None, delta=DELTA):
    layer, p = start()
    g = {"gamma": np.full(N, 99.0), "beta": np.full(N, 99.0)}
    y, cache = layer.forward_training(x, p, weight)
    return layer.backward(delta, x, y, p, g, cache=cache), g["gamma"], g["beta"]


each_weight = pytest.mark.parametrize(
    "weight", [None, WEIGHT], ids=["equal", "weighted"]
)


def test_batch_norm_starts_as_a_standardisation():
    layer = BatchNorm(N)
    p = {name: np.full(N, 99.0) for name in PARTS}
    layer.reset(p)
    assert_array_equal([p[name] for name in PARTS], np.repeat([[1, 0, 0, 1]], N, 0).T)
    y, _ = layer.forward_training(X, p)
    assert_allclose(y.mean(axis=0), 0.0, atol=1e-12)
    assert_allclose(y.std(axis=0), 1.0, rtol=1e-3)


@each_weight
def test_the_batch_has_mean_beta_and_deviation_gamma(weight):
    y, p = trained(X, weight, epsilon=1e-12)
    mean = np.average(y, weights=weight, axis=0)
    assert_allclose(mean, p["beta"], atol=1e-12)
    variance = np.average((y - mean) ** 2, weights=weight, axis=0)
    assert_allclose(variance, p["gamma"] ** 2, rtol=1e-9)


@each_weight
def test_batch_norm_backward_is_the_gradient_of_its_forward(weight):
    layer, p = start()
    x = X.copy()
    g = {name: np.zeros(N) for name in ("gamma", "beta")}
    y, cache = layer.forward_training(x, p, weight)
    dx = layer.backward(DELTA, x, y, p, g, cache=cache)

    def objective():
        return (layer.forward_training(x, p, weight)[0] * DELTA).sum()

    for analytic, array in ((dx, x), (g["gamma"], p["gamma"]), (g["beta"], p["beta"])):
        expected = numerical_gradient(objective, array)
        assert_allclose(analytic, expected, rtol=1e-6, atol=1e-7)


def test_integer_weights_count_repeated_rows():
    weight = COUNTS.astype(float)
    repeated = trained(np.repeat(X, COUNTS, axis=0))[0]
    assert_allclose(np.repeat(trained(X, weight)[0], COUNTS, axis=0), repeated)
    # A loss of mean 1 / n per repeated row reaches a weighted row n times.
    dx, *parts = gradients(np.repeat(X, COUNTS, 0), None, np.repeat(DELTA, COUNTS, 0))
    weighted = gradients(X, weight, DELTA * weight[:, None])
    starts = np.cumsum(COUNTS) - COUNTS
    assert_allclose(
        weighted[0],
        np.add.reduceat(dx, starts, axis=0) * (COUNTS > 0)[:, None],
        atol=1e-12,
    )
    assert_allclose(weighted[1:], parts, rtol=1e-12)


def test_the_scale_of_the_weights_does_not_matter():
    (y, p), (same, q) = trained(X, WEIGHT), trained(X, 1e-3 * WEIGHT)
    assert_allclose(same, y, rtol=1e-10)
    assert_allclose(q["variance"], p["variance"], rtol=1e-10)


def test_running_averages_are_those_of_the_batch_they_are_fed():
    _, p = trained(X, momentum=0.0)
    assert_allclose(p["mean"], X.mean(axis=0), rtol=1e-12)
    assert_allclose(p["variance"], X.var(axis=0, ddof=1), rtol=1e-12)
    layer, p = start()
    for _ in range(400):
        layer.forward_training(X, p)
    assert_allclose(p["mean"], X.mean(axis=0), rtol=1e-12)
    assert_allclose(p["variance"], X.var(axis=0, ddof=1), rtol=1e-12)


def test_momentum_is_what_the_averages_keep():
    _, p = trained(X, momentum=0.7)
    assert_allclose(p["mean"], 0.3 * X.mean(axis=0), rtol=1e-12)
    assert_allclose(p["variance"], 0.7 + 0.3 * X.var(axis=0, ddof=1), rtol=1e-12)


@each_weight
def test_the_running_variance_is_unbiased(weight):
    """Its mean over batches of independent rows of variance 4 is 4."""
    rng = make_rng(0)
    batches = 2.0 * rng.standard_normal((4000, N_ROWS, N)) + 1.0
    seen = [trained(batch, weight, momentum=0.0)[1] for batch in batches]
    assert largest_mean_z(np.array([p["variance"] for p in seen]), 4.0) < 5
    assert largest_mean_z(np.array([p["mean"] for p in seen]), 1.0) < 5


@pytest.mark.parametrize(
    "weight", [None, np.array([0.0, 2.0])], ids=["1 row", "2 rows"]
)
def test_a_batch_of_one_row_has_no_variance_and_moves_no_average(weight):
    x = X[:1] if weight is None else X[:2]
    y, p = trained(x, weight)
    assert_array_equal(y[-1], p["beta"])
    assert_array_equal([p["mean"], p["variance"]], [[0.0] * N, [1.0] * N])
    delta = DELTA[:1] if weight is None else DELTA[:2] * weight[:, None]
    dx, _, d_beta = gradients(x, weight, delta)
    assert_allclose(dx, 0.0, atol=1e-12)
    assert_allclose(d_beta, delta[-1])


def test_constant_columns_stay_finite():
    y, p = trained(np.ones((4, N)))
    assert_array_equal(y, np.tile(p["beta"], (4, 1)))


def test_prediction_uses_the_running_averages_row_by_row():
    layer, p = start()
    p["mean"][...], p["variance"][...] = [1.0, 5.0, 0.0], [4.0, 9.0, 0.1]
    kept = {name: value.copy() for name, value in p.items()}
    y = layer.forward(X, p)
    standardised = (X - p["mean"]) / np.sqrt(p["variance"] + 1e-5)
    assert_allclose(y, standardised * p["gamma"] + p["beta"], rtol=1e-10, atol=1e-12)
    assert_allclose(layer.forward(X[2:3], p), y[2:3], rtol=1e-14)
    for name in PARTS:
        assert_array_equal(p[name], kept[name])


@each_weight
def test_a_calibrated_layer_is_the_identity_in_prediction(weight):
    layer, p = start()
    layer.calibrate(X, p, weight)
    assert_allclose(layer.forward(X, p), X, rtol=1e-14)
    mean = np.average(X, weights=weight, axis=0)
    assert_allclose(p["mean"], mean, rtol=1e-12)
    assert_array_equal(p["beta"], p["mean"])
    assert_allclose(p["gamma"] ** 2, p["variance"] + 1e-5, rtol=1e-12)
    _, moved = trained(X, weight, momentum=0.0)
    assert_allclose(p["variance"], moved["variance"], rtol=1e-12)


@pytest.mark.parametrize("x", [X[:1], np.ones((5, N))], ids=["one row", "constant"])
def test_calibration_on_columns_without_variance(x):
    layer, p = start()
    layer.calibrate(x, p)
    assert_allclose(layer.forward(X, p), X, rtol=1e-14)
    assert_array_equal(p["variance"], np.zeros(N))


def folded(layer, p, n_in=4, seed=2):
    """A dense layer below, and both folded into one."""
    rng = make_rng(seed)
    W, c = read_only(rng.standard_normal((n_in, N)), rng.standard_normal(N))
    return W, c, *layer.fold(W, c, read_only_parts(p))


def read_only_parts(p):
    return {name: read_only(value) for name, value in p.items()}


def test_a_folded_layer_predicts_like_both():
    layer, p = start()
    p["mean"][...], p["variance"][...] = [1.0, 5.0, 0.0], [4.0, 9.0, 1e-4]
    rows = make_rng(3).standard_normal((9, 4))
    W, c, V, b = folded(layer, p)
    assert_allclose(rows @ V + b, layer.forward(rows @ W + c, p), rtol=1e-10)
    assert np.abs(V - W).max() > 0.1


def test_folding_a_fresh_or_calibrated_layer():
    layer, p = start(BatchNorm(N, epsilon=1e-12))
    layer.reset(p)
    W, c, V, b = folded(layer, p)
    assert_allclose(V, W, rtol=1e-10)
    assert_allclose(b, c, rtol=1e-10)
    layer, p = start()
    layer.calibrate(X, p)
    W, c, V, b = folded(layer, p)
    assert_allclose(V, W, rtol=1e-12)
    assert_allclose(b, c, rtol=1e-12, atol=1e-12)


def test_folding_keeps_float32_and_works_on_another_library():
    layer, p = start(dtype=np.float32)
    W, c = np.ones((2, N), np.float32), np.ones(N, np.float32)
    assert {part.dtype for part in layer.fold(W, c, p)} == {np.dtype(np.float32)}
    layer, p = start(library=array_api_strict)
    W, c = array_api_strict.ones((2, N)), array_api_strict.ones(N)
    expected = start()[0].fold(np.ones((2, N)), np.ones(N), start()[1])
    for part, values in zip(layer.fold(W, c, p), expected, strict=True):
        assert part.__array_namespace__() is array_api_strict
        assert_allclose(np.asarray(part), values, rtol=1e-12)


def test_a_folded_network_predicts_like_the_whole():
    options = {"activation": "tanh", "loss": "squared_error", "dropout": 0.3}
    net = Network([N, 5, 4, 2], batch_norm=True, **options)
    randomize(net.params, seed=4)
    randomize(net.statistics, seed=5)
    for i in range(2):
        net.statistics[f"variance{i}"][...] **= 2
    before = [net.params.flat.copy(), net.statistics.flat.copy()]
    h = X
    *hidden, (W, c) = net.folded()
    for V, b in hidden:
        h = np.tanh(h @ V + b)
    assert_allclose(h @ W + c, net.predict(X), rtol=1e-10)
    assert_array_equal(net.params.flat, before[0])
    assert_array_equal(net.statistics.flat, before[1])


def test_a_network_without_batch_norm_is_folded_already():
    net = Network([N, 5, 2], dropout=0.3)
    randomize(net.params, seed=4)
    for pair, own in zip(net.folded(), net.dense, strict=True):
        for part, kept in zip(pair, own, strict=True):
            assert_array_equal(part, kept)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])
def test_a_calibrated_network_predicts_as_without_batch_norm(weight):
    plain = Network([N, 5, 4, 2], activation="tanh")
    randomize(plain.params, seed=6)
    net = Network([N, 5, 4, 2], activation="tanh", batch_norm=True, dropout=0.5)
    for own, wanted in zip(net.dense, plain.dense, strict=True):
        for part, values in zip(own, wanted, strict=True):
            part[...] = values
    net.calibrate(X, weight)
    assert_allclose(net.predict(X), plain.predict(X), rtol=1e-10)
    # Row by row it is the plain net, for all rows and not only these.
    rows = make_rng(9).standard_normal((20, N))
    assert_allclose(net.predict(rows), plain.predict(rows), rtol=1e-10)


def test_sparse_rows_of_more_than_one_batch_calibrate_like_dense_ones(monkeypatch):
    def in_batches(function, rows, batch_size=3):
        return map_batches(function, rows, batch_size)

    monkeypatch.setattr("dbn.feedforward.network.map_batches", in_batches)
    rows = np.where(make_rng(0).random((10, N)) < 0.4, 1.0, 0.0)
    nets = []
    for kind in (np.asarray, csr_array):
        nets.append(Network([N, 4, 2], batch_norm=True, dropout=[0.2, 0.5]))
        randomize(nets[-1].params, seed=4)
        nets[-1].calibrate(kind(rows))
    assert_allclose(nets[0].params.flat, nets[1].params.flat, rtol=1e-12)
    assert_allclose(nets[0].statistics.flat, nets[1].statistics.flat, rtol=1e-12)


def test_torch_has_the_same_batch_norm():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.BatchNorm1d(N, momentum=0.1, dtype=torch.float64)
    layer, p = start()
    with torch.no_grad():
        theirs.weight.copy_(torch.from_numpy(p["gamma"]))
        theirs.bias.copy_(torch.from_numpy(p["beta"]))
    x = torch.from_numpy(X.copy()).requires_grad_()
    expected = theirs(x)
    (expected * torch.from_numpy(DELTA.copy())).sum().backward()
    y, _ = layer.forward_training(X, p)
    assert_allclose(y, expected.detach(), rtol=1e-12)
    found = gradients(X)
    for ours, reference in zip(
        found, (x.grad, theirs.weight.grad, theirs.bias.grad), strict=True
    ):
        assert_allclose(ours, reference, rtol=1e-9, atol=1e-10)
    assert_allclose(p["mean"], theirs.running_mean, rtol=1e-12)
    assert_allclose(p["variance"], theirs.running_var, rtol=1e-12)
    theirs.eval()
    assert_allclose(layer.forward(X, p), theirs(x).detach(), rtol=1e-12)


def test_batch_norm_keeps_float32():
    layer, p = start(dtype=np.float32)
    g = {name: np.zeros(N, np.float32) for name in ("gamma", "beta")}
    x, delta, weight = (a.astype(np.float32) for a in (X, DELTA, WEIGHT))
    for w in (None, weight):
        y, cache = layer.forward_training(x, p, w)
        dx = layer.backward(delta, x, y, p, g, cache=cache)
        layer.calibrate(x, p, w)
        results = [y, dx, layer.forward(x, p), *cache, *p.values(), *g.values()]
        assert {r.dtype for r in results} == {np.dtype(np.float32)}


@each_weight
def test_batch_norm_on_another_library(weight):
    def compute(library):
        layer, p = start(library=library)
        g = {name: library.zeros(N) for name in ("gamma", "beta")}
        x, delta = library.asarray(X, copy=True), library.asarray(DELTA, copy=True)
        w = weight if weight is None else library.asarray(weight)
        y, cache = layer.forward_training(x, p, w)
        dx = layer.backward(delta, x, y, p, g, cache=cache)
        results = [y, dx, layer.forward(x, p), *g.values(), p["mean"], p["variance"]]
        layer.calibrate(x, p, w)
        return [*results, *p.values()]

    for result, expected in zip(compute(array_api_strict), compute(np), strict=True):
        assert result.__array_namespace__() is array_api_strict
        assert_allclose(np.asarray(result), expected, rtol=1e-12)


columns = st.integers(1, 5)


@given(n_in=columns, n_out=columns, bound=st.floats(0.1, 10.0), seed=st.integers(0, 99))
def test_norms_are_bounded_and_directions_kept(n_in, n_out, bound, seed):
    W = 3.0 * make_rng(seed).standard_normal((n_in, n_out))
    limited = W.copy()
    limit_norms(limited, bound)
    before, after = np.linalg.norm(W, axis=0), np.linalg.norm(limited, axis=0)
    assert_allclose(after, np.minimum(before, bound), rtol=1e-12)
    assert_allclose(limited / after, W / before, rtol=1e-12)
    short = before <= bound
    assert_array_equal(limited[:, short], W[:, short])


def test_limited_norms_keep_zero_columns_and_float32():
    W = np.array([[0.0, 3.0], [0.0, 4.0]], np.float32)
    limit_norms(W, 1.0)
    assert W.dtype == np.float32
    assert_allclose(W, [[0.0, 0.6], [0.0, 0.8]], rtol=1e-6)


def test_limited_norms_on_another_library():
    W = array_api_strict.asarray([[3.0, 0.3], [4.0, 0.4]])
    limit_norms(W, 1.0)
    assert_allclose(np.asarray(W), [[0.6, 0.3], [0.8, 0.4]], rtol=1e-12)


@pytest.mark.parametrize("bound", [0.0, -1.0, np.nan])
def test_an_impossible_bound_is_refused(bound):
    with pytest.raises(ValueError, match="max_norm must be positive; it is"):
        limit_norms(np.ones((2, 2)), bound)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Dropout(1.0), r"Dropout: rate must be a number in \[0, 1\); it is 1.0."),
        (Dropout(-0.1), "it is -0.1."),
        (
            BatchNorm(2, momentum=1.0),
            r"BatchNorm: momentum must be .* \[0, 1\); it is 1",
        ),
        (
            BatchNorm(2, epsilon=0.0),
            "BatchNorm: epsilon must be a number in .* is 0.0.",
        ),
    ],
)
def test_wrong_parameters_are_refused(layer, message):
    with pytest.raises(ValueError, match=message):
        layer.validate()
