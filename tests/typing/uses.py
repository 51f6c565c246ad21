"""Programs as users write them: both type checkers accept them, and they run."""

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, assert_type

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from dbn import (
    DBN,
    RBM,
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    GenerativeDBNClassifier,
    ModelFileError,
    Network,
    RBMClassifier,
    RBMTransformer,
    ScaledRows,
    load_model,
    save_model,
)
from dbn.boltzmann import (
    CD,
    FPCD,
    PCD,
    Bernoulli,
    Gaussian,
    LogZEstimate,
    ParallelTempering,
    Sampler,
    Softmax,
    Units,
    ais,
    exact_log_z,
    get_sampler,
    get_units,
    pseudo_log_likelihood,
    reverse_ais,
)
from dbn.datasets import make_curves
from dbn.estimators import from_sklearn, to_sklearn
from dbn.evaluation import (
    Comparison,
    ComparisonDisplay,
    Dataset,
    DifferencesDisplay,
    FiltersDisplay,
    HistoryDisplay,
    LabelBudgetDisplay,
    LayerStatistics,
    LayerStatisticsDisplay,
    LossCurvesDisplay,
    MomentsDisplay,
    PairedDifference,
    ReconstructionsDisplay,
    SamplesDisplay,
    bars_and_stripes,
    compare_initializers,
    holm,
    html_report,
    layer_statistics,
    load_dataset,
    paired_difference,
    paired_losses,
    provenance,
)
from dbn.feedforward import (
    LSUV,
    Activation,
    Given,
    Initializer,
    LeakyReLU,
    Loss,
    Orthogonal,
    SquaredError,
    VarianceScaling,
    activation_gain,
    get_activation,
    get_initializer,
    get_loss,
)
from dbn.training import (
    LBFGS,
    SGD,
    Adam,
    Checkpoint,
    ConjugateGradient,
    DenoisingStack,
    Optimizer,
    Pretrained,
    RBMMonitor,
    RMSProp,
    Schedule,
    Sparsity,
    UpDown,
    finetune,
    get_optimizer,
    pretrain,
    train_rbm,
)

matplotlib.use("Agg")  # no window
warnings.simplefilter("ignore", ConvergenceWarning)  # fits are short here

RNG = np.random.default_rng(0)
X = RNG.random((60, 6))
Y = (X[:, 0] > 0.5).astype(int)


def machines() -> None:
    rbm = RBMTransformer(n_components=4, batch_size=20, max_iter=3, random_state=0)
    assert_type(rbm.fit(X), RBMTransformer)
    assert_type(rbm.partial_fit(X, sample_weight=np.ones(60)), RBMTransformer)
    assert_type(rbm.set_params(max_iter=2, warm_start=True), RBMTransformer)
    assert_type(rbm.rbm_, RBM)
    assert_type(rbm.visible_, Units)
    assert_type(rbm.n_iter_, int)
    assert_type(rbm.history_, list[dict[str, Any]])
    assert_type(rbm.n_features_in_, int)
    assert_type(rbm.score(X), float)
    assert_type(rbm.log_z_, float)
    assert rbm.transform(X).shape == (60, 4)
    assert rbm.components_.shape == (4, 6)
    assert rbm.intercept_hidden_.shape == (4,)
    assert rbm.intercept_visible_.shape == (6,)
    assert rbm.score_samples(X).shape == (60,)
    assert rbm.inverse_transform(rbm.transform(X)).shape == X.shape
    given = [1.0, *[np.nan] * 5]
    assert rbm.sample(3, steps=5, given=given, random_state=0).shape == (3, 6)
    assert rbm.sample(steps=5, given=X[:4], random_state=0).shape == (4, 6)
    assert rbm.anomaly_score(X).shape == (60,)
    assert rbm.fit(csr_array(X.round())).mean_ is None
    assert rbm.fit(X.tolist()).n_iter_ > 0
    RBMTransformer(
        4,
        visible=Gaussian(),
        hidden="relu",
        sampler=CD(k=2),
        optimizer=SGD(0.001, momentum=((0, 0.5), (5, 0.9))),
        sparsity=Sparsity(0.1),
        weight_decay=0,
        max_iter=1,
    ).fit(X - 0.5)
    RBMTransformer(4, sampler="pcd", optimizer="adam", sparsity=0.2, centering=True)
    RBMTransformer(4, sampler=PCD(n_chains=10), device=None).set_params(sampler__k=2)


