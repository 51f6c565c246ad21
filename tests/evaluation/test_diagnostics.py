"""What is said about layers: against finite differences, and against the paper."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError

from dbn import (
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    Network,
    RBMTransformer,
    load_model,
    save_model,
)
from dbn.evaluation import LayerStatisticsDisplay, layer_statistics, load_dataset
from dbn.feedforward import get_initializer
from dbn.feedforward.layers import ACTIVATIONS
from dbn.training import SGD
from tests.helpers import numerical_gradient, randomize, read_only

# What Glorot and Bengio (2010) derive for square layers at the start: the mean of the
# quarter-circle law, and with a variance a third as large.
XAVIER = 8.0 / (3.0 * np.pi)
STANDARD = XAVIER / np.sqrt(3.0)


def random_net(sizes=(6, 5, 4, 3), scale=0.8, **params):
    net = Network(sizes, **params)
    randomize(net.params, scale=scale)
    return net


def rows_and_targets(n=20, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 6)), np.eye(3)[rng.integers(3, size=n)]


def numbers(statistics):
    """All that was measured, by name, without the histograms."""
    found = vars(statistics).items()
    return {k: v for k, v in found if not k.endswith("histograms") and v is not None}


def assert_equal_statistics(one, other, rtol=1e-9):
    assert numbers(one).keys() == numbers(other).keys()
    for name, value in numbers(one).items():
        assert_allclose(value, numbers(other)[name], rtol=rtol, err_msg=name)


def hidden_layers(net, X):
    """Activations of a plain net, worked out by hand."""
    found = [X]
    for W, c in net.dense[:-1]:
        found.append(net.activation.forward(found[-1] @ W + c, {}))
    return found[1:]


# Against definitions


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_are_summarised_by_layer(activation):
    X, y = rows_and_targets()
    net = random_net(activation=activation)
    found = layer_statistics(net, X, y)
    hidden = hidden_layers(net, X)
    assert_allclose(found.activation_mean, [h.mean() for h in hidden])
    assert_allclose(found.activation_std, [h.std() for h in hidden])
    assert_allclose(found.activation_p98, [np.quantile(h, 0.98) for h in hidden])
    assert_allclose(found.weight_norm, [np.sqrt(np.sum(W**2)) for W, _ in net.dense])
    assert found.update_norm is None


@pytest.mark.parametrize(
    ("activation", "saturated"),
    [
        ("tanh", lambda h: np.abs(h) > 0.9**0.5),
        ("scaled_tanh", lambda h: np.abs(h) > 1.7159 * 0.9**0.5),
        ("logistic", lambda h: np.abs(2 * h - 1) > 0.9**0.5),
        ("softsign", lambda h: np.abs(h) > 1 - 0.1**0.5),
        ("relu", lambda h: h == 0),
        ("leaky_relu", lambda h: h < 0),
        ("softplus", lambda h: 1 - np.exp(-h) < 0.1),
        ("identity", lambda h: h != h),
    ],
)
def test_saturation_is_where_the_slope_is_below_a_tenth(activation, saturated):
    X, _ = rows_and_targets(50)
    net = random_net(scale=2.0, activation=activation)
    shares = [saturated(h).mean() for h in hidden_layers(net, X)]
    assert_allclose(layer_statistics(net, X).saturation, shares)
    assert min(shares) > 0.05 or activation == "identity"


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("activation", ["tanh", "logistic", "softplus"])
def test_gradients_by_finite_differences(activation, loss):
    X, y = rows_and_targets(7)
    net = random_net(activation=activation, loss=loss)
    found = layer_statistics(net, X, y)

    def mean_loss(rows=slice(None)):
        return net.loss.value(net.forward(X[rows]), y[rows])

    for i in range(3):
        by_weight = numerical_gradient(mean_loss, net.params[f"W{i}"])
        norm = np.linalg.norm(by_weight)
        assert_allclose(found.weight_gradient_norm[i], norm, rtol=1e-6)
    for i in range(2):  # a bias moves the total input of its unit, here in one row
        per_row = [
            numerical_gradient(lambda r=r: mean_loss([r]), net.params[f"c{i}"])
            for r in range(7)
        ]
        assert_allclose(found.gradient_std[i], np.std(per_row), rtol=1e-6)


def numerical_jacobian(function, x):
    """Derivative of each of the outputs at the vector `x`."""
    outputs = range(len(function(x)))
    x = x.copy()
    return [numerical_gradient(lambda u=u: function(x)[u], x) for u in outputs]


@pytest.mark.parametrize("activation", ["tanh", "logistic", "elu"])
def test_jacobians_by_finite_differences(activation):
    X, _ = rows_and_targets(3)
    net = random_net(activation=activation)
    found = layer_statistics(net, X, n_jacobians=2).singular_value
    below = [X, *hidden_layers(net, X)]
    for i, (W, c) in enumerate(net.dense[:-1]):

        def layer(x, W=W, c=c):
            return net.activation.forward(x @ W + c, {})

        jacobians = [numerical_jacobian(layer, x) for x in below[i][:2]]
        expected = np.linalg.svd(jacobians, compute_uv=False).mean()
        assert_allclose(found[i], expected, rtol=1e-6)


def test_histograms_are_densities_of_what_is_not_zero():
    X, y = rows_and_targets(50)
    net = random_net(activation="relu")
    found = layer_statistics(net, X, y)
    for (density, edges), h in zip(
        found.activation_histograms, hidden_layers(net, X), strict=True
    ):
        assert len(density) == len(edges) - 1 == 50
        positive = h[h > 0]
        assert_allclose([edges[0], edges[-1]], [positive.min(), positive.max()])
        inside = (positive >= edges[10]) & (positive < edges[20])
        share = np.sum(density[10:20] * np.diff(edges)[10:20])
        assert_allclose(share, inside.mean(), atol=1e-12)
    for density, edges in found.gradient_histograms:
        assert_allclose(np.sum(density * np.diff(edges)), 1.0)
        assert edges[0] < 0.0 < edges[-1]


@pytest.mark.parametrize("bias", [-1e3, 0.0, 1e-300, 1.0])
def test_units_that_are_all_alike_have_histograms(bias):
    """All zero, or equal up to rounding."""
    for dtype in (np.float32, np.float64):
        net = Network([4, 3, 2], activation="relu", dtype=dtype)
        net.params["c0"][...] = bias
        net.params["W0"][...] = np.finfo(dtype).eps * bias / 8
        X = np.random.default_rng(0).random((5, 4)).astype(dtype)
        ((density, edges),) = layer_statistics(net, X).activation_histograms
        assert_allclose(np.sum(density * np.diff(edges)), 1.0)


def test_updates_are_measured_from_the_previous_net():
    X, _ = rows_and_targets()
    before, net = random_net(), random_net()
    for i, part in enumerate(("W0", "W1", "W2")):
        net.params[part][0, 0] += i + 1.0
    net.params["c0"][...] += 1.0
    found = layer_statistics(net, X, previous=before)
    assert_allclose(found.update_norm, [1.0, 2.0, 3.0])
    assert found.gradient_std is found.weight_gradient_norm is None
    assert found.gradient_histograms is None


def test_jacobians_can_be_left_out():
    X, y = rows_and_targets()
    assert layer_statistics(random_net(), X, y, n_jacobians=0).singular_value is None
    assert len(layer_statistics(random_net(), X[:2], y[:2]).singular_value) == 2


def test_nothing_is_changed():
    net = random_net(batch_norm=True, dropout=0.5)
    X, y = read_only(*rows_and_targets())
    buffers = [net.params.flat, net.statistics.flat]
    before = [b.copy() for b in buffers]
    first = layer_statistics(net, X, y)
    for buffer, kept in zip(buffers, before, strict=True):
        assert_array_equal(buffer, kept)
    assert_equal_statistics(layer_statistics(net, X, y), first)  # nothing is drawn


def test_batch_normalization_counts_as_part_of_the_weights():
    X, y = rows_and_targets()
    net = random_net(batch_norm=True, activation="tanh")
    randomize(net.statistics, seed=1)
    net.statistics.flat[...] **= 2
    plain = random_net(activation="tanh")
    for own, folded in zip(plain.dense, net.folded(), strict=True):
        for a, b in zip(own, folded, strict=True):
            a[...] = b
    found = layer_statistics(net, X, y, previous=net)
    assert_equal_statistics(found, layer_statistics(plain, X, y, previous=plain))
    assert_array_equal(found.update_norm, 0.0)


def test_single_precision_and_sparse_rows():
    X, y = rows_and_targets()
    X[np.abs(X) < 0.5] = 0.0
    expected = layer_statistics(random_net(), X, y)
    assert_equal_statistics(layer_statistics(random_net(), csr_array(X), y), expected)
    single = random_net(dtype=np.float32)
    found = layer_statistics(single, X.astype("f4"), y.astype("f4"))
    assert_equal_statistics(found, expected, rtol=1e-4)


# Estimators


@pytest.fixture(scope="module")
def digits():
    data = load_dataset("digits")
    return data.X[:300].astype(float), data.y[:300]


def small(cls=DBNClassifier, **params):
    params = {"init": "xavier_uniform", "max_iter": 2, "random_state": 0} | params
    return cls((8, 7), **params)


def test_a_classifier_is_its_net_on_its_rows_and_labels(digits):
    X, y = digits
    names = np.array(list("jihgfedcba"))
    clf = small().fit(16.0 * X - 3.0, names[y])  # standardised inside
    rows = (16.0 * X - 3.0 - clf.mean_) / clf.scale_
    targets = (names[y][:, None] == clf.classes_).astype(float)
    expected = layer_statistics(clf.network_, rows, targets)
    found = layer_statistics(clf, 16.0 * X - 3.0, names[y], previous=clf)
    assert_array_equal(found.update_norm, 0.0)
    assert_equal_statistics(layer_statistics(clf, 16.0 * X - 3.0, names[y]), expected)
    assert layer_statistics(clf, 16.0 * X - 3.0).gradient_std is None


def test_several_labels_and_several_values(digits):
    X, y = digits
    labels = np.stack([y > 4, y % 2], axis=1).astype(int)
    clf = small().fit(X, labels)
    expected = layer_statistics(clf.network_, X, labels)
    assert_equal_statistics(layer_statistics(clf, X, labels), expected)
    values = 100.0 * labels + X[:, 20:22]
    net = small(DBNRegressor).fit(X, values)
    targets = (values - net.y_mean_) / net.y_scale_
    expected = layer_statistics(net.network_, X, targets)
    assert_equal_statistics(layer_statistics(net, X, values), expected)


def test_rows_without_a_label_are_left_out(digits):
    X, y = digits
    marked = np.where(np.arange(300) % 3 == 0, -1, y)
    clf = small(unlabeled=-1).fit(X, marked)
    expected = layer_statistics(clf, X[marked >= 0], y[marked >= 0])
    assert_equal_statistics(layer_statistics(clf, X, marked), expected)


def test_a_loaded_model_and_one_that_got_classes(digits, tmp_path):
    X, y = digits
    clf = small().partial_fit(X[y < 8], y[y < 8], classes=np.arange(10))
    found = layer_statistics(clf, X, y)
    save_model(clf, tmp_path / "net.dbn")
    loaded = load_model(tmp_path / "net.dbn")
    assert_equal_statistics(layer_statistics(loaded, X, y), found)


def test_training_is_followed_from_outside(digits):
    X, y = digits
    clf = small(optimizer=SGD(0.1), learning_rate_multipliers=[0, 0, 0])
    followed = [layer_statistics(clf.partial_fit(X, y), X, y)]
    clf.set_params(learning_rate_multipliers=None)
    norms = []
    for _ in range(3):
        before = clf.network_
        kept = [W.copy() for W, _ in before.dense]
        clf.partial_fit(X, y)
        followed.append(layer_statistics(clf, X, y, previous=before))
        pairs = zip(clf.network_.dense, kept, strict=True)
        norms.append([np.linalg.norm(W - W_before) for (W, _), W_before in pairs])
    assert_allclose([s.update_norm for s in followed[1:]], norms)
    assert (np.array(norms) > 0).all()
    # Before it, the net is as drawn: 64 x 8 weights of variance 2 / 72.
    assert_allclose(followed[0].weight_norm[0], np.sqrt(64 * 8 * 2 / 72), rtol=0.1)


# The paper


def deep(name, activation="tanh", n=250):
    """A net with 5 square hidden layers, as drawn."""
    net = Network([n] * 6 + [10], activation=activation)
    get_initializer(name).fill(net, None, np.random.default_rng(3))
    return net


def paper_rows(n=250):
    X = 0.1 * np.random.default_rng(0).standard_normal((300, n))
    return X, np.eye(10)[np.arange(300) % 10]


@pytest.mark.parametrize(
    ("name", "expected"), [("xavier_uniform", XAVIER), ("standard", STANDARD)]
)
def test_mean_singular_values_at_the_start(name, expected):
    """0.85 and 0.49; Glorot and Bengio report 0.8 and 0.5 on their data."""
    found = layer_statistics(deep(name), *paper_rows()).singular_value
    assert found.shape == (5,)
    assert_allclose(found, expected, atol=0.03)


def test_gradients_and_activations_at_the_start():
    """Figures 6 and 7: they shrink from "standard", downwards and upwards."""
    xavier = layer_statistics(deep("xavier_uniform"), *paper_rows())
    standard = layer_statistics(deep("standard"), *paper_rows())
    assert 0.8 < xavier.gradient_std[-1] / xavier.gradient_std[0] < 1.2
    assert 8.0 < standard.gradient_std[-1] / standard.gradient_std[0] < 11.0
    shrinks = standard.activation_std[1:] / standard.activation_std[:-1]
    assert_allclose(shrinks, 1.0 / np.sqrt(3.0), atol=0.03)
    keeps = xavier.activation_std[1:] / xavier.activation_std[:-1]
    assert_allclose(keeps, 1.0, atol=0.03)
    # Figure 8: of the weights' gradients neither vanishes.
    for found in (xavier, standard):
        norms = found.weight_gradient_norm[:-1]
        assert norms.max() / norms.min() < 1.6


@pytest.mark.parametrize(
    ("name", "low", "high"), [("xavier_uniform", 0.72, 0.85), ("standard", 0.45, 0.50)]
)
def test_mean_singular_values_on_digits(name, low, high):
    """Slopes below 1 on real rows: 0.75 to 0.78 and 0.48 to 0.49."""
    data = load_dataset("digits")
    net = Network([64] + [100] * 5 + [10], activation="tanh")
    get_initializer(name).fill(net, None, np.random.default_rng(0))
    found = layer_statistics(net, data.X[:300]).singular_value[1:]
    assert (found > low).all()
    assert (found < high).all()


def test_the_top_logistic_layer_of_a_deep_net_is_pushed_to_zero():
    """Figure 2, on digits: the others stay about where they were."""
    data = load_dataset("digits")
    X, y, seen = data.X[:1400], data.y[:1400], data.X[1400:1700]
    clf = DBNClassifier((100,) * 5, init="standard", batch_size=10, random_state=0)
    clf.set_params(optimizer=SGD(0.1, momentum=0.0))
    for _ in range(15):
        clf.partial_fit(X, y)
    found = layer_statistics(clf, seen)
    assert found.activation_mean[-1] < 0.2
    assert (found.activation_mean[:-1] > 0.4).all()


# Bad input


def test_what_cannot_be_measured_is_refused():
    X, y = rows_and_targets()
    net = random_net()
    with pytest.raises(NotFittedError):
        layer_statistics(DBNClassifier(), X)
    stack = DBNTransformer((3,)).fit(np.eye(6))
    with pytest.raises(TypeError, match="got DBNTransformer"):
        layer_statistics(stack, X)
    with pytest.raises(ValueError, match=r"Network\(\[6, 3\].* has no hidden layer"):
        layer_statistics(Network([6, 3]), X)
    with pytest.raises(ValueError, match="no rows"):
        layer_statistics(net, X[:0])
    with pytest.raises(ValueError, match="n_jacobians is -1"):
        layer_statistics(net, X, n_jacobians=-1)
    for wrong in (y.argmax(axis=1), y[:5], y[:, :2]):
        with pytest.raises(
            ValueError, match=r"and the net's output \(20, 3\).*one-hot"
        ):
            layer_statistics(net, X, wrong)
    with pytest.raises(ValueError, match=r"\(6, 5\).*previous \[\(6, 4\)"):
        layer_statistics(net, X, previous=random_net((6, 4, 4, 3)))


def test_an_estimator_gets_the_rows_and_labels_it_knows(digits):
    X, y = digits
    clf = small().fit(X[y > 0], y[y > 0])
    with pytest.raises(ValueError, match="64 features"):
        layer_statistics(clf, X[:, :5], y)
    with pytest.raises(ValueError, match=r"y holds \[0\]"):
        layer_statistics(clf, X, y)
    with pytest.raises(ValueError, match="inconsistent"):
        layer_statistics(clf, X, y[:5])


# Pictures


@pytest.fixture(autouse=True)
def drawn():
    """Every figure can be drawn, without a warning."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in plt.get_fignums():
            plt.figure(number).canvas.draw()
    plt.close("all")


