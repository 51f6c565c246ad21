"""Laws of identity: a change of any leaf shows, a copy does not."""

import copy
import pickle
import re
import subprocess
import sys
from collections import OrderedDict
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np
from scipy.sparse import csr_array
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from dbn import (
    DBN,
    RBM,
    DBNTransformer,
    Network,
    RBMTransformer,
    ScaledRows,
    load_model,
    save_model,
)
from dbn.backend import rows as rows_of_files
from dbn.backend.identity import identity
from dbn.boltzmann import (
    CD,
    FPCD,
    PCD,
    Bernoulli,
    Gaussian,
    ParallelTempering,
    ReLU,
    Softmax,
)
from dbn.feedforward import LSUV, LeakyReLU, Orthogonal, VarianceScaling
from dbn.training import (
    LBFGS,
    SGD,
    Adam,
    ConjugateGradient,
    RMSProp,
    Schedule,
    Sparsity,
)
from tests.estimators.toy import X, Y

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st_np.arrays(
        st.sampled_from(["f4", "f8", "i8", "u1", "U3", "?"]),
        st_np.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
)
TREES = st.recursive(
    LEAVES,
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.lists(inside, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=3), inside, max_size=4)
    ),
    max_leaves=8,
)


@given(TREES)
def test_copies_are_the_same(tree):
    assert identity(copy.deepcopy(tree)) == identity(tree)
    assert identity(pickle.loads(pickle.dumps(tree))) == identity(tree)


def places(tree, path=()):
    """Where the leaves of a tree are."""
    if isinstance(tree, dict | list | tuple) and len(tree):
        keys = tree if isinstance(tree, dict) else range(len(tree))
        for key in keys:
            yield from places(tree[key], (*path, key))
    else:
        yield path


def changed(tree, path, leaf):
    """The tree with another leaf at a place."""
    if not path:
        return leaf
    key, *rest = path
    items = dict(tree) if isinstance(tree, dict) else list(tree)
    items[key] = changed(tree[key], rest, leaf)
    return items if isinstance(tree, dict | list) else type(tree)(items)


@given(TREES, st.data())
def test_a_change_of_any_leaf_shows(tree, data):
    path = data.draw(st.sampled_from([*places(tree)]))
    old, new = tree, data.draw(LEAVES)
    for key in path:
        old = old[key]
    assert (identity(changed(tree, path, new)) == identity(tree)) == (
        identity(new) == identity(old)
    )


@given(
    st_np.arrays(
        st.sampled_from(["f4", "f8", "i8", "U3", "?"]),
        st_np.array_shapes(min_dims=1, max_dims=3, max_side=4),
    ),
    st.data(),
)
def test_a_change_of_any_number_of_an_array_shows(array, data):
    other = array.copy()
    place = tuple(data.draw(st.integers(0, n - 1)) for n in array.shape)
    other[place] = 1 if array[place] != 1 else 0
    assert identity(other) != identity(array)
    assert identity(np.asfortranarray(array)) == identity(array)
    assert identity(array[::-1][::-1]) == identity(array)


@given(st.dictionaries(st.text(max_size=3), st.integers(), max_size=5))
def test_the_order_of_a_dict_does_not_count(entries):
    backwards = dict(reversed(entries.items()))
    assert identity(backwards) == identity(entries)
    assert identity(OrderedDict(entries)) != identity(entries)


@given(st.sets(st.text()))
def test_the_order_of_a_set_does_not_count(found):
    assert identity({*sorted(found)}) == identity({*sorted(found, reverse=True)})


