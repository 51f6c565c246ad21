import array_api_strict
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, csr_matrix

from dbn import Network
from dbn.backend.parameters import Parameters
from dbn.backend.random import make_rng
from dbn.backend.rows import ScaledRows
from dbn.feedforward import get_initializer
from dbn.training import LBFGS, SGD, Adam, ConjugateGradient, RMSProp, finetune, loop
from dbn.training.optimizers import OPTIMIZERS
from tests.helpers import RecordedTask, read_only

N_ROWS = 90
LABELS = np.arange(N_ROWS) % 3
Y = read_only(np.eye(3)[LABELS])
X = read_only(make_rng(5).standard_normal((N_ROWS, 4)) + 2.0 * np.eye(3, 4)[LABELS])


def start(dtype=np.float64, **options):
    net = Network([4, 6, 3], dtype=dtype, **options)
    get_initializer("xavier_uniform").fill(net, X, make_rng(1))
    return net


def trained(rows=X, y=Y, seed=0, net=None, **options):
    net = start(rows.dtype) if net is None else net
    return finetune(net, rows, y, rng=make_rng(seed), **{"max_iter": 2} | options)


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("optimizer", [SGD(0.1), Adam(0.02)], ids=repr)
def test_training_reduces_the_loss(loss, optimizer):
    net, history = start(loss=loss), []
    before = net.loss.value(net.forward(X), Y)
    trained(net=net, optimizer=optimizer, batch_size=20, max_iter=30, history=history)
    assert net.loss.value(net.forward(X), Y) < 0.6 * before
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]


def test_training_goes_on_from_where_the_network_is():
    net, history = start(), []
    before = net.loss.value(net.forward(X), Y)
    trained(net=net, batch_size=N_ROWS, max_iter=1, history=history)
    # One full batch: its loss is that of the net that was handed in.
    assert_allclose(history[0]["loss"], before, rtol=1e-12)


def test_a_seed_means_one_result_to_the_last_bit():
    first, same, other = (trained(seed=s, batch_size=20).params.flat for s in (1, 1, 2))
    assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_history_has_an_entry_for_every_epoch():
    history = []
    trained(max_iter=3, history=history)
    assert [(e["phase"], e["epoch"]) for e in history] == [
        ("finetune", 0),
        ("finetune", 1),
        ("finetune", 2),
    ]
    assert all(type(e["loss"]) is float for e in history)


def test_a_full_batch_step_is_the_formula_and_decays_weights_only():
    net = trained(
        optimizer=SGD(0.5, momentum=0.0), weight_decay=0.3, batch_size=500, max_iter=1
    )
    before = start()
    gradient = before.params.zeros_like()
    before.gradient(X, Y, gradient)
    for name in before.params:
        decay = 0.3 * before.params[name] if name.startswith("W") else 0.0
        expected = before.params[name] - 0.5 * (gradient[name] + decay)
        assert_allclose(net.params[name], expected, rtol=1e-10, atol=1e-14)


