"""Frames with categories, booleans and values not known, as numbers and back."""

import pickle
import warnings
from datetime import datetime
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from dbn import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    RBMTransformer,
    load_model,
    save_model,
)
from dbn.boltzmann import Bernoulli, Gaussian, Mixed, Softmax
from dbn.estimators import to_sklearn
from dbn.estimators.frames import FrameColumns, frame_columns
from dbn.storage.packing import ModelFileError
from dbn.training import RBMMonitor

from .toy import ALL, X, Y, message, output, rbm, small


def people(**columns):
    frame = {
        "age": [30.0, np.nan, 50.0],
        "town": ["Rome", "Bern", None],
        "size": pd.Categorical(["S", "L", "S"], categories=["S", "M", "L"]),
        "smokes": [True, False, True],
        "rooms": pd.array([1, None, 3], dtype="Int64"),
        "owns": pd.array([True, None, False], dtype="boolean"),
        "floor": pd.Categorical([3, 1, 3]),
        "country": ["CH"] * 3,
        "pet": np.array([True, None, False], dtype=object),
    }
    return pd.DataFrame({**frame, **columns})


TIMES = pd.date_range("2020", periods=3)
ENCODED = np.array(
    [
        # age, town_Bern, town_Rome, size_L, size_S, smokes, rooms, owns, floor, pet
        [30, 0, 1, 0, 1, 1, 1, 1, 0, 1, 1],
        [np.nan, 1, 0, 1, 0, 0, np.nan, np.nan, 1, 0, np.nan],
        [50, np.nan, np.nan, 0, 1, 1, 3, 0, 0, 1, 0],
    ],
    dtype=float,
)


def test_every_kind_of_column_becomes_numbers():
    """A category that no row has, and a column with one value, have no column."""
    columns = frame_columns(people())
    np.testing.assert_array_equal(columns.encode(people()), ENCODED)
    assert columns.visible_names == [
        "age",
        "town_Bern",
        "town_Rome",
        "size_L",
        "size_S",
        "smokes",
        "rooms",
        "owns",
        "floor_1",
        "floor_3",
        "pet",
    ]
    assert columns.group_sizes == [1, 2, 2, 1, 1, 1, 2, 0, 1]


def test_numbers_become_the_columns_that_came_in():
    frame = people()
    back = frame_columns(frame).decode(np.nan_to_num(ENCODED, nan=0.6))
    assert list(back.columns) == list(frame.columns)
    assert back["town"].tolist() == ["Rome", "Bern", "Bern"]
    assert back["floor"].tolist() == [3, 1, 3]
    assert back["size"].dtype == "category"
    assert back["smokes"].tolist() == [True, False, True]
    assert back["rooms"].tolist() == [1.0, 0.6, 3.0]
    assert back["country"].tolist() == ["CH"] * 3


def test_a_value_that_fit_has_not_seen_is_not_known_and_said():
    """Else it is only less strange than a value that is known."""
    columns = frame_columns(people())
    with pytest.warns(UserWarning) as caught:
        rows = columns.encode(people(town=["Oslo", "Bern", "Rome"]))
    np.testing.assert_array_equal(rows[:, 1:3], [[np.nan, np.nan], [1, 0], [0, 1]])
    assert [str(w.message) for w in caught] == [
        "Column 'town' has values that the model was not fitted on in 1 of 3 rows, "
        "such as 'Oslo': they count as not known. If one of them is a value of fit "
        "('Bern', ...), write it as it was."
    ]


def test_a_column_with_no_value_of_fit_is_reported():
    columns = frame_columns(people())
    some = {"town": ["rome"] * 3}, {"floor": [7, 8, 9]}, {"country": ["DE", None, "AT"]}
    for wrong in some:
        (name,) = wrong
        with pytest.warns(UserWarning, match=f"Column '{name}' has .* no value at all"):
            rows = columns.encode(people(**wrong))
        of_it = [n.startswith(f"{name}_") for n in columns.visible_names]
        assert np.isnan(rows[:, of_it]).all()
    # Nothing known, and values of which some are not.
    for fine in ([np.nan] * 3, [None] * 3, ["Rome", None, None]):
        columns.encode(people(town=fine))
    # Equal values are equal, whatever type they have.
    of_bits = frame_columns(pd.DataFrame({"a": pd.Categorical([0, 1])}))
    for same in ([False, True], [0.0, 1.0], pd.Categorical([True, False])[[1, 0]]):
        np.testing.assert_array_equal(
            of_bits.encode(pd.DataFrame({"a": same})), [[1, 0], [0, 1]]
        )


