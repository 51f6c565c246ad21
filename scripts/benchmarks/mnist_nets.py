"""The nets that the records on MNIST compare: with all labels, with few, held out."""

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from dbn import DBNClassifier, DBNTransformer, RBMTransformer
from dbn.evaluation import Contender
from dbn.training import Adam, Schedule, Sparsity

BATCH, FEW_BATCH = 100, 50

# "dropout" is that of the lower layers, as in BUDGETS; see `dropout_of`. "multiplier"
# scales the learning rate of all hidden layers, which begin pretrained.
RECIPES = {
    "plain": {"rate": 0.002, "decay": 0.1, "epochs": 20},
    "dropout": {"rate": 0.002, "decay": 0.05, "epochs": 100, "dropout": 0.3},
    "multipliers": {"rate": 0.006, "decay": 0.05, "epochs": 30, "dropout": 0.3}
    | {"multiplier": 0.3},
    "xavier": {"rate": 0.002, "decay": 0.1, "epochs": 20, "init": "xavier_x4_uniform"},
    "control": {"rate": 0.001, "decay": 0.2, "epochs": 100, "dropout": 0.3}
    | {"init": "he_normal", "activation": "relu"},
}
# With few labels: the values that are tried.
RATES, CS = (0.001, 0.003, 0.01), (0.1, 1.0, 10.0, 100.0)
# Labels: epochs of batches of 50, with a learning rate that falls to 5 % of its start;
# its multipliers in the DBN's lower layers, which keep more of it, and in the last one;
# dropout of the lower layers.
LOW = {"multipliers": (0.03, 0.1), "dropout": 0.0}
CHOSEN_ON = 10_000  # training rows with labels
BUDGETS = {
    50: {"epochs": 100, **LOW},
    100: {"epochs": 100, **LOW},
    600: {"epochs": 60, **LOW},
    1000: {"epochs": 40, **LOW},
    3000: {"epochs": 50, "multipliers": (0.1, 0.3), "dropout": 0.3},
    10_000: {"epochs": 40, "multipliers": (0.1, 0.3), "dropout": 0.3},
}
# Of the held-out part, as in a published run (README of yell/boltzmann-machines, where
# the rate also falls): multiplier of the pretrained layer's rate.
HELD_OUT = {
    100: {"epochs": 1000, "batch_size": 32, "fraction": 1 / 10, "multiplier": 0.01},
    1000: {"epochs": 100, "batch_size": 32, "fraction": 1 / 10, "multiplier": 0.01},
    10_000: {"epochs": 100, "batch_size": 128, "fraction": 1 / 10, "multiplier": 0.01},
    60_000: {"epochs": 100, "batch_size": 128, "fraction": 1 / 12, "multiplier": 0.1},
}


class Falling(Schedule):
    """A learning rate that falls to a share of its start, whatever that is."""

    kind, hold = "linear", 0

    def __init__(self, learning_rate, share, *, epochs):
        self.learning_rate = learning_rate
        self.share = share
        self.epochs = epochs

    @property
    def start(self):
        return self.learning_rate

    @property
    def end(self):
        return self.share * self.learning_rate


def net(
    name,
    sizes,
    rates,
    share,
    epochs,
    args,
    *,
    init="dbn",
    decay=0.0,
    labels=0,
    **options,
):
    """A net as a contender; `args` tell of its DBN, if that is its start.

    `labels` chose its settings.
    """
    model = DBNClassifier(
        sizes,
        init=init,
        rbm=machine(args) if init == "dbn" else None,
        optimizer=Adam(Falling(rates[0], share, epochs=epochs), decoupled_decay=decay),
        max_iter=epochs,
        **options,
    )
    grid = {"optimizer__learning_rate__learning_rate": rates}
    return Contender(name, model, grid, chosen_on=labels)


def machine(args):
    return RBMTransformer(sparsity=Sparsity(), max_iter=args.pretrain_epochs)


def dropout_of(sizes, lower):
    """Dropout of the inputs, of the lower hidden layers, and of the last one."""
    return (0.2, *[lower] * (len(sizes) - 1), 0.5)


def recipe(name, args):
    """One of `RECIPES`: the learning rate falls to 1 % of its start."""
    options, sizes = dict(RECIPES[name]), args.hidden_layer_sizes
    rate, epochs = options.pop("rate"), options.pop("epochs")
    if "dropout" in options:
        options["dropout"] = dropout_of(sizes, options["dropout"])
    if "multiplier" in options:
        hidden = [options.pop("multiplier")] * len(sizes)
        options["learning_rate_multipliers"] = (*hidden, 1.0)
    epochs = args.epochs or epochs
    return net(name, sizes, [rate], 0.01, epochs, args, batch_size=BATCH, **options)


def with_few_labels(n_labels, args):
    """The contenders with so many labels."""
    sizes, budget = args.hidden_layer_sizes, BUDGETS[n_labels]
    (low, last), n_low = budget["multipliers"], len(sizes) - 1
    common = RATES, 0.05, budget["epochs"], args
    dbn = net(
        "dbn",
        sizes,
        *common,
        batch_size=FEW_BATCH,
        labels=CHOSEN_ON,
        learning_rate_multipliers=(*[low] * n_low, last, 1.0),
        dropout=dropout_of(sizes, budget["dropout"]),
    )
    features = make_pipeline(
        DBNTransformer(sizes, rbm=machine(args)), LogisticRegression(max_iter=1000)
    )
    name = "dbn-features + logistic regression"
    grid = {"logisticregression__C": CS}
    line = Contender(name, features, grid, chosen_on=CHOSEN_ON)  # sparsity, that is
    control = net(
        "he_normal + relu + dropout",
        args.control_layer_sizes,
        *common,
        init="he_normal",
        activation="relu",
        batch_size=FEW_BATCH,
        labels=CHOSEN_ON,
        dropout=dropout_of(args.control_layer_sizes, 0.5),
    )
    return [dbn, control, line]


def held_out_nets(n_labels, args):
    """Nets that stop early, with settings that are not searched."""
    options = dict(HELD_OUT[n_labels])
    epochs, multiplier = options.pop("epochs"), options.pop("multiplier")
    sizes = args.hidden_layer_sizes
    options |= {
        "early_stopping": True,
        "validation_fraction": options.pop("fraction"),
        "n_iter_no_change": 12,
        "weight_decay": 2e-5,
    }

    def held_out(name, **others):
        rate_stays = 1.0
        return net(name, sizes, [0.001], rate_stays, epochs, args, **options, **others)

    multipliers = (*[multiplier] * len(sizes), 1.0)
    control = {"activation": "relu", "dropout": dropout_of(sizes, 0.5)}
    return [
        held_out("dbn", learning_rate_multipliers=multipliers, labels=CHOSEN_ON),
        held_out("xavier_uniform", init="xavier_uniform"),
        held_out("he_normal + relu + dropout", init="he_normal", **control),
    ]
