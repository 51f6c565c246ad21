import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn import RBM
from dbn.backend.random import make_rng
from dbn.boltzmann import (
    CD,
    FPCD,
    PCD,
    Bernoulli,
    Gaussian,
    Mixed,
    ParallelTempering,
    Softmax,
)
from dbn.training import SGD, Schedule, pretrain, train_rbm
from dbn.training.contrastive import default_optimizer
from tests.helpers import (
    Enumerated,
    MeanField,
    RecordedTask,
    binary_states,
    read_only,
)

X = read_only((make_rng(5).random((250, 6)) < [0.1, 0.5, 0.9, 0.3, 0.0, 0.6]) * 1.0)
X_REAL = read_only(make_rng(6).standard_normal((250, 6)))
PLAIN = SGD(0.1, momentum=0.0)


def trained(rows=X, seed=0, n_hidden=4, visible="bernoulli", **options):
    rbm = RBM(rows.shape[1], n_hidden, visible=visible, dtype=rows.dtype)
    return train_rbm(rbm, rows, rng=make_rng(seed), **{"max_iter": 2} | options)


# One machine.


def test_a_seed_means_one_result_to_the_last_bit():
    first, same, other = (trained(seed=seed).params.flat for seed in (1, 1, 2))
    assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_training_starts_anew_whatever_the_machine_held():
    rbm = trained(seed=3)
    train_rbm(rbm, X, rng=make_rng(1), max_iter=2)
    assert_array_equal(rbm.params.flat, trained(seed=1).params.flat)


@pytest.mark.parametrize(
    ("rows", "visible"), [(X, "bernoulli"), (X_REAL, "gaussian")], ids=["0/1", "real"]
)
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("optimizer", [None, "adam"])
def test_float32_is_kept(rows, visible, weighted, optimizer):
    weight = np.linspace(0.5, 2.0, 250, dtype=np.float32) if weighted else None
    rbm = trained(
        rows.astype(np.float32),
        visible=visible,
        optimizer=optimizer,
        sample_weight=weight,
    )
    assert rbm.params.flat.dtype == np.float32
    assert rbm.mean_hidden(rows.astype(np.float32)).dtype == np.float32


def test_visible_biases_start_at_the_logit_of_the_data():
    rbm = trained(max_iter=0)
    p = np.clip(X.mean(axis=0), 0.001, 0.999)
    assert_allclose(rbm.b, np.log(p / (1 - p)), rtol=1e-10)
    assert_array_equal(rbm.c, np.zeros(4))
    assert_array_equal(rbm.W, 0.01 * make_rng(0).standard_normal((6, 4)))


def test_gaussian_visible_biases_start_at_the_mean_of_the_data():
    rbm = trained(X_REAL, visible="gaussian", max_iter=0)
    assert_allclose(rbm.b, X_REAL.mean(axis=0), rtol=1e-12)


def test_training_starts_from_integer_weights_as_from_repeated_rows():
    counts = np.array([3, 1, 2])
    weighted = trained(X[:3], max_iter=0, sample_weight=counts.astype(float))
    repeated = trained(np.repeat(X[:3], counts, axis=0), max_iter=0)
    assert_allclose(weighted.b, repeated.b, rtol=1e-10)


def step_from(start, rows, weight_decay, learning_rate=0.1):
    """One update by hand, with the statistics of `MeanField`."""
    rbm = RBM(*start.W.shape)
    rbm.params.flat[...] = start.params.flat
    h = rbm.mean_hidden(rows)
    v_neg = rbm.mean_visible(h)
    h_neg, n = rbm.mean_hidden(v_neg), len(rows)
    W = (rows.T @ h - v_neg.T @ h_neg) / n - weight_decay * rbm.W
    rbm.W[...] += learning_rate * W
    rbm.b[...] += learning_rate * (rows - v_neg).mean(axis=0)
    rbm.c[...] += learning_rate * (h - h_neg).mean(axis=0)
    return rbm


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_a_full_batch_step_is_the_formula(weight_decay):
    options = {"sampler": MeanField(), "weight_decay": weight_decay, "optimizer": PLAIN}
    rbm = trained(**options, batch_size=250, max_iter=1)
    expected = step_from(trained(**options, max_iter=0), X, weight_decay)
    assert_allclose(rbm.params.flat, expected.params.flat, rtol=1e-10, atol=1e-14)


