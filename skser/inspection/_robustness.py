"""Plot of scores on distorted recordings."""

import numpy as np

from skser._wording import counted
from skser.inspection._drawing import new_axes

_CLEAN = ("clean", "")


class RobustnessDisplay:
    """Plot of scores for each kind and level of distortion, compared with clean recordings.

    Parameters
    ----------
    report : DataFrame
        Scores, from `skser.evaluation.robustness_report`.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Axes of each kind of distortion.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    Examples
    --------
    >>> import pandas as pd
    >>> from skser.inspection import RobustnessDisplay
    >>> index = pd.MultiIndex.from_tuples(
    ...     [("clean", ""), ("noise", "20 dB SNR"), ("noise", "10 dB SNR")]
    ... )
    >>> report = pd.DataFrame({"score": [0.8, 0.7, 0.5], "same": [1.0, 0.9, 0.6]}, index=index)
    >>> display = RobustnessDisplay.from_report(report)
    >>> [ax.get_title() for ax in display.axes_]
    ['noise']
    """

    def __init__(self, report):
        self.report = report

    @classmethod
    def from_report(cls, report, *, axes=None):
        """Plot a robustness report.

        Parameters
        ----------
        report : DataFrame
            Scores, from `skser.evaluation.robustness_report`.
        axes : array of matplotlib Axes or None, default=None
            Axes for each kind of distortion. With None, a new figure is created.

        Returns
        -------
        RobustnessDisplay
            Display with the plot.
        """
        return cls(report).plot(axes=axes)

    def plot(self, *, axes=None):
        """Draw one panel per kind of distortion, from clean recordings to the last level.

        Parameters
        ----------
        axes : array of matplotlib Axes or None, default=None
            Axes for each kind of distortion. With None, a new figure is created.

        Returns
        -------
        self : object
            This display.

        Raises
        ------
        ValueError
            If the report lacks the row of clean recordings, or contains only that, or if there are
            fewer `axes` than kinds of distortion.
        """
        # Scores of classes are shares; those of dimensions and votes may have any range.
        is_share = "same" in self.report
        scores = self.report["score"] * (100 if is_share else 1)
        if _CLEAN not in scores.index:
            raise ValueError(f"The report has no row {_CLEAN} of clean recordings to compare with.")
        clean, scores = scores.loc[_CLEAN], scores.drop(index=_CLEAN)
        kinds = list(dict.fromkeys(scores.index.get_level_values(0)))
        if not kinds:
            raise ValueError(
                "The report contains only clean recordings, so there is nothing to plot. Pass "
                "distortions to robustness_report."
            )
        if axes is None:
            n_rows = -(-len(kinds) // 4)  # ceiling division: four panels per row
            axes = new_axes(
                self, n_rows, ncols=min(4, len(kinds)), sharey=True, squeeze=False,
                figsize=(2.4 * min(4, len(kinds)), 2.4 * n_rows),
            )  # fmt: skip
        axes = np.ravel(axes)
        if len(axes) < len(kinds):
            raise ValueError(
                f"Got {counted(len(axes), 'Axes object')} for {len(kinds)} kinds of distortion. "
                "Give one per kind, or none to create a new figure."
            )
        for ax in axes[len(kinds) :]:
            ax.set_axis_off()
        for ax, kind in zip(axes, kinds, strict=False):
            part = scores.loc[kind]
            names = ["clean", *map(str, part.index)]
            ax.axhline(clean, color="grey", linestyle="--", linewidth=1)
            ax.plot(range(len(names)), [clean, *part], marker="o", color="tab:blue")
            ax.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize="small")
            ax.set(title=kind, xlim=(-0.3, len(names) - 0.7))
            if is_share:
                ax.set_ylim(0, 105)
        for ax in axes[:: min(4, len(kinds))]:
            ax.set_ylabel("score in %" if is_share else "score")
        self.axes_, self.figure_ = axes[: len(kinds)], axes[0].figure
        return self