def followed(n=4):
    X, y = rows_and_targets()
    found, before = [], None
    for i in range(n):
        net = random_net(scale=0.5 + 0.2 * i, activation="tanh")
        found.append(layer_statistics(net, X, y, previous=before))
        before = net
    return found


@pytest.mark.parametrize("quantity", ["activation_histograms", "gradient_histograms"])
def test_histograms_are_drawn_layer_by_layer(quantity):
    found = followed()
    draw = LayerStatisticsDisplay.from_statistics
    for statistics in (found, found[-1]):  # of a list, the last
        ax = draw(statistics, quantity=quantity).ax_
        names = [tick.get_text() for tick in ax.get_yticklabels()]
        assert names == ["layer 0", "layer 1"]
        for i, expected in enumerate(getattr(found[-1], quantity)):
            density, edges = expected
            heights, at, baseline = stairs(ax)[i]
            assert baseline == i
            assert_allclose(heights - i, 0.86 * density / density.max())
            assert_array_equal(at, edges)


def stairs(ax):
    """Heights, edges and baseline of each layer."""
    outlines = [patch for patch in ax.patches if not patch.get_fill()]
    return [patch.get_data() for patch in outlines]


def test_a_spike_is_as_high_as_other_layers_and_its_width_is_told():
    net = random_net(activation="logistic")
    net.params["W1"][...] *= 1e-6
    net.params["c1"][...] = 0.0
    ax = LayerStatisticsDisplay.from_estimator(net, rows_and_targets()[0]).ax_
    wide, spike = (heights for heights, *_ in stairs(ax))
    assert_allclose((spike - 1).max(), wide.max())
    assert np.ptp(stairs(ax)[1][1]) < 1e-3 < np.ptp(stairs(ax)[0][1])
    told = ax.texts[1].get_text()
    measured = layer_statistics(net, rows_and_targets()[0])
    assert f"std {measured.activation_std[1]:.2g}" in told
    looks = [patch.get_edgecolor() for patch in ax.patches if not patch.get_fill()]
    assert np.dot(looks[0][:3], [0.3, 0.6, 0.1]) < np.dot(looks[1][:3], [0.3, 0.6, 0.1])


