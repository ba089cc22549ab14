"""Many variable-length frame sequences in one block."""

import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np


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


class Sequences:
    """Variable-length sequences of frames, kept in one block.

    To scikit-learn it is a one-dimensional container of utterances: splitters,
    cross-validation, grid search, joblib and pickle take it as they take an array.
    Indexing with a slice, an integer array or a boolean mask gives another `Sequences` over
    the *same* block, so cross-validation copies nothing.

    Parameters
    ----------
    values : ndarray of shape (total_frames, n_columns), float32
        The block. Nothing here ever writes into it.
    lengths : array-like of shape (n_utterances,), int
        Frames of each utterance.
    starts : array-like of shape (n_utterances,), int, or None, default=None
        First row of each utterance; None means that they follow one another.
    layout : Layout or None, default=None
        Meaning of columns and rows.

    Attributes
    ----------
    shape : tuple
        ``(n_utterances,)``.
    n_columns : int
        Width of a frame.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.sequences import Sequences
    >>> X = Sequences.from_list([np.zeros((3, 2)), np.ones((5, 2))])
    >>> X
    Sequences(2 utterances, 8 frames, 2 columns)
    >>> X[1].shape, X[[1]].shape, X.reduce(np.add)
    ((5, 2), (1,), array([[0., 0.],
           [5., 5.]], dtype=float32))
    """

    ndim = 1

    def __init__(self, values, lengths, starts=None, layout=None):
        if values.ndim != 2 or values.dtype != np.float32 or not values.flags.c_contiguous:
            raise ValueError(
                "values must be a C-contiguous float32 array of shape (total_frames, n_columns), "
                f"not {values.dtype} of shape {values.shape}."
            )
        lengths = np.asarray(lengths, dtype=np.int64)
        if starts is None:
            starts = np.cumsum(lengths) - lengths
        starts = np.asarray(starts, dtype=np.int64)
        if lengths.ndim != 1 or starts.shape != lengths.shape:
            raise ValueError("starts and lengths must be 1-D and of one length.")
        if lengths.size and (
            lengths.min() < 0 or starts.min() < 0 or (starts + lengths).max() > len(values)
        ):
            raise ValueError("An utterance reaches outside the block.")
        layout = layout or Layout.unnamed(values.shape[1])
        if len(layout.feature_names) != values.shape[1]:
            raise ValueError(
                f"The layout names {len(layout.feature_names)} columns, "
                f"the block has {values.shape[1]}."
            )
        self.values = values
        self.starts = starts
        self.lengths = lengths
        self.layout = layout
        self._source = None

    # Construction --------------------------------------------------------------------

    @classmethod
    def from_list(cls, arrays, layout=None):
        """Copy 2-D arrays (n_frames, n_columns) of equal width into one block."""
        arrays = [np.asarray(array) for array in arrays]
        if not arrays:
            raise ValueError("0 utterances: at least 1 is required.")
        width = arrays[0].shape[1] if arrays[0].ndim == 2 else None
        for i, array in enumerate(arrays):
            if array.ndim != 2:
                raise ValueError(
                    f"Utterance {i} must be a 2-D array (n_frames, n_columns), "
                    f"not {array.ndim}-D of shape {array.shape}."
                )
            if array.shape[1] != width:
                raise ValueError(
                    f"Utterance {i} has {array.shape[1]} columns, utterance 0 has {width}."
                )
        values = np.concatenate(arrays).astype(np.float32, order="C", copy=False)
        return cls(values, [len(array) for array in arrays], layout=layout)

    @classmethod
    def from_array(cls, array, layout=None):
        """View equal-length sequences, an array (n_utterances, n_frames, n_columns)."""
        n_utterances, n_frames, n_columns = array.shape
        values = np.ascontiguousarray(array, dtype=np.float32).reshape(-1, n_columns)
        return cls(values, np.full(n_utterances, n_frames), layout=layout)

    def to_list(self):
        """2-D views (n_frames, n_columns), one per utterance."""
        return list(self)

    # Container ------------------------------------------------------------------------

    @property
    def shape(self):
        """``(n_utterances,)``."""
        return self.lengths.shape

    @property
    def n_columns(self):
        """Width of a frame."""
        return self.values.shape[1]

    def __len__(self):
        return len(self.lengths)

    def __iter__(self):
        for start, length in zip(self.starts, self.lengths, strict=True):
            yield self.values[start : start + length]

    def __getitem__(self, key):
        if isinstance(key, tuple):  # scikit-learn asks for X[key, ...]
            if len(key) != 2 or key[1] is not Ellipsis:
                raise IndexError(
                    "Sequences has one dimension, its utterances; index X[i] for frames."
                )
            key = key[0]
        if isinstance(key, int | np.integer):
            start, length = self.starts[key], self.lengths[key]
            return self.values[start : start + length]
        if not isinstance(key, slice):
            key = np.asarray(key)
            if key.size == 0:
                key = key.astype(np.int64)
        return self._view(self.starts[key], self.lengths[key])

    def _view(self, starts, lengths):
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__, starts=starts, lengths=lengths)
        return view

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "A Sequences holds utterances of different lengths and is no array. Estimators of "
            "vectors need one row per utterance: pool the frames first (X.reduce(np.add), say), "
            "or take to_padded()."
        )

    def __repr__(self):
        return (
            f"{type(self).__name__}({len(self)} utterances, {int(self.lengths.sum())} frames, "
            f"{self.n_columns} columns)"
        )

    # Work on frames -------------------------------------------------------------------

    def _is_whole(self):
        ends = np.cumsum(self.lengths)
        return (len(ends) == 0 and len(self.values) == 0) or (
            len(ends) > 0
            and ends[-1] == len(self.values)
            and np.array_equal(self.starts, ends - self.lengths)
        )

    def frame_indices(self):
        """Rows of the block that belong to the utterances, in their order."""
        ends = np.cumsum(self.lengths)
        shift = np.repeat(self.starts - (ends - self.lengths), self.lengths)
        return np.arange(shift.size) + shift

    def compact(self):
        """Copy into a block that holds these utterances alone, one after the other."""
        frames = self.frames()
        copied = np.array(frames) if np.shares_memory(frames, self.values) else frames
        return type(self)(copied, self.lengths, layout=self.layout)

    def frames(self):
        """All frames, utterance after utterance: the block itself if it holds no others."""
        return self.values if self._is_whole() else self.values[self.frame_indices()]

    def map_values(self, function, layout=None):
        """Apply a frame-wise function to all frames at once.

        Parameters
        ----------
        function : callable
            Takes (total_frames, n_columns) and returns a new array with as many rows.
        layout : Layout or None, default=None
            Meaning of the result's columns; None keeps the names if the width stays.
        """
        values = np.ascontiguousarray(function(self.frames()), dtype=np.float32)
        if layout is None and values.shape[1] == self.n_columns:
            layout = self.layout
        return type(self)(values, self.lengths, layout=layout)

    def reduce(self, ufunc):
        """Reduce each utterance over its frames, ``np.add``, ``np.maximum`` and the like.

        Returns
        -------
        ndarray of shape (n_utterances, n_columns)

        Raises
        ------
        ValueError
            If an utterance has no frames and the ufunc has no value for that.
        """
        filled = self.lengths > 0
        if not filled.all() and ufunc.identity is None:
            raise ValueError(f"Utterance {np.argmin(filled)} has 0 frames.")
        frames = self.frames()
        starts = (np.cumsum(self.lengths) - self.lengths)[filled]
        if filled.all() and len(starts):
            return ufunc.reduceat(frames, starts, axis=0)
        reduced = np.full((len(self), self.n_columns), ufunc.identity, frames.dtype)
        if filled.any():
            reduced[filled] = ufunc.reduceat(frames, starts, axis=0)
        return reduced

    def to_padded(self, fill=0.0):
        """Pad to the longest utterance.

        Returns
        -------
        padded : ndarray of shape (n_utterances, max_frames, n_columns), float32
        mask : ndarray of shape (n_utterances, max_frames), bool
            True at frames, False at padding.
        """
        n_frames = int(self.lengths.max(initial=0))
        mask = np.arange(n_frames) < self.lengths[:, None]
        padded = np.full((len(self), n_frames, self.n_columns), fill, np.float32)
        padded[mask] = self.frames()
        return padded, mask

    # Disk and pickle ------------------------------------------------------------------

    def save(self, directory):
        """Write to a new directory, whole or not at all.

        Raises
        ------
        FileExistsError
            If `directory` exists.
        """
        directory = Path(directory)
        if directory.exists():
            raise FileExistsError(f"{directory} exists; remove it or save elsewhere.")
        directory.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        try:
            np.save(scratch / "values.npy", self.frames())
            np.save(scratch / "lengths.npy", self.lengths)
            (scratch / "layout.json").write_text(json.dumps(asdict(self.layout)), "utf-8")
            os.rename(scratch, directory)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    @classmethod
    def open(cls, directory, mmap_mode=None):
        """Open what `save` wrote.

        Parameters
        ----------
        directory : path-like
        mmap_mode : {None, "r", "c"}, default=None
            As in `numpy.load`; with a mode the block stays on disk, and a pickle of these
            sequences names the directory instead of carrying the block.

        Raises
        ------
        FileNotFoundError
            If the directory is not a saved `Sequences`.
        """
        directory = Path(directory)
        if not (directory / "layout.json").is_file():
            raise FileNotFoundError(f"{directory} is not a saved Sequences (no layout.json).")
        fields = json.loads((directory / "layout.json").read_text("utf-8"))
        fields["feature_names"] = tuple(fields["feature_names"])
        if fields["frequencies"] is not None:
            fields["frequencies"] = tuple(fields["frequencies"])
        values = np.load(directory / "values.npy", mmap_mode=mmap_mode)
        opened = cls(values, np.load(directory / "lengths.npy"), layout=Layout(**fields))
        if mmap_mode is not None:
            stat = (directory / "values.npy").stat()
            opened._source = (str(directory.resolve()), mmap_mode, stat.st_mtime_ns, stat.st_size)
        return opened

    def __getstate__(self):
        state = self.__dict__.copy()
        if self._source is not None:
            del state["values"]
        elif not self._is_whole():
            state.update(self.compact().__dict__)
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        if self._source is not None:
            directory, mmap_mode, *_ = self._source
            reopened = type(self).open(directory, mmap_mode)
            if reopened._source != self._source:
                raise ValueError(f"{directory} has changed since these sequences were pickled.")
            self.values = reopened.values


def as_sequences(X):
    """View any form of frame sequences as `Sequences`.

    Parameters
    ----------
    X : Sequences, 3-D array (n_utterances, n_frames, n_columns), 2-D array (one column: \
            n_utterances, n_frames), or list of 2-D arrays (n_frames, n_columns)

    Returns
    -------
    Sequences
    """
    if isinstance(X, Sequences):
        return X
    if isinstance(X, list | tuple):
        return Sequences.from_list(X)
    X = np.asarray(X)
    if X.ndim == 2:
        X = X[:, :, None]
    if X.ndim != 3:
        raise ValueError(
            "X must be Sequences, a list of 2-D arrays, or a 2-D or 3-D array, "
            f"not an array of shape {X.shape}."
        )
    return Sequences.from_array(X)