DIFFERENT = [
    *(1, 1.0, True, "1", b"1", [1], (1,), {1}, {1: 1}, None, 0.0, -0.0),
    *([], (), {}, "", b"", [[]], [[], []], [(), []], ["a", "b"], ["ab"], ["ab", ""]),
    *(np.float32(0.1), 0.1, np.zeros(2), np.zeros((2, 1)), np.zeros(2, np.float32)),
    *(np.array("1"), np.array(["1"]), np.array([1], object), np.array([1])),
    *(csr_array(np.eye(2)), csr_array(np.eye(3)), np.eye(2)),
    *(range(30), range(31), list(range(1000)), [*range(15), 0, *range(16, 1000)]),
    *("a" * 699 + "b" + "a" * 700, "a" * 1400),
    *(np.random.default_rng(0), np.random.default_rng(1), np.random.RandomState(0)),
    *(np.tanh, np.sin, len, sorted, SGD, Adam, np.add.reduce, np.multiply.reduce),
    *(re.compile("a"), re.compile("b"), partial(max, 1), partial(max, 2), Path("a")),
    *(SGD(), SGD(0.2), Adam(0.1), SGD(((0, 0.1), (1, 0.2))), SGD([(0, 0.1)])),
    *(Schedule(0.1, 0.0, epochs=3), Schedule(0.1, 0.0, epochs=4)),
    *(PCD(), PCD(n_chains=7), Softmax(3), Softmax(4)),
    *(RBM(3, 2), RBM(2, 3), RBM(3, 2, hidden="relu"), RBM(3, 2, dtype="f4")),
    *(DBN([RBM(3, 2)]), Network([3, 2]), Network([3, 2], dropout=[0.5])),
    *(RBMTransformer(), RBMTransformer(sampler=PCD()), RBMTransformer(random_state=0)),
    *(LogisticRegression(), LogisticRegression(C=2.0)),
]


def test_what_differs_differs():
    found = [identity(thing) for thing in DIFFERENT]
    assert len({*found}) == len(found)
    assert identity() != identity(None) != identity(None, None)
    assert identity([1, 2]) != identity(1, 2)


