"""Pictures of comparisons: what stands on the axes is what the records hold."""

import sys
import warnings
from itertools import combinations, product

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from dbn import DBNClassifier
from dbn.evaluation import (
    Comparison,
    ComparisonDisplay,
    DepthDisplay,
    DifferencesDisplay,
    LabelBudgetDisplay,
    LayerStatisticsDisplay,
    LossCurvesDisplay,
    load_dataset,
)
from dbn.evaluation.plots.contender_styles import (
    CONTROL_COLORS,
    NET_COLORS,
    contender_styles,
)
from dbn.evaluation.plots.display import LineEnd, name_line_ends
from dbn.evaluation.study.records import display_name

CONTENDERS = (
    ("dbn", "logistic", 0.0),
    ("xavier_uniform", "logistic", 0.0),
    ("xavier_x4_uniform", "logistic", 0.0),
    ("he_normal", "relu", 0.0),
    ("orthogonal", "logistic", 0.0),
    ("lsuv", "relu", 0.0),
    ("he_normal", "relu", 0.5),
    ("dbn-features", "logistic regression", 0.0),
    ("pca", "logistic regression", 0.0),
)
ENDS = ("mean", "low", "high")
SETTINGS = {
    "dataset": "toy",
    "scoring": "accuracy",
    "fixed_test_split": True,
    "n_train": 900,
    "n_test": 100,
}


def made(nets=((50, 50),), budgets=(100, 1000), n_seeds=10, contenders=CONTENDERS):
    """A comparison with errors and curves as they often are, nothing trained."""
    rng, records = np.random.default_rng(0), []
    for sizes in nets:
        for n_labels in budgets:
            for i, (init, activation, dropout) in enumerate(contenders):
                base = {"hidden_layer_sizes": [*sizes], "n_labels": n_labels}
                base |= {"init": init, "activation": activation, "dropout": dropout}
                base |= {"parameter": "learning_rate", "value": 0.01}
                base |= {"pretrain_seconds": 1.0 * (i == 0), "finetune_seconds": 0.5}
                base |= {"pretrain_multiply_adds": 7e9 * (i == 0)}
                for seed in range(n_seeds):
                    error = (1 + 0.06 * i) * 2.0 / n_labels**0.5
                    error *= rng.normal(1.0, 0.05 + 0.02 * len(sizes))
                    record = base | {"seed": seed, "error": float(error)}
                    records.append({"stage": "tune"} | record)
                    if "regression" not in activation:
                        x = np.arange(1, 101, 4)
                        losses = 2.3 * np.exp(-((x * (20 - i) / 500) ** 0.7))
                        losses *= rng.normal(1.0, 0.03, len(x))
                        curve = zip(x.tolist(), losses.tolist(), strict=True)
                        record["loss_curve"] = [[*point] for point in curve]
                    records.append({"stage": "test"} | record)
    return Comparison(dict(SETTINGS), records)


@pytest.fixture(autouse=True)
def drawn():
    """Every figure can be drawn, without a warning and inside its borders."""
    yield
    try:
        for number in plt.get_fignums():
            figure = plt.figure(number)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                figure.canvas.draw()
            if figure.get_constrained_layout():
                room, border = figure.get_tightbbox(), figure.bbox_inches
                assert (room.min >= border.min - 0.01).all()
                assert (room.max <= border.max + 0.01).all()
    finally:
        plt.close("all")


def names(display):
    """Names at the ends of lines, from the highest."""
    return [text.get_text() for text in display.ax_.texts]


def rows_of(display):
    """Names of settings and contenders, by where they stand."""
    ticks = display.ax_.get_yticklabels()
    return {round(tick.get_position()[1], 6): tick.get_text() for tick in ticks}


def boxes_of(texts):
    """Without the lines that lead to them."""
    return [Text.get_window_extent(text) for text in texts]


