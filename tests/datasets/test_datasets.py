"""Data sets by name and from files, and what happens to files that are broken."""

import dataclasses
import gzip
import os
import sys
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from scipy.sparse import csr_array, csr_matrix, random_array, save_npz

import dbn.datasets
import dbn.evaluation
from dbn import DBNTransformer, RBMTransformer
from dbn.boltzmann import Softmax
from dbn.datasets import Dataset, bars_and_stripes, load_dataset
from dbn.datasets.readers.fasta import AMINO_ACIDS
from dbn.datasets.readers.idx import read_idx


def packed(data):
    """Packed without the time, which would be in the names of tests."""
    return gzip.compress(data, mtime=0)


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
        data = packed(idx_bytes(images))
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
    monkeypatch.setattr("dbn.datasets.loaders.fetch_openml", fetch)
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
        (lambda b: b + b"x", "should hold 12 bytes .* but holds 13"),
        (lambda b: b[:4] + bytes(8), r"shape \(0, 0\), at least one"),
        (lambda b: b[:6], "should hold"),
        (lambda b: b"", "is not an IDX file"),
        (lambda b: b"\0\0\x0d" + b[3:], "not with 0, 0, 8"),
    ],
)
def test_broken_idx_file(tmp_path, damage, message):
    path = tmp_path / "file"
    path.write_bytes(damage(idx_bytes(np.zeros((3, 4), np.uint8))))
    with pytest.raises(ValueError, match=message):
        read_idx(path)


def test_gzip_is_told_by_its_bytes_and_not_by_its_name(tmp_path):
    images = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for name, pack in (("file.gz", bytes), ("file", packed)):
        path = tmp_path / name
        path.write_bytes(pack(idx_bytes(images)))
        np.testing.assert_array_equal(read_idx(path).read(), images)


def test_damaged_gzip(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(packed(idx_bytes(np.zeros((300, 40), np.uint8)))[:-20])
    with pytest.raises(ValueError, match="not a complete gzip file"):
        read_idx(path)
    damaged = bytearray(packed(idx_bytes(np.zeros((300, 40), np.uint8))))
    damaged[10:] = b"\xff" * len(damaged[10:])
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="not a complete gzip file"):
        read_idx(path)


