"""Plot of predicted dimensions against ratings."""

import warnings

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from skser._wording import counted
from skser.inspection._drawing import axes_for, predictions_of
from skser.metrics import concordance_correlation_coefficient


class PredictedValuesDisplay:
    """Plot of predicted dimensions against the ratings.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (n_utterances, n_dimensions)
        Ratings and predictions.
    names : list of str
        Name of each dimension.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    Examples
    --------
    >>> from skser.inspection import PredictedValuesDisplay
    >>> ratings, predictions = [1.0, 2.0, 3.0, 4.0], [1.5, 2.0, 2.5, 3.5]
    >>> display = PredictedValuesDisplay.from_predictions(ratings, predictions, names=["valence"])
    >>> display.ax_.get_legend().get_texts()[0].get_text()
    'valence, 0.90'
    """

    def __init__(self, y_true, y_pred, names):
        self.y_true = y_true
        self.y_pred = y_pred
        self.names = names

    @classmethod
    def from_estimator(cls, estimator, X, y, *, names=None, ax=None):
        """Plot the predictions of a fitted regressor.

        Parameters
        ----------
        estimator : fitted regressor
            Regressor to evaluate.
        X : audio, or any other input that the estimator takes
            Utterances to predict.
        y : array-like of shape (n_utterances,) or (n_utterances, n_dimensions)
            Ratings. Missing ones are NaN.
        names : list of str or None, default=None
            Name of each dimension. None means "target", or "target0", "target1" and so on.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        PredictedValuesDisplay
            Display with the plot.
        """
        return cls.from_predictions(y, predictions_of(estimator, X), names=names, ax=ax)

    @classmethod
    def from_predictions(cls, y_true, y_pred, *, names=None, ax=None):
        """Plot given predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_utterances,) or (n_utterances, n_dimensions)
            Ratings and predictions. Missing ratings are NaN.
        names : list of str or None, default=None
            Name of each dimension. None means "target", or "target0", "target1" and so on.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        PredictedValuesDisplay
            Display with the plot.

        Raises
        ------
        ValueError
            If the shapes differ, or the number of names is not that of the dimensions.
        """
        true, predicted = (np.asarray(y, dtype=np.float64) for y in (y_true, y_pred))
        if true.shape != predicted.shape:
            raise ValueError(
                f"y_true has the shape {true.shape} and y_pred {predicted.shape}; they must be "
                "equal."
            )
        true, predicted = (y.reshape(len(y), -1) for y in (true, predicted))
        n = true.shape[1]
        if names is None:
            names = ["target"] if n == 1 else [f"target{i}" for i in range(n)]
        if len(names) != n:
            raise ValueError(
                f"names={list(names)} must have one name for each of {counted(n, 'dimension')}."
            )
        return cls(true, predicted, list(names)).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw one point per utterance and dimension, and the line of equal values.

        The legend shows the CCC of each dimension.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        self : object
            This display.
        """
        ax = axes_for(self, ax, figsize=(5.5, 5))
        for i, name in enumerate(self.names):
            known = ~np.isnan(self.y_true[:, i])
            true, predicted = self.y_true[known, i], self.y_pred[known, i]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UndefinedMetricWarning)
                ccc = concordance_correlation_coefficient(true, predicted)
            ax.scatter(true, predicted, s=12, alpha=0.5, color=f"C{i}", label=f"{name}, {ccc:.2f}")
        both = [self.y_true, self.y_pred]
        ends = np.nanmin(both), np.nanmax(both)
        ax.plot(ends, ends, color="black", linestyle="--", linewidth=1)
        ax.set(xlabel="rating", ylabel="prediction", aspect="equal")
        ax.legend(title="CCC", loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self
