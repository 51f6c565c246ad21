"""Training that was stopped ends as if it had not been, bit for bit."""

import os
import pickle
import warnings

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import coo_array
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from dbn import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    RBMTransformer,
    ScaledRows,
)
from dbn.backend import rows as rows_of_files
from dbn.boltzmann import CD, FPCD, PCD, ParallelTempering
from dbn.training import SGD, Adam, Checkpoint, DenoisingStack, RMSProp, Schedule
from tests.estimators.toy import REAL, X, Y, buffers, message, rbm
from tests.helpers import Callback

pytestmark = pytest.mark.usefixtures("on_each_device")


class Stopped(Exception):
    pass


class Break(Callback):
    """Calls a function at the end of the n-th epoch, before the checkpoint."""

    def __init__(self, after, function):
        self.after, self.function = after, function

    def setup(self, estimator, context):
        self.n_epochs = 0

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch":
            self.n_epochs += 1
            if self.n_epochs == self.after:
                self.function()


class Killer(Break):
    """Raises at the end of the n-th epoch of a fit, as a crash would."""

    def __init__(self, after):
        super().__init__(after, self.stop)

    def stop(self):
        raise Stopped


def numbers(estimator):
    return np.concatenate([params.flat for params in buffers(estimator)])


def interrupted(estimator, folder, after, *data, **checkpoint):
    """Fit, crash after some epochs, and resume in another process' place."""
    crashing = clone(estimator).set_callbacks(
        Checkpoint(folder, **checkpoint), Killer(after)
    )
    with pytest.raises(Stopped):
        crashing.fit(*data)
    resumed = clone(estimator).set_callbacks(
        Checkpoint(folder, resume=True, **checkpoint)
    )
    return resumed.fit(*data)


STEADY = SGD(0.1)
FALLING = SGD(Schedule(0.1, 0.0))  # over the whole fit
MACHINES = [
    {},
    {"optimizer": FALLING},
    {"sampler": CD(k=((0, 1), (2, 2)))},
    {"sampler": PCD(n_chains=7), "centering": True},
    {"sampler": FPCD(n_chains=7)},
    {"sampler": ParallelTempering(n_chains=5, n_betas=3)},
    {"optimizer": Adam()},
    {"optimizer": RMSProp(), "sparsity": 0.2},
    {"hidden": "gaussian", "visible": "gaussian"},
]


@pytest.mark.parametrize("options", MACHINES, ids=str)
def test_a_machine(options, tmp_path):
    options = {"max_iter": 4, "random_state": 0, **options}
    whole = rbm(**options).fit(X)
    resumed = interrupted(rbm(**options), tmp_path, 2, X)
    assert_array_equal(numbers(resumed), numbers(whole))
    assert resumed.history_ == whole.history_
    assert resumed.score(X) == whole.score(X)  # the seed of log Z too
    assert_array_equal(numbers(resumed.partial_fit(X)), numbers(whole.partial_fit(X)))


@pytest.mark.parametrize("options", MACHINES[:5], ids=str)
def test_rows_with_unknown_values(options, tmp_path):
    holes = np.where(X < 0.2, np.nan, X)
    options = {"max_iter": 4, "random_state": 0, "sparsity": 0.3, **options}
    whole = rbm(**options).fit(holes)
    resumed = interrupted(rbm(**options), tmp_path, 2, holes)
    assert_array_equal(numbers(resumed), numbers(whole))
    assert resumed.history_ == whole.history_
    assert_array_equal(resumed.score_samples(holes), whole.score_samples(holes))


@pytest.mark.parametrize("after", [1, 2, 3, 5, 6])
def test_a_stack_in_every_layer(after, tmp_path):
    stack = DBNTransformer((4, 3, 2), rbm=rbm(sampler=PCD(n_chains=9)), random_state=0)
    whole = clone(stack).fit(X)
    resumed = interrupted(stack, tmp_path, after, X)
    assert_array_equal(numbers(resumed), numbers(whole))
    assert (resumed.n_iter_, resumed.history_) == (whole.n_iter_, whole.history_)


def test_a_stack_whose_rates_fall_over_the_fit(tmp_path):
    stack = DBNTransformer((4, 3), rbm=rbm(optimizer=FALLING, max_iter=4))
    stack.set_params(random_state=0)
    for after in (2, 5):
        resumed = interrupted(stack, tmp_path / str(after), after, X)
        assert_array_equal(numbers(resumed), numbers(clone(stack).fit(X)))