def test_a_short_batch_is_divided_by_its_own_rows():
    """With equal rows a batch of 2 and a batch of 1 must make the same kind of step."""
    rows, y = np.tile(X[:1], (3, 1)), np.tile(Y[:1], (3, 1))
    optimizer = SGD(0.5, momentum=0.0)
    mixed = trained(rows, y, optimizer=optimizer, batch_size=2, max_iter=1)
    single = trained(rows[:1], y[:1], optimizer=optimizer, batch_size=1, max_iter=2)
    assert_allclose(mixed.params.flat, single.params.flat, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("optimizer", [SGD(0.5), Adam(0.1)], ids=repr)
def test_full_batch_step_with_integer_weights_is_that_with_repeated_rows(optimizer):
    counts = np.arange(N_ROWS) % 4
    options = {"optimizer": optimizer, "batch_size": 500, "max_iter": 1}
    weighted = trained(sample_weight=counts.astype(float), **options)
    repeated = trained(*(np.repeat(a, counts, axis=0) for a in (X, Y)), **options)
    assert_allclose(weighted.params.flat, repeated.params.flat, rtol=1e-10, atol=1e-12)


def test_weights_stay_with_their_rows_in_shuffled_batches():
    """A copy of every row with a wrong label and next to no weight does no harm."""
    rows, y = np.concatenate([X, X]), np.concatenate([Y, np.roll(Y, 1, axis=1)])
    weight = np.repeat([1.0, 1e-12], N_ROWS)
    net = trained(
        rows, y, sample_weight=weight, optimizer=Adam(0.02), batch_size=20, max_iter=30
    )
    assert (net.predict(X).argmax(axis=1) == LABELS).mean() > 0.8


def test_momentum_acts():
    still, moving = (
        trained(optimizer=SGD(0.01, momentum=m), batch_size=20) for m in (0.0, 0.9)
    )
    distances = [
        np.linalg.norm(n.params.flat - start().params.flat) for n in (still, moving)
    ]
    assert distances[1] > 2.0 * distances[0]


def test_float32_is_kept():
    weight = np.linspace(0.5, 2.0, N_ROWS, dtype=np.float32)
    rows, y = X.astype(np.float32), Y.astype(np.float32)
    assert trained(rows, y, sample_weight=weight).params.flat.dtype == np.float32


def test_a_task_that_asks_to_stop_ends_training():
    task, history = RecordedTask(["epoch 1"]), []
    trained(max_iter=5, task=task, history=history)
    assert [e["epoch"] for e in history] == [0, 1]


def test_divergence_names_the_epoch_and_the_learning_rate():
    with pytest.raises(FloatingPointError) as error:
        trained(net=start(loss="squared_error"), optimizer=SGD(1e200), batch_size=10)
    text = str(error.value)
    assert text.startswith("Fine-tuning diverged: ")
    assert "of 51 parameters are not finite in epoch 0" in text
    assert text.endswith("Lower the optimizer's learning_rate (now 1e+200).")


EVERY_OPTIMIZER = [
    SGD(0.1),
    SGD(0.1, nesterov=True, clip_norm=0.5),
    RMSProp(0.01),
    Adam(0.02),
    Adam(0.02, decoupled_decay=0.1),
    LBFGS(2),
    ConjugateGradient(2),
]
every_optimizer = pytest.mark.parametrize("optimizer", EVERY_OPTIMIZER, ids=repr)
STEPPING = [optimizer for optimizer in EVERY_OPTIMIZER if not optimizer.searches]
SIZES = [4, 6, 5, 3]


def deep(dtype=np.float64, seed=1, **options):
    """Three dense layers whose biases are not zero."""
    net = Network(SIZES, activation="tanh", dtype=dtype, **options)
    get_initializer("xavier_uniform").fill(net, X, make_rng(seed))
    for _, c in net.dense:
        c[...] = make_rng(2).standard_normal(c.shape) / 10.0
    return net


def moved(net, before):
    """Whether a layer's parameters changed in any bit, from the data upwards."""
    found = []
    for layer in range(3):
        names = [name for name in net.params if name.endswith(str(layer))]
        same = [np.array_equal(net.params[name], before[name]) for name in names]
        assert len(set(same)) == 1, f"only a part of layer {layer} moved"
        found.append(not same[0])
    return found


# Going on


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dropout": 0.3},
        {"batch_norm": True},
        {"dropout": (0.1, 0.2, 0.3), "batch_norm": True},
    ],
    ids=repr,
)
@pytest.mark.parametrize("optimizer", STEPPING, ids=repr)
def test_two_epochs_and_three_are_five(optimizer, options):
    """To the last bit: parameters, running averages, history."""
    fixed = {"optimizer": optimizer, "batch_size": 20, "head_epochs": 3}
    fixed |= {"max_norm": 1.5, "learning_rate_multipliers": [0.0, 0.5, 1.0]}
    once, parts = deep(**options), deep(**options)
    expected, history, state, rng = [], [], {}, make_rng(3)
    finetune(once, X, Y, rng=make_rng(3), max_iter=5, history=expected, **fixed)
    for n in (2, 3):
        finetune(
            parts, X, Y, rng=rng, max_iter=n, history=history, state=state, **fixed
        )
    assert_array_equal(parts.params.flat, once.params.flat)
    assert_array_equal(parts.statistics.flat, once.statistics.flat)
    assert history == expected
    assert [entry["epoch"] for entry in history] == [0, 1, 2, 3, 4]


def test_without_state_training_starts_anew():
    nets = [deep(), deep()]
    for state, net in zip(({}, None), nets, strict=True):
        for _ in range(2):
            trained(net=net, optimizer=Adam(0.02), state=state)
    assert not np.array_equal(nets[0].params.flat, nets[1].params.flat)


# Multipliers


