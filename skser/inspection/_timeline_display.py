"""Picture of emotions over the time of a recording."""

from skser.inspection._drawing import axes_for
from skser.inspection._timeline import emotion_timeline


class TimelineDisplay:
    """Probabilities of the emotions over the time of a recording, stacked.

    Parameters
    ----------
    timeline : DataFrame
        Of `skser.inspection.emotion_timeline`.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, timeline):
        self.timeline = timeline

    @classmethod
    def from_estimator(cls, estimator, path, *, window=2.0, hop=0.5, ax=None):
        """Draw what a fitted model says of a recording.

        Parameters
        ----------
        estimator : fitted classifier of audio
        path : path-like
        window, hop : float, default=2.0 and 0.5
            In seconds, as in `skser.inspection.emotion_timeline`.
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        TimelineDisplay
        """
        return cls.from_predictions(emotion_timeline(estimator, path, window, hop), ax=ax)

    @classmethod
    def from_predictions(cls, timeline, *, ax=None):
        """Draw a timeline.

        Parameters
        ----------
        timeline : DataFrame
            Of `skser.inspection.emotion_timeline`.
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        TimelineDisplay
        """
        return cls(timeline).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw each window's probabilities at its centre.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        self : object
        """
        ax = axes_for(self, ax, figsize=(9, 3))
        proba = self.timeline.drop(columns=["start", "end"])
        centers = (self.timeline["start"] + self.timeline["end"]) / 2
        # To the ends of the recording, which the outer windows reach.
        times = [self.timeline["start"].iloc[0], *centers, self.timeline["end"].iloc[-1]]
        rows = [0, *range(len(proba)), len(proba) - 1]
        ax.stackplot(
            times, proba.iloc[rows].to_numpy().T, labels=[str(c) for c in proba], alpha=0.8
        )
        ax.set(xlim=(times[0], times[-1]), ylim=(0, 1), xlabel="seconds", ylabel="probability")
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self