def test_far_values_do_not_squeeze_the_others():
    """A unit of 200 is a thousand times larger: it is told of, and not shown."""
    net = Network([6, 200, 3], activation="relu")
    get_initializer("he_normal").fill(net, None, np.random.default_rng(0))
    net.params["W0"][:, 0] *= 1e3
    X = np.random.default_rng(1).standard_normal((300, 6))
    ((density, edges),) = layer_statistics(net, X).activation_histograms
    assert len(density) == len(edges) - 1 == 50
    assert_allclose(np.sum(density * np.diff(edges)), 1.0)
    assert_allclose(edges[-1], hidden_layers(net, X)[0].max())
    assert edges[-2] < 0.02 * edges[-1] and (density[:20] > 0.0).all()
    ax = LayerStatisticsDisplay.from_estimator(net, X).ax_
    assert ax.get_xlim()[1] < 0.1 * edges[-1]
    assert "farther out" in ax.texts[0].get_text()


def test_what_is_not_finite_leaves_a_histogram():
    net = random_net(activation="relu", dtype=np.float32)
    X = rows_and_targets()[0].astype(np.float32)
    for name in ("W0", "W1"):
        net.params[name][...] *= 1e25
    with np.errstate(all="ignore"):
        found = layer_statistics(net, X, n_jacobians=0)
        LayerStatisticsDisplay.from_statistics(found)
    assert not np.isfinite(found.activation_mean[1])
    for density, edges in found.activation_histograms:
        assert np.isfinite(density).all() and np.isfinite(edges).all()


