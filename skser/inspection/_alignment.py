"""Plot of the alignment between frames and words."""

from skser.inspection._drawing import axes_for


class AlignmentDisplay:
    """Plot of the attention of each word piece over the time of an utterance.

    Parameters
    ----------
    alignment : DataFrame of shape (n_word_pieces, n_frames)
        Attention weights of one utterance, from `AttentionRNNClassifier.alignment`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    mesh_ : matplotlib QuadMesh
        Image of the attention weights.

    Examples
    --------
    >>> import pandas as pd
    >>> from skser.inspection import AlignmentDisplay
    >>> alignment = pd.DataFrame(
    ...     [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], index=["good", "day"], columns=[0.0, 0.1, 0.2]
    ... )
    >>> display = AlignmentDisplay(alignment).plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['good', 'day']
    """

    def __init__(self, alignment):
        self.alignment = alignment

    @classmethod
    def from_estimator(cls, estimator, X, *, row=0, ax=None):
        """Plot the alignment of one utterance in a fitted network of audio and text.

        Parameters
        ----------
        estimator : fitted AttentionRNNClassifier or AttentionRNNRegressor
            Network that computes the alignment.
        X : DataFrame
            Utterance table.
        row : int, default=0
            Position of the utterance in the table.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        AlignmentDisplay
            Display with the plot.
        """
        (alignment,) = estimator.alignment(X.iloc[[row]])
        return cls(alignment).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw one row per word piece.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on. With None, a new figure is created.

        Returns
        -------
        self : object
            This display.
        """
        n = len(self.alignment)
        ax = axes_for(self, ax, figsize=(8, 1.5 + 0.3 * n))
        times = self.alignment.columns.to_numpy(dtype=float)
        self.mesh_ = ax.pcolormesh(times, range(n), self.alignment.to_numpy(), cmap="viridis")
        ax.set_yticks(range(n), [str(piece) for piece in self.alignment.index])
        ax.invert_yaxis()
        ax.set(xlabel="seconds", ylabel="word piece")
        ax.figure.colorbar(self.mesh_, ax=ax, label="attention")
        self.ax_, self.figure_ = ax, ax.figure
        return self