def test_a_short_batch_is_divided_by_its_own_rows():
    """With equal rows a batch of 2 and a batch of 1 must make the same kind of step."""
    rows = np.tile(X[0], (3, 1))
    options = {"sampler": MeanField(), "weight_decay": 0.0, "optimizer": PLAIN}
    rbm = trained(rows, **options, batch_size=2, max_iter=1)
    expected = trained(rows, **options, max_iter=0)
    for _ in range(2):
        expected = step_from(expected, rows[:1], 0.0)
    assert_allclose(rbm.params.flat, expected.params.flat, rtol=1e-10, atol=1e-14)


def test_full_batch_step_with_integer_weights_is_that_with_repeated_rows():
    counts = np.arange(1, 21) % 3 + 1
    options = {"sampler": MeanField(), "visible": "gaussian", "max_iter": 1}
    options["batch_size"] = 100
    rows, weight = X_REAL[:20], counts.astype(float)
    weighted = trained(rows, sample_weight=weight, **options)
    repeated = trained(np.repeat(rows, counts, axis=0), **options)
    assert_allclose(weighted.params.flat, repeated.params.flat, rtol=1e-10, atol=1e-12)


def test_momentum_acts():
    """It adds its share of the first step to the second."""

    def after(max_iter, momentum):
        options = {"sampler": MeanField(), "batch_size": 250, "max_iter": max_iter}
        return trained(optimizer=SGD(0.1, momentum=momentum), **options).params.flat

    first_step = after(1, 0.9) - after(0, 0.9)
    assert np.abs(first_step).min() > 0.0
    assert_allclose(after(2, 0.9) - after(2, 0.0), 0.9 * first_step, rtol=1e-6)


def test_momentum_rises_after_five_epochs_by_default():
    low = SGD(Schedule(0.1, 0.0), momentum=0.5)
    assert_array_equal(trained(max_iter=5).W, trained(max_iter=5, optimizer=low).W)
    assert (trained(max_iter=6).W != trained(max_iter=6, optimizer=low).W).all()


@pytest.mark.parametrize(
    ("visible", "hidden", "rate", "of_chains", "clip_norm"),
    [
        ("bernoulli", "bernoulli", 0.1, 0.3, None),
        ("gaussian", "bernoulli", 0.005, 0.015, 8.0),
        ("bernoulli", "gaussian", 0.03, 0.09, 8.0),
        ("gaussian", "gaussian", 0.005, 0.015, 8.0),
        ("relu", "bernoulli", 0.005, 0.015, 8.0),
        ("bernoulli", "relu", 0.005, 0.015, 8.0),
        ("spin", "spin", 0.1, 0.3, None),
        (Softmax(2), "bernoulli", 0.1, 0.3, None),
        (Mixed(((Bernoulli(), 2), (Gaussian(), 2))), "bernoulli", 0.005, 0.015, 8.0),
    ],
)
def test_default_learning_rate_depends_on_units_and_chains(
    visible, hidden, rate, of_chains, clip_norm
):
    rbm = RBM(4, 2, visible=visible, hidden=hidden)
    optimizer = default_optimizer(rbm, CD())
    momentum = ((0, 0.5), (5, 0.9))
    assert optimizer == SGD(Schedule(rate, 0.0), momentum, clip_norm=clip_norm)
    for sampler in (PCD(), FPCD(), ParallelTempering()):
        optimizer = default_optimizer(rbm, sampler)
        start = pytest.approx(of_chains, rel=1e-15)
        assert optimizer.learning_rate.start == start
        assert optimizer == SGD(
            Schedule(optimizer.learning_rate.start, 0.0),
            momentum=0.0,
            clip_norm=clip_norm,
        )