@pytest.mark.parametrize(
    "quantity",
    [
        "activation_std",
        "saturation",
        "gradient_std",
        "singular_value",
        "weight_norm",
        "weight_gradient_norm",
        "update_norm",
    ],
)
def test_curves_have_a_point_for_every_epoch(quantity):
    found = followed()
    display = LayerStatisticsDisplay.from_statistics(found, quantity=quantity)
    lines = [x for x in display.ax_.lines if x.get_linestyle() != "None"]
    epochs = [1, 2, 3] if quantity == "update_norm" else [0, 1, 2, 3]
    expected = np.array([getattr(found[i], quantity) for i in epochs])
    assert len(lines) == expected.shape[1]
    for line, curve in zip(lines, expected.T, strict=True):
        assert_array_equal(line.get_xdata(), epochs)
        assert_array_equal(line.get_ydata(), curve)
    logarithmic = quantity == "gradient_std" or quantity.endswith("norm")
    assert (display.ax_.get_yscale() == "log") == logarithmic
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    outputs = ["output"] if quantity.endswith("norm") else []
    assert labels == ["layer 0", "layer 1", *outputs]


def test_percentiles_are_markers_above_the_standard_deviations():
    found = followed()
    display = LayerStatisticsDisplay.from_statistics(found, quantity="activation_std")
    points = [x for x in display.ax_.lines if x.get_linestyle() == "None"]
    expected = np.array([s.activation_p98 for s in found])
    for line, curve in zip(points, expected.T, strict=True):
        assert_array_equal(line.get_ydata(), curve)