@every_optimizer
@pytest.mark.parametrize("frozen", [(0,), (1,), (0, 1), (2,), (0, 1, 2)])
def test_a_multiplier_of_zero_freezes_a_layer_to_the_last_bit(optimizer, frozen):
    net = deep()
    before = net.params.copy()
    trained(
        net=net,
        optimizer=optimizer,
        batch_size=20,
        max_iter=4,
        weight_decay=0.1,
        max_norm=0.5,
        learning_rate_multipliers=[float(layer not in frozen) for layer in range(3)],
    )
    assert moved(net, before) == [layer not in frozen for layer in range(3)]


@every_optimizer
def test_what_moved_before_can_be_frozen(optimizer):
    """Velocities and moments that are still there move nothing."""
    net, state = deep(), {}
    options = {"optimizer": optimizer, "batch_size": 20, "state": state}
    trained(net=net, **options)
    before = net.params.copy()
    trained(net=net, learning_rate_multipliers=[0, 1, 0], max_iter=3, **options)
    assert moved(net, before) == [False, True, False]


@pytest.mark.parametrize("optimizer", STEPPING, ids=repr)
def test_batch_normalization_is_frozen_with_its_layer(optimizer):
    net = deep(batch_norm=True)
    before = net.params.copy()
    trained(net=net, optimizer=optimizer, learning_rate_multipliers=[0.0, 1.0, 0.0])
    assert moved(net, before) == [False, True, False]


@pytest.mark.parametrize("optimizer", STEPPING, ids=repr)
@pytest.mark.parametrize("factor", [0.25, 3.0])
def test_one_factor_for_all_layers_scales_the_learning_rate(optimizer, factor):
    rate = factor * optimizer.learning_rate
    scaled = type(optimizer)(**optimizer.get_params() | {"learning_rate": rate})
    options = {"batch_size": 20, "max_iter": 3, "weight_decay": 0.01}
    nets = [
        trained(
            net=deep(),
            optimizer=optimizer,
            learning_rate_multipliers=[factor] * 3,
            **options,
        ),
        trained(net=deep(), optimizer=scaled, **options),
    ]
    assert_allclose(*(net.params.flat for net in nets), rtol=1e-9, atol=1e-12)


def test_each_layer_has_its_own_rate():
    factors, before = [0.1, 0.0, 2.0], deep()
    gradient = before.params.zeros_like()
    before.gradient(X, Y, gradient)
    net = trained(
        net=deep(),
        optimizer=SGD(0.5, momentum=0.0),
        batch_size=500,
        max_iter=1,
        learning_rate_multipliers=factors,
    )
    for name in net.params:
        step = 0.5 * factors[int(name[-1])] * gradient[name]
        expected = before.params[name] - step
        assert_allclose(net.params[name], expected, rtol=1e-10, atol=1e-14)


@every_optimizer
def test_multipliers_of_one_are_none(optimizer):
    options = {"optimizer": optimizer, "batch_size": 20}
    nets = [
        trained(net=deep(), learning_rate_multipliers=factors, **options)
        for factors in (None, [1, 1, 1])
    ]
    assert_allclose(*(net.params.flat for net in nets), rtol=1e-9, atol=1e-12)


@every_optimizer
def test_multipliers_keep_float32(optimizer):
    net = deep(np.float32)
    rows, y = X.astype(np.float32), Y.astype(np.float32)
    options = {"learning_rate_multipliers": (0.5, 0.0, 1.0), "head_epochs": 1}
    trained(rows, y, net=net, optimizer=optimizer, max_norm=1.0, **options)
    assert net.params.flat.dtype == np.float32


@pytest.mark.parametrize("factors", [[], [1.0], [1.0, 1.0], [1.0] * 4], ids=len)
def test_there_is_one_multiplier_per_layer(factors):
    net = deep()
    before = net.params.copy()
    with pytest.raises(ValueError) as error:
        trained(net=net, learning_rate_multipliers=factors)
    assert str(error.value) == (
        f"There are {len(factors)} learning_rate_multipliers for 3 dense layers, the "
        "output layer included; give one per layer."
    )
    assert_array_equal(net.params.flat, before.flat)


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_multipliers_are_not_negative(wrong):
    with pytest.raises(ValueError) as error:
        trained(net=deep(), learning_rate_multipliers=[1.0, wrong, 1.0])
    assert str(error.value) == (
        f"learning_rate_multipliers must be finite and not negative; they are [1.0, "
        f"{wrong}, 1.0]. 0 freezes a layer."
    )