def test_npz(tmp_path, arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    data = load_dataset(path)
    assert data.name == "mine"
    np.testing.assert_allclose(data.X_test, arrays["X_test"], rtol=1e-6)
    np.testing.assert_array_equal(data.y, arrays["y"])
    assert data.X_valid is None


def test_npz_without_labels(tmp_path, arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, X=arrays["X"], X_valid=arrays["X_test"][:2], X_test=arrays["X_test"])
    data = load_dataset(path)
    assert data.y is None and data.y_test is None
    assert data.X.shape == (12, 3) and data.X_test.shape == (4, 3)
    assert data.X_valid.shape == (2, 3) and data.X_valid.dtype == np.float32
    np.savez(path, X=arrays["X"])
    assert load_dataset(path).X_test is None


@pytest.mark.parametrize("kind", [csr_array, csr_matrix])
def test_npz_of_one_csr_matrix(tmp_path, kind):
    X = np.arange(12.0).reshape(4, 3) % 5
    save_npz(tmp_path / "words.npz", kind(X))
    data = load_dataset(tmp_path / "words.npz")
    assert isinstance(data.X, csr_array) and data.X.dtype == np.float32
    np.testing.assert_array_equal(data.X.toarray(), X)
    assert data.y is None and data.name == "words"


def test_npz_of_a_sparse_matrix_that_is_not_to_be_trusted(tmp_path):
    path = tmp_path / "words.npz"
    X = csr_array(np.eye(3))
    save_npz(path, X.tocsc())
    with pytest.raises(ValueError, match=r"format of its matrix is 'csc'.*tocsr"):
        load_dataset(path)
    for starts in ([0, 2**30, 1, 0], [0, 2**31 - 1, -2, 3]):
        # scipy's own check passes these, and to sort the matrix ends the process.
        save_npz(path, csr_array(np.eye(3)))
        with np.load(path) as file:
            parts = dict(file)
        np.savez(path, **parts | {"indptr": np.array(starts, np.int32)})
        with pytest.raises(ValueError, match="starts of its rows go back, or beyond"):
            load_dataset(path)
    X.indices[1] = 1000  # a product with this matrix would read foreign memory
    save_npz(path, X)
    with pytest.raises(ValueError, match=r"words.npz cannot be read .*\(ind"):
        load_dataset(path)
    save_npz(path, csr_array([[1.0, np.inf]]))
    with pytest.raises(ValueError, match="not finite"):
        load_dataset(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": None}, r"has the arrays .* it needs X, and"),
        ({"y": None}, "y_test exactly where there are y and X_test"),
        ({"y_test": None}, "y_test exactly where there are y and X_test"),
        ({"X_test": None}, "y_test exactly where there are y and X_test"),
        ({"y": np.zeros(11)}, r"X has 12 rows, but its labels have shape \(11,\)"),
        ({"y_test": np.zeros((4, 2))}, r"X_test has 4 rows, .* shape \(4, 2\)"),
        ({"y_test": np.array([1, 2, 3, np.nan])}, "1 of the labels in y_test are"),
        ({"y_test": np.array([*"0101"])}, "y holds numbers and y_test strings, and no"),
        ({"y": np.array([b"a"] * 12)}, "y holds strings and y_test numbers, and no"),
        (
            {"y": np.array([b"\xff"] * 12), "y_test": np.array([*"abab"])},
            r"the labels y are bytes that are no UTF-8 text .*strings.decode\(y, enco",
        ),
        ({"X": np.zeros((12, 3, 1))}, r"shape \(12, 3, 1\)"),
        ({"X_test": np.zeros((4, 2))}, "X_test has 2 columns and X has 3"),
        ({"X_valid": np.zeros((5, 4))}, "X_valid has 4 columns and X has 3"),
        (
            {"X_valid": np.zeros((5, 3, 1), np.uint8)},
            "X_valid has 3 x 1 columns and X has 3",
        ),
        ({"X": np.full((12, 3), "a")}, "and numbers"),
        ({"X": np.full((12, 3), np.nan)}, "not finite"),
        ({"X": np.full((12, 3), 1e300)}, "not finite as float32"),
        ({"y": np.zeros(12, "V3")}, "dtype .V3; they need .* numbers or strings"),
        ({"X": np.zeros((0, 3)), "y": np.zeros(0)}, "is empty"),
        ({"X": np.array([{}] * 12, dtype=object)}, "plain arrays"),
        (
            {"y": np.array(["a"] * 12, dtype=object)},
            "y holds Python objects, which are not unpickled: save texts with dtype=",
        ),
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


def test_npz_of_keras(tmp_path):
    """Images of bytes in Keras's mnist.npz: lines in one row, from 0 to 1."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)
    path = tmp_path / "mnist.npz"
    labels = np.arange(5, dtype=np.uint8)
    np.savez(path, x_train=images, y_train=labels, x_test=images[:2], y_test=labels[:2])
    data = load_dataset(path)
    expected = images.reshape(5, 12).astype(np.float32) / 255
    np.testing.assert_array_equal(data.X, expected)
    np.testing.assert_array_equal(data.X_test, expected[:2])
    assert data.y.tolist() == [0, 1, 2, 3, 4] and data.y_test.tolist() == [0, 1]
    assert data.summary() == (
        "label: array y_train, 5 classes; 12 features; 5 rows, all labelled; 2 test "
        "rows; bytes divided by 255"
    )
    np.savez(path, X=(images > 127).astype(np.uint8))
    data = load_dataset(path)  # images of zeros and ones stay such
    np.testing.assert_array_equal(data.X, images.reshape(5, 12) > 127)
    assert data.summary() == "no labels; 12 features; 5 rows"


def test_npy(tmp_path, arrays):
    path = tmp_path / "rows.npy"
    for X in (arrays["X"], np.asfortranarray(arrays["X"]), np.eye(3, dtype=bool)):
        np.save(path, X)
        data = load_dataset(path)
        np.testing.assert_array_equal(data.X, X.astype(np.float32))
        assert data.y is None and data.name == "rows"
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match=r"rows.npy cannot be read .*not unpickled"):
        load_dataset(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"cannot be read as an .npy file"):
        load_dataset(path)


def test_a_column_of_labels_is_one_array_of_them(tmp_path, arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays | {"y": arrays["y"][:, None], "y_test": [[1]] * 4})
    data = load_dataset(path)
    np.testing.assert_array_equal(data.y, arrays["y"])
    assert data.y_test.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "y",
    [
        [0, np.nan, 1, np.nan],
        ["a", "", "b", ""],
        [b"a", b"", b"b", b""],
        ["a", np.nan, "b", "?"],  # NumPy writes "nan"
    ],
)
def test_rows_without_label_in_npz(tmp_path, y):
    path, X = tmp_path / "mine.npz", np.arange(8.0).reshape(4, 2)
    np.savez(path, X=X, y=y, X_unlabeled=X[:1] + 100)
    data = load_dataset(path)
    assert data.y.tolist() == ([*"ab"] if isinstance(y[0], bytes) else [y[0], y[2]])
    assert data.X.tolist() == [[0, 1], [4, 5]]
    assert data.X_unlabeled.tolist() == [[2, 3], [6, 7], [100, 101]]
    assert data.all_rows().tolist() == [*data.X.tolist(), *data.X_unlabeled.tolist()]
    assert data.summary() == (
        "label: array y, 2 classes; 2 features; 2 of 5 rows labelled"
    )


# Tables: (what is in the file, X, y, the line that says what was understood).
ROWS = [[0.5, 2.0], [0.001, -3.0], [4.0, 5.0]]
KINDS = ["cat", "dog", "cat"]
SAID = "2 classes; 2 features; 3 rows, all labelled"
TABLES = {
    "names": ("w,h,kind\n0.5,2,cat\n1e-3,-3,dog\n4,5,cat\n", "column 'kind'"),
    "no names": ("0.5,2,cat\n1e-3,-3,dog\n4,5,cat\n", "column 2 (the last)"),
    "the label first": (
        "LABEL,w,h\ncat,.5,2\ndog,1e-3,-3\ncat,4,5\n",
        "column 'LABEL'",
    ),
    "the class between": (
        "w,Class,h\n.5,cat,2\n.001,dog,-3\n4,cat,5",
        "column 'Class'",
    ),
    "y": ("w,y,h\n.5,cat,2\n.001,dog,-3\n4,cat,5", "column 'y'"),
    "y beside x": ("x,y,k\n.5,2,cat\n.001,-3,dog\n4,5,cat", "column 'k'"),
    "semicolons": ("w;h;k\n0.5;2;cat\n0.001;-3;dog\n4;5;cat\n", "column 'k'"),
    "decimal commas": ("w;h;k\n0,5;2;cat\n0,001;-3;dog\n4;5;cat\n", "column 'k'"),
    "tabs": ("w\th\tk\n.5\t2\tcat\n.001\t-3\tdog\n4\t5\tcat\n", "column 'k'"),
    "quotes": (
        '"w, cm",h,k\n"0.5",2,"cat"\n"0.001", -3,dog\n"4","5","cat"\n',
        "column 'k'",
    ),
    "a mark of the byte order": (
        "\ufeffw,h,k\r\n0.5,2,cat\r\n0.001,-3,dog\r\n4,5,cat\r\n",
        "column 'k'",
    ),
    "empty lines": ("\nw,h,k\n\n0.5,2,cat\n.001,-3,dog\n4,5,cat\n,,\n\n", "column 'k'"),
    "numbers as names": ("0,1,2\n0.5,2,cat\n.001,-3,dog\n4,5,cat\n", "column '2'"),
    "numbers and a label as names": (
        "label,0,1\ncat,0.5,2\ndog,.001,-3\ncat,4,5\n",
        "column 'label'",
    ),
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("name", ["mine.csv", "mine.CSV", "mine.csv.gz", "mine.tsv"])
def test_tables(tmp_path, kind, name):
    text, label = TABLES[kind]
    path = tmp_path / name
    path.write_bytes((packed if ".gz" in name else bytes)(text.encode()))
    data = load_dataset(path)
    np.testing.assert_array_equal(data.X, np.float32(ROWS))
    assert data.y.tolist() == KINDS and data.X_unlabeled is None
    assert data.name == "mine" and data.X.dtype == np.float32
    more = "; no line of names" if kind == "no names" else ""
    assert data.summary() == f"label: {label}, {SAID}{more}"


@pytest.mark.parametrize("pack", [bytes, packed])
def test_tables_are_gzip_or_not_whatever_their_name(tmp_path, pack):
    for name in ("a.csv", "a.csv.gz"):
        (tmp_path / name).write_bytes(pack(b"a,b\n1,x\n2,y\n"))
        assert load_dataset(tmp_path / name).y.tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("options", "left_out"),
    [
        ({"index": False}, 0),
        ({}, 1),
        ({"header": False}, 1),
        ({"sep": ";", "decimal": ","}, 1),
        ({"quoting": 1, "encoding": "utf-8-sig"}, 1),
    ],
)
def test_tables_that_pandas_wrote(tmp_path, options, left_out):
    """The index is no feature, and names that are numbers are no row."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), rng.choice(["cat", "dog"], 30)
    path = tmp_path / "mine.csv"
    for last in (y, rng.normal(size=30), np.arange(30) % 3):
        frame = pd.DataFrame(X).assign(**{"3": last})
        frame.to_csv(path, **options)
        data = load_dataset(path)
        np.testing.assert_array_equal(data.X, X.astype(np.float32))
        assert data.y.tolist() == last.tolist()
        said = "first column left out as names of the rows" in data.summary()
        assert said == bool(left_out)
    # Rows in another order, and a second index, written again after reading.
    frame = frame.sample(frac=1.0, random_state=0)
    frame.to_csv(path)
    pd.read_csv(path).to_csv(path)
    data = load_dataset(path)
    np.testing.assert_array_equal(data.X, frame[[0, 1, 2]].astype(np.float32))
    assert "first 2 columns left out" in data.summary()


def test_names_that_are_wavelengths(tmp_path):
    path = tmp_path / "spectra.csv"
    path.write_text("400,402.5,405,407.5,410,octane\n1,2,3,4,5,88.5\n2,3,4,5,6,87\n")
    data = load_dataset(path)
    assert data.X.tolist() == [[1, 2, 3, 4, 5], [2, 3, 4, 5, 6]]
    assert data.y.tolist() == [88.5, 87.0]


@pytest.mark.parametrize("wanted", [1, -2, "1", "-2", "b"])
def test_label_column(tmp_path, wanted):
    path = tmp_path / "mine.csv"
    path.write_text("a,b,label\n1,x,3\n4,z,6\n")
    data = load_dataset(path, label_column=wanted)
    assert data.y.tolist() == ["x", "z"] and data.X.tolist() == [[1, 3], [4, 6]]
    assert data.summary().startswith("label: column 'b', 2 classes")


@pytest.mark.parametrize(
    ("text", "X", "columns", "said"),
    [
        ("a,b\n1,2\n4,6\n", [[1, 2], [4, 6]], ("a", "b"), "2 features; 2 rows"),
        ("1,2\n4,6\n", [[1, 2], [4, 6]], None, "2 rows; no line of names"),
        ("age\n1\n4\n", [[1], [4]], ("age",), "no labels; 1 feature; 2 rows"),
        (",a\n7,1\n9,4\n", [[1], [4]], ("a",), "first column left out as names of"),
        ("a,label\n1,0\n4,1\n", [[1, 0], [4, 1]], ("a", "label"), "2 features"),
    ],
)
def test_a_table_without_labels(tmp_path, text, X, columns, said):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    data = load_dataset(path, label_column="none")
    assert data.X.tolist() == X and data.y is None and data.X_unlabeled is None
    assert data.columns == columns
    assert data.summary().startswith("no labels; ") and said in data.summary()


def test_what_is_wrong_with_a_table_without_labels(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("a,b\n1,2\n2,x\n")
    with pytest.raises(ValueError, match=r"b' has 'x'.*as 'no. 1'.$"):
        load_dataset(path, label_column="none")
    path.write_text("a\n1\n2\n")
    with pytest.raises(ValueError, match=r"at least 2, .* say 'none' for label_column"):
        load_dataset(path)


def test_names_of_columns(tmp_path):
    """Those of features, in tables of numbers too."""
    path = tmp_path / "mine.csv"
    path.write_text("a,label, b\n1,x,3\n2,y,3\n3,x,4\n4,y,5\n5,,5\n")
    data = load_dataset(path)
    assert isinstance(data.X, np.ndarray)
    drawn = load_dataset(path).with_test(test_size=0.5)
    assert data.columns == drawn.columns == ("a", "b")
    assert load_dataset("wine").columns is None


@pytest.mark.parametrize("wanted", ["c", 3, -4, "7", 1.5])
def test_no_such_label_column(tmp_path, wanted):
    path = tmp_path / "mine.csv"
    path.write_text("a,b,label\n1,x,3\n4,z,6\n")
    with pytest.raises(ValueError, match=r"no such columns.* from 0 to 2 .*'b', 'la"):
        load_dataset(path, label_column=wanted)
    with pytest.raises(ValueError, match=r"label_column is for tables \(.csv"):
        load_dataset("digits", label_column=wanted)


def test_rows_without_label_in_a_table(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("a,species\n1,x\n2,\n3,y\n4,?\n5,NA\n6,x\n")
    data = load_dataset(path)
    assert data.X.tolist() == [[1], [3], [6]] and data.y.tolist() == ["x", "y", "x"]
    assert data.X_unlabeled.tolist() == [[2], [4], [5]]
    assert data.summary() == (
        "label: column 'species', 2 classes; 1 feature; 3 of 6 rows labelled; '?', "
        "'NA' taken for no label"
    )
    path.write_text("a,label\n1,\n2,\n")
    data = load_dataset(path)
    assert data.y is None and data.X.tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("labels", "y", "target"),
    [
        (["1", "0", "1"], [1, 0, 1], "classes"),
        (["1.0", "", "0"], [1, 0], "classes"),
        (["1.5", "2", "-1"], [1.5, 2.0, -1.0], "numbers"),
        (["1", "2", "x"], ["1", "2", "x"], "classes"),
        (["True", "False", "True"], ["True", "False", "True"], "classes"),
        ([str(i) for i in range(100)], [*range(100)], "numbers"),
        ([str(i % 21) for i in range(150)], [i % 21 for i in range(150)], "classes"),
        ([f"c{i}" for i in range(100)], [f"c{i}" for i in range(100)], "classes"),
    ],
)
def test_classes_and_numbers(tmp_path, labels, y, target):
    path = tmp_path / "mine.csv"
    path.write_text("a,b\n" + "".join(f"7.5,{label}\n" for label in labels))
    data = load_dataset(path)
    assert data.y.tolist() == y and data.target == target
    assert type(data.y.tolist()[0]) is type(y[0])


def test_truth_is_zero_or_one(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("a,b\nTrue,x\nFALSE,y\n")
    assert load_dataset(path).X.tolist() == [[1.0], [0.0]]


@pytest.mark.parametrize(
    "content", [b"?,2,cat\n1,3,dog\n", b"NA,2,cat\n1,3,dog\n", b",2,cat\n1,3,dog\n"]
)
def test_a_first_value_that_is_missing_is_no_name(tmp_path, content):
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    data = load_dataset(path)
    np.testing.assert_array_equal(data.X, [[np.nan, 2.0], [1.0, 3.0]])
    assert data.summary().endswith("no line of names; 1 value missing")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has rows of no columns"),
        (b"1,2,a\n1,b\n", "2 columns in line 2 and 3 in its first"),
        (b"1\n2\n", "at least 2"),
        (b"a,b\n", "has no rows of numbers"),
        (b"1,x,a\n2,3,b\n", "neither names nor a row: 'x' is a name or an error, '1'"),
        (
            b"a,b,c\n1,red,x\n2,4,y\n3,5,y\n",
            "not a number.* column 'b' has 'red'.*label is in column 'c'",
        ),
        (
            b"a,c\n" + b"".join(b"n%d,x\n" % i for i in range(1500)),
            "more than 1000 different texts, column 'a'.* Leave that column out",
        ),
        (b"a,c\n1_000,x\n", "column 'a' has '1_000'"),
        (b"1,,a\n2,,b\n", "features without any value: column 1. Leave these"),
        (b"1,inf,a\n2,3,b\n", "none that float32 holds: column 1 has 'inf'"),
        (b"1,1e99,a\n2,3,b\n", "none that float32 holds: column 1 has '1e99'"),
        (b"1;2,5;x\n1.5;2;y\n", "numbers with a comma and numbers with a point"),
        (b"1,2,a,\n1,3,b,\n", "no labels: its last column is empty"),
        (b"class,a,target\n1,2,3\n4,5,6\n", r"the columns \['class', 'target'\], of"),
        (b'a,b\n1,"x\n2,y\n', "no table"),
        (b'a,b\n1,"x\ny"\n2,y\n', "over several lines"),
        (b"\xff\xfe\x00\x01", "no table of comma-separated values as UTF-8 text"),
        (b"1,2\x00,a\n1,2,b\n", r"'2\\x00' is a name or an error"),
        (b"1,2,a\n1,2\x00,b\n", r"not a number.* column 1 has '2\\x00'"),
        (b"1,2,a\n" * 9999 + b"1" * 400_000, r"has a line of \d+ bytes or more"),
        (b"\x1f\x8b\x08\x00", "not a complete gzip file.*Copy or download it again"),
    ],
)
def test_csv_that_does_not_fit(tmp_path, content, message):
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_dataset(path)


def test_a_table_with_categories_and_values_missing(tmp_path):
    """A frame, of rows without a label too; pandas reads the same."""
    pd = pytest.importorskip("pandas")
    path = tmp_path / "mine.csv"
    path.write_text(
        "colour,size,x,label\nred,S,1.5,a\nblue,,2,b\n,M,,\n red ,S,?,a\nblue,M,3,\n"
    )
    data = load_dataset(path)
    frame = pd.read_csv(path, na_values="?", skipinitialspace=True)
    whole = data.all_rows()
    assert [*whole.columns] == ["colour", "size", "x"] and data.y.tolist() == [*"aba"]
    order = [0, 1, 3, 2, 4]
    np.testing.assert_array_equal(whole["x"], frame["x"][order].astype(np.float32))
    for name in ("colour", "size"):
        expected = frame[name].str.strip()[order]
        assert whole[name].astype(object).where(whole[name].notna(), "-").tolist() == (
            expected.astype(object).where(expected.notna(), "-").tolist()
        )
        assert data.X[name].dtype == data.X_unlabeled[name].dtype == "category"
    assert data.summary() == (
        "label: column 'label', 2 classes; 3 features (1 number, 2 categories); 3 of 5 "
        "rows labelled; 4 values missing"
    )
    assert DBNTransformer((2,), rbm=RBMTransformer(max_iter=1)).fit(data.X).visible_


@pytest.mark.parametrize("batch", [16, 2**16])
def test_numbers_among_texts_are_categories_too(tmp_path, monkeypatch, batch):
    """As they stand in the file, also in a part of it that has no texts."""
    pytest.importorskip("pandas")
    monkeypatch.setattr("dbn.datasets.readers.tables._BATCH", batch)
    path = tmp_path / "sizes.csv"
    sizes = ["38", "38.0", "true", "M", "S", "M", " 38", "L", "S", "S", "inf", "?"]
    known = ["yes", "no", "1"] * 4
    rows = zip(sizes, known, strict=True)
    lines = [
        f"{i / 8},{size},{answer},{i % 2}" for i, (size, answer) in enumerate(rows)
    ]
    path.write_text("\n".join(["w,size,known,label", *lines]))
    data = load_dataset(path)
    expected = [size.strip() for size in sizes[:-1]]
    assert data.X["size"].tolist()[:-1] == expected and data.X["size"].isna()[11]
    assert [*data.X["size"].cat.categories] == sorted({*expected})
    assert data.X["known"].tolist() == known
    assert data.X["w"].tolist() == [i / 8 for i in range(12)]
    assert data.summary().endswith("all labelled; 1 value missing")


def test_as_many_numbers_as_texts_are_a_mistake(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("a,b\n" + "".join(f"{a},x\n" for a in [*"12SM"]))
    with pytest.raises(ValueError, match=r"column 'a' has 'S', 'M'.* such as 'no. 1'"):
        load_dataset(path)


def test_the_decimal_mark_is_that_of_numbers(tmp_path):
    """Not of categories that look like such."""
    pytest.importorskip("pandas")
    path = tmp_path / "mine.csv"
    path.write_text("a;b;c\n1,5;38.5;x\n2,5;M;y\n3,5;S;x\n")
    data = load_dataset(path)
    assert data.X["a"].tolist() == [1.5, 2.5, 3.5]
    assert data.X["b"].tolist() == ["38.5", "M", "S"]


def test_texts_beside_semicolons_are_no_numbers(tmp_path):
    pytest.importorskip("pandas")
    path = tmp_path / "mine.csv"
    path.write_text("a;b;c\n1,5;St. John;x\n2,5;B, C;y\n")
    data = load_dataset(path)
    assert data.X["a"].tolist() == [1.5, 2.5]
    assert data.X["b"].tolist() == ["St. John", "B, C"]


def test_categories_without_pandas(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("a,b,c\n1,red,x\n2,blue,y\n")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(
        ImportError, match=r"columns of texts, b, and pandas.*not installed"
    ):
        load_dataset(tmp_path / "a.csv")


def test_holes_in_an_npz(tmp_path, arrays):
    X = arrays["X"].copy()
    X[3, 1] = np.nan
    np.savez(tmp_path / "a.npz", **arrays | {"X": X})
    np.testing.assert_array_equal(
        load_dataset(tmp_path / "a.npz").X, X.astype(np.float32)
    )


@pytest.mark.parametrize("value", [9, "9", "9.0"])
def test_a_label_that_marks_rows_without_one(value):
    digits = load_dataset("digits")
    data = digits.with_unlabeled(value)
    np.testing.assert_array_equal(data.X, digits.X[digits.y != 9])
    np.testing.assert_array_equal(data.X_unlabeled, digits.X[digits.y == 9])
    assert data.y.max() == 8
    twice = data.with_unlabeled(8)
    assert len(twice.X_unlabeled) + len(twice.X) == 1797 and twice.y.max() == 7
    for wrong in (10, "none"):
        with pytest.raises(ValueError, match=r"label of none of the rows.*0, 1, 2"):
            digits.with_unlabeled(wrong)


def test_a_name_shows_no_escapes_of_a_terminal(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("a,\x1b[31mred" + "x" * 1000 + "\n1,x\n2,y\n")
    summary = load_dataset(path).summary()
    assert "\x1b" not in summary and len(summary) < 200


@pytest.mark.parametrize("n_rows", [1, 3, 40_000])
def test_tables_longer_than_a_batch(tmp_path, n_rows):
    """Labels that become texts late, rows in many batches."""
    path = tmp_path / "mine.csv"
    labels = [str(i % 10) for i in range(n_rows - 1)] + ["last"]
    lines = [f"{i / 8},{label}\n" for i, label in enumerate(labels)]
    path.write_text("a,label\n" + "".join(lines))
    data = load_dataset(path)
    np.testing.assert_array_equal(data.X[:, 0], np.float32(np.arange(n_rows) / 8))
    assert data.y.tolist() == labels


def test_a_wide_table(tmp_path):
    path = tmp_path / "mine.csv"
    X = np.random.default_rng(0).integers(0, 9, (40, 20_000))
    rows = [",".join(map(str, row)) + ",x\n" for row in X]
    path.write_text(
        ",".join(f"g{i}" for i in range(20_000)) + ",kind\n" + "".join(rows)
    )
    np.testing.assert_array_equal(load_dataset(path).X, X)


def test_home_is_expanded(tmp_path, monkeypatch, mnist_folder):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "a.csv").write_text("a,b\n1,x\n2,y\n")
    assert load_dataset("~/a.csv").name == "a"
    assert load_dataset("mnist", data_home="~").X.shape == (6, 784)
    monkeypatch.setenv("DBN_DATA", "~/mnist")
    assert load_dataset("mnist").X.shape == (6, 784)


@pytest.mark.parametrize("error", [URLError("no route"), IncompleteRead(b"")])
def test_openml_that_cannot_be_reached(monkeypatch, error):
    def fetch(name, **options):
        raise error

    monkeypatch.delenv("DBN_DATA", raising=False)
    monkeypatch.setattr("dbn.datasets.loaders.fetch_openml", fetch)
    with pytest.raises(ConnectionError, match=r"OpenML, which cannot .* --data-home, "):
        load_dataset("mnist")


class Payload:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    ("file", "source", "names"),
    [
        ("mine.npz", None, ["X", "y"]),
        ("mine.npz", None, ["format", "data", "indices", "indptr", "shape"]),
        ("binarized_mnist.npz", "binarized-mnist", ["train", "valid", "test"]),
    ],
)
def test_nothing_is_unpickled(tmp_path, file, source, names):
    path, made = tmp_path / file, tmp_path / "made"
    arrays = dict.fromkeys(names, np.array([Payload(made)], dtype=object))
    np.savez(path, allow_pickle=True, **arrays)
    with np.load(path, allow_pickle=True) as loaded:
        loaded[names[0]]
    assert made.exists()  # the payload is a real one
    made.unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        load_dataset(source or path, data_home=tmp_path)
    assert not made.exists()


@pytest.mark.parametrize(
    ("name", "shape"),
    [("wine", (178, 13)), ("breast-cancer", (569, 30)), ("diabetes", (442, 10))],
)
def test_toys_of_scikit_learn(name, shape):
    data = load_dataset(name)
    assert data.name == name and data.X.shape == shape and data.X.dtype == np.float32
    assert data.y.shape == shape[:1] and data.X_test is None
    assert data.X.max() > 1 or name == "diabetes"  # values are as they are


@pytest.mark.parametrize("side", range(1, 7))
def test_bars_and_stripes_by_definition(side):
    X = bars_and_stripes(side)
    assert X.shape == (2 ** (side + 1) - 2, side * side) and X.dtype == np.float32
    assert len(np.unique(X, axis=0)) == len(X)
    assert set(np.unique(X)) == {0.0, 1.0}
    images = X.reshape(-1, side, side)
    bars = (images == images[:, :, :1]).all(axis=(1, 2))
    stripes = (images == images[:, :1, :]).all(axis=(1, 2))
    assert (bars | stripes).all()
    assert bars.sum() == stripes.sum() == 2**side  # none is missing
    assert (bars & stripes).sum() == 2


def test_bars_and_stripes_by_name():
    data = load_dataset("bars-and-stripes")
    np.testing.assert_array_equal(data.X, bars_and_stripes(4))
    assert data.X.shape == (30, 16) and data.y is None


@pytest.mark.parametrize("side", [0, -1, 17, 2.0, "4"])
def test_bars_and_stripes_of_no_size(side):
    with pytest.raises(ValueError, match=r"side is .* integer from 1 to 16"):
        bars_and_stripes(side)


def test_binarized_mnist_keeps_its_split(tmp_path):
    rng = np.random.default_rng(0)
    parts = {
        name: rng.integers(0, 2, (n, 784), dtype=np.uint8)
        for name, n in (("train", 5), ("valid", 3), ("test", 2))
    }
    path = tmp_path / "binarized_mnist.npz"
    np.savez(path, **parts)
    data = load_dataset("binarized-mnist", data_home=tmp_path)
    for X, part in zip((data.X, data.X_valid, data.X_test), parts, strict=True):
        assert X.dtype == np.float32
        np.testing.assert_array_equal(X, parts[part])
    assert data.y is None and data.y_test is None
    del parts["valid"]
    np.savez(path, **parts)
    with pytest.raises(ValueError, match=r"train, valid and test .*valid"):
        load_dataset("binarized-mnist", data_home=tmp_path)


def write_newsgroups(folder, **change):
    words = np.array([[1, 0, 1], [0, 0, 1]], dtype=np.uint8)  # 2 words, 3 postings
    arrays = {
        "documents": csr_array(words).tocsc(),
        "newsgroups": np.array([[1, 4, 2]], dtype=np.uint8),
        "wordlist": np.array(["aids", "bmw"], dtype=object),
    }
    arrays = {k: v for k, v in (arrays | change).items() if v is not None}
    savemat(folder / "20news_w100.mat", arrays, do_compression=True)
    return words


def test_newsgroups_have_postings_in_rows(tmp_path):
    words = write_newsgroups(tmp_path)
    data = load_dataset("20newsgroups", data_home=tmp_path)
    assert isinstance(data.X, csr_array) and data.X.dtype == np.float32
    np.testing.assert_array_equal(data.X.toarray(), words.T)
    assert data.y.tolist() == [1, 4, 2] and data.X_test is None


def test_newsgroups_as_scipy_reads_them(tmp_path):
    """The reader is our own: loadmat believes what a file claims."""
    rng = np.random.default_rng(0)
    path = tmp_path / "20news_w100.mat"
    for packed in (True, False):
        words = random_array((40, 9), density=0.3, rng=rng, format="csc")
        groups = rng.integers(1, 5, (1, 9)).astype([np.uint8, float][packed])
        arrays = {"wordlist": "a", "documents": words, "newsgroups": groups}
        savemat(path, arrays, do_compression=packed)
        data, expected = load_dataset("20newsgroups", data_home=tmp_path), loadmat(path)
        dense = expected["documents"].toarray().T.astype(np.float32)
        np.testing.assert_array_equal(data.X.toarray(), dense)
        np.testing.assert_array_equal(data.y, expected["newsgroups"].ravel())


def test_newsgroups_that_do_not_fit(tmp_path):
    path = tmp_path / "20news_w100.mat"
    write_newsgroups(tmp_path, newsgroups=None)
    with pytest.raises(ValueError, match="KeyError: 'newsgroups'"):
        load_dataset("20newsgroups", data_home=tmp_path)
    write_newsgroups(tmp_path, newsgroups=np.array([[1, 2]]))
    with pytest.raises(ValueError, match=r"3 rows, but its labels have shape \(2,\)"):
        load_dataset("20newsgroups", data_home=tmp_path)
    documents = csr_array(np.eye(3)).tocsc()
    documents.indices[1] = 1000
    write_newsgroups(tmp_path, documents=documents)
    with pytest.raises(ValueError, match="ValueError: ind"):
        load_dataset("20newsgroups", data_home=tmp_path)
    write_newsgroups(tmp_path)
    for content in (b"", b"not a mat file" * 20, path.read_bytes()[:200]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="cannot be read as a MATLAB 5 file"):
            load_dataset("20newsgroups", data_home=tmp_path)


def test_proteins_are_one_hot_in_the_documented_order(tmp_path):
    lines = ">>S1\nAC-\n>S2 wrapped\nY\nWA\n"
    data = packed(lines.encode())
    (tmp_path / "ww_domain_msa.fasta.gz").write_bytes(data)
    X = load_dataset("proteins", data_home=tmp_path).X
    assert X.shape == (2, 3 * 21) and X.dtype == np.float32
    Softmax(21).check(X)
    states = X.reshape(2, 3, 21).argmax(axis=2)
    assert states.tolist() == [[0, 1, 20], [19, 18, 0]]
    # "ACDEFGHIKLMNPQRSTVWY-" is in the docstring of load_dataset, too.
    assert AMINO_ACIDS in load_dataset.__doc__


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (packed(b""), "has 0 sequences"),
        (packed(b"ACD\n"), "has 0 sequences"),
        (packed(b"ACD\n>S2\nACD\n"), "after a line"),
        (packed(b">S1\n>S2\n"), "has 2 sequences of 0 to 0 letters"),
        (packed(b">S1\nACD\n>S2\nAC\n"), "2 to 3 letters"),
        (packed(b">S1\nACD\n>S2\nAC\n>S3\nACD\n"), "2 to 3 letters"),
        (b">S1\nACD\n>S2\nACDE\n", "3 to 4 letters"),
        (packed(b">S1\nAXc\n"), r"has the letters \['X', 'c'\]"),
        (packed(b">S1\nA\xe4\n"), "has the letters"),
        (packed(b">S1\n" + b"ACD" * 99)[:-9], "not a complete gzip file"),
    ],
)
def test_alignment_that_does_not_fit(tmp_path, content, message):
    (tmp_path / "ww_domain_msa.fasta.gz").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_dataset("proteins", data_home=tmp_path)


@pytest.mark.parametrize("piece", [1, 2, 3, 7])
def test_proteins_whatever_pieces_they_are_read_in(tmp_path, monkeypatch, piece):
    monkeypatch.setattr("dbn.datasets.readers.streams._PIECE", piece)
    path = tmp_path / "ww_domain_msa.fasta"  # not packed, as some browsers leave it
    path.write_bytes(b"\n>a > b\r\nAC\r\n>\nD\nE\n\n>c\n F G")
    X = load_dataset("proteins", data_home=tmp_path).X
    states = X.reshape(3, 2, 21).argmax(axis=2)
    assert [[AMINO_ACIDS[i] for i in row] for row in states] == [
        ["A", "C"],
        ["D", "E"],
        ["F", "G"],
    ]


@pytest.mark.parametrize("name", ["binarized-mnist", "20newsgroups", "proteins"])
def test_missing_files_are_named(tmp_path, monkeypatch, name):
    monkeypatch.delenv("DBN_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=f"{name}.* no folder .*--data-home"):
        load_dataset(name)
    monkeypatch.setenv("DBN_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no \w+\.[\w. ]+ in .*--data-home"):
        load_dataset(name)


@pytest.fixture
def data_home(request):
    """The folder of the real data, where it has the data set of this test."""
    home = os.environ.get("DBN_DATA")
    if not home or not (Path(home) / request.param).is_dir():
        pytest.skip(f"DBN_DATA has no folder {request.param}")
    return home


@pytest.mark.parametrize("data_home", ["binarized-mnist"], indirect=True)
def test_the_real_binarized_mnist(data_home):
    data = load_dataset("binarized-mnist")
    rows = [len(X) for X in (data.X, data.X_valid, data.X_test)]
    assert rows == [50000, 10000, 10000]
    for X in (data.X, data.X_valid, data.X_test):
        assert X.dtype == np.float32 and X.shape[1] == 784
        assert ((X == 0) | (X == 1)).all() and 0.12 < X.mean() < 0.14


@pytest.mark.parametrize("data_home", ["20newsgroups"], indirect=True)
def test_the_real_newsgroups(data_home):
    data = load_dataset("20newsgroups")
    assert data.X.shape == (16242, 100) and data.X.nnz == 65451
    assert set(data.X.data) == {1.0}
    assert np.bincount(data.y).tolist() == [0, 4605, 3519, 2657, 5461]


@pytest.mark.parametrize("data_home", ["proteins"], indirect=True)
def test_the_real_proteins(data_home):
    X = load_dataset("proteins").X
    assert X.shape == (17233, 31 * 21)
    Softmax(21).check(X)
    first = X[0].reshape(31, 21).argmax(axis=1)
    assert "".join(AMINO_ACIDS[i] for i in first) == "LPGEWKPCQDIT-GDIYYFNFANGQSMWDHP"
    assert len(np.unique(X.astype(bool), axis=0)) == 7503


def test_unknown_names_and_missing_files(tmp_path):
    with pytest.raises(ValueError, match=r"'cifar' is not known. Use 'digits'"):
        load_dataset("cifar")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        load_dataset(tmp_path / "none.csv")


def test_test_rows_are_drawn_once_for_all_scripts():
    data = load_dataset("digits")
    first, again, other = (data.with_test(seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.X_test, again.X_test)
    assert not np.array_equal(first.X_test, other.X_test)
    assert len(first.X) + len(first.X_test) == len(data.X)
    shares = [np.bincount(y) / len(y) for y in (first.y, first.y_test)]
    np.testing.assert_allclose(*shares, atol=0.005)
    assert first.with_test(5) is first
    bars = load_dataset("bars-and-stripes")
    assert bars.with_test() is bars
    numbers = load_dataset("diabetes").with_test()  # not every value alike
    assert len(numbers.X_test) == 133 and numbers.target == "numbers"


def test_no_test_rows_of_a_class_with_one_row(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("a,b\n1,x\n2,x\n3,rare\n")
    with pytest.raises(ValueError, match=r"class 'rare' has one row, .* at least two"):
        load_dataset(path).with_test()


def test_no_test_rows_of_more_classes_than_there_are_of_them(tmp_path):
    ages = [f"1,{20 + i % 10}" for i in range(30)]
    (tmp_path / "ages.csv").write_text("\n".join(["a,b", *ages]))
    data = load_dataset(tmp_path / "ages.csv")
    words = r"9 test rows cannot be drawn of 10 classes .* \(--target numbers\)\. Rem"
    with pytest.raises(ValueError, match=words):
        data.with_test()
    told = dataclasses.replace(data, told_target="numbers")
    assert told.target == "numbers" and "numbers from 20 to 29" in told.summary()
    assert len(told.with_test().X_test) == 9


def test_a_column_that_a_model_knows_needs_no_value(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("a,b,label\n1,,x\n2,,y\n")
    data = load_dataset(path, known_columns=["a", "b"])
    assert np.isnan(data.X[:, 1]).all() and data.columns == ("a", "b")
    with pytest.raises(ValueError, match="features without any value: column 'b'"):
        load_dataset(path, known_columns=["a"])


@pytest.mark.parametrize("labels", [["007", "7"], [str(2**60), str(2**60 + 1)]])
def test_codes_stay_words(tmp_path, labels):
    path = tmp_path / "codes.csv"
    lines = [f"{i / 10},{labels[i % 2]}" for i in range(8)]
    path.write_text("\n".join(["a,code", *lines]) + "\n")
    assert sorted(set(load_dataset(path).y.tolist())) == sorted(labels)


def test_what_was_taken_for_no_label_is_said(tmp_path):
    path = tmp_path / "some.csv"
    lines = [f"{i / 10},{['a', 'b', 'None', ''][i % 4]}" for i in range(8)]
    path.write_text("\n".join(["x1,kind", *lines]) + "\n")
    data = load_dataset(path)
    assert "4 of 8 rows labelled" in data.summary()
    assert "'None' taken for no label" in data.summary()


def test_a_decimal_comma_between_tabs(tmp_path):
    path = tmp_path / "europe.tsv"
    path.write_text("a\tb\tkind\n0,5\t1,5\tu\n0,25\t2,5\tv\n")
    np.testing.assert_array_equal(load_dataset(path).X, [[0.5, 1.5], [0.25, 2.5]])


def test_arrays_that_are_not_read_are_named(tmp_path):
    X = np.eye(4)
    np.savez(tmp_path / "a.npz", X=X, y_train=np.arange(4))
    assert "not read: 'y_train'" in load_dataset(tmp_path / "a.npz").summary()
    np.savez(tmp_path / "b.npz", X_train=X, target=np.arange(4))
    with pytest.raises(ValueError, match=r"has the arrays \['X_train', 'target'\]; it"):
        load_dataset(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_text("a,b")
    with pytest.raises(ValueError, match="another kind of file under this name"):
        load_dataset(tmp_path / "c.npz")


def test_true_is_no_number_of_a_column(tmp_path):
    (tmp_path / "a.csv").write_text("0.1,2,a\n0.3,4,b\n")
    with pytest.raises(ValueError, match="label_column is True"):
        load_dataset(tmp_path / "a.csv", label_column=True)


def test_evaluation_offers_the_same_names():
    names = ["Dataset", "bars_and_stripes", "load_dataset", "make_curves"]
    assert dbn.datasets.__all__ == names
    for name in dbn.datasets.__all__:
        assert getattr(dbn.evaluation, name) is getattr(dbn.datasets, name)


def test_labels_of_test_rows_may_be_most_of_a_file(tmp_path):
    """Its size was compared with that of an array counted twice."""
    y = np.arange(400) % 3
    np.savez(tmp_path / "a.npz", X=np.eye(3)[:2], y=y[:2], X_test=np.eye(3), y_test=y)
    with pytest.raises(ValueError, match="3 rows"):
        load_dataset(tmp_path / "a.npz")
    rows = np.zeros((400, 1))
    np.savez(tmp_path / "b.npz", X=rows[:2], y=y[:2], X_test=rows, y_test=y)
    np.testing.assert_array_equal(load_dataset(tmp_path / "b.npz").y_test, y)


@pytest.mark.parametrize("name", ["rows.csv", "rows.npy"])
def test_numbers_that_single_precision_makes_equal_keep_their_precision(tmp_path, name):
    """Times in milliseconds, numbers of customers; but years and constants fit."""
    t = np.arange(200) % 100
    few = np.column_stack([2024 - t % 7, 0 * t + 0.1, t / 7])
    several = [(few, np.float32)]
    for column in (1.7e12 + 600 * t, 20240000000.0 + t):
        several.append((np.column_stack([few, column]), np.float64))
    path = tmp_path / name
    for X, dtype in several:
        if name.endswith("csv"):
            rows = [",".join(map(repr, row)) for row in X.tolist()]
            lines = [f"{row},{'ox'[i % 2]}" for i, row in enumerate(rows)]
            path.write_text(
                "\n".join([",".join([*"abcd"[: X.shape[1]], "label"]), *lines])
            )
        else:
            np.save(path, X)
        found = load_dataset(str(path)).X
        assert found.dtype == dtype
        assert len(np.unique(found[:, -1])) == len(np.unique(X[:, -1]))


@pytest.mark.parametrize("kind", [csr_array, csr_matrix])
def test_rows_without_a_label_may_be_sparse(kind):
    X, y = np.eye(6, dtype=np.float32), np.array([1, 2, 3, 1, 2, 3])
    data = Dataset("words", kind(X), y).with_unlabeled(1)
    assert data.summary() == "label: 2 classes; 6 features; 4 of 6 rows labelled"
    for part, rows in (
        (data.X, [1, 2, 4, 5]),
        (data.X_unlabeled, [0, 3]),
        (data.all_rows(), [1, 2, 4, 5, 0, 3]),
        (data.with_unlabeled(2).X_unlabeled, [1, 4, 0, 3]),
    ):
        assert isinstance(part, kind) and part.dtype == np.float32
        np.testing.assert_array_equal(part.toarray(), X[rows])
    more = Dataset("words", kind(X), y, X_unlabeled=X[:1])  # which is dense
    np.testing.assert_array_equal(more.all_rows().toarray(), [*X, X[0]])
    assert more.summary().endswith("6 of 7 rows labelled")


@pytest.mark.parametrize("bright", ["X", "X_unlabeled", "X_valid", "X_test"])
def test_bytes_in_any_part_are_bytes_in_all(tmp_path, bright):
    """Few images may all be dark."""
    parts = ["X", "X_unlabeled", "X_valid", "X_test"]
    arrays = {part: np.eye(4, dtype=np.uint8).reshape(4, 2, 2) for part in parts}
    arrays[bright] = 254 * arrays[bright]
    np.savez(tmp_path / "mine.npz", **arrays)
    data = load_dataset(tmp_path / "mine.npz")
    assert "bytes divided by 255" in data.notes
    for part in parts:
        found = getattr(data, part)
        np.testing.assert_allclose(found, arrays[part].reshape(4, 4) / 255, rtol=1e-6)
