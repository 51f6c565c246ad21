"""How fast is training, against its own matrix products and what else one would use?

Contenders take turns within one process, so that a busy machine slows all of them; the
figures are medians of the ratios of neighbouring runs. "products" are only the matrix
products of the same updates: no implementation undercuts them. PyTorch and learnergy
take part when they are installed. What each contender does is in rivals.py.
"""

import importlib.util
import subprocess
import sys
import warnings
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median

import contests
import numpy as np
from contests import contest, random_rows, seconds
from records import write_record
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from dbn import RBMTransformer
from dbn.evaluation import provenance

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import parse, path, prepare_file, run


def python(code):
    """What a new interpreter prints."""
    return subprocess.check_output([sys.executable, "-c", code], text=True)


def import_case(args):
    """A new interpreter that imports the package, or scikit-learn's networks."""
    contenders = {
        "dbn": partial(python, "import dbn"),
        "sklearn.neural_network": partial(python, "import sklearn.neural_network"),
    }
    yield contest("import in a new interpreter", contenders, max(args.repeats, 5))


# Not ru_maxrss, which a new program inherits from the process that started it.
_PEAK = """
import re
import numpy as np
from {module} import {name}
def peak():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1])
X = np.random.default_rng(0).random(({n_rows}, 784), dtype=np.float32)
before = peak()
{name}({arguments}, batch_size=100, random_state=0).fit(X)
print(peak() - before)
"""


def memory_case(args):
    """Growth of the resident set, in new processes that hold the rows already."""
    n_rows = 60000 // args.shrink
    models = {
        "dbn": ("dbn", "RBMTransformer", "500, max_iter=1"),
        "BernoulliRBM": ("sklearn.neural_network", "BernoulliRBM", "500, n_iter=1"),
    }
    title = f"memory to fit {n_rows} rows 784-500 ({n_rows * 784 * 4 / 2**20:.0f} MB)"
    print(title)
    peaks = {}
    for label, (module, name, arguments) in models.items():
        code = _PEAK.format(
            module=module, name=name, arguments=arguments, n_rows=n_rows
        )
        peaks[label] = round(int(python(code)) / 1024, 1)
        print(f"  {label:18} {peaks[label]:10.1f} MB")
    yield {"case": title, "megabytes_above_the_data": peaks}


def scaling_cases(args):
    """Exponents of the time of an epoch in the number of rows and of weights."""
    X = random_rows(args, 60000)
    rows = [(round(len(X) / 10 ** (i / 2)), 500) for i in reversed(range(5))]
    hidden = [(len(X) // 12, 125 * 2**i) for i in range(6)]
    for i, (what, sizes) in enumerate((("rows", rows), ("hidden units", hidden))):
        taken = {}
        for n_rows, n_hidden in sizes:
            model = RBMTransformer(n_hidden, max_iter=1, random_state=0)
            fit = partial(model.fit, X[:n_rows])
            fits = [seconds(fit) for _ in range(args.repeats)]
            taken[(n_rows, n_hidden)[i]] = round(median(fits), 4)
        logs = np.log(list(taken)), np.log(list(taken.values()))
        exponent = round(float(np.polyfit(*logs, 1)[0]), 3)
        print(f"time of an epoch grows with the number of {what} to the {exponent}")
        yield {"case": f"scaling in {what}", "seconds": taken, "exponent": exponent}


CASES = {
    "rbm": contests.rbm_cases,
    "default": contests.default_case,
    "net": contests.net_cases,
    "apply": contests.apply_cases,
    "import": import_case,
    "memory": memory_case,
    "scaling": scaling_cases,
}


OPTIONS = {
    "--cases": {"nargs": "+", "choices": CASES, "default": list(CASES)},
    "--device": {"help": "cpu or cuda: time PyTorch there instead of these cases"},
    "--repeats": {"type": int, "default": 5},
    "--threads": {"type": int, "default": 2, "help": "of BLAS and of PyTorch"},
    "--shrink": {
        "type": int,
        "default": 1,
        "help": "divide the numbers of rows by this",
    },
    "--output": {
        "type": path,
        "help": "write the record to this JSON file, and add it to history/ beside it",
    },
}


def main():
    args = parse(__doc__, OPTIONS)
    prepare_file(args.output)
    # Fits of an epoch or two are what is measured.
    warnings.simplefilter("ignore", ConvergenceWarning)

    if contests.HAS_TORCH:
        import torch

        torch.set_num_threads(args.threads)
    cases = [CASES[name] for name in args.cases]
    found = []
    with threadpool_limits(args.threads):
        for case in [contests.device_cases] if args.device else cases:
            found += case(args)
        origin = provenance()
    for name in ("torch", "learnergy"):
        if importlib.util.find_spec(name):
            origin["versions"][name] = version(name)
    if args.output:
        record = {
            "repeats": args.repeats,
            "seed": 0,
            "results": found,
        }
        write_record(args.output, record | origin)


if __name__ == "__main__":
    run(main)
