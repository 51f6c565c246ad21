"""Pictures: what stands on the axes is what the estimators hold."""

import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from dbn import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    GenerativeDBNClassifier,
    RBMClassifier,
    RBMTransformer,
)
from dbn.evaluation import (
    CodesDisplay,
    FiltersDisplay,
    HistoryDisplay,
    MomentsDisplay,
    ReconstructionsDisplay,
    SamplesDisplay,
    load_dataset,
)
from dbn.training import RBMMonitor

PROTOTYPE = RBMTransformer(batch_size=50, max_iter=3)


@pytest.fixture(scope="module")
def digits():
    data = load_dataset("digits")
    return data.X[:400], data.y[:400]


@pytest.fixture(scope="module")
def rbm(digits):
    monitor = RBMMonitor(digits[0][300:])
    rbm = RBMTransformer(20, max_iter=3, random_state=0).set_callbacks(monitor)
    return rbm.fit(digits[0][:300])


@pytest.fixture(scope="module")
def net(digits):
    net = DBNClassifier((10, 8), rbm=PROTOTYPE, max_iter=5, random_state=0)
    return net.set_callbacks(RBMMonitor()).fit(*digits)


@pytest.fixture(autouse=True)
def drawn():
    """Every figure can be drawn, without a warning and inside its borders."""
    yield
    try:
        for number in plt.get_fignums():
            check_layout(plt.figure(number))
    finally:
        plt.close("all")


def check_layout(figure):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()
    if figure.get_constrained_layout():
        room, border = figure.get_tightbbox(), figure.bbox_inches
        assert (room.min >= border.min - 0.01).all()
        assert (room.max <= border.max + 0.01).all()


def images(display):
    """The images as rows, and their corners on the axes."""
    found = display.ax_.images
    rows = np.array([image.get_array().ravel() for image in found])
    return rows, [tuple(image.get_extent()) for image in found]


def colorbar_label(display):
    return display.figure_.axes[-1].get_ylabel()


def by_norm(weights):
    return weights[np.argsort(-np.linalg.norm(weights, axis=1), kind="stable")]


def test_filters_are_the_weights_in_order_of_their_norm(rbm):
    display = FiltersDisplay.from_estimator(rbm, n=12)
    rows, corners = images(display)
    np.testing.assert_array_equal(rows, by_norm(rbm.components_)[:12])
    np.testing.assert_array_equal(rbm.components_[display.units_], rows)
    assert len({*corners}) == 12  # none covers another
    assert display.ax_.images[0].get_array().shape == (8, 8)
    assert display.ax_.get_title() == "12 of 20 units, largest norm first"
    assert colorbar_label(display) == "incoming weight"


def test_filters_have_one_symmetric_scale(rbm):
    display = FiltersDisplay.from_estimator(rbm)
    limits = {image.get_clim() for image in display.ax_.images}
    limit = np.quantile(np.abs(rbm.components_), 0.999)
    assert [*limits] == [pytest.approx((-limit, limit))]
    assert len(display.ax_.images) == 20  # fewer than the default of 64
    FiltersDisplay(np.zeros((3, 4))).plot()  # a machine that learned nothing


def test_filters_of_every_estimator(digits, net):
    X, y = digits
    rows, _ = images(FiltersDisplay.from_estimator(net))
    np.testing.assert_array_equal(rows, by_norm(net.coefs_[0].T))
    regressor = DBNRegressor((6,), rbm=PROTOTYPE, max_iter=2, random_state=0)
    rows, _ = images(FiltersDisplay.from_estimator(regressor.fit(X, y)))
    np.testing.assert_array_equal(rows, by_norm(regressor.coefs_[0].T))
    stack = DBNTransformer((10, 4), rbm=PROTOTYPE, random_state=0).fit(X)
    rows, _ = images(FiltersDisplay.from_estimator(stack))
    np.testing.assert_array_equal(rows, by_norm(stack.dbn_.rbms[0].W.T))