NOTHING = {
    "None": [None] * 3,
    "NaN": [np.nan] * 3,
    "string": pd.array([None] * 3, dtype="string"),
    "Float64": pd.array([None] * 3, dtype="Float64"),
    "boolean": pd.array([None] * 3, dtype="boolean"),
    "category": pd.Categorical([None] * 3),
    "NaT": pd.to_datetime([None] * 3),
}


@pytest.mark.parametrize("nothing", NOTHING.values(), ids=NOTHING)
def test_a_column_without_a_value_is_not_known_whatever_its_type(nothing):
    """As one row of JSON makes it."""
    columns = frame_columns(people())
    for name, size in zip(columns.names, columns.group_sizes, strict=True):
        rows = columns.encode(people(**{name: nothing}))
        of_it = [n.split("_")[0] == name for n in columns.visible_names]
        assert sum(of_it) == size
        assert np.isnan(rows[:, of_it]).all()
    numbers = pd.DataFrame(
        {"a": [1.0, 2.0, 4.0], "b": [3.0, 1.0, 2.0]}, index=[5, 6, 7]
    )
    model, given = rbm().fit(numbers), numbers.assign(a=nothing)
    np.testing.assert_array_equal(
        model.transform(given), model.transform(given.assign(a=np.nan))
    )
    drawn = model.sample(given=given[:1], steps=2, random_state=0)
    assert np.isfinite(np.asarray(drawn)).all()


def test_a_column_of_polars_without_a_value_is_not_known():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"age": [30.0, 40.0], "town": ["Rome", "Bern"]})
    columns, model = frame_columns(frame), rbm().fit(frame[["age"]])
    nothing = pl.Series([None] * 2)
    for name in frame.columns:
        rows = columns.encode(frame.with_columns(nothing.alias(name)))
        assert np.isnan(rows).sum() == (2 if name == "age" else 4)
    lost = model.transform(pl.DataFrame({"age": nothing}))
    same = model.transform(pl.DataFrame({"age": [np.nan, np.nan]}))
    np.testing.assert_array_equal(lost, same)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_other_libraries_give_the_same_numbers(library):
    import narwhals.stable.v2 as nw

    pytest.importorskip(library)
    data = {
        "age": [30.0, None, 50.0],
        "town": ["Rome", "Bern", None],
        "smokes": [True, False, None],
    }
    frame = nw.from_dict(data, backend=library).to_native()
    columns = frame_columns(frame)
    pandas = pd.DataFrame(data).convert_dtypes()
    numbers = frame_columns(pandas).encode(pandas)
    np.testing.assert_array_equal(columns.encode(frame), numbers)
    back = columns.decode(np.nan_to_num(numbers))
    assert type(back) is type(frame)


def test_a_category_that_no_row_got_is_still_one():
    frame = pd.DataFrame(
        {"town": pd.Categorical(["b", "a", "c"]), "n": [3.0, 1.0, 2.0]}
    )
    frame["floor"] = pd.Categorical([2, 1, 3])
    columns = frame_columns(frame)
    back = columns.decode(columns.encode(frame)[:1])
    for name in ("town", "floor"):
        assert back[name].dtype == frame[name].dtype
        assert back[name].tolist() == frame[name].tolist()[:1]
    assert back.index.tolist() == [0]


def test_categories_keep_their_order():
    sizes = pd.CategoricalDtype(["small", "medium", "large"], ordered=True)
    floors = pd.CategoricalDtype([3, 1, 2], ordered=True)
    frame = pd.DataFrame(
        {
            "size": pd.Series(["large", "small", "medium"], dtype=sizes),
            "floor": pd.Series([1, 2, 3], dtype=floors),
        }
    )
    columns = frame_columns(frame)
    assert columns.visible_names == [
        *("size_small", "size_medium", "size_large", "floor_3", "floor_1", "floor_2")
    ]
    back = columns.decode(columns.encode(frame))
    pd.testing.assert_frame_equal(back, frame)
    last = columns.decode(columns.encode(frame[2:]))
    pd.testing.assert_frame_equal(last, frame[2:].reset_index(drop=True))


