"""Picture of what distortions cost."""

import numpy as np

from skser.inspection._drawing import new_axes


class RobustnessDisplay:
    """Scores over the levels of each kind of distortion, beside that of clean recordings.

    Parameters
    ----------
    report : DataFrame
        Of `skser.evaluation.robustness_report`.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One per kind.
    figure_ : matplotlib Figure
    """

    def __init__(self, report):
        self.report = report

    @classmethod
    def from_report(cls, report, *, axes=None):
        """Draw a report.

        Parameters
        ----------
        report : DataFrame
            Of `skser.evaluation.robustness_report`.
        axes : array of matplotlib Axes or None, default=None
            One per kind of distortion; None makes a new figure.

        Returns
        -------
        RobustnessDisplay
        """
        return cls(report).plot(axes=axes)

    def plot(self, *, axes=None):
        """Draw a panel per kind, from the clean recordings on the left to the last level.

        Parameters
        ----------
        axes : array of matplotlib Axes or None, default=None
            One per kind of distortion; None makes a new figure.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If there is no distortion in the report, or `axes` are fewer than its kinds.
        """
        clean = 100 * self.report["score"].iloc[0]
        kinds = list(dict.fromkeys(self.report.index.get_level_values(0)[1:]))
        if not kinds:
            raise ValueError("The report is of clean recordings alone.")
        if axes is None:
            n_rows = -(-len(kinds) // 4)
            axes = new_axes(
                self, n_rows, ncols=min(4, len(kinds)), sharey=True, squeeze=False,
                figsize=(2.4 * min(4, len(kinds)), 2.4 * n_rows),
            )  # fmt: skip
        axes = np.ravel(axes)
        if len(axes) < len(kinds):
            raise ValueError(f"{len(kinds)} kinds of distortion need as many axes.")
        for ax in axes[len(kinds) :]:
            ax.set_axis_off()
        for ax, kind in zip(axes, kinds, strict=False):
            part = 100 * self.report.loc[kind]["score"]
            names = ["clean", *map(str, part.index)]
            ax.axhline(clean, color="grey", linestyle="--", linewidth=1)
            ax.plot(range(len(names)), [clean, *part], marker="o", color="tab:blue")
            ax.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize="small")
            ax.set(title=kind, ylim=(0, 105), xlim=(-0.3, len(names) - 0.7))
        for ax in axes[:: min(4, len(kinds))]:
            ax.set_ylabel("score in %")
        self.axes_, self.figure_ = axes[: len(kinds)], axes[0].figure
        return self
