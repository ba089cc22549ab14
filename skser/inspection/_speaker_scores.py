"""Plot of a score of each speaker."""

import numpy as np

from skser.inspection._drawing import axes_for


class SpeakerScoresDisplay:
    """Plot of a score of each speaker, such as the CCC, in order of the score.

    Parameters
    ----------
    scores : Series of float
        Score by speaker, as `skser.evaluation.SpeakerEvaluation.by_speaker` returns it.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    bars_ : matplotlib BarContainer
        Bars of the speakers.

    See Also
    --------
    SpeakerRecallDisplay : Plot of the UAR of each speaker.

    Examples
    --------
    >>> import pandas as pd
    >>> from skser.inspection import SpeakerScoresDisplay
    >>> display = SpeakerScoresDisplay.from_scores(pd.Series({"03": 0.4, "08": 0.6}, name="CCC"))
    >>> display.ax_.get_xlabel()
    'CCC'
    """

    def __init__(self, scores):
        self.scores = scores

    @classmethod
    def from_scores(cls, scores, *, name=None, ax=None):
        """Plot given scores.

        Parameters
        ----------
        scores : Series of float
            Score by speaker.
        name : str or None, default=None
            Name of the score. None means the name of the series.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        SpeakerScoresDisplay
            Display with the plot.
        """
        return cls(scores if name is None else scores.rename(name)).plot(ax=ax)

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
        scores = self.scores.sort_values(ascending=False)
        ax = axes_for(self, ax, figsize=(6, 1.2 + 0.25 * len(scores)))
        self.bars_ = ax.barh(
            [str(name) for name in scores.index], scores, color="tab:blue", alpha=0.8
        )
        mean = float(np.mean(scores))
        ax.axvline(mean, color="black", linestyle="--", linewidth=1, label=f"mean {mean:.2f}")
        ax.axvline(0, color="grey", linewidth=0.8)
        ax.set(xlabel=str(scores.name or "score"), ylabel="speaker")
        # Above the axes, where it hides neither bars nor names.
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