# The head first


@every_optimizer
def test_the_head_learns_first_and_then_all_layers(optimizer):
    net, state, rng = deep(), {}, make_rng(0)
    for epoch in range(5):
        before = net.params.copy()
        finetune(
            net,
            X,
            Y,
            rng=rng,
            optimizer=optimizer,
            batch_size=20,
            max_iter=1,
            max_norm=0.5,
            state=state,
            head_epochs=3,
        )
        assert moved(net, before) == [epoch >= 3, epoch >= 3, True]


def test_head_epochs_in_one_call():
    for max_iter, lower in ((2, False), (3, True)):
        net = deep()
        before = net.params.copy()
        trained(net=net, max_iter=max_iter, head_epochs=2)
        assert moved(net, before) == [lower, lower, True]


def test_the_head_has_its_multiplier_from_the_start():
    options = {"optimizer": SGD(0.5, momentum=0.0), "batch_size": 500, "max_iter": 1}
    net = trained(
        net=deep(), learning_rate_multipliers=[1, 1, 0.2], head_epochs=1, **options
    )
    expected = trained(net=deep(), learning_rate_multipliers=[0, 0, 0.2], **options)
    assert_array_equal(net.params.flat, expected.params.flat)
    assert moved(net, deep().params) == [False, False, True]


def test_after_the_head_every_layer_has_its_own_rate():
    net, before = deep(), deep().params
    trained(
        net=net, max_iter=3, head_epochs=2, learning_rate_multipliers=[0.0, 1.0, 1.0]
    )
    assert moved(net, before) == [False, True, True]


def test_after_the_head_the_first_steps_of_adam_are_no_leaps():
    """Each parameter moves by at most about the learning rate in each update."""
    net, state, rng = deep(), {}, make_rng(0)
    options = {"optimizer": Adam(0.001), "state": state, "head_epochs": 100}
    finetune(net, X, Y, rng=rng, batch_size=9, max_iter=100, **options)
    before = net.params.copy()
    finetune(net, X, Y, rng=rng, batch_size=9, max_iter=1, **options)
    step = np.abs(net.params.flat - before.flat).max()
    assert 0.005 < step < 0.0101  # in 10 updates


# Max-norm


@every_optimizer
def test_max_norm_holds_after_every_step(optimizer):
    net, seen = deep(), []
    gradient = net.gradient

    def watched(*arguments):
        seen.append([np.linalg.norm(W, axis=0).max() for W, _ in net.dense])
        return gradient(*arguments)

    limit, calls = net.limit_norms, []

    def counted(max_norm):
        calls.append(max_norm)
        limit(max_norm)
        norms = [np.linalg.norm(W, axis=0).max() for W, _ in net.dense]
        assert max(norms) <= 0.6 * (1.0 + 1e-12)

    net.gradient, net.limit_norms = watched, counted
    trained(net=net, optimizer=optimizer, batch_size=20, max_iter=3, max_norm=0.6)
    assert calls == [0.6] * 15  # five batches in each epoch
    assert max(seen[0]) > 0.6  # it starts outside
    norms = np.concatenate([np.linalg.norm(W, axis=0) for W, _ in net.dense])
    assert norms.max() <= 0.6 * (1.0 + 1e-12)
    assert_allclose(norms.max(), 0.6, rtol=1e-12)


# Dropout


def dropped(seed, dropout, **options):
    """Trained on equal rows, so that shuffles change nothing and only masks differ."""
    rows, y = np.tile(X[:1], (10, 1)), np.tile(Y[:1], (10, 1))
    fixed = {"optimizer": SGD(0.1), "batch_size": 5}
    return trained(rows, y, seed, deep(dropout=dropout), **fixed | options).params.flat


def test_dropout_is_seeded_by_the_stream():
    assert_array_equal(dropped(0, 0.5), dropped(0, 0.5))
    assert np.abs(dropped(0, 0.5) - dropped(1, 0.5)).max() > 1e-3
    assert_array_equal(dropped(0, 0.0), dropped(1, 0.0))
    assert np.abs(dropped(0, 0.5) - dropped(0, 0.0)).max() > 1e-3


def test_each_batch_has_its_own_masks():
    history, still = [], SGD(1e-300, momentum=0.0)
    dropped(0, 0.5, optimizer=still, batch_size=10, max_iter=4, history=history)
    assert len({round(entry["loss"], 6) for entry in history}) == 4


# Sparse rows


