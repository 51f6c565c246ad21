"""The visible units that ``visible="auto"`` chooses, column by column."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from dbn import DBNClassifier, RBMTransformer
from dbn.backend.rows import ScaledRows
from dbn.boltzmann import Bernoulli, Gaussian, Mixed, ReLU, Softmax, Spin
from dbn.estimators.visible import choose_visible
from tests.libraries import LIBRARIES

from .toy import ALL, REAL, Y, message, output, rbm, small

NUMBERS = Gaussian(learn_variance=True)
BIT, SIGN = REAL[:, 0] > 1.0, np.where(REAL[:, 1] > 1.0, 1.0, -1.0)
GREY = np.linspace(0.0, 1.0, 60)
SHARE = 0.3 + 0.1 * GREY
SHARES = Mixed(((Bernoulli(), 1), (NUMBERS, 1), (Bernoulli(), 1)))
TABLE = np.column_stack([REAL[:, :2], BIT, SIGN, 10 * GREY, BIT])
KINDS = Mixed(
    (
        (NUMBERS, 2),
        (Bernoulli(), 1),
        (Spin(), 1),
        (NUMBERS, 1),
        (Bernoulli(), 1),
    )
)


def columns(*columns):
    return np.column_stack(columns).astype(float)


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (columns(GREY, BIT), Bernoulli()),
        (columns(GREY, BIT) + 1e-8, Bernoulli()),
        (columns(BIT), Bernoulli()),
        (columns(SIGN, SIGN), Spin()),
        (columns(REAL), NUMBERS),
        (columns(GREY, SIGN), Mixed(((NUMBERS, 1), (Spin(), 1)))),
        (columns(BIT, SIGN), Mixed(((Bernoulli(), 1), (Spin(), 1)))),
        # A constant column beside numbers is a number with a variance of its own.
        (
            columns(REAL[:, 0], 0 * BIT, 0 * BIT + 1),
            Mixed(((NUMBERS, 1), (Gaussian(), 2))),
        ),
        (columns(0 * BIT), Bernoulli()),
        # Numbers near 0 would hardly move a unit for grey values,
        (columns(BIT / 4, BIT / 8), Bernoulli()),
        (columns(BIT / 5, BIT / 8), NUMBERS),
        (columns(BIT / 5, BIT), Bernoulli()),
        # nor do numbers of which the most are between, and which vary little.
        (columns(GREY, SHARE, BIT), SHARES),
        (columns(SHARE, GREY / 4, GREY, BIT), Mixed(((NUMBERS, 3), (Bernoulli(), 1)))),
        (columns(GREY / 4, BIT), Mixed(((NUMBERS, 1), (Bernoulli(), 1)))),
        (columns(GREY, 0.5 + 0 * BIT), Bernoulli()),
        (columns(GREY / 5, SIGN), Mixed(((NUMBERS, 1), (Spin(), 1)))),
        (columns(GREY, 0 * BIT, 0 * BIT + 1), Bernoulli()),
        (TABLE, KINDS),
    ],
    ids=str,
)
def test_every_column_has_its_units(X, expected):
    assert choose_visible(X) == expected
    holes = X.copy()
    holes[3], holes[5, 0] = np.nan, np.nan  # which count for nothing
    assert choose_visible(holes) == expected


def test_groups_are_categories():
    X = columns(GREY, BIT, ~BIT, BIT, ~BIT, 0 * BIT, BIT)
    found = choose_visible(X, [1, 2, 3, 0, 1])
    assert found == Mixed(((Bernoulli(), 1), (Softmax((2, 3)), 5), (Bernoulli(), 1)))
    X[:, 0] *= 5
    found = choose_visible(X, [1, 2, 3, 0, 1])
    assert found == Mixed(((NUMBERS, 1), (Softmax((2, 3)), 5), (Bernoulli(), 1)))
    assert choose_visible(X[:, 1:6], [2, 3]) == Softmax((2, 3))


def test_sparse_rows_far_from_those_of_fit_are_reported():
    units = Mixed(((ReLU(), 1), (Bernoulli(), 1)))
    X = sparse.csr_array(columns(9 * GREY, BIT))
    fitted = rbm(visible=units).fit(X)
    fitted.transform(X)
    with pytest.warns(UserWarning, match="from 0 to 5 in 1 column that lay"):
        fitted.transform(5 * X)


def test_booleans_are_bernoulli_whatever_they_hold():
    frame = pd.DataFrame({"a": REAL[:, 0], "b": np.zeros(60, bool), "c": BIT})
    frame["d"] = ["x", "y"] * 30
    blocks = ((NUMBERS, 1), (Bernoulli(), 2), (Softmax((2,)), 2))
    assert rbm().fit(frame).visible_ == Mixed(blocks)


def test_a_constant_column_adds_the_same_to_the_density_of_every_row():
    X = REAL[:, :2]
    alone, beside = (
        small(ALL[0], random_state=0, max_iter=30).fit(rows).score_samples(rows)
        for rows in (X, np.column_stack([X, np.full(60, 5.0)]))
    )
    assert_allclose(beside, alone - 0.5 * np.log(2 * np.pi), atol=0.2)


def test_small_sparse_numbers_are_reported():
    X = sparse.csr_array(columns(GREY, BIT) / 100)
    with pytest.warns(UserWarning, match="largest value of the sparse X is 0.01"):
        assert rbm().fit(X).visible_ == Bernoulli()


@pytest.mark.parametrize("cls", ALL)
def test_rows_far_from_those_of_fit_are_reported(cls):
    X = columns(GREY, BIT)
    several = [(X, X), (np.column_stack([X, 9 * REAL]), np.column_stack([X, 9 * REAL]))]
    for rows, other in several:
        fitted = small(cls).fit(rows, Y)
        near, far = other.copy(), other.copy()
        near[3, :2], far[3, 1] = (-0.9, 1.9), 16.0
        output(fitted, near)
        with pytest.warns(UserWarning, match="to 16 in 1 column that lay in .0, 1."):
            output(fitted, far)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, pd.DataFrame])
def test_other_codes_than_those_of_fit_are_reported(cls, kind):
    """Of 1 and 2 for 0 and 1 nothing was said, and the predictions were by chance."""
    X = columns(BIT, BIT, GREY)
    fitted = small(cls).fit(kind(X), Y)
    other = X * [1.0, 1.0, 1.01]  # as a scaler makes them
    output(fitted, kind(other))
    other[:, :2] += 1.0
    other[5, 0] = 2.0 if kind is sparse.csr_array else np.nan
    with pytest.warns(UserWarning, match=r"from 1 to 2 in 2 columns that lay in .0, 1"):
        output(fitted, kind(other))


@pytest.mark.parametrize("cls", ALL)
def test_signs_and_bits_are_looked_at_apart(cls):
    """The range of signs, which is wider, was that of bits as well."""
    rows = columns(9 * REAL[:, 0], BIT, 2.0 * BIT - 1.0)
    fitted = small(cls).fit(rows, Y)
    for column, words in ((1, r"\[0, 1\]"), (2, r"\[-1, 1\]")):
        other = rows.copy()
        other[:, column] += 1.0 + BIT
        with pytest.warns(UserWarning, match=f"in 1 column that lay in {words}"):
            output(fitted, other)
        other[:, column] = rows[:, column] * 1.2  # somebody's scaling
        output(fitted, other)


def test_rows_that_are_read_as_needed_are_looked_at_in_slices(monkeypatch):
    assert choose_visible(ScaledRows(TABLE)) == KINDS
    tall = np.tile(TABLE, (4000, 1))  # several slices
    assert choose_visible(tall) == choose_visible(ScaledRows(tall)) == KINDS


def test_sparse_rows_are_taken_as_a_whole():
    assert choose_visible(sparse.csr_array(columns(GREY, BIT))) == Bernoulli()
    assert choose_visible(sparse.csr_array(TABLE)) == NUMBERS
    text = message(rbm().fit, sparse.csr_array(TABLE))
    assert "would make a sparse X dense" in text


@pytest.mark.parametrize("library", LIBRARIES)
def test_any_library(library):
    assert choose_visible(library.asarray(TABLE)) == KINDS


@pytest.mark.parametrize("cls", ALL)
def test_only_numbers_are_standardised(cls):
    fitted = small(cls).fit(TABLE, Y)
    assert fitted.visible_ == KINDS
    numbers = [0, 1, 4]
    assert_allclose(fitted.mean_[numbers], TABLE[:, numbers].mean(axis=0))
    assert_allclose(fitted.scale_[numbers], TABLE[:, numbers].std(axis=0))
    assert_array_equal(fitted.mean_[[2, 3, 5]], 0.0)
    assert_array_equal(fitted.scale_[[2, 3, 5]], 1.0)
    assert np.isfinite(output(fitted, TABLE)).all()


@pytest.mark.parametrize("cls", ALL)
def test_without_numbers_nothing_is(cls):
    fitted = small(cls).fit(columns(BIT, SIGN), Y)
    assert fitted.mean_ is None and fitted.scale_ is None


def test_training_goes_on_with_the_units_of_the_first_rows():
    machine = small(ALL[0]).partial_fit(TABLE)
    machine.partial_fit(TABLE[:1])  # of which each column is constant
    assert machine.visible_ == KINDS
    again = small(ALL[0], warm_start=True).fit(TABLE).fit(TABLE[:7])
    assert again.visible_ == KINDS
    text = message(machine.partial_fit, 2.0 * TABLE)
    assert "Column 2" in text and "[0, 1]" in text


COUNTS = np.random.default_rng(0).integers(0, 256, (60, 4))
COUNTS[:3] = 0


@pytest.mark.parametrize("X", [COUNTS, columns(COUNTS, BIT)], ids=["counts", "a bit"])
def test_counts_and_bytes_warn(X):
    with pytest.warns(UserWarning, match="X holds whole numbers from 0 to 255"):
        rbm().fit(X)
    holes = X.astype(float)
    holes[0, 0] = np.nan
    with pytest.warns(UserWarning, match="X holds whole numbers from 0 to 255"):
        small(ALL[2], init="xavier_uniform").fit(holes, Y)


@pytest.mark.parametrize(
    "X",
    [
        *(TABLE, columns(BIT, COUNTS + 1), columns(SIGN), columns(COUNTS - 5)),
        *(COUNTS / 255, np.hstack([COUNTS[:, :1], COUNTS[:, 1:] + 1])),
    ],
    ids=["table", "bit and age", "signs", "negative", "grey", "children and ages"],
)
def test_other_data_do_not(X):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        rbm().fit(X)


def test_shares_and_rates_are_numbers():
    """As probabilities of Bernoulli units nets were at chance, samples 0 and 1."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(600, 3))
    y = (Z[:, 0] + Z[:, 1] > 0).astype(int)
    table = pd.DataFrame(0.5 + 0.007 * Z, columns=list("abc"))
    table["part"] = rng.random(600)
    net = DBNClassifier((16,), random_state=0).fit(table, y)
    assert net.score(table, y) > 0.9
    drawn = RBMTransformer(4, max_iter=5, random_state=0).fit(table).sample(200)
    assert abs(np.asarray(drawn)[:, 0] - 0.5).max() < 0.05


@pytest.mark.parametrize("n", [2, 10, 30, 100])
def test_few_images_are_grey(n):
    """Pixels that happen to be alike in a small chunk are pixels."""
    digits = load_digits().data / 16
    for seed in range(10):
        rows = np.random.default_rng(seed).permutation(len(digits))[:n]
        assert choose_visible(digits[rows]) == Bernoulli()
