"""Settings of the whole suite: one BLAS thread, fixed examples, no display."""

import os

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

os.environ.setdefault("MPLBACKEND", "Agg")
# Lets scikit-learn check array-API input; read when scipy is imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
# For processes that tests start; for this one see `one_blas_thread`.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile(
    "dbn", deadline=None, derandomize=True, database=None, max_examples=25
)
settings.load_profile("dbn")


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread():
    # The environment variable comes too late here: NumPy is imported already.
    with threadpool_limits(1):
        yield
