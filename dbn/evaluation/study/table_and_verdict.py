"""A comparison in words: its table and its verdict, from the figures of a summary."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ...storage.packing import printable
from ..statistics import ROWS
from .records import CANDIDATE, NOTHING, Measure, display_name, measure
from .row_losses import has_row_losses
from .summary import LEVEL

# What pretraining did in a setting, in the order of the verdict.
_LOWERED = "lowered the test error"
_RAISED = "raised the test error"
_IN_PART = "is shown to differ from single starts only"
_UNDECIDED = "made no difference that these seeds can show"
_MAX_DECIMALS = 9
# What is in the column of what was chosen.
_CHOSEN = {
    "rate or C": "chosen most often",
    "candidate": "its number in the protocol, from 0, chosen most often; of others "
    "their value",
}
# What makes another question of a comparison.
_UNUSUAL = {
    ("tune", "literature"): "values were chosen on up to 10,000 other labelled rows, "
    "which the label budgets do not count (tune='literature')",
    ("equal", "multiply_adds"): "nets without pretraining have had its cost back as "
    "more epochs (equal='multiply_adds')",
    ("pretraining_rows", "labelled"): "DBNs and principal components are made from the "
    "labelled rows only (pretraining_rows='labelled')",
}


def table(summary: list[dict[str, Any]], settings: dict[str, Any]) -> str:
    """A table of errors and differences for each setting, as text.

    Parameters
    ----------
    summary : list of dict
        `Comparison.summary()`.
    settings : dict
        Of the comparison.

    Returns
    -------
    str
    """
    errors, value = measure_of(summary, settings), value_title(summary)
    titles = {"error": f"test {errors.title}", "median": "median"}
    titles |= {"validation": "validation", "value": value}
    titles |= {"difference": "DBN minus it [95 %]", "p_value": "p"}
    titles |= {"detectable": "could show", "seconds": "seconds"}
    rows = {}
    for row in summary:
        for name, contender in row["contenders"].items():
            texts = figures(contender, errors)
            cells = [row_name(name, row), *(texts[key] for key in titles)]
            rows[row["cell"], name] = cells
    head = ["start + activation", *titles.values()]
    widths = [max(map(len, cells)) for cells in zip(head, *rows.values(), strict=True)]
    lines = []
    for row in summary:
        body = [rows[row["cell"], name] for name in row["contenders"]]
        lines += [row["cell"], *(_line(cells, widths) for cells in (head, *body))]
        lines += [*(f"  {words}" for words in comparisons(row, errors)), ""]
    told = [*notes(summary, settings), *ends_of_grids(summary)]
    return "\n".join([*lines, *told, legend(summary, settings)])


def _line(cells: Sequence[str], widths: list[int]) -> str:
    """A line of the table: texts at its ends, and numbers between them."""
    numbers = map(str.rjust, cells[1:-1], widths[1:-1])
    return "  ".join(["", cells[0].ljust(widths[0]), *numbers, cells[-1]])


def value_title(summary: list[dict[str, Any]]) -> str:
    """What was chosen for a contender, as the title of a column.

    Parameters
    ----------
    summary : list of dict

    Examples
    --------
    >>> value_title([{"contenders": {"DBN": {"parameter": "candidate"}}}])
    'candidate'
    """
    its = (contender for row in summary for contender in row["contenders"].values())
    searched = any(contender["parameter"] == CANDIDATE for contender in its)
    return "candidate" if searched else "rate or C"


def measure_of(summary: list[dict[str, Any]], settings: dict[str, Any]) -> Measure:
    """What the errors of a comparison are, and how all its tables show them.

    Parameters
    ----------
    summary, settings
        As in `table`.
    """
    its = (contender for row in summary for contender in row["contenders"].values())
    return measure(settings, [contender["mean"] for contender in its])


def row_name(name: str, row: dict[str, Any]) -> str:
    """A contender in its row, with the labels that chose its settings if too many.

    Parameters
    ----------
    name : str
        From `contender_name`.
    row : dict
        Of a summary.

    Examples
    --------
    >>> row_name("mine", {"n_labels": 100, "contenders": {"mine": {"chosen_on": 5000}}})
    'mine (chosen with 5000 labels)'
    """
    return called(name, row["contenders"][name]["chosen_on"], row["n_labels"])


def called(name: str, chosen_on: int | None, n_labels: int | None) -> str:
    """A contender with the labels that chose its settings, if these are too many.

    Parameters
    ----------
    name : str
        From `contender_name`.
    chosen_on, n_labels : int or None
        Of a record.

    Examples
    --------
    >>> called("he_normal + relu", 5000, 100), called("he_normal + relu", None, 100)
    ('He + ReLU (chosen with 5000 labels)', 'He + ReLU')
    """
    more = n_labels is not None and (chosen_on or 0) > n_labels
    return display_name(name) + (f" (chosen with {chosen_on} labels)" if more else "")


def figures(contender: dict[str, Any], errors: Measure) -> dict[str, str]:
    """The figures of a contender, as texts in this order; empty if it is not compared.

    Parameters
    ----------
    contender : dict
        Of a summary.
    errors : Measure

    Returns
    -------
    dict of str to str
        error (mean and standard deviation), interval (of the mean), median,
        validation, value (chosen most often, with a star if any seed chose an end of
        the grid), difference (DBN minus it, and its interval), p_value, detectable,
        seconds and multiply_adds (of pretraining and of fine-tuning).
    """
    usual = f"{Counter(sorted(contender['values'])).most_common(1)[0][0]:g}"
    if contender["parameter"] == NOTHING:
        usual = "-"
    factor, n = errors.factor, errors.decimals
    mean, std, median, held, low, high = (
        factor * contender[key]
        for key in ("mean", "std", "median", "validation_error", "low", "high")
    )
    compared = contender["difference"]
    seconds, products = (
        [contender[f"{phase}_{cost}"] for phase in ("pretrain", "finetune")]
        for cost in ("seconds", "multiply_adds")
    )
    return {
        "error": f"{mean:.{n}f} +- {std:.{n}f}",
        "interval": f"[{low:.{n}f}, {high:.{n}f}]",
        "median": f"{median:.{n}f}",
        "validation": f"{held:.{n}f}",
        "value": f"{usual}{'*' if contender['at_end'] else ''}",
        "difference": interval(compared, errors) if compared else "",
        "p_value": _p(compared["p_value"]) if compared else "",
        "detectable": f"{factor * compared['detectable']:.{n}f}" if compared else "",
        "seconds": " + ".join(f"{value:.2f}" for value in seconds),
        "multiply_adds": " + ".join(
            "?" if n is None else f"{n / 1e9:.3g}" for n in products
        ),
    }


def interval(difference: dict[str, Any], errors: Measure) -> str:
    """A difference and the ends of its interval; one that is shown is not 0.

    Parameters
    ----------
    difference : dict
        Of a summary.
    errors : Measure

    Returns
    -------
    str
    """
    ends = [errors.factor * difference[key] for key in ("mean", "low", "high")]
    n = errors.decimals
    if difference["p_value"] < LEVEL:
        n = _decimals(ends[:1], n)
    mean, low, high = (f"{end:+.{n}f}" for end in ends)
    return f"{mean} [{low}, {high}]"


def _decimals(values: list[float], least: int) -> int:
    """How many are needed so that none of these values is shown as 0."""
    n = least
    while n < _MAX_DECIMALS and not all(float(f"{value:.{n}f}") for value in values):
        n += 1
    return n


def _p(value: float) -> str:
    """A p-value, with digits that tell on which side of the level it is."""
    n = 3
    while n < _MAX_DECIMALS and float(f"{value:.{n}f}") == LEVEL != value:
        n += 1
    return f"{value:.{n}f}"


def comparisons(row: dict[str, Any], errors: Measure) -> list[str]:
    """Sentences about a setting: the DBN and all other starts, and fits that failed.

    Parameters
    ----------
    row : dict
        Of a summary.
    errors : Measure

    Returns
    -------
    list of str
    """
    differences, n = _starts(row), errors.decimals
    low, high = (errors.factor * f(differences) for f in (min, max))
    if len(differences) > 1:
        about = f"DBN minus the other starts: {low:+.{n}f} to {high:+.{n}f}"
        of = "; for all of them together"
    else:
        about, of = f"DBN minus the other start: {low:+.{n}f}", ";"
    sentences = [
        f"{about}{errors.unit}{of} Holm p = {_p(row['p_holm'])}" + _given(row, "; ")
    ]
    for failure, words in (
        ("diverged", "Fits that diverged"),
        ("unconverged", "Fits that did not converge"),
    ):
        counts = {name: its[failure] for name, its in row["contenders"].items()}
        if told := _counted(counts):
            sentences.append(f"{words}, those of the tuning included: {_join(told)}")
    return sentences


def _counted(counts: dict[str, int]) -> list[str]:
    """Contenders and how often something happened to them, where it did."""
    return [f"{display_name(name)} {n}" for name, n in counts.items() if n]


def _starts(row: dict[str, Any]) -> list[float]:
    """Mean differences of the DBN from the other starts of a setting."""
    contenders = row["contenders"].values()
    return [its["difference"]["mean"] for its in contenders if its["kind"] == "start"]


def _given(row: dict[str, Any], before: str) -> str:
    """What a setting speaks of, where all its seeds have the same training rows."""
    return f"{before}for this training set" if row["same_training_rows"] else ""


def legend(summary: list[dict[str, Any]], settings: dict[str, Any]) -> str:
    """What the columns of the table are, as a text.

    Parameters
    ----------
    summary : list of dict
        `Comparison.summary()`.
    settings : dict
        Of the comparison.

    Returns
    -------
    str
    """
    told = definitions(summary, settings)
    return " ".join(f"{term}: {meaning}." for term, meaning in told.items())


def definitions(
    summary: list[dict[str, Any]], settings: dict[str, Any]
) -> dict[str, str]:
    """What the columns of the table are, each in words.

    Parameters
    ----------
    summary, settings
        As in `legend`.

    Returns
    -------
    dict of str to str
    """
    differences = [
        its["difference"] for row in summary for its in row["contenders"].values()
    ]
    methods = {its["method"] for its in differences if its}
    value = value_title(summary)
    judged = " or ".join(sorted(methods))
    if methods != {ROWS}:
        judged += "; test rows are not counted"
    if methods != {ROWS} and has_row_losses(settings["scoring"]):
        judged += " (the old rule: this record has no losses of rows)"
    return {
        f"Test {measure_of(summary, settings).title}": "mean and standard deviation "
        "over seeds",
        value[0].upper() + value[1:]: _CHOSEN[value],
        "Interval and p": "of each difference by itself, Student's t, judged by "
        + judged,
        "Could show": "the true difference that these seeds show in 80 % of cases",
        "Shown": f"from one start where its own p is below {LEVEL}; from all other "
        f"starts, and from a control, where Holm's p is",
        "Holm's p": "of all other starts together, over the settings; of a control, "
        "over all controls and settings",
        "Seconds": "of pretraining and of fine-tuning, mean per net, one core",
    }


def notes(summary: list[dict[str, Any]], settings: dict[str, Any]) -> list[str]:
    """Lines about a protocol that is not the usual one, and about controls.

    Parameters
    ----------
    summary : list of dict
        `Comparison.summary()`.
    settings : dict
        Of the comparison.

    Returns
    -------
    list of str
    """
    told = [words for (key, its), words in _UNUSUAL.items() if settings.get(key) == its]
    lines = [f"Protocol: {'; '.join(told)}."] if told else []
    controls = [
        f"{display_name(name)}{_where(row, summary)} {_p(its['difference']['p_holm'])}"
        for row in summary
        for name, its in row["contenders"].items()
        if its["kind"] == "control"
        and its["difference"]["p_value"] < LEVEL <= its["difference"]["p_holm"]
    ]
    if controls:
        of = f"Controls with a p below {LEVEL} of which Holm's, here, is not"
        lines.append(f"{of}: {_join(controls)}.")
    return lines


def _where(row: dict[str, Any], summary: list[dict[str, Any]]) -> str:
    """Which of several settings it is, behind a name."""
    return f" ({row['cell']})" if len(summary) > 1 else ""


def ends_of_grids(summary: list[dict[str, Any]]) -> list[str]:
    """A line of warning about values at an end of their grid, if there are any.

    Parameters
    ----------
    summary : list of dict

    Returns
    -------
    list of str
    """
    found, choices = Counter[str](), Counter[str]()
    for row in summary:
        choices.update({n: len(its["values"]) for n, its in row["contenders"].items()})
        found.update({name: its["at_end"] for name, its in row["contenders"].items()})
    n_choices = max(choices.values(), default=0)
    told = [  # some take no part in all settings
        text if choices[name] == n_choices else f"{text} of {choices[name]}"
        for name, n in found.items()
        for text in _counted({name: n})
    ]
    if not told:
        return []
    return [
        f"Warning: * was chosen at an end of its grid, in {n_choices} choices of each: "
        f"{_join(told)}. A wider grid may change the errors."
    ]


def verdict(summary: list[dict[str, Any]], settings: dict[str, Any]) -> str:
    """One sentence: where pretraining helped, hurt, or is not shown to do either.

    It also names controls that beat the DBN. A difference from one start is shown where
    its own p-value is below `LEVEL`; from all of them together, or from a control,
    where Holm's is: over the settings, or over all controls and settings.

    Parameters
    ----------
    summary : list of dict
        `Comparison.summary()`.
    settings : dict
        Of the comparison.

    Returns
    -------
    str
    """
    errors = measure_of(summary, settings)
    kinds = (_LOWERED, _RAISED, _IN_PART, _UNDECIDED)
    found: dict[str, list[str]] = {words: [] for words in kinds}
    one, beaten = len(summary) == 1, []
    for row in summary:
        words, by = _told(row, errors)
        found[words].append(by if one else f"{_place(row)}: {by}")
        for name, contender in row["contenders"].items():
            difference = contender["difference"]
            if contender["kind"] == "control" and (
                difference["mean"] > 0 and difference["p_holm"] < LEVEL
            ):
                beaten.append(f"{display_name(name)}{_where(row, summary)}")
    told = {words: cells for words, cells in found.items() if cells}
    if one:
        of = f", {_place(summary[0])}: "
        parts = [f"{words}: {cells[0]}" for words, cells in told.items()]
    else:
        of = f": of the {len(summary)} settings, "
        parts = [
            f"{words} in {len(cells)} ({'; '.join(cells)})"
            for words, cells in told.items()
        ]
    controls = f"; of the controls, {_join(beaten)} beat the DBN" if beaten else ""
    return (
        f"Verdict on {printable(settings['dataset'])}{of}DBN pretraining "
        f"{_join(parts)}{controls}."
    )


def _place(row: dict[str, Any]) -> str:
    """Which setting it is, as the verdict says it."""
    return f"{row['cell']}{_given(row, ', ')}"


def _told(row: dict[str, Any], errors: Measure) -> tuple[str, str]:
    """What pretraining did in a setting, and by how much or against which starts."""
    ends, unit = [errors.factor * f(_starts(row)) for f in (min, max)], errors.unit
    n = _decimals(ends, errors.decimals)
    low, high = (f"{end:+.{n}f}" for end in ends)
    by = f"{low}{unit}" if low == high else f"{low} to {high}{unit}"
    if row["p_holm"] < LEVEL:
        words = _LOWERED if max(_starts(row)) < 0.0 else _RAISED
        return words, f"{by} against every other start"
    parts = [
        f"{words} {_join([*map(display_name, row[key])])}"
        for key, words in (
            ("below", "below"),
            ("above", "above"),
            ("not_shown", "not shown against"),
        )
        if row[key]
    ]
    words = _IN_PART if row["below"] or row["above"] else _UNDECIDED
    return words, ", ".join(parts)


def _join(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