def nothing_overlaps(display):
    """Names, ticks and the title are apart, and inside the figure."""
    display.figure_.canvas.draw()
    ax = display.ax_
    texts = boxes_of(ax.texts)
    assert not any(a.overlaps(b) for a, b in combinations(texts, 2))
    assert all(box.x0 >= ax.get_window_extent().x1 for box in texts)
    for ticks in (ax.get_xticklabels(), ax.get_yticklabels()):
        boxes = [t.get_window_extent() for t in ticks if t.get_text()]
        assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    title = ax._left_title.get_window_extent()
    assert title.x1 <= display.figure_.bbox.x1


# Rows


def lines_at(display, place):
    """Lines of a row, its guide left out, in the order in which they were drawn."""
    lines = [line for line in display.ax_.lines if len(line.get_xdata())]
    return [
        line
        for line in lines
        if line.get_color() != "0.94" and abs(np.mean(line.get_ydata()) - place) < 0.3
    ]


def test_differences_are_the_intervals_of_the_record():
    """Every other contender of every setting is a row, none is missing."""
    result = made(n_seeds=4)
    display = DifferencesDisplay.from_results(result)
    expected = []
    for row in result.summary():
        others = row["contenders"].items()
        expected.append((row["cell"], None))
        expected += [(display_name(n), its) for n, its in others if n != row["dbn"]]
    rows = rows_of(display)
    assert [*rows.values()] == [name for name, _ in expected]
    for place, (_, its) in zip(rows, expected, strict=True):
        if its is not None:
            bar, point = lines_at(display, place)
            mean, low, high = (100 * its["difference"][k] for k in ENDS)
            assert_allclose(bar.get_xdata(), [low, high])
            assert_allclose(point.get_xdata(), [mean])
            hollow = point.get_markerfacecolor() == "white"
            assert hollow == (its["kind"] == "control")
    (zero,) = [line for line in display.ax_.lines if [*line.get_xdata()] == [0.0, 0.0]]
    assert [*zero.get_ydata()] == [0, 1]
    xlabel = "test error of the DBN minus that of the contender (points), 95 % interval"
    assert display.ax_.get_xlabel() == xlabel
    told = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert told == ["start of the same net", "control"]


def test_figures_stand_beside_the_bars():
    result = made(budgets=(100,), n_seeds=4)
    display = DifferencesDisplay.from_results(result)
    its = result.summary()[0]["contenders"]["xavier_uniform + logistic"]["difference"]
    mean, low, high = (100 * its[key] for key in ENDS)
    text = f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]".replace("-", "\u2212")
    assert text in names(display)
    display.figure_.canvas.draw()
    boxes = boxes_of(display.ax_.texts)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_comparison_shows_every_seed():
    result = made(n_seeds=4)
    display = ComparisonDisplay.from_results(result)
    rows = rows_of(display)
    assert len(rows) == 2 * (1 + 9)  # settings, contenders
    errors = result.errors()
    expected = [
        (name, 100 * its) for cell in errors.values() for name, its in cell.items()
    ]
    places = [place for place, name in rows.items() if name not in errors]
    for place, (name, its) in zip(places, expected, strict=True):
        assert rows[place] == display_name(name)
        points, mean = lines_at(display, place)[:2]
        assert_allclose(points.get_xdata(), its)
        assert_allclose(mean.get_xdata(), its.mean())
    assert "He + ReLU + dropout" in rows.values()
    assert display.ax_.get_xlim()[0] == 0.0
    assert display.ax_.get_xlabel() == "test error (%)"


# Lines


