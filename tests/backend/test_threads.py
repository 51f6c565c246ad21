"""Work shared among threads is the same work."""

import dis
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_limits

from dbn import RBMTransformer
from dbn.backend.threads import (
    element_threads,
    in_blocks,
    n_blas_threads,
    one_blas_thread,
)
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
    assert all(a[1] == b[0] for a, b in pairwise(edges))
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


def test_overlapping_fits_leave_the_number_of_blas_threads_as_it_was():
    with threadpool_limits(2, user_api="blas"):
        if n_blas_threads() != 2:
            pytest.skip("this BLAS has one thread")
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)  # not the last one
        assert n_blas_threads() == 1
        second.__exit__(None, None, None)
        assert n_blas_threads() == 2


def interrupted_at(n):
    """Whether Ctrl-C came at the n-th place: Python looks for it after calls.

    And where a function begins, and where a loop goes on.
    """
    seen, last = 0, {}

    def trace(frame, event, _):
        nonlocal seen
        file = frame.f_code.co_filename
        if not file.endswith(("/threads.py", "threadpoolctl.py", "contextlib.py")):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            before = last.get(frame, "")
            last[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if before.startswith(("CALL", "RESUME", "JUMP_BACKWARD")):
                seen += 1
                if seen == n:
                    last.clear()
                    sys.settrace(None)
                    raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with one_blas_thread():
            pass
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_ctrl_c_at_any_moment_leaves_the_number_of_blas_threads_as_it_was(request):
    if os.environ.get("SLIPCOVER_ENABLED"):  # its marks are moments that nobody has
        env = {k: v for k, v in os.environ.items() if "SLIPCOVER" not in k}
        command = [sys.executable, "-m", "pytest", "-q", request.node.nodeid]
        done = subprocess.run(command, capture_output=True, text=True, env=env)
        assert "1 passed" in done.stdout or "1 skipped" in done.stdout, done.stdout
        return
    with threadpool_limits(2, user_api="blas"):
        if n_blas_threads() != 2:
            pytest.skip("this BLAS has one thread")
        n = 1
        while interrupted_at(n):
            assert n_blas_threads() == 2, n
            with ThreadPoolExecutor(1) as pool, one_blas_thread():
                found = pool.submit(lambda: [enter_and_leave(), n_blas_threads()])
                assert found.result(timeout=60) == [1, 1]  # no lock is kept
            assert n_blas_threads() == 2
            n += 1
        assert n > 20


def enter_and_leave():
    with one_blas_thread():
        return n_blas_threads()


def test_concurrent_fits_train_as_alone_and_leave_the_limit():
    X = np.random.default_rng(0).random((60, 8))

    def trained(seed):
        return RBMTransformer(4, max_iter=20, random_state=seed).fit(X).components_

    before = n_blas_threads()
    alone = [trained(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(trained, range(4)))
    for one, other in zip(alone, together, strict=True):
        assert_array_equal(one, other)
    assert n_blas_threads() == before