# It stops by itself, after ten epochs or more.
STOPPING = {"n_iter_no_change": 2, "batch_size": 1, "max_iter": 80, "tol": 0.05}
STOPPING |= {"optimizer": Adam(0.02)}
NETS = [
    {},
    {"optimizer": SGD(0.1, nesterov=True), "head_epochs": 2},
    {"optimizer": RMSProp(), "dropout": 0.3, "max_norm": 1.0},
    {"batch_norm": True, "learning_rate_multipliers": [0.0, 0.5, 1.0]},
    {"optimizer": FALLING},
    STOPPING | {"early_stopping": True, "validation_fraction": 0.4},
    STOPPING,
    {"init": "he_normal", "optimizer": "cg"},
    {"init": "dbn-shuffled", "unlabeled": 2},
]


@pytest.mark.parametrize("options", NETS, ids=str)
@pytest.mark.parametrize("after", [1, 5, 7, 99])
@pytest.mark.parametrize("cls", [DBNClassifier, DBNRegressor])
def test_a_net_in_every_phase(cls, options, after, tmp_path):
    y = Y + (X[:, 2] > 0.5)
    options = {"rbm": rbm(), "max_iter": 8, "batch_size": 20, **options}
    net = cls((4, 3), random_state=0, **options)
    whole = clone(net).fit(X, y)
    n_epochs = len(whole.history_)
    assert whole.n_iter_ < 60
    resumed = interrupted(net, tmp_path, min(after, n_epochs), X, y)
    assert_array_equal(numbers(resumed), numbers(whole))
    assert resumed.history_ == whole.history_
    assert resumed.n_iter_ == whole.n_iter_


# Layer 0, its last epoch, layer 1, its last epoch, and two of fine-tuning.
@pytest.mark.parametrize("after", [1, 3, 4, 6, 7, 9])
@pytest.mark.parametrize(
    ("net", "data"),
    [
        (DBNAutoencoder((4, 3), noise=0.1), (X,)),
        (DBNAutoencoder((4, 3), batch_norm=True, activation="tanh"), (REAL,)),
        (DBNClassifier((4, 3), batch_norm=True), (X, Y, 1.0 + Y)),
        (DBNRegressor((4, 3), dropout=0.2), (X, Y)),
    ],
)
def test_denoising_autoencoders_in_every_phase(net, data, after, tmp_path):
    init = DenoisingStack(batch_size=20, max_iter=3)
    net = clone(net).set_params(
        init=init, max_iter=4, batch_size=20, optimizer=FALLING, random_state=0
    )
    whole = clone(net).fit(*data)
    phases = [(entry["phase"], entry.get("layer")) for entry in whole.history_]
    layers = [("pretrain", 0)] * 3 + [("pretrain", 1)] * 3
    assert phases == layers + [("finetune", None)] * 4
    resumed = interrupted(net, tmp_path, after, *data)
    assert_array_equal(numbers(resumed), numbers(whole))
    assert resumed.history_ == whole.history_


def test_a_seed_of_none_goes_on_with_the_streams_of_the_first_run(tmp_path):
    """Which split was held out, too; there is no other run to compare with."""
    net = DBNClassifier((4,), rbm=rbm(), max_iter=6, early_stopping=True)
    crashing = clone(net).set_callbacks(Checkpoint(tmp_path), Killer(4))
    with pytest.raises(Stopped):
        crashing.fit(X, Y)
    runs = [
        clone(net).set_callbacks(Checkpoint(tmp_path, keep=9, resume=True)).fit(X, Y)
        for _ in range(2)
    ]
    assert_array_equal(numbers(runs[0]), numbers(runs[1]))
    assert runs[0].history_[:4] == crashing.history_


def test_a_finished_fit_is_not_repeated_but_can_grow(tmp_path):
    estimator = rbm(random_state=0, max_iter=3, optimizer=STEADY)
    whole = clone(estimator).set_callbacks(Checkpoint(tmp_path)).fit(X)
    again = clone(estimator).set_callbacks(Checkpoint(tmp_path, resume=True)).fit(X)
    assert_array_equal(numbers(again), numbers(whole))
    longer = clone(estimator).set_params(max_iter=5)
    longer.set_callbacks(Checkpoint(tmp_path, resume=True)).fit(X)
    assert_array_equal(
        numbers(longer), numbers(clone(estimator).set_params(max_iter=5).fit(X))
    )


