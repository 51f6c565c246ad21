"""
Does pretraining help?
======================

One call compares starts of the same net: every contender gets the same labelled rows, a
learning rate chosen from the same grid inside them, and the same number of epochs. Here
it is a small study, of three seeds and 100 labels, on the digits of scikit-learn.
``scripts/benchmark.py`` runs a larger one in two minutes.
"""

import matplotlib.pyplot as plt

from dbn.evaluation import (
    ComparisonDisplay,
    DifferencesDisplay,
    compare_initializers,
    load_dataset,
)

digits = load_dataset("digits")
result = compare_initializers(
    digits.X,
    digits.y,
    hidden_layer_sizes=[(64, 64)],
    label_budgets=[100],
    n_seeds=3,
    learning_rates=[0.003, 0.01],
    pretrain_updates=1500,
    n_updates=300,
    name="digits",
)

# %%
# Every point is the test error of a seed, every bar a mean. Controls are always there;
# some of them see the unlabelled rows as the DBN does.

ComparisonDisplay.from_results(result)
plt.show()

# %%
# What matters are paired differences: the DBN minus each contender on the same splits,
# with 95 % intervals. Left of the line the DBN is better.

DifferencesDisplay.from_results(result)
plt.show()

# %%
# The verdict claims what these seeds have shown, and no more.

print(result.verdict())

# %%
# The table behind it has each paired difference with its interval.

print(result.table())
