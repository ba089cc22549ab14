"""Picture of what a model may leave unsaid."""

from skser.inspection._drawing import axes_for, probabilities_of
from skser.metrics import area_under_risk_coverage, risk_coverage_curve


class RiskCoverageDisplay:
    """Errors among the utterances that a model is surest of, over the share of them.

    Parameters
    ----------
    curve : DataFrame
        Of `skser.metrics.risk_coverage_curve`.
    area : float or None, default=None
        Under it, for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
    """

    def __init__(self, curve, area=None):
        self.curve = curve
        self.area = area

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None):
        """Draw the curve of a fitted classifier that has `predict_proba`.

        Parameters
        ----------
        estimator : fitted classifier
        X : audio, or whatever the estimator takes
        y : array-like of shape (n_utterances,)
            True classes.
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        RiskCoverageDisplay
        """
        y_proba, labels = probabilities_of(estimator, X)
        return cls.from_predictions(y, y_proba, labels=labels, ax=ax)

    @classmethod
    def from_predictions(cls, y_true, y_proba, *, labels=None, ax=None):
        """Draw the curve of probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_utterances,)
        y_proba : array-like of shape (n_utterances, n_classes)
        labels : array-like of shape (n_classes,) or None, default=None
            What the columns stand for; None is the sorted labels of y_true.
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        RiskCoverageDisplay
        """
        curve = risk_coverage_curve(y_true, y_proba, labels=labels)
        return cls(curve, area_under_risk_coverage(y_true, y_proba, labels=labels)).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        self : object
        """
        ax = axes_for(self, ax, figsize=(5, 4))
        label = None if self.area is None else f"area {100 * self.area:.1f} %"
        (self.line_,) = ax.plot(
            self.curve["coverage"], 100 * self.curve["risk"], color="tab:red", label=label
        )
        ax.set(xlim=(0, 1.02), xlabel="coverage", ylabel="errors in %")
        ax.set_ylim(bottom=0)
        if label:
            ax.legend(loc="upper left")
        self.ax_, self.figure_ = ax, ax.figure
        return self