def going_on(make, folder, *data, **checkpoint):
    """A warm start that crashes, and is resumed where the estimator is made again."""
    rest = Killer(99)
    crashing = make().set_callbacks(Checkpoint(folder, **checkpoint), Killer(3))
    with pytest.raises(Stopped):
        crashing.fit(*data)
    resumed = make().set_callbacks(Checkpoint(folder, resume=True), rest).fit(*data)
    assert rest.n_epochs == 2
    return resumed


@pytest.mark.parametrize("options", MACHINES, ids=str)
def test_a_warm_start_of_a_machine(options, tmp_path):
    """Five epochs and five more, killed after eight in all."""
    options = {"max_iter": 5, "warm_start": True, "random_state": 0, **options}
    whole = rbm(**options).fit(X).fit(X)
    resumed = going_on(lambda: rbm(**options).fit(X), tmp_path, X)
    assert resumed.n_iter_ == whole.n_iter_ == 10
    assert_array_equal(numbers(resumed), numbers(whole))
    assert resumed.history_ == whole.history_


@pytest.mark.parametrize("options", NETS, ids=str)
@pytest.mark.parametrize("cls", [DBNClassifier, DBNRegressor])
def test_a_warm_start_of_a_net(cls, options, tmp_path):
    y = Y + (X[:, 2] > 0.5)
    options = {"rbm": rbm(), "batch_size": 20, **options, "n_iter_no_change": 9}
    options |= {"warm_start": True, "random_state": 0, "max_iter": 5}

    def make():
        return cls((4, 3), **options).fit(X, y)

    whole = make().fit(X, y)
    resumed = going_on(make, tmp_path, X, y)
    assert resumed.n_iter_ == whole.n_iter_ == 10
    assert_array_equal(numbers(resumed), numbers(whole))
    assert resumed.history_ == whole.history_
    again = [net.partial_fit(X, y) for net in (resumed, whole)]
    assert_array_equal(*map(numbers, again))


def test_a_script_of_two_fits_is_run_again(tmp_path):
    """Each fit finds its own files: the first has nothing left to do."""
    whole = rbm(max_iter=5, warm_start=True, random_state=0).fit(X).fit(X)

    def script(*more):
        machine = rbm(max_iter=5, warm_start=True, random_state=0)
        machine.set_callbacks(Checkpoint(tmp_path, resume=True), *more)
        return machine.fit(X).set_callbacks(Checkpoint(tmp_path, resume=True), *more)

    with pytest.raises(Stopped):
        script().set_callbacks(Checkpoint(tmp_path, resume=True), Killer(3)).fit(X)
    again = script().fit(X)
    assert_array_equal(numbers(again), numbers(whole))
    assert again.history_ == whole.history_


def test_a_warm_start_on_other_rows_is_another_task(tmp_path):
    machine = rbm(warm_start=True, random_state=0)
    machine.set_callbacks(Checkpoint(tmp_path, resume=True)).fit(X).fit(X[:40])
    plain = rbm(warm_start=True, random_state=0).fit(X).fit(X[:40])
    assert_array_equal(numbers(machine), numbers(plain))


def test_every_n_epochs_and_how_many_are_kept(tmp_path):
    def names(**options):
        folder = tmp_path / repr(options)
        rbm(max_iter=7).set_callbacks(Checkpoint(folder, **options)).fit(X)
        return [path.name[-11:] for path in sorted(folder.glob("*.ckpt"))]

    assert names() == ["000006.ckpt", "000007.ckpt"]
    assert names(every_n_epochs=3, keep=9) == [f"00000{n}.ckpt" for n in (3, 6, 7)]
    assert names(keep=1) == ["000007.ckpt"]


@pytest.mark.parametrize("first, whole, every", [(3, 7, 2), (2, 9, 4), (3, 5, 10)])
@pytest.mark.parametrize("kind", ["machine", "net"])
def test_every_n_epochs_counts_those_before_a_resume(
    kind, first, whole, every, tmp_path
):
    def fit(n, resume):
        made = rbm(max_iter=n, optimizer=SGD(0.1))
        if kind == "net":
            its = {"rbm": rbm(max_iter=2), "optimizer": SGD(0.1), "random_state": 0}
            made = DBNClassifier((4,), max_iter=n, **its)
        callback = Checkpoint(tmp_path, every_n_epochs=every, keep=99, resume=resume)
        return made.set_callbacks(callback).fit(X, Y)

    fit(first, False), fit(whole, True)
    expected = {*range(every, whole + 1, every), first, whole}
    if kind == "net":  # behind the two epochs of its machine
        expected = {2, *(2 + n for n in expected)}
    assert {int(path.name[-11:-5]) for path in tmp_path.glob("*.ckpt")} == expected