def stacks() -> None:
    prototype = RBMTransformer(max_iter=2, batch_size=20)
    stack = DBNTransformer((5, 4), rbm=prototype, random_state=0)
    assert_type(stack.fit(X), DBNTransformer)
    assert_type(stack.dbn_, DBN)
    assert_type(stack.dbn_.rbms[0], RBM)
    assert_type(stack.n_iter_, list[int])
    assert_type(stack.score(X[:5]), float)
    assert stack.transform(X).shape == (60, 4)
    assert stack.score_samples(X[:5], n_draws=8).shape == (5,)
    assert stack.inverse_transform(stack.transform(X)).shape == X.shape
    assert stack.sample(2, steps=3, random_state=0).shape == (2, 6)
    assert stack.sample(steps=3, given=X[:4], random_state=0).shape == (4, 6)
    layers: list[RBMTransformer | None] = [prototype, None]
    DBNTransformer([5, 4], rbm=layers, memory_budget=10**6).fit(X)
    DBNTransformer(5, rbm=(prototype,)).fit(ScaledRows(X.astype("float32"), 2.0))


def classifiers() -> None:
    options: dict[str, Any] = {"max_iter": 2, "batch_size": 20, "random_state": 0}
    rbm = RBMTransformer(max_iter=2)
    clf = DBNClassifier((8, 4), rbm=rbm, **options)
    assert_type(clf.fit(X, Y), DBNClassifier)
    assert_type(clf.partial_fit(X, Y, classes=[0, 1]), DBNClassifier)
    assert_type(clf.score(X, Y), float)
    assert_type(clf.network_, Network)
    assert_type(clf.dbn_, DBN)
    assert_type(clf.n_iter_, int)
    assert_type(clf.loss_curve_, list[float])
    assert_type(clf.history_, list[dict[str, Any]])
    assert_type(clf.coefs_, list[Any])
    assert_type(clf.intercepts_, list[Any])
    assert clf.classes_.tolist() == [0, 1]
    assert clf.predict(X).shape == clf.decision_function(X).shape == (60,)
    assert clf.predict_proba(X).shape == clf.predict_log_proba(X).shape == (60, 2)
    for init, f in [("dbn", "logistic"), ("xavier_uniform", "tanh"), ("lsuv", "relu")]:
        DBNClassifier([8], init=init, activation=f, rbm=rbm, **options).fit(X, Y)
    starts: Sequence[Initializer] = [Orthogonal(), VarianceScaling(2.0), LSUV()]
    for start in starts:
        DBNClassifier(8, init=start, activation=LeakyReLU(), **options).fit(X, Y)
    weights = list(zip(clf.coefs_, clf.intercepts_, strict=True))
    DBNClassifier((8, 4), init=weights, **options).fit(X, Y)
    stack = DBNTransformer((4,), rbm=rbm, random_state=0)
    DBNClassifier(init=stack, **options).fit(X, Y)
    frozen = FrozenEstimator(stack.fit(X))
    few = np.where(np.arange(60) < 20, Y, -1)
    DBNClassifier(init=frozen, unlabeled=-1, **options).fit(X, few).score(X, few)
    DBNClassifier(
        hidden_layer_sizes=(8,),
        init="he_normal",
        activation="relu",
        dropout=[0.1, 0.5],
        batch_norm=True,
        optimizer=Adam(Schedule(0.01, 0.001, epochs=2)),
        weight_decay=1e-4,
        max_norm=3,
        learning_rate_multipliers=[1.0, 0.5],
        head_epochs=1,
        early_stopping=True,
        class_weight={0: 1.0, 1: 2.0},
        on_divergence="halve",
        max_iter=2,
    ).fit(X, Y, sample_weight=np.ones(60), X_val=X[:9], y_val=Y[:9])


