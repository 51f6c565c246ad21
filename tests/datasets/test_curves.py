"""Images of curves."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dbn.datasets import make_curves


def test_the_seed_decides():
    assert_array_equal(make_curves(5, random_state=3), make_curves(5, random_state=3))
    others = make_curves(5, random_state=4)
    assert np.abs(make_curves(5, random_state=3) - others).max() > 0.5
    stream = np.random.RandomState(3)
    assert_array_equal(make_curves(5, stream), make_curves(5, random_state=3))
    assert make_curves(5, stream).any()


def test_images_are_mostly_paper_with_one_line_each():
    X = make_curves(2000, random_state=0)
    assert X.shape == (2000, 784)
    assert X.dtype == np.float32
    assert X.min() >= 0.0
    assert X.max() == 1.0
    ink = X.sum(axis=1)
    # A dot of the pen has 2 pi 0.8^2; the longest curve, a diagonal, 65 of it.
    assert 0.5 < np.median(ink) / 30.0 < 1.5
    assert ink.max() < 80.0
    edge = X.reshape(-1, 28, 28)[:, [0, -1], :]
    assert edge.max() < 0.05  # it stays inside


def test_the_line_goes_from_the_first_point_to_the_third():
    """Where ink is, and that neighbouring pixels on the way have it too."""
    points = np.random.RandomState(0).uniform(2.5, 24.5, (20, 3, 2))
    images = make_curves(20, random_state=0).reshape(-1, 28, 28)
    for image, (first, second, third) in zip(images, points, strict=True):
        for t in np.linspace(0.1, 0.9, 9):
            at = (1 - t) ** 2 * first + 2 * t * (1 - t) * second + t**2 * third
            column, row = np.round(at).astype(int)
            assert image[row, column] > 0.3


def test_many_images_are_those_of_few():
    """They are drawn in slices."""
    many = make_curves(1500, random_state=0)
    stream = np.random.RandomState(0)
    assert_array_equal(many[:1000], make_curves(1000, stream))


@pytest.mark.parametrize("n", [0, -1, 2.5, "3"])
def test_the_number_of_images_is_a_positive_integer(n):
    with pytest.raises(ValueError, match="n_samples must be a positive integer; it is"):
        make_curves(n)