def test_the_last_epoch_before_an_early_stop_is_saved(tmp_path):
    its = {"activation": "relu", "early_stopping": True, "tol": 0.1, "batch_size": 10}
    net = DBNClassifier((4,), init="he_normal", max_iter=400, random_state=0, **its)
    net.set_callbacks(Checkpoint(tmp_path, every_n_epochs=1000))
    net.fit(*load_iris(return_X_y=True))
    (file,) = tmp_path.glob("*.ckpt")
    assert int(file.name[-11:-5]) == net.n_iter_ < 400


def test_without_resume_training_starts_anew(tmp_path):
    def fitted(max_iter):
        machine = rbm(max_iter=max_iter, random_state=0, optimizer=STEADY)
        return machine.set_callbacks(Checkpoint(tmp_path)).fit(X)

    fitted(5)
    short = fitted(2)
    assert short.n_iter_ == 2
    assert [path.name[-11:] for path in sorted(tmp_path.glob("*.ckpt"))] == [
        "000001.ckpt",
        "000002.ckpt",
    ]


def test_resume_in_an_empty_folder_just_trains(tmp_path):
    estimator = rbm(random_state=0).set_callbacks(Checkpoint(tmp_path, resume=True))
    assert_array_equal(numbers(estimator.fit(X)), numbers(rbm(random_state=0).fit(X)))


@pytest.mark.parametrize(
    ("params", "data"),
    [
        ({"n_components": 5}, (X,)),
        ({"sampler": "pcd"}, (X,)),
        ({"random_state": 1}, (X,)),
        ({}, (X[::-1],)),
        ({}, (X[:50],)),
        ({}, (X, None, np.arange(60.0))),
    ],
)
def test_another_fit_is_refused(params, data, tmp_path):
    rbm(random_state=0).set_callbacks(Checkpoint(tmp_path)).fit(X)
    other = rbm(**{"random_state": 0} | params)
    text = message(other.set_callbacks(Checkpoint(tmp_path, resume=True)).fit, *data)
    assert "holds checkpoints of the same task for other parameters or other" in text
    assert "resume=False" in text


MANY = np.random.default_rng(1).random((2500, 5))
SOME = [[np.zeros((5, 300)), np.zeros(300)] for _ in range(2)]
SOME[1][0][2, 150] = 0.1
# What `repr` leaves out: elements from the 30th on, and the middle of a long text.
STEPS = [tuple((epoch, 0.1) for epoch in range(n)) for n in (40, 41)]
LONG = [
    SGD((*((n, 0.123456789012) for n in range(28)), (28, rate)), momentum=momentum)
    for momentum in [tuple((n, 0.123456789012) for n in range(29))]
    for rate in (0.1, 0.2)
]
FROZEN = [
    FrozenEstimator(DBNTransformer((4,), rbm=rbm(), random_state=0).fit(rows))
    for rows in (X, 1 - X)
]


def with_every_other_row_changed(rows):
    rows = rows.copy()
    rows[1::2] = 1 - rows[1::2]
    return rows


