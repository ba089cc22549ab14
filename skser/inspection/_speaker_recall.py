"""Picture of how well each speaker is understood."""

import numpy as np

from skser.inspection._drawing import axes_for, predictions_of
from skser.metrics import group_recalls


class SpeakerRecallDisplay:
    """UAR of each speaker, or of each value of another attribute, from worst to best.

    Parameters
    ----------
    recalls : DataFrame
        Of `skser.metrics.group_recalls`.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    bars_ : matplotlib BarContainer
    """

    def __init__(self, recalls):
        self.recalls = recalls

    @classmethod
    def from_estimator(cls, estimator, X, y, *, speakers, ax=None):
        """Draw the recalls of a fitted classifier.

        Parameters
        ----------
        estimator : fitted classifier
        X : audio, or whatever the estimator takes
        y : array-like of shape (n_utterances,)
            True classes.
        speakers : array-like of shape (n_utterances,)
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        SpeakerRecallDisplay
        """
        return cls.from_predictions(y, predictions_of(estimator, X), speakers=speakers, ax=ax)

    @classmethod
    def from_predictions(cls, y_true, y_pred, *, speakers, ax=None):
        """Draw the recalls of predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_utterances,)
        speakers : array-like of shape (n_utterances,)
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        SpeakerRecallDisplay
        """
        return cls(group_recalls(y_true, y_pred, speakers)).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw a bar per speaker, and the mean as a line.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        self : object
        """
        recalls = self.recalls.sort_values("uar", ascending=False)
        ax = axes_for(self, ax, figsize=(6, 1.2 + 0.25 * len(recalls)))
        names = [f"{name} ({n})" for name, n in zip(recalls.index, recalls["n"], strict=True)]
        self.bars_ = ax.barh(names, 100 * recalls["uar"], color="tab:blue", alpha=0.8)
        mean = 100 * float(np.mean(recalls["uar"]))
        ax.axvline(mean, color="black", linestyle="--", linewidth=1, label=f"mean {mean:.0f} %")
        ax.set(xlim=(0, 100), xlabel="UAR in %", ylabel="speaker (utterances)")
        ax.legend(loc="lower left")
        self.ax_, self.figure_ = ax, ax.figure
        return self
