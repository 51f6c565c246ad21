"""What `speed.py` times our training against, as a user would write or call it.

Every function takes rows and returns a callable without arguments that does the work,
or None where the library that it needs is not installed.
"""

import importlib.util
from functools import partial
from itertools import pairwise

import numpy as np
from sklearn.neural_network import BernoulliRBM, MLPClassifier

SIZES = (784, 500, 500, 2000, 10)


def needs(*libraries):
    """A contender of other libraries: None without them."""

    there = all(map(importlib.util.find_spec, libraries))
    return lambda make: make if there else (lambda *args, **options: None)


def _products(X, batch_size, epochs, of_batch):
    """The work of all updates, which a function does for a batch."""

    def fit():
        for _ in range(epochs):
            for start in range(0, len(X) - batch_size + 1, batch_size):
                of_batch(X[start : start + batch_size])

    return fit


def rbm_products(X, n_hidden, batch_size, epochs):
    """The five products of a CD-1 update, which no implementation can undercut."""
    library, options = _library(X)
    W = library.full((X.shape[1], n_hidden), 0.01, **options)
    gradient = library.empty_like(W)
    h = library.empty((batch_size, n_hidden), **options)
    v = library.empty((batch_size, X.shape[1]), **options)

    def update(rows):
        library.matmul(rows, W, out=h)
        library.matmul(h, W.T, out=v)
        library.matmul(v, W, out=h)
        library.matmul(rows.T, h, out=gradient)
        library.matmul(v.T, h, out=gradient)

    return _products(X, batch_size, epochs, update)


def _library(X):
    """NumPy or PyTorch, whichever has made X, and where it is to make arrays."""
    if isinstance(X, np.ndarray):
        return np, {"dtype": X.dtype}
    import torch

    return torch, {"dtype": X.dtype, "device": X.device}


def net_products(X, batch_size, epochs, sizes=SIZES):
    """The products of forward pass, weight gradients and back-propagation."""
    library, options = _library(X)
    weights = [library.full(shape, 0.01, **options) for shape in pairwise(sizes)]
    gradients = [library.empty_like(W) for W in weights]
    outputs = [library.empty((batch_size, n), **options) for n in sizes]

    def update(rows):
        outputs[0] = rows
        for W, x, y in zip(weights, outputs, outputs[1:], strict=False):
            library.matmul(x, W, out=y)
        for i in reversed(range(len(weights))):
            library.matmul(outputs[i].T, outputs[i + 1], out=gradients[i])
            if i > 0:
                library.matmul(outputs[i + 1], weights[i].T, out=outputs[i])

    return _products(X, batch_size, epochs, update)


def sklearn_rbm(X, n_hidden, batch_size, epochs):
    """scikit-learn's `BernoulliRBM`, which always uses persistent chains."""
    options = {"batch_size": batch_size, "n_iter": epochs, "random_state": 0}
    return partial(BernoulliRBM(n_hidden, **options).fit, X)


def sklearn_mlp(X, y, batch_size, epochs, solver, sizes=SIZES):
    """scikit-learn's `MLPClassifier` with the same steps and no early stop."""
    peer = MLPClassifier(
        sizes[1:-1],
        batch_size=batch_size,
        max_iter=epochs,
        solver=solver,
        nesterovs_momentum=False,
        learning_rate_init=0.1 if solver == "sgd" else 0.001,
        alpha=0.0,
        tol=0.0,
        n_iter_no_change=epochs,
        random_state=0,
    )
    return partial(peer.fit, X, y)


@needs("torch")
def torch_rbm(X, n_hidden, batch_size, epochs, persistent):
    """CD-1 or PCD-1 with momentum and weight decay, by hand."""
    import torch

    rows, n = torch.from_numpy(X), X.shape[1]
    W, b, c = torch.randn(n, n_hidden) * 0.01, torch.zeros(n), torch.zeros(n_hidden)
    params = [W, b, c]
    velocities = [torch.zeros_like(p) for p in params]

    @torch.no_grad()
    def fit():
        chain = rows[:batch_size]
        for _ in range(epochs):
            for batch in torch.randperm(len(rows)).split(batch_size):
                v = rows[batch]
                h = torch.addmm(c, v, W).sigmoid_()
                h_chain = torch.addmm(c, chain, W).sigmoid_() if persistent else h
                v_neg = torch.addmm(b, torch.bernoulli(h_chain), W.t()).sigmoid_()
                if persistent:
                    v_neg = chain = torch.bernoulli(v_neg)
                h_neg = torch.addmm(c, v_neg, W).sigmoid_()
                rate = 0.1 / len(v)
                for velocity in velocities:
                    velocity.mul_(0.9)
                velocities[0].addmm_(v.t(), h, alpha=rate)
                velocities[0].addmm_(v_neg.t(), h_neg, alpha=-rate)
                velocities[0].add_(W, alpha=-0.1 * 2e-4)
                velocities[1].add_(v.sum(0) - v_neg.sum(0), alpha=rate)
                velocities[2].add_(h.sum(0) - h_neg.sum(0), alpha=rate)
                for p, velocity in zip(params, velocities, strict=True):
                    p.add_(velocity)

    return fit


@needs("torch")
def torch_mlp(X, y, batch_size, epochs, solver, sizes=SIZES):
    """The same net with `torch.nn` and the optimizers of `torch.optim`."""
    import torch

    rows, labels = torch.from_numpy(X), torch.from_numpy(y)
    layers = []
    for n_in, n_out in pairwise(sizes):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    if solver == "sgd":
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    else:
        optimizer = torch.optim.Adam(net.parameters(), lr=0.001)

    def fit():
        for _ in range(epochs):
            for batch in torch.randperm(len(rows)).split(batch_size):
                loss = torch.nn.functional.cross_entropy(
                    net(rows[batch]), labels[batch]
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    return fit


@needs("torch")
def torch_forward(X, sizes, last):
    """Rows through a net of logistic layers; `last` is applied to its output."""
    import torch

    rows = torch.from_numpy(X)
    layers = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]

    @torch.no_grad()
    def forward():
        y = rows
        for layer in layers[:-1]:
            y = layer(y).sigmoid_()
        return last(layers[-1](y))

    return forward


@needs("torch", "learnergy")
def learnergy_rbm(X, n_hidden, batch_size, epochs):
    """learnergy's `RBM` with one Gibbs step."""
    import torch
    from learnergy.models.bernoulli import RBM

    model = RBM(
        n_visible=X.shape[1],
        n_hidden=n_hidden,
        steps=1,
        learning_rate=0.1,
        momentum=0.9,
    )
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.zeros(len(X)))
    return lambda: model.fit(data, batch_size=batch_size, epochs=epochs)
