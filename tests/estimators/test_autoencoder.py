"""Deep autoencoders: what they start from, give back, are measured by, and begin."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from dbn import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    RBMTransformer,
    ScaledRows,
    load_model,
    save_model,
)
from dbn.boltzmann import Softmax, Spin
from dbn.estimators import to_sklearn, to_torch
from dbn.feedforward import (
    BinaryCrossEntropy,
    BlockLoss,
    Identity,
    Logistic,
    OfKnown,
    SoftmaxCrossEntropy,
    SpinCrossEntropy,
    SquaredError,
    Tanh,
)
from dbn.training import SGD, Checkpoint, DenoisingStack, Schedule
from tests.libraries import HAS_TORCH

from .toy import PREDICTORS, REAL, X, Y, message, rbm, small

# Nothing moves: the net stays what it started as.
STILL = {"optimizer": SGD(1e-300), "max_iter": 1}
LINEAR = RBMTransformer(3, hidden="gaussian", batch_size=20, max_iter=2)


def auto(**params):
    return small(DBNAutoencoder, **params)


def errors(model, rows):
    return ((model.reconstruct(rows) - rows) ** 2).sum(axis=1)


# The start


@pytest.mark.parametrize("rows", [X, REAL], ids=["bernoulli", "gaussian"])
@pytest.mark.parametrize("activation", ["logistic", "tanh", "identity"])
@pytest.mark.parametrize("code", ["identity", "logistic", "tanh"])
def test_an_unrolled_stack_gives_what_the_stack_gives(rows, activation, code):
    options = {"activation": activation, "code_activation": code}
    if activation == code == "identity":  # of one kind: that which the prototype says
        options["rbm"] = rbm(hidden="gaussian", max_iter=5)
    options = {"rbm": rbm(max_iter=20)} | options
    model = auto(**options, **STILL).fit(rows)
    expected = model._decode(
        model.dbn_.inverse_transform(model.dbn_.transform(model._encode(rows)))
    )
    assert_allclose(model.reconstruct(rows), expected, rtol=0, atol=1e-10)


def test_a_stack_that_was_brought_gives_its_own_reconstructions():
    for rows in (X, REAL):
        stack = small(DBNTransformer, rbm=[rbm(), LINEAR]).fit(rows)
        model = DBNAutoencoder(init=FrozenEstimator(stack), **STILL).fit(rows)
        expected = stack.inverse_transform(stack.transform(rows))
        assert_allclose(model.reconstruct(rows), expected, rtol=0, atol=1e-10)
        assert_allclose(model.transform(rows), stack.transform(rows), atol=1e-10)
        assert model.network_.architecture["layer_sizes"] == [5, 4, 3, 4, 5]


def test_a_stack_with_its_own_machines_is_pretrained():
    stack = DBNTransformer((4, 3), rbm=[rbm(), LINEAR])
    model = DBNAutoencoder(init=stack, max_iter=2, random_state=0).fit(X)
    assert [m.n_hidden for m in model.dbn_.rbms] == [4, 3]
    text = message(DBNAutoencoder(init=stack, hidden_layer_sizes=(9, 3)).fit, X)
    assert "hidden_layer_sizes is [9, 3], but the DBN in init has [4, 3]" in text


def test_one_prototype_takes_the_hidden_units_of_the_code():
    model = auto(rbm=rbm(sampler="pcd")).fit(X)
    assert [m.hidden.__class__.__name__ for m in model.dbn_.rbms] == [
        "Bernoulli",
        "Gaussian",
    ]
    alone = auto(hidden_layer_sizes=3).fit(X)
    assert repr(alone.dbn_.rbms[0].hidden) == "Gaussian()"
    text = message(auto(rbm=[rbm(), rbm()]).fit, X)  # a list says what it says
    assert "Bernoulli() hidden units cannot start layers" in text
    assert "Gaussian ones 'identity' layers" in text


@pytest.mark.parametrize(
    "init", ["sae", "xavier_uniform", "he_normal", "orthogonal", "lsuv", "sparse"]
)
def test_other_starts_fill_both_halves(init):
    model = auto(init=init, rbm=None, **STILL).fit(X)
    assert not hasattr(model, "dbn_")
    for W, _ in model.network_.dense:
        assert np.abs(W).max() > 0.01


def test_weights_that_are_given():
    layers = [(W.copy(), c.copy()) for W, c in auto().fit(X).network_.dense]
    model = auto(init=layers, rbm=None, **STILL).fit(X)
    for given, own in zip(layers, model.network_.dense, strict=True):
        assert_array_equal(given[0], own[0])
    text = message(auto(init=layers[:2], rbm=None).fit, X)
    assert "have the shapes" in text


def test_the_seed_draws_noise_and_noise_is_not_in_what_is_given_back():
    one, two = auto(noise=0.5).fit(X), auto(noise=0.5).fit(X)
    assert_array_equal(one.reconstruct(X), two.reconstruct(X))
    assert_array_equal(one.reconstruct(X), one.reconstruct(X))
    assert np.abs(auto().fit(X).reconstruct(X) - one.reconstruct(X)).max() > 1e-6


def test_activations_per_layer_are_mirrored():
    sizes = {"hidden_layer_sizes": (5, 4, 3), "init": "xavier_uniform", "rbm": None}
    model = auto(activation=["tanh", "logistic"], **sizes).fit(X)
    expected = [Tanh(), Logistic(), Identity(), Logistic(), Tanh()]
    assert model.network_.hidden_activations == expected
    text = message(auto(activation=["tanh"], **sizes).fit, X)
    assert "activation has 1 entries for 2 hidden layers" in text


# The loss


@pytest.mark.parametrize(
    ("rows", "loss"),
    [
        (X, BinaryCrossEntropy()),
        (REAL, SquaredError()),
        (np.sign(REAL), "SpinCrossEntropy()"),
    ],
)
def test_the_loss_goes_with_the_columns(rows, loss):
    model = auto().fit(rows)
    assert repr(model.network_.loss.loss) == repr(loss).strip("'")


def test_another_loss_needs_another_start():
    text = message(auto(loss="squared_error").fit, X)
    assert "A DBN with Bernoulli() visible units starts a net with the loss" in text
    model = auto(loss="squared_error", init="he_normal").fit(X)
    assert model.network_.loss == OfKnown(SquaredError())
    with_units = auto(loss="squared_error", rbm=rbm(visible="gaussian"))
    assert with_units.fit(X).network_.loss == OfKnown(SquaredError())


SPINS = np.sign(REAL)
GROUPS = BlockLoss([(SquaredError(), 3), (SoftmaxCrossEntropy(), 2)])


@pytest.mark.parametrize("init", ["he_normal", "sae"])
@pytest.mark.parametrize(
    ("rows", "loss", "words"),
    [
        (REAL, "binary_cross_entropy", ["BinaryCrossEntropy()", "[0, 1]", "Gaussian"]),
        (SPINS, "binary_cross_entropy", ["BinaryCrossEntropy()", "[0, 1]", "Spin"]),
        (REAL, SpinCrossEntropy(), ["SpinCrossEntropy()", "[-1, 1]", "Gaussian"]),
        (X, "cross_entropy", ["SoftmaxCrossEntropy()", "one category", "Bernoulli"]),
        (X, GROUPS, ["SoftmaxCrossEntropy()", "one category", "Bernoulli"]),
    ],
)
def test_a_loss_that_the_columns_cannot_have_is_refused(rows, loss, words, init):
    """Of values outside its range it has no minimum."""
    text = message(auto(init=init, loss=loss).fit, rows)
    assert [word for word in words if word not in text] == []
    assert "Leave loss at 'auto'" in text


def test_a_loss_that_the_columns_can_have_is_taken():
    one_hot = np.eye(3)[(3 * X[:, 0]).astype(int)]
    category = RBMTransformer(visible=Softmax(3))
    asked = [(X, "squared_error", None), (REAL, "squared_error", None)]
    asked += [(one_hot, "cross_entropy", category), (X, SpinCrossEntropy(), None)]
    asked += [(one_hot, "binary_cross_entropy", category)]
    asked += [(X, BlockLoss([(SquaredError(), 3), (BinaryCrossEntropy(), 2)]), None)]
    for rows, loss, machine in asked:
        model = auto(init="he_normal", loss=loss, rbm=machine).fit(rows)
        assert np.isfinite(model.score(rows))


def test_rows_outside_the_range_are_measured_by_no_loss():
    """That of [0, 1] falls without end there: a strange row would seem a good one."""
    model = auto(init="he_normal").fit(X)
    for bad in (X + 6.0, 255.0 * X):
        assert "need values in [0, 1]" in message(model.score_samples, bad)
        fit = auto(init="he_normal").fit
        assert "need values in [0, 1]" in message(lambda b: fit(X, X_val=b), bad)  # noqa: B023
    almost = X.copy()
    almost[0, 0] = 1.0 + 1e-16
    assert np.isfinite(model.score_samples(almost)).all()
    # A squared error is one anywhere.
    for method, holds in (
        (model.score, lambda found: found < -100.0),
        (model.transform, lambda found: found.shape == (60, 3)),
    ):
        with pytest.warns(UserWarning, match=r"that lay in \[0, 1\]"):
            assert holds(method(X + 6.0))


def test_history_has_the_mean_loss_of_the_rows():
    model = auto(optimizer=SGD(1e-300), batch_size=60, max_iter=1).fit(X)
    z = model.network_.forward(X)
    value = BinaryCrossEntropy().value(z, X)
    assert_allclose(model.loss_curve_, [value], rtol=1e-12)


# What it gives back


@pytest.mark.parametrize("rows", [X, REAL], ids=["bernoulli", "gaussian"])
def test_codes_and_back_are_the_reconstruction(rows):
    model = auto(max_iter=20).fit(rows)
    codes = model.transform(rows)
    assert codes.shape == (60, 3)
    assert_allclose(model.inverse_transform(codes), model.reconstruct(rows), rtol=1e-10)
    assert_array_equal(auto(max_iter=20).fit_transform(rows), codes)
    values = rows
    layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    for i, (W, c) in enumerate(layers):  # folded: for X as given
        values = values @ W + c
        if i in (0, 2):
            values = 1.0 / (1.0 + np.exp(-values))
    if rows is X:
        values = 1.0 / (1.0 + np.exp(-values))
    assert_allclose(values, model.reconstruct(rows), rtol=1e-9)


def test_score_is_minus_the_squared_error_in_the_units_of_x():
    for rows in (X, REAL, 100.0 * REAL):
        model = auto(max_iter=20).fit(rows)
        assert_allclose(model.score(rows), -errors(model, rows).mean(), rtol=1e-12)


def test_score_samples_is_minus_the_loss_of_each_row():
    model = auto(max_iter=20).fit(REAL)
    scaled = (model.reconstruct(REAL) - REAL) / model.scale_
    expected = -0.5 * (scaled**2).sum(axis=1)
    assert_allclose(model.score_samples(REAL), expected, rtol=1e-10)
    odd = REAL + 30.0 * np.eye(60, 5)
    assert model.score_samples(odd)[0] < model.score_samples(REAL).min()


def test_codes_of_another_width_are_refused():
    text = message(auto().fit(X).inverse_transform, np.ones((2, 4)))
    assert "H has 4 columns; there are 3" in text


def test_set_output_names_the_codes():
    model = auto().set_output(transform="pandas").fit(pd.DataFrame(X))
    names = [f"dbnautoencoder{i}" for i in range(3)]
    assert [*model.transform(pd.DataFrame(X)).columns] == names


# Values that are not known


HOLES = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)


@pytest.mark.parametrize("rows", [X, REAL], ids=["bernoulli", "gaussian"])
def test_holes_are_filled_reconstructed_and_not_counted(rows):
    holes = np.where(np.isnan(HOLES), np.nan, rows)
    model = auto(max_iter=20).fit(holes)
    fill = model._decode(model.fill_[None, :])
    whole = np.where(np.isnan(holes), fill, rows)
    assert_allclose(model.transform(holes), model.transform(whole), rtol=1e-9)
    given = model.reconstruct(holes)
    assert np.isfinite(given).all()
    known = ~np.isnan(holes)
    error = np.where(known, given - rows, 0.0)
    assert_allclose(model.score(holes), -(error**2).sum(axis=1).mean(), rtol=1e-10)
    assert model.score_samples(np.full((1, 5), np.nan)) == 0.0


@pytest.mark.parametrize("brought", [False, True])
def test_a_hole_is_what_noise_makes_of_a_value(brought):
    """Which the net has learned to see through; means it meets for the first time."""
    init = "he_normal"
    if brought:
        init = FrozenEstimator(small(DBNTransformer, rbm=[rbm(), LINEAR]).fit(X))
    holes = np.where(X < 0.3, np.nan, X)
    for noise, stand_in in ((0.3, 0.0), (0.0, X.mean(axis=0))):
        machine = None if brought else rbm()
        model = auto(init=init, rbm=machine, noise=noise).fit(X)
        whole = np.where(np.isnan(holes), stand_in, X)
        assert_allclose(model.reconstruct(holes), model.reconstruct(whole))


def test_what_is_not_known_is_not_learned():
    """Filled rows would be learned as they were filled: the mean."""
    rows = np.repeat([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]], 60, axis=0)
    holes = rows.copy()
    holes[::3, 2] = np.nan
    net = {"rbm": None, "init": "xavier_uniform", "hidden_layer_sizes": (6, 1)}
    options = net | {"max_iter": 100}
    model = auto(**options).fit(holes)
    found = model.reconstruct(holes)
    assert np.abs(found[:, 2] - rows[:, 2]).max() < 0.2
    filled = np.where(np.isnan(holes), 0.5, holes)
    assert np.abs(
        auto(**options).fit(filled).reconstruct(holes)[::3, 2] - 0.5
    ).max() < (np.abs(found[::3, 2] - 0.5).min())


FRAME = pd.DataFrame(
    {
        "age": 40.0 + 10.0 * REAL[:, 0],
        "town": np.where(REAL[:, 0] > 1.0, "Rome", "Bern"),
        "smokes": REAL[:, 0] > 2.0,
        "sign": np.where(REAL[:, 0] > 0.0, 1.0, -1.0),
    }
)


def test_frames_come_back_as_frames():
    frame = FRAME.copy()
    frame.loc[3, "town"] = None
    frame.loc[5, "age"] = np.nan
    model = auto(max_iter=100, batch_size=10).fit(frame)
    found = model.reconstruct(frame)
    assert [*found.columns] == [*frame.columns]
    assert found["town"].isin(["Rome", "Bern"]).all()
    assert (found["town"] == FRAME["town"]).mean() > 0.9
    assert (found["smokes"] == FRAME["smokes"]).mean() > 0.8
    assert found["age"].sub(FRAME["age"]).abs().mean() < FRAME["age"].std() / 2.0
    pd.testing.assert_frame_equal(
        model.inverse_transform(model.transform(frame)), found
    )
    assert len(model.visible_names_) == 5
    assert isinstance(model.visible_.blocks[-1][0], Spin)
    assert np.isfinite(model.score(frame))


def test_a_frame_starts_with_what_the_stack_gives():
    model = auto(**STILL, rbm=rbm(max_iter=20)).fit(FRAME)
    rows = model._encode(model.columns_.encode(FRAME))
    expected = model.dbn_.inverse_transform(model.dbn_.transform(rows))
    assert_allclose(model.network_.predict(rows), expected, rtol=0, atol=1e-10)


# Training


def test_validation_rows_and_early_stopping():
    model = auto(max_iter=3).fit(X, X_val=X[:20])
    last = model.history_[-1]
    z = model.network_.forward(X[:20])
    assert_allclose(last["validation_loss"], BinaryCrossEntropy().value(z, X[:20]))
    assert_allclose(last["validation_score"], model.score(X[:20]), rtol=1e-10)
    held = auto(max_iter=4, early_stopping=True).fit(X)
    losses = [e["validation_loss"] for e in held.history_ if e["phase"] == "finetune"]
    assert len(losses) == 4
    assert np.isfinite(held.history_[-1]["validation_score"])


def test_rows_with_holes_may_be_watched():
    model = auto(max_iter=2).fit(HOLES, X_val=HOLES[:20])
    expected = -model.score_samples(HOLES[:20]).mean()
    assert_allclose(model.history_[-1]["validation_loss"], expected, rtol=1e-10)


def test_early_stopping_leaves_rows_of_a_file_there(monkeypatch):
    rows = ScaledRows(X)
    monkeypatch.setattr(ScaledRows, "__array__", None)  # nothing reads all of them
    model = auto(max_iter=2, early_stopping=True).fit(rows)
    monkeypatch.undo()
    plain = auto(max_iter=2, early_stopping=True).fit(X)
    assert_allclose(model.reconstruct(X), plain.reconstruct(X), rtol=1e-10)


def test_sparse_rows_train_like_dense_ones():
    rows = np.where(X > 0.5, X, 0.0)
    dense, sparse = auto().fit(rows), auto().fit(csr_array(rows))
    assert_allclose(sparse.transform(csr_array(rows)), dense.transform(rows), rtol=1e-7)
    assert_allclose(sparse.score(csr_array(rows)), dense.score(rows), rtol=1e-8)
    noisy = auto(noise=0.2).fit(csr_array(rows))
    assert np.isfinite(noisy.score(rows))


def test_partial_fit_and_warm_start_go_on():
    model = auto(max_iter=2, warm_start=True).fit(X)
    before = model.score(X)
    assert model.fit(X).n_iter_ == 4
    assert model.score(X) != before
    chunks = auto()
    for _ in range(3):
        chunks.partial_fit(X[:30]).partial_fit(X[30:])
    assert chunks.n_iter_ == 6
    text = message(model.set_params(code_activation="logistic").fit, X)
    assert "Training cannot go on" in text


def test_noise_and_searches_along_lines_do_not_go_together():
    text = message(auto(noise=0.1, optimizer="lbfgs").fit, X)
    assert "noise changes it. Switch it off" in text
    assert np.isfinite(auto(optimizer="lbfgs", batch_size=60).fit(X).score(X))


def test_an_interrupted_fit_goes_on(tmp_path):
    class Interrupted(Checkpoint):
        def on_fit_task_end(self, estimator, context, **kwargs):
            super().on_fit_task_end(estimator, context, **kwargs)
            last = (estimator.history_ or [{}])[-1]
            if (last.get("phase"), last.get("epoch")) == ("finetune", 1):
                raise KeyboardInterrupt

    model = auto(max_iter=4, noise=0.2)
    expected = auto(max_iter=4, noise=0.2).fit(X)
    with pytest.raises(KeyboardInterrupt):
        model.set_callbacks(Interrupted(tmp_path)).fit(X)
    again = auto(max_iter=4, noise=0.2).set_callbacks(Checkpoint(tmp_path, resume=True))
    assert_array_equal(again.fit(X).reconstruct(X), expected.reconstruct(X))
    assert again.history_ == expected.history_


def test_grid_search_and_pipelines():
    search = GridSearchCV(auto(), {"hidden_layer_sizes": [(4, 1), (4, 3)]}, cv=2)
    search.fit(X)
    assert search.best_score_ < 0.0
    pipeline = make_pipeline(MinMaxScaler(), auto())
    assert pipeline.fit(REAL).transform(REAL).shape == (60, 3)


def test_with_enough_training_it_beats_principal_components():
    """And the unrolled stack, without which a deep net of logistic units rests."""
    digits = load_digits().data / 16
    train, test = digits[:1200], digits[1200:]
    pca = PCA(8).fit(train)
    linear = ((pca.inverse_transform(pca.transform(test)) - test) ** 2).sum(axis=1)
    options = {"max_iter": 40, "batch_size": 40, "random_state": 0}
    model = DBNAutoencoder((128, 64, 8), **options).fit(train)
    assert -model.score(test) < 0.7 * linear.mean()
    assert -model.score(test) > -model.score(train)


# On from there


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("code", ["identity", "logistic"])
def test_an_encoder_starts_a_classifier_or_regressor(cls, code):
    model = auto(code_activation=code, max_iter=10).fit(REAL)
    start = FrozenEstimator(model)
    still = {"learning_rate_multipliers": [0.0, 0.0, 1.0], "max_iter": 5}
    net = cls(init=start, random_state=0, **still).fit(REAL, Y)
    codes = net.network_.cut(2)[0].forward(net._encode(REAL))
    assert_allclose(codes, model.transform(REAL), rtol=1e-10)
    expected = model.network_.hidden_activations[:2]
    assert net.network_.hidden_activations == expected
    assert not hasattr(net, "dbn_")
    assert_array_equal(net.mean_, model.mean_)
    going_on = cls(init=start, warm_start=True, max_iter=1).fit(REAL, Y)
    assert going_on.fit(REAL, Y).n_iter_ == 2


def test_an_encoder_with_other_activations_or_sizes_is_refused():
    start = FrozenEstimator(auto().fit(X))
    text = message(DBNClassifier(init=start, activation="tanh").fit, X, Y)
    assert "the encoder in init has [Logistic(), Identity()]" in text
    same = DBNClassifier(init=start, activation=["logistic", "identity"], max_iter=1)
    assert same.fit(X, Y).network_.hidden_activations == [Logistic(), Identity()]
    text = message(DBNClassifier((7, 3), init=start).fit, X, Y)
    assert "hidden_layer_sizes is [7, 3]" in text
    text = message(DBNClassifier(init=start).fit, X[:, :3], Y)
    assert "X has 3 features" in text
    text = message(DBNClassifier(init=FrozenEstimator(auto())).fit, X, Y)
    assert "needs a fitted DBNTransformer or DBNAutoencoder" in text


def test_an_autoencoder_starts_another():
    model = auto(max_iter=10).fit(X)
    again = DBNAutoencoder(init=FrozenEstimator(model), **STILL).fit(X)
    assert_allclose(again.reconstruct(X), model.reconstruct(X), rtol=1e-10)


def test_batch_normalization_is_folded_into_the_encoder_that_starts():
    model = auto(batch_norm=True, max_iter=10).fit(X)
    net = DBNRegressor(init=FrozenEstimator(model), **STILL).fit(X, Y)
    codes = net.network_.cut(2)[0].forward(X)
    assert_allclose(codes, model.transform(X), rtol=1e-8)


@pytest.mark.parametrize("cls", PREDICTORS)
def test_denoising_autoencoders_start_classifiers_and_regressors(cls):
    net = small(cls, init="sae", rbm=None, max_iter=20).fit(X, Y)
    own = small(cls, init=DenoisingStack(), rbm=None, max_iter=20).fit(X, Y)
    assert_array_equal(net.predict(X), own.predict(X))
    assert np.isfinite(net.score(X, Y))


def test_layers_of_a_classifier_with_activations_of_their_own_start_from_machines():
    options = {"activation": ["tanh", "relu"], "max_iter": 2}
    clf = small(DBNClassifier, **options).fit(X, Y)
    assert [repr(m.hidden) for m in clf.dbn_.rbms] == ["Bernoulli()", "ReLU()"]
    text = message(small(DBNClassifier, activation=["tanh"]).fit, X, Y)
    assert "activation has 1 entries for 2 hidden layers" in text


def test_a_file_holds_the_whole_model(tmp_path):
    model = auto(max_iter=5, activation="tanh", noise=0.1).fit(FRAME)
    save_model(model, tmp_path / "model.dbn")
    loaded = load_model(tmp_path / "model.dbn")
    pd.testing.assert_frame_equal(loaded.reconstruct(FRAME), model.reconstruct(FRAME))
    assert loaded.score(FRAME) == model.score(FRAME)
    assert repr(loaded) == repr(model)
    assert loaded.partial_fit(FRAME).n_iter_ == 6


# Out


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
@pytest.mark.parametrize("code", ["identity", "logistic", "tanh"])
@pytest.mark.parametrize("activation", ["logistic", "scaled_tanh", "relu"])
@pytest.mark.parametrize("rows", [X, REAL, np.sign(REAL)], ids=["01", "real", "spin"])
def test_to_torch_whole_or_in_halves(rows, activation, code):
    import torch

    options = {"activation": activation, "code_activation": code, "init": "lsuv"}
    model = auto(**options, rbm=None, max_iter=5).fit(rows)
    given, codes = torch.from_numpy(rows), model.transform(rows)
    whole = to_torch(model)(given).detach()
    assert_allclose(whole, model.reconstruct(rows), rtol=1e-9, atol=1e-12)
    encoder = to_torch(model, "encoder")(given).detach()
    assert_allclose(encoder, codes, rtol=1e-9, atol=1e-12)
    decoder = to_torch(model, "decoder")(torch.from_numpy(codes)).detach()
    assert_allclose(decoder, model.reconstruct(rows), rtol=1e-9, atol=1e-12)


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
def test_to_torch_refuses_what_it_cannot_carry():
    table = auto().fit(FRAME)
    assert "torch has no layer for the outputs of" in message(to_torch, table)
    assert len(to_torch(table, "encoder")) == 4
    assert "part='half' is not known" in message(to_torch, table, "half")
    clf = small(DBNClassifier).fit(X, Y)
    assert "A DBNClassifier has no encoder" in message(to_torch, clf, "encoder")
    scaled = auto(init="lsuv", rbm=None, code_activation="scaled_tanh").fit(X)
    assert "Use part='whole'" in message(to_torch, scaled, "encoder")


def test_to_sklearn_is_a_regressor_that_gives_the_reconstructions():
    options = {"activation": "tanh", "code_activation": "tanh", "max_iter": 5}
    model = auto(**options).fit(REAL)
    mlp = to_sklearn(model)
    assert mlp.hidden_layer_sizes == (4, 3, 4)
    assert_allclose(mlp.predict(REAL), model.reconstruct(REAL), rtol=1e-9)
    text = message(to_sklearn, auto(**options).fit(X))
    assert "linear outputs" in text
    assert "loss='squared_error'" in text
    text = message(to_sklearn, auto().fit(REAL))
    assert "one activation for all hidden layers" in text


def test_schedules_without_an_end_end_with_the_fit():
    seen = []

    class Followed(SGD):
        def step(self, theta, grad, state):
            seen.append(self.learning_rate(state["epoch"]))
            return super().step(theta, grad, state)

    auto(optimizer=Followed(Schedule(0.1, 0.0)), max_iter=4, batch_size=60).fit(X)
    assert_allclose(seen, [0.1, 0.075, 0.05, 0.025])


def test_what_is_too_few_to_hold_out_is_said_without_labels():
    net = DBNAutoencoder((2,), early_stopping=True, init="he_normal")
    with pytest.raises(
        ValueError, match=r"of 1 rows .*Give rows of their own"
    ) as error:
        net.fit([[0.0, 1.0]])
    assert "label" not in str(error.value) and "y_val" not in str(error.value)


@pytest.mark.parametrize("unit", [1e-24, 1e25])
def test_squared_errors_of_any_unit_are_numbers(unit):
    """Of float32 rows: squares below 1e-38 are 0 in it, and above 1e38 infinite."""
    rows = (unit * np.random.default_rng(0).normal(size=(60, 4))).astype(np.float32)
    net = small(DBNAutoencoder).fit(rows)
    error = ((rows.astype(float) - net.reconstruct(rows).astype(float)) ** 2).sum(1)
    assert net.score(rows) == pytest.approx(-error.mean(), rel=1e-4)
