import numpy as np
import pytest
from numpy.testing import assert_allclose

from dbn import DBN, RBM
from tests.helpers import randomize, read_only


def stack(dtype=np.float64):
    rbms = [RBM(5, 4, visible="gaussian", dtype=dtype), RBM(4, 3, dtype=dtype)]
    for i, rbm in enumerate(rbms):
        randomize(rbm.params, seed=i)
    return DBN(rbms)


def test_transform_is_the_composition_of_the_layers():
    dbn, X = stack(), read_only(np.random.default_rng(0).standard_normal((7, 5)))
    (W0, c0), (W1, c1) = ((rbm.W, rbm.c) for rbm in dbn.rbms)
    h = 1.0 / (1.0 + np.exp(-(X @ W0 + c0)))
    assert_allclose(dbn.transform(X), 1.0 / (1.0 + np.exp(-(h @ W1 + c1))), rtol=1e-12)


def test_transform_does_not_depend_on_the_other_rows():
    dbn, X = stack(), np.random.default_rng(0).standard_normal((5000, 5))
    some = dbn.transform(X)[[0, 4095, 4096, 4999]]
    assert_allclose(dbn.transform(X[[0, 4095, 4096, 4999]]), some, rtol=1e-12)


def test_float32_is_kept():
    assert stack(np.float32).transform(np.ones((2, 5), np.float32)).dtype == np.float32


def test_an_empty_stack_is_refused():
    with pytest.raises(ValueError, match="at least one RBM; the list is empty"):
        DBN([])


def test_neighbours_of_different_size_are_refused():
    with pytest.raises(ValueError) as error:
        DBN([RBM(6, 4), RBM(4, 3), RBM(2, 2)])
    assert str(error.value) == (
        "RBM 1 has 3 hidden units of type Bernoulli(), but RBM 2 has 2 visible units "
        "of type Bernoulli(). Give neighbours the same number and type."
    )


def test_neighbours_of_different_type_are_refused():
    with pytest.raises(ValueError, match=r"3 visible units of type Gaussian\(\)"):
        DBN([RBM(6, 3), RBM(3, 2, visible="gaussian")])


def test_changing_the_list_does_not_change_the_stack():
    rbms = [RBM(3, 2)]
    dbn = DBN(rbms)
    rbms.append(RBM(9, 9))
    assert len(dbn.rbms) == 1


def test_repr_shows_the_machines():
    shown = "DBN([RBM(3, 2, visible=Bernoulli(), hidden=Bernoulli())])"
    assert repr(DBN([RBM(3, 2)])) == shown
