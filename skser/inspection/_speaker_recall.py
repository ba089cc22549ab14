"""Plot of the recall of each speaker."""

import numpy as np

from skser.inspection._drawing import axes_for, predictions_of
from skser.metrics import group_recalls


class SpeakerRecallDisplay:
    """Plot of the UAR of each speaker, or each value of another attribute, worst first.

    Parameters
    ----------
    recalls : DataFrame
        Recalls of each speaker, from `skser.metrics.group_recalls`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    bars_ : matplotlib BarContainer
        Bars of the speakers.

    Examples
    --------
    >>> from skser.inspection import SpeakerRecallDisplay
    >>> y_true = ["anger", "fear", "anger", "fear"]
    >>> y_pred = ["anger", "fear", "anger", "anger"]
    >>> speakers = ["03", "03", "08", "08"]
    >>> display = SpeakerRecallDisplay.from_predictions(y_true, y_pred, speakers=speakers)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['03 (2)', '08 (2)']
    """

    def __init__(self, recalls):
        self.recalls = recalls

    @classmethod
    def from_estimator(cls, estimator, X, y, *, speakers, ax=None):
        """Plot the recalls of a fitted classifier.

        Parameters
        ----------
        estimator : fitted classifier
            Classifier to evaluate.
        X : audio, or any other input that the estimator takes
            Utterances to predict.
        y : array-like of shape (n_utterances,)
            True classes.
        speakers : array-like of shape (n_utterances,)
            Speaker of each utterance, or another attribute.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        SpeakerRecallDisplay
            Display with the plot.
        """
        return cls.from_predictions(y, predictions_of(estimator, X), speakers=speakers, ax=ax)

    @classmethod
    def from_predictions(cls, y_true, y_pred, *, speakers, ax=None):
        """Plot the recalls of given predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_utterances,)
            True and predicted classes.
        speakers : array-like of shape (n_utterances,)
            Speaker of each utterance, or another attribute.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        SpeakerRecallDisplay
            Display with the plot.
        """
        return cls(group_recalls(y_true, y_pred, speakers)).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw one bar per speaker, and the mean as a line.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        self : object
            This display.
        """
        recalls = self.recalls.sort_values("uar", ascending=False)
        ax = axes_for(self, ax, figsize=(6, 1.2 + 0.25 * len(recalls)))
        names = [f"{name} ({n})" for name, n in zip(recalls.index, recalls["n"], strict=True)]
        self.bars_ = ax.barh(names, 100 * recalls["uar"], color="tab:blue", alpha=0.8)
        mean = 100 * float(np.mean(recalls["uar"]))
        ax.axvline(mean, color="black", linestyle="--", linewidth=1, label=f"mean {mean:.0f} %")
        ax.set(xlim=(0, 100), xlabel="UAR in %", ylabel="speaker (utterances)")
        # Above the axes, where it hides neither bars nor names.
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
