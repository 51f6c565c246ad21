"""How long a comparison still takes is known from the first tenth of it on."""

import re

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from dbn import DBNTransformer, RBMTransformer
from dbn.evaluation import Contender, compare_initializers
from dbn.evaluation.study import run_study, time_left
from dbn.evaluation.study.time_left import work_of

OWN = [
    ("dbn", "logistic"),
    ("xavier_uniform", "logistic"),
    Contender("forest", RandomForestClassifier(), {"max_features": [0.1, 0.3]}),
    Contender("svm", SVC(), {"C": [0.1, 1.0, 10.0, 100.0]}),
]

COSTS = {
    f"{phase}_{cost}": 1
    for phase in ("pretrain", "finetune")
    for cost in ("seconds", "multiply_adds")
}


def slow_machines(study, cell):
    """Machines are far slower than their work says, logistic regressions too."""
    factor = 6.0 if cell.stage == "pretrain" else 1.0
    factor *= 5.0 if "regression" in cell.name else 1.0
    return factor * (1.5 if "dropout" in cell.name else 1.0) * work_of(study, cell)


def fast_machines(study, cell):
    """Small nets cost more than their work says, a large C much more."""
    factor = 0.2 if cell.stage == "pretrain" else 1.0
    if "regression" in cell.name:
        factor *= (cell.value or 1.0) ** 0.3
    return factor * (work_of(study, cell) + 2e9)


def others(study, cell):
    """What is not a net takes what it takes."""
    if cell.stage == "pretrain" or "+" in cell.name:
        return work_of(study, cell)
    rows = cell.n_labels * (4 if cell.stage == "tune" else 1)
    return 1e8 * rows if cell.name == "forest" else 3e5 * rows**2


STUDIES = {
    "slow machines": (
        slow_machines,
        {"hidden_layer_sizes": [(64,), (64, 64)], "label_budgets": [40, 100, 300]},
    ),
    "fast machines": (
        fast_machines,
        {"hidden_layer_sizes": [(32,), (128, 128)], "label_budgets": [50, 200]}
        | {"n_seeds": 3, "equal": "multiply_adds"},
    ),
    "others": (
        others,
        {"hidden_layer_sizes": [(64,)], "label_budgets": [50, 400], "n_seeds": 5}
        | {"inits": OWN},
    ),
}


@pytest.fixture
def simulated(monkeypatch):
    """A study on a clock that only the cells move; what it estimated, and when."""

    def run(cost, stop_after=np.inf, **settings):
        now, seen = [0.0], []
        rng = np.random.default_rng(0)

        def run_cell(cell, study, start, *data):
            seconds = 1e-9 * cost(study, cell) * rng.lognormal(0.0, 0.15)
            now[0] += seconds
            if now[0] > stop_after:
                raise KeyboardInterrupt
            if cell.stage == "pretrain":
                costs = {"pretrain_seconds": 1.0, "pretrain_multiply_adds": 1}
                return cell, (costs, dbn), seconds
            contender = study.contender(cell)
            record = cell.describe() | study.who(cell)
            record |= {"parameter": contender.parameter, "error": rng.random(), **COSTS}
            return cell, record, seconds

        done = time_left.TimeLeft.done

        def spying(self, cell, seconds, elapsed):
            done(self, cell, seconds, elapsed)
            seen.append((elapsed, self.share, self.total, self.left))

        monkeypatch.setattr(run_study, "run_cell", run_cell)
        monkeypatch.setattr(time_left.TimeLeft, "done", spying)
        for module in (run_study, time_left):
            monkeypatch.setattr(module, "perf_counter", lambda: now[0])
        X = rng.random((600, 8))
        dbn = DBNTransformer((1,), rbm=RBMTransformer(max_iter=1)).fit(X)
        compare_initializers(X, np.arange(600) % 3, verbose=1, **settings)
        return np.array(seen).T

    return run


@pytest.mark.parametrize("name", STUDIES)
def test_the_estimate_is_right_from_a_tenth_on_and_does_not_jump(
    name, simulated, capsys
):
    cost, settings = STUDIES[name]
    elapsed, share, total, left = simulated(cost, **settings)
    truth = elapsed[-1]
    late = (elapsed >= 0.1 * truth) | (share >= 0.1)  # what is said is right, too
    factors = total[late] / truth
    assert factors.max() < 1.5 and factors.min() > 1 / 1.5
    jumps = np.abs(np.diff(np.log(total[late])))
    cells = np.diff(elapsed[late]) / truth  # a long one may tell more
    assert (jumps < 0.05 + 5 * cells).all()
    assert (np.diff(share) >= 0).all() and share[-1] == 1.0
    assert total[-1] == pytest.approx(truth, rel=0.1)
    assert left[-1] < 0.1 * truth and (left >= total - elapsed).all()


def test_time_is_left_where_a_machine_slows_down_at_the_end(simulated):
    """Never none; the total alone is past before all is done."""
    done, (cost, settings) = [], STUDIES["others"]

    def slower(study, cell):
        done.append(cell)
        return cost(study, cell) * (6.0 if len(done) > 0.85 * n_cells else 1.0)

    n_cells = len(simulated(cost, **settings)[0])
    elapsed, _, total, left = simulated(slower, **settings)
    assert (total < elapsed)[:-1].any()
    assert (left[:-1] > 0.0).all()
    late = slice(int(0.9 * n_cells), int(0.97 * n_cells))
    assert (left > 0.2 * (elapsed[-1] - elapsed))[late].all()


def test_a_line_for_each_tenth_without_a_terminal(simulated, capsys):
    simulated(slow_machines, **STUDIES["slow machines"][1])
    shown = capsys.readouterr()
    lines = shown.err.splitlines()
    assert shown.out == ""
    shares = [int(re.match(r"comparison: (\d+)% after \d+", s)[1]) for s in lines]
    assert shares == [*range(10, 101, 10)]
    assert all(re.search(", about .* left$", line) for line in lines[:-1])


def test_the_estimate_is_right_at_once_after_a_stop(simulated, tmp_path, capsys):
    cost, settings = STUDIES["slow machines"]
    truth = simulated(cost, **settings)[0][-1]
    with pytest.raises(KeyboardInterrupt):
        simulated(cost, stop_after=0.6 * truth, folder=tmp_path, **settings)
    elapsed, share, total, _ = simulated(cost, folder=tmp_path, **settings)
    assert elapsed[-1] == pytest.approx(0.4 * truth, rel=0.2)
    factors = total / elapsed[-1]
    assert factors.max() < 1.5 and factors.min() > 1 / 1.5
    assert 0.5 < share[0] < 0.7 and share[-1] == 1.0