OTHER_FITS = [
    pytest.param(
        RBMTransformer(3, max_iter=1, random_state=0),
        ({}, {}),
        ((MANY,), (with_every_other_row_changed(MANY),)),
        id="every other row",
    ),
    pytest.param(
        DBNClassifier((4,), init="zeros", max_iter=1, random_state=0),
        ({}, {}),
        ((X, Y), (X, np.where(np.arange(60) == 31, 1 - Y, Y))),
        id="one label",
    ),
    pytest.param(
        DBNClassifier((4,), init="zeros", max_iter=1, random_state=0),
        ({}, {}),
        ((X, Y), (X, np.array(["cat", "dog"])[Y])),
        id="names of labels",
    ),
    pytest.param(
        DBNClassifier(max_iter=1, random_state=0),
        ({"init": FROZEN[0]}, {"init": FROZEN[1]}),
        ((X, Y),) * 2,
        id="weights inside a frozen DBN",
    ),
    pytest.param(
        DBNRegressor((300,), max_iter=1, random_state=0),
        [{"init": [pair, [np.zeros((300, 1)), np.zeros(1)]]} for pair in SOME],
        ((X, Y),) * 2,
        id="weights in init",
    ),
    pytest.param(
        RBMTransformer(3, max_iter=1, random_state=0),
        ({"optimizer": SGD(STEPS[0])}, {"optimizer": SGD(STEPS[1])}),
        ((X,),) * 2,
        id="a long schedule",
    ),
    pytest.param(
        RBMTransformer(3, max_iter=1, random_state=0),
        ({"optimizer": LONG[0]}, {"optimizer": LONG[1]}),
        ((X,),) * 2,
        id="a long text",
    ),
    pytest.param(
        DBNClassifier((4,), init="zeros", max_iter=1, random_state=0),
        ({}, {}),
        ((X, Y, None, X[:9], Y[:9]), (X, Y, None, X[:9] / 2, Y[:9])),
        id="validation rows",
    ),
    pytest.param(
        DBNClassifier((4,), init="zeros", max_iter=1, random_state=0),
        ({}, {}),
        ((X, Y, None, X[:9], Y[:9]), (X, Y, None, X[:9], 1 - Y[:9])),
        id="validation labels",
    ),
]


@pytest.mark.parametrize(("estimator", "params", "data"), OTHER_FITS)
def test_a_fit_that_differs_anywhere_is_refused(estimator, params, data, tmp_path):
    (one, other), (given, changed) = params, data

    def fit(params, data):
        net = clone(estimator).set_params(**params)
        callback = Checkpoint(tmp_path, resume=True)
        return net.set_callbacks(callback).fit(*data[:3], **validation(data))

    def validation(data):
        return dict(zip(("X_val", "y_val"), data[3:], strict=False))

    first = fit(one, given)
    assert_array_equal(numbers(fit(one, given)), numbers(first))
    text = message(fit, other, changed)
    assert "holds checkpoints of the same task for other parameters or other" in text


def test_what_is_shown_and_where_it_is_computed_may_change(tmp_path):
    net = DBNClassifier((4,), rbm=rbm(), max_iter=2, random_state=0)
    first = clone(net).set_callbacks(Checkpoint(tmp_path)).fit(X, Y)
    net.set_params(verbose=1, rbm__verbose=1, rbm__device="cpu")
    again = net.set_callbacks(Checkpoint(tmp_path, resume=True)).fit(X, Y)
    assert_array_equal(numbers(again), numbers(first))


def test_a_warm_start_of_another_machine_is_another_fit(tmp_path):
    def going_on(rows):
        machine = rbm(warm_start=True, random_state=0).fit(rows)
        machine.set_callbacks(Checkpoint(tmp_path, resume=True))
        return lambda: machine.fit(X)

    going_on(X)()
    text = message(going_on(1 - X))
    assert "holds checkpoints of the same task for other parameters or other" in text


def test_checkpoints_of_an_older_version_are_not_taken_over(tmp_path):
    """Their names told less, and there was nothing that told the run."""
    machine = rbm(random_state=0).set_callbacks(Checkpoint(tmp_path)).fit(X)
    for path in tmp_path.iterdir():
        if path.suffix == ".ckpt":
            cls, task, _, n_epochs = path.name.split("-")
            path.rename(tmp_path / f"{cls}-{task}-0123456789ab-{n_epochs}")
        else:
            path.unlink()
    text = message(machine.set_callbacks(Checkpoint(tmp_path, resume=True)).fit, X)
    assert "or of an older version of dbn (RBMTransformer-" in text


