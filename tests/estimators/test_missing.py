"""Values in X that are not known: NaN, None, pandas.NA."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.frozen import FrozenEstimator
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
from dbn.backend.rows import ScaledRows
from dbn.boltzmann import Mixed
from dbn.estimators import from_sklearn, to_sklearn
from dbn.estimators.preprocessing import standardisation
from dbn.training import RBMMonitor
from tests.libraries import HAS_TORCH

from .toy import ALL, PREDICTORS, REAL, X, Y, message, output, rbm, small

BIT, SIGN = (REAL[:, 0] > 1.0) * 1.0, np.where(REAL[:, 1] > 1.0, 1.0, -1.0)
TABLE = np.column_stack([REAL[:, :2], BIT, SIGN])
HIDDEN = np.random.default_rng(0).random(TABLE.shape) < 0.2
HOLES = np.where(HIDDEN, np.nan, TABLE)
EVERY = pytest.mark.parametrize("cls", ALL)
NETS = pytest.mark.parametrize("cls", PREDICTORS)
OLD = sorted((Path(__file__).parents[1] / "data").glob("model-v1-[DR]*.dbn"))
DRAWN = {"init": "xavier_uniform", "rbm": None}


def net(cls, **params):
    """One that no machine begins."""
    return small(cls, **DRAWN | params)


def means(rows, weight=None):
    """Of what is known in each column."""
    weight = np.ones(len(rows)) if weight is None else weight
    known = ~np.isnan(rows)
    return np.array(
        [
            np.average(c[k], weights=weight[k])
            for c, k in zip(rows.T, known.T, strict=True)
        ]
    )


def filled(rows, values):
    return np.where(np.isnan(rows), values, rows)


@NETS
@pytest.mark.parametrize("weighted", [False, True])
def test_a_net_sees_the_mean_of_the_training_rows(cls, weighted):
    weight = np.linspace(0.5, 2.0, 60) if weighted else None
    model = net(cls).fit(HOLES, Y, sample_weight=weight)
    expected = means(HOLES, weight)
    assert_allclose(model.mean_[:2], expected[:2])
    spread = means((HOLES - expected) ** 2, weight) ** 0.5
    assert_allclose(model.scale_[:2], spread[:2])
    assert_allclose(model.fill_, [0.0, 0.0, *expected[2:]])
    assert isinstance(model.visible_, Mixed)
    known = filled(HOLES, expected)
    assert_allclose(output(model, HOLES), output(model, known), rtol=1e-12)
    one_by_one = np.concatenate([output(model, row[None, :]) for row in HOLES])
    assert_allclose(one_by_one, output(model, HOLES), rtol=1e-12)
    assert np.isfinite(output(model, np.full((1, 4), np.nan))).all()


@EVERY
def test_every_estimator_takes_them(cls):
    model = small(cls).fit(HOLES, Y)
    assert_allclose(
        output(model, HOLES), output(model, filled(HOLES, means(HOLES))), rtol=1e-9
    )
    assert get_tags(model).input_tags.allow_nan


@EVERY
@pytest.mark.parametrize("visible", ["auto", "bernoulli", "relu"])
def test_units_that_the_user_names(cls, visible):
    holes = np.where(X < 0.2, np.nan, X)
    machine = rbm(visible=visible)
    if cls is RBMTransformer:
        model = machine.set_params(random_state=0)
    else:
        model = small(cls, rbm=machine)
    model.fit(holes, Y)
    assert_allclose(model.fill_, means(holes))
    assert np.isfinite(output(model, holes)).all()
    text = message(model.fit, -9.0 - holes, Y) if visible != "auto" else "minimum"
    assert "minimum" in text


@NETS
def test_whatever_init_the_net_is_given_the_same_rows(cls):
    stack = small(DBNTransformer).fit(HOLES)
    frozen = {"init": FrozenEstimator(stack), "rbm": None}
    for params in ({}, {"init": "lsuv"}, frozen, {"init": DBNTransformer((4, 3))}):
        model = small(cls, **{"rbm": None} | params).fit(HOLES, Y)
        assert_allclose(model.fill_, stack.fill_)
        rows = filled((HOLES - model.mean_) / model.scale_, model.fill_)
        assert_allclose(model._filled(model._rows(HOLES)), rows)
        assert np.isfinite(model.loss_curve_).all()


@NETS
def test_rows_held_out_watched_and_unlabelled(cls):
    y = Y if cls is DBNRegressor else Y.astype(str)
    mark = np.nan if cls is DBNRegressor else "?"
    some = np.where(np.arange(60) % 4 == 0, mark, y)
    weight = np.where(np.arange(60) % 5 == 0, 0.0, 1.0)
    for params in (DRAWN, {}):
        model = small(cls, unlabeled=mark, **params)
        model.fit(HOLES, some, sample_weight=weight, X_val=HOLES[:9], y_val=y[:9])
        assert np.isfinite(model.history_[-1]["validation_loss"])
        watched = model.score(HOLES[:9], y[:9])
        assert_allclose(model.history_[-1]["validation_score"], watched)
        assert np.isfinite(model.score(HOLES, some))
        stopping = small(cls, unlabeled=mark, early_stopping=True, **params)
        stopping.fit(HOLES, some)
        assert np.isfinite(stopping.history_[-1]["validation_loss"])


@pytest.mark.parametrize("cls", [RBMTransformer, *PREDICTORS])
def test_training_goes_on(cls):
    for model in (small(cls), small(cls, **DRAWN if cls in PREDICTORS else {})):
        model.partial_fit(HOLES, Y)
        fill = model.fill_
        later = HOLES[:6].copy()
        later[:, 1] = np.nan  # a chunk may lack a column
        model.partial_fit(later, np.r_[Y[:6]])
        assert_array_equal(model.fill_, fill)
        assert np.isfinite(output(model, HOLES)).all()
        model.set_params(warm_start=True).fit(HOLES, Y)
        assert np.isfinite(output(model, HOLES)).all()


@EVERY
def test_callbacks_see_filled_rows(cls):
    model = small(cls).set_callbacks(RBMMonitor(HOLES[:9])).fit(HOLES, Y)
    assert np.isfinite(output(model, HOLES)).all()


@EVERY
def test_a_column_without_any_value_is_refused_by_name(cls):
    rows = HOLES.copy()
    rows[:, 2] = np.nan
    model = net(cls) if cls in PREDICTORS else small(cls)
    assert "not zero: ['x2']. Leave them out" in message(model.fit, rows, Y)
    frame = pd.DataFrame(rows, columns=[*"abcd"])
    assert "not zero: ['c']." in message(model.fit, frame, Y)
    text = message(model.fit, frame.assign(b=["x", "y"] * 30), Y)
    assert "not zero: ['c']." in text
    text = message(model.fit, frame.assign(b=[None] * 60), Y)
    assert "Column 'b' has no value" in text
    weight = np.ones(60)
    weight[~np.isnan(HOLES[:, 0])] = 0.0
    text = message(model.fit, HOLES, Y, sample_weight=weight)
    assert "not zero: ['x0']." in text


@EVERY
def test_sparse_rows_rows_of_files_and_infinities_are_refused(cls):
    holes = np.where(X < 0.2, np.nan, X)
    model = small(cls).fit(X, Y)
    for rows in (sparse.csr_array(holes), ScaledRows(holes)):
        assert "X contains NaN" in message(model.fit, rows, Y)
        assert "X contains NaN" in message(output, model, rows)
    holes[0, 0] = np.inf
    assert "infinity (1 values)" in message(model.fit, holes, Y)


NUMBERS = pd.DataFrame(HOLES, columns=[*"abcd"])
AS_FRAMES = {
    "NaN": NUMBERS,
    "None": NUMBERS.astype(object).where(NUMBERS.notna(), None),
    "NA": NUMBERS.convert_dtypes(),
}


@pytest.mark.parametrize("kind", AS_FRAMES)
@NETS
def test_frames_of_numbers_with_none_or_na(cls, kind):
    frame = AS_FRAMES[kind]
    model, expected = net(cls).fit(frame, Y), net(cls).fit(NUMBERS, Y)
    assert model.columns_ is None
    assert_array_equal(output(model, frame), output(expected, NUMBERS))


def people(n=90, library="pandas", seed=0):
    """Towns, memberships and ages, of which a tenth are not known."""
    rng = np.random.default_rng(seed)
    town = rng.choice(["Bern", "Oslo", "Rome"], n)
    columns = {
        "age": rng.normal(40.0 + 10.0 * (town == "Rome"), 5.0),
        "town": town,
        "member": rng.random(n) < np.where(town == "Bern", 0.9, 0.2),
    }
    data = {
        name: [
            None if hide else v
            for v, hide in zip(v.tolist(), rng.random(n) < 0.1, strict=True)
        ]
        for name, v in columns.items()
    }
    return (pytest.importorskip(library)).DataFrame(data), (town == "Bern") * 1


@pytest.mark.parametrize("library", ["pandas", "polars"])
@EVERY
def test_frames_with_holes_in_every_kind_of_column(cls, library, tmp_path):
    frame, y = people(library=library)
    for params in (DRAWN, {}) if cls in PREDICTORS else ({},):
        model = small(cls, **params).fit(frame, y)
        known = output(model, frame)
        assert np.isfinite(known).all()
        shares = means(model.columns_.encode(frame))
        assert_allclose(model.fill_, [0.0, *shares[1:]])
        save_model(model, tmp_path / "model.dbn")
        loaded = load_model(tmp_path / "model.dbn")
        assert_array_equal(output(loaded, frame), known)


@NETS
def test_a_category_that_was_not_there_in_fit_is_not_known(cls):
    frame, y = people()
    model = net(cls).fit(frame, y)
    elsewhere, nowhere = frame.assign(town="Lima"), frame.assign(town=None)
    with pytest.warns(UserWarning, match="no value at all"):
        answers = output(model, elsewhere)
    assert_array_equal(answers, output(model, nowhere))


@NETS
def test_the_device(cls):
    pytest.importorskip("torch")
    model = net(cls, device="cpu").fit(HOLES, Y)
    expected = net(cls).fit(HOLES, Y)
    assert_allclose(output(model, HOLES), output(expected, HOLES), rtol=1e-7)


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
@EVERY
def test_arrays_of_other_libraries(cls):
    import torch
    from sklearn import config_context

    make = net if cls in PREDICTORS else small
    with config_context(array_api_dispatch=True):
        rows, y = torch.asarray(HOLES), torch.asarray(Y)
        model = make(cls).fit(rows, y)
        found = output(model, rows)
        assert isinstance(found, torch.Tensor)
        assert isinstance(model.fill_, torch.Tensor)
    assert np.isfinite(np.asarray(found)).all()
    if cls in PREDICTORS:  # machines draw from a stream of torch
        assert_allclose(found, output(make(cls).fit(HOLES, Y), HOLES), rtol=1e-6)


def test_what_does_not_know_the_means_says_so():
    mlp = to_sklearn(net(DBNClassifier).fit(HOLES, Y))
    back = from_sklearn(mlp)
    text = message(back.predict, HOLES)
    assert "X contains NaN" in text and "does not know" in text
    assert np.isfinite(back.predict_proba(TABLE)).all()


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_a_file_of_an_earlier_version_does_not_know_the_means(path):
    model = load_model(path)
    rows = np.full((2, model.n_features_in_), 0.5)
    assert model.columns_ is None and model.fill_ is None
    assert np.isfinite(output(model, rows)).all()
    rows[1, 1] = np.nan
    assert "older version of dbn, does not know" in message(output, model, rows)


def test_an_export_takes_filled_rows():
    model = net(DBNClassifier).fit(HOLES, Y)
    values = model.fill_ * model.scale_ + model.mean_
    found = to_sklearn(model).predict_proba(filled(HOLES, values))
    assert_allclose(found, model.predict_proba(HOLES))


@pytest.mark.parametrize("weight", [None, np.ones(2000)], ids=["alike", "weighted"])
def test_a_first_slice_without_a_value_does_not_spoil_the_mean(weight):
    """Long rows are looked at in slices of 2^18 numbers."""
    rows = np.random.default_rng(0).standard_normal((2000, 300)) + 5.0
    rows[:1200, 7] = np.nan
    mean, scale = standardisation(rows, weight, "X")
    assert_allclose(mean, np.nanmean(rows, axis=0))
    assert_allclose(scale, np.nanstd(rows, axis=0))


@EVERY
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_what_a_masked_array_hides_is_not_known(cls, dtype):
    """Its filler, such as -999, is no value."""
    table = (10.0 * TABLE).astype(dtype)
    masked = np.ma.array(np.where(HIDDEN, -999, table).astype(dtype), mask=HIDDEN)
    holes = np.where(HIDDEN, np.nan, table)
    holes = holes.astype(np.float32 if dtype == np.float32 else np.float64)
    hidden, known = small(cls).fit(masked, Y), small(cls).fit(holes, Y)
    assert_array_equal(output(hidden, masked), output(known, holes))
    if hasattr(hidden, "sample"):
        one, other = (
            model.sample(given=row, steps=2, random_state=0)
            for model, row in ((hidden, masked[0]), (known, holes[0]))
        )
        assert_array_equal(one, other)


@pytest.mark.parametrize("cls", [RBMTransformer, DBNTransformer, DBNAutoencoder])
def test_codes_that_a_masked_array_hides_are_refused(cls):
    """They would be decoded from what stands behind the mask."""
    model = small(cls).fit(TABLE)
    H = model.transform(TABLE)
    masked = np.ma.array(H, mask=np.arange(H.size).reshape(H.shape) % 7 == 0)
    assert "contains NaN" in message(model.inverse_transform, masked)
    plain = np.ma.array(H)
    assert_array_equal(model.inverse_transform(plain), model.inverse_transform(H))
