"""Cases of `speed.py` in which contenders do the same work: what is timed, and how."""

import gc
import importlib.util
import time
import warnings
from functools import partial
from itertools import product
from statistics import median

import numpy as np
import rivals

from dbn import DBNClassifier, RBMTransformer
from dbn.boltzmann import CD, PCD
from dbn.training import SGD, Adam

HAS_TORCH = importlib.util.find_spec("torch") is not None
EPOCHS = 2


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def interleaved(contenders, repeats):
    """Seconds of every contender, in turns: a list of `repeats` figures each."""
    times = {name: [] for name in contenders}
    for _ in range(repeats + 1):
        for name, run in contenders.items():
            if repeats > 1:  # one is a look, and no measurement
                gc.collect()
                time.sleep(0.1 * HAS_TORCH)  # until other threads no longer spin
            times[name].append(seconds(run))
    return {name: taken[1:] for name, taken in times.items()}  # the first warms up


def contest(title, contenders, repeats, per=1):
    """Time contenders, print their table; return what goes into the record.

    A contender that is None cannot take part: its library is not installed.
    """
    contenders = {name: run for name, run in contenders.items() if run is not None}
    print(title)
    milliseconds, ratios = {}, {}
    times = interleaved(contenders, repeats)
    for name, taken in times.items():
        pairs = zip(times["dbn"], taken, strict=True)
        ratios[name] = round(median(theirs / ours for ours, theirs in pairs), 3)
        milliseconds[name] = round(1e3 * median(taken) / per, 4)
        print(
            f"  {name:18} {milliseconds[name]:10.3f} ms"
            f"  {ratios[name]:6.2f} of dbn's time",
            flush=True,
        )
    return {"case": title, "milliseconds": milliseconds, "times_dbn": ratios}


