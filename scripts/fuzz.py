"""Load many broken and malicious model files; count what came of them.

Each case damages a good file (cut off, bits flipped, other dtypes and shapes, absurd
sizes, bombs, paths as names, pickles, forged headers with matching checksums) and loads
it. The only outcomes are a refusal with `ModelFileError` and a model; memory is bounded
by a few times the size of the file. Anything else is an escape: the first few are
reported, and the exit status is 1.
"""

import argparse
import json
import random
import sys
import tempfile
import time
import traceback
import tracemalloc
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dbn import load_model
from dbn.evaluation import provenance
from tests.hostile import ALLOWED, FIXTURES, check_case


def fuzz(n_cases, seed, folder):
    """Counts of (kind of damage, outcome), and the traces of what escaped."""
    rng = random.Random(seed)
    files = [(path.read_bytes(), load_model(path)) for path in FIXTURES]
    counts, escapes = Counter(), []
    path = Path(folder) / "case.dbn"
    for case in range(n_cases):
        kind = rng.choice(list(ALLOWED))
        data, original = rng.choice(files)
        try:
            found = check_case(kind, data, path, original, rng.randint)
        except Exception:
            found = "ESCAPED"
            escapes.append(f"case {case}\n{traceback.format_exc()}")
        counts[kind.__name__, found] += 1
    return counts, escapes


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", help="where to write a JSON record")
    args = parser.parse_args()
    start = time.perf_counter()
    tracemalloc.start()
    with tempfile.TemporaryDirectory() as folder:
        counts, escapes = fuzz(args.cases, args.seed, folder)
    seconds = time.perf_counter() - start
    for (kind, found), n in sorted(counts.items()):
        print(f"{kind:<20} {found:<14} {n}")
    print(f"{args.cases} cases in {seconds:.0f} s, {len(escapes)} escapes")
    for escape in escapes[:5]:
        print(f"\n{escape}")
    if args.output:
        record = {
            "settings": provenance(),
            "cases": args.cases,
            "seed": args.seed,
            "seconds": round(seconds, 1),
            "counts": {f"{kind}: {found}": n for (kind, found), n in counts.items()},
            "escapes": len(escapes),
        }
        text = json.dumps(record, indent=1, sort_keys=True) + "\n"
        Path(args.output).write_text(text)
    return 1 if escapes else 0


if __name__ == "__main__":
    sys.exit(main())