def test_budgets_have_means_and_intervals():
    result = made(budgets=(3000, 100, 600), n_seeds=5)
    display = LabelBudgetDisplay.from_results(result)
    lines, bands = display.ax_.lines, display.ax_.collections
    rows = sorted(result.summary(), key=lambda row: row["n_labels"])
    assert len(lines) == len(bands) == len(rows[0]["contenders"]) == 9
    for line, band, name in zip(lines, bands, rows[0]["contenders"], strict=True):
        its = [row["contenders"][name] for row in rows]
        assert line.get_xdata().tolist() == [100, 600, 3000]
        assert_allclose(line.get_ydata(), [100 * c["mean"] for c in its])
        corners = {tuple(corner) for corner in band.get_paths()[0].vertices.round(6)}
        for n, c in zip([100, 600, 3000], its, strict=True):
            assert {(n, round(100 * c[end], 6)) for end in ("low", "high")} <= corners
    assert display.ax_.get_xscale() == "log"
    ticks = [t.get_text() for t in display.ax_.get_xticklabels()]
    assert ticks == ["100", "600", "3k"]
    nothing_overlaps(display)


def test_names_stand_at_the_ends_of_their_lines():
    """In the order of the ends; each is led to by a line from there."""
    result = made(budgets=(100, 600, 3000), n_seeds=5)
    display = LabelBudgetDisplay.from_results(result)
    shown = [display_name(name) for name in result.summary()[0]["contenders"]]
    ends = {
        name: (line.get_xdata()[-1], line.get_ydata()[-1], line.get_color())
        for name, line in zip(shown, display.ax_.lines, strict=True)
    }
    texts = display.ax_.texts
    assert [*names(display)] == sorted(ends, key=lambda name: ends[name][1])
    heights = [text.xyann[1] for text in texts]
    assert heights == sorted(heights) and heights[0] >= 0.0 and heights[-1] <= 1.0
    for text in texts:
        *end, color = ends[text.get_text()]
        assert text.xy == pytest.approx(end)
        assert to_hex(text.arrow_patch.get_edgecolor()).upper() == color
    bold = [text.get_text() for text in texts if text.get_fontweight() == "bold"]
    assert bold == ["DBN"]


@pytest.mark.parametrize("n_alike", [1, 2, 12])
def test_names_of_ends_that_are_alike_move_apart(n_alike):
    _, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ends = [LineEnd(1.0, 0.02, f"line {i}", "#0072B2") for i in range(n_alike)]
    name_line_ends(ax, [*ends, LineEnd(1.0, 0.8, "far", "#E69F00")])
    ax.figure.canvas.draw()
    boxes = boxes_of(ax.texts)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    (far,) = [text for text in ax.texts if text.get_text() == "far"]
    assert far.xyann[1] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("budgets", "scale"), [((100, 200), "linear"), ((100, 60000), "log")]
)
def test_errors_that_differ_much_have_a_logarithmic_axis(budgets, scale):
    display = LabelBudgetDisplay.from_results(made(budgets=budgets))
    assert display.ax_.get_yscale() == scale
    low, high = display.ax_.get_ylim()
    lines = np.array([line.get_ydata() for line in display.ax_.lines])
    assert (low < lines).all() and (lines < high).all()
    assert (low == 0.0) == (scale == "linear")
    display.figure_.canvas.draw()
    shown = [t for t in display.ax_.get_yticks() if low <= t <= high]
    assert len(shown) >= 3


def test_budgets_of_one_net_among_several():
    result = made(nets=((50,), (60, 60)))
    display = LabelBudgetDisplay.from_results(result, hidden_layer_sizes=[60, 60])
    errors = result.errors()["2 x 60, 100 labels"]["dbn + logistic"]
    assert_allclose(display.ax_.lines[0].get_ydata()[0], 100 * errors.mean())
    for asked in (None, (70,)):
        with pytest.raises(ValueError, match=r"has \[\(50,\), \(60, 60\)\]\. Choose"):
            LabelBudgetDisplay.from_results(result, hidden_layer_sizes=asked)
    with pytest.raises(ValueError, match=r"has 1 label budget for the net \(50, 50\)"):
        LabelBudgetDisplay.from_results(made(budgets=(100,)))