def test_filters_of_gaussian_units_are_per_standard_deviation(digits):
    """So that a pixel that hardly varies does not hide the others."""
    X = digits[0] * 16 - 3
    rbm = RBMTransformer(10, max_iter=2, random_state=0).fit(X)
    rows, _ = images(FiltersDisplay.from_estimator(rbm))
    np.testing.assert_allclose(rows, by_norm(rbm.rbm_.W.T), rtol=1e-4, atol=1e-7)
    net = DBNClassifier((10,), init="he_normal", max_iter=2, random_state=0)
    net.fit(X, digits[1])
    rows, _ = images(FiltersDisplay.from_estimator(net))
    W = net.network_.dense[0][0]
    np.testing.assert_allclose(rows, by_norm(W.T), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kind", ["rbm", "dbn"])
def test_samples_are_those_of_the_estimator(digits, rbm, kind):
    if kind == "dbn":
        rbm = DBNTransformer((10, 4), rbm=PROTOTYPE, random_state=0).fit(digits[0])
    display = SamplesDisplay.from_estimator(
        rbm, n=7, steps=20, means=False, random_state=1
    )
    rows, corners = images(display)
    np.testing.assert_array_equal(rows, rbm.sample(7, steps=20, random_state=1))
    assert len({*corners}) == 7
    assert display.ax_.get_title() == "samples after 20 Gibbs steps"
    assert display.ax_.images[0].get_clim() == (0.0, 1.0)


def test_samples_are_shown_as_means(digits, rbm):
    """Of the same chains, with hidden units that are drawn once more."""
    display = SamplesDisplay.from_estimator(rbm, n=300, steps=5, random_state=1)
    drawn = rbm.sample(300, steps=5, random_state=1)
    rows, _ = images(display)
    assert ((rows > 0.0) & (rows < 1.0)).all()
    np.testing.assert_array_equal(rows, display.rows)
    hidden = rbm.rbm_.mean_hidden(drawn)
    means = rbm.rbm_.mean_visible(hidden).mean(axis=0)
    np.testing.assert_allclose(rows.mean(axis=0), means, atol=0.05)
    title = display.ax_.get_title()
    assert title == "means of visible units after 5 Gibbs steps"
    assert colorbar_label(display) == "mean"


def test_means_of_gaussian_units_are_in_the_units_of_the_rows(digits):
    X = digits[0] * 16 - 3
    rbm = RBMTransformer(10, max_iter=2, random_state=0).fit(X)
    means = SamplesDisplay.from_estimator(rbm, n=200, steps=5, random_state=0).rows
    rows = rbm.sample(200, steps=5, random_state=0)
    spread = rbm.scale_ / 200**0.5
    moved = np.abs(means.mean(axis=0) - rows.mean(axis=0))
    assert (moved <= 6.0 * spread + 1e-4).all()
    assert means.std() < rows.std()


NAMES = np.array(["zero", "one", "two"])


@pytest.fixture(scope="module")
def classifiers(digits):
    X, y = digits[0][digits[1] < 3], NAMES[digits[1][digits[1] < 3]]
    machine = RBMClassifier(20, objective="generative", max_iter=20, random_state=0)
    stack = {"rbm": PROTOTYPE, "random_state": 0}
    return [
        machine.fit(X, y),
        GenerativeDBNClassifier((10, 8), up_down=2, **stack).fit(X, y),
        GenerativeDBNClassifier((10,), rbm=[PROTOTYPE], random_state=0).fit(X, y),
    ]


@pytest.mark.parametrize("i", range(3))
def test_samples_of_a_classifier_have_a_line_for_each_class(classifiers, i):
    model, asked = classifiers[i], {"steps": 5, "random_state": 1}
    display = SamplesDisplay.from_estimator(model, n=4, means=False, **asked)
    names = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert names == display.lines == sorted(NAMES)
    rows, corners = images(display)
    labels = np.repeat(names, 4)
    np.testing.assert_array_equal(rows, model.sample(12, label=labels, **asked))
    assert len({bottom for *_, bottom, _ in corners}) == 3
    assert len(SamplesDisplay.from_estimator(model, **asked).rows) == 30
    one = SamplesDisplay.from_estimator(model, n=5, label="two", means=False, **asked)
    np.testing.assert_array_equal(one.rows, model.sample(5, label="two", **asked))
    assert one.lines is None and not one.ax_.get_yticklabels()


@pytest.mark.parametrize("i", range(3))
def test_means_of_a_class_are_those_of_its_rows(classifiers, i):
    model, asked = classifiers[i], {"n": 300, "steps": 20, "random_state": 1}
    for label in NAMES:
        means = SamplesDisplay.from_estimator(model, label=label, **asked).rows
        rows = model.sample(300, label=label, steps=20, random_state=1)
        assert ((means > 0.0) & (means < 1.0)).all()
        np.testing.assert_allclose(means.mean(axis=0), rows.mean(axis=0), atol=0.12)


def test_classes_to_draw_are_classes(classifiers, rbm):
    with pytest.raises(ValueError, match=r"label is 'ten'; the classes of RBMClas"):
        SamplesDisplay.from_estimator(classifiers[0], label="ten")
    for labels in (["one", "two"], NAMES):
        with pytest.raises(ValueError, match=r"label is .*Give one of them"):
            SamplesDisplay.from_estimator(classifiers[0], label=labels)
    with pytest.raises(ValueError, match="label is 3; RBMTransformer has no classes"):
        SamplesDisplay.from_estimator(rbm, label=3)
    with pytest.raises(
        ValueError, match="n is -1; it must be an integer of at least 1"
    ):
        SamplesDisplay.from_estimator(classifiers[0], n=-1)


@pytest.mark.parametrize("n", [1, 5])
def test_lines_have_equally_many_rows(digits, n):
    display = SamplesDisplay(digits[0][:n], steps=1, lines=["a", "b"])
    with pytest.raises(ValueError, match=f"{n} rows do not make 2 lines"):
        display.plot()


def test_categories_are_no_pixels():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({name: list("ab" * 20) for name in "wxyz"})
    model = RBMTransformer(3, max_iter=1, random_state=0).fit(X)
    with pytest.raises(ValueError, match=r"columns \['w', 'x', 'y', 'z'\] hold words"):
        SamplesDisplay.from_estimator(model, steps=1)
    model.fit(X == "a")
    assert SamplesDisplay.from_estimator(model, n=2, steps=1).rows.shape == (2, 4)


# Moments


def test_moments_are_those_of_data_and_samples(digits):
    rng = np.random.default_rng(0)
    data = rng.random((50, 6))
    samples = rng.random((40, 6))
    display = MomentsDisplay(data, samples).plot()
    means, correlations = (ax.lines[0] for ax in display.axes_)
    np.testing.assert_allclose(means.get_xdata(), data.mean(axis=0))
    np.testing.assert_allclose(means.get_ydata(), samples.mean(axis=0))
    pairs = np.triu_indices(6, k=1)
    for found, rows in (
        (correlations.get_xdata(), data),
        (correlations.get_ydata(), samples),
    ):
        np.testing.assert_allclose(found, np.corrcoef(rows.T)[pairs])
    expected = np.corrcoef(data.mean(axis=0), samples.mean(axis=0))[0, 1]
    assert display.r_means_ == pytest.approx(expected)
    assert display.axes_[0].texts[0].get_text() == f"r = {expected:.3f}"
    assert display.ax_ is display.axes_[0]


def test_moments_of_an_estimator_are_in_its_units(digits):
    X = digits[0] * 16 - 3  # with columns that do not vary
    stack = DBNTransformer((20,), rbm=PROTOTYPE, random_state=0).fit(X)
    display = MomentsDisplay.from_estimator(stack, X, n=60, steps=3, random_state=0)
    samples = stack.sample(60, steps=3, random_state=0)
    np.testing.assert_array_equal(display.samples, samples)
    x = display.axes_[0].lines[0].get_xdata()
    assert x.min() >= 0.0 and x.max() <= 1.0
    assert "share of its range" in display.axes_[0].get_xlabel()
    assert np.isfinite(display.r_correlations_)


def test_moments_leave_out_what_is_not_known():
    data = np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 1.0], [3.0, np.nan, 0.0], [4, 8, 1]])
    display = MomentsDisplay(data, np.array([[1.0, 2, 3], [2, 3, 5], [4, 1, 1]])).plot()
    (r, *_) = display.axes_[1].lines[0].get_xdata()
    assert r == pytest.approx(np.corrcoef(data[[0, 1, 3], :2].T)[0, 1], abs=0.1)