def random_rows(args, n_rows, n_columns=784):
    rng = np.random.default_rng(0)
    return rng.random((n_rows // args.shrink, n_columns), dtype=np.float32)


def rbm_cases(args):
    """One update of an RBM, for two shapes, three batch sizes, CD-1 and PCD-1."""
    shapes, batch_sizes = ((784, 500), (500, 2000)), (10, 100, 500)
    for shape, batch_size, sampler in product(shapes, batch_sizes, ("cd", "pcd")):
        n_visible, n_hidden = shape
        X = random_rows(args, min(20000, 500 * batch_size), n_visible)
        work = (n_hidden, batch_size, EPOCHS)
        ours = RBMTransformer(
            n_hidden,
            batch_size=batch_size,
            max_iter=EPOCHS,
            sampler=CD() if sampler == "cd" else PCD(n_chains=batch_size),
            random_state=0,
        )
        contenders = {
            "products": rivals.rbm_products(X, *work),
            "dbn": partial(ours.fit, X),
            "BernoulliRBM": rivals.sklearn_rbm(X, *work),
            "PyTorch": rivals.torch_rbm(X, *work, persistent=sampler == "pcd"),
        }
        if sampler == "cd":
            double = rivals.sklearn_rbm(X.astype(np.float64), *work)
            contenders["BernoulliRBM float64"] = double
            contenders["learnergy"] = rivals.learnergy_rbm(X, *work)
        yield contest(
            f"{sampler.upper()}-1 update {n_visible}-{n_hidden}, batch {batch_size}, "
            "float32",
            contenders,
            args.repeats,
            EPOCHS * len(X) / batch_size,
        )


def default_case(args):
    """An epoch with a batch of 100, against BernoulliRBM with its default of 10."""
    X = random_rows(args, 20000)
    contenders = {
        "dbn": partial(RBMTransformer(500, max_iter=1, random_state=0).fit, X),
        "BernoulliRBM": rivals.sklearn_rbm(X, 500, 10, 1),
    }
    yield contest(
        f"epoch of {len(X)} rows 784-500, default batch sizes (100 and 10), float32",
        contenders,
        args.repeats,
    )


def net(solver, sizes=rivals.SIZES, **options):
    """Our net of rectified units, and what is fine-tuned, in words."""
    model = DBNClassifier(
        sizes[1:-1],
        init="xavier_uniform",
        activation="relu",
        optimizer=SGD(0.1, momentum=0.9) if solver == "sgd" else Adam(0.001),
        max_iter=EPOCHS,
        random_state=0,
        **options,
    )
    return model, f"{'-'.join(map(str, sizes))}, {solver}"


def net_cases(args):
    """One update of a net, by SGD with momentum and by Adam."""
    X = random_rows(args, 5000)
    y = np.arange(len(X)) % 10
    smaller, larger = (784, 500, 500, 10), rivals.SIZES
    for sizes, solver in ((larger, "sgd"), (larger, "adam"), (smaller, "adam")):
        ours, told = net(solver, sizes)
        work = (100, EPOCHS, solver, sizes)
        contenders = {
            "products": rivals.net_products(X, 100, EPOCHS, sizes),
            "dbn": partial(ours.fit, X, y),
            "MLPClassifier": partial(quietly, rivals.sklearn_mlp(X, y, *work)),
            "PyTorch": rivals.torch_mlp(X, y, *work),
        }
        yield contest(
            f"fine-tuning update {told}, batch 100, float32",
            contenders,
            args.repeats,
            EPOCHS * len(X) / 100,
        )


def quietly(fit):
    """MLPClassifier warns that it has not converged, which nobody asked of it."""
    with warnings.catch_warnings(action="ignore"):
        fit()


def device_cases(args):
    """Updates of an RBM and of a net on a device, against their products there."""
    import torch

    device = torch.device(args.device)
    on_cuda = device.type == "cuda"

    def awaited(function):
        function()
        if on_cuda:
            torch.cuda.synchronize(device)

    X = random_rows(args, 60000)
    y, there = np.arange(len(X)) % 10, torch.from_numpy(X).to(device)
    for batch_size in (100, 500):
        options = {"batch_size": batch_size, "device": args.device}
        ours = RBMTransformer(500, max_iter=EPOCHS, random_state=0, **options)
        products = rivals.rbm_products(there, 500, batch_size, EPOCHS)
        cases = [(ours, "CD-1 784-500", products)]
        for solver in ("sgd", "adam"):
            ours, told = net(solver, **options)
            products = rivals.net_products(there, batch_size, EPOCHS)
            cases.append((ours, f"fine-tuning {told}", products))
        for ours, told, products in cases:
            found = contest(
                f"update of {told}, batch {batch_size}, float32, {args.device}",
                {
                    "products": partial(awaited, products),
                    "dbn": partial(ours.fit, X, y),
                },
                args.repeats,
                EPOCHS * -(-len(X) // batch_size),
            )
            rate = round(1e3 * batch_size / found["milliseconds"]["dbn"])
            print(f"  {rate} rows per second")
            name = torch.cuda.get_device_name(device) if on_cuda else "CPU"
            yield found | {"rows_per_second": rate, "device": name}


def apply_cases(args):
    """Rows through a fitted machine, and through a fitted net."""
    X = random_rows(args, 60000)
    few, y = X[:500], np.arange(len(X[:500])) % 10
    options = {"max_iter": 1, "random_state": 0}
    ours = RBMTransformer(500, **options).fit(few)
    peer = rivals.BernoulliRBM(500, n_iter=1, random_state=0).fit(few)
    contenders = {
        "dbn": partial(ours.transform, X),
        "BernoulliRBM": partial(peer.transform, X),
        "PyTorch": rivals.torch_forward(X, (784, 500), lambda z: z.sigmoid_()),
    }
    yield contest(
        f"transform of {len(X)} rows 784-500, float32", contenders, args.repeats
    )

    hidden = rivals.SIZES[1:-1]
    ours = DBNClassifier(hidden, init="xavier_uniform", **options).fit(few, y)
    peer = rivals.MLPClassifier(hidden, activation="logistic", **options)
    quietly(partial(peer.fit, few, y))
    contenders = {
        "dbn": partial(ours.predict_proba, X),
        "MLPClassifier": partial(peer.predict_proba, X),
        "PyTorch": rivals.torch_forward(X, rivals.SIZES, lambda z: z.softmax(1)),
    }
    yield contest(
        f"predict_proba of {len(X)} rows 784-500-500-2000-10, float32",
        contenders,
        args.repeats,
    )