def test_history_has_an_entry_for_every_epoch():
    history = []
    trained(max_iter=3, history=history, layer=2)
    assert [e["epoch"] for e in history] == [0, 1, 2]
    assert {(e["phase"], e["layer"]) for e in history} == {("pretrain", 2)}
    assert all(type(e["reconstruction_error"]) is float for e in history)


def test_history_has_the_mean_field_reconstruction_error():
    rows, history = np.tile(X[0], (40, 1)), []
    rbm = trained(rows, history=history)
    error = (rbm.mean_visible(rbm.mean_hidden(rows)) - rows) ** 2
    assert_allclose(history[-1]["reconstruction_error"], error.mean(), rtol=1e-12)


class CountingRBM(RBM):
    def mean_hidden(self, v):
        self.n_rows_seen = v.shape[0]
        return super().mean_hidden(v)


@pytest.mark.parametrize("n_rows", [1, 30, 1999, 20_999, 50_999])
def test_reconstruction_error_is_taken_over_at_most_1000_rows(n_rows):
    rbm, rows = CountingRBM(1, 1), np.zeros((n_rows, 1))
    train_rbm(rbm, rows, rng=make_rng(0), max_iter=1, batch_size=n_rows)
    assert 1 <= rbm.n_rows_seen <= 1000


def test_divergence_names_the_layer_the_epoch_and_the_learning_rate():
    with pytest.raises(FloatingPointError) as error:
        trained(X_REAL, visible="gaussian", optimizer=SGD(1e200), layer=1)
    text = str(error.value)
    assert text.startswith("Layer 1 diverged: ")
    assert "of 34 parameters are not finite in epoch 0" in text
    assert text.endswith("Lower the RBM's learning_rate (now 1e+200).")


def test_overflow_is_reported_as_divergence_not_as_a_numpy_warning():
    """Also where the parameters are still finite, but the monitored error is not."""
    with pytest.raises(FloatingPointError, match="Layer 0 diverged"):
        trained(X_REAL, visible="gaussian", optimizer=SGD(1e60), max_iter=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": CD(k=0)}, "k must be an integer"),
        ({"sampler": "gibbs"}, "sampler='gibbs' is not known"),
        ({"optimizer": "lion"}, "optimizer='lion' is not known"),
        ({"optimizer": SGD(-1.0)}, "learning_rate must be a number in"),
    ],
)
def test_wrong_parts_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        trained(**options)


# Learning: the exact likelihood of a machine small enough to enumerate.


def bars(n=3):
    """The n x n images made of full rows or of full columns, 2^(n + 1) of them."""
    rows = np.repeat(binary_states(n), n, axis=1)
    columns = np.tile(binary_states(n), (1, n))
    return np.concatenate([rows, columns])


def test_cd_learns_structure_that_single_pixels_do_not_show():
    data = bars()
    rbm = trained(
        np.tile(data, (4, 1)),
        n_hidden=8,
        sampler=CD(k=1, sample_visible=True),
        weight_decay=0.0,
        batch_size=16,
        max_iter=400,
    )
    log_likelihood = Enumerated(rbm).log_likelihood(data).mean()
    independent = -9 * np.log(2.0)  # every pixel is on in half of the images: -6.24
    best = -np.log(16.0) + np.log(2.0) * 4 / 16  # two images occur twice: -2.60
    assert_allclose(data.mean(axis=0), 0.5)
    assert independent + 2.0 < log_likelihood < best


# Stacks.


def test_each_layer_learns_from_the_encodings_of_the_one_below():
    dbn, rng = pretrain(X, [5, 4, 3], rng=make_rng(0)), make_rng(0)
    rows = X
    for layer, n_hidden in enumerate([5, 4, 3]):
        rbm = train_rbm(RBM(rows.shape[1], n_hidden), rows, rng=rng)
        assert_array_equal(dbn.rbms[layer].params.flat, rbm.params.flat)
        rows = rbm.mean_hidden(rows)
    assert_array_equal(dbn.transform(X), rows)