def test_moments_leave_out_what_is_masked():
    data = np.array([[1.0, 0.0], [2.0, 1.0], [-999.0, 0.0]])
    masked = np.ma.masked_less(data, 0.0)
    samples = np.eye(2)
    known = MomentsDisplay(masked.filled(np.nan), samples).plot()
    shown = MomentsDisplay(masked, samples).plot()
    for its, other in zip(shown.axes_, known.axes_, strict=True):
        a, b = its.lines[0].get_xdata(), other.lines[0].get_xdata()
        np.testing.assert_array_equal(a, b)


def test_moments_of_categories(digits):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {"a": [0.0, 1.0, 3.0] * 20, "b": pd.Categorical(["x", "y", "z"] * 20)}
    )
    rbm = RBMTransformer(5, max_iter=2, random_state=0).fit(frame)
    display = MomentsDisplay.from_estimator(rbm, frame, n=20, steps=2, random_state=0)
    assert len(display.axes_[0].lines[0].get_xdata()) == 4


def test_many_pairs_are_thinned_out():
    rng = np.random.default_rng(0)
    rows = rng.random((20, 150))
    points = MomentsDisplay(rows, rows).plot().axes_[1].lines[0]
    assert 2500 <= len(points.get_xdata()) <= 5000


def test_moments_that_cannot_be_drawn(digits, rbm):
    _, axes = plt.subplots(1, 3)
    with pytest.raises(ValueError, match="ax holds 3 Axes; pass two"):
        MomentsDisplay(np.eye(3), np.eye(3)).plot(ax=axes)
    with pytest.raises(ValueError, match="n is 1; it must be an integer of at least 2"):
        MomentsDisplay.from_estimator(rbm, digits[0], n=1)
    with pytest.raises(ValueError, match="of the same features"):
        MomentsDisplay(np.eye(3), np.eye(4)).plot()
    net = LinearRegression().fit(*digits)
    with pytest.raises(TypeError, match="has no method sample"):
        MomentsDisplay.from_estimator(net, digits[0])