def regressors() -> None:
    net = DBNRegressor((8,), init="xavier_normal", max_iter=3, random_state=0)
    assert_type(net.fit(X, X[:, :2]), DBNRegressor)
    assert_type(net.partial_fit(X, X[:, :2]), DBNRegressor)
    assert_type(net.score(X, X[:, :2]), float)
    assert_type(net.network_, Network)
    assert net.y_mean_.shape == net.y_scale_.shape == (2,)
    assert net.predict(X).shape == (60, 2)
    for optimizer in (LBFGS(), ConjugateGradient(), RMSProp(0.01), "sgd"):
        net.set_params(optimizer=optimizer, warm_start=False).fit(X, Y)


def generative_classifiers() -> None:
    clf = RBMClassifier(8, objective="hybrid", unlabeled=-1, class_weight="balanced")
    assert_type(clf.set_params(max_iter=3), RBMClassifier)
    assert_type(clf.fit(X, Y, X_val=X[:9], y_val=Y[:9]), RBMClassifier)
    assert_type(clf.partial_fit(X, Y), RBMClassifier)
    assert_type(clf.score(X, Y), float)
    assert clf.predict_proba(X).shape == clf.sample(60, label=1, steps=2)[:, :2].shape
    prototypes = [RBMTransformer(max_iter=2), None]
    deep = GenerativeDBNClassifier(
        (8, 4), rbm=prototypes, up_down=UpDown(1, sampler="cd")
    )
    assert_type(deep.fit(X, Y), GenerativeDBNClassifier)
    assert_type(deep.n_iter_, list[int])
    assert deep.score_samples(X[:2], n_draws=3).shape == (2,)


def autoencoders() -> None:
    net = DBNAutoencoder(
        (8, 3), activation=["tanh"], code_activation="logistic", noise=0.1, max_iter=3
    )
    assert_type(net.fit(X, X_val=X[:9]), DBNAutoencoder)
    assert_type(net.partial_fit(X), DBNAutoencoder)
    assert_type(net.score(X), float)
    assert net.inverse_transform(net.transform(X)).shape == net.reconstruct(X).shape
    assert net.score_samples(X).shape == (60,)
    first, second = net.network_.cut(2)
    assert_type(first, Network)
    assert second.loss == net.network_.loss
    start = FrozenEstimator(net)
    DBNClassifier(init=start, activation=["tanh", "logistic"], max_iter=2).fit(X, Y)
    DBNRegressor((4,), init=DenoisingStack(0.1, max_iter=2), max_iter=2).fit(X, Y)
    assert make_curves(3, random_state=0).shape == (3, 784)


def with_scikit_learn() -> None:
    rbm = RBMTransformer(4, max_iter=2, random_state=0)
    net = DBNClassifier((4,), rbm=rbm, max_iter=2, random_state=0)
    pipeline = make_pipeline(MinMaxScaler(), net)
    assert 0.0 <= pipeline.fit(X, Y).score(X, Y) <= 1.0
    search = GridSearchCV(net, {"rbm__max_iter": [1, 2], "init": ["dbn"]}, cv=2)
    assert search.fit(X, Y).best_params_["rbm__max_iter"] in (1, 2)
    assert cross_val_score(net, X, Y, cv=2).shape == (2,)
    assert GridSearchCV(rbm, {"n_components": [2, 4]}, cv=2).fit(X).best_score_ < 0.0
    net.fit(X, Y)
    mlp = to_sklearn(net)
    assert np.allclose(mlp.predict_proba(X), net.predict_proba(X))
    assert np.allclose(from_sklearn(mlp).predict_proba(X), net.predict_proba(X))


def files_and_callbacks() -> None:
    with tempfile.TemporaryDirectory() as folder:
        # A rate that does not end with the fit: so a longer one goes on.
        rbm = RBMTransformer(4, optimizer=SGD(0.1), max_iter=2, random_state=0)
        rbm.set_callbacks(Checkpoint(Path(folder) / "state"), RBMMonitor(X[:20])).fit(X)
        rbm.set_params(max_iter=3)
        rbm.set_callbacks(Checkpoint(Path(folder) / "state", 2, resume=True)).fit(X)
        assert rbm.n_iter_ == 3
        path = Path(folder) / "model.dbn"
        save_model(rbm, path)
        assert (load_model(path).transform(X) == rbm.transform(X)).all()
        save_model(Network([6, 3, 2]), str(path))
        assert isinstance(load_model(str(path)), Network)
        path.write_text("no model")
        try:
            load_model(path)
        except ModelFileError as error:
            assert "no model" in str(error) or str(path) in str(error)


