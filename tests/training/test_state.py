import numpy as np

from dbn import RBM, Network
from dbn.backend.labelled_rows import LabelledRows
from dbn.boltzmann import CD, PCD, Bernoulli
from dbn.boltzmann.units.labels import with_labels
from dbn.training import SGD, Adam, DenoisingStack, finetune, pretrain, train_rbm
from dbn.training.state import StackState, TrainingState, remembered


def test_all_that_training_remembers_is_described():
    X, rng = np.eye(4), np.random.default_rng(0)
    machine, net, stack = {}, {}, {}
    holes = np.where(np.eye(4, k=1) == 1.0, np.nan, X)
    rbm, rows = (
        RBM(8, 2, visible=with_labels(Bernoulli(), 4, 4)),
        LabelledRows(holes, X),
    )
    train_rbm(rbm, rows, rng=rng, sampler="pcd", max_iter=1, state=machine)
    options = {"patience": 1, "max_iter": 1}
    finetune(Network([4, 4]), X, X, rng=rng, state=net, **options)
    assert {*machine} | {*net} == {*TrainingState.__annotations__}
    options = [{"max_iter": 1, "sampler": "pcd"}]
    pretrain(X, [2], rng=rng, layer_options=options, state=stack)
    nets = {}
    start = DenoisingStack(max_iter=1)
    start.train(Network([4, 2, 4]), X, rng, state=nets)
    assert {*stack, *nets, "params"} == {*StackState.__annotations__}
    assert {*stack["layer"]} == {*machine} - {"fill"}
    assert {*nets["layer"]} <= {*TrainingState.__annotations__}


def test_what_early_stopping_remembers_is_described():
    net = {}
    options = {"validate": lambda: {"validation_loss": 0.0}, "patience": 1}
    options |= {"watch": "validation_loss", "max_iter": 1, "state": net}
    finetune(
        Network([4, 4]), np.eye(4), np.eye(4), rng=np.random.default_rng(0), **options
    )
    assert {*net["best"]} == {"least", "arrays", "bar", "waited", "over"}
    for name in net["best"]:
        assert f'``"{name}"``' in TrainingState.__doc__


def test_remembered_is_made_once():
    state, made = {}, []

    def start():
        made.append({})
        return made[-1]

    first = remembered(state, "optimizer", SGD(), start)
    assert first is made[0] is state["optimizer"]
    assert remembered(state, "optimizer", SGD(), start) is first
    # Other values of a part go on with what it remembers.
    assert remembered(state, "optimizer", SGD(0.3, momentum=0.5), start) is first
    assert len(made) == 1


def test_remembered_starts_anew_for_another_class():
    state = {}
    remembered(state, "optimizer", SGD(), lambda: "of SGD")
    assert remembered(state, "optimizer", Adam(), lambda: "of Adam") == "of Adam"
    assert state["optimizer"] == "of Adam"
    assert remembered(state, "optimizer", SGD(), lambda: "again") == "again"


def test_remembered_starts_anew_for_another_number():
    state = {}
    remembered(state, "chains", PCD(n_chains=5), lambda: "5 chains")
    kept = remembered(state, "chains", PCD(n_chains=5, k=3), lambda: "other")
    assert kept == "5 chains"
    assert (
        remembered(state, "chains", PCD(n_chains=6), lambda: "6 chains") == "6 chains"
    )


def test_parts_are_remembered_apart():
    state = {}
    remembered(state, "optimizer", SGD(), lambda: "velocity")
    remembered(state, "chains", CD(), lambda: "chains")
    assert remembered(state, "optimizer", SGD(), lambda: None) == "velocity"
    assert remembered(state, "chains", CD(), lambda: None) == "chains"
