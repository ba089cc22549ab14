"""Picture of how many labels estimators need."""

import numpy as np

from skser.inspection._drawing import axes_for


class LabelEfficiencyDisplay:
    """Scores over the number of labels per class, a line per estimator.

    Parameters
    ----------
    curve : LabelEfficiencyCurve
        Of `skser.evaluation.label_efficiency_curve`.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : dict of Line2D
        By the estimators' names.
    """

    def __init__(self, curve):
        self.curve = curve

    @classmethod
    def from_curve(cls, curve, *, ax=None):
        """Draw a curve.

        Parameters
        ----------
        curve : LabelEfficiencyCurve
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        LabelEfficiencyDisplay
        """
        return cls(curve).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw mean scores, with a band of one standard deviation over the repeats.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        self : object
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
