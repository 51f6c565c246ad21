"""Bad input gives one clear error: the value seen, what is accepted, what to do."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from dbn import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    RBMTransformer,
)
from dbn.boltzmann import CD
from dbn.feedforward import Normal, VarianceScaling
from dbn.training import SGD, Adam

from .toy import (
    ALL,
    PREDICTORS,
    REAL,
    TRANSFORMERS,
    X,
    Y,
    message,
    output,
    rbm,
    small,
)

every_estimator = pytest.mark.parametrize("cls", ALL)


def bernoulli(cls):
    """The estimator with visible="bernoulli"."""
    if cls is RBMTransformer:
        return small(cls, visible="bernoulli")
    return small(cls, rbm=rbm(visible="bernoulli"))


# The rows


@every_estimator
@pytest.mark.parametrize("init", ["dbn", "he_normal"])
def test_values_outside_the_range_of_bernoulli_units(cls, init):
    data = np.where(X.min() == X, -1.3, X)
    data[0, 0] = 4.2
    estimator = bernoulli(cls)
    if cls in PREDICTORS:
        estimator.set_params(init=init)
    assert message(estimator.fit, data, Y) == (
        "Bernoulli visible units need values in [0, 1]; X has minimum -1.3 and "
        "maximum 4.2. Scale X (MinMaxScaler; clip=True, for rows that it was not "
        "fitted on) or use visible='gaussian'."
    )


@every_estimator
def test_the_range_is_not_enforced_after_fit(cls):
    # A scaler that was fitted on other rows may give 1.02.
    assert np.isfinite(output(bernoulli(cls).fit(X, Y), 1.02 * X)).all()


@every_estimator
@pytest.mark.parametrize("bad", [-np.inf, np.inf])
def test_values_that_are_not_finite(cls, bad):
    data = np.where(X.min() == X, bad, X)
    data[3, 2] = np.nan  # which is accepted
    seen = "contains infinity (1 values)"
    assert seen in message(small(cls).fit, data, Y)
    assert seen in message(output, small(cls).fit(X, Y), data)


@every_estimator
def test_another_number_of_features_than_in_fit(cls):
    text = message(output, small(cls).fit(X, Y), X[:, :3])
    assert "X has 3 features" in text
    assert "expecting 5 features" in text


@every_estimator
def test_other_feature_names_than_in_fit(cls):
    frame = pd.DataFrame(X, columns=[*"abcde"])
    fitted = small(cls).fit(frame, Y)
    assert "feature names" in message(output, fitted, frame[[*"edcba"]])


@every_estimator
@pytest.mark.parametrize(
    ("rows", "columns", "seen"), [(0, 5, "0 sample(s)"), (60, 0, "0 feature(s)")]
)
def test_empty_data(cls, rows, columns, seen):
    assert seen in message(small(cls).fit, X[:rows, :columns], Y[:rows])


@every_estimator
def test_one_dimensional_data(cls):
    assert "Expected 2D array" in message(small(cls).fit, X[0], Y)


@every_estimator
def test_use_before_fit(cls):
    text = message(output, small(cls), X, error=NotFittedError)
    assert f"This {cls.__name__} instance is not fitted yet" in text


@every_estimator
def test_every_method_needs_a_fit(cls):
    rows = ("transform", "inverse_transform", "score_samples", "predict")
    rows += ("predict_proba", "predict_log_proba", "decision_function")
    arguments = dict.fromkeys(rows, (X,)) | {"score": (X, Y), "sample": ()}
    model = small(cls)
    for name in arguments.keys() & {*dir(model)}:
        with pytest.raises(NotFittedError):
            getattr(model, name)(*arguments[name])


@pytest.mark.parametrize("cls", [*TRANSFORMERS, DBNRegressor])
@pytest.mark.parametrize("data", [X, REAL])
def test_one_row_is_enough_without_classes(cls, data):
    assert np.isfinite(output(small(cls).fit(data[:1], Y[:1]), data)).all()


UNUSUAL = {
    "constant column": np.where(np.arange(5) == 2, 7.0, REAL),
    "all constant": np.full((60, 5), -3.0),
    "zeros": np.zeros((60, 5)),
    "ones": np.ones((60, 5)),
    "duplicated rows": np.repeat(X[:2], 30, axis=0),
    "one feature": REAL[:, :1],
    "large": 1e30 * REAL,
    "small": 1e-30 * REAL,
    "integers": (10 * REAL).astype(int),
    "booleans": X > 0.5,
    "fortran order": np.asfortranarray(REAL),
    "strides": REAL[::-1, ::2],
    "list": X.tolist(),
}


@every_estimator
@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_data_works(cls, name):
    fitted = small(cls).fit(UNUSUAL[name], Y)
    assert np.isfinite(output(fitted, UNUSUAL[name])).all()


@every_estimator
def test_a_batch_larger_than_the_data_is_all_of_it(cls):
    def fitted(batch_size):
        estimator = small(cls)
        for name in estimator.get_params():
            if name.endswith("batch_size"):
                estimator.set_params(**{name: batch_size})
        return output(estimator.fit(X, Y), X)

    assert np.array_equal(fitted(1_000_000), fitted(len(X)))
    assert not np.array_equal(fitted(len(X)), fitted(len(X) // 2))


# Labels and weights


@pytest.mark.parametrize("label", [0, 1.0, "yes", True])
def test_one_class(label):
    # Also what a single row, or weights that leave one class, come to.
    text = message(small(DBNClassifier).fit, X, np.full(60, label))
    assert text.startswith(f"y has 1 class ({label!r})")


def test_one_row_and_weights_that_leave_one_class():
    fit = small(DBNClassifier).fit
    assert "1 class" in message(fit, X[:1], Y[:1])
    assert "sample_weight" in message(fit, X, Y, sample_weight=Y)


@pytest.mark.parametrize("cls", PREDICTORS)
def test_targets_with_nan_or_of_another_length_or_missing(cls):
    fit = small(cls).fit
    assert "y contains NaN" in message(fit, X, np.where(Y, 1.0, np.nan))
    assert "[60, 7]" in message(fit, X, Y[:7])
    assert "requires y to be passed" in message(fit, X, None)


def test_targets_that_are_no_classes_or_no_numbers():
    assert "continuous" in message(small(DBNClassifier).fit, X, X[:, 0])
    assert "(60, 2)" in message(small(DBNClassifier).fit, X, np.c_[Y, 2 * Y])
    assert "'a'" in message(small(DBNRegressor).fit, X, ["a"] * 60)


@every_estimator
@pytest.mark.parametrize(
    ("weight", "seen"),
    [
        (np.where(Y, -1.0, 1.0), "Negative values"),
        (np.zeros(60), "zero"),
        (np.where(Y, np.nan, 1.0), "contains NaN"),
        (np.ones(7), "(7,)"),
        (np.ones((60, 1)), "1D array"),
    ],
)
def test_bad_weights(cls, weight, seen):
    text = message(small(cls).fit, X, Y, sample_weight=weight)
    assert seen in text
    assert re.search("sample.weight", text, re.IGNORECASE)


# Parameters


STRINGS = [
    (RBMTransformer, "visible", "gaussian"),
    (RBMTransformer, "hidden", "gaussian"),
    (RBMTransformer, "sampler", "cd"),
    (RBMTransformer, "optimizer", "sgd"),
    (DBNClassifier, "init", "he_normal"),
    (DBNClassifier, "activation", "tanh"),
    (DBNClassifier, "optimizer", "adam"),
    (DBNRegressor, "init", "dbn"),
]


@pytest.mark.parametrize(("cls", "name", "accepted"), STRINGS)
def test_an_unknown_string(cls, name, accepted):
    text = message(small(cls, **{name: "no-such"}).fit, X, Y)
    assert name in text
    assert "'no-such'" in text
    assert f"'{accepted}'" in text


@pytest.mark.parametrize(("cls", "name", "accepted"), STRINGS)
def test_a_class_instead_of_an_object(cls, name, accepted):
    text = message(small(cls, **{name: SGD}).fit, X, Y)
    assert name in text
    assert "SGD" in text


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        (RBMTransformer, "n_components", 0),
        (RBMTransformer, "n_components", 2.0),
        (RBMTransformer, "batch_size", 0),
        (RBMTransformer, "max_iter", -1),
        (RBMTransformer, "weight_decay", -0.1),
        (RBMTransformer, "weight_decay", np.nan),
        (RBMTransformer, "random_state", "seed"),
        (RBMTransformer, "verbose", "loud"),
        (DBNTransformer, "rbm", "cd"),
        (DBNTransformer, "rbm", RBMTransformer),
        (DBNTransformer, "rbm", DBNTransformer()),
        (DBNTransformer, "hidden_layer_sizes", "256"),
        (DBNTransformer, "hidden_layer_sizes", 2.5),
        (DBNClassifier, "max_iter", 2.5),
        (DBNClassifier, "batch_size", None),
        (DBNClassifier, "init", None),
        (DBNClassifier, "optimizer", None),
        (DBNRegressor, "weight_decay", "small"),
    ],
)
def test_a_value_of_the_wrong_kind(cls, name, value):
    text = message(small(cls, **{name: value}).fit, X, Y)
    assert f"The '{name}' parameter of {cls.__name__} must be" in text
    assert f"Got {value!r} instead" in text


@pytest.mark.parametrize("cls", ALL[1:])
@pytest.mark.parametrize("sizes", [(0,), (-1,), (), (2.5,), (4, 0), [[4]], ["4"]])
def test_layer_sizes_that_are_none(cls, sizes):
    text = message(small(cls, hidden_layer_sizes=sizes).fit, X, Y)
    assert "hidden_layer_sizes must be one or more positive integers" in text
    assert str(sizes) in text


@pytest.mark.parametrize("cls", ALL[1:])
@pytest.mark.parametrize("sizes", [4, np.int64(4), [4], (4,), np.array([4])])
def test_layer_sizes_of_any_integer_kind(cls, sizes):
    fitted = small(cls, hidden_layer_sizes=sizes, random_state=0).fit(X, Y)
    same = small(cls, hidden_layer_sizes=(4,)).fit(X, Y)
    assert np.array_equal(output(fitted, X), output(same, X))


@pytest.mark.parametrize("cls", ALL[1:])
@pytest.mark.parametrize("rbms", [[], [rbm()], [rbm()] * 3])
def test_a_list_of_prototypes_of_the_wrong_length(cls, rbms):
    text = message(small(cls, rbm=rbms).fit, X, Y)
    assert f"rbm is a list of {len(rbms)} prototypes for 2 hidden layers" in text


@pytest.mark.parametrize("cls", ALL[1:])
@pytest.mark.parametrize("wrong", ["cd", DBNTransformer(), RBMTransformer])
def test_a_list_that_holds_no_prototype(cls, wrong):
    fit = small(cls, rbm=[rbm(), wrong]).fit
    text = message(fit, X, Y, error=TypeError)
    assert "rbm must be an RBMTransformer or a list of them" in text
    assert repr(wrong) in text


@pytest.mark.parametrize("cls", ALL[1:])
def test_a_prototype_is_validated_although_it_is_never_fitted(cls):
    bad = rbm(max_iter=0)
    estimators = [small(cls, rbm=bad), small(cls, rbm=[rbm(), bad])]
    if cls in PREDICTORS:
        estimators.append(small(cls, rbm=bad, init="zeros"))
    for estimator in estimators:
        text = message(estimator.fit, X, Y)
        assert "The 'max_iter' parameter of RBMTransformer must be" in text


# Parts


@pytest.mark.parametrize("k", [0, -1, 1.5, "1", None])
def test_cd_with_a_bad_number_of_steps(k):
    text = message(small(RBMTransformer, sampler=CD(k=k)).fit, X)
    assert text.startswith("CD: k must be an integer")
    assert text.endswith(f"in [1, inf); it is {k!r}.")


BAD_OPTIMIZERS = [
    (SGD(learning_rate=-1), "learning_rate"),
    (SGD(learning_rate=0.0), "learning_rate"),
    (SGD(learning_rate=np.inf), "learning_rate"),
    (SGD(learning_rate=np.nan), "learning_rate"),
    (SGD(learning_rate=None), "learning_rate"),
    (SGD(learning_rate="0.1"), "learning_rate"),
    (SGD(learning_rate=()), "learning_rate"),
    (SGD(learning_rate=((1, 0.1),)), "learning_rate"),
    (SGD(learning_rate=((0, 0.1), (5, 0.1), (3, 0.2))), "learning_rate"),
    (SGD(learning_rate=((0, 0.1), (5, -0.1))), "learning_rate"),
    (SGD(learning_rate=((0, 0.1), (5, "fast"))), "learning_rate"),
    (SGD(learning_rate=((0, "0.1"),)), "learning_rate"),
    (SGD(learning_rate=(0.1, 0.2)), "learning_rate"),
    (SGD(momentum=1.5), "momentum"),
    (SGD(momentum=1.0), "momentum"),
    (SGD(momentum=-0.1), "momentum"),
    (SGD(momentum=((0, 0.5), (5, 1.0))), "momentum"),
    (Adam(learning_rate=0), "learning_rate"),
    (Adam(beta_1=1.0), "beta_1"),
    (Adam(beta_2=-0.1), "beta_2"),
    (Adam(beta_1=((0, 0.9),)), "beta_1"),
    (Adam(epsilon=0), "epsilon"),
    (Adam(epsilon=((0, 1e-8),)), "epsilon"),
]


@pytest.mark.parametrize(("optimizer", "name"), BAD_OPTIMIZERS)
@pytest.mark.parametrize("cls", [RBMTransformer, DBNRegressor])
def test_bad_hyper_parameters_of_an_optimizer(cls, optimizer, name):
    text = message(small(cls, optimizer=optimizer).fit, X, Y)
    assert re.match(rf"(SGD|Adam): {name} must ", text)
    assert text.endswith(f"; it is {getattr(optimizer, name)!r}.")


@pytest.mark.parametrize(
    ("init", "seen"),
    [
        (VarianceScaling(0), "VarianceScaling: scale must be a number in (0, inf); it"),
        (VarianceScaling(np.inf), "VarianceScaling: scale must be a number in (0, inf"),
        (VarianceScaling(mode="fan"), "mode='fan' is not known."),
        (VarianceScaling(distribution="t"), "distribution='t' is not known."),
        (Normal(-1.0), "Normal: sigma must be a number in [0, inf); it is -1.0."),
    ],
)
def test_bad_hyper_parameters_of_an_initializer(init, seen):
    assert message(small(DBNClassifier, init=init).fit, X, Y).startswith(seen)


# Divergence. Warnings are errors in this suite: numbers that overflow on the way must
# not be reported twice.


@pytest.mark.parametrize("learning_rate", [1e3, 1e10, 1e30, 1e100, 1e300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_diverging_rbm_names_epoch_and_learning_rate(learning_rate, dtype):
    # Gaussian on both sides: nothing bounds the growth.
    machine = small(
        RBMTransformer, hidden="gaussian", optimizer=SGD(learning_rate), max_iter=500
    )
    text = message(machine.fit, REAL.astype(dtype), error=FloatingPointError)
    seen, advice = text.split(". ")
    assert re.fullmatch(
        r"Layer 0 diverged: .+ in epoch \d+; the parameters from before it are kept",
        seen,
    )
    assert advice == f"Lower the RBM's learning_rate (now {learning_rate})."


def test_divergence_names_the_layer():
    stack = small(
        DBNTransformer, rbm=[rbm(), rbm(hidden="gaussian", optimizer=SGD(1e300))]
    )
    text = message(stack.fit, REAL, error=FloatingPointError)
    assert re.match(r"Layer 1 diverged: \d+ of 19 parameters are not finite", text)
    assert text.endswith("Lower the RBM's learning_rate (now 1e+300).")


@pytest.mark.parametrize(
    ("cls", "learning_rate"),
    [(DBNRegressor, 1e5), (DBNRegressor, 1e300), (DBNClassifier, 1e200)],
)
def test_diverging_fine_tuning_names_epoch_and_learning_rate(cls, learning_rate):
    options = {"init": "he_normal", "activation": "relu", "max_iter": 500}
    net = small(cls, optimizer=SGD(learning_rate), **options)
    text = message(net.fit, REAL, Y, error=FloatingPointError)
    seen, advice = text.split(". ")
    assert re.fullmatch(
        r"Fine-tuning diverged: .+ in epoch \d+; the .+ before it are kept",
        seen,
    )
    assert advice == f"Lower the optimizer's learning_rate (now {learning_rate})."


UNBOUNDED = [
    (RBMTransformer, {"hidden": "gaussian"}, "optimizer"),
    (RBMTransformer, {}, "optimizer"),
    (DBNTransformer, {"rbm": rbm(optimizer=SGD())}, "rbm__optimizer"),
    (DBNRegressor, {"init": "he_normal", "activation": "relu"}, "optimizer"),
    (DBNClassifier, {"init": "he_normal"}, "optimizer"),
]


@pytest.mark.parametrize(("cls", "params", "optimizer"), UNBOUNDED)
@given(
    exponent=st.integers(0, 300),
    max_iter=st.integers(1, 4),
    dtype=st.sampled_from([np.float32, np.float64]),
)
@example(exponent=2, max_iter=3, dtype=np.float32)
@example(exponent=3, max_iter=3, dtype=np.float32)
def test_a_fit_fails_in_words_or_has_finite_metrics(
    cls, params, optimizer, exponent, max_iter, dtype
):
    name = optimizer.replace("optimizer", "max_iter")
    estimator = clone(small(cls, **params))
    estimator.set_params(**{optimizer: SGD(10.0**exponent), name: max_iter})
    try:
        estimator.fit(REAL.astype(dtype), Y)
    except FloatingPointError:
        return
    metrics = [v for entry in estimator.history_ for v in entry.values()]
    assert np.isfinite([v for v in metrics if isinstance(v, float)]).all()


@pytest.mark.parametrize("cls", [DBNClassifier, DBNRegressor, DBNAutoencoder])
def test_batch_normalization_of_one_row_is_refused(cls):
    """Less its mean nothing is left of it, and nothing is learned."""
    net = small(cls, batch_norm=True)
    said = message(net.set_params(batch_size=1).fit, X, Y)
    assert "batch_size=1. Take 2 rows or more" in said
    net.set_params(batch_size=20).partial_fit(X, Y)
    net.partial_fit(X[:1], Y[:1])  # the last chunk of a stream, say
    assert np.isfinite(output(net, X)).all()