def test_means_have_bars_of_one_standard_deviation():
    found = followed()
    display = LayerStatisticsDisplay.from_statistics(found, quantity="activation_mean")
    assert len(display.ax_.containers) == 2
    for i, container in enumerate(display.ax_.containers):
        line, _, (bars,) = container
        means = [s.activation_mean[i] for s in found]
        assert_array_equal(line.get_ydata(), means)
        heights = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
        assert_allclose(heights, [s.activation_std[i] for s in found])


def test_bars_of_layers_stand_side_by_side():
    display = LayerStatisticsDisplay.from_statistics(
        followed(30), quantity="activation_mean"
    )
    _, bars = zip(*(c.lines[1:] for c in display.ax_.containers), strict=True)
    places = [{s[0, 0] for s in b[0].get_segments()} for b in bars]
    assert places[0].isdisjoint(places[1])


def test_a_fitted_net_is_measured_and_drawn(digits):
    X, y = digits
    clf = small().fit(X, y)
    draw = LayerStatisticsDisplay.from_estimator
    ax = draw(clf, X, y, quantity="gradient_histograms").ax_
    expected = layer_statistics(clf, X, y).gradient_histograms
    for (_, at, _), (_, edges) in zip(stairs(ax), expected, strict=True):
        assert_array_equal(at, edges)
    with pytest.raises(ValueError, match="gradient_histograms was not measured"):
        draw(clf, X, quantity="gradient_histograms")