def test_an_enum_of_polars_is_one_again():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(
        {"size": pl.Series(["L", "S", None], dtype=pl.Enum(["S", "M", "L"]))}
    )
    columns = frame_columns(frame)
    assert columns.visible_names == ["size_S", "size_L"]  # M is in no row
    back = columns.decode([[0.9, 0.1], [0.1, 0.9]])
    assert back.schema == {"size": pl.Enum(["S", "L"])}
    assert back["size"].to_list() == ["S", "L"]


def test_a_frame_of_numbers_alone_needs_nothing():
    assert frame_columns(people()[["age", "rooms"]]) is None
    assert frame_columns(np.eye(2)) is frame_columns([[1.0]]) is None


def test_single_precision_stays():
    frame = pd.DataFrame({"a": np.float32([1.5, 2.5]), "b": ["x", "y"]})
    assert frame_columns(frame).encode(frame).dtype == np.float32


@pytest.mark.parametrize(
    "column, error, words",
    [
        (pd.date_range("2020", periods=3), TypeError, "'odd' holds Datetime"),
        ([None] * 3, ValueError, "'odd' has no value"),
        ([1, "x", None], TypeError, "'odd' holds objects"),
        (pd.Categorical([(1,), (2,), (1,)]), TypeError, "type tuple"),
    ],
)
def test_what_is_no_column_is_refused_by_name(column, error, words):
    with pytest.raises(error, match=words):
        frame_columns(people(odd=column))


@pytest.mark.parametrize(
    "later, words",
    [
        (np.eye(3), "X is a ndarray. Pass a frame with the columns"),
        (people(town=[1, 2, 3]), "'town' held categories such as 'Bern'"),
        (people(age=["a", "b", "c"]), "'age' held numbers"),
        (people(town=[True, False, None]), "'town' held categories such as 'Bern'"),
        (people(floor=["3", "1", "3"]), "'floor' held categories such as 1"),
        (people(floor=pd.Categorical(["3", "1", "3"])), "now holds Categorical"),
        (people(smokes=["True", "False", "True"]), "'smokes' held booleans"),
        (people(owns=pd.Categorical(["True", None, "no"])), "'owns' held booleans"),
        (people(age=TIMES), "'age' held numbers .* now holds Datetime"),
        (people(owns=TIMES), "'owns' held booleans .* now holds Datetime"),
        (people(floor=TIMES), "'floor' held categories such as 1 .* now holds Date"),
        (people(town=TIMES), "'town' held categories such as 'Bern' .* now holds Date"),
        (people(age=TIMES - TIMES), "'age' held numbers .* now holds Duration"),
        (people(age=[t.date() for t in TIMES]), "'age' holds objects of which some"),
        (people(owns=[t.date() for t in TIMES]), "'owns' held booleans .* Object"),
        (people(age=TIMES.to_period("M")), "'age' held numbers"),
        (people(age=np.array([1j, 2.0, 3.0])), "'age' held numbers"),
        (people(floor=[[1], [2], [3]]), "'floor' held categories .* such as .1.. Pass"),
    ],
)
def test_other_kinds_after_fit_are_refused(later, words):
    with pytest.raises(TypeError, match=words):
        frame_columns(people()).encode(later)


@pytest.mark.parametrize(
    "n_values, n_rows, warned",
    [(60, 60, True), (21, 60, True), (20, 60, False), (21, 210, False)],
)
def test_a_column_of_texts_without_end_is_named(n_values, n_rows, warned):
    """Names, dates and numbers of people: a category each, which few other rows have.

    By the number of a person with three rows a net knew all of them.
    """
    dates = [f"day {i % n_values}" for i in range(n_rows)]
    frame = pd.DataFrame({"when": [*dates, None], "size": np.arange(n_rows + 1.0)})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        RBMTransformer(3, max_iter=1).fit(frame)
    told = [str(w.message) for w in caught if "different values" in str(w.message)]
    assert len(told) == warned
    for words in told:
        assert f"Column 'when' has {n_values} different values in 60 rows" in words
        assert "written like numbers" not in words