def test_grey_scale_of_data_outside_the_unit_interval(digits):
    X = digits[0] * 16 - 3
    rbm = RBMTransformer(10, max_iter=2, random_state=0).fit(X)
    display = ReconstructionsDisplay.from_estimator(rbm, X, n=3)
    assert display.ax_.images[0].get_clim() == (X[:3].min(), X[:3].max())


@pytest.mark.parametrize("hidden", [np.nan, -999.0], ids=["nan", "masked"])
def test_pixels_that_are_not_known_are_left_blank(digits, hidden):
    X = digits[0].copy()
    X[:, 20] = hidden
    rows = X if np.isnan(hidden) else np.ma.masked_less(X, 0.0)
    display = ReconstructionsDisplay(rows[:3], digits[0][:3]).plot()
    for image in display.ax_.images:
        assert image.get_clim() == (0.0, 1.0)
    blank = [np.ma.getmaskarray(i.get_array()).sum() for i in display.ax_.images]
    assert blank == [1] * 3 + [0] * 3
    nothing = ReconstructionsDisplay(np.full((1, 64), np.nan), digits[0][:1]).plot()
    assert nothing.ax_.images[0].get_clim() == (0.0, 1.0)


def test_the_number_of_images_is_an_integer(digits, rbm):
    with pytest.raises(ValueError, match=r"n is 2.5; it must be an integer"):
        FiltersDisplay.from_estimator(rbm, n=2.5)
    with pytest.raises(ValueError, match=r"n is 4.0; it must be an integer"):
        SamplesDisplay.from_estimator(rbm, n=4.0)
    with pytest.raises(ValueError, match=r"n is 4.0; it must be an integer"):
        ReconstructionsDisplay.from_estimator(rbm, digits[0], n=4.0)
    with pytest.raises(ValueError, match=r"n is 4.0; it must be an integer"):
        MomentsDisplay.from_estimator(rbm, digits[0], n=4.0)


