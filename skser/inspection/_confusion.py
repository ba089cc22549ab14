"""Picture of what is taken for what."""

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from skser.inspection._drawing import axes_for, predictions_of
from skser.metrics import check_labels


class ConfusionDisplay:
    """Confusion matrix: the share of each true class, with counts.

    The diagonal holds the recalls, whose mean is the UAR.

    Parameters
    ----------
    counts : DataFrame
        Number of utterances: a row per true class, a column per predicted one.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    im_ : matplotlib AxesImage
    text_ : ndarray of matplotlib Text, (n_classes, n_classes)

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
        """Draw the confusions of a fitted classifier.

        Parameters
        ----------
        estimator : fitted classifier
        X : audio, or whatever the estimator takes
        y : array-like of shape (n_utterances,)
            True classes.
        labels : array-like or None, default=None
            Order of the classes; None is sorted.
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        ConfusionDisplay
        """
        return cls.from_predictions(y, predictions_of(estimator, X), labels=labels, ax=ax)

    @classmethod
    def from_predictions(cls, y_true, y_pred, *, labels=None, ax=None):
        """Draw the confusions of predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_utterances,)
        labels : array-like or None, default=None
            Order of the classes; None is sorted.
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        ConfusionDisplay

        Raises
        ------
        ValueError
            If an utterance's label, or prediction, is not among `labels`.
        """
        y_true, y_pred, classes = check_labels(y_true, y_pred)
        labels = list(classes if labels is None else labels)
        outside = sorted(set(classes.tolist()) - set(labels), key=str)
        if outside:
            raise ValueError(f"labels lacks {outside}, which are among the labels or predictions.")
        counts = confusion_matrix(y_true, y_pred, labels=labels)
        return cls(pd.DataFrame(counts, index=labels, columns=labels)).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw. A true class without utterances is left white.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        self : object
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