@pytest.mark.parametrize("text", ["1 0{}", "${}", "{}%", "-{},500.5", "{} €"])
def test_texts_that_are_numbers_are_told_as_such(text):
    cells = [text.format(i) for i in range(10, 50)]
    frame = pd.DataFrame({"pay": [*cells, "no"], "size": np.arange(41.0)})
    words = f"Most are written like numbers, such as {cells[0]!r}."
    with pytest.warns(UserWarning, match="different values") as caught:
        frame_columns(frame[::-1])
    assert words.split("'")[0] in str(caught[0].message)


def test_a_list_of_categories_has_an_end():
    pl = pytest.importorskip("polars")
    towns = [f"town {i}" for i in range(40)]
    frame = pl.DataFrame({"town": pl.Series(towns, dtype=pl.Enum(towns))})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame_columns(frame)


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame_columns(people()).encode(people())


# Estimators


def customers(n=120, library="pandas", seed=0):
    """A table in which the town says much, and the other columns a little."""
    rng = np.random.default_rng(seed)
    town = rng.choice(["Bern", "Oslo", "Rome"], n)
    age = rng.normal(40.0 + 10.0 * (town == "Rome"), 5.0)
    member = rng.random(n) < np.where(town == "Bern", 0.9, 0.2)
    data = {"age": age, "town": town, "member": member, "size": rng.random(n) * 9}
    if library == "polars":
        return pytest.importorskip("polars").DataFrame(data)
    frame = pd.DataFrame(data)
    return frame.assign(town=frame["town"].astype("category"))


FRAME = customers()
BOUGHT = np.where(FRAME["town"] == "Bern", "yes", "no")
AGES = FRAME["age"].to_numpy()
VISIBLE = ["age", "town_Bern", "town_Oslo", "town_Rome", "member", "size"]
KINDS = Mixed(
    (
        (Gaussian(learn_variance=True), 1),
        (Softmax((3,)), 3),
        (Bernoulli(), 1),
        (Gaussian(learn_variance=True), 1),
    )
)
NETS = [DBNClassifier, DBNRegressor]
LIBRARY = pytest.mark.parametrize("library", ["pandas", "polars"])
EVERY = pytest.mark.parametrize("cls", ALL)


def target(cls):
    return BOUGHT if cls is DBNClassifier else AGES


def fitted(cls, frame=FRAME, **params):
    return small(cls, **params).fit(frame, target(cls))


def encoded(frame):
    """By hand: numbers, one column per town, and 0 and 1."""
    towns = np.array(frame["town"])[:, None] == np.array(["Bern", "Oslo", "Rome"])
    numbers = [np.array(frame[name], dtype=float) for name in ("age", "member", "size")]
    return np.column_stack([numbers[0], towns, *numbers[1:]])


@LIBRARY
@EVERY
def test_a_frame_is_what_it_is_in_numbers(cls, library):
    """The same as the model of the encoded rows, with the same units."""
    frame = customers(library=library)
    model, numbers = fitted(cls, frame), encoded(FRAME)
    machines = {"visible": KINDS}
    if cls is not RBMTransformer:
        machines = {"rbm": rbm(visible=KINDS)}
    same = small(cls, **machines).fit(numbers, target(cls))
    assert model.visible_ == KINDS
    np.testing.assert_array_equal(output(model, frame), output(same, numbers))
    np.testing.assert_array_equal(model.mean_, same.mean_)


@LIBRARY
@EVERY
def test_features_are_the_columns_of_the_frame(cls, library):
    model = fitted(cls, customers(library=library))
    assert model.n_features_in_ == 4
    assert [*model.feature_names_in_] == ["age", "town", "member", "size"]
    assert [*model.visible_names_] == VISIBLE
    if cls in NETS:
        assert model.coefs_[0].shape == (6, 4)
    if cls is RBMTransformer:
        assert model.components_.shape == (4, 6)
        assert model.intercept_visible_.shape == (6,)


@EVERY
def test_numbers_have_names_as_well(cls):
    assert [*small(cls).fit(X, Y).visible_names_] == ["x0", "x1", "x2", "x3", "x4"]
    frame = pd.DataFrame(X, columns=[*"abcde"])
    model = small(cls).fit(frame, Y)
    assert [*model.visible_names_] == [*"abcde"]
    assert model.columns_ is None
    if cls not in NETS:
        assert isinstance(model.inverse_transform(model.transform(frame)), np.ndarray)