def test_reconstructions_stand_below_their_rows(digits, rbm):
    X = digits[0]
    display = ReconstructionsDisplay.from_estimator(rbm, X, n=5)
    rows, corners = images(display)
    np.testing.assert_array_equal(rows[:5], X[:5])
    again = rbm.inverse_transform(rbm.transform(X[:5]))
    np.testing.assert_allclose(rows[5:], again, rtol=1e-5)
    for above, below in zip(corners[:5], corners[5:], strict=True):
        assert above[:2] == below[:2] and above[2] < below[3]
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == ["data", "reconstruction"]
    # Each label points at its line: the y axis runs downwards.
    for tick, (_, _, bottom, top) in zip(
        display.ax_.get_yticks(), corners[::5], strict=True
    ):
        assert top < tick < bottom


def test_reconstructions_of_pandas_sparse_rows_and_pipelines(digits, rbm):
    pd = pytest.importorskip("pandas")
    X = digits[0]
    expected = images(ReconstructionsDisplay.from_estimator(rbm, X, n=3))[0]
    sparse = ReconstructionsDisplay.from_estimator(rbm, csr_array(X), n=3)
    np.testing.assert_allclose(images(sparse)[0], expected, rtol=1e-5)
    frame = pd.DataFrame(X).add_prefix("pixel")
    pipeline = make_pipeline(MinMaxScaler(), PROTOTYPE).fit(frame * 16)
    display = ReconstructionsDisplay.from_estimator(pipeline, frame * 16, n=3)
    np.testing.assert_allclose(images(display)[0][:3], X[:3] * 16, rtol=1e-6)
    rows = ReconstructionsDisplay.from_estimator(rbm, X[:2])  # fewer than n
    assert len(rows.ax_.images) == 4


def test_image_shapes(rbm):
    display = FiltersDisplay.from_estimator(rbm, image_shape=(4, 16))
    assert display.ax_.images[0].get_array().shape == (4, 16)
    with pytest.raises(ValueError, match=r"\(8, 9\), but a row has 64 features"):
        SamplesDisplay.from_estimator(rbm, image_shape=(8, 9))
    with pytest.raises(ValueError, match=r"\(-8, -8\), but a row has 64"):
        SamplesDisplay.from_estimator(rbm, image_shape=(-8, -8))
    with pytest.raises(ValueError, match=r"is 64, but a row has 64 .* it must be"):
        SamplesDisplay.from_estimator(rbm, image_shape=64)
    with pytest.raises(ValueError, match="6 features do not make a square"):
        FiltersDisplay(np.ones((2, 6))).plot()
    assert len(FiltersDisplay(np.ones((2, 6)), image_shape=(2, 3)).plot().units_) == 2