@pytest.mark.parametrize("kind", [csr_array, csr_matrix])
@pytest.mark.parametrize("options", [{}, {"batch_norm": True}, {"dropout": 0.3}])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sparse_rows_train_as_dense_rows_do(kind, options, dtype):
    rows = np.where(np.abs(X) > 0.7, X, 0.0).astype(dtype)
    assert 0.2 < np.mean(rows == 0) < 0.8
    y, weight = Y.astype(dtype), np.linspace(0.5, 2.0, N_ROWS).astype(dtype)
    nets, histories = [], []
    for X_ in (rows, kind(rows)):
        net, history = deep(dtype, **options), []
        fixed = {"sample_weight": weight, "batch_size": 20, "history": history}
        nets.append(trained(X_, y, net=net, optimizer=SGD(0.1), **fixed))
        histories.append([entry["loss"] for entry in history])
    rtol = 1e-10 if dtype == np.float64 else 1e-4
    assert_allclose(*(net.params.flat for net in nets), rtol=rtol, atol=rtol)
    assert_allclose(*histories, rtol=rtol)
    assert nets[1].params.flat.dtype == dtype


@pytest.mark.parametrize("optimizer", [LBFGS(2), ConjugateGradient(2)], ids=repr)
def test_line_searches_take_sparse_rows(optimizer):
    rows = np.where(np.abs(X) > 0.7, X, 0.0)
    nets = [
        trained(a, net=deep(), optimizer=optimizer) for a in (rows, csr_array(rows))
    ]
    assert_allclose(*(net.params.flat for net in nets), rtol=1e-6, atol=1e-8)


# The array standard


def on_strict(net):
    for name in ("params", "statistics"):
        part = getattr(net, name)
        flat = array_api_strict.asarray(part.flat, copy=True)
        setattr(net, name, Parameters(part.shapes, flat=flat))
    return net


@every_optimizer
def test_all_options_need_the_array_standard_only(optimizer):
    options = {
        "optimizer": optimizer,
        "weight_decay": 0.01,
        "max_norm": 1.0,
        "learning_rate_multipliers": [0.5, 0.0, 1.0],
        "head_epochs": 1,
        "batch_size": 20,
        "max_iter": 3,
    }
    strict = trained(
        *(array_api_strict.asarray(a, copy=True) for a in (X, Y)),
        net=on_strict(deep()),
        **options,
        **validation([0.5, 0.3, 0.4], 5),
    )
    expected = trained(net=deep(), **options, **validation([0.5, 0.3, 0.4], 5))
    found = np.asarray(strict.params.flat)
    assert_allclose(found, expected.params.flat, rtol=1e-7, atol=1e-10)


# Early stopping


def validation(losses, patience):
    """Options of `finetune` that let it see these losses."""
    script = iter(losses)

    def validate():
        loss = next(script)
        return {"validation_score": 1.0 - loss, "validation_loss": loss}

    return {"validate": validate, "patience": patience, "watch": "validation_loss"}


@pytest.mark.parametrize(
    "options", [{}, {"batch_norm": True}, {"dropout": 0.3}], ids=repr
)
@pytest.mark.parametrize("optimizer", STEPPING, ids=repr)
def test_early_stopping_returns_to_the_best_epoch(optimizer, options, monkeypatch):
    monkeypatch.setattr(loop, "_PATIENT_UPDATES", 1)
    history = []
    net = trained(
        net=deep(**options),
        optimizer=optimizer,
        batch_size=20,
        max_iter=9,
        history=history,
        # Epoch 2 lies below epoch 1, though by less than what is waited for.
        **validation([0.5, 0.3, 0.29995, 0.4, 0.1], 2),
    )
    assert [e["validation_loss"] for e in history] == [0.5, 0.3, 0.29995, 0.4]
    best = trained(net=deep(**options), optimizer=optimizer, batch_size=20, max_iter=3)
    assert_array_equal(net.params.flat, best.params.flat)
    assert_array_equal(net.statistics.flat, best.statistics.flat)


def test_validation_sees_the_network_of_its_epoch():
    net, seen = deep(), []

    def validate():
        loss = float(net.loss.value(net.forward(X), Y))
        seen.append(loss)
        return {"validation_score": -loss, "validation_loss": loss}

    history = []
    trained(net=net, validate=validate, max_iter=4, history=history)
    assert [entry["validation_loss"] for entry in history] == seen
    assert seen[-1] == float(net.loss.value(net.forward(X), Y))
    assert len(set(seen)) == 4


