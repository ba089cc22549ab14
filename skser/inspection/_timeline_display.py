"""Plot of emotions over the time of a recording."""

import numpy as np
import pandas as pd

from skser.inspection._drawing import axes_for
from skser.inspection._timeline import emotion_timeline
from skser.inspection._window_outputs import REASON

_HEIGHT = 0.8  # height of a turn's bar, as a share of its lane
_REFUSED = {"facecolor": "white", "edgecolor": "0.5", "hatch": "///", "alpha": 0.85, "lw": 0}


class TimelineDisplay:
    """Plot of predictions over the time of a recording.

    Probabilities are stacked, and numbers such as valence are drawn as lines. Columns count as
    probabilities if none is negative and each row sums to 1. A timeline of speakers' turns is
    drawn with one lane per speaker. Windows and turns that the model refuses are hatched.

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

    Examples
    --------
    >>> import pandas as pd
    >>> from skser.inspection import TimelineDisplay
    >>> timeline = pd.DataFrame(
    ...     {"start": [0.0, 0.5], "end": [2.0, 2.5], "anger": [0.9, 0.4], "neutral": [0.1, 0.6]}
    ... )
    >>> display = TimelineDisplay.from_predictions(timeline)
    >>> display.ax_.get_xlabel()
    'seconds'
    """

    def __init__(self, timeline):
        self.timeline = timeline

    @classmethod
    def from_estimator(
        cls, estimator, path, *, window=2.0, hop=0.5, segments=None, names=None, ax=None
    ):
        """Plot a fitted model's predictions over the time of a recording.

        Parameters
        ----------
        estimator : fitted classifier or regressor
            Classifier of audio with `predict_proba`, or regressor of audio.
        path : path-like
            Recording.
        window, hop : float, default=2.0 and 0.5
            Length of a window and time between the starts of successive windows, in seconds.
        segments : path-like, DataFrame or None, default=None
            Speakers' turns, as in `skser.inspection.emotion_timeline`. With None, sliding windows
            are used.
        names : list of str or None, default=None
            Name of each number that a regressor predicts, as in
            `skser.inspection.emotion_timeline`.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        TimelineDisplay
            Display with the plot.
        """
        timeline = emotion_timeline(estimator, path, window, hop, segments, names)
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
        """Draw each window's predictions at its center, or each turn's in its speaker's lane.

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
        proba = self.timeline.drop(columns=["start", "end", REASON], errors="ignore")
        start, end = self.timeline["start"].to_numpy(), self.timeline["end"].to_numpy()
        centers = (start + end) / 2
        # Windows overlap, so each stands for the time around its center; after a gap, from its
        # start, and before one, to its end.
        apart = start[1:] > end[:-1]
        between = (centers[1:] + centers[:-1]) / 2
        left = np.array([start[0], *np.where(apart, start[1:], between)])
        right = np.array([*np.where(apart, end[:-1], between), end[-1]])
        names, first = [str(c) for c in proba], 0
        for last in [*(np.flatnonzero(apart) + 1), len(proba)]:
            # Repeat the first and last rows, so that the plot covers all of these windows.
            times = [left[first], *centers[first:last], right[last - 1]]
            values = proba.iloc[[first, *range(first, last), last - 1]].to_numpy()
            labels, colors = [] if first else names, [f"C{i}" for i in range(len(names))]
            if _are_probabilities(proba):
                ax.stackplot(times, values.T, labels=labels, colors=colors, alpha=0.8)
            else:
                for i, color in enumerate(colors):
                    ax.plot(times, values[:, i], label=labels[i] if labels else None, color=color)
            first = last
        if _are_probabilities(proba):
            ax.set(ylim=(0, 1), ylabel="probability")
        else:
            ax.set(ylabel=names[0] if len(names) == 1 else "prediction")
        self._draw_refused(ax, left, right - left, np.zeros(len(centers)), 1.0)
        ax.set(xlim=(left[0], right[-1]), xlabel="seconds")
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_lanes(self, ax):
        """Draw one bar per turn in its speaker's lane, divided by probabilities, or its values."""
        speakers = self.timeline["speaker"].fillna("unknown").astype(str)
        lanes = list(dict.fromkeys(speakers))
        ax = axes_for(self, ax, figsize=(9, 1.2 + 0.8 * len(lanes)))
        start, length = self.timeline["start"], self.timeline["end"] - self.timeline["start"]
        bottom = lows = speakers.map(lanes.index).astype(float) + (1 - _HEIGHT) / 2
        of_turns = ["start", "end", "speaker", REASON]
        proba = self.timeline.drop(columns=of_turns, errors="ignore")
        are_probabilities = _are_probabilities(proba)
        if not are_probabilities:
            self._draw_values(ax, proba, start, length, bottom)
        for i, emotion in enumerate(proba if are_probabilities else ()):
            height = _HEIGHT * proba[emotion]
            ax.bar(
                start, height, length, bottom, align="edge", alpha=0.8, color=f"C{i}",
                label=str(emotion),
            )  # fmt: skip
            bottom = bottom + height
        self._draw_refused(ax, start, length, lows, _HEIGHT)
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

    def _draw_refused(self, ax, start, length, bottom, height):
        """Hatch the windows or turns that the model refuses, with one entry in the legend."""
        reasons = self.timeline.get(REASON, pd.Series("", self.timeline.index))
        refused = reasons.fillna("").to_numpy() != ""  # a CSV file has nothing where "" was
        if refused.any():
            start, length, bottom = (np.asarray(of)[refused] for of in (start, length, bottom))
            ax.bar(start, height, length, bottom, align="edge", label="refused", **_REFUSED)

    def _draw_values(self, ax, values, start, length, bottom):
        """Draw each value of a turn as a line, high values at the top of the lane."""
        low, high = values.min().min(), values.max().max()
        scale = _HEIGHT / (high - low) if high > low else 0.0
        for i, name in enumerate(values):
            height = bottom + (high - values[name]) * scale
            label = f"{name} ({low:.2g} to {high:.2g} in a lane)"
            ax.hlines(height, start, start + length, color=f"C{i}", linewidth=2, label=label)


def _are_probabilities(values):
    """Return True if no value is negative and each row sums to 1."""
    values = values.to_numpy(dtype=float)
    return bool((values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-4))