@LIBRARY
@pytest.mark.parametrize("cls", [RBMTransformer, DBNTransformer])
def test_samples_and_reconstructions_are_frames(cls, library):
    frame = customers(library=library)
    model = fitted(cls, frame)
    for rows in (
        model.sample(30, steps=20, random_state=0),
        model.inverse_transform(model.transform(frame)),
    ):
        assert type(rows) is type(frame)
        assert [*rows.columns] == [*frame.columns]
        assert {*rows["town"]} <= {"Bern", "Oslo", "Rome"}
        assert {*rows["member"]} <= {True, False}
        assert 20.0 < np.mean(np.array(rows["age"])) < 70.0
        if library == "pandas":
            assert [*rows.dtypes[["town", "member"]]] == ["category", "bool"]
    assert model.transform(rows).shape == (len(rows), model.transform(frame).shape[1])


@EVERY
def test_other_columns_are_refused_by_name(cls):
    model = fitted(cls)
    text = message(output, model, FRAME[["town", "age", "member", "size"]])
    assert "X has the columns ['town', 'age', 'member', 'size']" in text
    text = message(output, model, encoded(FRAME), error=TypeError)
    assert "X is a ndarray. Pass a frame with the columns ['age', 'town'" in text
    text = message(output, model, FRAME[:0])
    assert "0 sample(s)" in text
    frame = pd.DataFrame({"one": ["a"] * 120, "two": ["b"] * 120})
    text = message(small(cls).fit, frame, target(cls))
    assert "Each column of X has one value, 'one' for example 'a'" in text


@EVERY
def test_two_columns_of_one_name_are_named(cls):
    model = fitted(cls)
    for twice in (
        pd.concat([FRAME, FRAME[["age"]]], axis=1),
        pd.concat([FRAME[["age", "size"]]] * 2, axis=1),
    ):
        for method in (partial(small(cls).fit, y=target(cls)), partial(output, model)):
            text = message(method, twice)
            assert "X has several columns with one name: 'age'" in text


@EVERY
def test_rows_of_weight_zero_and_going_on(cls):
    weight = np.where(np.arange(120) < 100, 1.0, 0.0)
    model = small(cls).fit(FRAME, target(cls), sample_weight=weight)
    alone = small(cls).fit(FRAME[:100], target(cls)[:100])
    np.testing.assert_allclose(output(model, FRAME), output(alone, FRAME), rtol=1e-12)
    if cls is DBNTransformer:
        return
    again = small(cls, warm_start=True).fit(FRAME, target(cls))
    again.fit(FRAME[:50], target(cls)[:50])
    options = {"classes": ["no", "yes"]} if cls is DBNClassifier else {}
    model.partial_fit(FRAME[:7], target(cls)[:7], **options)
    first = small(cls).partial_fit(FRAME, target(cls), **options)
    first.partial_fit(FRAME[:7], target(cls)[:7])
    assert again.columns_ == model.columns_ == first.columns_
    assert first.visible_ == KINDS


@LIBRARY
@pytest.mark.parametrize("cls", NETS)
def test_rows_without_labels_rows_held_out_and_rows_to_watch(cls, library):
    frame, y = customers(library=library), target(cls)
    mark = "?" if cls is DBNClassifier else np.nan
    some = np.where(np.arange(120) % 3 == 0, mark, y)
    net = small(cls, unlabeled=mark).set_callbacks(RBMMonitor(frame[:9]))
    net.fit(frame, some, X_val=frame[:30], y_val=y[:30])
    assert np.isfinite(
        [e["validation_loss"] for e in net.history_ if "loss" in e]
    ).all()
    assert np.isfinite(net.score(frame, some))
    assert net.columns_.library == library
    stopping = small(cls, early_stopping=True, unlabeled=mark).fit(frame, some)
    assert "validation_score" in stopping.history_[-1]