@pytest.mark.parametrize(
    "estimator",
    [
        rbm(random_state=0, max_iter=6, optimizer=STEADY),
        DBNClassifier(
            (4,), rbm=rbm(), max_iter=6, random_state=0, optimizer=Adam(0.01)
        ),
    ],
)
@pytest.mark.parametrize("warm_start", [False, True])
def test_fewer_epochs_than_there_are_is_refused(estimator, warm_start, tmp_path):
    def fit(**params):
        model = clone(estimator)
        if warm_start:
            model.set_params(warm_start=True).fit(X, Y)
        model.set_params(**params)
        return model.set_callbacks(Checkpoint(tmp_path, resume=True)).fit(X, Y)

    whole = fit()
    text = message(fit, max_iter=3)
    assert text.startswith("max_iter is 3, but the checkpoint ")
    assert " has 6 epochs. Set max_iter to at least that" in text
    assert_array_equal(numbers(fit()), numbers(whole))


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (rbm(optimizer=FALLING), "max_iter"),
        (rbm(), "max_iter"),  # by default the rate falls
        (rbm(sampler="pcd"), "max_iter"),
        (DBNClassifier((4,), rbm=rbm()), "max_iter"),
        (DBNRegressor((4,), rbm=rbm()), "max_iter"),
        (DBNClassifier((4,), rbm=rbm(), optimizer=FALLING), "max_iter"),
        (DBNTransformer((4, 3), rbm=rbm(optimizer=FALLING)), "rbm__max_iter"),
    ],
    ids=str,
)
def test_a_schedule_that_ends_with_the_fit_makes_another_length_another_fit(
    estimator, name, tmp_path
):
    def fit(max_iter):
        model = clone(estimator).set_params(random_state=0, **{name: max_iter})
        return model.set_callbacks(Checkpoint(tmp_path, resume=True)).fit(X, Y)

    whole = fit(4)
    for other in (3, 6):
        assert "for other parameters or other data" in message(fit, other)
    assert_array_equal(numbers(fit(4)), numbers(whole))


@pytest.mark.parametrize("optimizer", [SGD(0.1), FALLING], ids=str)
@pytest.mark.parametrize(
    "estimator", [rbm(), DBNClassifier((4,), init="zeros", tol=0.0)], ids=str
)
def test_auto_is_the_number_that_it_comes_to(estimator, optimizer, tmp_path):
    """A file for the one is a file for the other."""
    params = {"optimizer": optimizer, "batch_size": 1, "random_state": 0}

    def fit(max_iter):
        model = clone(estimator).set_params(max_iter=max_iter, **params)
        return model.set_callbacks(Checkpoint(tmp_path, resume=True)).fit(X, Y)

    auto = fit("auto")
    again = fit(auto.max_iter_)
    assert auto.n_iter_ == auto.max_iter_ == again.n_iter_
    assert_array_equal(numbers(again), numbers(auto))
    if optimizer is not FALLING:
        longer = fit(auto.max_iter_ + 1)
        assert longer.n_iter_ == auto.n_iter_ + 1
        text = message(fit, "auto")
        assert text.startswith(f"max_iter is {auto.max_iter_}, but the checkpoint ")


def test_any_kind_of_rows_and_weights_that_fit_takes(tmp_path):
    """What is compared is what validation makes of them."""
    pandas = pytest.importorskip("pandas")
    kinds = [X, X.tolist(), pandas.DataFrame(X), np.asfortranarray(X)]
    for rows in kinds:
        machine = rbm(random_state=0).set_callbacks(Checkpoint(tmp_path, resume=True))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", ConvergenceWarning)
            machine.fit(rows, sample_weight=2.0)
    assert len({path.name[:-12] for path in tmp_path.glob("*.ckpt")}) == 1
    machine = rbm(random_state=0).set_callbacks(Checkpoint(tmp_path / "sparse"))
    assert machine.fit(coo_array(X)).n_iter_ == 2


