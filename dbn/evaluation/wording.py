"""A comparison in words: its table and its verdict, from the figures of a summary."""

from collections import Counter

from .contenders import measure


def table(summary, settings):
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
    width = max(len(name) for row in summary for name in row["contenders"])
    lines = []
    for row in summary:
        lines += [
            f"{row['cell']}",
            f"  {'start + activation':{width}}  {'test ' + title:>15}  "
            "median  validation  rate or C      DBN minus it [95 %]  Holm p  seconds",
        ]
        lines += [
            f"  {name:{width}}  {_line(contender, factor)}"
            for name, contender in row["contenders"].items()
        ]
        spread = row["spread"]
        lines += [
            f"  DBN minus {row['best_other']} (best other start on validation rows): "
            f"{factor * row['mean']:+.2f}{unit}, 95 % interval "
            f"[{factor * row['low']:+.2f}, {factor * row['high']:+.2f}], "
            f"Holm p = {row['p_holm']:.3f}",
            f"  Standard deviation over seeds: {factor * spread['std_a']:.2f} (DBN), "
            f"{factor * spread['std_b']:.2f} (that start), "
            f"Holm p = {spread['p_holm']:.3f}",
            "",
        ]
    lines.append(
        f"Test {title}: mean and standard deviation over seeds. Rate or C: chosen most "
        f"often. Interval: {summary[0]['method']}. Standard deviations: "
        f"{summary[0]['spread']['method']}. Holm's correction: over all settings; in "
        "the tables over all their lines. Seconds: of pretraining and of fine-tuning, "
        "mean per net, one core."
    )
    return "\n".join(lines)


def _line(contender, factor):
    """A contender's figures."""
    usual = Counter(sorted(contender["values"])).most_common(1)[0][0]
    figures = (
        f"{factor * contender['mean']:7.2f} +- {factor * contender['std']:4.2f}  "
        f"{factor * contender['median']:6.2f}  "
        f"{factor * contender['validation_error']:10.2f}  {usual:9g}  "
    )
    compared = " " * 32
    if difference := contender["difference"]:
        mean, low, high = (factor * difference[k] for k in ("mean", "low", "high"))
        interval = f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"
        compared = f"{interval:>24}  {difference['p_holm']:6.3f}"
    pretraining, finetuning = (
        contender[f"{phase}_seconds"] for phase in ("pretrain", "finetune")
    )
    return f"{figures}{compared}  {pretraining:.2f} + {finetuning:.2f}"


def verdict(summary, settings):
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
    found = {"better": [], "worse": [], "undecided": []}
    beaten = []
    for row in summary:
        decided = row["p_holm"] < 0.05
        key = ("better" if row["mean"] < 0 else "worse") if decided else "undecided"
        found[key].append(f"{row['cell']}: {factor * row['mean']:+.1f}{unit}")
        for name, contender in row["contenders"].items():
            difference = contender["difference"]
            if contender["kind"] == "control" and (
                difference["mean"] > 0 and difference["p_holm"] < 0.05
            ):
                beaten.append(f"{name} ({row['cell']})")
    parts = [
        f"{words} {len(found[key])} ({'; '.join(found[key])})"
        for key, words in (
            ("better", "lowered the test error in"),
            ("worse", "raised the test error in"),
            ("undecided", "made no difference that these seeds can show in"),
        )
        if found[key]
    ]
    of = f"the {len(summary)} settings" if len(summary) > 1 else "the one setting"
    controls = f"; of the controls, {_join(beaten)} beat the DBN" if beaten else ""
    return (
        f"Verdict on {settings['dataset']}: of {of}, DBN pretraining {_join(parts)}, "
        f"always against the best other start{controls}."
    )


def _join(parts):
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
