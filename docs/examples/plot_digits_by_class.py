"""
Digits by class
===============

A generative classifier has the class beside the pixels. With the class held fixed it
draws digits of that class; with the pixels held fixed it says which class they are.
Here it learns the 1,797 digits of scikit-learn.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from dbn import GenerativeDBNClassifier
from dbn.evaluation import SamplesDisplay, load_dataset

data = load_dataset("digits")
X, X_test, y, y_test = train_test_split(
    data.X, data.y, test_size=0.3, stratify=data.y, random_state=0
)
model = GenerativeDBNClassifier((256,), random_state=0).fit(X, y)
print(f"{model.score(X_test, y_test):.1%} of the test digits are recognised.")

# %%
# Every class, drawn
# ------------------
# A line for each class and a chain for each picture. Chains start from noise and keep
# their class for 500 Gibbs steps. Shown are the means of the pixels given the hidden
# units that were drawn: the pixels themselves would be as noisy as tossed coins.

SamplesDisplay.from_estimator(model, steps=500, random_state=0)
plt.show()

# %%
# From noise to a digit
# ---------------------
# A column for each class: what a chain of it begins with, and the means after 1 to 100
# steps of the same chain.

chains = {"label": model.classes_, "random_state": 0}
lines = {"start": model.sample(10, steps=0, **chains)}
for steps in (1, 3, 10, 30, 100):
    lines[f"after {steps}"] = model.sample(10, steps=steps, means=True, **chains)
rows = np.concatenate([*lines.values()])
display = SamplesDisplay(rows, steps=100, means=True, lines=[*lines]).plot()
display.ax_.set_title("the classes from 0 to 9, from noise on")
plt.show()