def test_depth_is_a_line():
    result = made(nets=((50,), (50, 50, 50), (50, 50)), budgets=(100,))
    display = DepthDisplay.from_results(result)
    ticks = [t.get_text() for t in display.ax_.get_xticklabels()]
    assert ticks == ["1 x 50", "2 x 50", "3 x 50"]
    assert len(display.ax_.lines) == len(names(display)) == 9
    line = display.ax_.lines[0]
    assert line.get_xdata().tolist() == [1, 2, 3]
    expected = [
        100 * np.mean(result.errors()[f"{depth} x 50, 100 labels"]["dbn + logistic"])
        for depth in (1, 2, 3)
    ]
    assert_allclose(line.get_ydata(), expected)
    nothing_overlaps(display)


def test_depth_of_one_budget_and_of_nets_that_differ_in_it():
    result = made(nets=((50,), (50, 50)))
    assert "1,000 labels" in (
        DepthDisplay.from_results(result, n_labels=1000).ax_.get_title(loc="left")
    )
    with pytest.raises(ValueError, match=r"n_labels is None; .* has \[100, 1000\]"):
        DepthDisplay.from_results(result)
    for nets in [((50,),), ((50,), (60,), (60, 60))]:
        with pytest.raises(ValueError, match="depth need 2 or more, each once"):
            DepthDisplay.from_results(made(nets=nets, budgets=(100,)))


def test_losses_are_medians_with_the_middle_half():
    result = made(budgets=(100,))
    display = LossCurvesDisplay.from_results(result)
    curves = result.curves()["2 x 50, 100 labels"]
    assert {*names(display)} == {*map(display_name, curves)} and len(curves) == 7
    for line, (epochs, losses) in zip(display.ax_.lines, curves.values(), strict=True):
        assert line.get_xdata().tolist() == epochs.tolist()
        assert_allclose(line.get_ydata(), np.median(losses, axis=0))
    low, high = np.quantile(losses, [0.25, 0.75], axis=0)
    corners = display.ax_.collections[-1].get_paths()[0].vertices
    assert_allclose([corners[:, 1].min(), corners[:, 1].max()], [low[-1], high[0]])
    assert display.ax_.get_yscale() == "log"
    nothing_overlaps(display)


def test_losses_of_a_setting_among_several():
    result = made()
    name = "2 x 50, 1000 labels"
    display = LossCurvesDisplay.from_results(result, cell=name)
    expected = result.curves()[name]["dbn + logistic"][1]
    assert_allclose(display.ax_.lines[0].get_ydata(), np.median(expected, axis=0))
    with pytest.raises(ValueError, match="cell is None; the comparison has"):
        LossCurvesDisplay.from_results(result)


# Looks


def looks(lines, contenders):
    return {
        name: (line.get_color(), line.get_marker(), line.get_markerfacecolor())
        for name, line in zip(contenders, lines, strict=True)
    }


def test_a_contender_looks_the_same_in_all_pictures():
    """However many are shown, also where one before it has no curve."""
    result = made(contenders=(*CONTENDERS[-2:], *CONTENDERS[:4]), budgets=(100, 900))
    cell = "2 x 50, 900 labels"
    contenders = [*result.errors()[cell]]
    budgets = LabelBudgetDisplay.from_results(result).ax_.lines
    in_budgets = looks(budgets, contenders)
    curves = LossCurvesDisplay.from_results(result, cell=cell).ax_.lines
    in_curves = looks(curves, result.curves()[cell])
    assert len(in_curves) == 4 and in_curves.items() <= in_budgets.items()
    display = ComparisonDisplay.from_results(result)
    places = [y for y, name in rows_of(display).items() if name not in result.errors()]
    points = [lines_at(display, place)[0] for place in places]
    assert looks(points[:6], contenders) == in_budgets
    display = DifferencesDisplay.from_results(result)
    places = [y for y, name in rows_of(display).items() if name not in result.errors()]
    points = [lines_at(display, place)[1] for place in places]
    others = [name for name in contenders if name != "dbn + logistic"]
    assert looks(points[:5], others).items() <= in_budgets.items()