def mathematics_of_machines() -> None:
    rng = np.random.default_rng(0)
    rbm = RBM(6, 3, visible="bernoulli", hidden=Bernoulli())
    assert_type(rbm.initialize(rng, visible_mean=X.mean(axis=0)), RBM)
    assert_type(train_rbm(rbm, X, rng=rng, sampler="cd", max_iter=2), RBM)
    assert rbm.mean_hidden(X).shape == rbm.sample_hidden(X, rng).shape == (60, 3)
    assert rbm.gibbs(X.round(), rng, 2).shape == (60, 6)
    assert rbm.energy(X, rbm.mean_hidden(X)).shape == rbm.free_energy(X).shape == (60,)
    assert rbm.W.shape == (6, 3) and rbm.b.shape == (6,) and rbm.c.shape == (3,)
    assert rbm.n_hidden == 3
    assert_type(exact_log_z(rbm), float)
    estimate = ais(rbm, n_betas=10, n_chains=5, random_state=0)
    assert_type(estimate, LogZEstimate)
    assert_type(estimate.log_z, float)
    assert_type(estimate.standard_error, float)
    assert_type(estimate.ess, float)
    assert_type(reverse_ais(rbm, n_betas=10, n_chains=5), LogZEstimate)
    assert estimate.log_weights.shape == (5,)
    assert pseudo_log_likelihood(rbm, X.round()).shape == (60,)
    assert_type(get_units("gaussian"), Units)
    assert_type(get_units(Softmax(3)), Units)
    assert_type(get_sampler("pt"), Sampler)
    assert_type(get_sampler(FPCD()), Sampler)
    assert_type(get_sampler(ParallelTempering(10)), Sampler)


def mathematics_of_stacks() -> None:
    rng = np.random.default_rng(0)
    dbn = pretrain(
        X,
        [4, 3],
        rng=rng,
        layer_options=[{"max_iter": 1}, {"hidden": Bernoulli(), "max_iter": 1}],
    )
    assert_type(dbn, DBN)
    assert_type(dbn.rbms, list[RBM])
    assert dbn.transform(X).shape == (60, 3)
    assert dbn.inverse_transform(dbn.transform(X)).shape == X.shape
    assert dbn.sample(dbn.rbms[0].mean_hidden(X).round(), rng, 2).shape == X.shape
    assert dbn.complete(np.where(X < 0.2, np.nan, X), rng, 2).shape == X.shape
    net = Network([6, 4, 3, 2])
    Pretrained(dbn).fill(net, X, rng)
    assert np.allclose(net.activations(X)[4], dbn.transform(X))


def mathematics_of_nets() -> None:
    rng = np.random.default_rng(0)
    net = Network((6, 4, 2), activation="tanh", loss=SquaredError(), dropout=0.1)
    get_initializer("he_uniform").fill(net, X, rng)
    targets = np.eye(2)[Y]
    assert_type(
        finetune(net, X, targets, rng=rng, optimizer=SGD(0.01), max_iter=1), Network
    )
    assert net.forward(X).shape == net.predict(X).shape == (60, 2)
    Given(net.dense).fill(Network([6, 4, 2]), X, rng)
    assert_type(get_initializer("orthogonal"), Initializer)
    assert_type(get_activation("softplus"), Activation)
    assert_type(get_loss("cross_entropy"), Loss)
    assert_type(get_optimizer("adamw"), Optimizer)
    assert_type(activation_gain("relu"), float)
    assert VarianceScaling().draw((6, 4), rng).shape == (6, 4)