def test_layers_have_the_sizes_and_units_asked_for():
    options = [{"max_iter": 1}] * 2
    dbn = pretrain(
        X_REAL, (5, 3), rng=make_rng(0), visible="gaussian", layer_options=options
    )
    assert [rbm.W.shape for rbm in dbn.rbms] == [(6, 5), (5, 3)]
    visible = [type(rbm.visible) for rbm in dbn.rbms]
    assert visible == [Gaussian, Bernoulli]


def test_hidden_units_become_the_visible_units_above():
    options = [{"max_iter": 1, "hidden": "gaussian"}, {"max_iter": 1}]
    dbn = pretrain(X, (5, 3), rng=make_rng(0), layer_options=options)
    assert isinstance(dbn.rbms[1].visible, Gaussian)
    assert isinstance(dbn.rbms[1].hidden, Bernoulli)


def test_layer_options_reach_their_layer_and_stay_as_they_are():
    options = [{"max_iter": 1, "hidden": "bernoulli"}, {"max_iter": 3}]
    before, history = [dict(o) for o in options], []
    pretrain(X, [4, 3], rng=make_rng(0), layer_options=options, history=history)
    assert [(e["layer"], e["epoch"]) for e in history] == [
        (0, 0),
        (1, 0),
        (1, 1),
        (1, 2),
    ]
    assert options == before


def test_sample_weights_reach_every_layer():
    # Gaussian units start at the weighted mean of what they see.
    weight, options = np.linspace(0.1, 3.0, 250), [{"max_iter": 0}, {"max_iter": 0}]
    options[0]["hidden"] = "gaussian"
    dbn = pretrain(
        X, [4, 3], rng=make_rng(0), layer_options=options, sample_weight=weight
    )
    h = dbn.rbms[0].mean_hidden(X)
    mean = np.average(h, weights=weight, axis=0)
    assert_allclose(dbn.rbms[1].b, mean, rtol=1e-10)


def test_float32_is_kept_in_every_layer():
    dbn = pretrain(X.astype(np.float32), [4, 3], rng=make_rng(0))
    assert {rbm.params.flat.dtype for rbm in dbn.rbms} == {np.dtype(np.float32)}


def test_layer_options_of_the_wrong_length_are_refused():
    with pytest.raises(ValueError, match="1 entries for 2 layers; give one per layer"):
        pretrain(X, [4, 3], rng=make_rng(0), layer_options=[{}])


def test_work_is_reported_as_layers_of_epochs():
    task, options = RecordedTask(), [{"max_iter": 1}, {"max_iter": 2}]
    pretrain(X, [4, 3], rng=make_rng(0), layer_options=options, task=task)
    assert task.log == [
        "layer 0 / epoch 0",
        "layer 0",
        "layer 1 / epoch 0",
        "layer 1 / epoch 1",
        "layer 1",
    ]


def test_a_stop_after_a_layer_leaves_later_layers_at_their_initial_weights():
    task, history, rng = RecordedTask(["layer 0"]), [], make_rng(0)
    options = {"layer_options": 3 * [{"batch_size": 100, "max_iter": 4}]}
    options |= {"task": task, "history": history}
    dbn = pretrain(X, [4, 3, 2], rng=make_rng(0), **options)
    assert {e["layer"] for e in history} == {0}
    rows = X
    for rbm, max_iter in zip(dbn.rbms, [4, 0, 0], strict=True):
        options = {"batch_size": 100, "max_iter": max_iter}
        expected = train_rbm(RBM(*rbm.W.shape), rows, rng=rng, **options)
        assert_array_equal(rbm.params.flat, expected.params.flat)
        rows = expected.mean_hidden(rows)


def test_a_stop_after_an_epoch_ends_the_epochs_of_its_layer():
    task, history = RecordedTask(["layer 0 / epoch 1"]), []
    options = {"layer_options": 2 * [{"max_iter": 4}], "task": task}
    pretrain(X, [4, 3], rng=make_rng(0), history=history, **options)
    assert [e["layer"] for e in history] == [0] * 2 + [1] * 4
