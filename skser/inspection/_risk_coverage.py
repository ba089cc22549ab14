"""Plot of the errors that remain when uncertain predictions are withheld."""

from skser.inspection._drawing import axes_for, probabilities_of
from skser.metrics import area_under_risk_coverage, risk_coverage_curve


class RiskCoverageDisplay:
    """Plot of the error rate on the most confident predictions against their share.

    Parameters
    ----------
    curve : DataFrame
        Risk-coverage curve, from `skser.metrics.risk_coverage_curve`.
    area : float or None, default=None
        Area under the curve, shown in the legend. With None, the legend is omitted.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    line_ : matplotlib Line2D
        Line of the curve.

    Examples
    --------
    >>> from skser.inspection import RiskCoverageDisplay
    >>> y_true = ["anger", "anger", "fear", "fear"]
    >>> y_proba = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]  # of anger and fear
    >>> display = RiskCoverageDisplay.from_predictions(y_true, y_proba)
    >>> display.curve["risk"].tolist()
    [0.0, 0.0, 0.0, 0.25]
    """

    def __init__(self, curve, area=None):
        self.curve = curve
        self.area = area

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None):
        """Plot the risk-coverage curve of a fitted classifier that has `predict_proba`.

        Parameters
        ----------
        estimator : fitted classifier
            Classifier with `predict_proba`.
        X : audio, or any other input that the estimator takes
            Utterances to predict.
        y : array-like of shape (n_utterances,)
            True classes.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        RiskCoverageDisplay
            Display with the plot.
        """
        y_proba, labels = probabilities_of(estimator, X)
        return cls.from_predictions(y, y_proba, labels=labels, ax=ax)

    @classmethod
    def from_predictions(cls, y_true, y_proba, *, labels=None, ax=None):
        """Plot the risk-coverage curve of given probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_utterances,)
            True classes.
        y_proba : array-like of shape (n_utterances, n_classes)
            Predicted probabilities.
        labels : array-like of shape (n_classes,) or None, default=None
            Class of each column of `y_proba`. With None, the sorted labels of `y_true`.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        RiskCoverageDisplay
            Display with the plot.
        """
        curve = risk_coverage_curve(y_true, y_proba, labels=labels)
        return cls(curve, area_under_risk_coverage(y_true, y_proba, labels=labels)).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        self : object
            This display.
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