def test_other_processes_find_the_same():
    """Hashes of strings are random there, and addresses others."""
    code = (
        "from dbn.backend.identity import identity\n"
        "from tests.backend.test_identity import DIFFERENT\n"
        "print(*map(identity, DIFFERENT))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [identity(thing) for thing in DIFFERENT]


def test_parts_are_what_they_were_in_files_made_before():
    """Whichever file of a folder they stand in: checkpoints are found by it."""
    units = Bernoulli(), Gaussian(True), ReLU(), Softmax(3)
    assert [identity(unit)[:16] for unit in units] == [
        "4e0d56a297f0dffb",
        "2d9fe01c2f380bb4",
        "7792f2b3e8c87614",
        "09692b16d8cfad56",
    ]


def test_numbers_of_one_kind_are_what_they_are_worth():
    assert identity(np.int64(3)) == identity(3) == identity(np.uint8(3))
    assert identity(np.float64(0.1)) == identity(0.1) != identity(np.float32(0.1))
    assert identity(np.bool_(True)) == identity(True)
    assert identity(float("nan")) == identity(-float("nan"))
    assert identity(np.str_("a")) == identity("a")
    assert identity(10**5000) != identity(10**5000 + 1)


def test_random_streams_are_where_they_stand():
    rng = np.random.default_rng(0)
    before, other = identity(rng), copy.deepcopy(rng)
    rng.random()
    assert identity(rng) != before
    other.random()
    assert identity(rng) == identity(other)


def test_fitted_models_are_what_they_learned(tmp_path):
    one = DBNTransformer((3,), random_state=0).fit(X)
    same = DBNTransformer((3,), random_state=0, verbose=0).fit(X)
    other = DBNTransformer((3,), random_state=0).fit(1 - X)
    frozen = [identity(FrozenEstimator(dbn)) for dbn in (one, same, other)]
    assert frozen[0] == frozen[1] != frozen[2]
    assert identity(DBNTransformer((3,), random_state=0)) != identity(one)
    # What was only asked, and where it comes from, changes nothing.
    one.score(X)
    one.set_params(verbose=1, device="cpu").set_callbacks()
    save_model(same, tmp_path / "model")
    back = load_model(tmp_path / "model")
    assert identity(one) == identity(same) == identity(back)


@pytest.mark.parametrize("cls", [DecisionTreeClassifier, LogisticRegression])
def test_models_of_others_are_what_they_learned(cls):
    one, same = (cls(random_state=0).fit(X, Y) for _ in range(2))
    other = cls(random_state=0).fit(1 - X, Y)
    assert identity(one) == identity(same) != identity(other)


def test_tensors_are_their_numbers():
    torch = pytest.importorskip("torch")
    assert identity(torch.asarray(X)) == identity(X)


def test_frames_are_their_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    piece_by_piece = frame[["a"]].copy()
    piece_by_piece["b"] = frame["b"]
    assert identity(piece_by_piece) == identity(frame)
    for other in (frame[["b", "a"]], frame[::-1], frame.rename(columns={"a": "c"})):
        assert identity(other) != identity(frame)
    assert identity(frame["a"]) != identity(frame["b"])


def test_rows_of_files_are_their_bytes_and_what_is_done_to_them():
    images = np.arange(60, dtype=np.uint8).reshape(12, 5)
    other = images.copy()
    other[7, 3] += 1
    given = [
        ScaledRows(images),
        ScaledRows(images, 255),
        ScaledRows(images, 254),
        ScaledRows(images, 255, subtract=1),
        ScaledRows(images, 255, dtype=float),
        ScaledRows(ScaledRows(images, 255), 255),
        ScaledRows(images, 255).choose(np.arange(11)),
        ScaledRows(images, 255).choose(np.arange(11)[::-1]),
        ScaledRows(other, 255),
    ]
    found = [identity(rows) for rows in given]
    assert len({*found}) == len(found)
    assert identity(ScaledRows(images.copy(), 255)) == found[1]
    assert [identity(rows.remembering()) for rows in given] == found


@pytest.mark.parametrize("choose", [False, True])
@pytest.mark.parametrize("read", [ScaledRows.extent, lambda rows: [*rows.parts()]])
def test_rows_that_were_read_whole_are_not_read_again(read, choose, monkeypatch):
    images = np.arange(60, dtype=np.uint8).reshape(12, 5)
    plain = rows = ScaledRows(ScaledRows(images, 255), 2.0)
    expected = identity(plain.choose(np.arange(4)) if choose else plain)
    rows = rows.remembering()
    assert_equal = np.testing.assert_array_equal
    assert_equal(np.concatenate([*rows.parts()]), plain[:])
    read(rows)
    rows = rows.choose(np.arange(4)) if choose else rows
    monkeypatch.setattr(rows_of_files, "sha256_of", None)
    assert identity(rows) == expected
    with pytest.raises(TypeError):
        identity(plain)  # the caller's rows remember nothing


def local():
    class Local:
        pass

    return Local


@pytest.mark.parametrize(
    ("thing", "reason"),
    [
        (lambda: 0, "<lambda> has no name of its own"),
        (local(), "has no name of its own"),
        (local()(), "has no name of its own"),
        ((i for i in ()), "A builtins.generator cannot be told from others"),
        (sys.stdout.buffer, "cannot be told from others"),
    ],
)
def test_what_cannot_be_told_from_others_is_refused(thing, reason):
    with pytest.raises(ValueError, match=reason):
        identity([thing])


def test_what_holds_itself_is_refused():
    thing = []
    thing.append(thing)
    with pytest.raises(ValueError, match="list refers to itself"):
        identity(thing)


@pytest.mark.parametrize(
    ("part", "digits"),
    [
        (SGD(0.1), "1da43b876a9c"),
        (RMSProp(0.01), "817621d64b8f"),
        (Adam(0.01), "abbc3cd626a5"),
        (LBFGS(2), "4ebee8417234"),
        (ConjugateGradient(2), "94d0b557aa06"),
        (Sparsity(0.1), "c5c2faca0440"),
        (Schedule(0.1, 0.01, epochs=3), "2390599ba557"),
        (Bernoulli(), "4e0d56a297f0"),
        (Gaussian(), "5a87b12889cb"),
        (ReLU(), "7792f2b3e8c8"),
        (Softmax(3), "09692b16d8cf"),
        (CD(), "100dff4c89c5"),
        (PCD(), "808dfec04940"),
        (FPCD(), "15438d29c553"),
        (ParallelTempering(), "917753891a71"),
        (VarianceScaling(), "7773f9043e9e"),
        (Orthogonal(), "77fceca4ff6e"),
        (LSUV(), "3b1fc53aa6c6"),
        (LeakyReLU(), "575c4c2f0723"),
    ],
    ids=repr,
)
def test_parts_are_what_they_were_when_checkpoints_were_named_by_them(part, digits):
    """Whichever file of its folder a class stands in."""
    assert identity(part).startswith(digits)
