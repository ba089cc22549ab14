"""Plot of emotions over the time of a recording."""

from skser.inspection._drawing import axes_for
from skser.inspection._timeline import emotion_timeline

_HEIGHT = 0.8  # height of a turn's bar, as a share of its lane


class TimelineDisplay:
    """Stacked plot of the emotions' probabilities over the time of a recording.

    A timeline of speakers' turns is drawn with one lane per speaker.

    Parameters
    ----------
    timeline : DataFrame
        Timeline, from `skser.inspection.emotion_timeline`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    """

    def __init__(self, timeline):
        self.timeline = timeline

    @classmethod
    def from_estimator(cls, estimator, path, *, window=2.0, hop=0.5, segments=None, ax=None):
        """Plot a fitted model's predictions over the time of a recording.

        Parameters
        ----------
        estimator : fitted classifier
            Classifier of audio with `predict_proba`.
        path : path-like
            Recording.
        window, hop : float, default=2.0 and 0.5
            Length of a window and time between the starts of successive windows, in seconds.
        segments : path-like, DataFrame or None, default=None
            Speakers' turns, as in `skser.inspection.emotion_timeline`. With None, sliding windows
            are used.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        TimelineDisplay
            Display with the plot.
        """
        timeline = emotion_timeline(estimator, path, window, hop, segments)
        return cls.from_predictions(timeline, ax=ax)

    @classmethod
    def from_predictions(cls, timeline, *, ax=None):
        """Plot a given timeline.

        Parameters
        ----------
        timeline : DataFrame
            Timeline, from `skser.inspection.emotion_timeline`.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        TimelineDisplay
            Display with the plot.
        """
        return cls(timeline).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw each window's probabilities at its center, or each turn's in its speaker's lane.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        self : object
            This display.
        """
        if "speaker" in self.timeline:
            return self._plot_lanes(ax)
        ax = axes_for(self, ax, figsize=(9, 3))
        proba = self.timeline.drop(columns=["start", "end"])
        centers = (self.timeline["start"] + self.timeline["end"]) / 2
        # Repeat the first and last rows, so that the plot covers the whole recording.
        times = [self.timeline["start"].iloc[0], *centers, self.timeline["end"].iloc[-1]]
        rows = [0, *range(len(proba)), len(proba) - 1]
        ax.stackplot(
            times, proba.iloc[rows].to_numpy().T, labels=[str(c) for c in proba], alpha=0.8
        )
        ax.set(xlim=(times[0], times[-1]), ylim=(0, 1), xlabel="seconds", ylabel="probability")
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_lanes(self, ax):
        """Draw one bar per turn in its speaker's lane, divided by the probabilities."""
        speakers = self.timeline["speaker"].fillna("unknown").astype(str)
        lanes = list(dict.fromkeys(speakers))
        ax = axes_for(self, ax, figsize=(9, 1.2 + 0.8 * len(lanes)))
        start, length = self.timeline["start"], self.timeline["end"] - self.timeline["start"]
        bottom = speakers.map(lanes.index).astype(float) + (1 - _HEIGHT) / 2
        proba = self.timeline.drop(columns=["start", "end", "speaker"])
        for i, emotion in enumerate(proba):
            height = _HEIGHT * proba[emotion]
            ax.bar(
                start, height, length, bottom, align="edge", alpha=0.8, color=f"C{i}",
                label=str(emotion),
            )  # fmt: skip
            bottom = bottom + height
        for border in range(1, len(lanes)):
            ax.axhline(border, color="0.8", linewidth=0.8)
        ax.set(
            xlim=(0, self.timeline["end"].max()), ylim=(len(lanes), 0), xlabel="seconds",
            ylabel="speaker", yticks=[lane + 0.5 for lane in range(len(lanes))],
            yticklabels=lanes,
        )  # fmt: skip
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self