def test_long_training_has_few_markers():
    found = followed(1) * 100
    for quantity in ("activation_mean", "saturation"):
        display = LayerStatisticsDisplay.from_statistics(found, quantity=quantity)
        line = display.ax_.lines[0]
        assert 100 / line.get_markevery().step <= 12


def test_a_picture_goes_where_it_is_told():
    figure, axes = plt.subplots(1, 2)
    display = LayerStatisticsDisplay(followed()).plot(ax=axes[1])
    assert display.ax_ is axes[1]
    assert display.figure_ is figure
    assert not axes[0].lines


def test_what_was_not_measured_is_not_drawn():
    X, _ = rows_and_targets()
    found = layer_statistics(random_net(), X)
    draw = LayerStatisticsDisplay.from_statistics
    with pytest.raises(ValueError, match="'gradients'; it must be one of"):
        draw(found, quantity="gradients")
    for quantity in ("gradient_std", "gradient_histograms", "update_norm"):
        with pytest.raises(ValueError, match=f"{quantity} was not measured"):
            draw(found, quantity=quantity)
    with pytest.raises(ValueError, match="was not measured"):
        draw([], quantity="saturation")
    with pytest.raises(ValueError, match=r"of several nets\. Draw histograms of one"):
        draw({"one": found, "other": found})


