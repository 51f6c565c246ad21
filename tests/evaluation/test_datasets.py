"""Data sets by name and from files, and what happens to files that are broken."""

import gzip

import numpy as np
import pytest

from dbn.evaluation import load_dataset
from dbn.evaluation.datasets import read_idx


def idx_bytes(array):
    header = b"\0\0\x08" + bytes([array.ndim])
    return header + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "X": rng.random((12, 3)),
        "y": np.arange(12) % 2,
        "X_test": rng.random((4, 3)),
        "y_test": np.arange(4) % 2,
    }


@pytest.fixture
def mnist_folder(tmp_path):
    """A folder with four tiny IDX files, two of them gzipped."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "mnist"
    folder.mkdir()
    for stem, n in (("train", 6), ("t10k", 3)):
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = np.arange(n, dtype=np.uint8)
        data = gzip.compress(idx_bytes(images))
        (folder / f"{stem}-images-idx3-ubyte.gz").write_bytes(data)
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    return tmp_path


def test_digits_are_scaled_to_the_unit_interval():
    data = load_dataset("digits")
    assert data.X.shape == (1797, 64) and data.X.dtype == np.float32
    assert data.X.min() == 0.0 and data.X.max() == 1.0
    assert data.X_test is None


def test_mnist_from_a_data_home(mnist_folder, monkeypatch):
    data = load_dataset("mnist", data_home=mnist_folder)
    assert data.X.shape == (6, 784) and data.X_test.shape == (3, 784)
    assert data.X.max() <= 1.0 and data.y_test.tolist() == [0, 1, 2]
    # The folder with the files itself, and the environment variable.
    again = load_dataset("mnist", data_home=mnist_folder / "mnist")
    monkeypatch.setenv("DBN_DATA", str(mnist_folder))
    np.testing.assert_array_equal(load_dataset("mnist").X, again.X)


def test_mnist_without_files_comes_from_openml(monkeypatch):
    """No data_home: scikit-learn's fetcher, its first 60,000 rows for training."""

    class Fetched:
        data = np.full((60002, 1), 255)
        target = np.array(["7"] * 60002)

    def fetch(name, **options):
        assert name == "mnist_784"
        return Fetched

    monkeypatch.delenv("DBN_DATA", raising=False)
    monkeypatch.setattr("dbn.evaluation.datasets.fetch_openml", fetch)
    data = load_dataset("mnist")
    assert data.X.shape == (60000, 1) and data.X_test.shape == (2, 1)
    assert data.X.dtype == np.float32 and data.y.dtype == np.int64


def test_missing_idx_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte.*data_home"):
        load_dataset("mnist", data_home=tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b"hello" + b, "begins with b'hell'"),
        (lambda b: b[:-1], "should hold 12 bytes .* but holds 11"),
        (lambda b: b + b"x", "holds more"),
        (lambda b: b[:6], "should hold"),
        (lambda b: b"", "is not an IDX file"),
        (lambda b: b"\0\0\x0d" + b[3:], "IDX file of unsigned bytes"),
    ],
)
def test_broken_idx_file(tmp_path, damage, message):
    path = tmp_path / "file"
    path.write_bytes(damage(idx_bytes(np.zeros((3, 4), np.uint8))))
    with pytest.raises(ValueError, match=message):
        read_idx(path)


def test_idx_file_that_is_not_gzip_in_spite_of_its_name(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(idx_bytes(np.zeros((3, 4), np.uint8)))
    with pytest.raises(ValueError, match="not a complete gzip file"):
        read_idx(path)
    path.write_bytes(gzip.compress(idx_bytes(np.zeros((300, 40), np.uint8)))[:-20])
    with pytest.raises(ValueError, match="not a complete gzip file"):
        read_idx(path)


def test_npz(tmp_path, arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    data = load_dataset(path)
    assert data.name == "mine"
    np.testing.assert_allclose(data.X_test, arrays["X_test"], rtol=1e-6)
    np.testing.assert_array_equal(data.y, arrays["y"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": None}, r"has the arrays .* it needs X and y"),
        ({"y_test": None}, "X_test and y_test together"),
        ({"y": np.zeros(11)}, r"X has shape \(12, 3\) .* y has shape \(11,\)"),
        ({"X": np.zeros((12, 3, 1))}, r"shape \(12, 3, 1\)"),
        ({"X": np.full((12, 3), "a")}, "of numbers"),
        ({"X": np.full((12, 3), np.nan)}, "not finite"),
        ({"X": np.zeros((0, 3)), "y": np.zeros(0)}, "is empty"),
        ({"X": np.array([{}] * 12, dtype=object)}, "plain arrays"),
    ],
)
def test_npz_that_does_not_fit(tmp_path, arrays, change, message):
    path = tmp_path / "mine.npz"
    arrays = {k: v for k, v in (arrays | change).items() if v is not None}
    np.savez(path, allow_pickle=True, **arrays)
    with pytest.raises(ValueError, match=message):
        load_dataset(path)


@pytest.mark.parametrize("content", [b"", b"not a zip file", b"PK\x03\x04 cut short"])
def test_file_that_is_not_an_npz(tmp_path, content):
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as an"):
        load_dataset(path)


@pytest.mark.parametrize("header", ["", "width,height,kind\n"])
def test_csv(tmp_path, header):
    path = tmp_path / "mine.csv"
    path.write_text(header + "0.5,2,cat\n1e-3,-3,dog\n")
    data = load_dataset(path)
    np.testing.assert_allclose(data.X, [[0.5, 2.0], [0.001, -3.0]])
    assert data.y.tolist() == ["cat", "dog"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has rows of no columns"),
        (b"1,2,a\n1,b\n", "same number of columns"),
        (b"1\n2\n", "at least 2"),
        (b"1,x,a\n2,3,b\n", "not a number"),
        (b"1,,a\n2,3,b\n", "fill missing values"),
        (b"1,nan,a\n2,3,b\n", "not finite"),
        (b"\xff\xfe\x00\x01", "not a text file"),
        (b"1,2\x00,a\n", "not a (text file|number)"),
    ],
)
def test_csv_that_does_not_fit(tmp_path, content, message):
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_dataset(path)


def test_unknown_names_and_missing_files(tmp_path):
    with pytest.raises(ValueError, match=r"'cifar' is not known. Use 'digits'"):
        load_dataset("cifar")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        load_dataset(tmp_path / "none.csv")
