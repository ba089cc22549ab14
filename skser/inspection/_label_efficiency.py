"""Plot of scores against the number of labels."""

import numpy as np

from skser.inspection._drawing import axes_for


class LabelEfficiencyDisplay:
    """Plot of scores against the number of labels per class, with one line per estimator.

    Parameters
    ----------
    curve : LabelEfficiencyCurve
        Result of `skser.evaluation.label_efficiency_curve`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    lines_ : dict of Line2D
        Line of each estimator, by its name.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skser.evaluation import label_efficiency_curve
    >>> from skser.inspection import LabelEfficiencyDisplay
    >>> X, y = load_wine(return_X_y=True)
    >>> curve = label_efficiency_curve({"bayes": GaussianNB()}, X, y, n_labels=(4, 16), n_repeats=2)
    >>> list(LabelEfficiencyDisplay.from_curve(curve).lines_)
    ['bayes']
    """

    def __init__(self, curve):
        self.curve = curve

    @classmethod
    def from_curve(cls, curve, *, ax=None):
        """Plot a label efficiency curve.

        Parameters
        ----------
        curve : LabelEfficiencyCurve
            Result of `skser.evaluation.label_efficiency_curve`.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        LabelEfficiencyDisplay
            Display with the plot.
        """
        return cls(curve).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the mean scores, with a band of one standard deviation over the repeats.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        self : object
            This display.
        """
        ax = axes_for(self, ax)
        scores = self.curve.scores()
        self.lines_ = {}
        for name, part in scores.groupby("estimator"):
            by_size = part.groupby("n_labels")["score"]
            mean, deviation = by_size.mean(), by_size.std().fillna(0)
            (self.lines_[name],) = ax.plot(mean.index, mean, marker="o", label=name)
            ax.fill_between(mean.index, mean - deviation, mean + deviation, alpha=0.2)
        sizes = np.sort(scores["n_labels"].unique())
        ax.set_xscale("log", base=2)
        ax.set_xticks(sizes, [f"{n:.0f}" for n in sizes])
        ax.minorticks_off()
        metric = getattr(self.curve.metric, "__name__", "score").replace("_", " ")
        ax.set(xlabel="labels per class", ylabel=metric.removesuffix(" score"))
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
