"""Pictures of comparisons: what stands on the axes is what the records hold."""

import sys
import warnings
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose

from dbn.evaluation import (
    Comparison,
    ComparisonDisplay,
    DepthDisplay,
    LabelBudgetDisplay,
    LossCurvesDisplay,
)
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
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def legend_hides_nothing(display):
    """It stands at the right of the Axes, and the names of ticks are apart."""
    display.figure_.canvas.draw()
    box = display.ax_.get_legend().get_window_extent()
    assert box.x0 >= display.ax_.get_window_extent().x1
    ticks = [t for t in display.ax_.get_xticklabels() if t.get_text()]
    extents = [t.get_window_extent() for t in ticks]
    assert all(a.x1 < b.x0 for a, b in pairwise(extents))
    title = display.ax_._left_title.get_window_extent()
    assert title.x1 <= display.figure_.bbox.x1


def test_comparison_shows_every_seed():
    result = made(n_seeds=4)
    display = ComparisonDisplay.from_results(result)
    points = [line for line in display.ax_.lines if line.get_linestyle() == "None"]
    assert len(points) == 2 * 9  # settings, contenders
    errors = result.errors()["2 x 50, 100 labels"]["dbn + logistic"]
    assert_allclose(points[0].get_ydata(), 100 * errors)
    assert len(names(display)) == 9 and "He + ReLU + dropout" in names(display)
    looks = {(p.get_color(), p.get_marker(), p.get_markerfacecolor()) for p in points}
    assert len(looks) == 9
    assert display.ax_.get_ylim()[0] == 0.0
    assert display.ax_.get_ylabel() == "test error (%)"
    legend_hides_nothing(display)


def test_budgets_have_means_and_intervals():
    result = made(budgets=(3000, 100, 600), n_seeds=5)
    display = LabelBudgetDisplay.from_results(result)
    lines, bands = display.ax_.lines, display.ax_.collections
    assert len(lines) == len(bands) == 9
    assert names(display)[0] == "DBN"
    rows = sorted(result.summary(), key=lambda row: row["n_labels"])
    for line, band, name in zip(lines, bands, names(display), strict=True):
        shown = {display_name(its): its for its in rows[0]["contenders"]}
        its = [row["contenders"][shown[name]] for row in rows]
        assert line.get_xdata().tolist() == [100, 600, 3000]
        assert_allclose(line.get_ydata(), [100 * c["mean"] for c in its])
        corners = {tuple(corner) for corner in band.get_paths()[0].vertices.round(6)}
        for n, c in zip([100, 600, 3000], its, strict=True):
            assert {(n, round(100 * c[end], 6)) for end in ("low", "high")} <= corners
    assert display.ax_.get_xscale() == "log"
    ticks = [t.get_text() for t in display.ax_.get_xticklabels()]
    assert ticks == ["100", "600", "3k"]
    legend_hides_nothing(display)


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


def test_depth_is_in_boxes_over_seeds():
    result = made(nets=((50,), (50, 50, 50), (50, 50)), budgets=(100,))
    display = DepthDisplay.from_results(result)
    ticks = [t.get_text() for t in display.ax_.get_xticklabels()]
    assert ticks == ["1 x 50", "2 x 50", "3 x 50"]
    medians = [line for line in display.ax_.lines if line.get_linewidth() == 2.0]
    assert len(medians) == 3 * 9
    first = [medians[i].get_ydata()[0] for i in range(3)]
    expected = [
        100 * np.median(result.errors()[f"{depth} x 50, 100 labels"]["dbn + logistic"])
        for depth in (1, 2, 3)
    ]
    assert_allclose(first, expected)
    assert len(names(display)) == 9
    legend_hides_nothing(display)


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
    assert names(display) == [*map(display_name, curves)] and len(curves) == 7
    for line, (epochs, losses) in zip(display.ax_.lines, curves.values(), strict=True):
        assert line.get_xdata().tolist() == epochs.tolist()
        assert_allclose(line.get_ydata(), np.median(losses, axis=0))
    low, high = np.quantile(losses, [0.25, 0.75], axis=0)
    corners = display.ax_.collections[-1].get_paths()[0].vertices
    assert_allclose([corners[:, 1].min(), corners[:, 1].max()], [low[-1], high[0]])
    assert display.ax_.get_yscale() == "log"
    legend_hides_nothing(display)


def test_losses_of_a_setting_among_several():
    result = made()
    name = "2 x 50, 1000 labels"
    display = LossCurvesDisplay.from_results(result, cell=name)
    expected = result.curves()[name]["dbn + logistic"][1]
    assert_allclose(display.ax_.lines[0].get_ydata(), np.median(expected, axis=0))
    with pytest.raises(ValueError, match="cell is None; the comparison has"):
        LossCurvesDisplay.from_results(result)


def test_a_contender_looks_the_same_in_all_pictures():
    """Also where one before it has no curve."""
    result = made(contenders=(*CONTENDERS[-2:], *CONTENDERS[:4]), budgets=(100, 900))
    budgets = LabelBudgetDisplay.from_results(result)
    curves = LossCurvesDisplay.from_results(result, cell="2 x 50, 900 labels")
    looks = [
        {
            name: (line.get_color(), line.get_marker())
            for name, line in zip(names(display), display.ax_.lines, strict=True)
        }
        for display in (budgets, curves)
    ]
    assert len(looks[1]) == 4 and looks[1].items() <= looks[0].items()


def test_settings_need_not_have_the_same_contenders():
    one = made(budgets=(100,))
    other = made(budgets=(200,), contenders=CONTENDERS[:3])
    both = Comparison(one.settings, one.records + other.records)
    display = ComparisonDisplay.from_results(both)
    assert len(names(display)) == 9
    lines = LabelBudgetDisplay.from_results(both).ax_.lines
    assert [len(line.get_xdata()) for line in lines] == [2] * 3 + [1] * 6


@pytest.mark.parametrize("name", ["$\\frac{", "a $b$ c", "\ud800", "x" * 10_000])
def test_names_of_data_are_no_formulas(name):
    result = made(n_seeds=2)
    result.settings["dataset"] = name
    for draw in (ComparisonDisplay, LabelBudgetDisplay):
        figure = draw.from_results(result).figure_
        figure.canvas.draw()
        assert figure.get_tightbbox().x1 < 1.5 * figure.bbox_inches.x1
        plt.close(figure)


DRAW = [
    ComparisonDisplay.from_results,
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
    assert display.ax_.get_ylabel() == "test log_loss"
    mean = result.summary()[0]["contenders"]["dbn + logistic"]["mean"]
    assert_allclose(display.ax_.lines[0].get_ydata()[0], mean)