def test_history_has_a_panel_per_metric_and_a_line_per_layer(net):
    display = HistoryDisplay.from_estimator(net)
    panels = {ax.get_ylabel(): ax for ax in display.axes_}
    assert {*panels} == {
        "squared error per visible unit",
        "dead hidden units",
        "hidden units always on",
        "norm of W",
        "norm of the change of W",
        "pseudo-log-likelihood (nats)",
        "training loss",
    }
    for i, line in enumerate(panels["norm of W"].lines):
        entries = [e for e in net.history_ if e.get("layer") == i]
        assert [*line.get_xdata()] == [0, 1, 2]
        assert [*line.get_ydata()] == [e["weight_norm"] for e in entries]
    (loss,) = panels["training loss"].lines
    assert [*loss.get_ydata()] == net.loss_curve_
    (legend,) = display.figure_.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["layer 0", "layer 1", "fine-tuning"]
    colors = [line.get_color() for line in legend.get_lines()]
    assert colors == [*(x.get_color() for x in panels["norm of W"].lines), "#D55E00"]
    greys = [np.dot(color[:3], [0.3, 0.6, 0.1]) for color in colors[:-1]]
    assert greys == sorted(greys)  # dark to light, from the data upwards
    assert {ax.get_xlabel() for ax in display.axes_} == {"epoch"}


def test_history_of_one_machine_needs_no_legend(rbm):
    display = HistoryDisplay.from_estimator(rbm, metrics="free_energy_gap")
    (ax,) = display.axes_
    assert ax.get_ylabel() == "free-energy gap (nats)"
    assert [*ax.lines[0].get_ydata()] == [e["free_energy_gap"] for e in rbm.history_]
    assert not display.figure_.legends and ax.get_legend() is None


def test_history_counts_have_whole_ticks():
    entry = {"phase": "pretrain", "layer": 0, "dead_units": 0}
    (ax,) = HistoryDisplay([entry | {"epoch": i} for i in range(2)]).plot().axes_
    ax.figure.canvas.draw()
    assert {*ax.get_yticks()} >= {0.0, 1.0}
    assert all(tick == int(tick) for tick in [*ax.get_yticks(), *ax.get_xticks()])


def test_history_names_metrics_it_does_not_know():
    history = [{"phase": "pretrain", "layer": 0, "epoch": 0, "my_metric": 1.0}]
    assert HistoryDisplay(history).plot().axes_[0].get_ylabel() == "my metric"


def test_history_errors(rbm):
    with pytest.raises(ValueError, match=r"'loss'; the history has \['reconstruction"):
        HistoryDisplay.from_estimator(rbm, metrics="loss")
    with pytest.raises(ValueError, match=r"None; the history has \[\]"):
        HistoryDisplay([]).plot()
    _, axes = plt.subplots(1, 2)
    with pytest.raises(ValueError, match=r"ax holds 2 Axes for 1 metrics \['weight"):
        HistoryDisplay.from_estimator(rbm, metrics=["weight_norm"], ax=axes)


def test_pictures_are_drawn_where_asked(digits, rbm, net):
    _, axes = plt.subplots(2, 3, figsize=(12, 8), layout="constrained")
    given = axes.ravel()
    assert FiltersDisplay.from_estimator(rbm, ax=given[0]).ax_ is given[0]
    display = SamplesDisplay.from_estimator(rbm, n=2, steps=2, ax=given[1])
    assert display.ax_ is given[1]
    display = ReconstructionsDisplay.from_estimator(rbm, digits[0], ax=given[2])
    assert display.ax_ is given[2] and display.figure_ is given[2].figure
    metrics = ["reconstruction_error", "loss"]
    display = HistoryDisplay.from_estimator(net, metrics=metrics, ax=given[3:5])
    assert display.axes_ == [*given[3:5]]
    assert len(given[3].get_legend().get_texts()) == 3


@pytest.mark.parametrize(
    "draw",
    [
        FiltersDisplay.from_estimator,
        SamplesDisplay.from_estimator,
        HistoryDisplay.from_estimator,
        lambda rbm: ReconstructionsDisplay.from_estimator(rbm, np.ones((1, 4))),
    ],
)
def test_estimators_must_be_fitted(draw):
    with pytest.raises(NotFittedError):
        draw(RBMTransformer())