def test_frames_of_polars(tmp_path):
    polars = pytest.importorskip("polars")
    for resume in (False, True):
        machine = rbm(random_state=0).set_callbacks(Checkpoint(tmp_path, resume=resume))
        machine.fit(polars.DataFrame(X))
    assert len([*tmp_path.glob("*.ckpt")]) == 2


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_folds_of_a_cross_validation_are_one_run(n_jobs, tmp_path):
    net = DBNClassifier((4,), init="he_normal", max_iter=3, random_state=0)
    plain = cross_val_score(net, X, Y, cv=4)

    def score(estimator, **options):
        options = {"cv": 4, "n_jobs": n_jobs, "error_score": "raise"} | options
        return cross_validate(estimator, X, Y, **options)["test_score"]

    def with_checkpoint(folder=tmp_path, **params):
        return (
            clone(net)
            .set_params(**params)
            .set_callbacks(Checkpoint(folder, resume=True))
        )

    # Which files are whose: two processes may begin the folds in any order.
    stems = []
    for i, fold in enumerate(StratifiedKFold(4).split(X, Y)):
        alone = tmp_path / f"fold {i}"
        score(with_checkpoint(alone), cv=[fold], n_jobs=1)
        stems += [path.stem for path in alone.glob("*.run")]
    assert_array_equal(score(with_checkpoint()), plain)
    assert {path.stem for path in tmp_path.glob("*.run")} == {*stems}
    # Stopped in the third fold, before its first epoch: the fourth was not begun.
    for path in tmp_path.glob(f"{stems[3]}*"):
        path.unlink()
    for path in tmp_path.glob(f"{stems[2]}*.ckpt"):
        path.unlink()
    assert_array_equal(score(with_checkpoint(), n_jobs=1), plain)
    text = message(score, with_checkpoint(batch_size=7))
    assert "holds checkpoints of the same task for other parameters or other" in text


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_on_an_empty_folder_and_again(n_jobs, tmp_path):
    def search():
        net = DBNClassifier((4,), init="zeros", max_iter=2, random_state=0)
        net.set_callbacks(Checkpoint(tmp_path, resume=True))
        grid = {"batch_size": [10, 20]}
        search = GridSearchCV(net, grid, cv=2, n_jobs=n_jobs, error_score="raise")
        return search.fit(X, Y).cv_results_["mean_test_score"]

    first = search()
    for path in sorted(tmp_path.iterdir())[-4:]:
        path.unlink()
    assert_array_equal(search(), first)


def test_fits_in_threads_share_the_callback(tmp_path):
    """One that ends forgets nothing of the others."""
    net = DBNClassifier((4,), init="zeros", max_iter=20, random_state=0)
    plain = cross_val_score(net, X, Y, cv=8)
    net.set_callbacks(Checkpoint(tmp_path))
    with joblib.parallel_config("threading", n_jobs=4):
        scores = cross_val_score(net, X, Y, cv=8, error_score="raise")
    assert_array_equal(scores, plain)


def test_a_copy_of_a_callback_belongs_to_the_same_run(tmp_path):
    callback = Checkpoint(tmp_path, resume=True)
    rbm(random_state=0).set_callbacks(callback).fit(X)
    copy = pickle.loads(pickle.dumps(callback))
    assert rbm(random_state=0).set_callbacks(copy).fit(1 - X).n_iter_ == 2
    other = Checkpoint(tmp_path, resume=True)
    text = message(rbm(random_state=0).set_callbacks(other).fit, X / 2)
    assert "holds checkpoints of the same task for other parameters or other" in text


@pytest.mark.parametrize(
    "outer",
    [
        make_pipeline(MinMaxScaler(), rbm()),
        GridSearchCV(rbm(), {"batch_size": [10, 20]}, cv=2),
    ],
    ids=["Pipeline", "GridSearchCV"],
)
def test_it_is_set_on_the_estimator_inside(outer, tmp_path):
    outer = clone(outer).set_callbacks(Checkpoint(tmp_path))
    text = message(outer.fit, X, error=TypeError)
    assert text.startswith(f"Checkpoint is set on a {type(outer).__name__}, which has ")
    assert "Set it on the estimator of dbn inside" in text


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_rows_of_a_file_are_not_read_once_more(dtype, tmp_path, monkeypatch):
    """Validation reads them; but what was read then is not what counts later."""
    images = (255 * MANY).astype(dtype)
    given = ScaledRows(images, 255)

    def fit():
        callback = Checkpoint(tmp_path, resume=True)
        return rbm(random_state=0).set_callbacks(callback).fit(given)

    monkeypatch.setattr(rows_of_files, "sha256_of", None)
    whole = fit()
    assert_array_equal(numbers(fit()), numbers(whole))
    images[1234, 3] -= 1
    assert "holds checkpoints of the same task for other parameters" in message(fit)


def names_of_epochs(folder):
    """The names that the checkpoints of two epochs have."""
    rbm(random_state=0).set_callbacks(Checkpoint(folder)).fit(X)
    names = [path.name for path in sorted(folder.glob("*.ckpt"))]
    for path in folder.iterdir():
        path.unlink()
    return names


