"""Work shared among threads is the same work."""

import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dbn.backend.threads import element_threads, in_blocks
from dbn.training import SGD, Adam, RMSProp

SIZE = 2**19 + 3  # enough for two threads, and not a multiple of two


def blocks(size):
    found = []
    in_blocks(lambda block: found.append((block, threading.get_ident())), size)
    return sorted(found, key=lambda entry: entry[0].start)


def test_blocks_cover_everything_once():
    with element_threads(3):
        found = blocks(3 * 2**18 + 1)
    edges = [block.indices(SIZE * 9)[:2] for block, _ in found]
    assert edges[0][0] == 0 and edges[-1][1] == 3 * 2**18 + 1
    assert all(a[1] == b[0] for a, b in zip(edges, edges[1:], strict=False))
    assert len(found) == 3
    assert threading.get_ident() in {thread for _, thread in found}


def test_short_vectors_and_single_threads_are_not_shared():
    with element_threads(4):
        assert len(blocks(2**19 - 1)) == 1
    with element_threads(1):
        assert len(blocks(2**20)) == 1
    assert len(blocks(2**20)) == 1


def test_the_threads_end_with_the_context():
    before = threading.active_count()
    with element_threads(2):
        blocks(SIZE)
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_errors_of_other_threads_arrive():
    def fail(block):
        if block.start:
            raise ValueError("in the second block")

    with element_threads(2), pytest.raises(ValueError, match="second block"):
        in_blocks(fail, SIZE)


def test_what_to_do_about_overflow_is_handed_on():
    x = np.full(SIZE, 1e38, dtype=np.float32)

    def grow(block):
        x[block] *= np.float32(1e10)

    with element_threads(2), np.errstate(over="ignore"):
        in_blocks(grow, SIZE)  # warnings are errors here
    assert np.isinf(x).all()


@pytest.mark.parametrize("optimizer", [SGD(), SGD(nesterov=True), RMSProp(), Adam()])
def test_a_shared_step_is_the_same_step(optimizer):
    rng = np.random.default_rng(0)
    start, gradients = rng.random(SIZE), rng.standard_normal((3, SIZE))

    def trained(n_threads):
        theta = start.copy()
        state = optimizer.init(theta)
        with element_threads(n_threads):
            for grad in gradients.copy():
                state = optimizer.step(theta, grad, state)
        return theta

    assert_array_equal(trained(1), trained(2))