def test_wrong_estimators_and_numbers(digits, rbm, net):
    X = digits[0]
    with pytest.raises(TypeError, match=r"DBNClassifier has no method sample\. Pass"):
        SamplesDisplay.from_estimator(net)
    with pytest.raises(TypeError, match="no method transform and no inverse_transform"):
        ReconstructionsDisplay.from_estimator(net, X)
    line = LinearRegression().fit(X, digits[1])
    with pytest.raises(TypeError, match="LinearRegression has no first-layer weights"):
        FiltersDisplay.from_estimator(line)
    for draw in (
        FiltersDisplay.from_estimator,
        SamplesDisplay.from_estimator,
        lambda rbm, n: ReconstructionsDisplay.from_estimator(rbm, X, n=n),
    ):
        with pytest.raises(
            ValueError, match="n is 0; it must be an integer of at least 1"
        ):
            draw(rbm, n=0)


def test_missing_matplotlib_names_the_extra(rbm, monkeypatch):
    for draw in (FiltersDisplay.from_estimator, HistoryDisplay.from_estimator):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "matplotlib.pyplot", None)
            with pytest.raises(ImportError, match="pip install matplotlib"):
                draw(rbm)


def test_reconstructions_of_several_estimators_stand_in_lines(digits, rbm):
    X, _ = digits
    net = DBNAutoencoder((8, 3), init="he_normal", activation="relu", max_iter=2)
    models = {"PCA-3": PCA(3).fit(X), "machine": rbm, "He $": net.fit(X)}
    display = ReconstructionsDisplay.from_estimators(models, X, n=4)
    ax = display.ax_
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["data", "PCA-3", "machine", r"He \$"] and len(ax.images) == 16
    for i, model in enumerate(models.values(), start=1):
        back = model.inverse_transform(model.transform(X[:4]))
        for j in range(4):
            np.testing.assert_allclose(
                ax.images[4 * i + j].get_array().ravel(), back[j], rtol=1e-6
            )
    with pytest.raises(ValueError, match="estimators is empty"):
        ReconstructionsDisplay.from_estimators({}, X)
    with pytest.raises(TypeError, match="no method transform"):
        ReconstructionsDisplay.from_estimators({"a": LinearRegression()}, X)


def test_codes_are_points_of_their_class(digits):
    X, y = digits
    net = DBNAutoencoder((8, 2), init="he_normal", activation="relu", max_iter=2)
    codes = net.fit(X).transform(X)
    display = CodesDisplay.from_estimator(net, X, y, title="a map")
    classes = display.ax_.collections
    assert [points.get_label() for points in classes] == [*map(str, range(10))]
    for name, points in enumerate(classes):
        np.testing.assert_allclose(points.get_offsets(), codes[y == name], rtol=1e-6)
    looks = {
        (str(c.get_edgecolor()), str(c.get_facecolor()), len(c.get_paths()[0]))
        for c in classes
    }
    assert len(looks) == 10
    alone = CodesDisplay.from_estimator(net, X)
    assert len(alone.ax_.collections) == 1 and alone.ax_.get_legend() is None


def test_what_is_no_map(digits):
    X, y = digits
    with pytest.raises(ValueError, match=r"shape \(400, 3\).*DBNAutoencoder\(\(256"):
        CodesDisplay.from_estimator(PCA(3).fit(X), X, y)
    with pytest.raises(ValueError, match="20 classes, and 16 can be told apart"):
        CodesDisplay.from_estimator(PCA(2).fit(X), X, np.arange(400) % 20)
    with pytest.raises(ValueError, match="400 codes and 3 labels"):
        CodesDisplay.from_estimator(PCA(2).fit(X), X, y[:3])
    with pytest.raises(TypeError, match="LinearRegression has no method transform"):
        CodesDisplay.from_estimator(LinearRegression(), X, y)
    with pytest.raises(NotFittedError):
        CodesDisplay.from_estimator(PCA(2), X, y)
