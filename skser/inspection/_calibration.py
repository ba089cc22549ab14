"""Plot of the calibration of a classifier's probabilities."""

import numpy as np

from skser.inspection._drawing import axes_for, probabilities_of
from skser.metrics import reliability_curve


class CalibrationDisplay:
    """Plot of the accuracy of predictions against their probability.

    scikit-learn's display of the same name plots one class against the rest. This one plots the
    most probable of all classes.

    Parameters
    ----------
    curve : DataFrame
        Reliability curve, from `skser.metrics.reliability_curve`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    line_ : matplotlib Line2D
        Line through the bins.

    Examples
    --------
    >>> from skser.inspection import CalibrationDisplay
    >>> y_true = ["anger", "anger", "fear", "fear"]
    >>> y_proba = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]  # of anger and fear
    >>> display = CalibrationDisplay.from_predictions(y_true, y_proba, n_bins=2)
    >>> display.curve["accuracy"].tolist()
    [0.75]
    """

    def __init__(self, curve):
        self.curve = curve

    @classmethod
    def from_estimator(cls, estimator, X, y, *, n_bins=10, strategy="uniform", ax=None):
        """Plot the calibration of a fitted classifier that has `predict_proba`.

        Parameters
        ----------
        estimator : fitted classifier
            Classifier with `predict_proba`.
        X : audio, or any other input that the estimator takes
            Utterances to predict.
        y : array-like of shape (n_utterances,)
            True classes.
        n_bins : int, default=10
            Number of bins of the predicted probability.
        strategy : {"uniform", "quantile"}, default="uniform"
            Choice of the bins: "uniform" makes them equally wide, "quantile" puts equally many
            utterances into each.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        CalibrationDisplay
            Display with the plot.
        """
        y_proba, labels = probabilities_of(estimator, X)
        return cls.from_predictions(
            y, y_proba, labels=labels, n_bins=n_bins, strategy=strategy, ax=ax
        )

    @classmethod
    def from_predictions(
        cls, y_true, y_proba, *, labels=None, n_bins=10, strategy="uniform", ax=None
    ):
        """Plot the calibration of given probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_utterances,)
            True classes.
        y_proba : array-like of shape (n_utterances, n_classes)
            Predicted probabilities.
        labels : array-like of shape (n_classes,) or None, default=None
            Class of each column of `y_proba`. With None, the sorted labels of `y_true`.
        n_bins : int, default=10
            Number of bins of the predicted probability.
        strategy : {"uniform", "quantile"}, default="uniform"
            Choice of the bins: "uniform" makes them equally wide, "quantile" puts equally many
            utterances into each.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        CalibrationDisplay
            Display with the plot.
        """
        curve = reliability_curve(y_true, y_proba, labels=labels, n_bins=n_bins, strategy=strategy)
        return cls(curve).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw one point per bin, sized by its number of utterances.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        self : object
            This display.
        """
        ax = axes_for(self, ax, figsize=(5, 4.5))
        confidence, accuracy, n = (self.curve[c] for c in ("confidence", "accuracy", "n"))
        error = float(np.average((confidence - accuracy).abs(), weights=n))
        ax.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
        (self.line_,) = ax.plot(
            confidence, accuracy, marker="", color="tab:blue", label=f"ECE {100 * error:.1f} %"
        )
        ax.scatter(confidence, accuracy, s=10 + 190 * n / n.max(), color="tab:blue", alpha=0.6)
        ax.set(xlim=(0, 1.02), ylim=(-0.02, 1.02), xlabel="confidence", ylabel="accuracy")
        ax.legend(loc="upper left")
        self.ax_, self.figure_ = ax, ax.figure
        return self
