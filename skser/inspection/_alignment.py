"""Picture of which frames belong to which words."""

from skser.inspection._drawing import axes_for


class AlignmentDisplay:
    """Attention between word pieces and the time of an utterance.

    Parameters
    ----------
    alignment : DataFrame of shape (n_word_pieces, n_frames)
        One of those that `AttentionRNNClassifier.alignment` gives.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    mesh_ : matplotlib QuadMesh
    """

    def __init__(self, alignment):
        self.alignment = alignment

    @classmethod
    def from_estimator(cls, estimator, X, *, row=0, ax=None):
        """Draw the alignment of one utterance by a fitted network of audio and text.

        Parameters
        ----------
        estimator : fitted AttentionRNNClassifier or AttentionRNNRegressor
        X : DataFrame
            Utterance table.
        row : int, default=0
            Place of the utterance in it.
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        AlignmentDisplay
        """
        (alignment,) = estimator.alignment(X.iloc[[row]])
        return cls(alignment).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw a row per word piece.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            None makes a new figure.

        Returns
        -------
        self : object
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