@pytest.mark.parametrize("cls", NETS)
def test_a_stack_that_is_brought_brings_its_columns(cls):
    """Though rows that are fitted on do not have all towns."""
    stack = small(DBNTransformer).fit(FRAME)
    some = FRAME["town"] != "Rome"
    net = small(cls, init=FrozenEstimator(stack), hidden_layer_sizes=(256,))
    net.fit(FRAME[some], target(cls)[some])
    assert net.columns_ == stack.columns_
    assert [*net.visible_names_] == VISIBLE
    assert np.isfinite(net._outputs(FRAME, "predict")).all()
    other = FRAME.rename(columns={"age": "years"})
    assert "X has the columns ['years'" in message(net.fit, other, target(cls))
    text = message(net.fit, encoded(FRAME), target(cls), error=TypeError)
    assert "X is a ndarray" in text


@EVERY
def test_searches_pipelines_and_clones_take_frames(cls):
    model = clone(fitted(cls))
    pipe = make_pipeline("passthrough", model).fit(FRAME, target(cls))
    assert pipe[-1].columns_.names == [*FRAME.columns]
    if cls in NETS:
        scores = cross_val_score(model, FRAME, target(cls), cv=2)
        assert np.isfinite(scores).all()
    tags = get_tags(model).input_tags
    assert tags.categorical and tags.allow_nan and not tags.string


@EVERY
def test_one_file_is_the_whole_model(cls, tmp_path):
    for frame in (FRAME, customers(library="polars")):
        model = fitted(cls, frame)
        save_model(model, tmp_path / "model.dbn")
        loaded = load_model(tmp_path / "model.dbn")
        assert loaded.columns_ == model.columns_
        assert [*loaded.visible_names_] == VISIBLE
        np.testing.assert_array_equal(output(loaded, frame), output(model, frame))
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(output(again, frame), output(model, frame))
        if hasattr(loaded, "sample"):
            drawn = loaded.sample(5, steps=3, random_state=0)
            assert type(drawn) is type(frame)


def test_names_that_are_no_strings_come_back(tmp_path):
    frame = FRAME.set_axis([0, 1, 2, 3], axis=1)
    model = rbm(random_state=0).fit(frame)
    save_model(model, tmp_path / "model.dbn")
    rows = load_model(tmp_path / "model.dbn").sample(3, steps=2)
    assert [*rows.columns] == [0, 1, 2, 3]
    assert [*model.visible_names_][:2] == ["0", "1_Bern"]


def test_a_net_for_torch_or_scikit_learn_takes_encoded_rows():
    net = fitted(DBNClassifier)
    rows = pd.DataFrame(net.columns_.encode(FRAME), columns=VISIBLE)
    mlp = to_sklearn(net)
    np.testing.assert_allclose(mlp.predict_proba(rows), net.predict_proba(FRAME))
    assert [*mlp.feature_names_in_] == VISIBLE
    assert mlp.n_features_in_ == 6


@pytest.mark.parametrize(
    "wrong",
    [
        {"names": ["age"]},
        {"names": "abcd"},
        {"kinds": ["number"] * 4},
        {"kinds": ["number", "category", "boolean", ["number"]]},
        {"categories": [[], ["Bern"], [], []]},
        {"categories": [[], ["Bern", None, "Rome"], [], []]},
        {"categories": [[], ["Bern", [1], "Rome"], [], []]},
        {"categories": [[], 3, [], []]},
        {"library": "os"},
        {"library": ["pandas"]},
        {"library": None},
    ],
    ids=str,
)
def test_columns_of_a_file_that_do_not_fit_are_refused(wrong, tmp_path):
    model = fitted(RBMTransformer)
    model.columns_ = FrameColumns(**model.columns_.get_params() | wrong)
    save_model(model, tmp_path / "model.dbn")
    message(load_model, tmp_path / "model.dbn", error=ModelFileError)


def test_sparse_columns_are_numbers():
    plain = pd.DataFrame({"a": [0.0, 2.0, 0.0, 5.0], "b": [0.0, 0.0, 1.0, 7.0]})
    thin = plain.astype(pd.SparseDtype(float, 0.0))
    texts = {"c": ["x", "y", "x", "y"]}
    for more, of_fit in (({}, False), (texts, True)):
        frame, other = thin.assign(**more), plain.assign(**more)
        assert (frame_columns(frame) is not None) == of_fit
        if of_fit:
            columns = frame_columns(other)
            np.testing.assert_array_equal(columns.encode(frame), columns.encode(other))
    bits = (thin > 0).astype(pd.SparseDtype(float, 0.0))
    assert np.isfinite(rbm().fit(bits).score(bits))


