"""Picture of whether probabilities mean what they say."""

import numpy as np

from skser.inspection._drawing import axes_for, probabilities_of
from skser.metrics import reliability_curve


class CalibrationDisplay:
    """How often the predicted class is right, over how probable it was said to be.

    scikit-learn's display of this name is of one class against the rest; this one is of the
    most probable of several.

    Parameters
    ----------
    curve : DataFrame
        Of `skser.metrics.reliability_curve`.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
    """

    def __init__(self, curve):
        self.curve = curve

    @classmethod
    def from_estimator(cls, estimator, X, y, *, n_bins=10, strategy="uniform", ax=None):
        """Draw the calibration of a fitted classifier that has `predict_proba`.

        Parameters
        ----------
        estimator : fitted classifier
        X : audio, or whatever the estimator takes
        y : array-like of shape (n_utterances,)
            True classes.
        n_bins : int, default=10
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins of the same width, or with the same number of utterances.
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        CalibrationDisplay
        """
        y_proba, labels = probabilities_of(estimator, X)
        return cls.from_predictions(
            y, y_proba, labels=labels, n_bins=n_bins, strategy=strategy, ax=ax
        )

    @classmethod
    def from_predictions(
        cls, y_true, y_proba, *, labels=None, n_bins=10, strategy="uniform", ax=None
    ):
        """Draw the calibration of probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_utterances,)
        y_proba : array-like of shape (n_utterances, n_classes)
        labels : array-like of shape (n_classes,) or None, default=None
            What the columns stand for; None is the sorted labels of y_true.
        n_bins : int, default=10
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins of the same width, or with the same number of utterances.
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        CalibrationDisplay
        """
        curve = reliability_curve(y_true, y_proba, labels=labels, n_bins=n_bins, strategy=strategy)
        return cls(curve).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw a point per bin, as large as it has utterances.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        self : object
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
