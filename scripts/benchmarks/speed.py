"""How fast is training, against its own matrix products and what else one would use?

Contenders take turns within one process, so that a busy machine slows all of them; the
figures are medians of the ratios of neighbouring runs. "products" are only the matrix
products of the same updates: no implementation undercuts them. PyTorch and learnergy
take part when they are installed. What each contender does is in rivals.py.
"""

import argparse
import gc
import importlib.util
import subprocess
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
import rivals
from records import write_record
from threadpoolctl import threadpool_limits

from dbn import DBNClassifier, RBMTransformer
from dbn.boltzmann import CD, PCD
from dbn.evaluation import provenance
from dbn.training import SGD, Adam

HAS_TORCH = importlib.util.find_spec("torch") is not None
HAS_LEARNERGY = HAS_TORCH and importlib.util.find_spec("learnergy") is not None


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def interleaved(contenders, repeats):
    """Seconds of every contender, in turns: a list of `repeats` figures each."""
    times = {name: [] for name in contenders}
    for repeat in range(repeats + 1):
        for name, run in contenders.items():
            gc.collect()
            if HAS_TORCH:
                time.sleep(0.1)  # until threads of the one before no longer spin
            taken = seconds(run)
            if repeat > 0:  # the first one warms up
                times[name].append(taken)
    return times


def result(title, contenders, repeats, per=1):
    """Time contenders, print their table; return what goes into the record."""
    times = interleaved(contenders, repeats)
    ratios = {
        name: median(b / a for a, b in zip(times["dbn"], values, strict=True))
        for name, values in times.items()
    }
    print(f"{title}")
    for name, values in times.items():
        print(
            f"  {name:18} {1e3 * median(values) / per:10.3f} ms"
            f"  {ratios[name]:6.2f} of dbn's time"
        )
    sys.stdout.flush()
    rounded = {name: round(1e3 * median(v) / per, 4) for name, v in times.items()}
    ratios = {name: round(ratio, 3) for name, ratio in ratios.items()}
    return {"case": title, "milliseconds": rounded, "times_dbn": ratios}


def rbm_cases(args):
    """One update of an RBM, for two shapes, three batch sizes, CD-1 and PCD-1."""
    for n_visible, n_hidden in ((784, 500), (500, 2000)):
        for batch_size in (10, 100, 500):
            n_rows = min(20000, 500 * batch_size) // args.shrink
            X = np.random.default_rng(0).random((n_rows, n_visible), dtype=np.float32)
            sizes, epochs = (n_hidden, batch_size), 2
            n_updates = epochs * n_rows / batch_size
            for sampler in ("cd", "pcd"):
                products = rivals.rbm_products(X, *sizes, epochs)
                ours = RBMTransformer(
                    n_hidden,
                    batch_size=batch_size,
                    max_iter=epochs,
                    sampler=CD() if sampler == "cd" else PCD(n_chains=batch_size),
                    random_state=0,
                )
                peer = rivals.sklearn_rbm(X, *sizes, epochs)
                contenders = {
                    "products": products,
                    "dbn": lambda f=ours, X=X: f.fit(X),
                    "BernoulliRBM": peer,
                }
                if sampler == "cd":
                    double = X.astype(np.float64)
                    name = "BernoulliRBM float64"
                    contenders[name] = rivals.sklearn_rbm(double, *sizes, epochs)
                if HAS_TORCH:
                    persistent = sampler == "pcd"
                    contenders["PyTorch"] = rivals.torch_rbm(
                        X, *sizes, epochs, persistent
                    )
                if HAS_LEARNERGY and sampler == "cd":
                    contenders["learnergy"] = rivals.learnergy_rbm(X, *sizes, epochs)
                yield result(
                    f"{sampler.upper()}-1 update {n_visible}-{n_hidden}, batch "
                    f"{batch_size}, float32",
                    contenders,
                    args.repeats,
                    n_updates,
                )


