"""Pictures of results (extra `plots`)."""

import numpy as np

# Okabe and Ito's palette: told apart with any colour vision.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def require_matplotlib():
    """Return `matplotlib.pyplot`, or say how to get it.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Plots need matplotlib, which is not installed. Install it with "
            "pip install 'dbn-pretraining[plots]'."
        ) from error
    return plt


class ComparisonDisplay:
    """Test errors of a comparison: every seed a point, every mean a line.

    Parameters
    ----------
    result : Comparison

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from dbn.evaluation import ComparisonDisplay, compare_initializers
    >>> X, y = load_digits(return_X_y=True)
    >>> result = compare_initializers(
    ...     X / 16, y, hidden_layer_sizes=[(16,)], label_budgets=[50], n_seeds=2,
    ...     learning_rates=[0.01], n_updates=10, pretrain_updates=10)
    >>> ComparisonDisplay.from_results(result).ax_.get_ylabel()
    'test error (%)'
    >>> plt.close()
    """

    def __init__(self, result):
        self.result = result

    @classmethod
    def from_results(cls, result, *, ax=None):
        """Draw a comparison; return the display.

        Parameters
        ----------
        result : Comparison
        ax : matplotlib Axes, optional

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        return cls(result).plot(ax=ax)

    def plot(self, ax=None):
        """Draw into `ax`, or a new figure; return self.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = require_matplotlib()
        cells = self.result.errors()
        names = list(next(iter(cells.values())))
        if ax is None:
            _, ax = plt.subplots(
                figsize=(2.0 + 2.2 * len(cells), 4.8), layout="constrained"
            )
        width = 0.8 / len(names)
        for i, name in enumerate(names):
            style = {"color": COLORS[i % len(COLORS)]}
            for j, contenders in enumerate(cells.values()):
                errors = 100.0 * contenders[name]
                x = j + (i - (len(names) - 1) / 2) * width
                spread = np.linspace(-0.2, 0.2, len(errors)) * width
                ax.plot(
                    x + spread,
                    errors,
                    MARKERS[i % len(MARKERS)],
                    markersize=5,
                    alpha=0.75,
                    label=name if j == 0 else None,
                    **style,
                )
                ends = [x - 0.4 * width, x + 0.4 * width]
                ax.plot(ends, [errors.mean()] * 2, linewidth=2.5, **style)
        ax.set_xticks(range(len(cells)), [c.replace(", ", "\n") for c in cells])
        for j in range(1, len(cells)):
            ax.axvline(j - 0.5, color="0.85", linewidth=1, zorder=0)
        settings = self.result.settings
        ax.set_ylim(bottom=0.0)
        ax.set_xlabel("hidden layers, labelled training rows")
        ax.set_ylabel("test error (%)")
        ax.set_title(
            f"{settings['dataset']}: start of the net, {len(settings['seeds'])} seeds "
            "(points) and their mean (lines)",
            fontsize="medium",
        )
        ax.grid(axis="y", color="0.9")
        ax.set_axisbelow(True)
        ax.legend(title="start + activation")
        self.ax_, self.figure_ = ax, ax.figure
        return self
