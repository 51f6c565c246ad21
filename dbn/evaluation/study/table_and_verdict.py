"""A comparison in words: its table and its verdict, from the figures of a summary."""

from collections import Counter
from typing import Any

from ...storage.packing import printable
from .records import display_name, measure

# What pretraining did in a setting, in the order of the verdict.
_LOWERED = "lowered the test error in"
_RAISED = "raised the test error in"
_UNDECIDED = "made no difference that these seeds can show in"


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
    title, factor, unit = measure(settings)
    names = [display_name(name) for row in summary for name in row["contenders"]]
    width = max(map(len, names))
    lines = []
    for row in summary:
        lines += [
            f"{row['cell']}",
            f"  {'start + activation':{width}}  {'test ' + title:>15}  "
            "median  validation  rate or C      DBN minus it [95 %]  Holm p  seconds",
        ]
        for name, contender in row["contenders"].items():
            its, name = figures(contender, factor), display_name(name)
            lines.append(
                f"  {name:{width}}  {its['error']:>15}  {its['median']:>6}  "
                f"{its['validation']:>10}  {its['value']:>9}  {its['difference']:>24}  "
                f"{its['p_holm']:>6}  {its['seconds']}"
            )
        lines += [*(f"  {words}" for words in comparisons(row, factor, unit)), ""]
    return "\n".join([*lines, legend(summary, title)])


def figures(contender: dict[str, Any], factor: float) -> dict[str, str]:
    """The figures of a contender, as texts in this order; empty if it is not compared.

    Parameters
    ----------
    contender : dict
        Of a summary.
    factor : float
        From `measure`.

    Returns
    -------
    dict of str to str
        error (mean and standard deviation), interval (of the mean), median,
        validation, value (chosen most often), difference (DBN minus it, and its
        interval), p_holm, seconds and multiply_adds (of pretraining and of
        fine-tuning).
    """
    usual = Counter(sorted(contender["values"])).most_common(1)[0][0]
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
        "error": f"{mean:.2f} +- {std:4.2f}",
        "interval": f"[{low:.2f}, {high:.2f}]",
        "median": f"{median:.2f}",
        "validation": f"{held:.2f}",
        "value": f"{usual:g}",
        "difference": _interval(compared, factor) if compared else "",
        "p_holm": f"{compared['p_holm']:.3f}" if compared else "",
        "seconds": " + ".join(f"{value:.2f}" for value in seconds),
        "multiply_adds": " + ".join(
            "?" if n is None else f"{n / 1e9:.3g}" for n in products
        ),
    }


def _interval(
    difference: dict[str, Any], factor: float, unit: str = "", words: str = " "
) -> str:
    mean, low, high = (factor * difference[key] for key in ("mean", "low", "high"))
    return f"{mean:+.2f}{unit}{words}[{low:+.2f}, {high:+.2f}]"


def comparisons(row: dict[str, Any], factor: float, unit: str) -> list[str]:
    """Two sentences about a setting: DBN and best other start, errors and spreads.

    Parameters
    ----------
    row : dict
        Of a summary.
    factor, unit
        From `measure`.

    Returns
    -------
    list of str
    """
    spread = row["spread"]
    difference = _interval(row, factor, unit, ", 95 % interval ")
    other = display_name(row["best_other"])
    return [
        f"DBN minus {other} (best other start on validation rows): "
        f"{difference}, Holm p = {row['p_holm']:.3f}",
        f"Standard deviation over seeds: {factor * spread['std_a']:.2f} (DBN), "
        f"{factor * spread['std_b']:.2f} (that start), "
        f"Holm p = {spread['p_holm']:.3f}",
    ]


def legend(summary: list[dict[str, Any]], title: str) -> str:
    """What the columns of the table are.

    Parameters
    ----------
    summary : list of dict
    title : str
        From `measure`.

    Returns
    -------
    str
    """
    return (
        f"Test {title}: mean and standard deviation over seeds. Rate or C: chosen most "
        f"often. Interval: {summary[0]['method']}. Standard deviations: "
        f"{summary[0]['spread']['method']}. Holm's correction: over all settings; in "
        "the tables over all their lines. Seconds: of pretraining and of fine-tuning, "
        "mean per net, one core."
    )


def verdict(summary: list[dict[str, Any]], settings: dict[str, Any]) -> str:
    """One sentence: where pretraining helped, hurt, or made no difference.

    It also names controls that beat the DBN.

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
    _, factor, unit = measure(settings)
    found: dict[str, list[str]] = {_LOWERED: [], _RAISED: [], _UNDECIDED: []}
    beaten = []
    for row in summary:
        words = _LOWERED if row["mean"] < 0 else _RAISED
        words = words if row["p_holm"] < 0.05 else _UNDECIDED
        found[words].append(f"{row['cell']}: {factor * row['mean']:+.1f}{unit}")
        for name, contender in row["contenders"].items():
            difference = contender["difference"]
            if contender["kind"] == "control" and (
                difference["mean"] > 0 and difference["p_holm"] < 0.05
            ):
                beaten.append(f"{display_name(name)} ({row['cell']})")
    parts = [
        f"{words} {len(cells)} ({'; '.join(cells)})"
        for words, cells in found.items()
        if cells
    ]
    of = f"the {len(summary)} settings" if len(summary) > 1 else "the one setting"
    controls = f"; of the controls, {_join(beaten)} beat the DBN" if beaten else ""
    return (
        f"Verdict on {printable(settings['dataset'])}: of {of}, DBN pretraining "
        f"{_join(parts)}, always against the best other start{controls}."
    )


def _join(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
