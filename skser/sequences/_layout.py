"""Meaning of the columns and rows of frame sequences."""

import json
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layout:
    """Meaning of the columns and frames of a `Sequences` block.

    Parameters
    ----------
    feature_names : tuple of str
        Name of each column.
    hop : float or None, default=None
        Time between the centers of successive frames in seconds; None if it is not known.
    offset : float, default=0.0
        Time from the start of the utterance to the center of its first frame in seconds.
    frequencies : tuple of float or None, default=None
        Center frequency of each band of a channel in Hz; None if columns are not bands.
    n_channels : int, default=1
        Number of channels. Columns are channel-major: all bands of the static features, then all
        bands of their first differences, and so on.

    Examples
    --------
    >>> from skser.sequences import Layout
    >>> layout = Layout(("pitch", "loudness"), hop=0.01)
    >>> layout.feature_names, layout.n_channels
    (('pitch', 'loudness'), 1)
    """

    feature_names: tuple
    hop: float | None = None
    offset: float = 0.0
    frequencies: tuple | None = None
    n_channels: int = 1

    def __post_init__(self):
        if len(self.feature_names) % self.n_channels:
            raise ValueError(
                f"{len(self.feature_names)} columns cannot be divided into {self.n_channels} "
                "channels of equal width."
            )
        if self.frequencies is not None and len(self.frequencies) != self.n_bands:
            raise ValueError(
                f"{len(self.frequencies)} frequencies were given for {self.n_bands} bands."
            )

    def __getstate__(self):
        # One text: as objects of their own, the names would be most of a small model's file.
        return {"fields": json.dumps(vars(self))}

    def __setstate__(self, state):
        fields = json.loads(state["fields"])
        names, frequencies = fields.pop("feature_names"), fields.pop("frequencies")
        frequencies = None if frequencies is None else tuple(frequencies)
        self.__init__(tuple(names), frequencies=frequencies, **fields)

    @property
    def n_bands(self):
        """Number of columns of one channel."""
        return len(self.feature_names) // self.n_channels

    def difference(self, other):
        """Describe the first difference in meaning from another layout of as many columns.

        What one of them does not state is not compared: default names, no hop, no frequencies.

        Parameters
        ----------
        other : Layout
            Layout to compare with.

        Returns
        -------
        (str, str) or None
            That which differs, of this layout and of the other one. None if nothing does.
        """
        if self == other:
            return None
        names, other_names = self.feature_names, other.feature_names
        default = Layout.unnamed(len(names)).feature_names
        if names != other_names and default not in (names, other_names):
            i = next(i for i, name in enumerate(names) if name != other_names[i])
            return f"{names[i]!r} in column {i}", f"{other_names[i]!r} there"
        if None not in (self.hop, other.hop) and not np.isclose(self.hop, other.hop, rtol=1e-6):
            return tuple(f"frames {hop:g} s apart" for hop in (self.hop, other.hop))
        bands, other_bands = self.frequencies, other.frequencies
        if None in (bands, other_bands) or len(bands) != len(other_bands):
            return None
        differs = ~np.isclose(bands, other_bands, rtol=1e-6)  # rounded otherwise on other machines
        if differs.any():
            i = int(differs.argmax())
            return tuple(f"band {i} at {found[i]:.5g} Hz" for found in (bands, other_bands))
        return None

    @classmethod
    def unnamed(cls, n_columns):
        """Return a layout with default column names ``x0``, ``x1``, ..."""
        return cls(tuple(f"x{i}" for i in range(n_columns)))