# Several nets


@pytest.mark.parametrize("quantity", ["activation_mean", "gradient_mean"])
def test_nets_are_lines_over_their_layers_with_spread(digits, quantity):
    nets = {"one": small(), "other": small(activation="tanh")}
    display = LayerStatisticsDisplay.from_estimators(
        nets, *digits, quantity=quantity, at_start=True
    )
    spread = quantity.replace("mean", "std")
    assert {text.get_text() for text in display.ax_.texts} == {*nets}
    for net, container in zip(nets.values(), display.ax_.containers, strict=True):
        expected = layer_statistics(net, *digits, at_start=True)
        line, _, (bars,) = container
        assert_allclose(line.get_ydata(), getattr(expected, quantity))
        assert_array_equal(line.get_xdata().round(), [0, 1])
        heights = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
        assert_allclose(heights, getattr(expected, spread))
    places = [c[0].get_xdata()[0] for c in display.ax_.containers]
    assert places[0] < places[1]  # bars side by side


def test_norms_have_the_output_layer_too(digits):
    nets = [small().fit(*digits), small(init="standard").fit(*digits)]
    display = LayerStatisticsDisplay.from_estimators(
        nets, digits[0], quantity="weight_norm"
    )
    ticks = [tick.get_text() for tick in display.ax_.get_xticklabels()]
    assert ticks == ["0", "1", "output"]
    assert {text.get_text() for text in display.ax_.texts} == {"Xavier", "standard"}
    assert display.ax_.get_yscale() == "log"


# Before a fit


@pytest.mark.parametrize("init", ["xavier_uniform", "dbn"])
def test_a_net_is_measured_as_its_fit_begins(digits, init):
    """As if nothing moved in the first epoch; the estimator itself is not touched."""
    X, y = digits
    params = {"init": init, "max_iter": 1, "batch_size": 20}
    net = small(rbm=RBMTransformer(max_iter=2, batch_size=20), **params)
    found = layer_statistics(net, X, y, at_start=True)
    assert not hasattr(net, "network_")
    still = small(rbm=RBMTransformer(max_iter=2, batch_size=20), **params)
    still.set_params(learning_rate_multipliers=[0, 0, 0]).fit(X, y)
    assert_equal_statistics(found, layer_statistics(still, X, y))
    again = layer_statistics(still, X, y, at_start=True)  # fitted or not
    assert_equal_statistics(found, again)


def test_a_start_needs_no_targets(digits):
    X, y = digits
    for net in (small(), small(DBNRegressor), small(unlabeled=1)):
        found = layer_statistics(net, X, at_start=True)
        assert found.gradient_std is None
        expected = layer_statistics(small(), X, y, at_start=True)
        assert_allclose(found.activation_std, expected.activation_std)
    with pytest.raises(TypeError, match="Network has the weights that it has"):
        layer_statistics(random_net(), X, at_start=True)
    with pytest.raises(TypeError, match="got DBNTransformer"):
        layer_statistics(DBNTransformer(), X, at_start=True)
