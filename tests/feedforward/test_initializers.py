"""Every initializer against the formula of its paper and against other libraries."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from dbn import DBNClassifier, Network
from dbn.backend.random import make_rng
from dbn.feedforward import (
    Constant,
    Given,
    LeakyReLU,
    Normal,
    Orthogonal,
    Sparse,
    VarianceScaling,
    Zeros,
    activation_gain,
    get_initializer,
)
from dbn.feedforward.initializers import INITIALIZERS
from dbn.training import SGD
from tests.helpers import largest_mean_z, randomize

# family -> variance of a weight, from the papers in the docstring of VarianceScaling
FAMILIES = {
    "lecun": lambda fan_in, fan_out: 1.0 / fan_in,
    "xavier": lambda fan_in, fan_out: 2.0 / (fan_in + fan_out),
    "xavier_x4": lambda fan_in, fan_out: 32.0 / (fan_in + fan_out),
    "he": lambda fan_in, fan_out: 2.0 / fan_in,
}
DISTRIBUTIONS = ["uniform", "normal", "truncated_normal"]
VARIANCES = {f"{f}_{d}": v for f, v in FAMILIES.items() for d in DISTRIBUTIONS}
VARIANCES["standard"] = lambda fan_in, fan_out: 1.0 / (3.0 * fan_in)
UNIFORM = [name for name in VARIANCES if name.endswith("uniform")] + ["standard"]
TRUNCATED = [name for name in VARIANCES if name.endswith("truncated_normal")]
# Of the parent law whose part within 2 standard deviations has standard deviation 1.
KERAS = 1.0 / 0.87962566103423978
fans = st.integers(20, 80)
seeds = st.integers(0, 99)


def assert_moments(weights, variance):
    weights = weights.reshape(-1, 1)
    assert largest_mean_z(weights, 0.0) < 5
    assert largest_mean_z(weights**2, variance) < 5


def assert_law(weights, law):
    """Kolmogorov-Smirnov test against a law of `scipy.stats`."""
    assert stats.ks_1samp(weights.ravel(), law.cdf).pvalue > 1e-4


@pytest.mark.parametrize("name", VARIANCES)
@given(fan_in=fans, fan_out=fans, seed=seeds)
def test_named_schemes_have_the_variance_of_their_paper(name, fan_in, fan_out, seed):
    weights = get_initializer(name).draw((fan_in, fan_out), make_rng(seed))
    assert weights.shape == (fan_in, fan_out)
    assert_moments(weights, VARIANCES[name](fan_in, fan_out))


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
@given(fan_in=fans, fan_out=fans, scale=st.floats(0.1, 16.0), seed=seeds)
def test_variance_is_scale_over_n(mode, distribution, fan_in, fan_out, scale, seed):
    scheme = VarianceScaling(scale, mode=mode, distribution=distribution)
    weights = scheme.draw((fan_in, fan_out), make_rng(seed))
    n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    assert_moments(weights, scale / n[mode])


@pytest.mark.parametrize("name", UNIFORM)
@given(fan_in=fans, fan_out=fans, seed=seeds)
def test_uniform_weights_fill_their_interval(name, fan_in, fan_out, seed):
    weights = get_initializer(name).draw((fan_in, fan_out), make_rng(seed))
    bound = np.sqrt(3.0 * VARIANCES[name](fan_in, fan_out))
    # Of n uniform draws the largest falls short of the bound by about 1 / n of it.
    missing = 1.0 - np.array([weights.max(), -weights.min()]) / bound
    assert (missing >= -1e-12).all()
    assert (missing < 30.0 / weights.size).all()


@pytest.mark.parametrize("name", VARIANCES)
def test_schemes_follow_the_law_they_name(name):
    fan_in, fan_out = 120, 90
    std = np.sqrt(VARIANCES[name](fan_in, fan_out))
    if name in UNIFORM:
        law = stats.uniform(-np.sqrt(3.0) * std, 2.0 * np.sqrt(3.0) * std)
    elif name in TRUNCATED:
        law = stats.truncnorm(-2.0, 2.0, scale=KERAS * std)
        assert_allclose(law.std(), std)
    else:
        law = stats.norm(scale=std)
    assert_law(get_initializer(name).draw((fan_in, fan_out), make_rng(1)), law)


@pytest.mark.parametrize("name", TRUNCATED)
def test_truncated_schemes_end_at_twice_the_standard_deviation_before_the_cut(name):
    largest, _ = extremes(name)
    bound = 2.0 * KERAS * np.sqrt(VARIANCES[name](784, 256))
    assert 0.999 * bound < largest <= bound


def extremes(name, shape=(784, 256)):
    weights = get_initializer(name).draw(shape, make_rng(0))
    return np.abs(weights).max(), weights.std()


def test_published_numbers():
    """Of a 784-256 layer, each to the last digit given."""
    largest, std = extremes("xavier_uniform")  # sqrt(6 / 1040)
    assert_allclose(largest, 0.07596, atol=1e-5)
    assert_allclose(std, 0.07596 / np.sqrt(3.0), rtol=5e-3)
    largest, _ = extremes("xavier_x4_uniform")  # 4 sqrt(6 / 1040)
    assert_allclose(largest, 0.30382, atol=1e-5)
    _, std = extremes("xavier_normal")  # sqrt(2 / 1040)
    assert_allclose(std, 0.04385, rtol=5e-3)
    _, std = extremes("lecun_normal")  # 1 / 28
    assert_allclose(std, 0.03571, rtol=5e-3)
    largest, _ = extremes("standard")
    assert_allclose(largest, 0.03571, atol=1e-5)
    largest, _ = extremes("he_uniform")
    assert_allclose(largest, 0.05051 * np.sqrt(3.0), atol=1e-5)
    _, std = extremes("he_normal")  # sqrt(2 / 784)
    assert_allclose(std, 0.05051, rtol=5e-3)


def test_normal_schemes_are_not_bounded():
    """A truncated or uniform draw would stay below 3 standard deviations."""
    for name in ("lecun_normal", "xavier_normal", "he_normal", "normal"):
        largest, std = extremes(name)
        assert 4.0 < largest / std < 6.0


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize(("alias", "name"), [("glorot", "xavier"), ("kaiming", "he")])
def test_aliases_make_the_same_scheme(alias, name, distribution):
    aliased = get_initializer(f"{alias}_{distribution}")
    assert repr(aliased) == repr(get_initializer(f"{name}_{distribution}"))


def test_these_are_the_names():
    others = "zeros constant normal truncated_normal standard orthogonal lsuv sparse"
    aliases = {f"{f}_{d}" for f in ("glorot", "kaiming") for d in DISTRIBUTIONS}
    assert {*INITIALIZERS} == {*VARIANCES, *others.split()} | aliases


@given(sigma=st.floats(0.001, 3.0), seed=seeds)
def test_normal_ignores_the_size_of_the_layer(sigma, seed):
    for shape in ((100, 10), (10, 100)):
        assert_moments(Normal(sigma).draw(shape, make_rng(seed)), sigma**2)


def test_truncated_normal_is_cut_at_two_sigma_and_not_corrected():
    weights = Normal(0.3, truncated=True).draw((100, 100), make_rng(0))
    assert 0.599 < np.abs(weights).max() <= 0.6
    assert_law(weights, stats.truncnorm(-2.0, 2.0, scale=0.3))
    assert_moments(weights, (0.3 / KERAS) ** 2)
    named = get_initializer("truncated_normal")
    assert named.get_params() == {"sigma": 0.01, "truncated": True}


# All that draw layer by layer


def filled(initializer, seed=0, sizes=(20, 20, 20, 3), dtype=np.float64, **params):
    net = Network(sizes, dtype=dtype, **params)
    randomize(net.params)
    initializer.fill(net, np.ones((1, sizes[0]), dtype), make_rng(seed))
    return net


@pytest.mark.parametrize(
    "initializer", [VarianceScaling(), Normal(), Orthogonal(), Sparse()], ids=repr
)
def test_fill_draws_all_layers_anew_and_clears_the_biases(initializer):
    net = filled(initializer)
    assert all((c == 0.0).all() for _, c in net.dense)
    (W0, _), (W1, _), (W2, _) = net.dense
    assert abs(np.corrcoef(W0.ravel(), W1.ravel())[0, 1]) < 4 / np.sqrt(W0.size)
    rng = make_rng(0)
    for W in (W0, W1, W2):
        assert_array_equal(W, initializer.draw(W.shape, rng))


@pytest.mark.parametrize("name", INITIALIZERS)
def test_batch_normalization_keeps_its_own_parameters(name):
    net = Network([4, 3, 2], batch_norm=True)
    gamma = net.params["gamma0"].copy()
    get_initializer(name).fill(net, np.eye(4), make_rng(0))
    assert_array_equal(net.params["gamma0"], gamma)
    assert (gamma == 1.0).all()


@pytest.mark.parametrize("name", INITIALIZERS)
def test_a_seed_means_one_start(name):
    initializer = get_initializer(name)
    start, same, other = (
        filled(initializer, seed=seed).params.flat for seed in (1, 1, 2)
    )
    assert_array_equal(start, same)
    assert np.array_equal(start, other) == (name in ("zeros", "constant"))


@pytest.mark.parametrize("name", [name for name in INITIALIZERS if name != "lsuv"])
def test_a_seed_means_the_same_start_in_both_precisions(name):
    double, single = (filled(get_initializer(name), dtype=t) for t in ("f8", "f4"))
    assert single.params.flat.dtype == np.float32
    assert_array_equal(single.params.flat, double.params.flat.astype("f4"))


@pytest.mark.parametrize("name", INITIALIZERS)
def test_every_name_starts_a_classifier(name):
    rng = np.random.default_rng(0)
    X = rng.random((40, 6))
    y = (X[:, 0] > 0.5).astype(int)
    fits = [
        DBNClassifier((5, 4), init=init, max_iter=2, random_state=0).fit(X, y)
        for init in (name, get_initializer(name))
    ]
    probabilities = [fit.predict_proba(X) for fit in fits]
    assert_array_equal(*probabilities)
    assert_allclose(probabilities[0].sum(axis=1), 1.0)


# Zero and equal weights


def first_gradient(initializer, activation):
    net = filled(initializer, sizes=(4, 5, 3), activation=activation)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((7, 4)), np.eye(3)[[0, 1, 1, 2, 0, 0, 0]]
    gradient = net.params.zeros_like()
    net.gradient(X, y, gradient)
    return gradient


def test_zeros_clears_everything():
    assert_array_equal(filled(Zeros()).params.flat, np.zeros(20 * 43 + 43))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_zeros_move_the_output_biases_only(activation):
    gradient = first_gradient(Zeros(), activation)
    assert (gradient["c1"] != 0.0).all()
    assert all((gradient[name] == 0.0).all() for name in ("W0", "c0", "W1"))


@pytest.mark.parametrize("value", [0.01, 0.5, -2.0])
def test_equal_weights_keep_the_units_of_a_layer_equal(value):
    net = filled(Constant(value))
    for W, c in net.dense:
        assert (value == W).all()
        assert (c == 0.0).all()
    gradient = first_gradient(Constant(value), "logistic")
    assert np.ptp(gradient["W1"], axis=0).max() < 1e-12
    assert np.ptp(gradient["W0"], axis=1).max() < 1e-12
    assert np.ptp(gradient["W0"], axis=0).max() > 0.0


# Orthogonal


@given(st.integers(1, 30), st.integers(1, 30), st.floats(0.1, 10.0), seeds)
def test_orthogonal_has_all_singular_values_at_its_gain(fan_in, fan_out, gain, seed):
    W = Orthogonal(gain).draw((fan_in, fan_out), make_rng(seed))
    assert W.shape == (fan_in, fan_out)
    product = W @ W.T if fan_in <= fan_out else W.T @ W
    assert_allclose(product, gain**2 * np.eye(min(W.shape)), atol=1e-12 * gain**2)


@pytest.mark.parametrize("shape", [(4, 4), (4, 2), (2, 4)])
def test_orthogonal_is_uniform_over_such_matrices(shape):
    """Without the signs of R, the entry on the diagonal has a negative mean."""
    rng = make_rng(0)
    ours = np.array([Orthogonal().draw(shape, rng) for _ in range(2000)])
    theirs = stats.ortho_group.rvs(4, size=2000, random_state=0)
    for i, j in ((0, 0), (1, 1), (0, 1)):
        assert stats.ks_2samp(ours[:, i, j], theirs[:, i, j]).pvalue > 1e-4


# Sparse


@pytest.mark.parametrize("fan_in", [7, 15, 200])
def test_each_unit_gets_k_incoming_weights(fan_in):
    W = Sparse().draw((fan_in, 400), make_rng(0))
    assert_array_equal(np.count_nonzero(W, axis=0), min(15, fan_in))
    assert_law(W[W != 0.0], stats.norm())


def test_sparse_draws_inputs_for_each_unit_alike():
    W = Sparse(k=3, sigma=0.1).draw((10, 2000), make_rng(0)) != 0.0
    assert largest_mean_z(1.0 * W.T, 0.3) < 4.5  # every input 3 times out of 10
    both = W[0] & W[1]
    assert largest_mean_z(1.0 * both[:, None], 3 / 10 * 2 / 9) < 4.5
    strength = get_initializer(Sparse(k=3, sigma=0.1)).draw((10, 2000), make_rng(0))
    assert_law(strength[strength != 0.0], stats.norm(scale=0.1))


# Given


def pairs(sizes=(4, 3, 2), seed=0):
    rng = np.random.default_rng(seed)
    shapes = itertools.pairwise(sizes)
    return [(rng.standard_normal(s), rng.standard_normal(s[1])) for s in shapes]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_given_weights_are_copied(dtype):
    layers = pairs()
    net = filled(get_initializer(layers), sizes=(4, 3, 2), dtype=dtype)
    for (W, c), (W_given, c_given) in zip(net.dense, layers, strict=True):
        assert_array_equal(W, W_given.astype(dtype))
        assert_array_equal(c, c_given.astype(dtype))
        assert not np.shares_memory(W, W_given)


def test_given_may_be_plain_lists():
    net = filled(get_initializer([[[[1], [2]], [3]]]), sizes=(2, 1))
    assert_array_equal(net.params.flat, [1.0, 2.0, 3.0])


def test_given_weights_start_an_estimator():
    rng = np.random.default_rng(1)
    X, layers = rng.random((40, 4)), pairs()
    still = SGD(1e-12, momentum=0.0)
    clf = DBNClassifier((3,), init=Given(layers), optimizer=still, max_iter=1)
    clf.fit(X, rng.integers(2, size=40))
    for found, expected in zip(clf.coefs_, (W for W, _ in layers), strict=True):
        assert_allclose(found, expected, atol=1e-9)


def test_given_weights_of_other_shapes_are_refused_and_change_nothing():
    net = Network([4, 3, 2])
    randomize(net.params)
    before = net.params.flat.copy()
    for wrong in (pairs((4, 5, 2)), pairs((4, 2)), [(W.T, c) for W, c in pairs()]):
        with pytest.raises(ValueError, match=r"of the network \[\(4, 3\), \(3,\)") as e:
            get_initializer(wrong).fill(net, None, None)
        assert str(np.shape(wrong[0][0])) in str(e.value)
    layers = pairs()
    layers[1][1][0] = np.nan
    with pytest.raises(ValueError, match="have 1 entries that are infinite or NaN"):
        get_initializer(layers).fill(net, None, None)
    assert_array_equal(net.params.flat, before)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([np.eye(3)], "Entry 0 of the given layers is ndarray and not a pair"),
        ([*pairs(), (np.eye(2),)], "Entry 2 of the given layers is tuple"),
        (Given(3), "The given layers are 3. Give a list with (W, c)"),
    ],
)
def test_what_is_not_a_list_of_pairs_is_refused(wrong, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        get_initializer(wrong)


# Gains


@pytest.mark.parametrize(
    ("activation", "gain"),
    [
        ("identity", 1.0),
        ("softsign", 1.0),
        ("scaled_tanh", 1.0),
        ("tanh", 5.0 / 3.0),
        ("logistic", 4.0),
        ("relu", 2.0**0.5),
        ("leaky_relu", (2.0 / 1.0001) ** 0.5),
        (LeakyReLU(0.25), (2.0 / 1.0625) ** 0.5),
        (LeakyReLU(1.0), 1.0),
    ],
)
def test_gain_of_an_activation(activation, gain):
    assert_allclose(activation_gain(activation), gain, rtol=1e-12)


@pytest.mark.parametrize("activation", ["relu", LeakyReLU(0.25), "identity"])
def test_with_its_gain_a_rectifier_keeps_the_mean_square_over_many_layers(activation):
    """He, Zhang, Ren and Sun (2015), equations 10 and 15."""
    scheme = VarianceScaling(activation_gain(activation) ** 2, mode="fan_in")
    squares = []
    X = np.random.default_rng(0).standard_normal((20, 150))
    for seed in range(20):
        net = filled(scheme, seed, (150,) * 11, activation=activation)
        squares.append(np.mean(net.activations(X)[-2] ** 2))  # below the output
    # A scale wrong by 10 % would make this 2.2 or 0.4.
    assert 0.7 < np.median(squares) < 1.3


def test_no_gain_for_other_activations():
    with pytest.raises(ValueError, match=r"ELU\(\); there is one for Identity, .*Give"):
        activation_gain("elu")


# Other libraries


@pytest.mark.parametrize(
    ("activation", "scale"), [("tanh", 1.0), ("relu", 1.0), ("logistic", 1.0 / 3.0)]
)
def test_weights_of_scikit_learn_fill_the_interval_of_variance_scaling(
    activation, scale
):
    """sqrt(6 / (fan_in + fan_out)), with 2 in place of 6 for logistic units."""
    X, y = np.random.default_rng(0).random((30, 60)), np.arange(30) % 10
    mlp = MLPClassifier(
        (50, 40), activation=activation, solver="sgd", learning_rate_init=1e-12
    )
    with pytest.warns(ConvergenceWarning):
        mlp.set_params(max_iter=1, random_state=0).fit(X, y)
    for theirs in mlp.coefs_:
        ours = VarianceScaling(scale).draw(theirs.shape, make_rng(0))
        bound = np.abs(theirs).max()
        assert_allclose(np.abs(ours).max(), bound, rtol=30.0 / theirs.size)
        assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 1e-4


def in_torch(init):
    """name -> a function that fills a tensor of shape (fan_out, fan_in)."""
    return {
        "xavier_uniform": init.xavier_uniform_,
        "xavier_normal": init.xavier_normal_,
        "xavier_x4_uniform": lambda t: init.xavier_uniform_(t, gain=4.0),
        "he_uniform": lambda t: init.kaiming_uniform_(t, nonlinearity="relu"),
        "he_normal": lambda t: init.kaiming_normal_(t, nonlinearity="relu"),
        "lecun_normal": lambda t: init.kaiming_normal_(t, nonlinearity="linear"),
        "standard": lambda t: init.kaiming_uniform_(t, a=5.0**0.5),
        "normal": lambda t: init.normal_(t, std=0.01),
        "truncated_normal": lambda t: init.trunc_normal_(t, std=0.01, a=-0.02, b=0.02),
        "orthogonal": init.orthogonal_,
    }


def test_torch_draws_from_the_same_laws():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    for name, fill in in_torch(torch.nn.init).items():
        theirs = torch.empty(90, 120, dtype=torch.float64)
        fill(theirs)
        ours = get_initializer(name).draw((120, 90), make_rng(0))
        test = stats.ks_2samp(ours.ravel(), theirs.numpy().ravel())
        assert test.pvalue > 1e-4, name


@pytest.mark.parametrize(
    ("activation", "name"),
    [("identity", "linear"), ("tanh", "tanh"), ("relu", "relu")],
)
def test_torch_has_the_same_gains(activation, name):
    init = pytest.importorskip("torch").nn.init
    assert_allclose(activation_gain(activation), init.calculate_gain(name))
    leaky = init.calculate_gain("leaky_relu", 0.25)
    assert_allclose(activation_gain(LeakyReLU(0.25)), leaky)


# Glorot and Bengio (2010), figures 6 and 7: a deep tanh net before training


def deep_tanh(name, n=250):
    """A net of 5 square hidden layers, and what its layers are at small inputs."""
    net = filled(get_initializer(name), 3, (n,) * 6 + (10,), activation="tanh")
    X = 0.1 * np.random.default_rng(0).standard_normal((100, n))
    hidden = [X]
    for W, c in net.dense[:-1]:
        hidden.append(np.tanh(hidden[-1] @ W + c))
    return net, hidden


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("xavier_uniform", 8.0 / (3.0 * np.pi)),
        ("standard", 8.0 / (3.0 * np.pi) / np.sqrt(3.0)),
    ],
)
def test_mean_singular_value_of_a_layers_jacobian(name, expected):
    """8 / (3 pi) is the mean of the quarter-circle law with second moment 1."""
    net, hidden = deep_tanh(name)
    for (W, _), h in zip(net.dense[:-1], hidden[1:], strict=True):
        jacobians = (1.0 - h[:5, :, None] ** 2) * W.T
        mean = np.linalg.svd(jacobians, compute_uv=False).mean()
        assert abs(mean - expected) < 0.03


@pytest.mark.parametrize(
    ("name", "low", "high"), [("xavier_uniform", 0.8, 1.2), ("standard", 8.0, 11.0)]
)
def test_how_gradients_shrink_on_the_way_down(name, low, high):
    """By sqrt(3) per layer from "standard", not at all from Xavier."""
    net, hidden = deep_tanh(name)
    delta = net.predict(hidden[0]) - np.eye(10)[np.arange(100) % 10]
    spread = []
    for (W, _), h in zip(net.dense[:0:-1], hidden[:0:-1], strict=True):
        delta = (delta @ W.T) * (1.0 - h**2)  # with respect to the units' inputs
        spread.append(delta.std())
    assert low < spread[0] / spread[-1] < high


# Parameters that are not accepted


@pytest.mark.parametrize(
    ("initializer", "message"),
    [
        (
            VarianceScaling(mode="fan_sum"),
            "mode='fan_sum' is not known. Use 'fan_in', 'fan_out' or 'fan_avg'.",
        ),
        (
            VarianceScaling(distribution="cauchy"),
            "distribution='cauchy' is not known. Use 'uniform', 'normal' or "
            "'truncated_normal'.",
        ),
        (VarianceScaling(0.0), "scale must be a number in (0, inf); it is 0.0."),
        (VarianceScaling(-1.0), "scale must be a number in (0, inf); it is -1.0."),
        (VarianceScaling(np.inf), "scale must be a number in (0, inf); it is inf."),
        (VarianceScaling(np.nan), "scale must be a number in (0, inf); it is nan."),
        (VarianceScaling("2"), "scale must be a number in (0, inf); it is '2'."),
        (Normal(-0.1), "sigma must be a number in [0, inf); it is -0.1."),
        (Normal(np.inf), "sigma must be a number in [0, inf); it is inf."),
        (Normal(None), "sigma must be a number in [0, inf); it is None."),
        (Constant(np.nan), "value must be a number in (-inf, inf); it is nan."),
        (Orthogonal(0), "gain must be a number in (0, inf); it is 0."),
        (Orthogonal(np.inf), "gain must be a number in (0, inf); it is inf."),
        (Sparse(0), "k must be an integer in [1, inf); it is 0."),
        (Sparse(2.5), "k must be an integer in [1, inf); it is 2.5."),
        (Sparse(sigma=0.0), "sigma must be a number in (0, inf); it is 0.0."),
    ],
)
def test_wrong_parameters_are_refused(initializer, message):
    with pytest.raises(ValueError) as error:
        get_initializer(initializer)
    name = type(initializer).__name__
    assert str(error.value) in (message, f"{name}: {message}")