def test_fitted_nets_look_as_their_starts_in_a_comparison():
    data = load_dataset("digits")
    X, y = data.X[:100], data.y[:100]
    starts = [("he_normal", "relu"), ("xavier_uniform", "logistic")]
    params = {"max_iter": 3, "random_state": 0}
    nets = [
        DBNClassifier((5, 4), init=init, activation=activation, **params).fit(X, y)
        for init, activation in starts
    ]
    expected = contender_styles(
        {"dbn + logistic": "dbn", "xavier_uniform + logistic": "start"}
        | {"he_normal + relu": "start"}
    )
    display = LossCurvesDisplay.from_estimators(nets)
    assert [line.get_color() for line in display.ax_.lines] == [
        expected[name]["color"]
        for name in ("he_normal + relu", "xavier_uniform + logistic")
    ]
    assert {*names(display)} == {"He + ReLU", "Xavier"}
    for line, net in zip(display.ax_.lines, nets, strict=True):
        assert line.get_xdata().tolist() == [1, 2, 3]
        assert_allclose(line.get_ydata(), net.loss_curve_)
    layers = LayerStatisticsDisplay.from_estimators(nets, X, quantity="saturation")
    colors = [line.get_color() for line in layers.ax_.lines]
    assert colors == [line.get_color() for line in display.ax_.lines]


def test_losses_of_nets_with_names_of_their_own():
    data = load_dataset("digits")
    net = DBNClassifier((4,), init="he_normal", max_iter=2, random_state=0)
    net.fit(data.X[:50], data.y[:50])
    display = LossCurvesDisplay.from_estimators({"mine": net, "again": net})
    assert {*names(display)} == {"mine", "again"}
    assert display.ax_.get_ylabel() == "training loss (nats)"
    with pytest.raises(ValueError, match=r"are 2 with the names \['he_normal \+ logis"):
        LossCurvesDisplay.from_estimators([net, net])
    with pytest.raises(ValueError, match="estimators are 0"):
        LossCurvesDisplay.from_estimators([])
    with pytest.raises(NotFittedError):
        LossCurvesDisplay.from_estimators([DBNClassifier()])


def test_known_contenders_keep_their_colours_beside_any_others():
    few = contender_styles({"dbn + logistic": "dbn", "RBF SVM": "control"})
    others = {f"mine {i}": ("start", "control")[i % 2] for i in range(40)}
    more = contender_styles(others | {"RBF SVM": "control", "dbn + logistic": "dbn"})
    assert few.items() <= more.items()
    distinct = {tuple(style.values()) for style in more.values()}
    assert len(distinct) == len(more) == 42


def test_densities_by_name_look_like_nobody_else():
    names = ["RBMClassifier", "GenerativeDBNClassifier"]
    alone = contender_styles(dict.fromkeys(names, "control"))
    known = ["logistic regression", "RBF SVM", "label spreading", "gradient boosting"]
    controls = [*known, *names, *(f"mine {i}" for i in range(40))]
    beside = contender_styles(dict.fromkeys(controls, "control"))
    assert alone.items() <= beside.items()
    colors = [beside[name]["color"] for name in (*known, *names)]
    assert len({*colors}) == len(colors)
    assert all(look["markerfacecolor"] == "white" for look in alone.values())


def test_the_blue_of_the_dbn_is_no_other_starts():
    styles = contender_styles({"mine": "start", "dbn + relu": "dbn"})
    assert styles["dbn + relu"]["color"] == NET_COLORS[0] != styles["mine"]["color"]