def comparison() -> None:
    data = load_dataset("digits")
    assert_type(data, Dataset)
    assert_type(data.name, str)
    assert_type(data.summary(), str)
    result = compare_initializers(
        data.X,
        data.y,
        inits=[("dbn", "logistic"), ("xavier_uniform", "tanh")],
        hidden_layer_sizes=[(8,)],
        label_budgets=[50, 80],
        n_seeds=2,
        learning_rates=[0.01],
        n_updates=5,
        pretrain_updates=5,
        name="digits",
    )
    assert_type(result, Comparison)
    assert_type(result.table(), str)
    assert_type(result.verdict(), str)
    assert_type(result.settings, dict[str, Any])
    assert_type(result.records, list[dict[str, Any]])
    assert_type(html_report(result), str)
    assert {row["n_labels"] for row in result.summary()} == {50, 80}
    assert result.errors()["1 x 8, 50 labels"]["dbn + logistic"].shape == (2,)
    with tempfile.TemporaryDirectory() as folder:
        result.to_json(Path(folder) / "results.json")
        again = Comparison.from_json(Path(folder) / "results.json")
    assert_type(again, Comparison)
    assert_type(ComparisonDisplay.from_results(result), ComparisonDisplay)
    assert_type(DifferencesDisplay.from_results(result), DifferencesDisplay)
    assert_type(LabelBudgetDisplay.from_results(result), LabelBudgetDisplay)
    curves = LossCurvesDisplay.from_results(result, cell="1 x 8, 50 labels")
    assert_type(curves, LossCurvesDisplay)
    assert curves.ax_.get_ylabel() != ""
    plt.close("all")


def statistics() -> None:
    difference = paired_difference([2.0, 3.0, 4.5], [1.0, 1.5, 4.0])
    assert_type(difference, PairedDifference)
    assert_type(difference.mean, float)
    assert_type(difference.p_value, float)
    losses = np.array([[True, False], [True, True]])
    assert_type(paired_losses(losses, ~losses), PairedDifference)
    assert_type(difference.detectable, float)
    assert holm([0.01, 0.04]).tolist() == [0.02, 0.04]
    assert_type(provenance(), dict[str, Any])
    assert bars_and_stripes(2).shape[1] == 4


def pictures() -> None:
    squares = RNG.random((30, 9))
    rbm = RBMTransformer(4, max_iter=2, random_state=0).fit(squares)
    assert_type(HistoryDisplay.from_estimator(rbm), HistoryDisplay)
    assert_type(FiltersDisplay.from_estimator(rbm, n=4), FiltersDisplay)
    samples = SamplesDisplay.from_estimator(rbm, n=4, steps=2, random_state=0)
    assert_type(samples, SamplesDisplay)
    assert samples.rows.shape == (4, 9) and samples.lines is None
    assert rbm.sample(2, steps=1, means=True).shape == (2, 9)
    shape = (3, 3)
    assert_type(
        ReconstructionsDisplay.from_estimator(rbm, squares, n=2, image_shape=shape),
        ReconstructionsDisplay,
    )
    net = DBNClassifier((4, 3), init="xavier_uniform", max_iter=1, random_state=0)
    statistics = layer_statistics(net.fit(X, Y), X, Y)
    assert_type(statistics, LayerStatistics)
    assert statistics.activation_mean.shape == (2,)
    display = LayerStatisticsDisplay.from_statistics([statistics])
    assert_type(display, LayerStatisticsDisplay)
    assert_type(display.plot(), LayerStatisticsDisplay)
    nets = LayerStatisticsDisplay.from_estimators([net], X, at_start=True)
    assert_type(nets, LayerStatisticsDisplay)
    losses = LossCurvesDisplay.from_estimators({"mine": net})
    assert_type(losses, LossCurvesDisplay)
    moments = MomentsDisplay.from_estimator(rbm, squares, n=4, steps=2)
    assert_type(moments, MomentsDisplay)
    plt.close("all")


if __name__ == "__main__":
    for use in (
        *(machines, stacks, classifiers, regressors, autoencoders),
        with_scikit_learn,
        *(files_and_callbacks, mathematics_of_machines, mathematics_of_stacks),
        *(mathematics_of_nets, comparison, statistics, pictures),
    ):
        use()
