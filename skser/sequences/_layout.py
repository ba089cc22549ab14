"""What the columns and rows of a block of frames mean."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """What the columns and rows of a `Sequences` block mean.

    Parameters
    ----------
    feature_names : tuple of str
        One per column.
    hop : float or None
        Seconds between the centres of successive frames.
    offset : float
        Seconds from the start of the utterance to the centre of its first frame.
    frequencies : tuple of float or None
        Centre of each band in Hz, for one channel.
    n_channels : int
        Columns are channel-major: all bands of the static features, then all bands of their
        first differences, and so on.
    """

    feature_names: tuple
    hop: float | None = None
    offset: float = 0.0
    frequencies: tuple | None = None
    n_channels: int = 1

    def __post_init__(self):
        if len(self.feature_names) % self.n_channels:
            raise ValueError(
                f"{len(self.feature_names)} columns cannot be {self.n_channels} channels "
                "of equal width."
            )
        if self.frequencies is not None and len(self.frequencies) != self.n_bands:
            raise ValueError(
                f"{len(self.frequencies)} frequencies were given for {self.n_bands} bands."
            )

    @property
    def n_bands(self):
        """Columns of one channel."""
        return len(self.feature_names) // self.n_channels

    @classmethod
    def unnamed(cls, n_columns):
        """Layout of columns that nobody named: ``x0``, ``x1``, ..."""
        return cls(tuple(f"x{i}" for i in range(n_columns)))