def default_case(args):
    """An epoch with a batch of 100, against BernoulliRBM with its default of 10."""
    X = np.random.default_rng(0).random((20000 // args.shrink, 784), dtype=np.float32)
    ours = RBMTransformer(500, max_iter=1, random_state=0)
    contenders = {
        "dbn": lambda: ours.fit(X),
        "BernoulliRBM": rivals.sklearn_rbm(X, 500, 10, 1),
    }
    title = f"epoch of {len(X)} rows 784-500, default batch sizes (100 and 10), float32"
    yield result(title, contenders, args.repeats)


def net_cases(args):
    """One update of a net, by SGD with momentum and by Adam."""
    rng = np.random.default_rng(0)
    X = rng.random((5000 // args.shrink, 784), dtype=np.float32)
    y = np.arange(len(X)) % 10
    cases = [(rivals.SIZES, "sgd"), (rivals.SIZES, "adam")]
    for sizes, solver in [*cases, ((784, 500, 500, 10), "adam")]:
        epochs = 2
        ours = DBNClassifier(
            sizes[1:-1],
            init="xavier_uniform",
            activation="relu",
            optimizer=SGD(0.1, momentum=0.9) if solver == "sgd" else Adam(0.001),
            max_iter=epochs,
            random_state=0,
        )
        products = rivals.net_products(X, 100, epochs, sizes)
        peer = rivals.sklearn_mlp(X, y, 100, epochs, solver, sizes)
        contenders = {
            "products": products,
            "dbn": lambda f=ours: f.fit(X, y),
            "MLPClassifier": quiet(peer),
        }
        if HAS_TORCH:
            contenders["PyTorch"] = rivals.torch_mlp(X, y, 100, epochs, solver, sizes)
        shape = "-".join(map(str, sizes))
        yield result(
            f"fine-tuning update {shape}, {solver}, batch 100, float32",
            contenders,
            args.repeats,
            epochs * len(X) / 100,
        )


def device_cases(args):
    """Updates of an RBM and of a net on a device, against their products there."""
    import torch

    device, epochs = torch.device(args.device), 2

    def awaited(function):
        def run():
            function()
            if device.type == "cuda":
                torch.cuda.synchronize(device)

        return run

    X = np.random.default_rng(0).random((60000 // args.shrink, 784), dtype=np.float32)
    y, there = np.arange(len(X)) % 10, torch.from_numpy(X).to(device)
    shared = {"max_iter": epochs, "device": args.device, "random_state": 0}
    for batch_size in (100, 500):
        options = {"batch_size": batch_size, **shared}
        cases = {"CD-1 784-500": (RBMTransformer(500, **options), rivals.rbm_products)}
        for name, optimizer in (("sgd", SGD(0.1, momentum=0.9)), ("adam", Adam(0.001))):
            net = DBNClassifier(
                rivals.SIZES[1:-1],
                init="xavier_uniform",
                activation="relu",
                optimizer=optimizer,
                **options,
            )
            shape = "-".join(map(str, rivals.SIZES))
            cases[f"fine-tuning {shape}, {name}"] = (net, rivals.net_products)
        for name, (ours, bound) in cases.items():
            sizes = (500,) if bound is rivals.rbm_products else ()
            contenders = {
                "products": awaited(bound(there, *sizes, batch_size, epochs)),
                "dbn": lambda ours=ours: ours.fit(X, y),
            }
            title = f"update of {name}, batch {batch_size}, float32, {args.device}"
            n_updates = epochs * -(-len(X) // batch_size)
            found = result(title, contenders, args.repeats, n_updates)
            rate = 1e3 * batch_size / found["milliseconds"]["dbn"]
            print(f"  {rate:.0f} rows per second")
            yield found | {"rows_per_second": round(rate), "device": _name(device)}


def _name(device):
    """What the device is called."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def quiet(fit):
    """MLPClassifier warns that it has not converged, which nobody asked of it."""

    def run():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit()

    return run


def apply_cases(args):
    """Rows through a fitted machine, and through a fitted net."""
    n_rows = 60000 // args.shrink
    X = np.random.default_rng(0).random((n_rows, 784), dtype=np.float32)
    few, y = X[:500], np.arange(min(500, n_rows)) % 10
    ours = RBMTransformer(500, max_iter=1, random_state=0).fit(few)
    peer = rivals.BernoulliRBM(500, n_iter=1, random_state=0).fit(few)
    contenders = {
        "dbn": lambda: ours.transform(X),
        "BernoulliRBM": lambda: peer.transform(X),
    }
    if HAS_TORCH:
        contenders["PyTorch"] = rivals.torch_forward(
            X, (784, 500), lambda z: z.sigmoid_()
        )
    title = f"transform of {n_rows} rows 784-500, float32"
    yield result(title, contenders, args.repeats)

    hidden = rivals.SIZES[1:-1]
    net = DBNClassifier(hidden, init="xavier_uniform", max_iter=1, random_state=0)
    net.fit(few, y)
    mlp = rivals.MLPClassifier(
        hidden, activation="logistic", max_iter=1, random_state=0
    )
    quiet(lambda: mlp.fit(few, y))()
    contenders = {
        "dbn": lambda: net.predict_proba(X),
        "MLPClassifier": lambda: mlp.predict_proba(X),
    }
    if HAS_TORCH:
        contenders["PyTorch"] = rivals.torch_forward(
            X, rivals.SIZES, lambda z: z.softmax(1)
        )
    title = f"predict_proba of {n_rows} rows 784-500-500-2000-10, float32"
    yield result(title, contenders, args.repeats)


def import_case(args):
    """A new interpreter that imports the package, or scikit-learn's networks."""

    def importing(module):
        command = [sys.executable, "-c", f"import {module}"]
        return lambda: subprocess.run(command, check=True)

    modules = ("dbn", "sklearn.neural_network")
    contenders = {module: importing(module) for module in modules}
    yield result("import in a new interpreter", contenders, max(args.repeats, 5))


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
    peaks = {}
    for label, (module, name, arguments) in models.items():
        code = _PEAK.format(
            module=module, name=name, arguments=arguments, n_rows=n_rows
        )
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        peaks[label] = round(int(run.stdout) / 1024, 1)
    title = f"memory to fit {n_rows} rows 784-500 ({n_rows * 784 * 4 / 2**20:.0f} MB)"
    print(
        title, *(f"  {name:18} {mb:10.1f} MB" for name, mb in peaks.items()), sep="\n"
    )
    yield {"case": title, "megabytes_above_the_data": peaks}


def scaling_cases(args):
    """Exponents of the time of an epoch in the number of rows and of weights."""
    rng = np.random.default_rng(0)
    top = 60000 // args.shrink
    rows = [round(top / 10 ** (i / 2)) for i in reversed(range(5))]
    hidden = [125, 250, 500, 1000, 2000, 4000]
    X = rng.random((top, 784), dtype=np.float32)
    for what, sizes in (("rows", rows), ("hidden units", hidden)):
        taken = {}
        for size in sizes:
            data, n_hidden = (
                (X[:size], 500) if what == "rows" else (X[: top // 12], size)
            )
            model = RBMTransformer(n_hidden, max_iter=1, random_state=0)
            fits = [
                seconds(lambda m=model, d=data: m.fit(d)) for _ in range(args.repeats)
            ]
            taken[size] = round(median(fits), 4)
        logs = np.log(list(taken)), np.log(list(taken.values()))
        exponent = round(float(np.polyfit(*logs, 1)[0]), 3)
        print(f"time of an epoch grows with the number of {what} to the {exponent}")
        yield {
            "case": f"scaling in {what}",
            "seconds": {str(size): value for size, value in taken.items()},
            "exponent": exponent,
        }


CASES = {
    "rbm": rbm_cases,
    "default": default_case,
    "net": net_cases,
    "apply": apply_cases,
    "import": import_case,
    "memory": memory_case,
    "scaling": scaling_cases,
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--cases", nargs="+", choices=CASES, default=list(CASES))
    add("--device", help="cpu or cuda: time PyTorch there instead of these cases")
    add("--repeats", type=int, default=5)
    add("--threads", type=int, default=2, help="of BLAS and of PyTorch")
    add("--shrink", type=int, default=1, help="divide the numbers of rows by this")
    add(
        "--output",
        type=Path,
        help="write the record to this JSON file, and add it to history/ beside it",
    )
    args = parser.parse_args()

    if HAS_TORCH:
        import torch

        torch.set_num_threads(args.threads)
    start, found = time.perf_counter(), []
    with threadpool_limits(args.threads):
        chosen = [CASES[name] for name in args.cases]
        for case in [device_cases] if args.device else chosen:
            found += case(args)
        origin = provenance()
    for name in ("torch", "learnergy"):
        if importlib.util.find_spec(name):
            origin["versions"][name] = version(name)
    if args.output:
        record = {
            "repeats": args.repeats,
            "seconds": round(time.perf_counter() - start),
            "results": found,
            **origin,
        }
        write_record(args.output, record)


if __name__ == "__main__":
    main()