def test_a_query_is_not_rows():
    pl = pytest.importorskip("polars")
    query = pl.LazyFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    assert "Pass X.collect()" in message(rbm().fit, query, error=TypeError)
    fitted = rbm().fit(X)
    assert "Pass X.collect()" in message(fitted.transform, query, error=TypeError)


@pytest.mark.parametrize("cls", ALL)
def test_texts_for_a_model_of_numbers_are_named(cls):
    frame = pd.DataFrame(X, columns=[*"abcde"])
    model = small(cls).fit(frame, Y)
    objects = frame.astype(object)
    np.testing.assert_array_equal(output(model, objects), output(model, frame))
    objects.loc[0, "c"] = pd.NA
    holes = frame.mask(objects.isna())
    np.testing.assert_array_equal(output(model, objects), output(model, holes))
    small(cls).fit(objects, Y)
    words = "'c' held numbers when the model was fitted"
    times = pd.date_range("2020", periods=60)
    for later in ("x", np.array(["x"] * 60, object), times, times - times[0]):
        assert words in message(output, model, frame.assign(c=later), error=TypeError)
    dates = frame.assign(c=times.date)
    assert "'c' holds objects" in message(output, model, dates, error=TypeError)
    for array in (times.to_numpy(), (times - times[0]).to_numpy()):
        rows = np.tile(array[:, None], 5)
        assert "X holds" in message(small(cls).fit, rows, Y, error=TypeError)
        assert "X holds" in message(output, model, rows, error=TypeError)


@pytest.mark.parametrize("name", ["age", "flag", "town"])
def test_times_of_polars_are_no_numbers(name):
    """They were cast to numbers, and a net said what it liked."""
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(
        {"age": [1.0, 2.0], "flag": [True, False], "town": ["Rome", "Bern"]}
    )
    model, numbers = rbm().fit(frame), rbm().fit(frame[["age"]])
    day = datetime(2020, 1, 1)
    for strange in (day.date(), day, day - day, day.time(), b"1", [1.0], {"x": 1}):
        later = frame.with_columns(pl.Series(name, [strange] * 2))
        assert f"Column '{name}' h" in message(model.transform, later, error=TypeError)
        if name == "age":
            text = message(numbers.transform, later[["age"]], error=TypeError)
            assert "Column 'age' held numbers when" in text


@pytest.mark.parametrize("cls", [RBMTransformer, DBNTransformer, DBNAutoencoder])
def test_frames_that_come_back_have_the_index_of_those_given(cls):
    """Or ``frame.fillna(model.reconstruct(frame))`` would fill from other rows."""
    index = pd.Index([f"row {i}" for i in range(60)])[::-1]
    frame = pd.DataFrame({"a": X[:, 0], "b": 10.0 * X[:, 1]}, index=index)
    frame["c"] = np.where(X[:, 2] > 0.5, "yes", "no")
    model = small(cls).fit(frame)
    codes = model.set_output(transform="pandas").transform(frame)
    made = [model.inverse_transform(codes)]
    if cls is DBNAutoencoder:
        made.append(model.reconstruct(frame))
    else:
        made.append(model.sample(given=frame, steps=2))
        pd.testing.assert_series_equal(made[-1]["a"], frame["a"])
        assert isinstance(model.sample(5, steps=2).index, pd.RangeIndex)
    for back in made:
        pd.testing.assert_index_equal(back.index, index)
    several = frame.set_index([index, index])
    assert model.inverse_transform(model.transform(several)).index.nlevels == 2


@pytest.mark.parametrize("cls", [DBNClassifier, DBNAutoencoder])
def test_texts_for_a_stack_of_numbers_are_told_by_their_column(cls):
    frame = pd.DataFrame(X[:, :3], columns=["a", "b", "c"])
    net = small(cls, init=FrozenEstimator(small(DBNTransformer).fit(frame)))
    said = message(net.fit, frame.assign(b="Delft"), Y, error=TypeError)
    assert "Column 'b' held numbers" in said