# Machado, Oliveira and Fernandes (2009): what is seen without one kind of cone.
VISION = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("palette", [NET_COLORS, CONTROL_COLORS])
def test_colours_are_told_apart_with_any_vision(palette, vision):
    """In CIE Lab, where 2.3 is just noticed; distances of 15 or more."""

    def lab(color):
        rgb = np.array(to_rgb(color))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        seen = np.clip(np.array(VISION[vision]) @ linear, 0.0, 1.0)
        to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722]]
        xyz = np.array([*to_xyz, [0.0193, 0.1192, 0.9505]]) @ seen
        x, y, z = np.cbrt(xyz / [0.9505, 1.0, 1.089])
        return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])

    for one, other in combinations(palette, 2):
        assert np.linalg.norm(lab(one) - lab(other)) > 15


def test_settings_need_not_have_the_same_contenders():
    one = made(budgets=(100,))
    other = made(budgets=(200,), contenders=CONTENDERS[:3])
    both = Comparison(one.settings, one.records + other.records)
    assert len(rows_of(ComparisonDisplay.from_results(both))) == 1 + 9 + 1 + 3
    lines = LabelBudgetDisplay.from_results(both).ax_.lines
    assert [len(line.get_xdata()) for line in lines] == [2] * 3 + [1] * 6


@pytest.mark.parametrize("name", ["$\\frac{", "a $b$ c", "\ud800", "x" * 10_000])
def test_names_of_data_are_no_formulas(name):
    result = made(n_seeds=2)
    result.settings["dataset"] = name
    for draw in (ComparisonDisplay, DifferencesDisplay, LabelBudgetDisplay):
        figure = draw.from_results(result).figure_
        figure.canvas.draw()
        assert figure.get_tightbbox().x1 < 1.5 * figure.bbox_inches.x1
        plt.close(figure)


def test_long_names_keep_their_ends():
    """Where they differ, and where the labels stand that chose their settings."""
    result = made(n_seeds=2)
    names = [f"settings that come from another study, of {n}" for n in (2019, 2020)]
    for name, record in product(names, [*result.records]):
        if (record["init"], record["activation"]) == CONTENDERS[1][:2]:
            more = {"contender": name, "chosen_on": 5000, "kind": "start"}
            result.records.append(record | more)
    _, *rows = rows_of(DifferencesDisplay.from_results(result))
    assert len({*rows}) == len(rows)


def test_large_differences_have_their_digits_at_the_axis():
    result = made(n_seeds=2)
    result.settings |= {"scoring": "neg_mean_squared_error", "n_classes": 0}
    for record in result.records:
        record["error"] *= 3e6
    display = DifferencesDisplay.from_results(result)
    display.figure_.canvas.draw()
    axis = display.ax_.xaxis
    ticks = {tick.get_text() for tick in axis.get_ticklabels()}
    assert axis.get_offset_text().get_text() == "" and len(ticks) > 2, ticks


DRAW = [
    ComparisonDisplay.from_results,
    DifferencesDisplay.from_results,
    LabelBudgetDisplay.from_results,
    lambda result, ax: DepthDisplay.from_results(
        made(nets=((5,), (5, 5)), budgets=(100,)), ax=ax
    ),
    lambda result, ax: LossCurvesDisplay.from_results(
        result, cell="2 x 50, 100 labels", ax=ax
    ),
]


@pytest.mark.parametrize("draw", DRAW)
def test_pictures_are_drawn_where_asked(draw, monkeypatch):
    _, axes = plt.subplots(1, 2, figsize=(14, 5), layout="constrained")
    display = draw(made(n_seeds=3), ax=axes[1])
    assert display.ax_ is axes[1] and display.figure_ is axes[1].figure
    assert not axes[0].has_data()
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install matplotlib"):
        draw(made(n_seeds=3), ax=None)


def test_other_scores():
    result = made()
    result.settings["scoring"] = "neg_log_loss"
    display = LabelBudgetDisplay.from_results(result)
    assert display.ax_.get_ylabel() == "test log loss"
    mean = result.summary()[0]["contenders"]["dbn + logistic"]["mean"]
    assert_allclose(display.ax_.lines[0].get_ydata()[0], mean)