def test_a_link_in_a_checkpoints_place_is_not_written_through(tmp_path):
    for path, name in zip("ab", names_of_epochs(tmp_path), strict=True):
        (tmp_path / path).write_text("precious")
        (tmp_path / name).symlink_to(tmp_path / path)
    machine = rbm(random_state=0)
    # A new run removes the links; a resumed one passes them over, and replaces them.
    with pytest.warns(RuntimeWarning, match="is passed over"):
        machine.set_callbacks(Checkpoint(tmp_path, resume=True)).fit(X)
    assert [(tmp_path / path).read_text() for path in "ab"] == ["precious"] * 2
    found = sorted(tmp_path.glob("*.ckpt"))
    assert len(found) == 2 and not any(path.is_symlink() for path in found)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_is_no_file_in_a_checkpoints_place(make, tmp_path):
    last = names_of_epochs(tmp_path)[-1]
    make(tmp_path / last)
    make(tmp_path / f"{last[:-12]}.run")
    whole = rbm(random_state=0).fit(X)
    with pytest.warns(RuntimeWarning) as caught:
        callback = Checkpoint(tmp_path, resume=True)
        machine = rbm(random_state=0).set_callbacks(callback).fit(X)
    assert_array_equal(numbers(machine), numbers(whole))
    texts = [str(warning.message) for warning in caught]
    assert "there is a folder, pipe or device, and no file." in texts[0]
    if make is os.mkdir:
        assert "could not be kept" in texts[1]
        with pytest.warns(RuntimeWarning, match="could not be kept"):
            rbm(random_state=0).set_callbacks(Checkpoint(tmp_path)).fit(X)


def test_a_damaged_file_is_passed_over(tmp_path):
    estimator = rbm(max_iter=4, random_state=0)
    whole = clone(estimator).set_callbacks(Checkpoint(tmp_path)).fit(X)
    newest = sorted(tmp_path.glob("*.ckpt"))[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    resumed = clone(estimator).set_callbacks(Checkpoint(tmp_path, resume=True))
    with pytest.warns(RuntimeWarning, match="is passed over"):
        resumed.fit(X)
    assert_array_equal(numbers(resumed), numbers(whole))


def test_a_full_disk_warns_and_training_goes_on(tmp_path, monkeypatch):
    from dbn.training.callbacks import checkpoint

    estimator = rbm(max_iter=4, random_state=0)
    write, calls = checkpoint.write_archive, []

    def failing(path, content, **options):
        calls.append(path)
        if len(calls) > 2:
            raise OSError(28, "No space left on device")
        write(path, content, **options)

    monkeypatch.setattr(checkpoint, "write_archive", failing)
    with pytest.warns(RuntimeWarning, match="No space left on device"):
        clone(estimator).set_callbacks(Checkpoint(tmp_path)).fit(X)
    assert [path.name[-11:] for path in sorted(tmp_path.glob("*.ckpt"))] == [
        "000001.ckpt",
        "000002.ckpt",
    ]
    monkeypatch.undo()
    resumed = clone(estimator).set_callbacks(Checkpoint(tmp_path, resume=True)).fit(X)
    assert_array_equal(numbers(resumed), numbers(clone(estimator).fit(X)))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_fits_below_a_search_do_not_collide(n_jobs, tmp_path):
    def search(**options):
        machine = rbm(random_state=0).set_callbacks(Checkpoint(tmp_path, **options))
        grid = {"batch_size": [10, 20], "n_components": [3, 4]}
        return GridSearchCV(machine, grid, cv=2, n_jobs=n_jobs).fit(X)

    first = search(keep=1)
    assert len(list(tmp_path.glob("*.ckpt"))) == 2 * 4 + 1  # and the refit
    again = search(keep=1, resume=True)
    assert_array_equal(
        again.cv_results_["mean_test_score"], first.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize("name", ["every_n_epochs", "keep"])
def test_wrong_parameters(name, tmp_path):
    checkpoint = Checkpoint(tmp_path, **{name: 0})
    text = message(rbm().set_callbacks(checkpoint).fit, X)
    assert text == f"Checkpoint: {name} must be an integer of at least 1; it is 0."


def test_standardised_rows_and_single_precision(tmp_path):
    rows = REAL.astype(np.float32)
    whole = rbm(max_iter=4, random_state=0).fit(rows)
    resumed = interrupted(rbm(max_iter=4, random_state=0), tmp_path, 2, rows)
    assert numbers(resumed).dtype == np.float32
    assert_array_equal(numbers(resumed), numbers(whole))
    assert isinstance(resumed, RBMTransformer)