def test_validation_without_patience_only_records():
    scripted = validation([0.1, 0.5, 0.9], None)
    history = []
    net = trained(net=deep(), max_iter=3, history=history, **scripted)
    assert_array_equal(net.params.flat, trained(net=deep(), max_iter=3).params.flat)
    assert [e["validation_loss"] for e in history] == [0.1, 0.5, 0.9]


def test_a_fall_of_the_default_tolerance_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(loop, "_PATIENT_UPDATES", 1)
    scripted, history = validation([0.5, 0.4998, 0.4996, 0.1], 2), []
    trained(net=deep(), max_iter=4, history=history, **scripted)
    assert len(history) == 4
    scripted, history = validation([0.5, 0.49995, 0.49991, 0.1], 2), []
    trained(net=deep(), max_iter=4, history=history, **scripted)
    assert len(history) == 3


@pytest.mark.parametrize("weight", [None, np.where(LABELS == 0, 1e-3, 1.0)])
def test_without_validation_the_loss_of_training_is_waited_for(weight, monkeypatch):
    """To the first epoch that is two beyond the last one of use; and that stays."""
    monkeypatch.setattr(loop, "_PATIENT_UPDATES", 1)
    options = {"batch_size": 20, "optimizer": Adam(0.02), "sample_weight": weight}
    stopped, whole = [], []
    asked = {"patience": 2, "tol": 0.05, "max_iter": 40}
    net = trained(net=deep(), history=stopped, **options, **asked)
    trained(net=deep(), history=whole, **options, max_iter=40)
    p = np.average(Y, axis=0, weights=weight)
    constant = -(p * np.log(p)).sum()
    bar, waited, n_epochs = np.inf, 0, 0
    while waited < 2 or bar >= 0.98 * constant:
        loss = whole[n_epochs]["loss"]
        leaves = loss < 0.98 * constant <= bar
        waited = 0 if leaves or loss < bar - 0.05 else waited + 1
        bar = loss if waited == 0 else bar
        n_epochs += 1
    assert len(stopped) == n_epochs < 40
    assert stopped == whole[:n_epochs]
    short = trained(net=deep(), **options, max_iter=n_epochs)
    assert_array_equal(net.params.flat, short.params.flat)


# Divergence


@pytest.mark.parametrize("options", [{}, {"batch_norm": True}], ids=repr)
def test_divergence_leaves_network_and_state_as_before_the_epoch(options):
    """Bad rows come with the third epoch; after it training can go on without them."""
    fixed = {"optimizer": Adam(0.02), "batch_size": 500}
    state, net, history = {}, deep(**options), []
    trained(net=net, state=state, history=history, **fixed)
    broken = np.where(np.arange(N_ROWS)[:, None] == 7, np.nan, X)
    with pytest.raises(FloatingPointError, match="in epoch 2; the parameters from"):
        trained(broken, net=net, state=state, history=history, **fixed)
    trained(net=net, state=state, history=history, seed=1, **fixed)
    expected, kept = deep(**options), {}
    trained(net=expected, state=kept, **fixed)
    assert_array_equal(
        trained(net=expected, state=kept, seed=1, **fixed).params.flat, net.params.flat
    )
    assert_array_equal(expected.statistics.flat, net.statistics.flat)
    assert [entry["epoch"] for entry in history] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_learns_by_name(name):
    net = deep()
    before = net.loss.value(net.forward(X), Y)
    trained(net=net, optimizer=name, batch_size=30, max_iter=20)
    assert net.loss.value(net.forward(X), Y) < 0.9 * before


@pytest.mark.parametrize("max_norm", [0.0, -1.0])
def test_a_bound_of_norms_that_is_none_is_refused(max_norm):
    with pytest.raises(ValueError, match="max_norm must be positive"):
        trained(net=deep(), max_norm=max_norm)


def test_rows_in_a_file_choose_their_own_order(monkeypatch):
    asked = []

    def shuffled(rows, rng):
        asked.append(len(rows))
        yield rng.permutation(len(rows))

    monkeypatch.setattr(ScaledRows, "shuffled", shuffled)
    rows, targets = np.zeros((6, 3)), np.zeros((6, 1))
    net = Network([3, 1], loss="squared_error")
    finetune(net, ScaledRows(rows), targets, rng=make_rng(0), max_iter=2)
    assert asked == [6, 6]
