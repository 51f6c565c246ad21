"""A comparison as one page: verdict, pictures, tables, protocol (extra `plots`)."""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator
from html import escape
from io import BytesIO
from typing import Any

from ...storage.packing import printable
from ..provenance import note_of_changes
from ..study.comparison import Comparison
from ..study.records import Measure, cell_name
from ..study.table_and_verdict import (
    comparisons,
    definitions,
    ends_of_grids,
    figures,
    measure_of,
    notes,
    row_name,
    value_title,
    verdict,
)
from .curves import DepthDisplay, LabelBudgetDisplay
from .display import Display, require_matplotlib
from .errors_by_setting import ComparisonDisplay, DifferencesDisplay
from .loss_curves import LossCurvesDisplay
from .settings_table import settings_table
from .training_length import TrainingLengthDisplay

# So that a picture as wide as the page has a point for each of it.
_DPI = 140
# Label budgets from which on a line says more than dots.
_BUDGETS_OF_A_LINE = 3
# Nothing is loaded from anywhere and nothing is run, whatever the texts hold.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
  max-width: 78rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
.verdict { font-size: 1.15rem; border-left: 4px solid #0072B2; padding-left: 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.8rem; margin: 0.5rem 0; }
.figures table { width: 100%; }
th, td { padding: 0.25rem 0.45rem; border-bottom: 1px solid #ddd; text-align: right;
  font-variant-numeric: tabular-nums; vertical-align: top; white-space: nowrap; }
thead th { border-bottom: 2px solid #222; white-space: normal;
  overflow-wrap: normal; }
th:first-child { text-align: left; } tbody th { font-weight: normal; }
tr.dbn th, tr.dbn td { font-weight: bold; }
table.settings td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
table.settings th { white-space: normal; min-width: 9rem; }
figure { margin: 1.5rem 0; } img { display: block; width: 100%; min-width: 40rem; }
figcaption, dl { font-size: 0.85rem; color: #555; }
dt { font-weight: bold; } dd { margin: 0 0 0.3rem 0; }
@media (min-width: 50rem) { dl { display: grid; grid-template-columns: max-content auto;
  column-gap: 1rem; } }
"""
# Settings that say where a study ran; all others are its protocol.
_ORIGIN = (
    *("command", "commit", "dirty", "package_sha256", "script_sha256", "versions"),
    *("cores", "blas_threads", "seconds", "resumed", "pretrained"),
)


def html_report(result: Comparison) -> str:
    """A comparison as one page of HTML that needs nothing else.

    It holds the verdict, pictures, all figures of the table, the test error of every
    seed, the protocol, and versions, seeds, threads, commit and command. Texts that
    come from data or files are shown as they are, never as parts of the page.

    Parameters
    ----------
    result : Comparison

    Returns
    -------
    str
        HTML, to be written as UTF-8.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from dbn.evaluation import compare_initializers, html_report
    >>> X, y = load_digits(return_X_y=True)
    >>> result = compare_initializers(
    ...     X / 16, y, hidden_layer_sizes=[(16,)], label_budgets=[50], n_seeds=2,
    ...     learning_rates=[0.01], n_updates=10, pretrain_updates=10)
    >>> page = html_report(result)
    >>> page.startswith("<!DOCTYPE html>"), page.count("<img ")
    (True, 3)
    """
    summary, settings = result.summary(), result.settings
    errors = measure_of(summary, settings)
    note = note_of_changes(settings)
    title = escape(f"Does DBN pretraining help? {printable(settings['dataset'])}")
    body = [
        f"<h1>{title}</h1>",
        f'<p class="verdict">{escape(verdict(summary, settings))}</p>',
        *_overview(result, summary),
        "<h2>How to read the tables</h2>",
        _definitions(summary, settings),
        *(part for row in summary for part in _setting(result, row, errors)),
        *(f"<p>{escape(line)}</p>" for line in notes(summary, settings)),
        *(f"<p>{escape(line)}</p>" for line in ends_of_grids(summary)),
        "<h2>Protocol</h2>",
        settings_table({k: settings[k] for k in settings if k not in _ORIGIN}),
        "<h2>Where it comes from</h2>",
        *([f"<p>{escape(note)}</p>"] if note else []),
        settings_table({k: settings[k] for k in _ORIGIN if k in settings}),
    ]
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )
    return page.encode("utf-8", "replace").decode()  # half characters of a file


def _overview(result: Comparison, summary: list[dict[str, Any]]) -> Iterator[str]:
    """Pictures of all settings, and those of budgets and of depth that can be made."""
    yield _picture(
        DifferencesDisplay.from_results(result),
        "Test error of the DBN minus that of each contender",
        "Every bar is the 95 % interval of a paired difference, every point its mean. "
        "Left of zero the DBN has the lower error; a bar that crosses zero shows no "
        "difference.",
    )
    yield _picture(
        ComparisonDisplay.from_results(result),
        "Test errors of all settings",
        "Every point is a seed, every thick line the mean of a contender; the thin one "
        "is that of the DBN.",
    )
    rows = [(tuple(row["hidden_layer_sizes"]), row["n_labels"]) for row in summary]
    without_labels = result.settings.get("target") == "rows"
    for sizes, n_budgets in Counter(sizes for sizes, _ in rows).items():
        if without_labels:
            yield _picture(
                TrainingLengthDisplay.from_results(
                    result, hidden_layer_sizes=sizes, pretraining_counted=True
                ),
                "Test error against the length of training",
                "An epoch has as many multiply-adds as one of fine-tuning has, and "
                "those of pretraining are counted. Bands are 95 % intervals of each "
                "mean by itself.",
            )
        elif n_budgets >= _BUDGETS_OF_A_LINE:
            yield _picture(
                LabelBudgetDisplay.from_results(result, hidden_layer_sizes=sizes),
                "Test error against the number of labels",
                "Bands are 95 % intervals of each mean by itself. Seeds are paired: "
                "differences are decided by their own intervals, above.",
            )
    for n_labels in dict.fromkeys(budget for _, budget in rows):
        depths = [len(sizes) for sizes, budget in rows if budget == n_labels]
        if len({*depths}) == len(depths) > 1:
            yield _picture(
                DepthDisplay.from_results(result, n_labels=n_labels),
                "Test error against the number of hidden layers",
                "Bands are 95 % intervals of each mean by itself.",
            )


def _definitions(summary: list[dict[str, Any]], settings: dict[str, Any]) -> str:
    """What the columns of all tables are."""
    told = definitions(summary, settings) | {
        "95 % interval of the mean": "by itself, of the same kind as those of "
        "differences",
        "Multiply-adds": "of pretraining and of fine-tuning, mean per net, in "
        "thousands of millions; ? where nobody counts them: of what is no net, or a "
        "contender with an estimator of its own",
    }
    entries = "\n".join(
        f"<dt>{escape(term)}</dt><dd>{escape(meaning)}.</dd>"
        for term, meaning in told.items()
    )
    return f"<dl>\n{entries}\n</dl>"


def _setting(result: Comparison, row: dict[str, Any], errors: Measure) -> list[str]:
    """Heading, table, sentences, curves and seeds of a setting."""
    cell = row["cell"]
    words = [f"<p>{escape(text)}.</p>" for text in comparisons(row, errors)]
    parts = [f"<h2>{escape(cell)}</h2>", _table(row, errors), *words]
    if cell in result.curves():
        parts += [
            _picture(
                LossCurvesDisplay.from_results(result, cell=cell),
                f"Training loss against epochs, {cell}",
                "Lines are medians over seeds, bands the middle half of the seeds, "
                "each net at the learning rate that was chosen for its seed.",
            )
        ]
    summary = "<details><summary>Test error of every seed</summary>"
    return [*parts, summary, _seeds(result, row, errors), "</details>"]


def _table(row: dict[str, Any], errors: Measure) -> str:
    """The figures of all contenders of a setting."""
    title, unit = errors.title, errors.unit
    head = [
        "start + activation",
        f"test {title}",
        "95 % interval of the mean",
        "median",
        f"validation {title}",
        value_title([row]),
        f"DBN minus it{unit and f' ({unit.strip()})'} [95 %]",
        "p",
        f"could show{unit and f' ({unit.strip()})'}",
        "seconds",
        "multiply-adds (10^9)",
    ]
    lines = []
    for name, contender in row["contenders"].items():
        texts = figures(contender, errors)
        texts["error"] = texts["error"].replace("+-", "\u00b1")
        lines.append((contender["kind"], [row_name(name, row), *texts.values()]))
    return _grid(head, lines)


def _seeds(result: Comparison, row: dict[str, Any], measure: Measure) -> str:
    """The test error of every contender and seed of a setting."""
    factor, n, cell = measure.factor, measure.decimals, row["cell"]
    tests = [r for r in result.records if r["stage"] == "test"]
    seeds = sorted({r["seed"] for r in tests if cell_name(r) == cell})
    lines = [
        ("", [row_name(name, row), *(f"{factor * error:.{n}f}" for error in errors)])
        for name, errors in result.errors()[cell].items()
    ]
    return _grid([f"test {measure.title}", *(f"seed {seed}" for seed in seeds)], lines)


def _grid(head: list[str], lines: Iterable[tuple[str, list[str]]]) -> str:
    """A table of texts; lines are a class and their texts, the first one a name."""
    names = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    rows = []
    for kind, (name, *texts) in lines:
        cells = "".join(f"<td>{escape(text)}</td>" for text in texts)
        cells = f'<th scope="row">{escape(name)}</th>{cells}'
        rows.append(f'<tr class="{escape(kind)}">{cells}</tr>')
    body = "\n".join(rows)
    return (
        f'<div class="wide figures"><table><thead><tr>{names}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _picture(display: Display, title: str, caption: str) -> str:
    """A figure in the page; the display's own is closed."""
    buffer = BytesIO()
    display.figure_.savefig(buffer, format="png", dpi=_DPI)
    require_matplotlib().close(display.figure_)
    data = b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<figure><div class="wide"><img alt="{escape(title)}" '
        f'src="data:image/png;base64,{data}"></div>\n'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
