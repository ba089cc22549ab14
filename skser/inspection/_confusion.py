"""Plot of a confusion matrix."""

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from skser.inspection._drawing import axes_for, predictions_of
from skser.metrics import check_labels


class ConfusionDisplay:
    """Plot of a confusion matrix, as shares of each true class and as counts.

    The diagonal holds the recalls, whose mean is the UAR.

    Parameters
    ----------
    counts : DataFrame
        Numbers of utterances, with one row per true class and one column per predicted class.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    im_ : matplotlib AxesImage
        Image of the shares.
    text_ : ndarray of matplotlib Text, (n_classes, n_classes)
        Texts in the cells.

    Examples
    --------
    >>> from skser.inspection import ConfusionDisplay
    >>> y_true, y_pred = ["anger", "anger", "fear"], ["anger", "fear", "fear"]
    >>> display = ConfusionDisplay.from_predictions(y_true, y_pred)
    >>> [text.get_text().split() for text in display.text_[0]]
    [['50', '%', '1'], ['50', '%', '1']]
    """

    def __init__(self, counts):
        self.counts = counts

    @classmethod
    def from_estimator(cls, estimator, X, y, *, labels=None, ax=None):
        """Plot the confusion matrix of a fitted classifier.

        Parameters
        ----------
        estimator : fitted classifier
            Classifier to evaluate.
        X : audio, or any other input that the estimator takes
            Utterances to predict.
        y : array-like of shape (n_utterances,)
            True classes.
        labels : array-like or None, default=None
            Classes, in the order of rows and columns. With None, they are sorted.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        ConfusionDisplay
            Display with the plot.
        """
        return cls.from_predictions(y, predictions_of(estimator, X), labels=labels, ax=ax)

    @classmethod
    def from_predictions(cls, y_true, y_pred, *, labels=None, ax=None):
        """Plot the confusion matrix of given predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_utterances,)
            True and predicted classes.
        labels : array-like or None, default=None
            Classes, in the order of rows and columns. With None, they are sorted.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        ConfusionDisplay
            Display with the plot.

        Raises
        ------
        ValueError
            If a true or predicted class is missing from `labels`.
        """
        y_true, y_pred, classes = check_labels(y_true, y_pred)
        labels = list(classes if labels is None else labels)
        outside = sorted(set(classes.tolist()) - set(labels), key=str)
        if outside:
            raise ValueError(
                f"labels lacks {outside}, which occur in y_true or y_pred. Add them to labels."
            )
        counts = confusion_matrix(y_true, y_pred, labels=labels)
        return cls(pd.DataFrame(counts, index=labels, columns=labels)).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the matrix. The row of a true class without utterances stays white.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        self : object
            This display.
        """
        n = len(self.counts)
        ax = axes_for(self, ax, figsize=(1.5 + 0.8 * n, 1.2 + 0.7 * n))
        counts = self.counts.to_numpy()
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.where(totals, counts / np.maximum(totals, 1), np.nan)
        self.im_ = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        self.text_ = np.empty((n, n), dtype=object)
        for (i, j), share in np.ndenumerate(shares):
            what = "-" if np.isnan(share) else f"{100 * share:.0f} %\n{counts[i, j]}"
            color = "white" if share > 0.5 else "black"
            self.text_[i, j] = ax.text(
                j, i, what, ha="center", va="center", color=color, fontsize="small"
            )
        names = [str(name) for name in self.counts.index]
        ax.set_xticks(range(n), names, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_yticks(range(n), names)
        ax.set(xlabel="predicted", ylabel="true")
        self.ax_, self.figure_ = ax, ax.figure
        return self
