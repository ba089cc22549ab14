"""Picture of a comparison of several systems."""

import numpy as np

from skser.inspection._drawing import axes_for


class ComparisonDisplay:
    """Scores of several systems with their intervals, or the differences of all pairs.

    Parameters
    ----------
    comparison : SystemComparison
        Result of `skser.evaluation.compare`.
    kind : {"scores", "differences"}, default="scores"
        Content of the picture: the score of each system and speaker ("scores"), or the difference
        of each pair of systems ("differences").

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    points_ : matplotlib ErrorbarContainer
        Scores or differences with their intervals.

    See Also
    --------
    skser.evaluation.compare : Function that compares evaluations.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.evaluation import compare, cross_validate_speakers
    >>> from skser.inspection import ComparisonDisplay
    >>> corpus = make_emotional_speech(4, 10, random_state=0)
    >>> evaluations = {
    ...     "drawn": cross_validate_speakers(DummyClassifier(strategy="uniform"), corpus, cv=2),
    ...     "constant": cross_validate_speakers(DummyClassifier(), corpus, cv=2),
    ... }
    >>> display = ComparisonDisplay.from_comparison(compare(evaluations))
    >>> sorted(label.get_text() for label in display.ax_.get_yticklabels())
    ['constant', 'drawn']
    """

    def __init__(self, comparison, *, kind="scores"):
        self.comparison = comparison
        self.kind = kind

    @classmethod
    def from_comparison(cls, comparison, *, kind="scores", ax=None):
        """Draw a comparison.

        Parameters
        ----------
        comparison : SystemComparison
            Result of `skser.evaluation.compare`.
        kind : {"scores", "differences"}, default="scores"
            Content of the picture: the score of each system and speaker ("scores"), or the
            difference of each pair of systems ("differences").
        ax : matplotlib Axes or None, default=None
            Axes to draw in. None makes a new figure.

        Returns
        -------
        ComparisonDisplay
        """
        return cls(comparison, kind=kind).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw scores or differences as dots with bars, the best system on top.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw in. None makes a new figure.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `kind` is unknown.
        """
        if self.kind not in ("scores", "differences"):
            raise ValueError(f"kind must be 'scores' or 'differences', got {self.kind!r}.")
        found = self.comparison
        if self.kind == "scores":
            table, middle = found.systems, found.systems["score"]
            names = [str(name) for name in table.index]
        else:
            table, middle = found.pairs, found.pairs["difference"]
            names = [f"{row.better} − {row.worse}" for row in table.itertuples()]
        ax = axes_for(self, ax, figsize=(6, 1.2 + 0.4 * len(table)))
        places = np.arange(len(table))
        if self.kind == "scores":
            for place, name in zip(places, table.index, strict=True):
                scores = found.speaker_scores[name]
                ax.plot(scores, np.full(len(scores), place), ".", color="tab:blue", alpha=0.3)
        else:
            ax.axvline(0, color="black", linestyle="--", linewidth=1)
            names = [
                f"{name} (p = {p:.3f})" for name, p in zip(names, table["p_holm"], strict=True)
            ]
        reach = np.abs(np.array([middle - table["low"], table["high"] - middle], dtype=float))
        self.points_ = ax.errorbar(
            middle.to_numpy(), places, xerr=reach, fmt="o", color="black", capsize=3, zorder=3
        )
        ax.set_yticks(places, names)
        ax.invert_yaxis()
        metric = found.metric.replace("_", " ")
        label = metric if self.kind == "scores" else f"difference in {metric}"
        ax.set_xlabel(f"{label}, {100 * found.confidence_level:g} % interval over speakers")
        self.ax_, self.figure_ = ax, ax.figure
        return self
