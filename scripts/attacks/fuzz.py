"""Load many broken and malicious files of every format; count what came of them.

Each case damages a good file (cut off, bits flipped, other dtypes and shapes, absurd
sizes, bombs, paths as names, pickles, JSON that is none, forged headers with matching
checksums), or makes one that is large in a single dimension (layers, machines, names,
lists, seeds, curves, rows, columns, sequences, members, keys of one hash), and loads
it: model files, checkpoints (by going on from them), the data files of `load_dataset`,
and the JSON of a comparison. It is refused with a ValueError (a ModelFileError for our
own formats), or it loads; in 20 seconds, and in memory bounded by 20 MB and ten times
the file or three times the result (data files: by what their readers grant). Memory is
that of Python and NumPy, which is told apart from what earlier cases have left; C
libraries' own is not seen. Anything else is an escape: it is reported at once, and
the exit status is 1. A case is repeated by its number and the seed.

With --coverage-guided, atheris (pip install atheris) makes the choices, and prefers
those that reach new code of this package.
"""

import argparse
import importlib
import json
import pkgutil
import random
import signal
import sys
import tempfile
import time
import traceback
import tracemalloc
from collections import Counter
from inspect import isfunction
from pathlib import Path

from hostile import FORMATS

import dbn
from dbn.evaluation import provenance

SECONDS_PER_CASE = 20  # of the processor: other processes may have it meanwhile


class Hang(BaseException):
    """A case takes too long."""


def one_case(formats, folder, integer):
    """Format, kind of damage and outcome of a case."""
    format = formats[integer(0, len(formats) - 1)]
    kinds = list(format.allowed)
    kind = kinds[integer(0, len(kinds) - 1)]
    place = folder / format.name.replace(" ", "-")
    place.mkdir(exist_ok=True)
    signal.setitimer(signal.ITIMER_PROF, SECONDS_PER_CASE)
    try:
        found = format.check(kind, place, integer)
    except (Exception, Hang):
        return format.name, kind.__name__, f"ESCAPED\n{traceback.format_exc()}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return format.name, kind.__name__, found


def fuzz(formats, cases, seed, folder):
    """Counts of (format, kind of damage, outcome), and the traces of what escaped."""
    counts, escapes = Counter(), []
    for case in cases:
        rng = random.Random(f"{seed} {case}")
        format, kind, found = one_case(formats, folder, rng.randint)
        if found.startswith("ESCAPED"):
            escapes.append(f"case {case}, {format}, {kind}: {found}")
            print(escapes[-1], file=sys.stderr, flush=True)  # a run takes an hour
            found = "ESCAPED"
        counts[format, kind, found] += 1
    return counts, escapes


def fuzz_guided(formats, n_cases, seed, folder):
    """The same with choices by atheris, which ends the process."""
    try:
        import atheris
    except ImportError:
        sys.exit("fuzz: --coverage-guided needs atheris: pip install atheris")
    for info in pkgutil.walk_packages(dbn.__path__, "dbn."):
        for value in vars(importlib.import_module(info.name)).values():
            if isfunction(value) and value.__module__ == info.name:
                atheris.instrument_func(value)

    def run(data):
        choices = atheris.FuzzedDataProvider(data)
        *case, found = one_case(formats, folder, choices.ConsumeIntInRange)
        if found.startswith("ESCAPED"):
            raise AssertionError(f"{case}: {found}")

    options = [f"-runs={n_cases}", f"-seed={seed}", "-max_len=256", "-len_control=0"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/"], run)
    atheris.Fuzz()


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--cases", type=int, default=30_000)
    add("--seed", type=int, default=0)
    add("--case", type=int, help="run only the case of this number")
    names = [format.name for format in FORMATS]
    add("--formats", nargs="+", default=names, choices=names, metavar="NAME")
    add("--coverage-guided", action="store_true")
    add("--output", type=Path, help="where to write a JSON record")
    args = parser.parse_args()
    args.formats = [format for format in FORMATS if format.name in args.formats]
    if args.coverage_guided and args.output:
        parser.error("atheris ends the process: no record is written")
    return args


def main():
    args = parse_args()
    start = time.perf_counter()
    tracemalloc.start()

    def hang(*_):
        raise Hang

    signal.signal(signal.SIGPROF, hang)
    with tempfile.TemporaryDirectory() as folder:
        if args.coverage_guided:
            fuzz_guided(args.formats, args.cases, args.seed, Path(folder))
        cases = range(args.cases) if args.case is None else [args.case]
        counts, escapes = fuzz(args.formats, cases, args.seed, Path(folder))
    seconds = time.perf_counter() - start
    for (name, kind, found), n in sorted(counts.items()):
        print(f"{name:<22} {kind:<20} {found:<8} {n}")
    print(f"{len(cases)} cases in {seconds:.0f} s, {len(escapes)} escapes")
    if args.output:
        tree, totals = {}, Counter()
        for (name, kind, found), n in counts.items():
            tree.setdefault(name, {})[f"{kind}: {found}"] = n
            totals[name] += n
        record = {
            "settings": provenance(),
            "seed": args.seed,
            "cases": sum(totals.values()),
            "cases_per_format": totals,
            "counts": tree,
            "escapes": len(escapes),
            "seconds": round(seconds, 1),
        }
        text = json.dumps(record, indent=1, sort_keys=True) + "\n"
        args.output.write_text(text)
    return 1 if escapes else 0


if __name__ == "__main__":
    sys.exit(main())
