"""Load many broken and malicious files of every format; count what came of them.

Each case damages a good file (cut off, bits flipped, other dtypes and shapes, absurd
sizes, bombs, paths as names, pickles, JSON that is none, forged headers with matching
checksums), or makes one that is large in a single dimension (layers, machines, names,
lists, seeds, curves, rows, columns, sequences, members, keys of one hash), and loads
it: model files, checkpoints (by going on from them), the data files of `load_dataset`,
and the JSON of a comparison. It is refused with a ValueError (a ModelFileError for our
own formats), or it loads; in 20 seconds, and in memory bounded by 20 MB and ten times
the file or three times the result (data files: by what their readers grant). Memory is
that of Python and NumPy, from where loading begins; C libraries' own is not seen.
Anything else is an escape: it is reported at once, and the exit status is 1. A case is
repeated by its number and the seed.

With --coverage-guided, atheris (pip install atheris) makes the choices, and prefers
those that reach new code of this package.
"""

import importlib
import pkgutil
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from inspect import isfunction
from pathlib import Path

from hostile import FORMATS
from hostile.common import pick

import dbn
from dbn.evaluation import provenance

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import parse, path, prepare_file, write_json

SECONDS_PER_CASE = 20  # of the processor: other processes may have it meanwhile


class Hang(BaseException):
    """A case takes too long."""


def one_case(formats, folder, integer):
    """Format, kind of damage and outcome of a case; the trace of what escaped."""
    format = pick(integer, formats)
    kind = pick(integer, [*format.allowed])
    place = folder / format.name.replace(" ", "-")
    place.mkdir(exist_ok=True)
    trace = None
    signal.setitimer(signal.ITIMER_PROF, SECONDS_PER_CASE)
    try:
        found = format.check(kind, place, integer)
    except (Exception, Hang):
        found, trace = "ESCAPED", traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return (format.name, kind.__name__, found), trace


def fuzz(formats, cases, seed, folder):
    """How often each (format, kind of damage, outcome) was seen."""
    counts = Counter()
    for case in cases:
        integer = random.Random(f"{seed} {case}").randint
        found, trace = one_case(formats, folder, integer)
        counts[found] += 1
        if trace:  # at once: a run takes an hour
            print(f"case {case}, {found}\n{trace}", file=sys.stderr, flush=True)
    return counts


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
        found, trace = one_case(formats, folder, choices.ConsumeIntInRange)
        if trace:
            raise AssertionError(f"{found}\n{trace}")

    options = [f"-runs={n_cases}", f"-seed={seed}", "-max_len=256", "-len_control=0"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/"], run)
    atheris.Fuzz()


NAMES = [format.name for format in FORMATS]
OPTIONS = {
    "--cases": {"type": int, "default": 30_000},
    "--seed": {"type": int, "default": 0},
    "--case": {"type": int, "help": "run only the case of this number"},
    "--formats": {"nargs": "+", "default": NAMES, "choices": NAMES, "metavar": "NAME"},
    "--coverage-guided": {"action": "store_true"},
    "--output": {"type": path, "help": "where to write a JSON record"},
}


def hang(*_):
    raise Hang


def main():
    args = parse(__doc__, OPTIONS)
    if args.coverage_guided and args.output:
        sys.exit("fuzz: atheris ends the process: no record is written")
    prepare_file(args.output)
    formats = [format for format in FORMATS if format.name in args.formats]
    start = time.perf_counter()
    signal.signal(signal.SIGPROF, hang)
    cases = range(args.cases) if args.case is None else [args.case]
    with tempfile.TemporaryDirectory() as folder:
        if args.coverage_guided:
            fuzz_guided(formats, args.cases, args.seed, Path(folder))
        counts = fuzz(formats, cases, args.seed, Path(folder))
    seconds = time.perf_counter() - start
    tree, totals, n_escapes = {}, Counter(), 0
    for (name, kind, found), n in sorted(counts.items()):
        print(f"{name:<22} {kind:<20} {found:<8} {n}")
        tree.setdefault(name, {})[f"{kind}: {found}"] = n
        totals[name] += n
        n_escapes += n * (found == "ESCAPED")
    print(f"{len(cases)} cases in {seconds:.0f} s, {n_escapes} escapes")
    if args.output:
        record = {
            "settings": provenance(),
            "seed": args.seed,
            "cases": len(cases),
            "cases_per_format": totals,
            "counts": tree,
            "escapes": n_escapes,
            "seconds": round(seconds, 1),
        }
        write_json(args.output, record)
    return n_escapes > 0


if __name__ == "__main__":
    sys.exit(main())
