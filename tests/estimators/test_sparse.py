"""scipy sparse rows: the same results as dense ones, without a dense copy."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from dbn import DBNTransformer, RBMTransformer
from dbn.boltzmann import (
    FPCD,
    RBM,
    Bernoulli,
    Gaussian,
    ParallelTempering,
    ReLU,
    Softmax,
    pseudo_log_likelihood,
)
from dbn.training import train_rbm
from tests.estimators.toy import EVERY, message, rbm, small
from tests.helpers import MeanField, in_halves, randomize

RNG = np.random.default_rng(0)
ROWS = (RNG.random((70, 6)) < 0.3) * RNG.random((70, 6))
ONE_HOT = np.eye(3)[RNG.integers(3, size=(70, 2))].reshape(70, 6)
KINDS = [sparse.csr_array, sparse.csr_matrix, sparse.coo_array, sparse.csc_matrix]

OPTIONS = [
    {},
    {"sampler": "pcd", "centering": True},
    {"sampler": FPCD(n_chains=5), "centering": True},
    {"sampler": ParallelTempering(n_chains=5, n_betas=3)},
    {"sparsity": 0.2, "l1": 0.01},
    {"visible": "relu"},
    {"hidden": "relu"},
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_sparse_format_gives_the_dense_result(kind):
    dense_fit = rbm(random_state=0).fit(ROWS)
    sparse_fit = rbm(random_state=0).fit(kind(ROWS))
    theta = sparse_fit.rbm_.params.flat
    assert_allclose(theta, dense_fit.rbm_.params.flat, atol=1e-12)
    assert_allclose(sparse_fit.transform(kind(ROWS)), dense_fit.transform(ROWS))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_training_is_that_on_dense_rows(options, weighted):
    weight = RNG.random(70) if weighted else None
    fits = [
        rbm(random_state=0, **options).fit(rows, sample_weight=weight)
        for rows in (ROWS, sparse.csr_array(ROWS))
    ]
    a, b = (fit.rbm_.params.flat for fit in fits)
    assert_allclose(a, b, atol=1e-10)
    entries = [[e["reconstruction_error"] for e in fit.history_] for fit in fits]
    assert_allclose(*entries)


@pytest.mark.parametrize(
    ("visible", "rows"),
    [(Bernoulli(), ROWS), (ReLU(), 5 * ROWS), (Softmax(3), ONE_HOT)],
    ids=str,
)
def test_likelihoods_are_those_of_dense_rows(visible, rows):
    fitted = rbm(random_state=0, visible=visible).fit(rows)
    expected = fitted.score_samples(rows)
    assert_allclose(fitted.score_samples(sparse.csr_matrix(rows)), expected)
    assert_allclose(fitted.score(sparse.csr_array(rows)), expected.mean())


def test_learned_variances_too():
    """Not through the estimator, which standardises, but in the mathematics."""
    trained = [
        train_rbm(
            RBM(6, 3, visible=Gaussian(learn_variance=True)),
            rows,
            rng=np.random.default_rng(0),
            sampler=MeanField(),
            centering=True,
            max_iter=2,
            batch_size=20,
        ).params.flat
        for rows in (ROWS, sparse.csr_array(ROWS))
    ]
    assert_allclose(*trained, atol=1e-12)
    assert np.abs(trained[0][-6:]).min() > 0  # the variances moved


@pytest.mark.parametrize("centering", [False, True])
def test_the_gradient_is_that_of_dense_rows(centering):
    machine = RBM(6, 3)
    randomize(machine.params)
    v, h = RNG.random((9, 6)), RNG.random((9, 3))
    offsets = (RNG.random(6), RNG.random(3)) if centering else None
    outs = [machine.params.zeros_like() for _ in range(2)]
    for rows, out in zip((ROWS[:20], sparse.csr_array(ROWS[:20])), outs, strict=True):
        weight = np.linspace(0.1, 2.0, 20)
        arguments = rows, machine.mean_hidden(rows), v, h, out, weight
        machine.gradient(*arguments, None, offsets)
    assert_allclose(outs[0].flat, outs[1].flat, atol=1e-13)


def test_a_stack_takes_sparse_rows():
    stack = DBNTransformer((4, 3), rbm=rbm(), random_state=0)
    expected = stack.fit(ROWS)
    H, scores = expected.transform(ROWS), expected.score_samples(ROWS)
    found = stack.fit(sparse.csr_array(ROWS))
    assert_allclose(found.transform(sparse.csr_array(ROWS)), H, atol=1e-12)
    assert_allclose(found.score_samples(sparse.csr_matrix(ROWS)), scores, atol=1e-9)


def test_partial_fit_takes_sparse_rows():
    found = rbm(random_state=0).partial_fit(sparse.csr_array(ROWS)).partial_fit(ROWS)
    expected = rbm(random_state=0).partial_fit(ROWS).partial_fit(ROWS)
    assert_allclose(found.rbm_.params.flat, expected.rbm_.params.flat, atol=1e-12)


def test_single_precision_stays():
    fitted = rbm().fit(sparse.csr_array(ROWS.astype(np.float32)))
    assert fitted.rbm_.W.dtype == np.float32
    assert fitted.transform(sparse.csr_array(ROWS.astype(np.float32))).dtype == "f4"


@pytest.mark.parametrize("visible", ["auto", "gaussian", Gaussian()])
def test_gaussian_units_refuse_sparse_rows_with_advice(visible):
    text = message(rbm(visible=visible).fit, sparse.csr_array(3 * ROWS))
    assert "MaxAbsScaler" in text
    assert "X.toarray()" in text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["transform", "score_samples", "partial_fit"])
def test_a_standardised_machine_refuses_sparse_rows_later_too(name, kind):
    fitted = rbm(visible="gaussian").fit(ROWS)
    assert "X.toarray()" in message(getattr(fitted, name), kind(ROWS))


def test_groups_that_are_not_one_hot_are_counted():
    wrong = ONE_HOT.copy()
    wrong[[3, 50], 0] = 0.5
    text = message(rbm(visible=Softmax(3)).fit, sparse.csr_array(wrong))
    assert "2 of 140 groups" in text


def test_no_dense_copy_is_made():
    """Peak memory of fit, transform and score far below the dense matrix."""
    X = sparse.random_array((20_000, 2000), density=0.002, dtype=np.float32, rng=RNG)
    X = sparse.csr_array(X)
    X.data[:] = 1.0
    model = RBMTransformer(4, max_iter=1, batch_size=500, random_state=0)
    tracemalloc.start()
    model.fit(X).transform(X)
    model.score_samples(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * 4 * 20_000 * 2000


def unsorted(duplicates=True):
    """Read-only rows whose columns are out of order; some entries lie there twice."""
    rows = sparse.csr_array(ROWS)[:, ::-1]
    if duplicates:
        rows = in_halves(rows)
    for part in (rows.data, rows.indices, rows.indptr):
        part.setflags(write=False)
    return rows


@pytest.mark.parametrize("cls", EVERY)
@pytest.mark.parametrize("duplicates", [False, True])
def test_rows_of_any_order_are_read_and_never_written(cls, duplicates):
    """Others may read them in threads at that moment, or share them between processes.

    scipy sorts a matrix in place when it is asked for its minimum.
    """
    y = np.arange(70) % 2
    given = unsorted(duplicates)
    found, expected = (small(cls).fit(X, y) for X in (given, ROWS[:, ::-1]))
    for method in ("transform", "predict_proba", "predict", "score_samples"):
        if hasattr(found, method):
            its = getattr(found, method)(given)
            assert_allclose(its, getattr(expected, method)(ROWS[:, ::-1]), atol=1e-6)
    if hasattr(found, "partial_fit"):
        found.partial_fit(given, y)
    assert not given.has_sorted_indices


def test_a_machine_reads_rows_of_any_order_and_never_writes():
    machine, given = RBM(6, 3), unsorted()
    randomize(machine.params)
    expected = pseudo_log_likelihood(machine, ROWS[:, ::-1])
    assert_allclose(pseudo_log_likelihood(machine, given), expected)
    train_rbm(machine, given, max_iter=1, rng=RNG)
    assert not given.has_sorted_indices
